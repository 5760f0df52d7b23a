/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_http.h: an HTTP(S) server on a free port of loopback, on the test's own loop, that answers byte for byte what the test says, also
 * what no server should. In: a callback. Out: the requests that came.
 */
#ifndef PLUMB_FAKE_HTTP_H
#define PLUMB_FAKE_HTTP_H

#include <event2/event.h>
#include <stdbool.h>
#include "buf.h"

struct fake_http;

struct fake_http_request {
	char method[16], path[512];
	const char *head;	/* from the request line to the empty line */
	const char *body;	/* with a NUL after it */
	size_t size;
};

struct fake_http_answer {
	struct buf bytes;	/* appended by the callback; fake_http_say() writes a whole one */
	bool close;		/* once they are sent */
	bool silent;		/* nothing is sent, the connection stays */
	bool stream;		/* the answer goes on: fake_http_push(), until fake_http_end() */
};

typedef void fake_http_fn(void *ctx, const struct fake_http_request *q, struct fake_http_answer *a);

/* chain_pem, key_pem: NULL for plain HTTP. */
struct fake_http *fake_http_open(struct event_base *base, const char *chain_pem, const char *key_pem, fake_http_fn *fn, void *ctx);
/* port 0: a free one. */
struct fake_http *fake_http_open_at(struct event_base *base, int port, const char *chain_pem, const char *key_pem, fake_http_fn *fn, void *ctx);
struct fake_http *fake_http_free(struct fake_http *h);	/* its connections, too */
void fake_http_drop(struct fake_http *h);		/* connections alone: a server that forgot idle ones */
int fake_http_port(const struct fake_http *h);
unsigned int fake_http_connections(const struct fake_http *h);	/* taken so far */
void fake_http_say(struct fake_http_answer *a, int status, const char *body);
/* The head of an answer that goes on in chunks. */
void fake_http_stream(struct fake_http_answer *a);
unsigned int fake_http_push(struct fake_http *h, const char *text);	/* to all that go on; how many */
void fake_http_end(struct fake_http *h);				/* of all of them, as it should be */
/* The value of a header, or NULL. Copied. */
const char *fake_http_header(const struct fake_http_request *q, const char *name, char *ret, size_t room);

#endif
