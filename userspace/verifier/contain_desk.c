/* SPDX-License-Identifier: Apache-2.0 */
#include "contain_desk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "contain.h"
#include "jsonl.h"
#include "log.h"

#define UNDO "contain_undo"
#define MAX_SETTING 4096

static const struct store *store_of(const struct action_desk *d)
{
	return d->v->store;
}

static int set_object(const struct action_desk *d, const char *setting,
		      const struct contain_word *w, const char *rule, uint64_t since_ns)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct jsonl j;

	jsonl_begin(&j, &b);
	jsonl_str(&j, "by", w->by);
	jsonl_str(&j, "reason", w->reason);
	jsonl_uint(&j, "at", clock_utc_ns(d->v->clock));
	jsonl_str(&j, "rule", rule);
	jsonl_uint(&j, "since", since_ns);
	jsonl_end(&j);
	if (buf_status(&b) < 0)
		return buf_status(&b);
	return store_of(d)->ops->setting_put(store_of(d)->ctx, setting, (char *)b.data);
}

/* NULL: it is not set. */
static int get_object(const struct action_desk *d, const char *setting, json_t **ret)
{
	CLEANUP(buf_done) struct buf b = {0};
	int r = store_of(d)->ops->setting_get(store_of(d)->ctx, setting, &b);

	*ret = NULL;
	if (r == -ENOENT || (r >= 0 && (b.size == 0 || !b.data[0])))
		return 0;
	return r < 0 ? r : jsonl_parse(b.data, strlen((char *)b.data), MAX_SETTING, ret, NULL);
}

static int pause_all(const struct contain_word *w, struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *now = NULL;
	int r = get_object(w->desk, CONTAIN_PAUSE, &now);

	if (r < 0)
		return r;
	if (now)
		return why_set(ret_why, 409, "containment is paused already");
	snprintf(w->ret_text, w->size,
		 "containment is paused: nothing is added anywhere, what is released is taken off");
	snprintf(w->ret_undo, w->size, "plumbctl contain resume --reason=…");
	return set_object(w->desk, CONTAIN_PAUSE, w, "", 0);
}

static int go_on(const struct contain_word *w, struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *now = NULL;
	int r = get_object(w->desk, CONTAIN_PAUSE, &now);

	if (r < 0)
		return r;
	if (!now)
		return why_set(ret_why, 409, "containment is not paused");
	if (w->desk->contain)
		contain_again(w->desk->contain);
	snprintf(w->ret_text, w->size,
		 "containment goes on: what is wanted is done now, as far as the brakes let it");
	snprintf(w->ret_undo, w->size, "plumbctl contain pause --reason=…");
	return store_of(w->desk)->ops->setting_put(store_of(w->desk)->ctx, CONTAIN_PAUSE, "");
}

/* Open cases of a rule, younger than a time, that nobody took back yet. */
struct caused {
	const char *rule;
	uint64_t since_ns;
	uint64_t ids[256];
	uint32_t n;
};

static int on_case(void *ctx, const struct store_case *k)
{
	struct caused *c = ctx;

	if (strcmp(k->rule, c->rule) == 0 && k->opened_ns >= c->since_ns && k->armed &&
	    k->action >= PLUMB_ACTION_HOLD && c->n < ARRAY_SIZE(c->ids))
		c->ids[c->n++] = k->id;
	return 0;
}

static int find_caused(const struct action_desk *d, const char *node, struct caused *c)
{
	int r;

	c->n = 0;
	r = store_of(d)->ops->case_each(store_of(d)->ctx, node, true, on_case, c);
	return r < 0 ? r : 0;
}

/* How many contained nodes it is about; names of the first of them. */
static int count_caused(const struct action_desk *d, struct caused *c, uint32_t *ret_n,
			char *ret_names, size_t size)
{
	struct contain_book *b = contain_book(d->contain);
	int r = 0;

	*ret_n = 0;
	ret_names[0] = 0;
	for (uint32_t i = 0; r >= 0 && i < contain_book_n(b); i++) {
		const struct contain_entry *e = contain_book_at(b, i);

		if (!contain_book_wants(e))
			continue;
		r = find_caused(d, e->id, c);
		if (r < 0 || c->n == 0)
			continue;
		if (++*ret_n <= 10)
			snprintf(ret_names + strlen(ret_names), size - strlen(ret_names), "%s%.40s",
				 *ret_n > 1 ? ", " : "", e->label[0] ? e->label : e->id);
	}
	return r;
}

