/* SPDX-License-Identifier: Apache-2.0 */
#include "accept.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "baseline.h"
#include "cleanup.h"
#include "clock.h"
#include "dsse.h"
#include "jsonl.h"
#include "plumb/wire.h"

#define MAX_ENTRIES 100000
#define MAX_FILE (512u << 20)

struct entry {
	char *scope, *key, *value;
};

struct accept {
	struct entry *e;
	uint32_t n, max, at; /* at: the next that is not written */
	struct buf body;
	uint64_t count;
};

int accept_open(struct accept **ret)
{
	struct accept *a = calloc(1, sizeof(*a));

	if (!a)
		return -ENOMEM;
	*ret = a;
	return 0;
}

struct accept *accept_free(struct accept *a)
{
	if (!a)
		return NULL;
	for (uint32_t i = 0; i < a->n; i++) {
		free(a->e[i].scope);
		free(a->e[i].key);
		free(a->e[i].value);
	}
	free(a->e);
	buf_done(&a->body);
	free(a);
	return NULL;
}

static int add(struct accept *a, const char *scope, const char *key, const char *value)
{
	struct entry *more;

	if (a->n == MAX_ENTRIES)
		return -E2BIG;
	if (a->n == a->max) {
		a->max = a->max ? a->max * 2 : 16;
		more = realloc(a->e, a->max * sizeof(*more));
		if (!more)
			return -ENOMEM;
		a->e = more;
	}
	a->e[a->n] = (struct entry){strdup(scope), strdup(key), strdup(value)};
	a->n++;
	return a->e[a->n - 1].scope && a->e[a->n - 1].key && a->e[a->n - 1].value ? 0 : -ENOMEM;
}

static bool is_measured(const char *found)
{
	static const char *const not_measured[] = {"unmeasured", "unreadable", "unknown"};

	for (size_t i = 0; i < ARRAY_SIZE(not_measured); i++)
		if (strncmp(found, not_measured[i], strlen(not_measured[i])) == 0)
			return false;
	/* A text that was too long for the verifier's row ends so. */
	return found[0] && !strstr(found, "... sha256:");
}

int accept_add(struct accept *a, const struct accept_drift *d, struct why *ret_why)
{
	char key[DIGEST_HEX_SIZE + 16];

	if (d->finding[0])
		return why_set(
			ret_why, -EINVAL,
			"finding %.40s is nothing that a baseline could expect; acknowledge it",
			d->finding);
	if (!d->scope[0] || !d->key[0] || !is_measured(d->found))
		return why_set(ret_why, -EINVAL,
			       "what was found is \"%.100s\": that is no value to expect",
			       d->found);
	if (strncmp(d->key, "exec:", 5) != 0)
		return add(a, d->scope, d->key, d->found);
	if (strncmp(d->found, "sha256:", 7) != 0 || strlen(d->found) != 71)
		return why_set(ret_why, -EINVAL, "what was found is \"%.100s\": that is no digest",
			       d->found);
	snprintf(key, sizeof(key), "exec:%s", d->found);
	return add(a, d->scope, key, d->key + 5);
}

static int compare(const char *scope, const char *key, const struct entry *e)
{
	int r = strcmp(scope, e->scope);

	return r ? r : strcmp(key, e->key);
}

static int by_key(const void *a, const void *b)
{
	const struct entry *x = a;

	return compare(x->scope, x->key, b);
}

static int put(struct accept *a, const char *scope, const char *key, const char *value)
{
	struct jsonl j;

	jsonl_begin(&j, &a->body);
	jsonl_str(&j, "s", scope);
	jsonl_path(&j, "k", key);
	jsonl_path(&j, "x", value);
	jsonl_end(&j);
	buf_puts(&a->body, "\n");
	a->count++;
	return buf_status(&a->body);
}

/* Of two for the same key the last that was added counts. */
static int put_next(struct accept *a)
{
	uint32_t i = a->at++;

	if (a->at < a->n && compare(a->e[i].scope, a->e[i].key, &a->e[a->at]) == 0)
		return 0;
	return put(a, a->e[i].scope, a->e[i].key, a->e[i].value);
}

