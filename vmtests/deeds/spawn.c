/* SPDX-License-Identifier: Apache-2.0 */
/* spawn.c: programs that run in ways that a look afterwards, or a look at names, does not show. */
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "deed.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x10u /* since 6.3 */
#endif
#ifndef AT_EXECVE_CHECK
#define AT_EXECVE_CHECK 0x10000 /* since 6.14 */
#endif

static char *const none[] = {NULL};

static int copy_to(int to, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), r = 0;
	struct stat st;

	if (to < 0 || fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	for (off_t at = 0; at < st.st_size;)
		if (sendfile(to, fd, &at, (size_t)(st.st_size - at)) <= 0) {
			r = -errno;
			break;
		}
	close(fd);
	return r;
}

static int copy_as(const char *path, const char *name)
{
	int fd = open(name, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0755), r = copy_to(fd, path);

	close(fd);
	return r;
}

static int ended(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) != 126 ? 0 : -EACCES;
}

static int run_path(const char *path)
{
	char name[] = "true", *argv[] = {name, NULL};
	pid_t pid = fork();

	if (pid == 0) {
		execve(path, argv, none);
		_exit(126);
	}
	return ended(pid);
}

static int run_fd(int fd)
{
	char name[] = "true", *argv[] = {name, NULL};
	pid_t pid = fork();

	if (pid == 0) {
		syscall(SYS_execveat, fd, "", argv, none, AT_EMPTY_PATH);
		_exit(126);
	}
	return ended(pid);
}

/* PROGRAM: by the descriptor's own path. */
static int memfd_path(char **argv)
{
	int fd = (int)syscall(SYS_memfd_create, "path", 0), r = copy_to(fd, argv[0]);
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return r < 0 ? r : run_path(path);
}

