/* SPDX-License-Identifier: Apache-2.0 */
/*
 * order.h: what the verifier, or an operator offline, tells a node: payload of a WIRE_DSSE_ORDER envelope (BORDER; docs/wire.md).
 * In: struct, or a verified payload. Out: JSON and back. Pure.
 */
#ifndef PLUMB_ORDER_H
#define PLUMB_ORDER_H

#include <stdint.h>
#include "buf.h"
#include "checkpoint.h"
#include "digest.h"
#include "why.h"

#define ORDER_MAX_KEY 128

enum order_kind {
	ORDER_CHALLENGE = 1,	/* "challenge": send evidence now */
	ORDER_BASELINE = 2,	/* "baseline": fetch and judge by document (SHA-256) */
	ORDER_RESTART = 3,	/* "restart": a stop within life_ms is announced, and so is the gap after it */
	ORDER_QUARANTINE = 4,	/* "quarantine" */
	ORDER_RELEASE = 5,	/* "release" */
	ORDER_SCAN = 6,		/* "scan": look at everything again now, then evidence */
	ORDER_KEY = 8,		/* "order_key": the verifier's other key signs orders and verdicts from here on */
	ORDER_WITNESS_KEY = 9,	/* "witness_key": another key cosigns what comes after head_size; the one before stays good for what it cosigned */
	ORDER_REKEY = 7,	/* "rekey": make new keys and enrol with them, in a new incarnation */
};

struct order {
	char node[65];
	uint64_t incarnation;
	uint64_t number;		/* only grows, per node */
	enum order_kind kind;
	char case_id[64];		/* "" when none */
	char reason[256];
	uint64_t head_size;		/* the node head that it answers */
	struct digest head_root;
	uint64_t issued_ns;		/* UTC, for people */
	uint64_t life_ms;		/* on the node's boot time, from receipt */
	struct digest document;		/* baseline */
	uint64_t version;		/* baseline */
	uint8_t key[ORDER_MAX_KEY];	/* order_key: SPKI DER, P-256; witness_key: Ed25519 */
	size_t key_size;		/* 0 for all others, which do not have that member */
};

int order_write(const struct order *o, struct buf *ret);
int order_parse(const void *data, size_t size, struct order *ret, struct why *ret_why);
const char *order_kind_name(enum order_kind k);

#endif
