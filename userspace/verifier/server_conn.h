/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server_conn.h: the TLS connections of the server and their bounds: in number, in all, of one address (without a certificate) and of one
 * certificate; in time; in bytes of requests that are not whole yet, of all together. In: what evhttp accepts, handshakes. Out: bufferevents for evhttp; who is at the other end. Too many: the oldest
 * one of a stranger goes, so that whoever has a certificate gets in.
 */
#ifndef PLUMB_SERVER_CONN_H
#define PLUMB_SERVER_CONN_H

#include <event2/event.h>
#include <openssl/types.h>
#include <stdbool.h>
#include "cert.h"

#define SERVER_CONN_MAX_NODE 8u		/* of one node's certificate */
#define SERVER_CONN_MAX_OPERATOR 64u

struct server_conn;
struct server_conns;

struct server_conn_limits {
	uint32_t max, max_per_address;
	/* grace: to show a certificate before strangers of an address are counted; request: a stranger's first, from accept to its last byte;
	 * stall: a stranger that neither sends nor reads, and its next request; idle: the same of one with a certificate. */
	uint32_t grace_ms, request_ms, stall_ms, idle_ms;
	uint64_t max_waiting;
	uint32_t max_body;	/* of a stranger's request; 0: WIRE_MAX_JSON_BODY */
};

int server_conns_open(struct event_base *base, SSL_CTX *ctx, const struct server_conn_limits *l, struct server_conns **ret);
/* After evhttp let go of them all: what libevent frees later finds nothing of ours. */
struct server_conns *server_conns_free(struct server_conns *s);
/* For evhttp_set_bevcb(); ctx: the struct server_conns. */
struct bufferevent *server_conn_accept(struct event_base *base, void *ctx);

/* Of a request's bufferevent. NULL: no certificate. Borrowed. */
struct server_conn *server_conn_of(const struct server_conns *s, struct bufferevent *bev);
const struct cert_identity *server_conn_who(const struct server_conn *c);
/* false: its certificate is over, or not good yet, by now: TLS asks once, and a connection may be kept for ever. */
bool server_conn_in_time(const struct server_conn *c);
void server_conn_answered(struct server_conn *c);	/* the next request may take its time from here */
void server_conn_close(struct server_conn *c);

#endif
