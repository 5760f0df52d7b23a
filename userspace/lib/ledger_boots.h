/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger_boots.h: the boots that a ledger's quotes tell of, each once: of one log and one set of registers all quotes are one boot.
 * In: quotes that hold, the ledger's directory. Out: what each boot came to (ledger_boot.h). Reads only.
 */
#ifndef PLUMB_LEDGER_BOOTS_H
#define PLUMB_LEDGER_BOOTS_H

#include "ledger_boot.h"

struct ledger_boots_one {
	uint64_t first_line, last_line, n_quotes;	/* lines of its quotes */
	uint32_t reset_count;
	struct digest log;		/* zero: none */
	struct quote_pcrs pcrs;
	enum ledger_boot_result result;
	char why[256];			/* "" where good */
	char secure_boot[64], kernel[96], cmdline[512];	/* where good; "": not told, or longer than that */
};

struct ledger_boots {			/* zero-initialise but files.io and files.dir */
	struct ledger_boot files;
	struct ledger_boots_one boots[LEDGER_BOOT_MAX];
	uint32_t n;
	uint64_t more;			/* boots that were checked, too, and are not told any more: all but the newest, and what is bad */
};

/* 1: a boot that was not seen before, *ret: borrowed. 0: one that was. < 0: could not check. */
int ledger_boots_quote(struct ledger_boots *b, uint64_t line, uint32_t reset_count, const struct quote_pcrs *pcrs, const struct digest *log,
		       const struct ledger_boots_one **ret);

#endif
