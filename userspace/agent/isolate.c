/* SPDX-License-Identifier: Apache-2.0 */
#include "isolate.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "isolate_outcome.h"
#include "isolate_verifier.h"
#include "jsonl.h"
#include "log.h"
#include "release_door.h"
#include "release_order.h"

struct isolate {
	struct isolate_options o;
	struct isolate_parts parts;
	struct isolate_cut *cut;
	struct isolate_verifier verifier;
	struct release_door *door;
	struct event *timer;
	struct isolate_state state; /* number 0: it is not isolated */
	struct isolate_outcome early; /* of isolate_open() */
	uint64_t told_ns; /* boot time of the last line that something was put back */
	uint32_t n_back; /* since then */
	uint32_t blind; /* checks in a row that could tell nothing */
	uint32_t rest; /* exec, freeze: wished, and not in force yet */
	bool unkept; /* the disk has not taken yet what it is, or that it is none any more */
	bool uncut; /* the network could not be cut when it was to be: told once it is */
};

static const struct isolate_means *means_of(const struct isolate *i, uint32_t way)
{
	return way == ISOLATE_EXEC ? &i->parts.exec : &i->parts.freeze;
}

static int set_way(struct isolate *i, uint32_t way, bool on, struct why *ret_why)
{
	const struct isolate_means *m = means_of(i, way);
	int r;

	if (way == ISOLATE_NETWORK)
		return on ? isolate_cut_on(i->cut, &i->state, ret_why)
			  : isolate_cut_off(i->cut, &i->state, ret_why);
	/* What this agent has not is not in force under it either. */
	if (!m->begin)
		return on ? why_set(ret_why, -ENOTSUP, "not in this agent") : 0;
	if (!on)
		return m->end(m->ctx, &i->state, ret_why);
	r = m->begin(m->ctx, &i->state, ret_why);
	/* What this kernel never has is not waited for. */
	i->rest = r < 0 && r != -ENOTSUP ? i->rest | way : i->rest & ~way;
	return r;
}

static void do_way(struct isolate *i, uint32_t way, bool on, struct isolate_outcome *o)
{
	struct why *why = &o->why[isolate_outcome_place(way)];
	bool part;
	int r;

	why->text[0] = '\0';
	r = set_way(i, way, on, why);
	if (r < 0 && !why->text[0])
		why_set(why, r, "%s", strerror(-r));
	part = way == ISOLATE_NETWORK && r == ISOLATE_CUT_PART;
	if (way == ISOLATE_NETWORK)
		i->uncut = on && r < 0;
	o->done |= r < 0 ? 0 : way;
	o->cannot |= r < 0 || part ? way : 0;
	if (part)
		log_warning("isolation way=network begin=\"in part\" error=\"%s\"", why->text);
	if (r < 0)
		log_error("isolation way=%s %s=failed error=\"%s\" next=\"the other ways go on\"",
			  isolate_state_way(way), on ? "begin" : "end", why->text);
}

static void do_ways(struct isolate *i, uint32_t ways, bool on, struct isolate_outcome *o)
{
	for (uint32_t way = 1; way <= ISOLATE_ALL_WAYS; way <<= 1)
		if (ways & way)
			do_way(i, way, on, o);
}

/* Members of an `isolation` line: docs/ledger.md. */
static void write_line(struct isolate *i, const char *what, const struct isolate_cause *cause,
		       const struct isolate_outcome *o)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct jsonl j = {.buf = &b};
	int r;

	jsonl_str(&j, "what", what);
	jsonl_uint(&j, "number", i->state.number);
	jsonl_str(&j, "by", cause->by);
	jsonl_uint(&j, "order", cause->order);
	if (cause->key)
		jsonl_str(&j, "operator", cause->key);
	jsonl_str(&j, "case", cause->case_id);
	jsonl_str(&j, "reason", cause->reason);
	isolate_state_ways(&j, "done", o->done);
	isolate_outcome_cannot(&j, o);
	jsonl_bool(&j, "kept", !o->unkept);
	r = buf_status(&b);
	if (r >= 0)
		r = ledger_writer_record(i->parts.writer, PLUMB_TYPE_ISOLATION, "agent",
					 (char *)b.data);
	if (r < 0)
		log_error("isolation line=unwritten what=%s error=\"%s\"", what, strerror(-r));
	else
		commit_appended(ledger_writer_commit(i->parts.writer), true);
}

