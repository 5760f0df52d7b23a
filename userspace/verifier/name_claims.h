/* SPDX-License-Identifier: Apache-2.0 */
/*
 * name_claims.h: what was proven of a machine's Kubernetes name, until its evidence says which boot it is of; and the binding then: one name,
 * one EK, and a token once for one EK. In: a token's digest and what it said; inside transactions of its own. Out: claims, names that are bound.
 */
#ifndef PLUMB_NAME_CLAIMS_H
#define PLUMB_NAME_CLAIMS_H

#include <stdint.h>
#include "contain.h"
#include "kube_facts.h"
#include "verifier.h"

#define NAME_CLAIMS_LIFE_S UINT64_C(86400)	/* until its first evidence */
#define NAME_CLAIMS_MAX_TOKENS 1024u		/* that are remembered; the oldest goes */

struct name_claim {
	uint64_t incarnation, until_ns;	/* UTC */
	char node[KUBE_FACTS_MAX_NAME], uid[KUBE_FACTS_MAX_UID];	/* uid "": the token did not say */
};

struct name_claims {			/* all borrowed */
	const struct verifier *v;
	struct contain *contain;
};

/*
 * That this machine runs the pod whose token this was. -EKEYREJECTED, and a line in the log: another EK showed the same token, or has the name, or
 * the machine has another one.
 */
int name_claims_put(const struct name_claims *n, const char *id, const struct digest *token, const char *node, const char *uid,
		    struct why *ret_why);
int name_claims_get(const struct name_claims *n, const char *id, struct name_claim *ret);	/* -ENOENT */
int name_claims_each(const struct name_claims *n, void (*fn)(void *ctx, const char *id), void *ctx);
int name_claims_drop(const struct name_claims *n, const char *id);
/*
 * 1: bound, by what the Node says of itself. 0: not yet, and why: no evidence, another boot. -EKEYREJECTED: never (as above, or another Node has
 * the name, or its time is over): the claim is gone.
 */
int name_claims_bind(const struct name_claims *n, const char *id, const struct kube_facts *f, struct why *ret_why);

#endif
