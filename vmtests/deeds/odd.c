/* SPDX-License-Identifier: Apache-2.0 */
/* odd.c: ways to a watched file that name it in no usual way: by handle, by a descriptor that may not be read, by a map of memory. */
#include <linux/fs.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "deed.h"

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452 /* since 6.6 */
#endif
#ifndef SYS_file_setattr
#define SYS_file_setattr 469 /* since 6.17 */
#endif

static int done(long r)
{
	return r < 0 ? -errno : 0;
}

static int change(int fd)
{
	int r;

	if (fd < 0)
		return -errno;
	r = done(write(fd, "changed\n", 8));
	close(fd);
	return r;
}

static int open_by_handle(const char *path, int flags)
{
	union {
		struct file_handle handle;
		char bytes[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} u = {.handle = {.handle_bytes = MAX_HANDLE_SZ}};
	int mount_id, at = open(path, O_RDONLY | O_CLOEXEC);

	if (at < 0 || name_to_handle_at(AT_FDCWD, path, &u.handle, &mount_id, 0) < 0)
		return -1;
	return open_by_handle_at(at, &u.handle, flags | O_CLOEXEC);
}

static int by_handle(char **argv)
{
	return change(open_by_handle(argv[0], O_WRONLY));
}

static int reopen(int fd, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return fd < 0 ? -1 : open(path, flags | O_CLOEXEC);
}

static int by_path_fd(char **argv)
{
	return change(reopen(open(argv[0], O_PATH | O_CLOEXEC), O_WRONLY));
}

static int by_read_fd(char **argv)
{
	return change(reopen(open(argv[0], O_RDONLY | O_CLOEXEC), O_WRONLY));
}

static int open_map_file(const char *path, int flags)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *at, name[96];

	if (fd < 0)
		return -1;
	at = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (at == MAP_FAILED)
		return -1;
	snprintf(name, sizeof(name), "/proc/self/map_files/%lx-%lx", (unsigned long)at,
		 (unsigned long)at + 4096);
	return open(name, flags | O_CLOEXEC);
}

static int by_map_file(char **argv)
{
	return change(open_map_file(argv[0], O_WRONLY));
}

/* A name of its own choice: the program stays what it is. */
static int under_a_name(char **argv)
{
	if (prctl(PR_SET_NAME, argv[1]) < 0)
		return -errno;
	return change(open(argv[0], O_WRONLY | O_CLOEXEC));
}

/* Whoever began it is gone by then, and the first process has become its parent. */
static int orphan(char **argv)
{
	pid_t pid = fork();
	int p[2];
	char c = 1;

	if (pid > 0)
		return done(waitpid(pid, NULL, 0));
	if (pid < 0 || pipe(p) < 0)
		return -errno;
	if (fork() == 0) {
		close(p[1]);
		if (read(p[0], &c, 1) < 0) /* until its parent ended */
			_exit(1);
		_exit(change(open(argv[0], O_WRONLY | O_CLOEXEC)) != 0);
	}
	_exit(0);
}

static int fchmodat2_nofollow(char **argv)
{
	return done(syscall(SYS_fchmodat2, AT_FDCWD, argv[0], 04755, AT_SYMLINK_NOFOLLOW));
}

