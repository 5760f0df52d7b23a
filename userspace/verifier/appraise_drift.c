/* SPDX-License-Identifier: Apache-2.0 */
#include "appraise_drift.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "judge.h"
#include "line_scan.h"

#define STATE_VERSION 2 /* 1: without unanchored_used */

struct pass {
	const struct appraise_drift_in *in;
	struct appraise_drift_state *state;
	struct why *why;
	bool said_baseline; /* once an evidence */
	struct judge_result judged;
	struct line_scan scan;
};

void appraise_drift_state_done(struct appraise_drift_state *s)
{
	appraise_counters_done(&s->counters);
	*s = (struct appraise_drift_state){.restart_used = 0};
}

int appraise_drift_state_write(const struct appraise_drift_state *s, struct buf *ret)
{
	buf_put_u8(ret, STATE_VERSION);
	buf_put_u64be(ret, s->restart_used);
	buf_put_u64be(ret, s->unanchored_used);
	buf_put_u8(ret, s->gap_due);
	buf_put(ret, s->boot, sizeof(s->boot));
	return appraise_counters_write(&s->counters, ret);
}

int appraise_drift_state_parse(const void *data, size_t size, struct appraise_drift_state *ret)
{
	struct appraise_drift_state s = {.restart_used = 0};
	struct buf_reader b = buf_reader_of(data, size);
	uint8_t version, gap_due;
	struct buf_view boot;
	int r;

	if (buf_read_u8(&b, &version) < 0 || version < 1 || version > STATE_VERSION ||
	    buf_read_u64be(&b, &s.restart_used) < 0 ||
	    (version > 1 && buf_read_u64be(&b, &s.unanchored_used) < 0) ||
	    buf_read_u8(&b, &gap_due) < 0 || gap_due > 1 ||
	    buf_read_bytes(&b, sizeof(s.boot), &boot) < 0 || boot.data[boot.size - 1] != 0)
		return -EBADMSG;
	memcpy(s.boot, boot.data, boot.size);
	s.gap_due = gap_due;
	r = appraise_counters_read(&b, &s.counters);
	if (r >= 0 && buf_left(&b) > 0)
		r = -EBADMSG;
	if (r < 0)
		appraise_drift_state_done(&s);
	else
		*ret = s;
	return r;
}

/* A finding is drift of its own key, in the host. */
static int tell(struct pass *p, const struct line *l, enum plumb_finding finding,
		const char *expected, const char *found)
{
	char key[64];
	const struct appraise_drift_item i = {
		.seq = l->seq,
		.utc_ns = l->utc_ns,
		.type = l->type,
		.finding = finding,
		.judgement = PLUMB_JUDGE_DRIFT,
		.scope = "host",
		.key = key,
		.expected = expected,
		.found = found,
		.actor = l->has_actor ? &l->actor : NULL,
	};

	snprintf(key, sizeof(key), "finding:%s", terms_finding_name(finding));
	return p->in->item(p->in->ctx, &i);
}

static int tell_baseline(struct pass *p, const struct line *l)
{
	char expected[32] = "none", found[32] = "none";

	if (p->said_baseline || p->in->baseline_under_way)
		return 0;
	p->said_baseline = true;
	if (p->in->baseline)
		snprintf(expected, sizeof(expected), "version %" PRIu64,
			 baseline_info(p->in->baseline)->version);
	if (l->judgement)
		snprintf(found, sizeof(found), "version %" PRIu64, l->baseline_version);
	return tell(p, l, PLUMB_FINDING_BASELINE, expected, found);
}

/* The agent's own judgement is no evidence of anything, but one that is not ours is evidence of a lie, or of another release. */
static int compare_judgement(struct pass *p, const struct line *l)
{
	const struct baseline *b = p->in->baseline;
	bool same_baseline = b ? l->judgement && l->baseline_version == baseline_info(b)->version
			       : !l->judgement;
	char ours[256], theirs[256];

	if (!same_baseline)
		return tell_baseline(p, l);
	if (!b ||
	    (l->judgement == p->judged.judgement &&
	     (l->judgement != PLUMB_JUDGE_DRIFT || strcmp(l->expected, p->judged.expected) == 0)))
		return 0;
	snprintf(ours, sizeof(ours), "%s for %.200s", terms_judgement_name(p->judged.judgement),
		 l->key);
	snprintf(theirs, sizeof(theirs), "%s, judge version %u", terms_judgement_name(l->judgement),
		 l->judge_version);
	return tell(p, l,
		    l->judge_version == PLUMB_JUDGE_VERSION ? PLUMB_FINDING_JUDGE_LIE
							    : PLUMB_FINDING_JUDGE_SKEW,
		    ours, theirs);
}

