/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch.h: the door to HTTP(S) as a client: libcurl's multi interface on libevent; only it and fetch_tls see libcurl.
 * In: requests. Out: each request's answer, bounded, on the loop's thread. Connections are kept and used again.
 */
#ifndef PLUMB_FETCH_H
#define PLUMB_FETCH_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "buf.h"
#include "digest.h"
#include "why.h"

#define FETCH_MAX_IN_FLIGHT 64u
#define FETCH_MAX_HEADERS 8u

struct fetch;

struct fetch_options {
	struct event_base *base;	/* borrowed */
	const char *ca_pem;		/* text, copied; nothing else is trusted then. Without a certificate in it: -EINVAL. NULL: the system's */
	const char *cert_pem, *key_pem;	/* the client's, text, copied, wiped; NULL: none */
	const struct digest *ca_pin;	/* SHA-256 of the DER of the CA certificate that the server's chain must end in, when there is no ca_pem yet; copied */
	uint32_t connect_ms, total_ms;	/* 0: 5000, 60000 */
	const char *user_agent;		/* "plumbd/0.1.0" */
};

struct fetch_request {			/* copied, body too */
	const char *method;		/* "GET", "POST", "PATCH" */
	const char *url;
	const char *type;		/* Content-Type, NULL: none */
	const char *headers[FETCH_MAX_HEADERS];	/* "Name: value"; a control character in one, as in all texts here: -EINVAL */
	uint32_t n_headers;
	const char *at;			/* "ADDRESS:PORT", "[ADDRESS]:PORT" to connect to, whatever the URL's host and port are; TLS goes by the URL. NULL: by the URL */
	bool far;			/* the URL is a stranger's choice: a connection of its own, and -EPERM for what fetch_near() has */
	const char *shown;		/* in errors instead of the URL, when there is a secret in its path; NULL: the URL without user and query */
	const void *body;
	size_t size;
	size_t max;			/* bytes of an answer; beyond it -E2BIG */
	bool discard;			/* nobody reads the answer's body: it is dropped as it comes, max is not looked at */
	bool stream;			/* `data` is called with what comes; no total time limit */
	int (*data)(void *stream_ctx, const void *data, size_t size);	/* < 0 ends it, with that */
	void *stream_ctx;
	/*
	 * Once, never from inside fetch_start(). r: 0 and an HTTP status, or -ECONNREFUSED, -ETIMEDOUT, -EKEYREJECTED (TLS: not the server that
	 * was expected, or it does not take our certificate), -E2BIG, -EIO, -ECANCELED (fetch_free). why: a sentence. body borrowed.
	 * It may start others, and may not free the handle. A redirect is an answer like any other.
	 */
	void (*done)(void *ctx, int r, int status, const struct buf *body, const struct why *why);
	void *ctx;
};

int fetch_open(const struct fetch_options *o, struct fetch **ret, struct why *ret_why);
struct fetch *fetch_free(struct fetch *f);	/* those in flight end with -ECANCELED */
int fetch_set_cert(struct fetch *f, const char *cert_pem);	/* another certificate for the same key, for what is started from here on */
uint32_t fetch_retry_after_s(const struct fetch *f);	/* inside done: what the answer's Retry-After says; 0: nothing */
/* inside done: a header of the answer, the first of that name. -ENOENT: it has none; -E2BIG: longer than room with its NUL. */
int fetch_header(const struct fetch *f, const char *name, char *ret, size_t room);
/* inside done: who answered, "ADDRESS:PORT", "[ADDRESS]:PORT". -ENOENT: nobody did. -E2BIG. */
int fetch_peer(const struct fetch *f, char *ret, size_t room);
int fetch_start(struct fetch *f, const struct fetch_request *q);	/* -EAGAIN: too many in flight */
/* For programs that have nothing else to do: starts, runs the loop until done. *ret appended. HTTP status, or < 0 as above. */
int fetch_wait(struct fetch *f, const struct fetch_request *q, struct buf *ret, struct why *ret_why);

#endif
