/* SPDX-License-Identifier: Apache-2.0 */
/*
 * name_desk.h: binds a machine to the Kubernetes node that its agent's pod runs on: asks the API whose the pod's token is (TokenReview) and, once
 * evidence says which boot the machine is of, whether the Node is of that boot. In: tokens of machines that were just enrolled. Out: names that
 * are bound, lines of the log. A token is kept in memory alone, until it was asked about or is too old; while the API is away nothing is bound.
 */
#ifndef PLUMB_NAME_DESK_H
#define PLUMB_NAME_DESK_H

#include "kube_door.h"
#include "name_claims.h"

#define NAME_DESK_MAX 256u		/* machines whose token waits: one each, the newest */
#define NAME_DESK_MAX_TOKEN 8192u
#define NAME_DESK_WAIT_MS 900000u	/* so long the API may be away; a projected token's time is over by then */
#define NAME_DESK_LOOK_MS 3000u		/* claims that wait for evidence, or for their Node */

struct name_desk;

struct name_desk_options {		/* all borrowed */
	const struct verifier *v;
	struct contain *contain;
	struct kube_options kube;
	const char *account;		/* "NAMESPACE:NAME" of the agents' pods */
	const char *audience;
	uint32_t look_ms;		/* 0: as above */
};

struct name_counts {
	uint64_t asked, bound, refused, unchecked;	/* unchecked: their time was over, or there was no room */
};

int name_desk_open(const struct name_desk_options *o, struct name_desk **ret, struct why *ret_why);	/* -EINVAL: account is none */
struct name_desk *name_desk_free(struct name_desk *d);
/* Copied. d NULL: nothing. After the commit that enrolled it. */
void name_desk_take(struct name_desk *d, const char *id, const char *token);
void name_desk_counts(const struct name_desk *d, struct name_counts *ret);

#endif
