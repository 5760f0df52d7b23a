/* SPDX-License-Identifier: Apache-2.0 */
/*
 * https_client.h: a blocking HTTPS client that keeps its connection, for servers that run on another thread or in another process. In: a
 * port of loopback, a CA. Out: a status and a body. Never aborts: -1 is what the other side did.
 */
#ifndef PLUMB_HTTPS_CLIENT_H
#define PLUMB_HTTPS_CLIENT_H

#include "buf.h"
#include <openssl/ssl.h>
#include <stdint.h>

struct https_client {
	int fd;
	SSL_CTX *ctx;
	SSL *ssl;
};

/* cert_pem, key_pem NULL: none is shown. The server's name must be 127.0.0.1. -1: no connection, or no handshake. */
int https_client_open(struct https_client *c, uint16_t port, const char *ca_pem,
		      const char *cert_pem, const char *key_pem);
void https_client_done(struct https_client *c);
/* The status, or -1: the connection is gone. The body replaces what is in *ret. */
int https_client_ask(struct https_client *c, const char *method, const char *path, const void *body,
		     size_t size, struct buf *ret);
/* Raw bytes, and the end of the connection: for what no client should do. */
int https_client_send(struct https_client *c, const void *bytes, size_t size);

#endif
