/* SPDX-License-Identifier: Apache-2.0 */
#include "line.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "clock.h"

#define HEX "0123456789abcdef"
#define LOWER "abcdefghijklmnopqrstuvwxyz"

/* Every line goes through here, and so do fifty names: see jsonl_name(). */
#define NUMBER(j, name, value) (jsonl_name(j, name), jsonl_uint(j, NULL, value))
#define WORD(j, name, value) (jsonl_name(j, name), jsonl_str(j, NULL, value))
#define TEXT(j, name, value) (jsonl_name(j, name), jsonl_path_value(j, name, value))
#define OPTIONAL(j, name, value) ((value) ? TEXT(j, name, value) : (void)0)

/* at: the text that goes; 0: none, it is another thing. */
static const struct {
	enum line_part part;
	const char *name;
	size_t at;
} parts[] = {
	{LINE_PART_ANCESTORS, "ancestors", 0},
	{LINE_PART_DIFF, "diff", offsetof(struct line, diff)},
	{LINE_PART_ARGS, "args", offsetof(struct line, body)},
	{LINE_PART_NAME, "name", offsetof(struct line, name)},
	{LINE_PART_BEFORE, "before", offsetof(struct line, before)},
	{LINE_PART_OTHER, "other", offsetof(struct line, other)},
	{LINE_PART_CGROUP, "cgroup", offsetof(struct line, actor.cgroup)},
	{LINE_PART_EXE, "exe", offsetof(struct line, actor.exe)},
	{LINE_PART_JUDGE, "judge", 0},
};

#define N_PARTS (sizeof(parts) / sizeof(parts[0]))

static void write_ancestors(struct jsonl *j, const struct line_ancestor *list, uint32_t n)
{
	jsonl_array(j, NULL);
	for (uint32_t i = 0; i < n && i < LINE_MAX_ANCESTORS; i++) {
		jsonl_object(j, NULL);
		NUMBER(j, "pid", list[i].pid);
		OPTIONAL(j, "comm", list[i].comm);
		OPTIONAL(j, "exe", list[i].exe);
		jsonl_close(j);
	}
	jsonl_close(j);
}

int line_ancestors(const struct line_ancestor *list, uint32_t n, struct buf *ret)
{
	struct jsonl j = {.buf = ret};

	write_ancestors(&j, list, n);
	return buf_status(ret);
}

static void write_actor(struct jsonl *j, const struct line_actor *a)
{
	if (!a->known) {
		WORD(j, "actor", "unknown");
		return;
	}
	jsonl_object(j, "actor");
	NUMBER(j, "pid", a->pid);
	NUMBER(j, "start", a->start_ns);
	NUMBER(j, "ppid", a->ppid);
	NUMBER(j, "uid", a->uid);
	NUMBER(j, "gid", a->gid);
	OPTIONAL(j, "comm", a->comm);
	OPTIONAL(j, "exe", a->exe);
	OPTIONAL(j, "cgroup", a->cgroup);
	if (a->container)
		WORD(j, "container", a->container);
	if (a->pod)
		WORD(j, "pod", a->pod);
	jsonl_name(j, "ancestors");
	if (a->ancestors_text)
		jsonl_raw(j, NULL, a->ancestors_text, a->ancestors_size);
	else
		write_ancestors(j, a->ancestors, a->n_ancestors);
	jsonl_close(j);
}

static void write_left_out(struct jsonl *j, uint32_t left_out)
{
	if (!left_out)
		return;
	jsonl_array(j, "left_out");
	for (size_t i = 0; i < N_PARTS; i++)
		if (left_out & parts[i].part)
			jsonl_str(j, NULL, parts[i].name);
	jsonl_close(j);
}

