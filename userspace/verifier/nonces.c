/* SPDX-License-Identifier: Apache-2.0 */
#include "nonces.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct given {
	char node[65];
	uint8_t nonce[WIRE_NONCE_SIZE];
	uint64_t until_ns; /* boot time; 0: none */
};

struct nonces {
	const struct clock *clock;
	struct given given[NONCES_MAX / NONCES_WAYS][NONCES_WAYS];
};

/* A node id is the SHA-256 of a key, in hex: its first digits are as good as any hash. */
static struct given *row(struct nonces *n, const char *node)
{
	char head[9];

	snprintf(head, sizeof(head), "%s", node);
	return n->given[strtoul(head, NULL, 16) & (NONCES_MAX / NONCES_WAYS - 1)];
}

/* Its own place; NULL: it has none. */
static struct given *find(struct nonces *n, const char *node)
{
	struct given *g = row(n, node);

	for (unsigned int i = 0; i < NONCES_WAYS; i++)
		if (g[i].until_ns && strcmp(g[i].node, node) == 0)
			return &g[i];
	return NULL;
}

/* Its own, a free one, or the oldest: one node alone never takes another's. */
static struct given *place(struct nonces *n, const char *node)
{
	struct given *own = find(n, node), *g = row(n, node), *oldest = g;

	if (own)
		return own;
	for (unsigned int i = 1; i < NONCES_WAYS; i++)
		if (g[i].until_ns < oldest->until_ns)
			oldest = &g[i];
	return oldest;
}

int nonces_open(const struct clock *clock, struct nonces **ret)
{
	struct nonces *n = calloc(1, sizeof(*n));

	if (!n)
		return -ENOMEM;
	n->clock = clock;
	*ret = n;
	return 0;
}

struct nonces *nonces_free(struct nonces *n)
{
	free(n);
	return NULL;
}

int nonces_give(struct nonces *n, const char *node, uint8_t ret[WIRE_NONCE_SIZE])
{
	struct given *g = place(n, node);

	if (getrandom(g->nonce, sizeof(g->nonce), 0) != sizeof(g->nonce)) {
		g->until_ns = 0;
		return -EIO;
	}
	snprintf(g->node, sizeof(g->node), "%s", node);
	g->until_ns = clock_boot_ns(n->clock) + WIRE_NONCE_LIFE_MS * 1000000ull;
	memcpy(ret, g->nonce, WIRE_NONCE_SIZE);
	return 0;
}

int nonces_take(struct nonces *n, const char *node, const uint8_t nonce[WIRE_NONCE_SIZE])
{
	struct given *g = find(n, node);
	uint64_t until;

	if (!g || CRYPTO_memcmp(g->nonce, nonce, WIRE_NONCE_SIZE) != 0)
		return -ENOENT;
	until = g->until_ns;
	g->until_ns = 0;
	return clock_boot_ns(n->clock) > until ? -ETIMEDOUT : 0;
}
