/* SPDX-License-Identifier: Apache-2.0 */
#include "kubelet_keys.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint.h"
#include "cleanup.h"
#include "jsonl.h"
#include "kubelet_proof.h"
#include "line.h"
#include "log.h"
#include "node_origin.h"

#define BLOB \
	"kubelet_keys" /* by node: "INCARNATION LINE KEY USED", a line each, oldest first; USED: "-", or missing, not */
/* Of one evidence, the last ones: each costs a signature's check on the loop, and a node's root writes as many as it likes. */
#define LINES_MAX (2 * KUBELET_KEYS_MAX)

struct shown {
	uint64_t incarnation, seq;
	struct digest key;
	char used[KUBELET_KEYS_USE_SIZE]; /* by which request; "": by none */
};

struct all {
	struct shown keys[KUBELET_KEYS_MAX];
	uint32_t n;
};

static int read_one(char *text, struct shown *ret)
{
	char hex[DIGEST_HEX_SIZE];

	ret->used[0] = 0;
	if (sscanf(text, "%" SCNu64 " %" SCNu64 " %64s %63s", &ret->incarnation, &ret->seq, hex,
		   ret->used) < 3)
		return -EIO;
	if (strcmp(ret->used, "-") == 0)
		ret->used[0] = 0;
	return digest_from_hex(hex, &ret->key) < 0 ? -EIO : 0;
}

static int read_all(char *text, struct all *ret)
{
	char *rest = NULL;
	int r = 0;

	ret->n = 0;
	for (char *line = strtok_r(text, "\n", &rest); r >= 0 && line && ret->n < KUBELET_KEYS_MAX;
	     line = strtok_r(NULL, "\n", &rest))
		r = read_one(line, &ret->keys[ret->n++]);
	return r;
}

static int load(const struct verifier *v, const char *id, struct all *ret)
{
	CLEANUP(buf_done) struct buf b = {0};
	int r = v->store->ops->blob_get(v->store->ctx, BLOB, id, &b);

	ret->n = 0;
	if (r == -ENOENT || (r >= 0 && b.size == 0))
		return 0;
	return r < 0 ? r : read_all((char *)b.data, ret);
}

static int save(const struct verifier *v, const char *id, const struct all *a)
{
	CLEANUP(buf_done) struct buf b = {0};
	char hex[DIGEST_HEX_SIZE];

	for (uint32_t i = 0; i < a->n; i++) {
		digest_hex(&a->keys[i].key, hex);
		buf_printf(&b, "%" PRIu64 " %" PRIu64 " %s %s\n", a->keys[i].incarnation,
			   a->keys[i].seq, hex, a->keys[i].used[0] ? a->keys[i].used : "-");
	}
	return buf_status(&b) < 0
		       ? buf_status(&b)
		       : v->store->ops->blob_put(v->store->ctx, BLOB, id, b.data, b.size);
}

static struct shown *find(struct all *a, uint64_t incarnation, const struct digest *key)
{
	for (uint32_t i = 0; i < a->n; i++)
		if (a->keys[i].incarnation == incarnation && digest_equal(&a->keys[i].key, key))
			return &a->keys[i];
	return NULL;
}

/* Another incarnation's say nothing any more. One that is shown again is as used as it was. */
static void add(struct all *a, struct shown *s)
{
	const struct shown *before = find(a, s->incarnation, &s->key);
	uint32_t n = 0;

	if (before)
		memcpy(s->used, before->used, sizeof(s->used));
	for (uint32_t i = 0; i < a->n; i++)
		if (a->keys[i].incarnation == s->incarnation &&
		    !digest_equal(&a->keys[i].key, &s->key))
			a->keys[n++] = a->keys[i];
	if (n == KUBELET_KEYS_MAX) {
		memmove(a->keys, a->keys + 1, (n - 1) * sizeof(a->keys[0]));
		n--;
	}
	a->keys[n] = *s;
	a->n = n + 1;
}

/* 1: *ret is a key that it shows. */
static int read_line(const struct verifier *v, const struct store_node *row, struct buf_view text,
		     struct shown *ret)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	struct shown s = {.incarnation = row->incarnation};
	char origin[CHECKPOINT_MAX_ORIGIN];
	struct why why = {""};
	struct line l;
	int r = line_parse(text.data, text.size, &o, &l, &why);

	if (r < 0 || l.type != PLUMB_TYPE_KUBELET_KEY)
		return 0; /* the words stood in another line's text */
	r = node_origin_of(v->log_name, row, origin);
	if (r < 0)
		return r == -EBADMSG ? -EIO : r;
	s.seq = l.seq;
	r = kubelet_proof_check(o, origin, &s.key, &why);
	if (r == -EBADMSG) {
		log_warning("node=%s label=%s kubelet_key=refused line=%" PRIu64 " error=\"%s\"",
			    row->id, row->label, l.seq, why.text);
		return 0;
	}
	if (r < 0)
		return r;
	*ret = s;
	return 1;
}

