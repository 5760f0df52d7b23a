/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bolt_maker.h: makes small bolt databases for tests. In: keys in order, each with a value or a bucket. Out: the bytes of a whole file.
 */
#ifndef PLUMB_BOLT_MAKER_H
#define PLUMB_BOLT_MAKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "buf.h"

struct bolt_maker_item {
	const char *key;
	const char *text;	/* a value; NULL: a bucket */
	const struct bolt_maker_item *bucket;
	size_t n;
};

#define BOLT_MAKER_PAGE 4096u
/* Items of the root; with more than per_leaf of them they lie in leaves of so many, below a branch. Appends. */
void bolt_maker_file(const struct bolt_maker_item *items, size_t n, size_t per_leaf, struct buf *ret);
/* Writes a meta page anew, with its checksum: as the owner does when it commits. */
void bolt_maker_meta(uint8_t *page, uint64_t root, uint64_t n_pages, uint64_t transaction);

#endif
