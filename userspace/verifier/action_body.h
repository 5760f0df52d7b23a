/* SPDX-License-Identifier: Apache-2.0 */
/*
 * action_body.h: the payload of an operator's signed action (WIRE_DSSE_ACTION, docs/wire.md). In: JSON that was verified, or foreign.
 * Out: bounded fields. Pure.
 */
#ifndef PLUMB_ACTION_BODY_H
#define PLUMB_ACTION_BODY_H

#include <stddef.h>
#include <stdint.h>
#include "plumb/wire.h"
#include "why.h"

#define ACTION_BODY_MAX_CASES 1000u

enum action_kind {
	ACTION_ACKNOWLEDGE = 1, ACTION_APPROVE, ACTION_RELEASE, ACTION_RETIRE, ACTION_BIND, ACTION_RESTART, ACTION_ARM, ACTION_DISARM, ACTION_CHALLENGE,
	ACTION_SCAN, ACTION_EK_IMPORT, ACTION_EK_REMOVE, ACTION_REVOKE, ACTION_REKEY, ACTION_CONTAIN_PAUSE, ACTION_CONTAIN_RESUME, ACTION_CONTAIN_UNDO,
	ACTION_REMEDY
};

struct action_body {
	enum action_kind kind;
	char node[254];			/* id, label or prefix; "" */
	char reason[WIRE_MAX_REASON + 1];
	uint64_t cases[ACTION_BODY_MAX_CASES];
	uint32_t n_cases;
	char value[4096];
	uint64_t at_ns;
};

int action_body_parse(const void *data, size_t size, struct action_body *ret, struct why *ret_why);
const char *action_body_name(enum action_kind k);

#endif
