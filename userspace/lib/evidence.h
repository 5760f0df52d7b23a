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
#include "digest.h"
#include "evidence_nonce.h"
#include "quote.h"
#include "why.h"

#define EVIDENCE_MAX_NOTES 4
#define EVIDENCE_MAX_ORDERS 16
#define EVIDENCE_MAX_CERT 8192

struct evidence {
	bool provisional;
	char node[65];
	uint64_t incarnation;
	struct checkpoint checkpoint;		/* its size = from + n_lines */
	uint64_t from;				/* seq of the first line here */
	uint64_t n_lines;
	char notes[EVIDENCE_MAX_NOTES][CHECKPOINT_MAX_NOTE_LINE];	/* signature lines of the event key; provisional: may be none */
	uint32_t n_notes;
	/* only with a quote */
	uint8_t nonce[WIRE_NONCE_SIZE];
	uint8_t pcr_index;			/* the runtime PCR */
	struct quote_pcrs pcrs;
	struct buf attest, sig;			/* owned */
	struct buf anchors;			/* owned: raw records since the quote base that the verifier named */
	struct digest boot_log;			/* zero: none */
	struct buf boot_log_data;		/* owned: the log itself, whose digest boot_log is; empty: the verifier has it, or did not ask */
	struct buf measure_log;			/* owned: what systemd measured from user space (measurelog.h); empty as boot_log_data. No quote is bound to it */
	uint64_t ima_cursor;			/* entries of IMA's list before the quote, as far as they were read; the quote is bound to it */
	uint64_t ima_from;			/* number of the first that is here */
	uint64_t ima_end;			/* of the one after the last that is here: after the quote there may be more than before it */
	bool has_ima_end;			/* of an older release it has not: ima_end is ima_cursor then */
	struct buf ima;				/* owned: entries as the kernel has them; empty: none are new, or there is no list */
	uint64_t baseline_version;
	uint64_t last_order;
	bool leaving;				/* announced: the last evidence before a stop or reboot */
	uint32_t judge_version;
	char agent_version[32];
	uint64_t sent_ns;			/* node's UTC */
	/* the lines: borrowed from the body on parsing, from the caller on writing */
	struct buf_view lines;
};

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