static int undo(const struct contain_word *w, struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *now = NULL;
	struct caused *c = calloc(1, sizeof(*c));
	char rule[65] = "", since[40] = "", flag[16] = "", names[512];
	uint64_t since_ns = 0;
	bool dry;
	uint32_t n;
	int r = c ? 0 : -ENOMEM;

	if (r >= 0 &&
	    (sscanf(w->value, "%64s %39s %15s", rule, since, flag) < 2 ||
	     clock_from_text(since, &since_ns) < 0 || (flag[0] && strcmp(flag, "dry-run") != 0)))
		r = why_set(ret_why, 400, "value is not \"RULE SINCE [dry-run]\"");
	if (r == 0 && !w->desk->contain)
		r = why_set(ret_why, 409, "nothing is contained here");
	if (r == 0)
		r = get_object(w->desk, UNDO, &now);
	if (r == 0 && now)
		r = why_set(ret_why, 409, "another undo is still going on: plumbctl contain show");
	if (r == 0) {
		*c = (struct caused){.rule = rule, .since_ns = since_ns};
		r = count_caused(w->desk, c, &n, names, sizeof(names));
	}
	free(c);
	if (r != 0)
		return r;
	dry = flag[0] != 0;
	if (n == 0)
		return why_set(ret_why, 404,
			       "no contained node has an open case of rule %s since then", rule);
	snprintf(w->ret_text, w->size, "%s%u node%s by rule %s, %d a second: %.200s%s",
		 dry ? "would undo " : "undoes ", n, n == 1 ? "" : "s", rule,
		 CONTAIN_DESK_UNDO_A_SECOND, names, n > 10 ? ", …" : "");
	snprintf(w->ret_undo, w->size,
		 "none: other drift by that rule contains again; disarm it when it is wrong");
	return dry ? 0 : set_object(w->desk, UNDO, w, rule, since_ns);
}

int contain_desk_do(const struct contain_word *w, struct why *ret_why)
{
	switch (w->kind) {
	case ACTION_CONTAIN_PAUSE:
		return pause_all(w, ret_why);
	case ACTION_CONTAIN_RESUME:
		return go_on(w, ret_why);
	default:
		return undo(w, ret_why);
	}
}

/* Its cases stay open, so it is degraded and not trusted; they ask for nothing any more. */
static int disarm(const struct action_desk *d, const struct caused *c, const char *by)
{
	const struct store *s = store_of(d);
	struct store_case *k = malloc(sizeof(*k));
	int r = k ? 0 : -ENOMEM;

	for (uint32_t i = 0; r >= 0 && i < c->n; i++) {
		r = s->ops->case_get(s->ctx, c->ids[i], k);
		if (r < 0)
			break;
		k->armed = false;
		snprintf(k->ack_by, sizeof(k->ack_by), "%s", by);
		r = s->ops->case_put(s->ctx, k);
	}
	free(k);
	return r;
}

static int undo_node(const struct action_desk *d, const char *id, const struct caused *c,
		     const char *by, const char *reason)
{
	const struct store *s = store_of(d);
	struct store_node n = {.incarnation = 0};
	char cause[256];
	int r = s->ops->begin(s->ctx);

	if (r < 0)
		return r;
	snprintf(cause, sizeof(cause), "what %.64s did is undone by %.40s: %.80s", c->rule, by,
		 reason);
	r = s->ops->node_get(s->ctx, id, &n);
	if (r >= 0)
		r = disarm(d, c, by);
	if (r >= 0)
		r = intake_derive(d->intake, &n, cause, by, reason);
	if (r >= 0)
		r = s->ops->node_put(s->ctx, &n);
	store_node_done(&n);
	if (r >= 0)
		return s->ops->commit(s->ctx);
	s->ops->rollback(s->ctx);
	return r;
}

static int end_undo(const struct action_desk *d, const char *by, const char *rule)
{
	static const struct digest none;
	const struct store *s = store_of(d);
	char result[128];
	int r = s->ops->begin(s->ctx);

	if (r < 0)
		return r;
	snprintf(result, sizeof(result), "all that rule %.64s caused is undone", rule);
	r = s->ops->setting_put(s->ctx, UNDO, "");
	if (r >= 0)
		r = action_desk_log(d, by, "contain_undone", "", "", &none, result);
	if (r >= 0)
		r = vlog_sync(d->v->vlog);
	if (r >= 0)
		return s->ops->commit(s->ctx);
	s->ops->rollback(s->ctx);
	return r;
}

