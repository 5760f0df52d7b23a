/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy_join.h: one policy of several, for a verifier has one in force. In: bundles as policy_compile made them. Out: a bundle with
 * all their rules in the order given, so the first one's answer first; its name is all names with dots between, its version their sum.
 */
#ifndef PLUMB_POLICY_JOIN_H
#define PLUMB_POLICY_JOIN_H

#include "buf.h"
#include "policy.h"

#define POLICY_JOIN_MAX 16u

struct policy_join_part {	/* borrowed */
	const struct buf *bundle;
	const struct policy *policy;
};

/* n 1: the very bytes of that one. -EBADMSG: a rule's id is in two of them, or what comes out is none; why says which. */
int policy_join(const struct policy_join_part *parts, uint32_t n, struct buf *ret_bundle, struct policy **ret, struct why *ret_why);

#endif