static int on_entry(void *ctx, const char *scope, const char *key, const char *expected)
{
	struct accept *a = ctx;
	int r = 0;

	while (r >= 0 && a->at < a->n && compare(scope, key, &a->e[a->at]) > 0)
		r = put_next(a);
	if (r < 0 || (a->at < a->n && compare(scope, key, &a->e[a->at]) == 0))
		return r;
	return put(a, scope, key, expected);
}

/* Scopes and closed prefixes as they are in the header of before. */
static int put_list(struct jsonl *j, const json_t *header, const char *key)
{
	json_t *v;
	size_t i;

	jsonl_array(j, key);
	json_array_foreach (json_object_get(header, key), i, v)
		if (json_is_string(v))
			jsonl_str(j, NULL, json_string_value(v));
	jsonl_close(j);
	return 0;
}

static int make_header(const struct accept *a, const json_t *before,
		       const struct baseline_info *info, struct buf *ret)
{
	char now[CLOCK_TEXT_SIZE];
	struct digest d;
	struct jsonl j;
	int r = digest_sha256(a->body.data ? (const void *)a->body.data : "", a->body.size, &d);

	if (r < 0)
		return r;
	clock_text(clock_utc_ns(clock_system()), now);
	jsonl_begin(&j, ret);
	jsonl_uint(&j, "v", 1);
	jsonl_str(&j, "name", info->name);
	jsonl_uint(&j, "version", info->version + 1);
	jsonl_str(&j, "created", now);
	jsonl_uint(&j, "count", a->count);
	jsonl_hex(&j, "sha256", d.bytes, DIGEST_SIZE);
	put_list(&j, before, "scopes");
	put_list(&j, before, "closed");
	jsonl_end(&j);
	return buf_status(ret);
}

static int read_header(const char *from, json_t **ret, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf file = {0}, payload = {0}, type = {0};
	const char *lf;
	int r = fsio_read_file(fsio_system(), from, MAX_FILE, &file);

	if (r < 0)
		return why_set(ret_why, r, "%.200s: %s", from, strerror(-r));
	lf = memchr(file.data, '\n', file.size);
	if (!lf)
		return why_set(ret_why, -EBADMSG, "%.200s is no baseline", from);
	r = dsse_peek(file.data, (size_t)(lf - (char *)file.data), 1u << 20, &payload, &type,
		      ret_why);
	return r < 0 ? r : jsonl_parse(payload.data, payload.size, 1u << 20, ret, ret_why);
}

/* An envelope without signatures, as capture writes it; sign puts the first one in. */
static int write_document(const struct accept *a, const struct buf *header, const char *to)
{
	CLEANUP(buf_done) struct buf out = {0};
	struct jsonl j;

	jsonl_begin(&j, &out);
	jsonl_base64(&j, "payload", header->data, header->size);
	jsonl_str(&j, "payloadType", WIRE_DSSE_BASELINE);
	jsonl_array(&j, "signatures");
	jsonl_close(&j);
	jsonl_end(&j);
	buf_puts(&out, "\n");
	buf_put(&out, a->body.data, a->body.size);
	return buf_status(&out) < 0
		       ? buf_status(&out)
		       : fsio_replace_file(fsio_system(), to, out.data, out.size, 0644);
}

int accept_write(struct accept *a, const char *from, const char *to, uint64_t *ret_version,
		 struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *before = NULL;
	CLEANUP(buf_done) struct buf header = {0};
	struct baseline *b = NULL;
	int r = baseline_open(fsio_system(), from, NULL, 0, 0, &b, ret_why);

	if (r < 0)
		return r;
	qsort(a->e, a->n, sizeof(*a->e), by_key);
	r = read_header(from, &before, ret_why);
	if (r >= 0)
		r = baseline_each(b, on_entry, a);
	while (r >= 0 && a->at < a->n)
		r = put_next(a);
	if (r >= 0)
		r = make_header(a, before, baseline_info(b), &header);
	if (r >= 0)
		r = write_document(a, &header, to);
	if (r >= 0)
		*ret_version = baseline_info(b)->version + 1;
	baseline_free(b);
	return r < 0 && !ret_why->text[0] ? why_set(ret_why, r, "%.200s: %s", to, strerror(-r)) : r;
}
