/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image_fetch.h: grants wishes: asks an image's registry for its signatures, in both of cosign's forms, and for what else the signed
 * document names (the manifests of an index, their configurations, by which nodes know an image). In: wishes, on any thread. Out: verdicts
 * in image_checks; those that are good in the store, too. On the loop's thread.
 */
#ifndef PLUMB_IMAGE_FETCH_H
#define PLUMB_IMAGE_FETCH_H

#include "image_checks.h"
#include "registry_door.h"
#include "verifier.h"

#define IMAGE_FETCH_MAX_AT_ONCE 4u
#define IMAGE_FETCH_MAX_COVERED 512u	/* digests that one signature vouches for */

struct image_fetch;

struct image_fetch_options {	/* borrowed, as registry_door has it */
	struct registry_options registries;
	bool unsigned_runs;	/* pods run although their image's signature is not known yet: nodes' images are called unsigned, too */
};

/* v->images is what it fills. What the store has of it is read first. */
int image_fetch_open(const struct verifier *v, const struct image_fetch_options *o, struct image_fetch **ret, struct why *ret_why);
struct image_fetch *image_fetch_free(struct image_fetch *f);
uint32_t image_fetch_under_way(const struct image_fetch *f);

#endif
