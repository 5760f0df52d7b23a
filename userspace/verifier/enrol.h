/* SPDX-License-Identifier: Apache-2.0 */
/*
 * enrol.h: EK certificate → credential → activation → identity. In: bodies of the two enrolment routes. Out: answers; a node row, its
 * record, its client certificate. Sessions live in memory, at most 1024, 60 s until the proof, 24 h while an approver must act, 60 s after.
 */
#ifndef PLUMB_ENROL_H
#define PLUMB_ENROL_H

#include "ekcert.h"
#include "intake.h"
#include "transition.h"
#include "verifier.h"

struct enrol;

struct enrol_options {			/* all borrowed */
	const struct verifier *v;
	struct contain *contain;	/* NULL: nobody is told */
	struct intake *intake;		/* says what silence is worth */
	const struct ekcert_anchors *anchors;
	const char *ca_cert_pem;
	const struct sign_key *ca_key;
	uint64_t node_cert_life_s;	/* 30 days */
	/* Every new node gets it (an order, and assigned in its row); NULL or zero digest: none. */
	int (*default_baseline)(void *ctx, struct digest *ret_document, uint64_t *ret_version);
	void *ctx;
	/* An enrolled machine showed a token of the pod that its agent is; the text is wiped afterwards. NULL: nobody asks whose it is. */
	void (*named)(void *ctx, const char *id, const char *kube_token);
	void *named_ctx;
};

int enrol_open(const struct enrol_options *o, struct enrol **ret);
struct enrol *enrol_free(struct enrol *e);
/* HTTP status: 200, 202 pending, 4xx with JSON {"error":…,"cure":…}. < 0: our own failure. */
int enrol_begin(struct enrol *e, const void *body, size_t size, struct buf *ret);
/* The same, of a node that is enrolled and wants no more than a new certificate: same EK, AK, event key and client key, all proven; no token. */
int enrol_begin_again(struct enrol *e, const void *body, size_t size, struct buf *ret);
int enrol_activate(struct enrol *e, const void *body, size_t size, struct buf *ret);

#endif
