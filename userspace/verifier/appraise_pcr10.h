/* SPDX-License-Identifier: Apache-2.0 */
/*
 * appraise_pcr10.h: is IMA's list what the kernel extended PCR 10 with? Replayed entry by entry from where the last evidence left off, until the quoted
 * value is met. In: entries and quoted PCRs of one evidence, what earlier evidence left. Out: findings, and where the replay stands. Pure.
 *
 * The kernel appends to the list, then extends: a list that was read after the quote has what the quote has, and maybe more. So the quoted value
 * must be met at some entry, and the next evidence begins after that one. What PCR 10 does not have yet is not believed yet.
 * What no PCR covers is not believed either: the name and digest of a violation (the PCR has that there was one), entries of other PCRs.
 */
#ifndef PLUMB_APPRAISE_PCR10_H
#define PLUMB_APPRAISE_PCR10_H

#include <stdbool.h>
#include <stdint.h>
#include "plumb/terms.h"
#include "ima_fold.h"
#include "ima_sig.h"

/* A list that is longer than one evidence takes is caught up with meanwhile; a node that never comes to its end hides something. */
#define APPRAISE_PCR10_MAX_BEHIND (64ull << 20)	/* bytes of entries */
#define APPRAISE_PCR10_MAX_BEHIND_NS (900ull * 1000000000)	/* in all, of gaps between two pieces of evidence 60 s at most */
#define APPRAISE_PCR10_AGAIN_NS (3600ull * 1000000000)	/* a list that was wrong is asked for from its beginning so often */

/* What one evidence leaves to the next; stored beside the node's row. Zero: nothing was read yet. */
struct appraise_pcr10_state {
	char boot[37];			/* of the list */
	uint32_t reset;			/* of the TPM */
	uint64_t n;			/* entries that were replayed, and their value */
	struct digest pcr;
	uint64_t before_n;		/* the same where the last evidence began: who did not hear that it was accepted sends it again */
	struct digest before_pcr;
	uint64_t confirmed;		/* entries that a quoted PCR 10 had */
	uint64_t seen;			/* entries that there were after the last quote */
	uint64_t behind_bytes, behind_ns;	/* since then */
	uint64_t last_ns, again_ns;	/* the verifier's UTC: last evidence; when the list is asked for from its beginning, 0: not */
	uint32_t flags;			/* what was told of this boot, and how it began */
};
int appraise_pcr10_state_write(const struct appraise_pcr10_state *s, struct buf *ret);
int appraise_pcr10_state_parse(const void *data, size_t size, struct appraise_pcr10_state *ret);
/* boot_aggregate could not be checked: the registers are not what they were, and no log says what that was. */
bool appraise_pcr10_aggregate_is_unknown(const struct appraise_pcr10_state *s);
/* The list was found not to be what PCR 10 says: that is told once, and stands until it is again, or to the end of the boot. */
bool appraise_pcr10_stands(const struct appraise_pcr10_state *s);
/* The entry that the next evidence is to begin with. */
uint64_t appraise_pcr10_wanted(const struct appraise_pcr10_state *s, uint64_t now_ns);

struct appraise_pcr10_in {		/* all borrowed */
	struct ima_sig *sig;		/* NULL: nothing is said of signatures */
	const char *boot;		/* of the newest line */
	uint32_t reset;			/* the TPM's count */
	const struct quote_pcrs *pcrs;	/* quoted */
	const struct digest *at_boot;	/* PCR 0 to 9 as the kernel found them, by a boot log that agrees with the quote; NULL: nobody knows */
	uint64_t from, end;		/* numbers of the entries: [from, end) */
	bool after_quote;		/* the list was read after the quote */
	struct buf_view entries;
	uint64_t now_ns;
	int (*found)(void *ctx, enum plumb_finding f, const char *text);	/* < 0 ends it */
	void *ctx;
};

/* 0; -EBADMSG: the entries are none, and the evidence is to be refused, with why; other < 0: could not check. Then state is to be thrown away. */
int appraise_pcr10(const struct appraise_pcr10_in *in, struct appraise_pcr10_state *state, struct why *ret_why);

#endif
