/* SPDX-License-Identifier: Apache-2.0 */
/* run.c: programs that run from where nothing can be looked up afterwards. */
#include <fcntl.h>
#include <linux/fsverity.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "deed.h"

static int copy_to(int to, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), r = 0;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	for (off_t at = 0; at < st.st_size;)
		if (sendfile(to, fd, &at, (size_t)(st.st_size - at)) <= 0) {
			r = -errno;
			break;
		}
	close(fd);
	return r;
}

static int run_fd(int fd)
{
	char name[] = "true", *argv[] = {name, NULL}, *envp[] = {NULL};
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		syscall(SYS_execveat, fd, "", argv, envp, AT_EMPTY_PATH);
		_exit(126);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) != 126 ? 0 : -EACCES;
}

/* PROGRAM: runs a copy that has no name in any directory. */
static int run_memfd(char **argv)
{
	int fd = (int)syscall(SYS_memfd_create, "deed", MFD_CLOEXEC), r;

	if (fd < 0)
		return -errno;
	r = copy_to(fd, argv[0]);
	return r < 0 ? r : run_fd(fd);
}

/* PROGRAM NAME: runs a copy that is removed before it runs. */
static int run_gone(char **argv)
{
	int fd = open(argv[1], O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0755), r;

	if (fd < 0)
		return -errno;
	r = copy_to(fd, argv[0]);
	close(fd);
	if (r < 0)
		return r;
	fd = open(argv[1], O_PATH | O_CLOEXEC);
	if (fd < 0 || unlink(argv[1]) < 0)
		return -errno;
	return run_fd(fd);
}

/* PROGRAM NAME: runs a copy that the kernel holds to its bytes from then on. */
static int run_verity(char **argv)
{
	struct fsverity_enable_arg enable = {
		.version = 1, .hash_algorithm = FS_VERITY_HASH_ALG_SHA256, .block_size = 4096};
	int fd = open(argv[1], O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0755), r;

	if (fd < 0)
		return -errno;
	r = copy_to(fd, argv[0]);
	close(fd);
	if (r < 0)
		return r;
	fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, FS_IOC_ENABLE_VERITY, &enable) < 0)
		return -errno;
	return run_fd(fd);
}

int main(int argc, char **argv)
{
	static const struct deed deeds[] = {
		{"memfd", run_memfd, 1}, {"gone", run_gone, 2}, {"verity", run_verity, 2}};

	return deed_main(deeds, sizeof(deeds) / sizeof(deeds[0]), argc, argv);
}
