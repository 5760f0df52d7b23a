/* SPDX-License-Identifier: Apache-2.0 */
#include "incident_timeline.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "clock.h"
#include "dsse.h"
#include "incident_files.h"
#include "jsonl.h"
#include "ledger_check.h"
#include "line.h"
#include "plumb/wire.h"

#define MAX_LOG (512u << 20)
#define MAX_STATEMENT (64u << 20)
#define MAX_WORD 200 /* bytes of a member that is told in words */

struct making {
	struct incident_timeline *t;
	char last_verdict[64];
	struct why *why;
};

static const char *text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "";
}

static int add(struct incident_timeline *t, struct incident_entry e, struct buf *text)
{
	struct incident_entry *more;

	if (buf_status(text) < 0)
		return buf_status(text);
	if (t->n == INCIDENT_MAX_ENTRIES) {
		t->left_out++;
		return 0;
	}
	if (t->n == t->max) {
		t->max = t->max ? t->max * 2 : 256;
		more = realloc(t->entries, t->max * sizeof(*more));
		if (!more)
			return -ENOMEM;
		t->entries = more;
	}
	buf_puts(text, "");
	e.text = text->data ? buf_take(text) : strdup("");
	if (!e.text)
		return -ENOMEM;
	t->entries[t->n++] = e;
	return 0;
}

static void count(struct incident_timeline *t, const char *type)
{
	for (uint32_t i = 0; i < t->n_types; i++)
		if (strncmp(t->types[i].type, type, sizeof(t->types[i].type) - 1) == 0) {
			t->types[i].n++;
			return;
		}
	if (t->n_types == INCIDENT_MAX_TYPES)
		return;
	snprintf(t->types[t->n_types].type, sizeof(t->types[0].type), "%s", type);
	t->types[t->n_types++].n = 1;
}

/* Members that are no envelope, "name value, …": what stands in a record of any kind. */
static void put_members(struct buf *b, const json_t *o)
{
	static const char *const envelope[] = {"v",    "seq",	"t",	 "bt",	    "boot",
					       "src",  "type",	"ksess", "cpu",	    "kseq",
					       "node", "label", "ear",	 "envelope"};
	const char *name, *sep = "";
	json_t *value;

	json_object_foreach ((json_t *)o, name, value) {
		bool skip = false;

		for (size_t i = 0; i < ARRAY_SIZE(envelope); i++)
			skip |= strcmp(envelope[i], name) == 0;
		if (skip || json_is_object(value) || json_is_null(value))
			continue;
		if (json_is_string(value) &&
		    (json_string_length(value) == 0 || json_string_length(value) > MAX_WORD))
			continue;
		if (json_is_string(value))
			buf_printf(b, "%s%.64s %s", sep, name, json_string_value(value));
		else if (json_is_integer(value))
			buf_printf(b, "%s%.64s %" JSON_INTEGER_FORMAT, sep, name,
				   json_integer_value(value));
		else if (json_is_boolean(value))
			buf_printf(b, "%s%.64s %s", sep, name, json_is_true(value) ? "yes" : "no");
		else
			continue;
		sep = ", ";
	}
}

static void put_actor(struct buf *b, const struct line *l)
{
	const struct line_actor *a = &l->actor;

	if (!l->has_actor)
		return;
	if (!a->known)
		buf_puts(b, "; by unknown");
	else
		buf_printf(b, "; by %s (pid %u, uid %u%s%s)",
			   a->exe    ? a->exe
			   : a->comm ? a->comm
				     : "?",
			   a->pid, a->uid, a->container ? ", container " : "",
			   a->container ? a->container : "");
}

static void put_measurement(struct buf *b, const struct line *l)
{
	buf_printf(b, "%s", l->key);
	if (l->op)
		buf_printf(b, " (%s)", l->op);
	if (l->judgement == PLUMB_JUDGE_DRIFT)
		buf_printf(b, ": expected %s, found %s", l->expected ? l->expected : "?", l->found);
	else
		buf_printf(b, ": %s", l->found);
	if (l->before)
		buf_printf(b, ", before %s", l->before);
	if (l->times > 1)
		buf_printf(b, ", %u times", l->times);
	put_actor(b, l);
}

