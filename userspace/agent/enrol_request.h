/* SPDX-License-Identifier: Apache-2.0 */
/*
 * enrol_request.h: the two bodies with which a node enrols, or asks for a new certificate (docs/wire.md). In: its keys, what its TPM opened.
 * Out: JSON. Pure.
 */
#ifndef PLUMB_ENROL_REQUEST_H
#define PLUMB_ENROL_REQUEST_H

#include "buf.h"
#include "record.h"
#include "sign.h"

int enrol_request_begin(const struct record *own, const struct sign_key *client_key, const char *token, const char *label, struct buf *ret);
/* opened: what the TPM made of the credential; it binds the session, all keys and the label together. */
int enrol_request_proof(const struct record *own, const struct digest *client_key, const char *session, const char *label,
			const struct buf *opened, struct buf *ret);

/* The same body with the token of this node's pod; proof_body: as above. The caller wipes it. */
int enrol_request_named(const struct buf *proof_body, const char *kube_token, struct buf *ret);

#endif
