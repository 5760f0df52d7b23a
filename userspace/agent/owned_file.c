/* SPDX-License-Identifier: Apache-2.0 */
#include "owned_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "fsio.h"

int owned_file_open(const char *path)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), r;
	struct stat st;

	if (fd < 0)
		return -errno;
	r = fstat(fd, &st) < 0 ? -errno : 0;
	if (r == 0 && (!S_ISREG(st.st_mode) || (st.st_uid != 0 && st.st_uid != geteuid()) ||
		       st.st_mode & 022))
		r = -EACCES;
	if (r < 0)
		close(fd);
	return r < 0 ? r : fd;
}

int owned_file_read(const char *path, size_t max, struct buf *ret)
{
	CLEANUP_CLOSE int fd = owned_file_open(path);
	size_t total = 0, n = 0;
	int r = 0;

	if (fd < 0)
		return fd;
	do {
		char chunk[16384];

		r = fsio_read_full(fsio_system(), fd, chunk, sizeof(chunk), total, &n);
		if (r >= 0)
			buf_put(ret, chunk, n);
		total += r >= 0 ? n : 0;
	} while (r >= 0 && n > 0 && total <= max);
	return r < 0 ? r : total > max ? -EFBIG : buf_status(ret);
}
