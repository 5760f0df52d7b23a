/* SPDX-License-Identifier: Apache-2.0 */
/*
 * enrol_answer.h: what a verifier answers to an enrolment (docs/wire.md), read and held against what this node is.
 * In: foreign JSON. Out: a credential to open; an identity that is ours. Pure.
 */
#ifndef PLUMB_ENROL_ANSWER_H
#define PLUMB_ENROL_ANSWER_H

#include <stdbool.h>
#include "buf.h"
#include "digest.h"
#include "record.h"
#include "why.h"

#define ENROL_ANSWER_MAX (1u << 20)

struct enrol_answer_begun {		/* of WIRE_ROUTE_ENROL */
	char session[65];
	struct buf credential, secret;
};
void enrol_answer_begun_done(struct enrol_answer_begun *b);
int enrol_answer_begun_parse(const void *data, size_t size, struct enrol_answer_begun *ret, struct why *ret_why);

struct enrol_answer {			/* of WIRE_ROUTE_ENROL_ACTIVATE */
	bool pending;			/* and nothing else: an approver must act */
	struct record record;
	struct buf cert_pem, ca_pem;
};
void enrol_answer_done(struct enrol_answer *a);
int enrol_answer_parse(const void *data, size_t size, struct enrol_answer *ret, struct why *ret_why);
/*
 * The verifier may say what it likes of itself, but not of us. own: node, keys and PCR; key_id: of the client key; ca: fingerprint of the CA
 * that a join token named, or NULL. -EKEYREJECTED and why.
 */
int enrol_answer_check(const struct enrol_answer *a, const struct record *own, const struct digest *key_id, const struct digest *ca,
		       struct why *ret_why);

#endif
