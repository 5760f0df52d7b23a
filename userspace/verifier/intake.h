/* SPDX-License-Identifier: Apache-2.0 */
/*
 * intake.h: takes a node's evidence and provisional drift: sender, size and nonce are checked, then appraised, then row, lines, cases,
 * verdict, transition and outbox are committed in one transaction, then cosigned and answered. Also the clock's part: silent,
 * unconfirmed, grace. In: bodies and who sent them. Out: an HTTP status and a JSON body.
 */
#ifndef PLUMB_INTAKE_H
#define PLUMB_INTAKE_H

#include "cert.h"
#include "documents.h"
#include "transition.h"
#include "verifier.h"

struct intake;

struct intake_options {			/* all borrowed */
	const struct verifier *v;
	struct documents *documents;
	struct contain *contain;	/* NULL: nobody is told */
	const char *ca_cert_pem;	/* a node's certificate is renewed inside accepted evidence; NULL: never */
	const struct sign_key *ca_key;
	uint64_t node_cert_life_s;
};

int intake_open(const struct intake_options *o, struct intake **ret);
struct intake *intake_free(struct intake *in);

/* 200 with an answer, or 4xx with {"error","cure"}; < 0: our own failure (answered 500, and nothing was changed). *ret is appended to. */
int intake_nonce(struct intake *in, const struct cert_identity *who, struct buf *ret);
int intake_evidence(struct intake *in, const struct cert_identity *who, const void *body, size_t size, struct buf *ret);
int intake_drift(struct intake *in, const struct cert_identity *who, const void *body, size_t size, struct buf *ret);
/* Deadlines of all nodes. Call every second. 0 or < 0: our own failure. */
int intake_tick(struct intake *in);
uint64_t intake_behind_ns(const struct intake *in);	/* as deadlines_behind_ns() */
/* Sums a node's open cases again and moves it (after an action, another policy), inside the caller's transaction; the caller puts the row. */
int intake_derive(struct intake *in, struct store_node *n, const char *cause, const char *operator_name, const char *reason);
/* A known node whose TPM asks to be enrolled anew without a token: as deadlines_asks_anew(). */
int intake_asks_anew(struct intake *in, struct store_node *n);

#endif
