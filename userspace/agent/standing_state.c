/* SPDX-License-Identifier: Apache-2.0 */
#include "standing_state.h"

#include <errno.h>
#include <string.h>

#include "cleanup.h"
#include "clock.h"
#include "jsonl.h"
#include "state_file.h"

int standing_state_write(const struct standing_state *s, struct buf *ret)
{
	char when[CLOCK_TEXT_SIZE];
	struct jsonl j;

	clock_text(s->utc_ns, when);
	jsonl_begin(&j, ret);
	jsonl_uint(&j, "v", 1);
	jsonl_str(&j, "key", s->key);
	jsonl_str(&j, "when", when);
	jsonl_uint(&j, "size", s->size);
	jsonl_hex(&j, "boot_id", s->boot_id, sizeof(s->boot_id));
	jsonl_uint(&j, "since_ns", s->since_ns);
	jsonl_uint(&j, "heard_ns", s->heard_ns);
	jsonl_bool(&j, "waited", s->waited);
	jsonl_end(&j);
	buf_puts(ret, "\n");
	return buf_status(ret);
}

static int get_all(const json_t *o, struct standing_state *s, struct why *ret_why)
{
	char when[CLOCK_TEXT_SIZE];
	int r = jsonl_get_version(o, 1, ret_why);

	if (r >= 0)
		r = jsonl_get_text(o, "key", s->key, sizeof(s->key), ret_why);
	if (r >= 0)
		r = jsonl_get_text(o, "when", when, sizeof(when), ret_why);
	if (r >= 0 && clock_from_text(when, &s->utc_ns) < 0)
		r = why_set(ret_why, -EBADMSG, "\"when\" is not a UTC time");
	if (r >= 0)
		r = jsonl_get_uint(o, "size", INT64_MAX, &s->size, ret_why);
	if (r >= 0)
		r = jsonl_get_hex(o, "boot_id", s->boot_id, sizeof(s->boot_id), ret_why);
	if (r >= 0)
		r = jsonl_get_uint(o, "since_ns", INT64_MAX, &s->since_ns, ret_why);
	if (r >= 0)
		r = jsonl_get_uint(o, "heard_ns", INT64_MAX, &s->heard_ns, ret_why);
	if (r >= 0)
		r = jsonl_get_bool(o, "waited", &s->waited, ret_why);
	return r;
}

int standing_state_parse(const void *data, size_t size, struct standing_state *ret,
			 struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	struct standing_state found = {.size = 0};
	int r = jsonl_parse(data, size, STANDING_STATE_MAX, &o, ret_why);

	if (r >= 0)
		r = get_all(o, &found, ret_why);
	if (r < 0)
		return r == -ENOENT ? -EBADMSG : r;
	*ret = found;
	return 0;
}

static struct state_file file_in(const struct fsio *io, const char *dir)
{
	return (struct state_file){io, dir, STANDING_STATE_FILE, STANDING_STATE_MAX};
}

int standing_state_load(const struct fsio *io, const char *dir, struct standing_state *ret,
			struct why *ret_why)
{
	CLEANUP(buf_done) struct buf b = {0};
	const struct state_file f = file_in(io, dir);
	struct why why = {""};
	int r = state_file_load(&f, &b, ret_why);

	if (r < 0)
		return r;
	r = standing_state_parse(b.data, b.size, ret, &why);
	return r < 0 ? why_set(ret_why, -EBADMSG, "%.120s/%s: %.120s", dir, f.name, why.text) : 0;
}

int standing_state_keep(const struct fsio *io, const char *dir, const struct standing_state *s)
{
	CLEANUP(buf_done) struct buf b = {0};
	const struct state_file f = file_in(io, dir);
	int r = standing_state_write(s, &b);

	return r < 0 ? r : state_file_keep(&f, &b);
}

int standing_state_remove(const struct fsio *io, const char *dir)
{
	const struct state_file f = file_in(io, dir);

	return state_file_remove(&f);
}
