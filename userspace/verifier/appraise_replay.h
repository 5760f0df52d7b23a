/* SPDX-License-Identifier: Apache-2.0 */
/*
 * appraise_replay.h: replays anchor records to the quoted value of the runtime PCR. In: foreign records, the last accepted quote's PCR.
 * Out: whether they replay, every (size, root) that is in the register since, and whether somebody else extended. Pure.
 */
#ifndef PLUMB_APPRAISE_REPLAY_H
#define PLUMB_APPRAISE_REPLAY_H

#include <stdbool.h>
#include <stdint.h>
#include "buf.h"
#include "digest.h"
#include "why.h"

struct appraise_replay_mark {
	uint64_t size;
	struct digest root;
};

struct appraise_replay_in {
	struct buf_view anchors;	/* records, without the file's first line */
	const char *origin;		/* of the checkpoints: the verifier's, never the evidence's */
	uint8_t pcr_index;
	struct digest quoted;
	bool may_continue;		/* the register may still hold what it held at the base: same reset count */
	bool must_continue;		/* it does: same counts. Then no epoch record starts anything anew */
	struct digest base;		/* value at the last accepted quote; zero before the first */
	/* The log of what systemd measured (measurelog.h), when an epoch rests on it; borrowed. NULL, -ENOENT: there is none. */
	int (*measured)(void *ctx, struct buf_view *ret);
	void *ctx;
};

struct appraise_replay {
	bool replays;			/* else why says where not */
	bool continues;			/* from the base, without a break */
	bool foreign;			/* a foreign extend, or a base that nothing proves */
	struct appraise_replay_mark *marks;	/* in the register since the base, zero or the last break; in order of extension */
	uint32_t n_marks;
};

/* 0: checked. < 0: could not check. */
int appraise_replay(const struct appraise_replay_in *in, struct appraise_replay *ret, struct why *ret_why);
void appraise_replay_done(struct appraise_replay *r);

#endif
