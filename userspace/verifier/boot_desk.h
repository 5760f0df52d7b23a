/* SPDX-License-Identifier: Apache-2.0 */
/*
 * boot_desk.h: a node's boot log in the store: which one there is, what it came to, and what of it people see.
 * In: evidence whose quote was checked, inside the caller's transaction. Out: blobs, cases, members of JSON.
 */
#ifndef PLUMB_BOOT_DESK_H
#define PLUMB_BOOT_DESK_H

#include "cases.h"
#include "evidence.h"
#include "jsonl.h"
#include "verifier.h"

/* Of the log that there is; zero: none. */
int boot_desk_held(const struct verifier *v, const struct store_node *n, struct digest *ret);
/* Of the log of what systemd measured; zero: none. */
int boot_desk_measured_held(const struct verifier *v, const struct store_node *n, struct digest *ret);
/* That log, as it came with this evidence or before; appended. -ENOENT: none. */
int boot_desk_measured(const struct verifier *v, const struct store_node *n, const struct evidence *e, struct buf *ret);

struct boot_desk_in {			/* all borrowed */
	const struct verifier *v;
	const struct store_node *row;
	const struct evidence *evidence;
	const struct baseline *baseline;	/* NULL: none */
	struct cases *cases;
};
struct boot_desk_result {
	uint32_t findings;		/* bits: that stand */
	bool good;			/* the boot was just as the baseline says */
	bool agrees;			/* the log leads to the quoted registers, with what systemd measured since */
	struct digest values[16];	/* where it agrees: PCR 0 to 15 as the kernel found them */
};
/* Keeps the log that came, and appraises. 0 or < 0: could not check. */
int boot_desk_appraise(const struct boot_desk_in *in, struct boot_desk_result *ret);
/* For a verdict: what was found of how the node booted, as of the last accepted evidence. */
struct boot_desk_told {
	bool proven;			/* the log agrees, nothing is odd, and a baseline lists what was measured */
	struct digest log;
	const char *finding;		/* static; "": none */
	char found[256], secure_boot[64];
};
int boot_desk_told(const struct verifier *v, const struct store_node *n, struct boot_desk_told *ret);
/* Member "measured" of an open object: what it came to and its claims; nothing when the node never had a log or a finding of one. */
int boot_desk_view(const struct verifier *v, const struct store_node *n, struct jsonl *j);

#endif