static int on_measurement(struct pass *p, const struct line *l)
{
	struct appraise_drift_item i = {
		.seq = l->seq,
		.utc_ns = l->utc_ns,
		.type = l->type,
		.scope = l->scope,
		.key = l->key,
		.expected = p->judged.expected,
		.found = l->found,
		.layer = l->layer,
		.actor = l->has_actor ? &l->actor : NULL,
	};
	int r = judge_measurement(p->in->baseline, l->type, l->scope, l->key, l->found, &p->judged);

	if (r < 0)
		return r;
	i.judgement = p->judged.judgement;
	r = p->in->item(p->in->ctx, &i);
	return r != 0 ? r : compare_judgement(p, l);
}

bool appraise_drift_ordered(const struct appraise_drift_in *in, uint64_t *used)
{
	for (uint32_t i = 0; i < in->n_restarts; i++) {
		const struct appraise_drift_restart *a = &in->restarts[i];
		uint64_t end = a->issued_ns + a->life_ms * 1000000 + in->slack_ns;

		if (a->number <= *used || in->now_ns < a->issued_ns || in->now_ns > end)
			continue;
		*used = a->number;
		return true;
	}
	return false;
}

/* An agent that was killed did not stop, whatever was ordered. */
static int on_gap(struct pass *p, const struct line *l, const json_t *o)
{
	const char *from = "an unknown time";
	char found[256];
	bool stopped = false;

	(void)jsonl_get_str(o, "from", 64, &from, NULL);
	(void)jsonl_get_bool(o, "stopped", &stopped, NULL);
	if (stopped && appraise_drift_ordered(p->in, &p->state->restart_used))
		return 0;
	snprintf(found, sizeof(found), "nobody looked since %.40s; %s", from,
		 stopped ? "it had stopped in order, and no order covers that"
			 : "it had not stopped in order");
	return tell(p, l, PLUMB_FINDING_GAP, "no gap", found);
}

static int on_lost(struct pass *p, const struct line *l, const json_t *o)
{
	const char *of = "an unknown source", *what = "";
	char found[256];
	uint64_t n = 0;

	(void)jsonl_get_str(o, "of", 64, &of, NULL);
	(void)jsonl_get_str(o, "what", 1024, &what, NULL);
	(void)jsonl_get_uint(o, "n", INT64_MAX, &n, NULL);
	/* The node remembers what the verifier does not any more. */
	if (strcmp(of, "verifier") == 0) {
		snprintf(found, sizeof(found), "%.200s", what);
		return tell(p, l, PLUMB_FINDING_ROLLBACK, "all that was cosigned", found);
	}
	if (n > 0)
		snprintf(found, sizeof(found), "%" PRIu64 " events of %.40s: %.150s", n, of, what);
	else
		snprintf(found, sizeof(found), "events of %.40s, how many is not known: %.150s", of,
			 what);
	return tell(p, l, PLUMB_FINDING_LOSS, "none lost", found);
}

/* "exec 5, file 7", as the node counted them on this CPU since its programs were loaded; "" when it does not say. */
static void kinds_text(const json_t *o, char *ret, size_t size)
{
	const json_t *by = json_object_get(o, "dropped_by");
	const char *kind;
	json_t *n;
	size_t at = 0;

	ret[0] = '\0';
	json_object_foreach ((json_t *)by, kind, n) {
		int put = snprintf(ret + at, size - at, "%s%.16s %lld", at ? ", " : "", kind,
				   (long long)json_integer_value(n));

		if (put < 0 || (size_t)put >= size - at)
			return;
		at += (size_t)put;
	}
}

