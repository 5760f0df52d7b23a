/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger_dir.h: names and record forms of a ledger directory (BORDER; docs/ledger.md, tests/data/ledger).
 * In: numbers, foreign bytes. Out: file names, anchor records, note lines. Pure.
 *
 *   events-<first seq, 20 digits>.jsonl[.zst]   line 1: {"plumb":"segment","v":1,"origin":o,"first":n,"frontier":[b64…]}, no leaf; then the leaves
 *   tiles/<level>/<index, 12 digits>            32 bytes a hash, at most 256 a file (C2SP tlog-tiles, height 8)
 *   anchors                                     "plumb-anchors-v1\n", then records
 *   notes                                       "<size> <base64 root> <signature line without its leading — and space>\n"
 *   record.json                                 the enrolment record: what is needed to check all this offline
 *
 * Anchor record: u32be size of what follows, u16be kind, body, 4 bytes: the first of SHA-256(kind ‖ body).
 */
#ifndef PLUMB_LEDGER_DIR_H
#define PLUMB_LEDGER_DIR_H

#include <stdint.h>
#include "buf.h"
#include "digest.h"
#include "why.h"

#define LEDGER_ANCHORS_MAGIC "plumb-anchors-v1\n"
#define LEDGER_MAX_ANCHOR 1024

enum ledger_anchor_kind { LEDGER_ANCHOR_EPOCH = 1, LEDGER_ANCHOR_EXTEND = 2, LEDGER_ANCHOR_DONE = 3, LEDGER_ANCHOR_FOREIGN = 4 };
/* What explains the value found at an epoch's start. */
enum ledger_base { LEDGER_BASE_ZERO = 1, LEDGER_BASE_CONTINUES = 2, LEDGER_BASE_LOG = 3, LEDGER_BASE_UNPROVEN = 4 };

struct ledger_anchor {
	enum ledger_anchor_kind kind;
	union {
		struct {			/* body: boot id 16, u32be reset, u32be restart, u8 pcr index, u8 base, 32 found */
			uint8_t boot_id[16];
			uint32_t reset_count, restart_count;
			uint8_t pcr_index;
			uint8_t base;
			struct digest found;
		} epoch;
		struct {			/* u64be size, 32 root */
			uint64_t size;
			struct digest root;
		} extend;
		struct {			/* 32 PCR value after */
			struct digest pcr;
		} done;
		struct {			/* 32 expected, 32 found */
			struct digest expected, found;
		} foreign;
	};
};

int ledger_dir_anchor_write(const struct ledger_anchor *a, struct buf *ret);
/* One record. 1: read; 0: clean end; -ENODATA: the last record is torn; -EBADMSG: broken. Unknown kinds are refused. */
int ledger_dir_anchor_read(struct buf_reader *r, struct ledger_anchor *ret, struct why *ret_why);

struct ledger_note {
	uint64_t size;
	struct digest root;
	const char *line;		/* "name base64", borrowed, not NUL-terminated */
	size_t line_size;
};
int ledger_dir_note_read(const char *text, size_t size, struct ledger_note *ret, struct why *ret_why);	/* one line without LF */
int ledger_dir_note_write(uint64_t size, const struct digest *root, const char *note_line, size_t note_size, struct buf *ret);	/* from a "— name b64" line */

#endif