/* PROGRAM OTHER: runs, and is another one afterwards, as large: nobody opens it, and no time says so. */
static int memfd_twice(char **argv)
{
	int fd = (int)syscall(SYS_memfd_create, "twice", 0), r = copy_to(fd, argv[0]);
	int other = open(argv[1], O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *at;

	if (r < 0 || other < 0 || fstat(other, &st) < 0)
		return r < 0 ? r : -errno;
	at = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		return -errno;
	r = run_fd(fd);
	if (r < 0)
		return r;
	if (pread(other, at, (size_t)st.st_size, 0) != st.st_size)
		return -EIO;
	return run_fd(fd);
}

/* PROGRAM: nobody can write to it any more, and it says itself that it is to run, where there is such a word. */
static int memfd_sealed(char **argv)
{
	int fd = (int)syscall(SYS_memfd_create, "sealed",
			      MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC),
	    r;

	if (fd < 0 && errno == EINVAL)
		fd = (int)syscall(SYS_memfd_create, "sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	r = copy_to(fd, argv[0]);
	if (r < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		return r < 0 ? r : -errno;
	return run_fd(fd);
}

/* PROGRAM DIRECTORY: a file that never had a name. */
static int nameless(char **argv)
{
	int fd = open(argv[1], O_TMPFILE | O_RDWR | O_CLOEXEC, 0755), r = copy_to(fd, argv[0]), ro;
	char path[64];

	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ro = open(path, O_RDONLY | O_CLOEXEC);
	close(fd);
	return ro < 0 ? -errno : run_fd(ro);
}

/* PROGRAM NAME: runs, and is other bytes before anybody can look. */
static int replaced(char **argv)
{
	int r = copy_as(argv[0], argv[1]), fd;

	if (r == 0)
		r = run_path(argv[1]);
	if (r < 0)
		return r;
	fd = open(argv[1], O_WRONLY | O_TRUNC | O_CLOEXEC);
	return fd < 0 || write(fd, "#!/bin/true\n", 12) != 12 ? -errno : 0;
}

/* PROGRAM NAME: runs, is changed through a mapping that was there all the time, and runs again. Since 6.11 who writes does not keep it from running. */
static int mapped(char **argv)
{
	int r = copy_as(argv[0], argv[1]), fd = open(argv[1], O_RDWR | O_CLOEXEC);
	struct stat st;
	char *at;

	if (r < 0 || fd < 0 || fstat(fd, &st) < 0)
		return r < 0 ? r : -errno;
	at = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (at == MAP_FAILED)
		return -errno;
	r = run_path(argv[1]);
	if (r < 0)
		return -ETXTBSY;
	at[st.st_size - 1] ^= 1;
	return run_path(argv[1]);
}

/* PROGRAM NAME: an interpreter reads it while it is mapped so that it can be written to; it is stored into, which changes no time, and runs. */
static int stored(char **argv)
{
	int r = copy_as(argv[0], argv[1]), fd = open(argv[1], O_RDWR | O_CLOEXEC);
	char name[] = "sh", *words[] = {name, argv[1], NULL};
	struct stat st;
	pid_t pid;
	char *at;

	if (r < 0 || fd < 0 || fstat(fd, &st) < 0)
		return r < 0 ? r : -errno;
	at = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (at == MAP_FAILED)
		return -errno;
	*(volatile char *)&at[st.st_size - 1] = at[st.st_size - 1]; /* dirty */
	usleep(1200000);
	pid = fork();
	if (pid == 0) {
		execve("/bin/sh", words, none);
		_exit(126);
	}
	(void)ended(pid);
	sleep(1);
	at[st.st_size - 1] ^= 1;
	munmap(at, (size_t)st.st_size);
	return run_path(argv[1]);
}

/* NAME: is other bytes afterwards, and the kernel was told of no write. */
static int flip(char **argv)
{
	int fd = open(argv[0], O_RDWR | O_CLOEXEC);
	struct stat st;
	char *at;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	at = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		return -errno;
	at[st.st_size - 1] ^= 1;
	munmap(at, (size_t)st.st_size);
	close(fd);
	return 0;
}

/* PROGRAM NAME COUNT: each its own bytes and name, none there any more when it ended. */
static int storm(char **argv)
{
	int r = 0, count = atoi(argv[2]);

	for (int i = 0; i < count && r == 0; i++) {
		char name[256];
		int fd;

		snprintf(name, sizeof(name), "%s-%d", argv[1], i);
		fd = open(name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0755);
		r = copy_to(fd, argv[0]);
		if (fd < 0 || write(fd, &i, sizeof(i)) < 0)
			return -errno;
		close(fd);
		if (r == 0)
			r = run_path(name);
		unlink(name);
	}
	return r;
}

/* PROGRAM CGROUP: born in another cgroup than its parent's. */
static int into_cgroup(char **argv)
{
	struct clone_args args = {.flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD};
	char name[] = "true", *words[] = {name, NULL};
	int fd = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	pid_t pid;

	args.cgroup = (uint64_t)fd;
	pid = fd < 0 ? -1 : (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0) {
		execve(argv[0], words, none);
		_exit(126);
	}
	return ended(pid);
}

/* PROGRAM CGROUP: forked where its parent is, and moved before it is executed, as a runtime does with what it begins in a container. */
static int moved(char **argv)
{
	char name[] = "true", *words[] = {name, NULL}, path[1024], go = 0;
	int pipes[2], fd, r;
	pid_t pid;

	snprintf(path, sizeof(path), "%s/cgroup.procs", argv[1]);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || pipe2(pipes, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		close(pipes[1]);
		if (read(pipes[0], &go, 1) == 1)
			execve(argv[0], words, none);
		_exit(126);
	}
	r = pid > 0 && dprintf(fd, "%d", pid) > 0 && write(pipes[1], "", 1) == 1 ? 0 : -errno;
	close(pipes[1]);
	close(pipes[0]);
	close(fd);
	return r < 0 ? r : ended(pid);
}

static void *exec_here(void *path)
{
	char name[] = "true", *argv[] = {name, NULL};

	execve(path, argv, none);
	_exit(126);
}

/* PROGRAM: a thread that is not the first takes the whole process with it. */
static int by_thread(char **argv)
{
	pid_t pid = fork();
	pthread_t t;

	if (pid == 0) {
		pthread_create(&t, NULL, exec_here, argv[0]);
		pthread_join(t, NULL);
		_exit(126);
	}
	return ended(pid);
}

/* UID PROGRAM */
static int as_user(char **argv)
{
	char name[] = "true", *words[] = {name, NULL};
	uid_t uid = (uid_t)atoi(argv[0]);
	pid_t pid = fork();

	if (pid == 0) {
		if (setresgid(uid, uid, uid) == 0 && setresuid(uid, uid, uid) == 0)
			execve(argv[1], words, none);
		_exit(126);
	}
	return ended(pid);
}

/* PROGRAM: by a descriptor that may neither be read nor written. */
static int path_fd(char **argv)
{
	int fd = open(argv[0], O_PATH | O_CLOEXEC);

	return fd < 0 ? -errno : run_fd(fd);
}

/* PROGRAM: whether it might be executed. It is not. */
static int asked(char **argv)
{
	int fd = open(argv[0], O_RDONLY | O_CLOEXEC);
	char name[] = "true", *words[] = {name, NULL};

	if (fd < 0)
		return -errno;
	return syscall(SYS_execveat, fd, "", words, none, AT_EMPTY_PATH | AT_EXECVE_CHECK) < 0
		       ? -errno
		       : 0;
}

int main(int argc, char **argv)
{
	static const struct deed deeds[] = {
		{"memfd_path", memfd_path, 1},
		{"memfd_sealed", memfd_sealed, 1},
		{"memfd_twice", memfd_twice, 2},
		{"nameless", nameless, 2},
		{"replaced", replaced, 2},
		{"storm", storm, 3},
		{"into_cgroup", into_cgroup, 2},
		{"moved", moved, 2},
		{"thread", by_thread, 1},
		{"mapped", mapped, 2},
		{"path_fd", path_fd, 1},
		{"asked", asked, 1},
		{"as_user", as_user, 2},
		{"stored", stored, 2},
		{"flip", flip, 1},
	};

	return deed_main(deeds, sizeof(deeds) / sizeof(deeds[0]), argc, argv);
}
