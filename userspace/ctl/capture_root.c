/* SPDX-License-Identifier: Apache-2.0 */
#include "capture_root.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"

#define TRIES 16 /* the kernel gives up when something was renamed meanwhile */

int capture_root_at(int root, const char *path, int flags)
{
	const struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC),
				     .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
	long fd = -1;

	if (root == CAPTURE_ROOT_HOST) {
		fd = open(path, flags | O_CLOEXEC);
		return fd < 0 ? -errno : (int)fd;
	}
	for (int i = 0; i < TRIES; i++) {
		fd = syscall(SYS_openat2, root, path, &how, sizeof(how));
		if (fd >= 0 || errno != EAGAIN)
			break;
	}
	return fd < 0 ? -errno : (int)fd;
}

static int name_of(int fd, char ret[PATH_MAX])
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, ret, PATH_MAX - 1);
	if (n < 0)
		return -errno;
	ret[n] = 0;
	return 0;
}

int capture_root_real(int root, const char *path, char ret[PATH_MAX])
{
	char top[PATH_MAX], real[PATH_MAX];
	size_t n;
	int r;

	if (root == CAPTURE_ROOT_HOST)
		return realpath(path, ret) ? 0 : -errno;
	CLEANUP_CLOSE int fd = capture_root_at(root, path, O_PATH);
	if (fd < 0)
		return fd;
	r = name_of(root, top);
	if (r >= 0)
		r = name_of(fd, real);
	if (r < 0)
		return r;
	n = strcmp(top, "/") == 0 ? 0 : strlen(top);
	if (strncmp(real, top, n) != 0 || (real[n] != '/' && real[n] != 0))
		return -EXDEV;
	snprintf(ret, PATH_MAX, "%s", real[n] ? real + n : "/");
	return 0;
}