static void write_measurement(struct jsonl *j, const struct line *l)
{
	WORD(j, "scope", l->scope);
	TEXT(j, "key", l->key);
	TEXT(j, "found", l->found);
	OPTIONAL(j, "op", l->op);
	OPTIONAL(j, "other", l->other);
	OPTIONAL(j, "before", l->before);
	OPTIONAL(j, "diff", l->diff);
	OPTIONAL(j, "hash_src", l->hash_src);
	OPTIONAL(j, "name", l->name);
	OPTIONAL(j, "layer", l->layer);
	if (l->times > 1)
		NUMBER(j, "times", l->times);
	if (l->judgement) {
		WORD(j, "judge", terms_judgement_name(l->judgement));
		if (l->judgement == PLUMB_JUDGE_DRIFT)
			TEXT(j, "expected", l->expected);
		NUMBER(j, "jv", l->judge_version);
		NUMBER(j, "bv", l->baseline_version);
	}
	if (l->has_actor)
		write_actor(j, &l->actor);
	write_left_out(j, l->left_out);
}

static void write_envelope(struct jsonl *j, const struct line *l)
{
	char text[CLOCK_TEXT_SIZE];
	uint8_t ksess[8];

	clock_text(l->utc_ns, text);
	NUMBER(j, "v", 1);
	NUMBER(j, "seq", l->seq);
	WORD(j, "t", text);
	NUMBER(j, "bt", l->boot_ns);
	WORD(j, "boot", l->boot);
	WORD(j, "src", l->src);
	if (l->has_kernel) {
		for (size_t i = 0; i < sizeof(ksess); i++)
			ksess[i] = (uint8_t)(l->ksess >> (8 * (sizeof(ksess) - 1 - i)));
		jsonl_hex(j, "ksess", ksess, sizeof(ksess));
		NUMBER(j, "cpu", l->cpu);
		NUMBER(j, "kseq", l->kseq);
	}
	WORD(j, "type", l->type_name ? l->type_name : terms_type_name(l->type));
}

int line_write(const struct line *l, struct buf *ret)
{
	bool measured = terms_type_is_measurement(l->type);
	size_t start = ret->size;
	struct jsonl j;

	if (!l->boot || !l->src || (!l->type_name && !terms_type_name(l->type)))
		return -EINVAL;
	if (measured && (!l->scope || !l->key || !l->found ||
			 (l->judgement == PLUMB_JUDGE_DRIFT && !l->expected)))
		return -EINVAL;
	jsonl_begin(&j, ret);
	write_envelope(&j, l);
	if (measured)
		write_measurement(&j, l);
	if (l->body && *l->body) {
		buf_puts(ret, ",");
		buf_puts(ret, l->body);
	}
	jsonl_end(&j);
	if (buf_status(ret) < 0)
		return buf_status(ret);
	if (ret->size - start > LINE_MAX_SIZE) {
		ret->size = start;
		return -EMSGSIZE;
	}
	return 0;
}

/* True: there was something. */
static bool leave_out(struct line *l, size_t i)
{
	const char **text = (const char **)(void *)((char *)l + parts[i].at);
	bool had = parts[i].at && *text;

	if (parts[i].part == LINE_PART_ANCESTORS) {
		had = l->actor.n_ancestors > 0;
		l->actor.n_ancestors = 0;
		l->actor.ancestors_text = NULL;
	} else if (parts[i].part == LINE_PART_JUDGE) {
		had = l->judgement != 0;
		l->judgement = (enum plumb_judgement)0;
	} else {
		*text = NULL;
	}
	l->left_out |= had ? parts[i].part : 0;
	return had;
}

int line_write_fitting(const struct line *l, struct buf *ret)
{
	int r = line_write(l, ret);
	struct line less;

	if (r != -EMSGSIZE || !terms_type_is_measurement(l->type))
		return r;
	less = *l;
	for (size_t i = 0; i < N_PARTS && r == -EMSGSIZE; i++)
		if (leave_out(&less, i))
			r = line_write(&less, ret);
	return r;
}

static int optional_str(json_t *o, const char *key, size_t max, const char **ret,
			struct why *ret_why)
{
	int r = json_object_get(o, key) ? jsonl_get_path(o, key, max, ret, ret_why) : 0;

	return r < 0 ? r : 0;
}

/* Text of these characters alone: people read it as part of a sentence, and nothing else may be taken for one. */
static int optional_word(json_t *o, const char *key, const char *characters, size_t max,
			 const char **ret, struct why *ret_why)
{
	int r = optional_str(o, key, max, ret, ret_why);

	if (r >= 0 && *ret && (!**ret || (*ret)[strspn(*ret, characters)]))
		return why_set(ret_why, -EBADMSG, "\"%s\" has other characters than it may", key);
	return r;
}

