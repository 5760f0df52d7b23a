/* SPDX-License-Identifier: Apache-2.0 */
#include "isolate_proven.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "isolate_net.h"
#include "jsonl.h"
#include "state_file.h"

bool isolate_proven_add(struct isolate_proven *p, const char *address)
{
	uint32_t at = 0;
	bool is_new;

	while (at < p->n && strcmp(p->address[at], address) != 0)
		at++;
	is_new = at == p->n;
	if (is_new && p->n < ISOLATE_PROVEN_N)
		p->n++;
	if (at == ISOLATE_PROVEN_N)
		at--;
	memmove(p->address[1], p->address[0], at * sizeof(p->address[0]));
	snprintf(p->address[0], sizeof(p->address[0]), "%s", address);
	return is_new;
}

int isolate_proven_write(const struct isolate_proven *p, struct buf *ret)
{
	struct jsonl j;

	jsonl_begin(&j, ret);
	jsonl_uint(&j, "v", 1);
	jsonl_str(&j, "verifier", p->verifier);
	jsonl_array(&j, "addresses");
	for (uint32_t i = 0; i < p->n; i++)
		jsonl_str(&j, NULL, p->address[i]);
	jsonl_close(&j);
	jsonl_end(&j);
	buf_puts(ret, "\n");
	return buf_status(ret);
}

/* Each is whole, with its port: what is let through must be no more than was proven. */
static int get_address(const json_t *one, char ret[64], struct why *ret_why)
{
	const char *text = json_string_value(one);
	char again[ISOLATE_NET_TEXT];
	struct isolate_net_peer p;
	int r = text ? isolate_net_peer(text, &p, ret_why) : -EBADMSG;

	if (r < 0 || p.port == 0)
		return why_set(ret_why, -EBADMSG, "\"addresses\" has what is no ADDRESS:PORT");
	isolate_net_peer_text(&p, again);
	snprintf(ret, 64, "%s", again);
	return 0;
}

static int get_all(const json_t *o, struct isolate_proven *p, struct why *ret_why)
{
	json_t *list, *one;
	size_t i;
	int r = jsonl_get_version(o, 1, ret_why);

	if (r >= 0)
		r = jsonl_get_text(o, "verifier", p->verifier, sizeof(p->verifier), ret_why);
	if (r >= 0)
		r = jsonl_get_array(o, "addresses", ISOLATE_PROVEN_N, &list, ret_why);
	if (r < 0)
		return r;
	json_array_foreach (list, i, one) {
		r = get_address(one, p->address[i], ret_why);
		if (r < 0)
			return r;
	}
	p->n = (uint32_t)json_array_size(list);
	return 0;
}

int isolate_proven_parse(const void *data, size_t size, struct isolate_proven *ret,
			 struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	struct isolate_proven found = {.n = 0};
	int r = jsonl_parse(data, size, ISOLATE_PROVEN_MAX, &o, ret_why);

	if (r >= 0)
		r = get_all(o, &found, ret_why);
	if (r < 0)
		return r == -ENOENT ? -EBADMSG : r;
	*ret = found;
	return 0;
}

static struct state_file file_in(const struct fsio *io, const char *dir)
{
	return (struct state_file){io, dir, ISOLATE_PROVEN_FILE, ISOLATE_PROVEN_MAX};
}

int isolate_proven_load(const struct fsio *io, const char *dir, struct isolate_proven *ret,
			struct why *ret_why)
{
	CLEANUP(buf_done) struct buf b = {0};
	const struct state_file f = file_in(io, dir);
	struct why why = {""};
	int r = state_file_load(&f, &b, ret_why);

	if (r < 0)
		return r;
	r = isolate_proven_parse(b.data, b.size, ret, &why);
	return r < 0 ? why_set(ret_why, -EBADMSG, "%.120s/%s: %.120s", dir, f.name, why.text) : 0;
}

int isolate_proven_keep(const struct fsio *io, const char *dir, const struct isolate_proven *p)
{
	CLEANUP(buf_done) struct buf b = {0};
	const struct state_file f = file_in(io, dir);
	int r = isolate_proven_write(p, &b);

	return r < 0 ? r : state_file_keep(&f, &b);
}
