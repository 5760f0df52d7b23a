/* SPDX-License-Identifier: Apache-2.0 */
#include "baseline.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "clock.h"
#include "dsse.h"
#include "jsonl.h"
#include "plain.h"
#include "plumb/wire.h"

#define MAX_HEADER (256u * 1024)
#define MAX_LINE 65536u
#define MAX_TEXT 8192u /* bytes of a key or a value */
#define CHUNK (4 * MAX_LINE)

/* Entries lie one after another as "scope\0key\0expected\0"; at[] has their places in order of (scope, key). */
struct baseline {
	struct baseline_info info;
	struct buf arena;
	uint32_t *at;
	uint64_t n;
	char *scopes[BASELINE_MAX_SCOPES];
	uint32_t n_scopes;
	char *closed[BASELINE_MAX_CLOSED];
	uint32_t n_closed;
};

struct reading {
	struct baseline *b;
	const struct sign_key *const *keys;
	uint32_t n_keys;
	struct digest_stream *all, *body;
	struct digest expected;
	uint64_t line;
	char *text; /* room for one line that is read in place */
	struct why *why;
};

static int read_texts(const json_t *o, const char *key, size_t max, char **ret, uint32_t *ret_n,
		      struct why *ret_why)
{
	json_t *list, *item;
	size_t i;
	int r = jsonl_get_array(o, key, max, &list, ret_why);

	if (r < 0)
		return r;
	json_array_foreach (list, i, item) {
		if (!json_is_string(item))
			return why_set(ret_why, -EBADMSG, "\"%s\" has an item that is no text",
				       key);
		ret[i] = strdup(json_string_value(item));
		if (!ret[i])
			return -ENOMEM;
		*ret_n = (uint32_t)i + 1;
	}
	return 0;
}

static int read_header(struct reading *g, const void *payload, size_t size)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	struct baseline *b = g->b;
	const char *name, *created;
	uint64_t v;
	int r = jsonl_parse(payload, size, MAX_HEADER, &o, g->why);

	if (r < 0)
		return r;
	if (jsonl_get_uint(o, "v", 1, &v, g->why) < 0 ||
	    jsonl_get_str(o, "name", sizeof(b->info.name) - 1, &name, g->why) < 0 ||
	    jsonl_get_uint(o, "version", INT64_MAX, &b->info.version, g->why) < 0 ||
	    jsonl_get_str(o, "created", CLOCK_TEXT_SIZE, &created, g->why) < 0 ||
	    jsonl_get_uint(o, "count", BASELINE_MAX_ENTRIES, &b->info.count, g->why) < 0 ||
	    jsonl_get_hex(o, "sha256", g->expected.bytes, DIGEST_SIZE, g->why) < 0)
		return -EBADMSG;
	if (clock_from_text(created, &b->info.created_ns) < 0)
		return why_set(g->why, -EBADMSG, "\"created\" is no UTC time");
	snprintf(b->info.name, sizeof(b->info.name), "%s", name);
	r = read_texts(o, "scopes", BASELINE_MAX_SCOPES, b->scopes, &b->n_scopes, g->why);
	if (r >= 0)
		r = read_texts(o, "closed", BASELINE_MAX_CLOSED, b->closed, &b->n_closed, g->why);
	if (r < 0)
		return r;
	b->at = calloc(b->info.count ? b->info.count : 1, sizeof(*b->at));
	return b->at ? 0 : -ENOMEM;
}

static int read_envelope(struct reading *g, const char *line, size_t size)
{
	CLEANUP(buf_done) struct buf payload = {0}, type = {0};
	struct digest id;
	uint32_t key;
	int r;

	if (g->n_keys == 0) {
		r = dsse_peek(line, size, MAX_HEADER, &payload, &type, g->why);
		if (r >= 0 && strcmp((char *)type.data, WIRE_DSSE_BASELINE) != 0)
			r = why_set(g->why, -EBADMSG,
				    "is signed as something else than a baseline");
	} else {
		r = dsse_open(line, size, MAX_HEADER, WIRE_DSSE_BASELINE, g->keys, g->n_keys,
			      &payload, &key, g->why);
		if (r >= 0)
			r = sign_key_id(g->keys[key], &id);
		if (r >= 0)
			digest_hex(&id, g->b->info.signer);
	}
	return r < 0 ? r : read_header(g, payload.data, payload.size);
}