static int undo_some(const struct action_desk *d, struct caused *c, const char *by,
		     const char *reason)
{
	struct contain_book *b = contain_book(d->contain);
	uint32_t done = 0;
	int r = 0;

	for (uint32_t i = 0; r >= 0 && i < contain_book_n(b); i++) {
		const struct contain_entry *e = contain_book_at(b, i);

		if (!contain_book_wants(e))
			continue;
		r = find_caused(d, e->id, c);
		if (r < 0 || c->n == 0)
			continue;
		if (done++ == CONTAIN_DESK_UNDO_A_SECOND)
			return 1;
		r = undo_node(d, e->id, c, by, reason);
	}
	return r < 0 ? r : 0;
}

int contain_desk_tick(const struct action_desk *d)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	struct caused *c;
	char by[128], reason[WIRE_MAX_REASON + 1], rule[65];
	int r = d->contain ? get_object(d, UNDO, &o) : 0;

	if (r < 0 || !o)
		return r;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	r = jsonl_get_text(o, "by", by, sizeof(by), NULL);
	if (r >= 0)
		r = jsonl_get_text(o, "reason", reason, sizeof(reason), NULL);
	if (r >= 0)
		r = jsonl_get_text(o, "rule", rule, sizeof(rule), NULL);
	if (r >= 0)
		r = jsonl_get_uint(o, "since", INT64_MAX, &c->since_ns, NULL);
	c->rule = rule;
	if (r >= 0)
		r = undo_some(d, c, by, reason);
	if (r == 0)
		r = end_undo(d, by, rule);
	free(c);
	if (r >= 0)
		contain_kick(d->contain);
	return r < 0 ? r : 0;
}

static void put_who(struct jsonl *j, const char *key, const json_t *o)
{
	char at[CLOCK_TEXT_SIZE];
	const char *by = json_string_value(json_object_get(o, "by"));
	const char *reason = json_string_value(json_object_get(o, "reason"));
	const char *rule = json_string_value(json_object_get(o, "rule"));

	if (!o) {
		jsonl_null(j, key);
		return;
	}
	clock_text((uint64_t)json_integer_value(json_object_get(o, "at")), at);
	jsonl_object(j, key);
	jsonl_str(j, "by", by ? by : "");
	jsonl_str(j, "reason", reason ? reason : "");
	jsonl_str(j, "rule", rule ? rule : "");
	jsonl_str(j, "at", at);
	jsonl_close(j);
}

static void put_node(struct jsonl *j, const struct contain_entry *e)
{
	char since[CLOCK_TEXT_SIZE];

	clock_text(e->since_ns, since);
	jsonl_object(j, NULL);
	jsonl_str(j, "id", e->id);
	jsonl_str(j, "label", e->label);
	jsonl_str(j, "kube_name", e->kube_name);
	jsonl_str(j, "wanted", terms_containment_name(e->containment));
	jsonl_str(j, "held_back", brakes_name(e->held_back));
	jsonl_str(j, "why", brakes_text(e->held_back));
	jsonl_str(j, "since", since);
	jsonl_close(j);
}

/* One that is held, and not quarantined while all is stopped, is in both lists. */
static void put_nodes(struct jsonl *j, const char *key, struct contain_book *b, bool held_back)
{
	uint32_t n = 0;

	jsonl_array(j, key);
	for (uint32_t i = 0; i < contain_book_n(b) && n < STORE_MAX_LIST; i++) {
		const struct contain_entry *e = contain_book_at(b, i);

		if (!contain_book_wants(e) || !(held_back ? !e->let || e->held_back : e->let))
			continue;
		put_node(j, e);
		n++;
	}
	jsonl_close(j);
}

int contain_desk_view(const struct action_desk *d, struct buf *ret)
{
	CLEANUP(jsonl_decref_p) json_t *paused = NULL, *undoing = NULL;
	struct contain_held h;
	struct why why = {""};
	struct jsonl j;
	int r = get_object(d, CONTAIN_PAUSE, &paused);

	if (r >= 0)
		r = get_object(d, UNDO, &undoing);
	if (r < 0)
		return r;
	jsonl_begin(&j, ret);
	put_who(&j, "paused", paused);
	put_who(&j, "undoing", undoing);
	if (d->contain) {
		contain_held(d->contain, &h);
		jsonl_bool(&j, "dry_run", h.dry_run);
		jsonl_uint(&j, "nodes", h.nodes);
		jsonl_uint(&j, "limit", h.limit);
		jsonl_bool(&j, "watching", contain_watches(d->contain, &why));
		jsonl_str(&j, "watch_error", why.text);
		put_nodes(&j, "contained", contain_book(d->contain), false);
		put_nodes(&j, "held_back", contain_book(d->contain), true);
	}
	jsonl_end(&j);
	return buf_status(ret);
}
