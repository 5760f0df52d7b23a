/* SPDX-License-Identifier: Apache-2.0 */
#include "archive_writer.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"

#define CHUNK 65536
#define NS_PER_S 1000000000u

struct archive_writer {
	struct archive *a;
	char path[PATH_MAX], temp[PATH_MAX];
	uint64_t utc_s;
	int fd;
};

static int fail(struct archive_writer *w, struct why *ret_why)
{
	const char *text = archive_error_string(w->a);

	return why_set(ret_why, -EIO, "%.150s: %.90s", w->path, text ? text : "cannot be written");
}

int archive_writer_open(const char *path, uint64_t utc_ns, struct archive_writer **ret,
			struct why *ret_why)
{
	struct archive_writer *w = calloc(1, sizeof(*w));
	int r = 0;

	if (!w)
		return why_set(ret_why, -ENOMEM, "no memory");
	w->fd = -1;
	w->utc_s = utc_ns / NS_PER_S;
	w->a = archive_write_new();
	if (!w->a || snprintf(w->path, sizeof(w->path), "%s", path) >= (int)sizeof(w->path) ||
	    snprintf(w->temp, sizeof(w->temp), "%s.XXXXXX", path) >= (int)sizeof(w->temp)) {
		r = why_set(ret_why, -ENAMETOOLONG, "%.200s: cannot be named", path);
	} else {
		/* What is in it is not for everybody: 0600, as mkstemp makes it. */
		w->fd = mkostemp(w->temp, O_CLOEXEC);
		if (w->fd < 0)
			r = why_set(ret_why, -errno, "%.200s: %s", path, strerror(errno));
	}
	if (r >= 0 && (archive_write_set_format_ustar(w->a) != ARCHIVE_OK ||
		       archive_write_add_filter_zstd(w->a) != ARCHIVE_OK ||
		       archive_write_open_fd(w->a, w->fd) != ARCHIVE_OK))
		r = fail(w, ret_why);
	if (r < 0) {
		archive_writer_abandon(w);
		return r;
	}
	*ret = w;
	return 0;
}

static int put_header(struct archive_writer *w, const char *name, uint64_t size,
		      struct why *ret_why)
{
	struct archive_entry *e = archive_entry_new();
	int r;

	if (!e)
		return why_set(ret_why, -ENOMEM, "no memory");
	archive_entry_set_pathname(e, name);
	archive_entry_set_filetype(e, AE_IFREG);
	archive_entry_set_perm(e, 0644);
	archive_entry_set_size(e, (la_int64_t)size);
	archive_entry_set_mtime(e, (time_t)w->utc_s, 0);
	r = archive_write_header(w->a, e) == ARCHIVE_OK ? 0 : fail(w, ret_why);
	archive_entry_free(e);
	return r;
}

static int put_data(struct archive_writer *w, const void *data, size_t size, struct why *ret_why)
{
	return archive_write_data(w->a, data, size) == (la_ssize_t)size ? 0 : fail(w, ret_why);
}

int archive_writer_bytes(struct archive_writer *w, const char *name, const void *data, size_t size,
			 struct why *ret_why)
{
	int r = put_header(w, name, size, ret_why);

	return r < 0 || size == 0 ? r : put_data(w, data, size, ret_why);
}

/* As many bytes as the header says: a file that changed meanwhile is an error. */
static int copy(struct archive_writer *w, int fd, uint64_t size, const char *path,
		struct why *ret_why)
{
	CLEANUP_FREE char *chunk = malloc(CHUNK);

	if (!chunk)
		return why_set(ret_why, -ENOMEM, "no memory");
	while (size > 0) {
		ssize_t n = read(fd, chunk, size < CHUNK ? (size_t)size : CHUNK);
		int r;

		if (n <= 0)
			return why_set(ret_why, -EIO, "%.200s: it became shorter", path);
		r = put_data(w, chunk, (size_t)n, ret_why);
		if (r < 0)
			return r;
		size -= (uint64_t)n;
	}
	return 0;
}

int archive_writer_file(struct archive_writer *w, const char *name, const char *path,
			struct why *ret_why)
{
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return why_set(ret_why, -errno, "%.200s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return why_set(ret_why, -EINVAL, "%.200s: it is no plain file", path);
	r = put_header(w, name, (uint64_t)st.st_size, ret_why);
	return r < 0 ? r : copy(w, fd, (uint64_t)st.st_size, path, ret_why);
}

int archive_writer_commit(struct archive_writer *w, struct why *ret_why)
{
	int r = archive_write_close(w->a) == ARCHIVE_OK ? 0 : fail(w, ret_why);

	if (r >= 0 && (fsync(w->fd) < 0 || rename(w->temp, w->path) < 0))
		r = why_set(ret_why, -errno, "%.200s: %s", w->path, strerror(errno));
	if (r >= 0)
		w->temp[0] = 0;
	archive_writer_abandon(w);
	return r;
}

void archive_writer_abandon(struct archive_writer *w)
{
	if (!w)
		return;
	if (w->a)
		archive_write_free(w->a);
	if (w->fd >= 0) {
		close(w->fd);
		if (w->temp[0])
			unlink(w->temp);
	}
	free(w);
}
