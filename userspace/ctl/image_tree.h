/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image_tree.h: the files that an image's layers leave when they lie on one another: whiteouts, hard links and links as a runtime takes
 * them, in memory, so that no hostile name meets a disk. In: entries of layers, lowest first. Out: what is at a path, all below it.
 */
#ifndef PLUMB_IMAGE_TREE_H
#define PLUMB_IMAGE_TREE_H

#include <stdint.h>
#include <sys/types.h>
#include "archive_reader.h"
#include "digest.h"
#include "why.h"

#define IMAGE_TREE_MAX 2000000u		/* files, directories and links, of all layers together */
#define IMAGE_TREE_MAX_LINKS 40u	/* that are followed on the way to one path */

struct image_tree;

struct image_tree_file {
	mode_t mode;
	uint32_t uid, gid;
	uint64_t size;
	struct digest digest;	/* of regular files */
	const char *target;	/* of links; borrowed */
};

int image_tree_open(struct image_tree **ret);
struct image_tree *image_tree_free(struct image_tree *t);
void image_tree_layer(struct image_tree *t);	/* what comes from now on lies above all before */
/*
 * digest: of a regular file. Names that lead upwards, hard links to what is not there and more than the maximum are refused by name.
 * Absolute names are those below the image's root.
 */
int image_tree_add(struct image_tree *t, const struct archive_reader_entry *e, const struct digest *digest, struct why *ret_why);

/* path as seen in the image, links in its directories followed; its last part, too, where follow says so. -ENOENT, -ELOOP. */
int image_tree_find(struct image_tree *t, const char *path, int follow, struct image_tree_file *ret);
/* It and all below it, in no order, by the paths they have without any links. 0 or what fn gave. */
int image_tree_each(struct image_tree *t, const char *path, int follow,
		    int (*fn)(void *ctx, const char *path, const struct image_tree_file *f), void *ctx);

#endif