static int parse_ancestors(json_t *o, struct line_actor *a, struct why *ret_why)
{
	json_t *list, *item;
	size_t i;
	int r = jsonl_get_array(o, "ancestors", LINE_MAX_ANCESTORS, &list, ret_why);

	if (r < 0)
		return r;
	json_array_foreach (list, i, item) {
		r = jsonl_get_u32(item, "pid", &a->ancestors[i].pid, ret_why);
		if (r >= 0)
			r = optional_str(item, "comm", 64, &a->ancestors[i].comm, ret_why);
		if (r >= 0)
			r = optional_str(item, "exe", LINE_MAX_KEY, &a->ancestors[i].exe, ret_why);
		if (r < 0)
			return r;
	}
	a->n_ancestors = (uint32_t)json_array_size(list);
	return 0;
}

static int parse_actor(json_t *o, struct line *l, struct why *ret_why)
{
	json_t *v = json_object_get(o, "actor");
	struct line_actor *a = &l->actor;

	if (!v)
		return 0;
	l->has_actor = true;
	if (json_is_string(v) && strcmp(json_string_value(v), "unknown") == 0)
		return 0;
	if (!json_is_object(v))
		return why_set(ret_why, -EBADMSG, "\"actor\" is neither an object nor \"unknown\"");
	a->known = true;
	if (jsonl_get_u32(v, "pid", &a->pid, ret_why) < 0 ||
	    jsonl_get_u32(v, "ppid", &a->ppid, ret_why) < 0 ||
	    jsonl_get_u32(v, "uid", &a->uid, ret_why) < 0 ||
	    jsonl_get_u32(v, "gid", &a->gid, ret_why) < 0 ||
	    jsonl_get_uint(v, "start", INT64_MAX, &a->start_ns, ret_why) < 0 ||
	    optional_str(v, "comm", 64, &a->comm, ret_why) < 0 ||
	    optional_str(v, "exe", LINE_MAX_KEY, &a->exe, ret_why) < 0 ||
	    optional_str(v, "cgroup", LINE_MAX_KEY, &a->cgroup, ret_why) < 0 ||
	    optional_word(v, "container", HEX, 64, &a->container, ret_why) < 0 ||
	    optional_word(v, "pod", HEX "-", 64, &a->pod, ret_why) < 0)
		return -EBADMSG;
	return parse_ancestors(v, a, ret_why);
}

static int parse_kernel(const json_t *o, struct line *l, struct why *ret_why)
{
	uint8_t bytes[8];

	if (!json_object_get(o, "ksess"))
		return 0;
	if (jsonl_get_hex(o, "ksess", bytes, sizeof(bytes), ret_why) < 0 ||
	    jsonl_get_u32(o, "cpu", &l->cpu, ret_why) < 0 ||
	    jsonl_get_uint(o, "kseq", INT64_MAX, &l->kseq, ret_why) < 0)
		return -EBADMSG;
	for (size_t i = 0; i < sizeof(bytes); i++)
		l->ksess = l->ksess << 8 | bytes[i];
	l->has_kernel = true;
	return 0;
}

static int parse_envelope(const json_t *o, struct line *l, struct why *ret_why)
{
	const char *t;
	uint64_t v;

	if (jsonl_get_uint(o, "v", 1, &v, ret_why) < 0 ||
	    jsonl_get_uint(o, "seq", INT64_MAX, &l->seq, ret_why) < 0 ||
	    jsonl_get_str(o, "t", CLOCK_TEXT_SIZE, &t, ret_why) < 0 ||
	    jsonl_get_uint(o, "bt", INT64_MAX, &l->boot_ns, ret_why) < 0 ||
	    jsonl_get_str(o, "boot", 36, &l->boot, ret_why) < 0 ||
	    jsonl_get_str(o, "src", 32, &l->src, ret_why) < 0 ||
	    jsonl_get_str(o, "type", 32, &l->type_name, ret_why) < 0)
		return -EBADMSG;
	if (clock_from_text(t, &l->utc_ns) < 0)
		return why_set(ret_why, -EBADMSG, "\"t\" is no UTC time with nine decimals");
	l->type = (enum plumb_type)terms_type_from_name(l->type_name);
	return parse_kernel(o, l, ret_why);
}

