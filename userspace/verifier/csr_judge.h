/* SPDX-License-Identifier: Apache-2.0 */
/*
 * csr_judge.h: may this request be approved? By the store: whose name it asks for, how that node stands, whether its ledger shows the key.
 * And what is kept of an approval, before it is given. In: a request that was read. Out: the node, or why not yet.
 */
#ifndef PLUMB_CSR_JUDGE_H
#define PLUMB_CSR_JUDGE_H

#include "bound_nodes.h"
#include "contain.h"
#include "csr_check.h"
#include "verifier.h"

struct csr_judge {			/* all borrowed */
	const struct verifier *v;
	struct contain *contain;
	struct bound_nodes *nodes;
	bool bind, chained;		/* as in csr_desk.h */
};

struct csr_judged {
	char id[65];			/* of the node */
	uint64_t line;			/* of its ledger, that shows the key; 0: the one before is shown */
};

/* 1: it may; 0: not yet, and why; < 0: could not tell. */
int csr_judge(const struct csr_judge *j, const struct csr_check *c, struct csr_judged *ret, struct why *ret_why);
/* Binds the name where it is not bound, and writes what is about to be approved. Once for each request. */
int csr_judge_keep(const struct csr_judge *j, const struct csr_check *c, const struct csr_judged *what, struct why *ret_why);

#endif
