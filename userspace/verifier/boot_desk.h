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
};
/* Keeps the log that came, and appraises. 0 or < 0: could not check. */
int boot_desk_appraise(const struct boot_desk_in *in, struct boot_desk_result *ret);
/* Member "measured" of an open object: what it came to and its claims; nothing when the node never had a log or a finding of one. */
int boot_desk_view(const struct verifier *v, const struct store_node *n, struct jsonl *j);

#endif
