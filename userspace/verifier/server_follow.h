/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server_follow.h: answers that are lines of the verifier's log, in pieces: to its end, or on and on as lines come. In: a request and where
 * to begin. Out: chunks; one is under way at a time, so who reads slowly lags behind and costs no more than a piece. Who stops reading,
 * or is revoked meanwhile, is cut off.
 */
#ifndef PLUMB_SERVER_FOLLOW_H
#define PLUMB_SERVER_FOLLOW_H

#include <event2/event.h>
#include <event2/http.h>
#include <stdbool.h>
#include <stdint.h>
#include "server_conn.h"
#include "vlog.h"

struct server_follow;

struct server_follow_options {		/* all borrowed */
	struct event_base *base;
	struct vlog *vlog;
	uint32_t stall_ms, idle_ms;	/* a piece that is not read for so long ends it; what the connection has again afterwards */
	bool (*may)(void *ctx, const struct cert_identity *who);	/* asked before each piece */
	void *ctx;
};

int server_follow_open(const struct server_follow_options *o, struct server_follow **ret);
struct server_follow *server_follow_free(struct server_follow *s);
/* Answers 200. on: after the end, too. */
int server_follow_start(struct server_follow *s, struct server_conn *c, struct evhttp_request *req, uint64_t from, bool on);

#endif
