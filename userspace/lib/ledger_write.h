/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger_write.h: appends to a ledger directory: segments, tiles, anchors, notes; and recovers it after a crash.
 * In: finished lines and records. Out: sequence numbers, heads, tree. Knows no TPM: commit decides what to extend and when.
 * Order (write-ahead): append… → sync → anchor(extend), synced → [extend, messages, signatures] → anchor(done). One thread.
 */
#ifndef PLUMB_LEDGER_WRITE_H
#define PLUMB_LEDGER_WRITE_H

#include <stdbool.h>
#include <stdint.h>
#include "buf.h"
#include "checkpoint.h"
#include "clock.h"
#include "fsio.h"
#include "ledger_dir.h"
#include "ledger_recover.h"
#include "merkle.h"
#include "why.h"

struct ledger;

struct ledger_options {
	const struct fsio *io;		/* borrowed */
	const char *dir;
	const char *origin;		/* a directory of another origin is refused: -EXDEV */
	uint64_t segment_size;		/* bytes after which a segment closes and is packed; 0: 64 MiB; at most 512 MiB */
	bool create;			/* make the directory when there is none; else -ENOENT */
};

/* -EBADMSG: corrupt (why says file and line), -EXDEV: another node's, -ENOENT, -ENOSPC, … */
int ledger_open(const struct ledger_options *o, struct ledger **ret, struct ledger_recovery *ret_found, struct why *ret_why);
struct ledger *ledger_free(struct ledger *l);		/* closes; does not sync */

uint64_t ledger_next_seq(const struct ledger *l);
/* The line must carry "seq" == ledger_next_seq(). Not durable before ledger_sync(). After an error nothing was appended. */
int ledger_append(struct ledger *l, const void *line, size_t size);
int ledger_sync(struct ledger *l);			/* lines durable; then tiles, and a step of packing a closed segment */
uint64_t ledger_synced_size(const struct ledger *l);
int ledger_head(const struct ledger *l, struct checkpoint *ret);	/* of all appended lines */
const struct merkle *ledger_tree(const struct ledger *l);		/* borrowed */
int ledger_anchor(struct ledger *l, const struct ledger_anchor *a);	/* appended and synced */
int ledger_note(struct ledger *l, uint64_t size, const struct digest *root, const char *note_line, size_t note_size);
int ledger_rotate(struct ledger *l);			/* closes the segment; the next line begins a new one */
int ledger_drop(struct ledger *l, uint64_t first);	/* removes the segments before line first, after a synced `pruned` line has said so */

/* From tiles; these sync first what is not synced. */
int ledger_root_at(struct ledger *l, uint64_t size, struct digest *ret);
int ledger_prove_inclusion(struct ledger *l, uint64_t seq, uint64_t size, struct digest *ret_proof, uint32_t *ret_n);
int ledger_prove_consistency(struct ledger *l, uint64_t old_size, uint64_t new_size, struct digest *ret_proof, uint32_t *ret_n);

#endif
