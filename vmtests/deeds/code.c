/* SPDX-License-Identifier: Apache-2.0 */
/* code.c: code that gets to run without an exec: files and memory that are mapped executable. None of it is jumped to. */
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/sendfile.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "deed.h"

#define SIZE 4096

static int mapped(void *at)
{
	return at == MAP_FAILED ? -errno : 0;
}

static int map_fd(int fd, int prot, void **ret)
{
	*ret = mmap(NULL, SIZE, prot, MAP_PRIVATE, fd, 0);
	return mapped(*ret);
}

/* FILE: as dlopen does it. */
static int code_map(char **argv)
{
	int fd = open(argv[0], O_RDONLY | O_CLOEXEC);
	void *at;

	return fd < 0 ? -errno : map_fd(fd, PROT_READ | PROT_EXEC, &at);
}

/* FILE: a copy of it that has no name in any directory. */
static int code_memfd(char **argv)
{
	int from = open(argv[0], O_RDONLY | O_CLOEXEC);
	int fd = (int)syscall(SYS_memfd_create, "mapped", MFD_CLOEXEC);
	struct stat st;
	void *at;

	if (from < 0 || fd < 0 || fstat(from, &st) < 0)
		return -errno;
	for (off_t done = 0; done < st.st_size;)
		if (sendfile(fd, from, &done, (size_t)(st.st_size - done)) <= 0)
			return -errno;
	return map_fd(fd, PROT_READ | PROT_EXEC, &at);
}

