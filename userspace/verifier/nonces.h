/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nonces.h: nonces that were given out, one a node, each good once and for WIRE_NONCE_LIFE_MS. In: a node's id. Out: 32 random bytes;
 * the same again when evidence comes. In memory alone: after a restart nodes ask again.
 */
#ifndef PLUMB_NONCES_H
#define PLUMB_NONCES_H

#include <stdint.h>
#include "clock.h"
#include "plumb/wire.h"

#define NONCES_MAX 16384u	/* a power of two */
#define NONCES_WAYS 8u		/* so many nodes may share a row; one more takes the oldest's place, which asks again */

struct nonces;

int nonces_open(const struct clock *clock, struct nonces **ret);
struct nonces *nonces_free(struct nonces *n);
int nonces_give(struct nonces *n, const char *node, uint8_t ret[WIRE_NONCE_SIZE]);
/* Takes it back: it is good once. -ENOENT: none was given, or another; -ETIMEDOUT: its time is over. */
int nonces_take(struct nonces *n, const char *node, const uint8_t nonce[WIRE_NONCE_SIZE]);

#endif
