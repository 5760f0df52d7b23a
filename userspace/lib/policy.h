/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy.h: signed rules that say what a drift or finding means. In: a compiled JSON bundle (docs/policy.md). Out: per drift the
 * first rule that matches. No YAML here (policy_compile does that, in plumbctl). Pure once open.
 */
#ifndef PLUMB_POLICY_H
#define PLUMB_POLICY_H

#include <stdbool.h>
#include <stdint.h>
#include "plumb/terms.h"
#include "buf.h"
#include "digest.h"
#include "sign.h"
#include "why.h"

#define POLICY_MAX_RULES 512u
#define POLICY_MAX_ID 64u
#define POLICY_MAX_TITLE 200u
#define POLICY_MAX_PATTERN 512u	/* bytes of a text in a condition */
#define POLICY_MAX_SCORE 1000u
#define POLICY_MAX_VALUE 127u
#define POLICY_MAX_GRACE_MS (7u * 24 * 3600 * 1000)

enum policy_release { POLICY_RELEASE_CLAIM = 1, POLICY_RELEASE_ACK = 2, POLICY_RELEASE_REBOOT = 3 };	/* "claim" "ack" "reboot" */
enum policy_mode { POLICY_MODE_REPORT = 1, POLICY_MODE_ARMED = 2 };

struct policy_rule {
	const char *id;			/* "R-012"; borrowed from the policy, like all strings here */
	const char *title;		/* one line for people */
	enum plumb_severity severity;
	enum plumb_action action;	/* what it asks for when armed */
	enum policy_mode mode;		/* report: shown, nothing done */
	enum policy_release release;
	uint32_t score;			/* 0-1000 */
	uint64_t grace_ms;		/* must hold so long before it acts */
	int claim_value;		/* AR4SI value; 32, 33, 96 … */
	uint32_t remedy;		/* bits 1 << enum policy_remedy_step: how a node that it contains comes back; 0: nothing is said of that */
	uint32_t remedy_itself;		/* of those: without a person */
	const char *claim;		/* AR4SI claim: "executables" "configuration" "file-system" "instance-identity" "hardware" */
};

/* What is judged: strings may be NULL where there is none. */
struct policy_subject {
	enum plumb_type type;		/* exec, file, …; PLUMB_TYPE_UNKNOWN for a finding */
	enum plumb_finding finding;
	const char *scope, *key, *expected, *found;
	const char *exe;		/* actor's executable */
	const char *cgroup;		/* actor's cgroup */
	const char *layer;		/* of the file that was run: image, upper, unknown */
	const char *announced_by;	/* of a finding: who had said that the node would be away: operator, node; NULL: nobody */
	uint32_t uid;
	bool actor_known;
};

struct policy;

int policy_open(const void *bundle_json, size_t size, struct policy **ret, struct why *ret_why);	/* the DSSE payload, verified before */
struct policy *policy_free(struct policy *p);
const char *policy_name(const struct policy *p);
uint64_t policy_version(const struct policy *p);
/* Digest of the bundle's bytes. */
const struct digest *policy_digest(const struct policy *p);
/* First rule that matches, in order; NULL: none (reported, severity info). Borrowed from p. */
const struct policy_rule *policy_match(const struct policy *p, const struct policy_subject *s);
uint32_t policy_n_rules(const struct policy *p);
const struct policy_rule *policy_rule(const struct policy *p, uint32_t i);

/* Words of the bundle. Names are borrowed, static; NULL or 0 for what is none. */
const char *policy_release_name(enum policy_release v);
const char *policy_mode_name(enum policy_mode v);
enum policy_release policy_release_from_name(const char *name);
enum policy_mode policy_mode_from_name(const char *name);
bool policy_is_claim(const char *name);
bool policy_is_id(const char *id);

#endif
