/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server_fixture.h: the server on a free loopback port, and TLS clients of it in the same thread: the loop turns while they wait. Over
 * api_fixture. In: bounds. Out: what clients see. Aborts when it cannot be made.
 */
#ifndef PLUMB_SERVER_FIXTURE_H
#define PLUMB_SERVER_FIXTURE_H

#include <openssl/ssl.h>
#include "api_fixture.h"
#include "server.h"

#define SERVER_FIXTURE_PATIENCE 20000 /* turns of the loop of a millisecond and more: a test that waits longer hangs */

struct server_fixture {
	struct api_fixture f;
	struct api_fixture_machine node; /* enrolled as "one" */
	struct api_fixture_person host; /* the server's own certificate */
	struct server *server;
};

struct server_fixture *server_fixture_open(void);
void server_fixture_close(void);
void server_fixture_start(struct server_options o); /* bounds alone; the rest is filled in */
void server_fixture_ends_soon(struct api_fixture_person *p); /* an operator's: of the same name and key, for two or three seconds */
void server_fixture_pass_end(const struct api_fixture_person *p); /* until it is over */
void server_fixture_turn(void); /* of the server's loop, at most a millisecond of waiting */

struct client {
	int fd;
	SSL_CTX *ctx;
	SSL *ssl;
	struct buf in;
	bool up, gone;
};

void client_connect(struct client *c); /* TCP alone */
void client_use(SSL_CTX *ctx, const struct api_fixture_person *p);
void client_begin(struct client *c, const struct api_fixture_person *p, int version); /* p NULL: no certificate */
void client_done(struct client *c);
void client_read(struct client *c); /* whatever is there */
bool client_send(struct client *c, const char *data, size_t size); /* false: the server takes no more for now */
bool client_has(const struct client *c, const char *text);
bool client_wait(struct client *c, const char *text);
bool client_wait_gone(struct client *c);
bool client_stays(struct client *c);
void client_ask(struct client *c, const char *method, const char *path, size_t size); /* with a body of zeros */
bool client_healthy(struct client *c);

#endif
