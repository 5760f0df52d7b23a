/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kubelet_csr.h: certificate requests as kubelets make them, and as they do not, and the API's objects round them. In: names, a key. Out:
 * PEM, JSON. Aborts when it cannot be made.
 */
#ifndef PLUMB_KUBELET_CSR_H
#define PLUMB_KUBELET_CSR_H

#include <stdbool.h>
#include "buf.h"
#include "sign.h"

struct kubelet_csr {
	const char *organisation, *common;	/* NULL: left out */
	const char *more;			/* another CN; NULL: none */
	bool san;				/* it asks for a DNS name */
};

void kubelet_csr_pem(const struct kubelet_csr *c, const struct sign_key *key, struct buf *ret);
/* As a kubelet's of that node's name would be. */
void kubelet_csr_of(const char *node, const struct sign_key *key, struct buf *ret);
/* Each has a uid of its own. members: of the object, after its metadata, spec.signerName, spec.request; usages and groups as texts of JSON. */
void kubelet_csr_object(const char *name, const struct buf *pem, const char *user, const char *groups, const char *usages,
			const char *members, struct buf *ret);

#endif
