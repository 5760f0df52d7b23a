/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger_boot.h: what a node booted, proven by files alone: logs of its boots, kept beside the ledger by their SHA-256 (boot/<hex>.log, and
 * boot/<hex>.measured of what systemd measured), against quotes that the attestation key signed. In: a ledger's directory, quotes that hold.
 * Out: for each boot what it came to, and its claims. Reads only.
 */
#ifndef PLUMB_LEDGER_BOOT_H
#define PLUMB_LEDGER_BOOT_H

#include <limits.h>
#include <stdbool.h>
#include "bootlog.h"
#include "fsio.h"
#include "quote.h"
#include "why.h"

#define LEDGER_BOOT_DIR "boot"
#define LEDGER_BOOT_PCRS 0x43ffu	/* the firmware's, boot loader's and shim's: PCR 0 to 9 and 14 */
#define LEDGER_BOOT_MAX 64u		/* files of a kind that a directory keeps, and boots that are told apart */
#define LEDGER_BOOT_MAX_BYTES (16u << 20)	/* of a kind */

enum ledger_boot_file { LEDGER_BOOT_LOG = 1, LEDGER_BOOT_MEASURED = 2 };
/* "DIR/boot/<hex>.log". -ENAMETOOLONG. */
int ledger_boot_path(const char *dir, enum ledger_boot_file what, const struct digest *d, char ret[PATH_MAX]);
/* The digest in a file's name; -ENOENT: it is no such file. */
int ledger_boot_name(const char *name, enum ledger_boot_file *ret_what, struct digest *ret);

enum ledger_boot_result {
	LEDGER_BOOT_GOOD,		/* the log is the one that the quote is bound to, and comes to the quoted registers */
	LEDGER_BOOT_BAD,		/* it is there and is not, or does not */
	LEDGER_BOOT_UNPROVEN,		/* there is none */
	LEDGER_BOOT_NOTHING,		/* the machine measured nothing, and said so */
};
const char *ledger_boot_result_name(enum ledger_boot_result r);

/* Reads logs of what systemd measured once; zero-initialise. */
struct ledger_boot {
	const struct fsio *io;		/* borrowed, as dir */
	const char *dir;
	bool loaded;
	uint32_t n;
	struct buf measured[LEDGER_BOOT_MAX];
	struct digest names[LEDGER_BOOT_MAX];	/* of those files, which are also known once it is done, with what became of them */
	bool led[LEDGER_BOOT_MAX];		/* to a value that was asked for */
};
void ledger_boot_done(struct ledger_boot *b);
bool ledger_boot_led(const struct ledger_boot *b, const struct digest *name);

typedef int (*ledger_boot_put_fn)(void *ctx, const char *key, const char *value);
/* put (NULL: nobody) gets the claims "measured:…" of a good one. 0: *ret, and why unless it is good; < 0: could not check. */
int ledger_boot_check(struct ledger_boot *b, const struct quote_pcrs *pcrs, const struct digest *log, ledger_boot_put_fn put, void *ctx,
		      enum ledger_boot_result *ret, struct why *ret_why);
/* 1: one of the logs of what systemd measured leads from an empty register to this value. */
int ledger_boot_explains(struct ledger_boot *b, uint32_t pcr, const struct digest *found);

#endif
