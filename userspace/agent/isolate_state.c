/* SPDX-License-Identifier: Apache-2.0 */
#include "isolate_state.h"

#include <errno.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "clock.h"
#include "state_file.h"

static const char *const names[ISOLATE_N_WAYS] = {"network", "exec", "freeze"};

const char *isolate_state_way(uint32_t bit)
{
	for (uint32_t i = 0; i < ISOLATE_N_WAYS; i++)
		if (bit == 1u << i)
			return names[i];
	return NULL;
}

uint32_t isolate_state_way_of(const char *name)
{
	for (uint32_t i = 0; i < ISOLATE_N_WAYS; i++)
		if (strcmp(names[i], name) == 0)
			return 1u << i;
	return 0;
}

void isolate_state_ways(struct jsonl *j, const char *key, uint32_t ways)
{
	jsonl_array(j, key);
	for (uint32_t i = 0; i < ISOLATE_N_WAYS; i++)
		if (ways & 1u << i)
			jsonl_str(j, NULL, names[i]);
	jsonl_close(j);
}

static void put_table(struct jsonl *j, const char *key, enum isolate_table t)
{
	if (t != ISOLATE_TABLE_UNKNOWN)
		jsonl_bool(j, key, t == ISOLATE_TABLE_OURS);
}

int isolate_state_write(const struct isolate_state *s, struct buf *ret)
{
	char since[CLOCK_TEXT_SIZE];
	struct jsonl j;

	clock_text(s->since_ns, since);
	jsonl_begin(&j, ret);
	jsonl_uint(&j, "v", 1);
	jsonl_uint(&j, "number", s->number);
	jsonl_str(&j, "since", since);
	isolate_state_ways(&j, "ways", s->ways);
	jsonl_str(&j, "by", s->by);
	jsonl_uint(&j, "order", s->order);
	jsonl_str(&j, "case", s->case_id);
	jsonl_str(&j, "reason", s->reason);
	jsonl_array(&j, "verifier");
	for (uint32_t i = 0; i < s->n_verifier; i++)
		jsonl_str(&j, NULL, s->verifier[i]);
	jsonl_close(&j);
	put_table(&j, "inet", s->inet);
	put_table(&j, "bridge", s->bridge);
	/* Readers of before it have no need of it elsewhere. */
	if (s->releasing)
		jsonl_bool(&j, "releasing", true);
	jsonl_array(&j, "frozen");
	for (uint32_t i = 0; i < s->n_frozen; i++)
		jsonl_str(&j, NULL, s->frozen[i]);
	jsonl_close(&j);
	jsonl_end(&j);
	buf_puts(ret, "\n");
	return buf_status(ret);
}

/* Into ret[max][size], each with its NUL. */
static int get_texts(const json_t *o, const char *key, uint32_t max, size_t size, char *ret,
		     uint32_t *ret_n, struct why *ret_why)
{
	json_t *list, *one;
	size_t i;
	int r = jsonl_get_array(o, key, max, &list, ret_why);

	if (r < 0)
		return r;
	json_array_foreach (list, i, one) {
		const char *text = json_string_value(one);

		if (!text || json_string_length(one) >= size)
			return why_set(ret_why, -EBADMSG, "\"%s\" has what is no text of %zu bytes",
				       key, size - 1);
		memcpy(ret + i * size, text, json_string_length(one) + 1);
	}
	*ret_n = (uint32_t)json_array_size(list);
	return 0;
}

static int get_ways(const json_t *o, uint32_t *ret, struct why *ret_why)
{
	char words[ISOLATE_N_WAYS][16];
	uint32_t n = 0, ways = 0, one;
	int r = get_texts(o, "ways", ISOLATE_N_WAYS, sizeof(words[0]), words[0], &n, ret_why);

	for (uint32_t i = 0; r >= 0 && i < n; i++) {
		one = isolate_state_way_of(words[i]);
		if (!one)
			r = why_set(ret_why, -EBADMSG, "\"ways\" has an unknown one");
		ways |= one;
	}
	*ret = ways;
	return r;
}

static int get_releasing(const json_t *o, bool *ret, struct why *ret_why)
{
	int r = jsonl_get_bool(o, "releasing", ret, ret_why);

	return r == -ENOENT ? 0 : r;
}

