/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy_remedy.h: the part of a policy's rule that says how a node which it contains comes back (docs/policy.md). In: the rule as JSON.
 * Out: sets of steps. Pure.
 */
#ifndef PLUMB_POLICY_REMEDY_H
#define PLUMB_POLICY_REMEDY_H

#include <jansson.h>
#include <stdint.h>
#include "why.h"

/* In the order in which they are done; "isolate" "snapshot" … in policies. Numbers are stable: they stand in databases. */
enum policy_remedy_step {
	POLICY_REMEDY_ISOLATE = 1, POLICY_REMEDY_SNAPSHOT, POLICY_REMEDY_FILES, POLICY_REMEDY_KEYS, POLICY_REMEDY_REBOOT, POLICY_REMEDY_PROVISION,
	POLICY_REMEDY_ATTEST, POLICY_REMEDY_RELEASE
};
#define POLICY_REMEDY_ALL 0x1feu	/* bits 1 << enum policy_remedy_step */
#define POLICY_REMEDY_ALWAYS (1u << POLICY_REMEDY_ATTEST | 1u << POLICY_REMEDY_RELEASE)	/* part of every plan */

/* Of a rule without "remedy", as those of before are: both 0. -EBADMSG. */
int policy_remedy_read(const json_t *rule, uint32_t *ret_steps, uint32_t *ret_itself, struct why *ret_why);
const char *policy_remedy_name(enum policy_remedy_step v);			/* NULL: none */
enum policy_remedy_step policy_remedy_from_name(const char *name);		/* 0: none */

#endif
