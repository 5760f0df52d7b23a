/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server_unsent.h: large answers that are not read yet, and a bound on all of them together: the memory of who reads slowly. In: bodies,
 * and who asked. Out: evbuffers that hold the body itself, until libevent has sent or dropped it. On the loop.
 */
#ifndef PLUMB_SERVER_UNSENT_H
#define PLUMB_SERVER_UNSENT_H

#include <event2/buffer.h>
#include <stdbool.h>
#include "buf.h"
#include "cert.h"

#define SERVER_UNSENT_SMALL 65536u	/* bytes: what is not counted; the number of connections bounds it */

struct server_unsent;

int server_unsent_open(uint64_t max, struct server_unsent **ret);
/* What is still unsent stays until libevent lets go of it. */
struct server_unsent *server_unsent_free(struct server_unsent *s);
/*
 * false: with it there would be more than max, or more than an eighth of one certificate's (who NULL: of those without one). Nodes and
 * operators don't take each other's. Where nothing is unsent, the largest may.
 */
bool server_unsent_may(struct server_unsent *s, const struct cert_identity *who, size_t size);
/* Appends the body, which is empty afterwards. -ENOMEM: nothing was. */
int server_unsent_put(struct server_unsent *s, const struct cert_identity *who, struct buf *body, struct evbuffer *out);

#endif
