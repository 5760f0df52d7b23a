/* SPDX-License-Identifier: Apache-2.0 */
#include "claims_source.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "claims.h"
#include "cleanup.h"

int claims_source_path(const struct claims_source *s, enum claims_tree tree, const char *name,
		       char *ret, size_t size)
{
	const char *top = tree == CLAIMS_PROC  ? s->proc ? s->proc : "/proc"
			  : tree == CLAIMS_SYS ? s->sys ? s->sys : "/sys"
			  : s->root	       ? s->root
					       : "";

	return snprintf(ret, size, "%s/%s", top, name) < (int)size ? 0 : -ENAMETOOLONG;
}

int claims_source_read(const struct claims_source *s, enum claims_tree tree, const char *name,
		       size_t max, struct buf *ret)
{
	CLEANUP_CLOSE int fd = -1;
	char path[PATH_MAX];
	uint8_t chunk[8192];
	ssize_t n;
	int r = claims_source_path(s, tree, name, path, sizeof(path));

	if (r < 0)
		return r;
	/* O_NONBLOCK: nobody may put a pipe there and have us wait for ever. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	do {
		n = read(fd, chunk, sizeof(chunk));
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			buf_put(ret, chunk, (size_t)n);
	} while (n != 0 && ret->size <= max && buf_status(ret) == 0);
	if (ret->size > max)
		return -EFBIG;
	return buf_status(ret);
}

bool claims_source_has(const struct claims_source *s, enum claims_tree tree, const char *name)
{
	char path[PATH_MAX];

	/* What cannot be looked at may be there. */
	return claims_source_path(s, tree, name, path, sizeof(path)) == 0 &&
	       (access(path, F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR));
}

int claims_source_is_filled(const struct claims_source *s, enum claims_tree tree, const char *name)
{
	char path[PATH_MAX];
	struct dirent *e;
	int r = claims_source_path(s, tree, name, path, sizeof(path));
	DIR *d = r < 0 ? NULL : opendir(path);
	bool filled = false;

	if (r < 0)
		return r;
	if (!d)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	for (e = readdir(d); e && !filled; e = readdir(d))
		filled = strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
	closedir(d);
	return filled;
}

int claims_source_put(const struct claims_source *s, const char *key, int error,
		      const struct buf *text)
{
	CLEANUP(buf_done) struct buf value = {0};
	int r;

	if (error < 0)
		return claims_source_put_unknown(s, key, strerrorname_np(-error));
	r = claims_text_value(text->data ? (const char *)text->data : "", text->size, &value);
	if (r == 0)
		r = buf_status(&value);
	return r < 0 ? r : s->put(s->ctx, key, value.data ? (const char *)value.data : "");
}

int claims_source_put_text(const struct claims_source *s, const char *key, const char *text)
{
	return s->put(s->ctx, key, text);
}

int claims_source_put_unknown(const struct claims_source *s, const char *key, const char *why)
{
	CLEANUP(buf_done) struct buf value = {0};
	int r = claims_unknown(why ? why : "EIO", &value);

	return r < 0 ? r : s->put(s->ctx, key, (const char *)value.data);
}

int claims_source_put_file(const struct claims_source *s, const char *key, enum claims_tree tree,
			   const char *name)
{
	CLEANUP(buf_done) struct buf text = {0};
	int r = claims_source_read(s, tree, name, CLAIMS_SOURCE_TEXT_MAX, &text);

	return claims_source_put(s, key, r, &text);
}

int claims_source_sum(const int *results, size_t n)
{
	int told = 0, first = 0;

	for (size_t i = 0; i < n; i++) {
		if (results[i] < 0 && first == 0)
			first = results[i];
		told += results[i] > 0 ? results[i] : 0;
	}
	return first < 0 ? first : told;
}
