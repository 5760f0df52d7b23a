/* SPDX-License-Identifier: Apache-2.0 */
#include "archive_reader.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK 65536

struct archive_reader {
	struct archive *a;
	struct archive_reader *outer; /* NULL: a file */
	struct digest_stream *digest;
	struct why inner; /* of the outer one, when it failed: libarchive tells only that */
	uint64_t total, file;
	uint8_t chunk[CHUNK];
};

static int fail(struct archive_reader *r, struct why *ret_why)
{
	const char *text = archive_error_string(r->a);

	if (r->inner.text[0])
		return why_set(ret_why, -EBADMSG, "%s", r->inner.text);
	return why_set(ret_why, -EBADMSG, "archive: %.200s", text ? text : "cannot be read");
}

/* Only what is built into the library: "all" would run programs. */
static int prepare(struct archive_reader *r, enum archive_reader_kind kind)
{
	r->a = archive_read_new();
	if (!r->a)
		return -ENOMEM;
	if (archive_read_support_filter_gzip(r->a) != ARCHIVE_OK ||
	    archive_read_support_filter_zstd(r->a) != ARCHIVE_OK ||
	    archive_read_support_format_empty(r->a) != ARCHIVE_OK)
		return -ENOTSUP;
	return (kind == ARCHIVE_READER_TAR ? archive_read_support_format_tar(r->a)
					   : archive_read_support_format_raw(r->a)) == ARCHIVE_OK
		       ? 0
		       : -ENOTSUP;
}

static int open_new(enum archive_reader_kind kind, struct archive_reader **ret, struct why *ret_why)
{
	struct archive_reader *r = calloc(1, sizeof(*r));
	int error;

	if (!r)
		return -ENOMEM;
	error = prepare(r, kind);
	if (error < 0) {
		archive_reader_free(r);
		return why_set(ret_why, error, "libarchive cannot read tar, gzip and zstd");
	}
	*ret = r;
	return 0;
}

int archive_reader_open(int fd, enum archive_reader_kind kind, struct archive_reader **ret,
			struct why *ret_why)
{
	struct archive_reader *r = NULL;
	int error = open_new(kind, &r, ret_why);

	if (error >= 0 && archive_read_open_fd(r->a, fd, CHUNK) != ARCHIVE_OK)
		error = fail(r, ret_why);
	if (error < 0)
		archive_reader_free(r);
	else
		*ret = r;
	return error;
}

static la_ssize_t read_outer(struct archive *a, void *ctx, const void **ret)
{
	struct archive_reader *r = ctx;
	size_t n = 0;
	int error = archive_reader_read(r->outer, r->chunk, sizeof(r->chunk), &n, &r->inner);

	if (error >= 0 && r->digest)
		error = digest_stream_add(r->digest, r->chunk, n);
	if (error < 0) {
		archive_set_error(a, -error, "%s", "the archive around it cannot be read");
		return -1;
	}
	*ret = r->chunk;
	return (la_ssize_t)n;
}

int archive_reader_open_in(struct archive_reader *outer, enum archive_reader_kind kind,
			   struct digest_stream *digest, struct archive_reader **ret,
			   struct why *ret_why)
{
	struct archive_reader *r = NULL;
	int error = open_new(kind, &r, ret_why);

	if (error < 0)
		return error;
	r->outer = outer;
	r->digest = digest;
	if (archive_read_open(r->a, r, NULL, read_outer, NULL) != ARCHIVE_OK) {
		error = fail(r, ret_why);
		archive_reader_free(r);
		return error;
	}
	*ret = r;
	return 0;
}

struct archive_reader *archive_reader_free(struct archive_reader *r)
{
	if (!r)
		return NULL;
	if (r->a)
		archive_read_free(r->a);
	free(r);
	return NULL;
}

/* A name that is not UTF-8 comes as the bytes that stand there, with a warning; one that has none at all is refused. */
static int describe(struct archive_entry *e, struct archive_reader_entry *ret, struct why *ret_why)
{
	const char *path = archive_entry_pathname(e);

	*ret = (struct archive_reader_entry){
		.path = path ? path : archive_entry_pathname_utf8(e),
		.mode = archive_entry_mode(e),
		.uid = (uint32_t)archive_entry_uid(e),
		.gid = (uint32_t)archive_entry_gid(e),
		.size = archive_entry_size_is_set(e) ? (uint64_t)archive_entry_size(e) : 0,
		.hard_link = archive_entry_hardlink(e),
	};
	if (!ret->hard_link)
		ret->hard_link = archive_entry_hardlink_utf8(e);
	if (!ret->path || !*ret->path)
		return why_set(ret_why, -EBADMSG, "archive: an entry without a name");
	if (archive_entry_size(e) < 0 || ret->size > ARCHIVE_READER_MAX_FILE)
		return why_set(ret_why, -EFBIG, "%.200s: says it has %lld bytes", ret->path,
			       (long long)archive_entry_size(e));
	if (ret->hard_link)
		ret->mode = 0;
	else if (S_ISLNK(ret->mode)) {
		ret->target = archive_entry_symlink(e);
		if (!ret->target)
			ret->target = archive_entry_symlink_utf8(e);
		if (!ret->target)
			return why_set(ret_why, -EBADMSG, "%.200s: a link without a target",
				       ret->path);
	}
	return 1;
}

int archive_reader_next(struct archive_reader *r, struct archive_reader_entry *ret,
			struct why *ret_why)
{
	struct archive_entry *e;
	int got = archive_read_next_header(r->a, &e);

	if (got == ARCHIVE_EOF)
		return 0;
	if (got != ARCHIVE_OK && got != ARCHIVE_WARN)
		return fail(r, ret_why);
	r->file = 0;
	return describe(e, ret, ret_why);
}

int archive_reader_read(struct archive_reader *r, void *data, size_t size, size_t *ret_size,
			struct why *ret_why)
{
	la_ssize_t n = archive_read_data(r->a, data, size);

	if (n < 0)
		return fail(r, ret_why);
	r->total += (uint64_t)n;
	r->file += (uint64_t)n;
	if (r->file > ARCHIVE_READER_MAX_FILE || r->total > ARCHIVE_READER_MAX_TOTAL)
		return why_set(ret_why, -EFBIG, "archive: has more than %llu bytes in %s",
			       r->file > ARCHIVE_READER_MAX_FILE ? ARCHIVE_READER_MAX_FILE
								 : ARCHIVE_READER_MAX_TOTAL,
			       r->file > ARCHIVE_READER_MAX_FILE ? "one file" : "all");
	*ret_size = (size_t)n;
	return 0;
}

int archive_reader_rest(struct archive_reader *r, struct why *ret_why)
{
	const void *data;
	la_ssize_t n;

	do
		n = read_outer(r->a, r, &data);
	while (n > 0);
	return n < 0 ? fail(r, ret_why) : 0;
}
