/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forge_wire.h: one connection to a verifier, with all that a liar wants to say himself: which certificate, which bytes, how slowly.
 * In: a port, a certificate or none, bytes. Out: the answer's status and body, or that there was none. Blocks, with an end.
 */
#ifndef PLUMB_FORGE_WIRE_H
#define PLUMB_FORGE_WIRE_H

#include <netinet/in.h>
#include <openssl/types.h>
#include <stdbool.h>

#include "api_fixture.h"

#define FORGE_WIRE_PATIENCE_MS 10000

struct forge_wire {
	uint16_t port;
	const char *ca_pem;
	in_addr_t from; /* 0: any of this machine's */
	int max_version; /* of TLS; 0: the newest */
};

struct forge_conn {
	int fd;
	SSL_CTX *ctx;
	SSL *ssl; /* NULL: TCP alone */
	bool up; /* TLS says so; a certificate that is refused comes to light with the first answer */
	struct buf in;
	size_t at; /* of in: what answers were made of */
};

struct forge_answer {
	int status; /* 0: the connection ended, or nothing came in time */
	bool late; /* it was the latter */
	struct buf body; /* ends with a NUL */
};

int forge_wire_tcp(struct forge_conn *c, const struct forge_wire *w); /* connected, no more. < 0: no connection */
int forge_wire_open(struct forge_conn *c, const struct forge_wire *w, const struct api_fixture_person *p); /* p NULL: no certificate */
bool forge_wire_send(struct forge_conn *c, const void *data, size_t size); /* false: it does not take it (any more) */
void forge_wire_answer(struct forge_conn *c, int patience_ms, struct forge_answer *ret);
bool forge_wire_gone(struct forge_conn *c, int patience_ms); /* the other end closes within that time */
void forge_wire_close(struct forge_conn *c);
void forge_answer_done(struct forge_answer *a);

/* A connection of its own, one request. type NULL: none. */
void forge_wire_call(const struct forge_wire *w, const struct api_fixture_person *p, const char *method, const char *path,
		     const char *type, const void *body, size_t size, struct forge_answer *ret);

#endif