/* FILE: executable, while somebody can write to it. */
static int code_dual(char **argv)
{
	int fd = open(argv[0], O_RDWR | O_CLOEXEC), r;
	void *at;

	if (fd < 0)
		return -errno;
	at = mmap(NULL, SIZE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	r = mapped(at);
	if (r == 0)
		r = mapped(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	return r;
}

/* FILE: written to where it is mapped already, and was good. */
static int code_rewritten(char **argv)
{
	int fd = open(argv[0], O_RDONLY | O_CLOEXEC), r;
	void *at;

	r = fd < 0 ? -errno : map_fd(fd, PROT_READ | PROT_EXEC, &at);
	if (r < 0)
		return r;
	close(fd);
	sleep(1);
	deed_stamp();
	fd = open(argv[0], O_WRONLY | O_CLOEXEC);
	return fd < 0 || pwrite(fd, "x", 1, 100) != 1 ? -errno : 0;
}

/* FILE: opened and left as it is, mapped once more, and written to by another program. */
static int code_remapped(char **argv)
{
	int fd = open(argv[0], O_RDONLY | O_CLOEXEC), r, to, status;
	void *at;
	pid_t pid;

	r = fd < 0 ? -errno : map_fd(fd, PROT_READ | PROT_EXEC, &at);
	if (r < 0)
		return r;
	to = open(argv[0], O_WRONLY | O_CLOEXEC);
	if (to < 0 || close(to) < 0)
		return -errno;
	r = map_fd(fd, PROT_READ | PROT_EXEC, &at);
	pid = r < 0 ? r : fork();
	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", "echo x >>$0", argv[0], NULL);
		_exit(126);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EACCES;
}

/* FILE PROGRAM: the first thread ends, many processes come and go, and another thread maps FILE. */
static void *outlive(void *of)
{
	int fd = open(of, O_RDONLY | O_CLOEXEC), r;
	void *at;

	usleep(200000);
	for (int i = 0; i < 5000; i++) {
		pid_t pid = (pid_t)syscall(SYS_fork);

		if (pid == 0)
			syscall(SYS_exit_group, 0);
		while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	r = fd < 0 ? -errno : map_fd(fd, PROT_READ | PROT_EXEC, &at);
	syscall(SYS_exit_group, r < 0);
	return NULL;
}

static int code_headless(char **argv)
{
	pthread_t thread;
	int r = pthread_create(&thread, NULL, outlive, argv[0]);

	if (r != 0)
		return -r;
	syscall(SYS_exit, 0);
	return 0;
}

/* FILE: mapped to be read, and made executable afterwards. */
static int code_later(char **argv)
{
	int fd = open(argv[0], O_RDONLY | O_CLOEXEC), r;
	void *at;

	if (fd < 0)
		return -errno;
	r = map_fd(fd, PROT_READ, &at);
	if (r < 0)
		return r;
	return mprotect(at, SIZE, PROT_READ | PROT_EXEC) < 0 ? -errno : 0;
}

/* FILE: the same, and written to afterwards. */
static int code_rewritten_later(char **argv)
{
	int r = code_later(argv), fd;

	if (r < 0)
		return r;
	sleep(1);
	deed_stamp();
	fd = open(argv[0], O_WRONLY | O_CLOEXEC);
	return fd < 0 || pwrite(fd, "x", 1, 100) != 1 ? -errno : 0;
}

/* FILE: its page is written to in memory before it is made executable. */
static int code_written(char **argv)
{
	int fd = open(argv[0], O_RDONLY | O_CLOEXEC), r;
	void *at;

	if (fd < 0)
		return -errno;
	r = map_fd(fd, PROT_READ | PROT_WRITE, &at);
	if (r < 0)
		return r;
	*(volatile char *)at = 0x55;
	return mprotect(at, SIZE, PROT_READ | PROT_EXEC) < 0 ? -errno : 0;
}

static int code_anonymous(char **argv)
{
	(void)argv;
	return mapped(mmap(NULL, SIZE, PROT_READ | PROT_WRITE | PROT_EXEC,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

/* Memory of no file that is shared: the kernel's programs are asked about a file that is none. */
static int code_shared(char **argv)
{
	void *at = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	(void)argv;
	if (at == MAP_FAILED)
		return -errno;
	*(volatile char *)at = 1;
	return 0;
}

/* Written first, executable afterwards: what compilers at run time do. */
static int code_protect(char **argv)
{
	void *at = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)argv;
	if (at == MAP_FAILED)
		return -errno;
	return mprotect(at, SIZE, PROT_READ | PROT_EXEC) < 0 ? -errno : 0;
}

/* Memory that is shared is of a file that has no name, and yet of none that anybody wrote. */
static int code_shared_exec(char **argv)
{
	(void)argv;
	return mapped(mmap(NULL, SIZE, PROT_READ | PROT_WRITE | PROT_EXEC,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0));
}

static int code_shared_later(char **argv)
{
	void *at = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	(void)argv;
	if (at == MAP_FAILED)
		return -errno;
	*(volatile char *)at = 0x55;
	return mprotect(at, SIZE, PROT_READ | PROT_EXEC) < 0 ? -errno : 0;
}

/* As compilers at run time do that let nobody have memory that can be written and executed: what one mapping writes the other executes. */
static int map_twice(const char *name, int prot, void **ret)
{
	int fd = (int)syscall(SYS_memfd_create, name, MFD_CLOEXEC), r;
	void *at;

	if (fd < 0 || ftruncate(fd, SIZE) < 0)
		return -errno;
	at = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	r = mapped(at);
	if (r < 0)
		return r;
	*(volatile char *)at = 0x55;
	*ret = mmap(NULL, SIZE, prot, MAP_SHARED, fd, 0);
	return mapped(*ret);
}

static int code_double(char **argv)
{
	void *at;

	(void)argv;
	return map_twice("doublemapper", PROT_READ | PROT_EXEC, &at);
}

static int code_double_later(char **argv)
{
	void *at;
	int r = map_twice("doublelater", PROT_NONE, &at);

	(void)argv;
	if (r < 0)
		return r;
	return mprotect(at, SIZE, PROT_READ | PROT_EXEC) < 0 ? -errno : 0;
}

/* Large pages of no file: the kernel makes a file of them. */
static int code_huge(char **argv)
{
	(void)argv;
	return mapped(mmap(NULL, 2 << 20, PROT_READ | PROT_WRITE | PROT_EXEC,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0));
}

/* Who reads may execute, without asking for it. */
static int code_implied(char **argv)
{
	(void)argv;
	if (personality(READ_IMPLIES_EXEC) < 0)
		return -errno;
	return mapped(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

/* FILE: the same, of a file that is only to be read. */
static int code_implied_file(char **argv)
{
	int fd = open(argv[0], O_RDONLY | O_CLOEXEC);
	void *at;

	if (fd < 0 || personality(READ_IMPLIES_EXEC) < 0)
		return -errno;
	return map_fd(fd, PROT_READ, &at);
}

static int code_shm(char **argv)
{
	int id = shmget(IPC_PRIVATE, SIZE, IPC_CREAT | 0700), r;

	(void)argv;
	if (id < 0)
		return -errno;
	r = shmat(id, NULL, SHM_EXEC) == (void *)-1 ? -errno : 0;
	(void)shmctl(id, IPC_RMID, NULL);
	return r;
}

/* Memory that the kernel itself does not see. */
static int code_secret(char **argv)
{
	int fd = (int)syscall(SYS_memfd_secret, 0);

	(void)argv;
	if (fd < 0 || ftruncate(fd, SIZE) < 0)
		return -errno;
	return mapped(mmap(NULL, SIZE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED, fd, 0));
}

int main(int argc, char **argv)
{
	static const struct deed deeds[] = {
		{"map", code_map, 1},
		{"memfd", code_memfd, 1},
		{"dual", code_dual, 1},
		{"rewritten", code_rewritten, 1},
		{"remapped", code_remapped, 1},
		{"rewritten_later", code_rewritten_later, 1},
		{"double", code_double, 0},
		{"double_later", code_double_later, 0},
		{"huge", code_huge, 0},
		{"headless", code_headless, 1},
		{"later", code_later, 1},
		{"written", code_written, 1},
		{"shared", code_shared, 0},
		{"anonymous", code_anonymous, 0},
		{"protect", code_protect, 0},
		{"shared_exec", code_shared_exec, 0},
		{"shared_later", code_shared_later, 0},
		{"implied", code_implied, 0},
		{"implied_file", code_implied_file, 1},
		{"shm", code_shm, 0},
		{"secret", code_secret, 0},
	};

	return deed_main(deeds, sizeof(deeds) / sizeof(deeds[0]), argc, argv);
}
