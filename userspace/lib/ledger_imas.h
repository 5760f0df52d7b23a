/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger_imas.h: what a node's IMA measured, proven by files alone: the lists beside a ledger (ledger_ima.h) against the lines that sealed them and the
 * PCR 10 that the attestation key signed. In: `ima` lines, quotes that hold, then the files. Out: for each boot what its list came to. Reads only.
 */
#ifndef PLUMB_LEDGER_IMAS_H
#define PLUMB_LEDGER_IMAS_H

#include "ima_sig.h"
#include "ledger_boot.h"
#include "ledger_epochs.h"
#include "ledger_ima.h"

#define LEDGER_IMAS_MAX 64u		/* lists that are told apart: as many as an agent keeps */
#define LEDGER_IMAS_MAX_MARKS (1u << 20)	/* quotes with a PCR 10 of their own, and as many seals */

struct ledger_imas_tally {		/* of the entries that are proven; of all where none is */
	uint64_t violations, other_pcr, unknown;	/* unknown: of a template whose fields are not known */
	uint64_t altered;		/* their digest is not that of their data, and they were sealed so */
	uint64_t sig_good, sig_bad, sig_unchecked;	/* unchecked: of a key that was not given */
};

struct ledger_imas_one {
	char list[LEDGER_IMA_NAME_SIZE];	/* "": none was sealed */
	char boot[LEDGER_IMA_BOOT_SIZE];
	bool present;
	uint64_t first_line, last_line, n_quotes;	/* of its quotes */
	uint64_t n_seals, n_proven;	/* lines that hold, quotes whose PCR 10 it comes to */
	uint64_t entries, bytes;	/* in the file */
	uint64_t proven, proven_bytes;	/* of them the newest such PCR 10 has */
	uint64_t bound_bytes;		/* the most that a line of the directory needs: for who cuts a part out */
	struct ledger_imas_tally tally;
	bool continued;			/* by kexec: PCR 10 goes on from where the list before had left it */
	enum ledger_boot_result result;
	uint64_t at_line;		/* where bad: the line that says other things */
	char why[256];			/* "" where good */
};

struct ledger_imas_quote {		/* of one PCR 10 all are one */
	struct digest pcr;
	char boot[LEDGER_IMA_BOOT_SIZE];
	uint64_t first_line, last_line, n;
	uint64_t cursor, cursor_line;	/* the most entries that stood in the list before one of them was made */
	uint32_t reset_count;
	bool quoted, met;		/* the quote has PCR 10; the list comes to it */
	uint64_t met_at;
};
struct ledger_imas_seal {
	struct ledger_ima_seal seal;
	uint64_t line;
	bool held;
};

struct ledger_imas {			/* zero-initialise but io, dir, sig, epochs */
	const struct fsio *io;		/* borrowed, as all here */
	const char *dir;
	struct ima_sig *sig;		/* NULL: no key was given */
	const struct ledger_epochs *epochs;	/* of the node's anchors; NULL: there are none */
	struct ledger_imas_quote *quotes;
	struct ledger_imas_seal *seals;
	uint32_t n_quotes, n_seals;
	struct ledger_imas_one lists[LEDGER_IMAS_MAX];
	uint32_t n;
	uint64_t more;			/* marks, or lists but the newest, that had no room: nothing is said of those */
	uint64_t unread;		/* of them, those whose list is there: it could have been looked at, and was not */
};

/* A line of a boot (36 characters). 0; -ENOMEM. */
int ledger_imas_quote(struct ledger_imas *m, uint64_t line, const char *boot, uint32_t reset_count, const struct quote_pcrs *pcrs, uint64_t cursor);
/* 1: it is malformed, and why says what. */
int ledger_imas_line(struct ledger_imas *m, uint64_t line, const char *boot, const json_t *o, struct why *ret_why);
/* After the last line: reads the files. 0: see lists; < 0: could not check. */
int ledger_imas_finish(struct ledger_imas *m, struct why *ret_why);
void ledger_imas_done(struct ledger_imas *m);	/* lists stay */

#endif
