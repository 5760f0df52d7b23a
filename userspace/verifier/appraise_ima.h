/* SPDX-License-Identifier: Apache-2.0 */
/*
 * appraise_ima.h: IMA's list against the ledger: what the kernel measured since the agent started, and no line tells.
 * In: entries of one evidence, the node's lines, what earlier evidence left. Out: a sentence for each that has no line, or could not be compared. Pure.
 *
 * By digest: names differ between mount namespaces and hard links. Entries bear no time, so one that has no line yet is owed, until lines that
 * are APPRAISE_IMA_LAG_NS younger have come. What was lost meanwhile explains it; that it was lost is a finding of its own.
 */
#ifndef PLUMB_APPRAISE_IMA_H
#define PLUMB_APPRAISE_IMA_H

#include <stdbool.h>
#include <stdint.h>
#include "buf.h"
#include "digest.h"
#include "why.h"

#define APPRAISE_IMA_MAX_OWED 256u	/* more at once are told as not compared */
#define APPRAISE_IMA_LAG_NS (10ull * 1000000000)
#define APPRAISE_IMA_NAME 160u

struct appraise_ima_owed {
	struct digest digest;
	uint64_t since_ns;		/* boot time of the newest line when it came */
	char name[APPRAISE_IMA_NAME];	/* as IMA has it, cut */
};

/* What one evidence leaves to the next; stored beside the node's row. Zero: nothing was read yet. */
struct appraise_ima_state {
	char boot[37];			/* of the list */
	uint64_t boot_line;		/* the first line of that boot */
	uint64_t next_line;		/* the first that was not looked at for starts and losses */
	uint64_t newest_ns;		/* boot time of the newest line */
	uint64_t cursor;		/* entries that came */
	uint64_t skip_to;		/* entries below were there when the agent started */
	bool starting;			/* the agent began, and has not said yet that it is ready */
	bool programs;			/* the node says that IMA's policy measures programs and nothing else: without that nothing is compared */
	uint32_t n_owed;
	struct appraise_ima_owed *owed;	/* owned */
};
void appraise_ima_state_done(struct appraise_ima_state *s);
int appraise_ima_state_write(const struct appraise_ima_state *s, struct buf *ret);
int appraise_ima_state_parse(const void *data, size_t size, struct appraise_ima_state *ret);

typedef int (*appraise_ima_line_fn)(void *fn_ctx, uint64_t seq, const char *line, size_t size);

struct appraise_ima_in {		/* all borrowed */
	uint64_t head;			/* lines that there are */
	uint64_t from, cursor;		/* numbers of the entries: [from, cursor) */
	struct buf_view entries;
	/* Lines [from, to) as they are, without LF. As store_ops.lines_each. */
	int (*lines)(void *ctx, uint64_t from, uint64_t to, appraise_ima_line_fn fn, void *fn_ctx);
	int (*found)(void *ctx, const char *text);	/* a finding; < 0 ends it */
	void *ctx;
};

/* 0; -EBADMSG: the entries are none, and the evidence is to be refused, with why; other < 0: could not check. Then state is to be thrown away. */
int appraise_ima(const struct appraise_ima_in *in, struct appraise_ima_state *state, struct why *ret_why);

#endif