static int parse_judgement(json_t *o, struct line *l, struct why *ret_why)
{
	const char *judge = NULL;
	int r = optional_str(o, "judge", 16, &judge, ret_why);

	if (r < 0 || !judge)
		return r;
	l->judgement = (enum plumb_judgement)terms_judgement_from_name(judge);
	if (!l->judgement)
		return why_set(ret_why, -EBADMSG, "\"judge\" is none of ok, drift, unjudged");
	if (jsonl_get_u32(o, "jv", &l->judge_version, ret_why) < 0 ||
	    jsonl_get_uint(o, "bv", INT64_MAX, &l->baseline_version, ret_why) < 0)
		return -EBADMSG;
	return l->judgement == PLUMB_JUDGE_DRIFT
		       ? jsonl_get_path(o, "expected", LINE_MAX_VALUE, &l->expected, ret_why)
		       : 0;
}

/* Names that we do not know are of a release to come. */
static int parse_left_out(const json_t *o, struct line *l, struct why *ret_why)
{
	json_t *list, *item;
	size_t i;
	int r = json_object_get(o, "left_out")
			? jsonl_get_array(o, "left_out", LINE_MAX_LEFT_OUT, &list, ret_why)
			: -ENOENT;

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	json_array_foreach (list, i, item) {
		if (!json_is_string(item))
			return why_set(ret_why, -EBADMSG, "\"left_out\" is no list of names");
		for (size_t k = 0; k < N_PARTS; k++)
			if (strcmp(json_string_value(item), parts[k].name) == 0)
				l->left_out |= parts[k].part;
	}
	return 0;
}

static int parse_measurement(json_t *o, struct line *l, struct why *ret_why)
{
	if (jsonl_get_str(o, "scope", 256, &l->scope, ret_why) < 0 ||
	    jsonl_get_path(o, "key", LINE_MAX_KEY * 3, &l->key, ret_why) < 0 ||
	    jsonl_get_path(o, "found", LINE_MAX_VALUE * 3, &l->found, ret_why) < 0 ||
	    optional_str(o, "op", 32, &l->op, ret_why) < 0 ||
	    optional_str(o, "other", LINE_MAX_KEY * 3, &l->other, ret_why) < 0 ||
	    optional_str(o, "before", LINE_MAX_VALUE * 3, &l->before, ret_why) < 0 ||
	    optional_str(o, "diff", LINE_MAX_VALUE * 3, &l->diff, ret_why) < 0 ||
	    optional_str(o, "hash_src", 32, &l->hash_src, ret_why) < 0 ||
	    optional_str(o, "name", LINE_MAX_KEY * 3, &l->name, ret_why) < 0 ||
	    optional_word(o, "layer", LOWER, 16, &l->layer, ret_why) < 0 ||
	    (json_object_get(o, "times") && jsonl_get_u32(o, "times", &l->times, ret_why) < 0))
		return -EBADMSG;
	if (parse_judgement(o, l, ret_why) < 0)
		return -EBADMSG;
	if (parse_actor(o, l, ret_why) < 0)
		return -EBADMSG;
	return parse_left_out(o, l, ret_why);
}

int line_parse(const void *data, size_t size, json_t **ret_json, struct line *ret,
	       struct why *ret_why)
{
	struct line l = {.seq = 0};
	json_t *o = NULL;
	int r = jsonl_parse(data, size, LINE_MAX_SIZE, &o, ret_why);

	if (r < 0)
		return r;
	r = parse_envelope(o, &l, ret_why);
	if (r >= 0 && terms_type_is_measurement(l.type))
		r = parse_measurement(o, &l, ret_why);
	if (r < 0) {
		json_decref(o);
		return r;
	}
	*ret_json = o;
	*ret = l;
	return 0;
}
