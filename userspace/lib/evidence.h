/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evidence.h: the body of WIRE_ROUTE_EVIDENCE and WIRE_ROUTE_DRIFT (BORDER; docs/wire.md, tests/data/evidence): one JSON header
 * line, then the ledger lines, each ended by LF, byte for byte as in the ledger. And the answer to it.
 * In: struct, or a foreign body. Out: body, or struct with borrowed lines.
 */
#ifndef PLUMB_EVIDENCE_H
#define PLUMB_EVIDENCE_H

#include <stdbool.h>
#include <stdint.h>
#include "plumb/terms.h"
#include "plumb/wire.h"
#include "buf.h"
#include "checkpoint.h"
#include "evidence_head.h"
#include "evidence_nonce.h"
#include "why.h"

#define EVIDENCE_MAX_ORDERS 16
#define EVIDENCE_MAX_CERT 8192

void evidence_done(struct evidence *e);
int evidence_write(const struct evidence *e, struct buf *ret);
/* Checks sizes, counts and form of the header and that lines has exactly n_lines LFs and ends with one; not the lines themselves. */
int evidence_parse(const void *body, size_t size, struct evidence *ret, struct why *ret_why);

struct evidence_answer {
	enum plumb_result result;
	char reason[256];			/* "" when accepted */
	uint64_t size;				/* the head that the verifier has stored now, provisional or not */
	uint64_t confirmed_size;		/* covered by the last accepted quote */
	char cosignature[CHECKPOINT_MAX_NOTE_LINE];	/* of the checkpoint sent; "" when none */
	char state[64];				/* "trusted", for the node's log */
	struct buf orders[EVIDENCE_MAX_ORDERS];	/* DSSE envelopes, owned */
	uint32_t n_orders;
	struct buf certificate;				/* owned; PEM: one with a later end for the key that the quote was bound to; empty: none */
};
void evidence_answer_done(struct evidence_answer *a);
int evidence_answer_write(const struct evidence_answer *a, struct buf *ret);
int evidence_answer_parse(const void *body, size_t size, struct evidence_answer *ret, struct why *ret_why);

#endif