static struct isolate_cause cause_of(const struct isolate_state *s)
{
	return (struct isolate_cause){s->by, s->order, s->case_id, s->reason, NULL};
}

/* Said where somebody at the console finds it: what a release must name. */
static void tell_console(const struct isolate *i, const char *what)
{
	log_warning("isolation=%s number=%" PRIu64 " by=%s reason=\"%s\" "
		    "undo=\"plumbctl node release, or offline: plumbctl release-order "
		    "--number=%" PRIu64 "\"",
		    what, i->state.number, i->state.by, i->state.reason, i->state.number);
}

/* What the disk does not take now is tried each second: the ledger may have the order by then, and nobody gives it again. */
static bool keep(struct isolate *i)
{
	int r = i->state.number ? isolate_state_keep(i->o.io, i->o.state_dir, &i->state)
				: isolate_state_remove(i->o.io, i->o.state_dir);

	if (r < 0 && !i->unkept)
		log_error("isolation state=unkept error=\"%s\" next=\"tried on\"", strerror(-r));
	i->unkept = r < 0;
	return r >= 0;
}

static void watch(struct isolate *i)
{
	const struct timeval every = {ISOLATE_CHECK_MS / 1000, ISOLATE_CHECK_MS % 1000 * 1000};

	if (i->timer && (i->unkept || isolate_is(i)))
		event_add(i->timer, &every);
	else if (i->timer)
		event_del(i->timer);
}

bool isolate_is(const struct isolate *i)
{
	return i->state.number != 0;
}

uint32_t isolate_may(const struct isolate *i)
{
	return i ? i->o.armed | i->state.ways : 0;
}

static bool is_cut(const struct isolate *i)
{
	return isolate_is(i) && i->state.ways & ISOLATE_NETWORK;
}

void isolate_heard(struct isolate *i, const char *address)
{
	if (isolate_may(i) & ISOLATE_NETWORK &&
	    isolate_verifier_heard(&i->verifier, is_cut(i) ? &i->state : NULL, address))
		(void)keep(i);
}

const char *isolate_where(struct isolate *i, bool failed)
{
	return is_cut(i) ? isolate_verifier_at(&i->verifier, &i->state, failed) : NULL;
}

/* One that was released is over, whatever of it could not be undone: what is ordered then is another, with a number of its own. */
static bool is_in_force(const struct isolate *i)
{
	return isolate_is(i) && !i->state.releasing;
}

static int begin_state(struct isolate *i, const struct isolate_cause *cause, uint32_t ways)
{
	struct isolate_state *s = &i->state;
	struct why why;
	int r;

	if (!is_in_force(i)) {
		r = isolate_state_number(&s->number);
		if (r < 0)
			return r;
		s->since_ns = clock_utc_ns(i->o.clock);
		s->n_verifier = 0;
	}
	s->releasing = false;
	s->ways |= ways;
	s->order = cause->order;
	snprintf(s->by, sizeof(s->by), "%s", cause->by);
	snprintf(s->case_id, sizeof(s->case_id), "%s", cause->case_id);
	snprintf(s->reason, sizeof(s->reason), "%s", cause->reason);
	if (ways & ISOLATE_NETWORK && isolate_verifier_begin(&i->verifier, s, &why) < 0)
		log_error("isolation verifier=unfound error=\"%s\"", why.text);
	/* What cannot be made is told when it is tried. */
	if (ways & ISOLATE_NETWORK)
		(void)isolate_cut_mark(i->cut, s, NULL);
	return 0;
}

