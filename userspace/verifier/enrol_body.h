/* SPDX-License-Identifier: Apache-2.0 */
/*
 * enrol_body.h: the bodies of the two enrolment routes (docs/wire.md). In: foreign JSON. Out: bounded fields. Pure.
 */
#ifndef PLUMB_ENROL_BODY_H
#define PLUMB_ENROL_BODY_H

#include <stdbool.h>
#include "buf.h"
#include "digest.h"
#include "why.h"

#define ENROL_BODY_SESSION_HEX 64u

struct enrol_body {
	char token[128];		/* "" when an approver is to act */
	char label[254];
	struct buf ek_public, ek_cert, ak_public, event_public, event_attest, event_sig;	/* owned */
	char csr[4096];			/* PEM */
	char agent[32];
};
void enrol_body_done(struct enrol_body *b);
bool enrol_body_is_label(const char *text);	/* letters, digits, . _ - */
int enrol_body_parse(const void *data, size_t size, struct enrol_body *ret, struct why *ret_why);
/* ret_kube_token: of the agent's pod, a text; empty when there is none. The caller wipes it. */
int enrol_body_parse_proof(const void *data, size_t size, char ret_session[ENROL_BODY_SESSION_HEX + 1], struct digest *ret_proof,
			   struct buf *ret_kube_token, struct why *ret_why);
void enrol_body_wipe(struct buf *secret);

#endif
