/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verdict.h: what drift and findings mean: cases out of items, by the policy; and what all open cases of a node come to.
 * In: items, the policy (NULL: none yet), cases. Out: cases to be stored, appraisal, action asked for, AR4SI claims. Pure.
 */
#ifndef PLUMB_VERDICT_H
#define PLUMB_VERDICT_H

#include <stdbool.h>
#include <stdint.h>
#include "appraise_drift.h"
#include "policy.h"
#include "store.h"

/* AR4SI's trustworthiness claims in its own order. */
enum verdict_claim {
	VERDICT_INSTANCE_IDENTITY, VERDICT_CONFIGURATION, VERDICT_EXECUTABLES, VERDICT_FILE_SYSTEM, VERDICT_HARDWARE,
	VERDICT_RUNTIME_OPAQUE, VERDICT_STORAGE_OPAQUE, VERDICT_SOURCED_DATA, VERDICT_N_CLAIMS
};
const char *verdict_claim_name(enum verdict_claim c);

/* A text as a case's row has it: one that does not fit is cut, and ends in its digest. */
int verdict_fit(char *ret, size_t room, const char *text);

struct verdict_facts {
	const char *node;
	uint64_t incarnation;
	bool provisional;		/* not covered by an accepted quote */
	uint64_t now_ns;
	uint32_t reset;			/* the TPM's reset count now */
};

/* A new case (id 0) of one item. Texts too long for a row keep their beginning and end in their digest. */
int verdict_open(const struct policy *p, const struct appraise_drift_item *i, const struct verdict_facts *f, struct store_case *ret);
/* What the rule asks for; NULL: no rule names it. */
void verdict_by_rule(struct store_case *c, const struct policy_rule *rule);
/* What a rule may ask for at most: that nothing is known of a node (silent, unconfirmed) is no proof of anything. */
enum plumb_action verdict_at_most(enum plumb_finding f, enum plumb_action action);
/*
 * The same (rule, scope, key) again. A line that was counted before is not counted again. What a person took back (ack_by, open) stays so, until
 * something else is found there.
 */
void verdict_merge(struct store_case *c, const struct store_case *again);
/* A quote covers lines below size. true: the case changed. */
bool verdict_confirm(struct store_case *c, uint64_t size);

/* What closes a case without a person, as its rule says. What ran, ran: no later item undoes an exec, a gap or a loss. */
bool verdict_settled_by(const struct store_case *c, const struct appraise_drift_item *good);
bool verdict_settled_without(const struct store_case *c, uint32_t findings);	/* findings of the newest accepted evidence, bits */
bool verdict_settled_by_reboot(const struct store_case *c, uint32_t reset, bool boot_is_good);
void verdict_close(struct store_case *c, uint64_t now_ns, const char *why);

/* Sum over a node's open cases. */
struct verdict {
	const struct policy *policy;	/* borrowed */
	uint64_t now_ns;
	enum plumb_appraisal appraisal;
	enum plumb_action action;	/* to be carried out now; 0: none, REPORT: shown */
	uint64_t cause;			/* case that asks for the most; 0: none */
	int claims[VERDICT_N_CLAIMS];	/* 0: no claim is made */
	int boot[VERDICT_N_CLAIMS];	/* the worst that open cases say of how it booted; 0: nothing that warns */
	uint32_t score, n_open;
	uint32_t findings;		/* bits of open ones */
	uint64_t next_ns;		/* when a grace time ends; 0: never */
};

/* judged: a baseline was there to judge by. Without one nothing says that a node is good. */
void verdict_begin(struct verdict *v, const struct policy *p, uint64_t now_ns, bool judged, bool forked);
void verdict_add(struct verdict *v, const struct store_case *c);	/* closed ones are passed over */
void verdict_end(struct verdict *v);

#endif
