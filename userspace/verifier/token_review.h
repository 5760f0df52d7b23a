/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token_review.h: what the API says of a token that a pod showed: whose it is, of which pod, on which node. In: the token; foreign JSON, the
 * answers to a TokenReview and of the Pod. Out: a body; bounded names, or why it proves nothing. Pure.
 */
#ifndef PLUMB_TOKEN_REVIEW_H
#define PLUMB_TOKEN_REVIEW_H

#include <stddef.h>
#include "buf.h"
#include "kube_facts.h"
#include "why.h"

#define TOKEN_REVIEW_MAX (1u << 20)	/* of an answer, bytes */

struct token_review_wants {		/* borrowed */
	const char *audience;		/* "plumb-verifier": of our tokens and nobody else's */
	const char *namespace, *account;	/* whose pods run on each node */
};

struct token_review {
	char pod[254], pod_uid[KUBE_FACTS_MAX_UID];
	char node[KUBE_FACTS_MAX_NAME], node_uid[KUBE_FACTS_MAX_UID];	/* "": the token does not say (Kubernetes before 1.30): the Pod does */
};

int token_review_body(const char *token, const char *audience, struct buf *ret);
/* -EKEYREJECTED: it is false, over, for somebody else, of another account or of no pod; why says which. -EBADMSG: that is no TokenReview. */
int token_review_read(const void *data, size_t size, const struct token_review_wants *w, struct token_review *ret, struct why *ret_why);
/* Which node its Pod is on, into ret->node. -EKEYREJECTED: another pod has its name by now, or it is on none, or of another account. */
int token_review_pod(const void *data, size_t size, const struct token_review_wants *w, struct token_review *ret, struct why *ret_why);

#endif
