/* SPDX-License-Identifier: Apache-2.0 */
#include "standing_state.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "clock.h"
#include "jsonl.h"

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

static int path_in(const char *dir, char ret[PATH_MAX])
{
	return snprintf(ret, PATH_MAX, "%s/" STANDING_STATE_FILE, dir) < PATH_MAX ? 0
										  : -ENAMETOOLONG;
}

int standing_state_load(const struct fsio *io, const char *dir, struct standing_state *ret,
			struct why *ret_why)
{
	CLEANUP(buf_done) struct buf b = {0};
	char path[PATH_MAX];
	struct why why = {""};
	int r = path_in(dir, path);

	if (r >= 0)
		r = fsio_read_file(io, path, STANDING_STATE_MAX, &b);
	if (r == -ENOENT || r == -ENOTDIR)
		return -ENOENT;
	if (r < 0)
		return why_set(ret_why, -EBADMSG, "%.150s: %s", path, strerror(-r));
	/* Written with LF at the end, which a cut one has not. */
	if (b.size == 0 || b.data[b.size - 1] != '\n')
		return why_set(ret_why, -EBADMSG, "%.150s: it is cut short", path);
	r = standing_state_parse(b.data, b.size - 1, ret, &why);
	return r < 0 ? why_set(ret_why, -EBADMSG, "%.120s: %.120s", path, why.text) : 0;
}

int standing_state_keep(const struct fsio *io, const char *dir, const struct standing_state *s)
{
	CLEANUP(buf_done) struct buf b = {0};
	char path[PATH_MAX];
	int r = path_in(dir, path);

	if (r >= 0)
		r = standing_state_write(s, &b);
	if (r >= 0)
		r = fsio_mkdir_all(io, dir, 0700);
	return r < 0 ? r : fsio_replace_file(io, path, b.data, b.size, 0600);
}

int standing_state_remove(const struct fsio *io, const char *dir)
{
	char path[PATH_MAX];
	int r = path_in(dir, path);

	if (r >= 0)
		r = fsio_unlink(io, path);
	if (r == -ENOENT || r == -ENOTDIR)
		return 0;
	return r < 0 ? r : fsio_sync_dir(io, dir);
}
