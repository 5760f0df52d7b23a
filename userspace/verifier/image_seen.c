/* SPDX-License-Identifier: Apache-2.0 */
#include "image_seen.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "jsonl.h"

#define VERSION 1u
#define SCOPE "image:"
#define MAX_SIZE (256u << 10)

static struct image_seen_one *find(struct image_seen *s, const char *digest)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (strcmp(s->images[i].digest, digest) == 0)
			return &s->images[i];
	return NULL;
}

static struct image_seen_one *find_or_make(struct image_seen *s, const char *digest, uint64_t ns)
{
	struct image_seen_one *o = find(s, digest);

	if (o || s->n == IMAGE_SEEN_MAX)
		return o;
	o = &s->images[s->n++];
	memset(o, 0, sizeof(*o));
	snprintf(o->digest, sizeof(o->digest), "%s", digest);
	o->first_ns = ns;
	return o;
}

int image_seen_add(struct image_seen *s, const char *boot, const struct appraise_drift_item *i)
{
	struct image_seen_one *o;
	const char *digest;

	if (i->type != PLUMB_TYPE_EXEC || i->finding || !i->scope || strcmp(i->scope, "host") == 0)
		return 0;
	if (strncmp(s->boot, boot, sizeof(s->boot)) != 0) {
		memset(s, 0, sizeof(*s));
		snprintf(s->boot, sizeof(s->boot), "%s", boot);
	}
	digest = strncmp(i->scope, SCOPE, strlen(SCOPE)) == 0 ? i->scope + strlen(SCOPE) : "";
	if (!image_layout_is_digest(digest)) {
		s->unnamed++;
		return 1;
	}
	o = find_or_make(s, digest, i->utc_ns);
	if (!o) {
		s->beyond++;
		return 1;
	}
	o->execs++;
	if (i->utc_ns > o->last_ns)
		o->last_ns = i->utc_ns;
	if (i->layer && strcmp(i->layer, "upper") == 0)
		o->upper++;
	else if (!i->layer || strcmp(i->layer, "image") != 0)
		o->unsure++;
	return 1;
}

int image_seen_judge(struct image_seen *s, const struct baseline *b)
{
	char scope[sizeof(SCOPE) + IMAGE_LAYOUT_DIGEST_SIZE];
	int changed = 0;

	for (uint32_t i = 0; i < s->n; i++) {
		bool listed;

		snprintf(scope, sizeof(scope), SCOPE "%s", s->images[i].digest);
		listed = b && baseline_has_scope(b, scope);
		if (listed != s->images[i].listed)
			changed = 1;
		s->images[i].listed = listed;
	}
	return changed;
}

int image_seen_write(const struct image_seen *s, struct buf *ret)
{
	struct jsonl j;

	jsonl_begin(&j, ret);
	jsonl_uint(&j, "v", VERSION);
	jsonl_str(&j, "boot", s->boot);
	jsonl_uint(&j, "unnamed", s->unnamed);
	jsonl_uint(&j, "beyond", s->beyond);
	jsonl_array(&j, "images");
	for (uint32_t i = 0; i < s->n; i++) {
		const struct image_seen_one *o = &s->images[i];

		jsonl_object(&j, NULL);
		jsonl_str(&j, "image", o->digest);
		jsonl_uint(&j, "first", o->first_ns);
		jsonl_uint(&j, "last", o->last_ns);
		jsonl_uint(&j, "execs", o->execs);
		jsonl_uint(&j, "upper", o->upper);
		jsonl_uint(&j, "unsure", o->unsure);
		jsonl_bool(&j, "listed", o->listed);
		jsonl_close(&j);
	}
	jsonl_close(&j);
	jsonl_end(&j);
	return buf_status(ret);
}

static int read_one(const json_t *item, struct image_seen_one *o, struct why *ret_why)
{
	int r = json_is_object(item)
			? jsonl_get_text(item, "image", o->digest, sizeof(o->digest), ret_why)
			: -EBADMSG;

	if (r >= 0)
		r = jsonl_get_uint(item, "first", INT64_MAX, &o->first_ns, ret_why);
	if (r >= 0)
		r = jsonl_get_uint(item, "last", INT64_MAX, &o->last_ns, ret_why);
	if (r >= 0)
		r = jsonl_get_uint(item, "execs", INT64_MAX, &o->execs, ret_why);
	if (r >= 0)
		r = jsonl_get_uint(item, "upper", INT64_MAX, &o->upper, ret_why);
	if (r >= 0)
		r = jsonl_get_uint(item, "unsure", INT64_MAX, &o->unsure, ret_why);
	if (r >= 0)
		r = jsonl_get_bool(item, "listed", &o->listed, ret_why);
	if (r >= 0 && !image_layout_is_digest(o->digest))
		r = why_set(ret_why, -EBADMSG, "\"image\" is not sha256: and 64 digits");
	return r;
}

int image_seen_parse(const void *data, size_t size, struct image_seen *ret, struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	json_t *list = NULL, *item;
	size_t i;
	int r = jsonl_parse(data, size, MAX_SIZE, &o, ret_why);

	memset(ret, 0, sizeof(*ret));
	if (r >= 0)
		r = jsonl_get_version(o, VERSION, ret_why);
	if (r >= 0)
		r = jsonl_get_text(o, "boot", ret->boot, sizeof(ret->boot), ret_why);
	if (r >= 0)
		r = jsonl_get_uint(o, "unnamed", INT64_MAX, &ret->unnamed, ret_why);
	if (r >= 0)
		r = jsonl_get_uint(o, "beyond", INT64_MAX, &ret->beyond, ret_why);
	if (r >= 0)
		r = jsonl_get_array(o, "images", IMAGE_SEEN_MAX, &list, ret_why);
	if (r < 0)
		return r == -ENOMEM ? r : -EBADMSG;
	json_array_foreach (list, i, item) {
		r = read_one(item, &ret->images[i], ret_why);
		if (r < 0)
			return r == -ENOMEM ? r : -EBADMSG;
		ret->n++;
	}
	return 0;
}