void isolate_begin(struct isolate *i, const struct isolate_cause *cause, uint32_t ways,
		   char ret_result[ISOLATE_RESULT])
{
	bool again = is_in_force(i);
	struct isolate_outcome o = {.done = 0};
	int r;

	ways &= i->o.armed;
	if (ways == 0) {
		snprintf(ret_result, ISOLATE_RESULT,
			 "noted: the settings arm no way to isolate this node");
		return;
	}
	r = begin_state(i, cause, ways);
	if (r < 0) {
		snprintf(ret_result, ISOLATE_RESULT, "refused: %s", strerror(-r));
		return;
	}
	/* On the disk first: what is done is found again, whenever the power goes. */
	(void)keep(i);
	do_ways(i, ways, true, &o);
	if (i->state.n_frozen > 0)
		(void)keep(i);
	o.unkept = i->unkept;
	tell_console(i, again ? "again" : "begun");
	write_line(i, again ? "again" : "begun", cause, &o);
	isolate_outcome_result(&o, ret_result, ISOLATE_RESULT);
	watch(i);
	if (i->parts.snapshot && !again)
		(void)i->parts.snapshot(i->parts.ctx, i->state.number);
	if (i->parts.evidence)
		i->parts.evidence(i->parts.evidence_ctx);
}

/* What cannot be undone now is tried each second, and by the next start: a node must not be cut off again by what was to free it. */
static void end(struct isolate *i, const struct isolate_cause *cause, struct isolate_outcome *o)
{
	do_ways(i, i->state.ways, false, o);
	/* Last, so that a stop before it leaves what the next start still has to do. */
	i->unkept = !o->cannot && isolate_state_remove(i->o.io, i->o.state_dir) < 0;
	o->unkept = o->cannot || i->unkept;
	tell_console(i, o->unkept ? "released in part" : "released");
	write_line(i, "released", cause, o);
	if (o->cannot) {
		i->state.ways = o->cannot;
		i->state.releasing = true;
		(void)keep(i);
	} else {
		i->state = (struct isolate_state){.number = 0};
	}
	i->n_back = i->blind = i->rest = 0;
	watch(i);
	if (i->parts.evidence)
		i->parts.evidence(i->parts.evidence_ctx);
}

void isolate_end(struct isolate *i, const struct isolate_cause *cause,
		 char ret_result[ISOLATE_RESULT])
{
	struct isolate_outcome o = {.done = 0};

	if (!isolate_is(i)) {
		snprintf(ret_result, ISOLATE_RESULT, "done: it was not isolated");
		return;
	}
	end(i, cause, &o);
	isolate_outcome_result(&o, ret_result, ISOLATE_RESULT);
}

/* Told when something of it is undone, not each time that nothing is. */
static void end_rest(struct isolate *i)
{
	const struct isolate_cause cause = cause_of(&i->state);
	struct isolate_outcome o = {.done = 0};
	struct why why;
	uint32_t rest = 0;

	for (uint32_t way = 1; way <= ISOLATE_ALL_WAYS; way <<= 1)
		if (i->state.ways & way && set_way(i, way, false, &why) < 0)
			rest |= way;
	if (rest != i->state.ways)
		end(i, &cause, &o);
}

/* Its line said that it cannot: nobody takes it for done before another one says that it is. */
static void tell_again(struct isolate *i, uint32_t way, bool part, const struct why *why)
{
	const struct isolate_cause cause = cause_of(&i->state);
	struct isolate_outcome o = {.done = way, .cannot = part ? way : 0};

	o.why[isolate_outcome_place(way)] = *why;
	o.unkept = i->unkept;
	tell_console(i, "again");
	write_line(i, "again", &cause, &o);
	if (i->parts.evidence)
		i->parts.evidence(i->parts.evidence_ctx);
}

/* Kubelet comes after this agent, and makes its cgroups anew; a baseline may come later. */
static void again(struct isolate *i, uint32_t way)
{
	uint32_t n_frozen = i->state.n_frozen, rest = i->rest & way;
	struct why why = {""};
	int r = set_way(i, way, true, &why);

	if (i->state.n_frozen != n_frozen)
		(void)keep(i);
	if (r >= 0 && rest)
		tell_again(i, way, false, &why);
	else if (!rest && i->rest & way)
		log_error("isolation way=%s begin=failed error=\"%s\" next=\"tried again\"",
			  isolate_state_way(way), why.text);
}

void isolate_judged(struct isolate *i)
{
	if (is_in_force(i) && i->rest & ISOLATE_EXEC)
		again(i, ISOLATE_EXEC);
}