static const char *entry_scope(const struct baseline *b, uint64_t i)
{
	return (const char *)b->arena.data + b->at[i];
}

static const char *next_text(const char *text)
{
	return text + strlen(text) + 1;
}

static int compare_entry(const struct baseline *b, uint64_t i, const char *scope, const char *key)
{
	const char *s = entry_scope(b, i);
	int c = strcmp(s, scope);

	return c ? c : strcmp(next_text(s), key);
}

/* Nearly all entries, and the tree of one costs ten times the rest of it. */
static bool scan_entry(struct reading *g, const char *line, size_t size, const char **s,
		       const char **k, const char **x)
{
	struct plain p = {.at = g->text};

	if (size > MAX_LINE || !plain_copy(g->text, line, size))
		return false;
	PLAIN_EXPECT(&p, "{\"s\":\"");
	*s = plain_text(&p, 256);
	PLAIN_EXPECT(&p, ",\"k\":\"");
	*k = plain_text(&p, MAX_TEXT);
	PLAIN_EXPECT(&p, ",\"x\":\"");
	*x = plain_text(&p, MAX_TEXT);
	PLAIN_EXPECT(&p, "}");
	return !p.failed && p.at == g->text + size;
}

static int read_entry(struct reading *g, const char *line, size_t size)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	struct baseline *b = g->b;
	const char *s, *k, *x;

	if (!scan_entry(g, line, size, &s, &k, &x)) {
		int r = jsonl_parse(line, size, MAX_LINE, &o, g->why);

		if (r < 0)
			return r;
		if (jsonl_get_str(o, "s", 256, &s, g->why) < 0 ||
		    jsonl_get_path(o, "k", MAX_TEXT, &k, g->why) < 0 ||
		    jsonl_get_path(o, "x", MAX_TEXT, &x, g->why) < 0)
			return -EBADMSG;
	}
	if (b->n >= b->info.count)
		return why_set(g->why, -EBADMSG, "more entries than the header's %" PRIu64,
			       b->info.count);
	if (b->n > 0 && compare_entry(b, b->n - 1, s, k) >= 0)
		return why_set(g->why, -EBADMSG, "entry is not after the one before it");
	if (b->arena.size > UINT32_MAX - 40000)
		return why_set(g->why, -E2BIG, "more than 4 GiB of entries");
	b->at[b->n++] = (uint32_t)b->arena.size;
	buf_put(&b->arena, s, strlen(s) + 1);
	buf_put(&b->arena, k, strlen(k) + 1);
	buf_put(&b->arena, x, strlen(x) + 1);
	return buf_status(&b->arena);
}

/* line with its LF at line[size]. */
static int take_line(struct reading *g, const char *line, size_t size)
{
	int r = digest_stream_add(g->all, line, size + 1);

	g->line++;
	if (r < 0)
		return r;
	if (g->line == 1)
		return read_envelope(g, line, size);
	r = digest_stream_add(g->body, line, size + 1);
	return r < 0 ? r : read_entry(g, line, size);
}

static int read_lines(const struct fsio *io, int fd, struct reading *g)
{
	CLEANUP_FREE char *data = malloc(CHUNK), *text = malloc(MAX_LINE + 1 + PLAIN_BEYOND);
	size_t held = 0, n = 1;
	uint64_t at = 0;
	int r = data && text ? 0 : -ENOMEM;

	g->text = text;
	while (r >= 0) {
		size_t from = 0;
		char *end;

		r = fsio_read_full(io, fd, data + held, CHUNK - held, at, &n);
		if (r < 0 || n == 0)
			break;
		at += n;
		held += n;
		while (r >= 0 && (end = memchr(data + from, '\n', held - from)) != NULL) {
			r = take_line(g, data + from, (size_t)(end - data) - from);
			from = (size_t)(end - data) + 1;
		}
		memmove(data, data + from, held - from);
		held -= from;
		if (r >= 0 && held == CHUNK)
			r = why_set(g->why, -EBADMSG, "a line has more than %u bytes", CHUNK);
	}
	if (r >= 0 && held > 0)
		r = why_set(g->why, -EBADMSG, "the last line has no end");
	return r;
}

