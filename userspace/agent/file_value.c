/* SPDX-License-Identifier: Apache-2.0 */
#include "file_value.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "claims.h"
#include "claims_attrs.h"
#include "cleanup.h"

static int absent(const struct file_value_how *how, const char *path, struct file_value *ret)
{
	int r = claims_absent(&ret->value);

	return r >= 0 && how->texts ? file_texts_gone(how->texts, path, &ret->diff) : r;
}

static int link_value(const char *path, const struct stat *st, struct buf *ret)
{
	char target[PATH_MAX];
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	if (n < 0)
		return claims_unreadable(errno, ret);
	target[n] = '\0';
	return claims_file_value(st, NULL, target, ret);
}

static int attributes(int fd, const char *path, struct buf *ret)
{
	CLEANUP(buf_done) struct buf text = {0};
	int r = claims_attrs(fd, path, &text);

	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return claims_unreadable(-r, ret);
	return text.size > 0 ? claims_text_value((const char *)text.data, text.size, ret)
			     : claims_absent(ret);
}

static int lines(const struct file_value_how *how, const char *path, int fd, const struct stat *st,
		 const struct digest *digest, struct buf *ret)
{
	if (!how->texts)
		return 0;
	if (file_texts_wants(how->texts, path, st))
		return file_texts_take(how->texts, path, fd, digest, how->was_absent, ret);
	file_texts_forget(how->texts, path);
	return 0;
}

/* The text that is kept is no longer the one before. */
static int unreadable(const struct file_value_how *how, const char *path, int error,
		      struct buf *ret)
{
	if (how->texts)
		file_texts_forget(how->texts, path);
	return claims_unreadable(error, ret);
}

static int regular(const struct file_value_how *how, const char *path, struct file_value *ret)
{
	/* O_NONBLOCK: should it become a pipe in between, the loop must not hang on it. */
	CLEANUP_CLOSE int fd =
		open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct digest digest;
	struct stat st;
	int r;

	if (fd < 0 && errno == ENOENT)
		return absent(how, path, ret);
	if (fd < 0)
		return unreadable(how, path, errno, &ret->value);
	r = how->anew ? hash_cache_fd_anew(how->hash_cache, fd, &digest, &st)
		      : hash_cache_fd(how->hash_cache, fd, &digest, &st);
	if (r == -ESTALE) /* it is being written: once more, then say that it could not be read */
		r = hash_cache_fd(how->hash_cache, fd, &digest, &st);
	if (r < 0)
		return unreadable(how, path, -r, &ret->value);
	r = attributes(fd, path, &ret->attrs);
	if (r >= 0)
		r = lines(how, path, fd, &st, &digest, &ret->diff);
	return r < 0 ? r : claims_file_value(&st, &digest, NULL, &ret->value);
}

static int measure(const struct file_value_how *how, const char *path, struct file_value *ret)
{
	struct stat st;
	int r;

	if (lstat(path, &st) < 0)
		return errno == ENOENT || errno == ENOTDIR ? absent(how, path, ret)
							   : claims_unreadable(errno, &ret->value);
	if (S_ISREG(st.st_mode))
		return regular(how, path, ret);
	r = attributes(-1, path, &ret->attrs);
	if (r < 0)
		return r;
	return S_ISLNK(st.st_mode) ? link_value(path, &st, &ret->value)
				   : claims_file_value(&st, NULL, NULL, &ret->value);
}

int file_value_measure(const struct file_value_how *how, const char *path, struct file_value *ret)
{
	int r = measure(how, path, ret);

	if (r >= 0 && ret->attrs.size == 0)
		r = claims_absent(&ret->attrs);
	if (r >= 0)
		r = buf_status(&ret->value);
	if (r >= 0)
		r = buf_status(&ret->attrs);
	return r < 0 ? r : buf_status(&ret->diff);
}

void file_value_done(struct file_value *v)
{
	buf_done(&v->value);
	buf_done(&v->attrs);
	buf_done(&v->diff);
}
