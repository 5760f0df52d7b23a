/* SPDX-License-Identifier: Apache-2.0 */
#include "capture.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "claims.h"
#include "cleanup.h"
#include "clock.h"
#include "dsse.h"
#include "jsonl.h"
#include "plumb/wire.h"

#define MAX_DOCUMENT (512u * 1024 * 1024)

/* Entries as "key\0value\0" one after another; at[] has their places. */
struct entries {
	struct buf arena;
	uint32_t *at;
	uint64_t n, room;
	const struct capture_options *o;
	struct why *why;
};

static int add(struct entries *e, const char *key, const char *value)
{
	if (e->n == e->room) {
		uint64_t room = e->room ? 2 * e->room : 1024;
		uint32_t *at =
			room > CAPTURE_MAX_ENTRIES ? NULL : realloc(e->at, room * sizeof(*at));

		if (!at)
			return why_set(e->why, -E2BIG, "more than %u entries", CAPTURE_MAX_ENTRIES);
		e->at = at;
		e->room = room;
	}
	e->at[e->n++] = (uint32_t)e->arena.size;
	buf_put(&e->arena, key, strlen(key) + 1);
	buf_put(&e->arena, value, strlen(value) + 1);
	if (e->o->progress && e->n % 256 == 0)
		e->o->progress(e->o->ctx, e->n);
	return buf_status(&e->arena);
}

static int hash_path(const char *path, struct digest *ret, struct stat *ret_st)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), r;

	if (fd < 0)
		return -errno;
	r = fstat(fd, ret_st) < 0 ? -errno : digest_fd(fd, 0, ret, NULL);
	close(fd);
	return r;
}

static int add_exec(struct entries *e, const FTSENT *f)
{
	char hex[DIGEST_HEX_SIZE], key[96];
	struct digest d;
	struct stat st;
	int r;

	if (!S_ISREG(f->fts_statp->st_mode) || !(f->fts_statp->st_mode & 0111))
		return 0;
	r = hash_path(f->fts_path, &d, &st);
	if (r < 0)
		return why_set(e->why, r, "%.200s: %s", f->fts_path, strerror(-r));
	digest_hex(&d, hex);
	snprintf(key, sizeof(key), "exec:sha256:%s", hex);
	return add(e, key, f->fts_path);
}

static int add_file(struct entries *e, const FTSENT *f)
{
	CLEANUP(buf_done) struct buf key = {0}, value = {0};
	char target[PATH_MAX];
	struct stat st = *f->fts_statp;
	struct digest d;
	ssize_t n;
	int r = 0;

	if (S_ISREG(st.st_mode))
		r = hash_path(f->fts_path, &d, &st);
	if (r < 0)
		return why_set(e->why, r, "%.200s: %s", f->fts_path, strerror(-r));
	n = S_ISLNK(st.st_mode) ? readlink(f->fts_path, target, sizeof(target) - 1) : 0;
	target[n > 0 ? n : 0] = 0;
	claims_file_value(&st, S_ISREG(st.st_mode) ? &d : NULL, target, &value);
	buf_printf(&key, "file:%s", f->fts_path);
	if (buf_status(&key) < 0 || buf_status(&value) < 0)
		return -ENOMEM;
	return add(e, (char *)key.data, (char *)value.data);
}

static int walk(struct entries *e, const char *root,
		int (*take)(struct entries *e, const FTSENT *f))
{
	char *const roots[] = {(char *)root, NULL};
	FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV | FTS_COMFOLLOW, NULL);
	int r = fts ? 0 : -errno;

	for (FTSENT *f = fts ? fts_read(fts) : NULL; f && r >= 0; f = fts_read(fts)) {
		if (f->fts_info == FTS_ERR || f->fts_info == FTS_DNR || f->fts_info == FTS_NS)
			r = why_set(e->why, -f->fts_errno, "%.200s: %s", f->fts_path,
				    strerror(f->fts_errno));
		else if (f->fts_info != FTS_DP)
			r = take(e, f);
	}
	if (fts)
		fts_close(fts);
	return r;
}

static int compare(const void *a, const void *b, void *arena)
{
	const char *base = arena;

	return strcmp(base + *(const uint32_t *)a, base + *(const uint32_t *)b);
}