/* Somebody took it away or changed it: drift, judged as all that is done to the agent itself is. */
static void tell_back(struct isolate *i, const char *found)
{
	const struct measure_sink *sink = ledger_writer_sink(i->parts.writer);
	uint64_t now = clock_boot_ns(i->o.clock);
	char more[48];
	struct line l = {
		.utc_ns = clock_utc_ns(i->o.clock),
		.boot_ns = now,
		.src = "agent",
		.type = PLUMB_TYPE_GUARD,
		.scope = "host",
		.key = "guard:isolation:network",
		.found = found,
	};

	i->n_back++;
	if (i->told_ns && now - i->told_ns < ISOLATE_TOLD_AGAIN_MS * UINT64_C(1000000))
		return;
	snprintf(more, sizeof(more), "%u times", i->n_back);
	l.name = i->n_back > 1 ? more : NULL;
	log_warning("isolation network=%s next=\"it is as it was again\"", found);
	sink->measurement(sink->ctx, &l);
	i->told_ns = now;
	i->n_back = 0;
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct isolate *i = ctx;
	const char *found = NULL;
	struct why why = {""};
	int r;

	(void)fd;
	(void)what;
	if (i->unkept && keep(i))
		watch(i);
	if (i->state.releasing)
		end_rest(i);
	if (is_in_force(i) && i->state.ways & ISOLATE_FREEZE)
		again(i, ISOLATE_FREEZE);
	if (!is_in_force(i) || !(i->state.ways & ISOLATE_NETWORK))
		return;
	if (isolate_verifier_look(&i->verifier, &i->state))
		(void)keep(i);
	r = isolate_cut_check(i->cut, &i->state, &found, &why);
	if (found)
		tell_back(i, found);
	/*
	 * One that could not be put there at first, say for want of an address, is tried again. Also where an earlier one stands: a check
	 * does not say whether that is all of it, and the line that is due does.
	 */
	if (r < 0 ? !found : i->uncut)
		r = isolate_cut_on(i->cut, &i->state, &why);
	if (r >= 0 && i->uncut)
		tell_again(i, ISOLATE_NETWORK, r == ISOLATE_CUT_PART, &why);
	i->uncut = i->uncut && r < 0;
	i->blind = r < 0 ? i->blind + 1 : 0;
	if (i->blind == 1)
		log_error("isolation network=failed error=\"%s\" next=\"tried each second\"",
			  why.text);
}

static void on_release(void *ctx, const void *data, size_t size,
		       char ret_answer[RELEASE_DOOR_ANSWER])
{
	struct isolate *i = ctx;
	const struct release_order_for f = {i->parts.keys, i->parts.n_keys, i->parts.node,
					    i->state.number};
	char key[DIGEST_HEX_SIZE] = "", result[ISOLATE_RESULT];
	struct isolate_cause cause = {.by = "operator", .key = key};
	struct digest id;
	struct order o;
	struct why why = {""};
	uint32_t by = 0;
	int r = release_order_open(data, size, &f, &o, &by, &why);

	if (r >= 0)
		r = sign_key_id(i->parts.keys[by], &id);
	if (r < 0) {
		snprintf(ret_answer, RELEASE_DOOR_ANSWER, "refused: %s",
			 why.text[0] ? why.text : strerror(-r));
		log_error("release=refused error=\"%s\"", ret_answer);
		return;
	}
	digest_hex(&id, key);
	cause.case_id = o.case_id;
	cause.reason = o.reason;
	isolate_end(i, &cause, result);
	snprintf(ret_answer, RELEASE_DOOR_ANSWER, "%s", result);
}

/* A file that nobody can read may say anything: isolated is what it is then, by all that is armed. */
static int load(struct isolate *i)
{
	struct why why = {""};
	int r = isolate_state_load(i->o.io, i->o.state_dir, &i->state, &why);

	if (r != -EBADMSG)
		return r == -ENOENT ? 0 : r;
	log_error("isolation=unreadable error=\"%s\" next=\"this node counts as isolated\"",
		  why.text);
	i->state = (struct isolate_state){.by = "unreadable",
					  .ways = i->o.armed,
					  .inet = ISOLATE_TABLE_UNKNOWN,
					  .bridge = ISOLATE_TABLE_UNKNOWN};
	r = isolate_state_number(&i->state.number);
	i->state.since_ns = clock_utc_ns(i->o.clock);
	snprintf(i->state.reason, sizeof(i->state.reason), "%s", why.text);
	if (r >= 0)
		(void)keep(i);
	return r;
}

