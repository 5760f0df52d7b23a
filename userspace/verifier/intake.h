/* SPDX-License-Identifier: Apache-2.0 */
/*
 * intake.h: takes a node's evidence and provisional drift: nonce, size and sender are checked, then appraised, then node row, lines,
 * cases, verdict, transition and outbox are committed in one transaction, then answered. Also the timers: silent, unconfirmed, grace.
 * In: bodies and who sent them. Out: the answer's body, or an HTTP status with a JSON error.
 */
#ifndef PLUMB_INTAKE_H
#define PLUMB_INTAKE_H

#include "cert.h"
#include "clock.h"
#include "contain.h"
#include "sign.h"
#include "store.h"
#include "vlog.h"

struct intake;

struct intake_options {			/* all borrowed */
	const struct store *store;
	const struct clock *clock;
	struct vlog *vlog;
	struct contain *contain;
	const struct sign_key *verdict_key;	/* P-256: EAR, orders */
	const struct sign_key *witness_key;	/* Ed25519: cosignatures */
	const char *witness_name;
	const char *log_name;
	uint64_t silent_after_ms;		/* 180000 */
	uint64_t unconfirmed_after_ms;		/* 10000 */
	uint32_t boot_pcr_mask;			/* PCRs a quote must have besides the runtime PCR: 0-7 and 10 */
	const char *baseline_dir;		/* baselines as files named by their SHA-256, mapped when first used */
};

int intake_open(const struct intake_options *o, struct intake **ret, struct why *ret_why);
struct intake *intake_free(struct intake *in);

/* 200 with an answer, or 4xx/5xx; *ret is JSON in any case. < 0: our own failure (answered 500). */
int intake_nonce(struct intake *in, const struct cert_identity *who, struct buf *ret);
int intake_evidence(struct intake *in, const struct cert_identity *who, const void *body, size_t size, struct buf *ret);
int intake_drift(struct intake *in, const struct cert_identity *who, const void *body, size_t size, struct buf *ret);
/* Every second: deadlines. ret_next_ms: when to call again at the latest. */
int intake_tick(struct intake *in, uint64_t *ret_next_ms);

/* Used by actions and api: the policy and baselines in force. */
int intake_set_policy(struct intake *in, const void *envelope, size_t size, struct why *ret_why);	/* verified against approvers' keys */
int intake_set_baseline(struct intake *in, const char *node, const void *document, size_t size, struct why *ret_why);	/* stores, orders the node(s); node NULL: all */
int intake_preview(struct intake *in, const void *bundle, size_t size, struct buf *ret_json, struct why *ret_why);	/* what it would have done to the open cases */
/* An operator's verified action (actions.c); see docs/wire.md. Re-derives state, logs, queues transitions. */
struct intake_action {
	const char *kind;		/* acknowledge approve release retire bind restart arm disarm challenge */
	const char *operator_name;
	enum plumb_role role;
	const char *node;		/* "" when not of one node */
	const char *reason;
	const uint64_t *cases;		/* acknowledge, release: these, or n_cases 0: all open ones of the node */
	uint32_t n_cases;
	const char *value;		/* bind: node name; restart: window in ms as text; arm: rule ids, comma between, or "all" */
	const void *envelope;		/* as signed, for the log */
	size_t envelope_size;
};
int intake_act(struct intake *in, const struct intake_action *a, struct buf *ret_json, struct why *ret_why);

#endif