/* Files of before it have none. */
static int get_table(const json_t *o, const char *key, enum isolate_table *ret, struct why *ret_why)
{
	bool ours = false;
	int r = jsonl_get_bool(o, key, &ours, ret_why);

	*ret = r < 0 ? ISOLATE_TABLE_UNKNOWN : ours ? ISOLATE_TABLE_OURS : ISOLATE_TABLE_NONE;
	return r == -ENOENT ? 0 : r;
}

static int get_all(const json_t *o, struct isolate_state *s, struct why *ret_why)
{
	char since[CLOCK_TEXT_SIZE];
	uint64_t version;
	int r = jsonl_get_uint(o, "v", INT64_MAX, &version, ret_why);

	if (r >= 0 && version != 1)
		r = why_set(ret_why, -EBADMSG, "\"v\" is not 1");
	if (r >= 0)
		r = jsonl_get_uint(o, "number", INT64_MAX, &s->number, ret_why);
	if (r >= 0)
		r = jsonl_get_text(o, "since", since, sizeof(since), ret_why);
	if (r >= 0 && clock_from_text(since, &s->since_ns) < 0)
		r = why_set(ret_why, -EBADMSG, "\"since\" is not a UTC time");
	if (r >= 0)
		r = get_ways(o, &s->ways, ret_why);
	if (r >= 0)
		r = jsonl_get_text(o, "by", s->by, sizeof(s->by), ret_why);
	if (r >= 0)
		r = jsonl_get_uint(o, "order", INT64_MAX, &s->order, ret_why);
	if (r >= 0)
		r = jsonl_get_text(o, "case", s->case_id, sizeof(s->case_id), ret_why);
	if (r >= 0)
		r = jsonl_get_text(o, "reason", s->reason, sizeof(s->reason), ret_why);
	if (r >= 0)
		r = get_texts(o, "verifier", ISOLATE_STATE_MAX_VERIFIER, sizeof(s->verifier[0]),
			      s->verifier[0], &s->n_verifier, ret_why);
	if (r >= 0)
		r = get_table(o, "inet", &s->inet, ret_why);
	if (r >= 0)
		r = get_table(o, "bridge", &s->bridge, ret_why);
	if (r >= 0)
		r = get_releasing(o, &s->releasing, ret_why);
	if (r >= 0)
		r = get_texts(o, "frozen", ISOLATE_STATE_MAX_FROZEN, sizeof(s->frozen[0]),
			      s->frozen[0], &s->n_frozen, ret_why);
	return r;
}

int isolate_state_parse(const void *data, size_t size, struct isolate_state *ret,
			struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	CLEANUP_FREE struct isolate_state *found = calloc(1, sizeof(*found));
	int r = found ? jsonl_parse(data, size, ISOLATE_STATE_MAX, &o, ret_why) : -ENOMEM;

	if (r >= 0)
		r = get_all(o, found, ret_why);
	if (r < 0)
		return r == -ENOENT ? -EBADMSG : r;
	*ret = *found;
	return 0;
}

int isolate_state_number(uint64_t *ret)
{
	uint64_t number;

	do {
		if (RAND_bytes((unsigned char *)&number, sizeof(number)) != 1)
			return -EIO;
		number >>= 2; /* JSON here has 63 bits */
	} while (number == 0);
	*ret = number;
	return 0;
}

static struct state_file file_in(const struct fsio *io, const char *dir)
{
	return (struct state_file){io, dir, ISOLATE_STATE_FILE, ISOLATE_STATE_MAX};
}

int isolate_state_load(const struct fsio *io, const char *dir, struct isolate_state *ret,
		       struct why *ret_why)
{
	CLEANUP(buf_done) struct buf b = {0};
	const struct state_file f = file_in(io, dir);
	struct why why = {""};
	int r = state_file_load(&f, &b, ret_why);

	if (r < 0)
		return r;
	r = isolate_state_parse(b.data, b.size, ret, &why);
	return r < 0 ? why_set(ret_why, -EBADMSG, "%.120s/%s: %.120s", dir, f.name, why.text) : 0;
}

int isolate_state_keep(const struct fsio *io, const char *dir, const struct isolate_state *s)
{
	CLEANUP(buf_done) struct buf b = {0};
	const struct state_file f = file_in(io, dir);
	int r = isolate_state_write(s, &b);

	return r < 0 ? r : state_file_keep(&f, &b);
}

int isolate_state_remove(const struct fsio *io, const char *dir)
{
	const struct state_file f = file_in(io, dir);

	return state_file_remove(&f);
}
