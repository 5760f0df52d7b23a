/* SPDX-License-Identifier: Apache-2.0 */
#include "owned_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_by(const struct fsio *io, const char *path)
{
	int fd = fsio_open(io, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0), r;
	struct stat st;

	if (fd < 0)
		return fd;
	r = fstat(fd, &st) < 0 ? -errno : 0;
	if (r == 0 && (!S_ISREG(st.st_mode) || (st.st_uid != 0 && st.st_uid != geteuid()) ||
		       st.st_mode & 022))
		r = -EACCES;
	if (r < 0)
		fsio_close(io, fd);
	return r < 0 ? r : fd;
}

int owned_file_open(const char *path)
{
	return open_by(fsio_system(), path);
}

int owned_file_read_by(const struct fsio *io, const char *path, size_t max, struct buf *ret)
{
	size_t total = 0, n = 0;
	int fd = open_by(io, path), r = 0;

	if (fd < 0)
		return fd;
	do {
		char chunk[16384];

		r = fsio_read_full(io, fd, chunk, sizeof(chunk), total, &n);
		if (r >= 0)
			buf_put(ret, chunk, n);
		total += r >= 0 ? n : 0;
	} while (r >= 0 && n > 0 && total <= max);
	fsio_close(io, fd);
	return r < 0 ? r : total > max ? -EFBIG : buf_status(ret);
}

int owned_file_read(const char *path, size_t max, struct buf *ret)
{
	return owned_file_read_by(fsio_system(), path, max, ret);
}
