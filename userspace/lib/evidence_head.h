/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evidence_head.h: evidence as both ends hold it, and its header line read in place, without a JSON tree, where it stands in the very form that
 * evidence_write() gives it: a verifier reads one of every node every few seconds, and the tree costs more than all else that it reads in it.
 * In: a foreign header line. Out: struct, or that it is for the parser of JSON to say.
 */
#ifndef PLUMB_EVIDENCE_HEAD_H
#define PLUMB_EVIDENCE_HEAD_H

#include <stdbool.h>
#include <stdint.h>
#include "plumb/wire.h"
#include "buf.h"
#include "checkpoint.h"
#include "digest.h"
#include "quote.h"

#define EVIDENCE_MAX_NOTES 4

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

/*
 * True: *e, which came empty, has what the members of the header are; whether they agree with one another is not looked at. False: broken, or
 * written in any other way; *e may hold some of it, and nothing is said of the rest. Lines are the caller's.
 */
bool evidence_head_scan(const void *head, size_t size, struct evidence *e);

#endif