static int write_entries(struct entries *e, struct buf *body, uint64_t *ret_count)
{
	const char *base = (const char *)e->arena.data, *before = NULL;

	qsort_r(e->at, e->n, sizeof(*e->at), compare, e->arena.data);
	*ret_count = 0;
	for (uint64_t i = 0; i < e->n; i++) {
		const char *key = base + e->at[i];
		struct jsonl j;

		/* The same content under two names is one digest. */
		if (before && strcmp(before, key) == 0)
			continue;
		before = key;
		jsonl_begin(&j, body);
		jsonl_str(&j, "s", "host");
		jsonl_str(&j, "k", key);
		jsonl_str(&j, "x", key + strlen(key) + 1);
		jsonl_end(&j);
		buf_puts(body, "\n");
		(*ret_count)++;
	}
	return buf_status(body);
}

static int write_header(const struct capture_options *o, const struct buf *body, uint64_t count,
			struct buf *ret)
{
	char now[CLOCK_TEXT_SIZE];
	struct digest d;
	struct jsonl j;
	int r = digest_sha256(body->data, body->size, &d);

	if (r < 0)
		return r;
	clock_text(clock_utc_ns(clock_system()), now);
	jsonl_begin(&j, ret);
	jsonl_uint(&j, "v", 1);
	jsonl_str(&j, "name", o->name);
	jsonl_uint(&j, "version", o->version);
	jsonl_str(&j, "created", now);
	jsonl_uint(&j, "count", count);
	jsonl_hex(&j, "sha256", d.bytes, DIGEST_SIZE);
	jsonl_array(&j, "scopes");
	jsonl_str(&j, NULL, "host");
	jsonl_close(&j);
	jsonl_array(&j, "closed");
	if (o->n_exec)
		jsonl_str(&j, NULL, "exec:");
	for (uint32_t i = 0; i < o->n_files; i++) {
		CLEANUP(buf_done) struct buf prefix = {0};

		buf_printf(&prefix, "file:%s/", o->files[i]);
		jsonl_str(&j, NULL, (char *)prefix.data);
	}
	jsonl_close(&j);
	jsonl_end(&j);
	return buf_status(ret);
}

/* A DSSE envelope that nobody has signed yet. */
static int write_unsigned(const struct buf *header, struct buf *ret)
{
	struct jsonl j;

	jsonl_begin(&j, ret);
	jsonl_base64(&j, "payload", header->data, header->size);
	jsonl_str(&j, "payloadType", WIRE_DSSE_BASELINE);
	jsonl_array(&j, "signatures");
	jsonl_close(&j);
	jsonl_end(&j);
	return buf_status(ret);
}

int capture_make(const struct capture_options *o, struct buf *ret, uint64_t *ret_count,
		 struct why *ret_why)
{
	CLEANUP(buf_done) struct buf body = {.max = MAX_DOCUMENT}, header = {0};
	struct entries e = {.o = o, .why = ret_why};
	int r = 0;

	for (uint32_t i = 0; i < o->n_exec && r >= 0; i++)
		r = walk(&e, o->exec[i], add_exec);
	for (uint32_t i = 0; i < o->n_files && r >= 0; i++)
		r = walk(&e, o->files[i], add_file);
	if (r >= 0 && e.n > 0)
		r = write_entries(&e, &body, ret_count);
	if (r >= 0 && e.n == 0)
		r = why_set(ret_why, -ENOENT, "nothing was found to capture");
	if (r >= 0)
		r = write_header(o, &body, *ret_count, &header);
	if (r >= 0)
		r = write_unsigned(&header, ret);
	if (r >= 0) {
		if (ret->data[ret->size - 1] != '\n')
			buf_puts(ret, "\n");
		buf_put(ret, body.data, body.size);
		r = buf_status(ret);
	}
	buf_done(&e.arena);
	free(e.at);
	return r;
}

int capture_sign(const void *document, size_t size, const char *key_pem, size_t key_size,
		 struct buf *ret, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf header = {0}, type = {0};
	const char *end = memchr(document, '\n', size);
	struct sign_key *key = NULL;
	int r;

	if (!end)
		return why_set(ret_why, -EBADMSG, "has no header line");
	r = dsse_peek(document, (size_t)(end - (const char *)document), 256 * 1024, &header, &type,
		      ret_why);
	if (r >= 0)
		r = sign_key_from_pem(key_pem, key_size, &key, ret_why);
	if (r >= 0 && !sign_key_is_private(key))
		r = why_set(ret_why, -EKEYREJECTED, "the key has no private part");
	if (r >= 0)
		r = dsse_sign(WIRE_DSSE_BASELINE, header.data, header.size,
			      (const struct sign_key *const *)&key, 1, ret);
	sign_key_free(key);
	if (r < 0)
		return r;
	if (ret->data[ret->size - 1] != '\n')
		buf_puts(ret, "\n");
	buf_put(ret, end + 1, size - (size_t)(end + 1 - (const char *)document));
	return buf_status(ret);
}
