/* SPDX-License-Identifier: Apache-2.0 */
#include "accept.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "baseline.h"
#include "cleanup.h"
#include "clock.h"
#include "dsse.h"
#include "jsonl.h"
#include "plumb/wire.h"

#define MAX_FILE (512u << 20)
#define MAX_HEADER (256u * 1024) /* as baseline reads it */
#define MAX_TEXT 8192u /* bytes of a key or a value, there */

struct entry {
	char *scope, *key, *value;
};

struct accept {
	const struct accept_options *o;
	struct entry *e;
	uint32_t n, max, at; /* at: the next that is not written */
	struct buf body;
	uint64_t count, n_changed;
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

	if (a->n == ACCEPT_MAX_ENTRIES)
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
	return found[0];
}

/* The verifier's rows hold texts up to a size, then their beginning and a digest; and bytes that are not UTF-8 as U+FFFD. */
static bool is_whole(const char *text)
{
	return strlen(text) <= MAX_TEXT && !strstr(text, "... sha256:") &&
	       !strstr(text, "\xef\xbf\xbd");
}

static bool is_digest(const char *found)
{
	return strncmp(found, "sha256:", 7) == 0 && strlen(found) == 7 + 2 * DIGEST_SIZE &&
	       strspn(found + 7, "0123456789abcdef") == 2 * DIGEST_SIZE;
}

/* Programs, and what is mapped: their paths are for people. */
static bool is_by_content(const char *key)
{
	return strncmp(key, "exec:", 5) == 0 || strncmp(key, "code:", 5) == 0;
}

