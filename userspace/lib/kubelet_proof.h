/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kubelet_proof.h: that whoever writes a node's ledger had a kubelet's private key: the key signs which ledger it is (BORDER; docs/ledger.md,
 * line `kubelet_key`). In: a key in PEM, or the line's members (foreign). Out: members, or the key's id. ECDSA P-256, as kubelets make it.
 */
#ifndef PLUMB_KUBELET_PROOF_H
#define PLUMB_KUBELET_PROOF_H

#include <jansson.h>
#include "buf.h"
#include "digest.h"
#include "why.h"

#define KUBELET_PROOF_WORDS "plumb-kubelet-key-v1"

/* origin: of the node's log, with its incarnation. Appends the members without braces. -ENOENT: no private P-256 key is in it. */
int kubelet_proof_make(const char *pem, size_t size, const char *origin, struct buf *ret_members, struct digest *ret_key, struct why *ret_why);
/* line: parsed. The SHA-256 of the SPKI. -EBADMSG: it proves nothing for that origin. */
int kubelet_proof_check(const json_t *line, const char *origin, struct digest *ret_key, struct why *ret_why);

#endif