/* Before a restart, after which nobody would know whose the tables are. */
static void on_marked(void *ctx)
{
	(void)keep(ctx);
}

int isolate_open(const struct isolate_options *o, struct isolate **ret, struct why *ret_why)
{
	struct isolate *i = calloc(1, sizeof(*i));
	struct why why;
	int r;

	if (!i)
		return -ENOMEM;
	i->o = *o;
	i->o.cut.marked = on_marked;
	i->o.cut.ctx = i;
	r = isolate_cut_open(&i->o.cut, &i->cut, ret_why);
	i->verifier = (struct isolate_verifier){.cut = i->cut,
						.io = o->io,
						.clock = o->clock,
						.state_dir = o->state_dir,
						.url = o->cut.verifier};
	if (r >= 0)
		isolate_verifier_load(&i->verifier);
	if (r >= 0)
		r = load(i);
	if (r < 0) {
		isolate_free(i);
		return r;
	}
	if (is_in_force(i) && i->state.ways & ISOLATE_NETWORK) {
		if (isolate_verifier_begin(&i->verifier, &i->state, &why) < 0)
			log_error("isolation verifier=unfound error=\"%s\"", why.text);
		do_way(i, ISOLATE_NETWORK, true, &i->early);
	}
	*ret = i;
	return 0;
}

static void write_armed(struct isolate *i)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct jsonl j = {.buf = &b};
	char key[DIGEST_HEX_SIZE];
	struct digest id;

	jsonl_str(&j, "what", "armed");
	isolate_state_ways(&j, "ways", i->o.armed);
	jsonl_array(&j, "operators");
	for (uint32_t n = 0; n < i->parts.n_keys; n++)
		if (sign_key_id(i->parts.keys[n], &id) >= 0) {
			digest_hex(&id, key);
			jsonl_str(&j, NULL, key);
		}
	jsonl_close(&j);
	if (buf_status(&b) < 0 || ledger_writer_record(i->parts.writer, PLUMB_TYPE_ISOLATION,
						       "agent", (char *)b.data) < 0)
		log_error("isolation line=unwritten what=armed");
}

int isolate_go(struct isolate *i, struct event_base *base, const struct isolate_parts *parts,
	       struct why *ret_why)
{
	const struct release_door_options door = {parts->door, on_release, i};
	struct isolate_cause cause;
	struct why why = {""};

	i->parts = *parts;
	i->timer = event_new(base, -1, EV_PERSIST, on_timer, i);
	if (!i->timer)
		return why_set(ret_why, -ENOMEM, "isolation: no memory");
	if (i->o.armed || parts->n_keys > 0 || isolate_is(i))
		write_armed(i);
	if (i->state.releasing) {
		end_rest(i);
		watch(i);
	} else if (isolate_is(i)) {
		cause = cause_of(&i->state);
		do_ways(i, i->state.ways & ~(uint32_t)ISOLATE_NETWORK, true, &i->early);
		(void)keep(i);
		i->early.unkept = i->unkept;
		tell_console(i, "kept");
		write_line(i, "kept", &cause, &i->early);
		watch(i);
	}
	/* Without it there is still the verifier. */
	if (parts->door && (parts->n_keys > 0 || isolate_is(i)) &&
	    release_door_open(base, &door, &i->door, &why) < 0)
		log_error("release=closed error=\"%s\" next=\"the verifier alone can release this "
			  "node\"",
			  why.text);
	return 0;
}

void isolate_stop(struct isolate *i)
{
	if (!i)
		return;
	i->door = release_door_free(i->door);
	if (i->timer)
		event_free(i->timer);
	i->timer = NULL;
}

struct isolate *isolate_free(struct isolate *i)
{
	if (!i)
		return NULL;
	isolate_stop(i);
	isolate_cut_free(i->cut);
	free(i);
	return NULL;
}
