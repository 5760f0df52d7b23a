/* SPDX-License-Identifier: Apache-2.0 */
/*
 * appraise_drift.h: derives drift again from each new line, by the judge that the agent has too, and reads what the ledger says of
 * itself: gaps, losses, counters, restarts. In: lines that the ledger's check accepted, baseline, what earlier lines left behind.
 * Out: one item for each judged measurement and each finding. Pure.
 *
 * Lines carry numbers of events per CPU, but known programs and forks write no line, so a jump alone says nothing: it must be
 * covered by the counters that follow, and these by what was received or dropped within APPRAISE_COUNTERS_LAG_NS.
 */
#ifndef PLUMB_APPRAISE_DRIFT_H
#define PLUMB_APPRAISE_DRIFT_H

#include <stdbool.h>
#include <stdint.h>
#include "appraise_counters.h"
#include "baseline.h"
#include "buf.h"
#include "line.h"
#include "why.h"

/* What one evidence leaves to the next; stored beside the node's row. Zero: nothing was read yet. */
struct appraise_drift_state {
	uint64_t restart_used;		/* number of the last restart order that covered a gap: each covers one */
	uint64_t unanchored_used;	/* as before, of the intervals that no quote covers */
	bool gap_due;			/* a start, whose gap must be the next line */
	char boot[37];
	struct appraise_counters counters;
};
void appraise_drift_state_done(struct appraise_drift_state *s);
int appraise_drift_state_write(const struct appraise_drift_state *s, struct buf *ret);
int appraise_drift_state_parse(const void *data, size_t size, struct appraise_drift_state *ret);

/* A restart that the verifier itself ordered. Order lines of the node prove nothing. */
struct appraise_drift_restart {
	uint64_t number, issued_ns, life_ms;
};

struct appraise_drift_item {		/* borrowed for the length of the call */
	uint64_t seq, utc_ns;
	enum plumb_type type;		/* of the line */
	enum plumb_finding finding;	/* NONE: a measurement */
	enum plumb_judgement judgement;	/* ours; a finding is drift */
	const char *scope, *key, *expected, *found;
	const char *layer;		/* of an exec in a container; NULL */
	const char *announced_by;	/* of an interval that nothing anchors: "operator", "node"; NULL: nobody did */
	const struct line_actor *actor;	/* NULL: the line has none */
};

struct appraise_drift_in {		/* all borrowed */
	struct buf_view lines;		/* each with LF */
	uint64_t from, n;
	const struct baseline *baseline;	/* assigned; NULL: none */
	bool baseline_under_way;	/* its order may not have been carried out yet: another version is no finding */
	const struct appraise_drift_restart *restarts;
	uint32_t n_restarts;
	uint64_t now_ns;		/* verifier's UTC */
	uint64_t slack_ns;		/* how long evidence may take after the end of a restart's window */
	int (*item)(void *ctx, const struct appraise_drift_item *i);	/* 0 to go on, else the end */
	void *ctx;
};

/*
 * 0, or what item returned. -EBADMSG: a line is none, and the evidence is to be refused. Other < 0: could not check. After any
 * of these, state is to be thrown away.
 */
int appraise_drift(const struct appraise_drift_in *in, struct appraise_drift_state *state, struct why *ret_why);
/* Does a restart of in->restarts, newer than *used, cover now_ns? Its number becomes *used. */
bool appraise_drift_ordered(const struct appraise_drift_in *in, uint64_t *used);

#endif
