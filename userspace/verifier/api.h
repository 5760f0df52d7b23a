/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api.h: one table of routes: method, path, who may, how big; each calls its room. In: a request and who sent it. Out: status, type, body.
 * Knows no sockets.
 */
#ifndef PLUMB_API_H
#define PLUMB_API_H

#include "actions.h"
#include "enrol.h"

struct api {				/* all borrowed */
	struct action_desk desk;
	struct enrol *enrol;
	struct actions *actions;
	const char *ca_cert_pem;
};

struct api_request {			/* borrowed */
	const char *method;		/* "GET", "POST" */
	const char *path;		/* decoded, without the query */
	const char *query;		/* raw, "" when none */
	const char *type;		/* Content-Type; NULL: none */
	const struct cert_identity *who;	/* verified by TLS; NULL: no client certificate */
	const void *body;
	size_t size;
};

struct api_reply {
	int status;
	const char *type;		/* static */
	struct buf body;		/* owned */
	bool follow;			/* lines of the log from `since` on, as they come, until the client goes */
	bool stream;			/* lines of the log from `since` to the end */
	uint64_t since;
};

/* Whoever follows the log: is it (still) an operator's? */
bool api_may_follow(struct api *a, const struct cert_identity *who);
void api_handle(struct api *a, const struct api_request *q, struct api_reply *ret);

#endif
