/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image_told.h: what is to be said of the images that ran on a node: each with whose signature it has and whether the baseline lists it, and
 * what they come to. In: the set, what is known of signatures. Out: a value of AR4SI's, members of JSON.
 */
#ifndef PLUMB_IMAGE_TOLD_H
#define PLUMB_IMAGE_TOLD_H

#include <stdbool.h>
#include <stdint.h>
#include "image_checks.h"
#include "image_seen.h"
#include "jsonl.h"

#define IMAGE_TOLD_MAX_LIST 64u	/* named; those that are not good first, the others counted only */

enum image_told_sum {
	IMAGE_TOLD_GOOD = 1,
	IMAGE_TOLD_UNSURE,	/* of some it could not be told */
	IMAGE_TOLD_BAD,		/* the registry of one was asked, and it has no signature by our keys */
};

struct image_told {
	bool by_signature;	/* keys are set, and an image is good when one of them signed it; else when the baseline has its scope */
	uint64_t upper, unsure;	/* lines, of all images */
	uint32_t n_good, n_bad;
	struct image_seen seen;
	struct image_told_one {
		enum image_told_sum sum;
		struct image_check check;	/* UNKNOWN: nothing is known */
	} of[IMAGE_SEEN_MAX];	/* beside seen.images */
};

/* checks NULL: no keys are set. 1: there is something to say; 0: nothing ran in a container. */
int image_told_make(const struct image_seen *s, struct image_checks *checks, struct image_told *ret);
/* What is not sure is never good; a program that was written into a container is vouched for by no image. */
enum image_told_sum image_told_sum(const struct image_told *t);
void image_told_put(const struct image_told *t, struct jsonl *j);	/* members of an open object */

#endif