static int on_counters(struct pass *p, const struct line *l, const json_t *o)
{
	struct why found;
	uint64_t dropped = 0;
	char text[256], kinds[160];
	int r = appraise_counters_counters(&p->state->counters, l, o, &dropped, &found, p->why);

	if (r >= 0 && found.text[0])
		r = tell(p, l, PLUMB_FINDING_COUNTERS, "numbers that add up", found.text);
	if (r != 0 || dropped == 0)
		return r;
	kinds_text(o, kinds, sizeof(kinds));
	snprintf(text, sizeof(text), "%" PRIu64 " events of bpf: the ring was full%s%s%s", dropped,
		 kinds[0] ? " (in all on this CPU: " : "", kinds, kinds[0] ? ")" : "");
	return tell(p, l, PLUMB_FINDING_LOSS, "none lost", text);
}

/* Who stops and starts again must say since when nobody looked, at once. */
static int check_start(struct pass *p, const struct line *l, const json_t *o)
{
	struct appraise_drift_state *s = p->state;
	bool owed = s->gap_due && l->type != PLUMB_TYPE_GAP;
	bool other_boot = s->boot[0] && strcmp(s->boot, l->boot) != 0;
	int r = 0;

	s->gap_due = false;
	snprintf(s->boot, sizeof(s->boot), "%s", l->boot);
	/* One that says "ready" ends a start; it begins none. */
	if (l->type == PLUMB_TYPE_START && !json_object_get(o, "phase")) {
		s->counters.started = true;
		/* Line 0 is the log's, and before the first start there was nothing to look at. */
		s->gap_due = l->seq > 1;
	} else if (other_boot) {
		r = tell(p, l, PLUMB_FINDING_GAP, "a start line", "another boot without a start");
	}
	if (r == 0 && owed)
		r = tell(p, l, PLUMB_FINDING_GAP, "a gap line", "a start that tells no gap");
	return r;
}

static int on_line(struct pass *p, const struct line *l, const json_t *o)
{
	struct why found;
	int r = check_start(p, l, o);

	if (r == 0)
		r = appraise_counters_line(&p->state->counters, l, &found);
	if (r == 0 && found.text[0])
		r = tell(p, l, PLUMB_FINDING_COUNTERS, "numbers that add up", found.text);
	if (r != 0)
		return r;
	if (terms_type_is_measurement(l->type))
		return on_measurement(p, l);
	if (l->type == PLUMB_TYPE_GAP)
		return on_gap(p, l, o);
	if (l->type == PLUMB_TYPE_LOST)
		return on_lost(p, l, o);
	return l->type == PLUMB_TYPE_COUNTERS ? on_counters(p, l, o) : 0;
}

static int one(struct pass *p, uint64_t seq, const char *text, size_t size)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	struct why why = {""};
	struct line l;
	int r = line_scan_or_parse(&p->scan, text, size, &o, &l, &why);

	if (r == -EBADMSG || r == -ENOENT || r == -E2BIG)
		return why_set(p->why, -EBADMSG, "line %" PRIu64 ": %.200s", seq, why.text);
	if (r < 0)
		return r;
	if (l.seq != seq)
		return why_set(p->why, -EBADMSG, "line %" PRIu64 " says that it is %" PRIu64, seq,
			       l.seq);
	if (!l.boot || strlen(l.boot) >= sizeof(p->state->boot))
		return why_set(p->why, -EBADMSG, "line %" PRIu64 " has no boot id", seq);
	return on_line(p, &l, o);
}

int appraise_drift(const struct appraise_drift_in *in, struct appraise_drift_state *state,
		   struct why *ret_why)
{
	const char *at = (const char *)in->lines.data, *end = at + in->lines.size, *lf;
	struct pass *p = malloc(sizeof(*p));
	int r = 0;

	if (!p)
		return -ENOMEM;
	/* The rest is written before it is read, and to wipe so much would take longer than a line does. */
	p->in = in;
	p->state = state;
	p->why = ret_why;
	p->said_baseline = false;
	for (uint64_t seq = in->from; seq < in->from + in->n && r == 0; seq++, at = lf + 1) {
		lf = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
		if (!lf)
			r = why_set(ret_why, -EBADMSG, "line %" PRIu64 " is not there", seq);
		else
			r = one(p, seq, at, (size_t)(lf - at));
		if (!lf)
			break;
	}
	if (r == 0 && at != end)
		r = why_set(ret_why, -EBADMSG, "there is more than %" PRIu64 " lines", in->n);
	free(p);
	return r;
}