static enum incident_tone tone_of(const struct line *l)
{
	if (l->judgement == PLUMB_JUDGE_DRIFT)
		return INCIDENT_BAD;
	switch (l->type) {
	case PLUMB_TYPE_GUARD:
	case PLUMB_TYPE_GAP:
	case PLUMB_TYPE_LOST:
	case PLUMB_TYPE_STOP:
	case PLUMB_TYPE_ISOLATION:
		return INCIDENT_WARN;
	default:
		return INCIDENT_PLAIN;
	}
}

/* What is as it should be, and what is bookkeeping, is counted alone. */
static bool is_told(const struct line *l)
{
	switch (l->type) {
	case PLUMB_TYPE_GUARD:
	case PLUMB_TYPE_LOAD:
	case PLUMB_TYPE_MODULE:
	case PLUMB_TYPE_SURFACE:
	case PLUMB_TYPE_START:
	case PLUMB_TYPE_STOP:
	case PLUMB_TYPE_GAP:
	case PLUMB_TYPE_EPOCH:
	case PLUMB_TYPE_LOST:
	case PLUMB_TYPE_ORDER:
	case PLUMB_TYPE_BASELINE:
	case PLUMB_TYPE_PRUNED:
	case PLUMB_TYPE_ISOLATION:
	case PLUMB_TYPE_UNKNOWN:
		return true;
	default:
		return l->judgement == PLUMB_JUDGE_DRIFT;
	}
}

static int on_ledger_line(void *ctx, uint64_t seq, const char *text, size_t size)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	CLEANUP(buf_done) struct buf b = {0};
	struct making *k = ctx;
	struct line l;
	struct incident_entry e = {.seq = seq};
	int r = line_parse(text, size, &o, &l, NULL);

	if (r < 0) {
		count(k->t, "(unreadable)");
		return r == -ENOMEM ? r : 0;
	}
	count(k->t, l.type_name);
	if (seq >= k->t->m->end || !is_told(&l))
		return 0;
	e.utc_ns = l.utc_ns;
	e.tone = tone_of(&l);
	snprintf(e.kind, sizeof(e.kind), "%s",
		 l.judgement == PLUMB_JUDGE_DRIFT ? "drift" : l.type_name);
	if (l.key && l.found)
		put_measurement(&b, &l);
	else
		put_members(&b, o);
	return add(k->t, e, &b);
}

/* Verdicts come with each evidence: news is what differs. */
static bool repeats(struct making *k, const json_t *o)
{
	char now[64];

	snprintf(now, sizeof(now), "%.20s %.20s %" JSON_INTEGER_FORMAT, text_of(o, "appraisal"),
		 text_of(o, "action"), json_integer_value(json_object_get(o, "open")));
	if (strcmp(now, k->last_verdict) == 0)
		return true;
	memcpy(k->last_verdict, now, sizeof(now));
	return false;
}

static void put_transition(struct buf *b, const json_t *o, struct incident_entry *e)
{
	const char *to = text_of(o, "to");
	json_t *deed;
	size_t i;

	buf_printf(b, "%s -> %s: %s", text_of(o, "from"), to, text_of(o, "cause"));
	if (text_of(o, "operator")[0])
		buf_printf(b, "; by %s: %s", text_of(o, "operator"), text_of(o, "reason"));
	if (text_of(o, "rule")[0])
		buf_printf(b, "; rule %s, case %" JSON_INTEGER_FORMAT, text_of(o, "rule"),
			   json_integer_value(json_object_get(o, "case")));
	json_array_foreach (json_object_get(o, "deeds"), i, deed)
		buf_printf(b, "%s%s", i == 0 ? "; deeds: " : ", ",
			   json_is_string(deed) ? json_string_value(deed) : "?");
	e->tone = strcmp(to, "trusted") == 0 ? INCIDENT_GOOD
		  : strcmp(to, "quarantined") == 0 || strcmp(to, "held") == 0 ||
				  strcmp(to, "forked") == 0 || strcmp(to, "revoked") == 0
			  ? INCIDENT_BAD
			  : INCIDENT_WARN;
}

