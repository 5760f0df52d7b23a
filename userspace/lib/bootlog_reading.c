/* SPDX-License-Identifier: Apache-2.0 */
#include "bootlog_reading.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "bootlog_check.h"
#include "bootlog_facts.h"
#include "bootlog_secure.h"
#include "bootlog_text.h"
#include "cleanup.h"
#include "digest.h"

struct bootlog_reading {
	uint32_t bank;
	struct bootlog_replay *replay;
	struct bootlog_check *check;
	struct bootlog_secure *secure;
	struct bootlog_facts *facts;
};

struct bootlog_reading *bootlog_reading_free(struct bootlog_reading *g)
{
	if (!g)
		return NULL;
	bootlog_replay_free(g->replay);
	bootlog_check_free(g->check);
	bootlog_secure_free(g->secure);
	bootlog_facts_free(g->facts);
	free(g);
	return NULL;
}

static int open_rooms(struct bootlog_reading *g, const struct bootlog *b)
{
	int r = bootlog_replay_open(b, g->bank, &g->replay);

	if (r >= 0)
		r = bootlog_check_open(&g->check);
	if (r >= 0)
		r = bootlog_secure_open(&g->secure);
	return r < 0 ? r : bootlog_facts_open(&g->facts);
}

static int read_event(struct bootlog_reading *g, const struct bootlog_event *e, struct why *ret_why)
{
	struct bootlog_covered covered;
	int r = bootlog_replay_event(g->replay, e, ret_why);

	if (r >= 0)
		r = bootlog_cover(e, g->bank, &covered);
	if (r < 0)
		return r;
	bootlog_secure_event(g->secure, e, g->bank, &covered);
	bootlog_facts_event(g->facts, e, g->bank, &covered);
	return bootlog_check_event(g->check, e, g->bank, &covered);
}

int bootlog_reading_open(const void *data, size_t size, struct bootlog_reading **ret,
			 struct why *ret_why)
{
	struct bootlog_reading *g = NULL;
	struct bootlog_event e;
	struct bootlog b;
	int bank, r = bootlog_open(data, size, 0, &b, ret_why);

	if (r < 0)
		return r;
	bank = bootlog_bank(&b, BOOTLOG_SHA256);
	if (bank < 0)
		return why_set(ret_why, -EOPNOTSUPP, "boot log: it has no digests of SHA-256");
	g = calloc(1, sizeof(*g));
	if (!g)
		return -ENOMEM;
	g->bank = (uint32_t)bank;
	r = open_rooms(g, &b);
	while (r >= 0 && (r = bootlog_next(&b, &e, ret_why)) > 0)
		r = read_event(g, &e, ret_why);
	if (r >= 0)
		r = bootlog_check_end(g->check);
	if (r < 0)
		bootlog_reading_free(g);
	else
		*ret = g;
	return r;
}

const struct bootlog_pcrs *bootlog_reading_pcrs(const struct bootlog_reading *g)
{
	return bootlog_replay_pcrs(g->replay);
}

const char *bootlog_reading_odd(const struct bootlog_reading *g)
{
	return bootlog_check_first(g->check);
}

static int put_register(const struct bootlog_reading *g, const char *key, uint32_t pcr,
			int (*put)(void *ctx, const char *key, const char *value), void *ctx)
{
	char hex[DIGEST_HEX_SIZE], value[80];

	digest_bytes_hex(bootlog_reading_pcrs(g)->values[pcr], DIGEST_SIZE, hex);
	snprintf(value, sizeof(value), "sha256:%s", hex);
	return put(ctx, key, value);
}

int bootlog_reading_claims(const struct bootlog_reading *g,
			   int (*put)(void *ctx, const char *key, const char *value), void *ctx)
{
	CLEANUP(buf_done) struct buf odd = {0};
	struct buf_view all = bootlog_check_all(g->check);
	int r = bootlog_secure_claims(g->secure, bootlog_check_pcrs(g->check) & 1u << 7, put, ctx);

	if (r >= 0)
		r = put_register(g, "measured:firmware", 0, put, ctx);
	if (r >= 0)
		r = put_register(g, "measured:drivers", 2, put, ctx);
	if (r >= 0)
		r = bootlog_facts_claims(g->facts, put, ctx);
	if (r >= 0)
		r = bootlog_text(all.data, all.size, &odd);
	return r < 0 ? r : put(ctx, "measured:oddities", all.size ? (char *)odd.data : "none");
}