int accept_add(struct accept *a, const struct accept_drift *d, struct why *ret_why)
{
	char key[DIGEST_HEX_SIZE + 16];
	int r;

	if (d->finding[0] || strncmp(d->key, "finding:", 8) == 0)
		return why_set(ret_why, -EINVAL,
			       "%.60s is a finding, nothing that a baseline could expect; "
			       "acknowledge it",
			       d->key);
	if (!d->scope[0] || !d->key[0] || !is_measured(d->found))
		return why_set(ret_why, -EINVAL,
			       "%.120s: what was found is \"%.80s\": that is no value to expect",
			       d->key, d->found);
	if (!is_whole(d->key) || !is_whole(d->found) || !is_whole(d->scope))
		return why_set(ret_why, -EINVAL,
			       "%.120s: the verifier does not have its name or value byte for "
			       "byte; capture it on the node",
			       d->key);
	/* An event of a load does not know the build; to expect any would be to expect none. */
	if (strncmp(d->key, "module:", 7) == 0 && strcmp(d->found, "loaded") == 0)
		return why_set(ret_why, -EINVAL,
			       "%.120s: its build is not known yet; accept it when a scan has "
			       "told its srcversion",
			       d->key);
	if (!is_by_content(d->key)) {
		r = add(a, d->scope, d->key, d->found);
	} else if (!is_digest(d->found)) {
		return why_set(ret_why, -EINVAL,
			       "%.120s: what was found is \"%.80s\": that is no digest", d->key,
			       d->found);
	} else {
		snprintf(key, sizeof(key), "%.5s%s", d->key, d->found);
		r = add(a, d->scope, key, d->key + 5);
	}
	return r < 0 ? why_set(ret_why, r, "%s",
			       r == -E2BIG ? "that is too much at once" : "no memory")
		     : 0;
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

static int put_next(struct accept *a, const char *before)
{
	const struct entry *e = &a->e[a->at++];
	const struct accept_change c = {e->scope, e->key, before, e->value};

	/* A program counts by content: its path is for people, and the one that is there does. */
	if (before && (is_by_content(e->key) || strcmp(before, e->value) == 0))
		return put(a, e->scope, e->key, before);
	a->n_changed++;
	if (a->o->changed)
		a->o->changed(a->o->ctx, &c);
	return put(a, e->scope, e->key, e->value);
}

static int on_entry(void *ctx, const char *scope, const char *key, const char *expected)
{
	struct accept *a = ctx;
	int r = 0;

	while (r >= 0 && a->at < a->n && compare(scope, key, &a->e[a->at]) > 0)
		r = put_next(a, NULL);
	if (r < 0)
		return r;
	if (a->at < a->n && compare(scope, key, &a->e[a->at]) == 0)
		return put_next(a, expected);
	return put(a, scope, key, expected);
}

/* One value a key, and only what this baseline would judge. */
static int settle(struct accept *a, const struct baseline *b, struct why *ret_why)
{
	uint32_t kept = 0;

	if (a->n > 0)
		qsort(a->e, a->n, sizeof(*a->e), by_key);
	for (uint32_t i = 0; i < a->n; i++) {
		struct entry *e = &a->e[i], *last = kept ? &a->e[kept - 1] : NULL;

		if (!baseline_has_scope(b, e->scope))
			return why_set(ret_why, -EINVAL,
				       "%.100s: the baseline does not judge its scope, %.60s",
				       e->key, e->scope);
		if (!last || compare(e->scope, e->key, last) != 0) {
			struct entry swap = a->e[kept];

			a->e[kept++] = *e;
			if (&a->e[kept - 1] != e)
				*e = swap;
			continue;
		}
		if (!is_by_content(e->key) && strcmp(e->value, last->value) != 0)
			return why_set(ret_why, -EINVAL,
				       "%.80s: one node has \"%.70s\", another \"%.70s\"; accept "
				       "them by --node",
				       e->key, last->value, e->value);
	}
	for (uint32_t i = kept; i < a->n; i++) {
		free(a->e[i].scope);
		free(a->e[i].key);
		free(a->e[i].value);
	}
	a->n = kept;
	return 0;
}

/* Scopes and closed prefixes as they are in the header of before. */
static void put_list(struct jsonl *j, const json_t *header, const char *key)
{
	json_t *v;
	size_t i;

	jsonl_array(j, key);
	json_array_foreach (json_object_get(header, key), i, v)
		if (json_is_string(v))
			jsonl_str(j, NULL, json_string_value(v));
	jsonl_close(j);
}

static int make_header(const struct accept *a, const json_t *before, const char *name,
		       uint64_t version, struct buf *ret)
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
	jsonl_str(&j, "name", name);
	jsonl_uint(&j, "version", version);
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
	lf = file.size ? memchr(file.data, '\n', file.size) : NULL;
	if (!lf)
		return why_set(ret_why, -EBADMSG, "%.200s is no baseline", from);
	r = dsse_peek(file.data, (size_t)(lf - (char *)file.data), MAX_HEADER, &payload, &type,
		      ret_why);
	return r < 0 ? r : jsonl_parse(payload.data, payload.size, MAX_HEADER, ret, ret_why);
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

static int merge(struct accept *a, const struct baseline *b, struct why *ret_why)
{
	int r = settle(a, b, ret_why);

	if (r >= 0)
		r = baseline_each(b, on_entry, a);
	while (r >= 0 && a->at < a->n)
		r = put_next(a, NULL);
	if (r >= 0 && a->n_changed == 0)
		r = why_set(ret_why, -EALREADY, "%s version %" PRIu64 " expects all of it already",
			    baseline_info(b)->name, baseline_info(b)->version);
	return r;
}

int accept_write(struct accept *a, const struct accept_options *o, uint64_t *ret_version,
		 struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *before = NULL;
	CLEANUP(buf_done) struct buf header = {0};
	struct baseline *b = NULL;
	uint64_t version = 0;
	int r;

	ret_why->text[0] = 0;
	a->o = o;
	r = baseline_open(fsio_system(), o->from, NULL, 0, 0, &b, ret_why);
	if (r < 0)
		return r;
	version = baseline_info(b)->version;
	version = (o->above > version ? o->above : version) + 1;
	r = version > INT64_MAX ? why_set(ret_why, -EINVAL, "there is no version above its own")
				: read_header(o->from, &before, ret_why);
	if (r >= 0)
		r = merge(a, b, ret_why);
	if (r >= 0)
		r = make_header(a, before, baseline_info(b)->name, version, &header);
	if (r >= 0)
		r = write_document(a, &header, o->to);
	if (r >= 0)
		*ret_version = version;
	baseline_free(b);
	return r < 0 && !ret_why->text[0] ? why_set(ret_why, r, "%.200s: %s", o->to, strerror(-r))
					  : r;
}
