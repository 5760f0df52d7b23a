/* SPDX-License-Identifier: Apache-2.0 */
/*
 * csr_desk.h: approves kubelets' requests for client certificates: of nodes whose last verdict is good, for keys that their ledgers show.
 * What it does not approve stays pending, and is looked at again; it denies nothing. In: requests, as the API's watch tells them; the store, every
 * few seconds. Out: approvals, lines of the verifier's log, names that are bound.
 */
#ifndef PLUMB_CSR_DESK_H
#define PLUMB_CSR_DESK_H

#include "bound_nodes.h"
#include "contain.h"
#include "kube_door.h"
#include "verifier.h"

#define CSR_DESK_LOOK_MS 3000u	/* a new request is looked at when it comes; all of them so often: the store may say otherwise by now */

struct csr_desk;

struct csr_desk_options {		/* all borrowed */
	const struct verifier *v;
	struct contain *contain;
	struct bound_nodes *nodes;
	struct kube_options kube;
	bool bind;			/* a key that one node alone showed binds the name in its request to that node */
	/* A node's renewal may be for a key that its ledger does not show yet, if it shows the one before: kubelets keep a new key in memory. */
	bool chained;
	uint32_t look_ms;		/* 0: as above */
	uint32_t watch_s;		/* 0: as kube_watch has it */
};

struct csr_counts {
	uint64_t looks, approved, left;	/* left: told to be left, once for each reason */
	uint64_t told;			/* objects that the API named */
	uint64_t forgotten;		/* too many are pending: until the next list */
};

int csr_desk_open(const struct csr_desk_options *o, struct csr_desk **ret, struct why *ret_why);
struct csr_desk *csr_desk_free(struct csr_desk *d);
void csr_desk_counts(const struct csr_desk *d, struct csr_counts *ret);

#endif