static int finish(struct reading *g, uint64_t min_version)
{
	struct baseline *b = g->b;
	struct digest body;
	int r;

	if (g->line == 0)
		return why_set(g->why, -EBADMSG, "is empty");
	r = digest_stream_end(g->body, &body);
	if (r >= 0)
		r = digest_stream_end(g->all, &b->info.document);
	if (r < 0)
		return r;
	if (b->n != b->info.count)
		return why_set(g->why, -EBADMSG,
			       "has %" PRIu64 " entries, its header says %" PRIu64, b->n,
			       b->info.count);
	if (!digest_equal(&body, &g->expected))
		return why_set(g->why, -EBADMSG,
			       "entries are not those that the header's SHA-256 names");
	if (b->info.version < min_version)
		return why_set(g->why, -ESTALE,
			       "is version %" PRIu64 ", version %" PRIu64
			       " was in force; sign a newer one",
			       b->info.version, min_version);
	return 0;
}

int baseline_open(const struct fsio *io, const char *path, const struct sign_key *const *keys,
		  uint32_t n_keys, uint64_t min_version, struct baseline **ret, struct why *ret_why)
{
	struct why why = {""};
	struct reading g = {
		.b = calloc(1, sizeof(*g.b)), .keys = keys, .n_keys = n_keys, .why = &why};
	int fd = fsio_open(io, path, O_RDONLY, 0), r = fd;

	if (fd < 0)
		why_set(&why, fd, "%s", strerror(-fd));
	else if (keys && n_keys == 0)
		r = why_set(&why, -EKEYREJECTED, "there is no key to check it by");
	else
		r = g.b ? digest_stream_open(&g.all) : -ENOMEM;
	if (r >= 0)
		r = digest_stream_open(&g.body);
	if (r >= 0)
		r = read_lines(io, fd, &g);
	if (r >= 0)
		r = finish(&g, min_version);
	if (fd >= 0)
		fsio_close(io, fd);
	digest_stream_free(g.all);
	digest_stream_free(g.body);
	if (r < 0) {
		baseline_free(g.b);
		if (g.line > 0)
			return why_set(ret_why, r, "%.120s: line %" PRIu64 ": %.100s", path, g.line,
				       why.text[0] ? why.text : strerror(-r));
		return why_set(ret_why, r, "%.120s: %.100s", path,
			       why.text[0] ? why.text : strerror(-r));
	}
	*ret = g.b;
	return 0;
}

struct baseline *baseline_free(struct baseline *b)
{
	if (!b)
		return NULL;
	buf_done(&b->arena);
	free(b->at);
	for (uint32_t i = 0; i < b->n_scopes; i++)
		free(b->scopes[i]);
	for (uint32_t i = 0; i < b->n_closed; i++)
		free(b->closed[i]);
	free(b);
	return NULL;
}

const struct baseline_info *baseline_info(const struct baseline *b)
{
	return &b->info;
}

bool baseline_has_scope(const struct baseline *b, const char *scope)
{
	for (uint32_t i = 0; i < b->n_scopes; i++)
		if (strcmp(b->scopes[i], scope) == 0)
			return true;
	return false;
}

const char *baseline_scope(const struct baseline *b, uint32_t i)
{
	return i < b->n_scopes ? b->scopes[i] : NULL;
}

const char *baseline_closed(const struct baseline *b, uint32_t i)
{
	return i < b->n_closed ? b->closed[i] : NULL;
}

bool baseline_is_closed(const struct baseline *b, const char *key)
{
	for (uint32_t i = 0; i < b->n_closed; i++)
		if (strncmp(b->closed[i], key, strlen(b->closed[i])) == 0)
			return true;
	return false;
}

const char *baseline_expected(const struct baseline *b, const char *scope, const char *key)
{
	uint64_t low = 0, high = b->n;

	while (low < high) {
		uint64_t mid = low + (high - low) / 2;
		int c = compare_entry(b, mid, scope, key);

		if (c == 0)
			return next_text(next_text(entry_scope(b, mid)));
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

int baseline_each(const struct baseline *b,
		  int (*fn)(void *ctx, const char *scope, const char *key, const char *expected),
		  void *ctx)
{
	for (uint64_t i = 0; i < b->n; i++) {
		const char *s = entry_scope(b, i), *k = next_text(s);
		int r = fn(ctx, s, k, next_text(k));

		if (r != 0)
			return r;
	}
	return 0;
}