struct found {
	struct buf_view lines[LINES_MAX]; /* a ring */
	uint64_t n;
};

static void find_lines(struct buf_view lines, struct found *ret)
{
	static const char sign[] = "\"type\":\"kubelet_key\"";
	const uint8_t *at = lines.data, *end = at + lines.size, *found;

	ret->n = 0;
	while (at < end && (found = memmem(at, (size_t)(end - at), sign, sizeof(sign) - 1))) {
		const uint8_t *from = memrchr(at, '\n', (size_t)(found - at));
		const uint8_t *to = memchr(found, '\n', (size_t)(end - found));

		from = from ? from + 1 : at;
		to = to ? to : end;
		ret->lines[ret->n++ % LINES_MAX] = (struct buf_view){from, (size_t)(to - from)};
		at = to + (to < end);
	}
}

int kubelet_keys_take(const struct verifier *v, const struct store_node *row, struct buf_view lines)
{
	struct found found;
	struct shown s;
	struct all a;
	uint64_t first;
	int r, shown = 0;

	find_lines(lines, &found);
	if (found.n == 0)
		return 0;
	first = found.n > LINES_MAX ? found.n - LINES_MAX : 0;
	if (first > 0)
		log_warning("node=%s label=%s kubelet_key=passed_over lines=%" PRIu64
			    " next=\"the last %u lines count\"",
			    row->id, row->label, first, LINES_MAX);
	r = load(v, row->id, &a);
	for (uint64_t i = first; r >= 0 && i < found.n; i++) {
		r = read_line(v, row, found.lines[i % LINES_MAX], &s);
		if (r > 0)
			add(&a, &s);
		shown |= r > 0;
	}
	if (r >= 0 && shown)
		r = save(v, row->id, &a);
	return r < 0 ? r : 0;
}

int kubelet_keys_has(const struct verifier *v, const struct store_node *row,
		     const struct digest *key, uint64_t *ret_seq)
{
	struct all a;
	int r = load(v, row->id, &a);

	for (uint32_t i = 0; r >= 0 && i < a.n; i++)
		if (a.keys[i].incarnation == row->incarnation && row->has_base &&
		    a.keys[i].seq < row->base_size && digest_equal(&a.keys[i].key, key)) {
			*ret_seq = a.keys[i].seq;
			return 1;
		}
	return r < 0 ? r : 0;
}

int kubelet_keys_count(const struct verifier *v, const struct store_node *row)
{
	struct all a;
	int n = 0, r = load(v, row->id, &a);

	for (uint32_t i = 0; r >= 0 && i < a.n; i++)
		n += a.keys[i].incarnation == row->incarnation && row->has_base &&
		     a.keys[i].seq < row->base_size;
	return r < 0 ? r : n;
}

int kubelet_keys_used(const struct verifier *v, const struct store_node *row,
		      const struct digest *key, char ret_use[KUBELET_KEYS_USE_SIZE])
{
	const struct shown *s;
	struct all a;
	int r = load(v, row->id, &a);

	if (r < 0)
		return r;
	s = find(&a, row->incarnation, key);
	if (!s || !s->used[0])
		return 0;
	memcpy(ret_use, s->used, sizeof(s->used));
	return 1;
}

int kubelet_keys_use(const struct verifier *v, const struct store_node *row,
		     const struct digest *key, const char *use)
{
	struct shown *s;
	struct all a;
	int r = load(v, row->id, &a);

	if (r < 0)
		return r;
	s = find(&a, row->incarnation, key);
	if (!s)
		return 0;
	snprintf(s->used, sizeof(s->used), "%s", use);
	return save(v, row->id, &a);
}

struct search {
	const struct digest *key;
	char *id;
	uint32_t n;
};

static int on_blob(void *ctx, const char *name, const void *data, size_t size)
{
	struct search *s = ctx;
	CLEANUP_FREE char *text = strndup(data, size);
	struct all a;
	int r = text ? read_all(text, &a) : -ENOMEM;

	for (uint32_t i = 0; r >= 0 && i < a.n; i++) {
		if (!digest_equal(&a.keys[i].key, s->key))
			continue;
		s->n += s->n == 0 || strcmp(s->id, name) != 0;
		snprintf(s->id, 65, "%s", name);
	}
	return r;
}

int kubelet_keys_owner(const struct verifier *v, const struct digest *key, char ret_id[65])
{
	struct search s = {.key = key, .id = ret_id};
	int r = v->store->ops->blob_each(v->store->ctx, BLOB, on_blob, &s);

	if (r < 0)
		return r;
	return s.n == 0 ? -ENOENT : s.n > 1 ? -ENOTUNIQ : 0;
}
