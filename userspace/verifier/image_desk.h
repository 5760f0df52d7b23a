/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image_desk.h: a node's images in the store (blob "images"): which ran, as its new lines say, and what is told of them.
 * In: items that were checked, inside the caller's transaction. Out: the blob, members of JSON.
 */
#ifndef PLUMB_IMAGE_DESK_H
#define PLUMB_IMAGE_DESK_H

#include "image_told.h"
#include "verifier.h"

struct image_desk;

int image_desk_open(const struct verifier *v, const struct store_node *row, struct image_desk **ret);
void image_desk_free(struct image_desk *d);
void image_desk_item(struct image_desk *d, const char *boot, const struct appraise_drift_item *i);
int image_desk_keep(struct image_desk *d, const struct baseline *b);	/* b NULL: none */

/* 1: *ret says what; 0: no container ran since the node booted. */
int image_desk_told(const struct verifier *v, const struct store_node *row, struct image_told *ret);
/* Member "images" of an open object, when there is something to say. */
int image_desk_view(const struct verifier *v, const struct store_node *row, struct jsonl *j);

#endif