static int set_flags(char **argv)
{
	int fd = open(argv[0], O_RDONLY | O_CLOEXEC), flags = 0;

	/* What is not given is taken away, and without extents some files cannot be. */
	if (fd < 0 || ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
		return -errno;
	flags |= FS_NODUMP_FL;
	return done(ioctl(fd, FS_IOC_SETFLAGS, &flags));
}

/* The same by a system call of its own. */
static int file_setattr(char **argv)
{
	struct {
		uint64_t xflags;
		uint32_t extsize, nextents, projid, cowextsize;
	} attr = {.xflags = FS_XFLAG_NODUMP};

	return done(syscall(SYS_file_setattr, AT_FDCWD, argv[0], &attr, sizeof(attr), 0));
}

/* user::rw- user:65534:rw- group::r-- mask::rw- other::r-- */
static int set_acl(char **argv)
{
	static const struct {
		uint32_t version;
		struct {
			uint16_t tag, perm;
			uint32_t id;
		} e[5];
	} acl = {2, {{1, 6, ~0u}, {2, 6, 65534}, {4, 4, ~0u}, {16, 6, ~0u}, {32, 4, ~0u}}};

	return done(setxattr(argv[0], "system.posix_acl_access", &acl, sizeof(acl), 0));
}

static int times_alone(char **argv)
{
	static const struct timespec t[2] = {{1000000000, 0}, {1000000000, 0}};

	return done(utimensat(AT_FDCWD, argv[0], t, 0));
}

/* A name goes, and a device that says so stays. */
static int whiteout(char **argv)
{
	return done(syscall(SYS_renameat2, AT_FDCWD, argv[0], AT_FDCWD, argv[1], RENAME_WHITEOUT));
}

static int make_device(char **argv)
{
	return done(mknod(argv[0], S_IFCHR | 0666, makedev(1, 3)));
}

static int bind_socket(char **argv)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", argv[0]);
	return s < 0 ? -errno : done(bind(s, (const struct sockaddr *)&a, sizeof(a)));
}

/* The kernel writes what is left of a process to a name of its own choice. */
static int dump_core(char **argv)
{
	const struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
	int fd = open("/proc/sys/kernel/core_pattern", O_RDWR | O_CLOEXEC), status, r = 0;
	char before[256];
	ssize_t n = fd < 0 ? -1 : read(fd, before, sizeof(before));
	pid_t pid;

	if (n < 0 || pwrite(fd, argv[0], strlen(argv[0]), 0) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		(void)setrlimit(RLIMIT_CORE, &all);
		abort();
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		r = -errno;
	else if (!WIFSIGNALED(status) || !WCOREDUMP(status))
		r = -ENODATA;
	if (pwrite(fd, before, (size_t)n, 0) < 0)
		r = -errno;
	return r;
}

/* The kernel appends to it at each process's end. */
static int account(char **argv)
{
	int r = done(acct(argv[0])), status;
	pid_t pid = r < 0 ? -1 : fork();

	if (pid == 0)
		_exit(0);
	if (pid > 0)
		(void)waitpid(pid, &status, 0);
	return r < 0 ? r : done(acct(NULL));
}

/* Nothing is changed, although it might be. */
static int read_oddly(char **argv)
{
	int fds[] = {
		open(argv[0], O_RDONLY | O_NOATIME), open(argv[0], O_RDWR),
		open_by_handle(argv[0], O_RDONLY),   reopen(open(argv[0], O_PATH), O_RDONLY),
		open_map_file(argv[0], O_RDONLY),
	};
	char bytes[16], *at;

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] < 0 || read(fds[i], bytes, sizeof(bytes)) < 0)
			return -errno;
	at = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_PRIVATE, fds[0], 0);
	if (at == MAP_FAILED)
		return -errno;
	*at = '#'; /* in a copy of its own */
	return mmap(NULL, 1, PROT_READ, MAP_SHARED, fds[1], 0) == MAP_FAILED ? -errno : 0;
}

int main(int argc, char **argv)
{
	static const struct deed deeds[] = {
		{"handle", by_handle, 1},
		{"path_fd", by_path_fd, 1},
		{"read_fd", by_read_fd, 1},
		{"map_file", by_map_file, 1},
		{"name", under_a_name, 2},
		{"orphan", orphan, 1},
		{"fchmodat2", fchmodat2_nofollow, 1},
		{"flags", set_flags, 1},
		{"setattr", file_setattr, 1},
		{"acl", set_acl, 1},
		{"times", times_alone, 1},
		{"read", read_oddly, 1},
		{"whiteout", whiteout, 2},
		{"device", make_device, 1},
		{"socket", bind_socket, 1},
		{"core", dump_core, 1},
		{"account", account, 1},
	};

	return deed_main(deeds, sizeof(deeds) / sizeof(deeds[0]), argc, argv);
}
