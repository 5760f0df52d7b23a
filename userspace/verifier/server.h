/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server.h: HTTPS with client certificates on the loop (evhttp, OpenSSL). In: connections (hostile): bounded in number, in all and by
 * address, in the time that a handshake, headers and a body may take, and in size; bounded too is what is not read of answers. Out:
 * requests, one at a time, to the api.
 */
#ifndef PLUMB_SERVER_H
#define PLUMB_SERVER_H

#include <event2/event.h>
#include "api.h"
#include "why.h"

#define SERVER_MAX_CONNECTIONS 2048u
#define SERVER_MAX_PER_ADDRESS 64u
#define SERVER_GRACE_MS 2000u	/* to show a certificate, before strangers of one address are counted */
#define SERVER_REQUEST_MS 120000u	/* a stranger's first request, from the connection to its last byte */
#define SERVER_STALL_MS 15000u	/* a stranger that neither sends nor reads; its next request */
#define SERVER_MAX_WAITING (256u << 20)	/* bytes of requests that are not whole yet, of all connections */
#define SERVER_MAX_UNSENT (256u << 20)	/* bytes of answers that are not read yet, of all nodes, and of all operators */
#define SERVER_IDLE_MS 150000u	/* the same of one with a certificate, between two requests too */

struct server;

struct server_options {			/* all borrowed */
	struct event_base *base;
	const char *listen;		/* "127.0.0.1:8443", "[::]:8443"; port 0: any */
	const char *cert_pem, *key_pem, *ca_pem;	/* text, not files; the private key is wiped by the caller */
	struct api *api;
	uint32_t max_connections, max_per_address;	/* 0, here and below: as above */
	uint32_t grace_ms, request_ms, stall_ms, idle_ms;
	uint64_t max_waiting, max_unsent;
};

int server_open(const struct server_options *o, struct server **ret, struct why *ret_why);
/* Another certificate of the same key, from the next connection on; those that are there stay. On the loop. -EKEYREJECTED: of another key. */
int server_show(struct server *s, const char *cert_pem, struct why *ret_why);
uint16_t server_port(const struct server *s);
struct server *server_free(struct server *s);

#endif
