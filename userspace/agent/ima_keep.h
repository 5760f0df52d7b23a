/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ima_keep.h: keeps IMA's list of this boot beside the ledger (ledger_ima.h), so that its quotes can be held against it when the machine is long
 * gone. In: the kernel's list, read on around each quote. Out: a file that only grows, synced, and then an `ima` line with its digest; lists of boots
 * before are packed. On the loop's thread, a piece a turn; what the disk has no room for is read again, for the kernel keeps it.
 */
#ifndef PLUMB_IMA_KEEP_H
#define PLUMB_IMA_KEEP_H

#include <event2/event.h>
#include "digest.h"
#include "fsio.h"
#include "ledger_writer.h"
#include "why.h"

struct ima_keep;

struct ima_keep_options {		/* all borrowed */
	const struct fsio *io;
	struct ledger_writer *writer;
	const char *ledger_dir;
	const uint8_t *boot_id;		/* 16 bytes */
	const char *dir;		/* NULL: /sys/kernel/security/ima */
	size_t piece;			/* bytes that one turn reads; 0: 8 MiB (tests) */
	uint64_t max;			/* bytes of a list that are kept; 0: LEDGER_IMA_MAX_BYTES (tests) */
};

/* *ret is NULL where this kernel has no such list; each function takes that, and does nothing. */
int ima_keep_open(struct event_base *base, const struct ima_keep_options *o, struct ima_keep **ret, struct why *ret_why);
struct ima_keep *ima_keep_free(struct ima_keep *k);
/* Reads on; entries that are kept by now, for a quote that is about to be made. */
uint64_t ima_keep_read(struct ima_keep *k);
/* A quote had this PCR 10: reads on, and seals what is new, now or as soon as all is read. */
void ima_keep_quoted(struct ima_keep *k, const struct digest *pcr10);

#endif
