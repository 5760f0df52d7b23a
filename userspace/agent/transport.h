/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport.h: the agent's way to its verifier: routes of wire.h over fetch with the node's certificate. In: bodies. Out: parsed
 * answers, on the loop's thread. One request of a kind in flight. Decides nothing about trying again.
 */
#ifndef PLUMB_TRANSPORT_H
#define PLUMB_TRANSPORT_H

#include "buf.h"
#include "digest.h"
#include "evidence.h"
#include "why.h"
#include <event2/event.h>
#include <stdbool.h>

struct transport;

struct transport_options { /* copied */
	const char *url; /* "https://verifier:8443", no path */
	const char *ca_pem, *cert_pem, *key_pem; /* text; key wiped on free */
};

int transport_open(struct event_base *base, const struct transport_options *o,
		   struct transport **ret, struct why *ret_why);
struct transport *transport_free(struct transport *t); /* calls in flight end with -ECANCELED */

/* refused: TLS did not take this node's certificate, or the server is not the one that was expected. */
void transport_on_refused(struct transport *t, void (*refused)(void *ctx), void *ctx);
int transport_renew(struct transport *t, const char *cert_pem);	/* for the same key; from the next request on */

/* Where the verifier is, for who must know it. */
struct transport_way {
	void (*proven)(void *ctx, const char *address); /* it accepted evidence there: "ADDRESS:PORT", "[ADDRESS]:PORT" */
	/* Where to connect, by such a text; NULL: by the URL. failed: the last one that was tried did not answer, or with
	 * nothing for this node. */
	const char *(*at)(void *ctx, bool failed);
	void *ctx;
};
void transport_go_by(struct transport *t, const struct transport_way *w); /* copied */

/* r: 0, else -errno as fetch.h, or -EPROTO when an answer is none (why). Each -EALREADY when one of its kind is in flight. */
int transport_nonce(struct transport *t,
		    void (*done)(void *ctx, int r, const struct evidence_nonce *n,
				 const struct why *why),
		    void *ctx);
/* Body as evidence_write() made it; copied. provisional: WIRE_ROUTE_DRIFT. -EPERM in r: the verifier does not know this certificate (401, 403);
 * -ESTALE: the nonce or the incarnation is not the present one (409); -EMSGSIZE: more than it takes (413). */
int transport_evidence(struct transport *t, bool provisional, const struct buf *body,
		       void (*done)(void *ctx, int r, const struct evidence_answer *a,
				    const struct why *why),
		       void *ctx);
int transport_baseline(struct transport *t, const struct digest *document,
		       void (*done)(void *ctx, int r, const struct buf *body,
				    const struct why *why),
		       void *ctx);

#endif
