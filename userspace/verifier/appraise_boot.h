/* SPDX-License-Identifier: Apache-2.0 */
/*
 * appraise_boot.h: does the boot log come to the quoted registers, and what does it tell, by the node's baseline?
 * In: quoted registers, the log that the quote is over, the log of what systemd measured since, what earlier evidence left. Out: a finding that stands, and the claims "measured:…" judged. Pure.
 *
 * Registers of the firmware, boot loader and shim are looked at: PCR 0 to 9 and 14. IMA's (10) and those that the running system goes on
 * extending (11 to 13, 15) are not this log's alone. No log, and registers that were extended: that is never good. Nor is a log of which one
 * of these registers is not quoted.
 */
#ifndef PLUMB_APPRAISE_BOOT_H
#define PLUMB_APPRAISE_BOOT_H

#include <stdbool.h>
#include <stdint.h>
#include "appraise_drift.h"
#include "baseline.h"
#include "quote.h"

#define APPRAISE_BOOT_PCRS 0x43ffu

/* What one evidence leaves to the next; stored beside the node's row. Zero: nothing was read yet. */
struct appraise_boot_state {
	struct digest log;		/* the one that there is; zero: none */
	struct digest baseline;		/* that its claims were judged by */
	uint32_t finding;		/* enum plumb_finding that stands; 0: none */
	char text[256];			/* what was found */
	bool read;			/* values are the log's */
	bool good;			/* nothing was found, and the baseline lists what was measured: each as it is */
	bool old;			/* of a release that kept no more than this: the log is read again */
	bool judged;			/* the baseline lists something of what was measured */
	char secure_boot[64];		/* as the log tells it; "": no log that the registers agree with */
	struct digest values[16];	/* of PCR 0 to 15, by the log */
	struct digest held[16];		/* the same when they were quoted: other where user space measured more, and the log of that says so */
};
int appraise_boot_state_write(const struct appraise_boot_state *s, struct buf *ret);
int appraise_boot_state_parse(const void *data, size_t size, struct appraise_boot_state *ret);
/* Of what is stored the log's digest alone. */
int appraise_boot_state_log(const void *data, size_t size, struct digest *ret);

struct appraise_boot_in {		/* all borrowed */
	const struct quote_pcrs *pcrs;	/* quoted */
	struct digest bound;		/* of the log, by the quote; zero: the node has none */
	/* The bytes of that log, when they are needed. -ENOENT: it never came. Valid until the end of the appraisal. */
	int (*log)(void *ctx, struct buf_view *ret);
	/* The log of what systemd measured (measurelog.h), when it is needed; no quote is bound to it. NULL, -ENOENT: there is none. */
	int (*measured)(void *ctx, struct buf_view *ret);
	const struct baseline *baseline;	/* NULL: none */
	struct digest document;		/* of it */
	uint64_t seq, utc_ns;		/* of items: the line that the quote covers up to */
	int (*item)(void *ctx, const struct appraise_drift_item *i);	/* 0 to go on, else the end */
	/* A finding that is new, or says something else than before. */
	int (*found)(void *ctx, enum plumb_finding f, const char *expected, const char *text);
	void *ctx;
};

/* 0, what item or found returned, or < 0: could not check; then state is to be thrown away. */
int appraise_boot(const struct appraise_boot_in *in, struct appraise_boot_state *state);

#endif