static int log_line(struct making *k, const char *text, size_t size)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	CLEANUP(buf_done) struct buf b = {0};
	struct incident_entry e = {.verifier = true};
	const char *type;
	int r = jsonl_parse(text, size, WIRE_MAX_LINE, &o, k->why);

	if (r >= 0)
		r = jsonl_get_uint(o, "seq", INT64_MAX, &e.seq, k->why);
	if (r < 0)
		return r == -ENOMEM ? r : -EBADMSG;
	clock_from_text(text_of(o, "t"), &e.utc_ns);
	type = text_of(o, "type");
	snprintf(e.kind, sizeof(e.kind), "%s", type);
	if (strcmp(type, "head") == 0 || (strcmp(type, "verdict") == 0 && repeats(k, o)))
		return 0;
	if (strcmp(type, "transition") == 0)
		put_transition(&b, o, &e);
	else if (strcmp(type, "action") == 0)
		buf_printf(&b, "%s: %s: %s (%s)", text_of(o, "operator"), text_of(o, "action"),
			   text_of(o, "reason"), text_of(o, "result"));
	else
		put_members(&b, o);
	return add(k->t, e, &b);
}

static int read_log(struct making *k, const char *dir)
{
	CLEANUP(buf_done) struct buf all = {0};
	const char *at, *stop, *lf;
	int r = incident_files_read(dir, "log/lines.jsonl", MAX_LOG, &all);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	at = (const char *)all.data;
	stop = at + all.size;
	for (r = 0; at < stop && r >= 0; at = lf + 1) {
		lf = memchr(at, '\n', (size_t)(stop - at));
		if (!lf)
			return why_set(k->why, -EBADMSG, "log/lines.jsonl is cut short");
		r = log_line(k, at, (size_t)(lf - at));
	}
	return r;
}

static int read_statement(struct making *k, const char *dir)
{
	CLEANUP(buf_done) struct buf envelope = {0}, payload = {0}, type = {0};
	int r = incident_files_read(dir, "statement.dsse", MAX_STATEMENT, &envelope);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = dsse_peek(envelope.data, envelope.size, MAX_STATEMENT, &payload, &type, k->why);
	return r < 0 ? r
		     : jsonl_parse(payload.data, payload.size, MAX_STATEMENT, &k->t->statement,
				   k->why);
}

static int by_time(const void *a, const void *b)
{
	const struct incident_entry *x = a, *y = b;

	if (x->utc_ns != y->utc_ns)
		return x->utc_ns < y->utc_ns ? -1 : 1;
	if (x->verifier != y->verifier)
		return x->verifier ? 1 : -1;
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static int by_type(const void *a, const void *b)
{
	return strcmp(((const struct incident_count *)a)->type,
		      ((const struct incident_count *)b)->type);
}

static void settle(struct incident_timeline *t)
{
	if (t->n > 0) {
		qsort(t->entries, t->n, sizeof(*t->entries), by_time);
		t->shown_from_ns = t->entries[0].utc_ns;
		t->shown_to_ns = t->entries[t->n - 1].utc_ns;
	}
	qsort(t->types, t->n_types, sizeof(t->types[0]), by_type);
}

int incident_timeline_open(const char *dir, const struct incident_manifest *m,
			   struct incident_timeline **ret, struct why *ret_why)
{
	struct incident_timeline *t = calloc(1, sizeof(*t));
	struct making k = {.t = t, .why = ret_why};
	char ledger[PATH_MAX];
	int r = t ? 0 : -ENOMEM;

	ret_why->text[0] = 0;
	if (r >= 0 && snprintf(ledger, sizeof(ledger), "%s/ledger", dir) >= (int)sizeof(ledger))
		r = -ENAMETOOLONG;
	if (r >= 0) {
		t->m = m;
		r = ledger_check_each(fsio_system(), ledger, 0, on_ledger_line, &k, ret_why);
	}
	if (r >= 0)
		r = read_log(&k, dir);
	if (r >= 0)
		r = read_statement(&k, dir);
	if (r < 0) {
		if (!ret_why->text[0])
			why_set(ret_why, r, "timeline: %s", strerror(-r));
		incident_timeline_free(t);
		return r;
	}
	settle(t);
	*ret = t;
	return 0;
}

struct incident_timeline *incident_timeline_free(struct incident_timeline *t)
{
	if (!t)
		return NULL;
	for (uint32_t i = 0; i < t->n; i++)
		free(t->entries[i].text);
	free(t->entries);
	json_decref(t->statement);
	free(t);
	return NULL;
}
