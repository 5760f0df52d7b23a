/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image_seen.h: which images ran on a node since it booted, from the lines of its ledger: a set with a bound, counts and times. Pure.
 * In: items of lines, a baseline. Out: the set, and its form in the store.
 */
#ifndef PLUMB_IMAGE_SEEN_H
#define PLUMB_IMAGE_SEEN_H

#include <stdbool.h>
#include <stdint.h>
#include "appraise_drift.h"
#include "baseline.h"
#include "buf.h"
#include "image_layout.h"

#define IMAGE_SEEN_MAX 256u	/* images of one node; a node runs some 110 pods */

struct image_seen_one {
	char digest[IMAGE_LAYOUT_DIGEST_SIZE];
	uint64_t first_ns, last_ns;	/* of lines, by the node's clock */
	uint64_t execs;			/* lines */
	uint64_t upper, unsure;		/* of those: programs written into the container; of which nobody can say whether they were */
	bool listed;			/* the node's baseline has its scope */
};

struct image_seen {
	char boot[37];			/* the set is this boot's */
	uint32_t n;
	uint64_t unnamed;		/* lines of execs in containers whose image could not be told */
	uint64_t beyond;		/* lines of images for which there was no room */
	struct image_seen_one images[IMAGE_SEEN_MAX];
};

/* Of one line in that boot; another boot begins anew. Items that are no exec in a container are passed over. 1: it changed, 0: not. */
int image_seen_add(struct image_seen *s, const char *boot, const struct appraise_drift_item *i);
int image_seen_judge(struct image_seen *s, const struct baseline *b);	/* NULL: none. 1: it changed, 0: not */
int image_seen_write(const struct image_seen *s, struct buf *ret);	/* appends */
int image_seen_parse(const void *data, size_t size, struct image_seen *ret, struct why *ret_why);	/* -EBADMSG */

#endif
