/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image_source.h: opens an image as it lies in a file or directory: OCI layout, "docker save" (both plain or as a tar), or a root file system
 * in a tar. In: a path; foreign bytes. Out: its files, each hashed, and the digests that the image has. Every document and every layer is held
 * against the digest that names it, so the content is that of the digest. A directory that is none of these is a root file system.
 */
#ifndef PLUMB_IMAGE_SOURCE_H
#define PLUMB_IMAGE_SOURCE_H

#include <stdint.h>
#include "image_layout.h"
#include "image_tree.h"
#include "why.h"

struct image_source_info {
	char config[IMAGE_LAYOUT_DIGEST_SIZE];		/* the image's id; "": a root file system, which has none */
	char manifest[IMAGE_LAYOUT_DIGEST_SIZE];	/* "" where it is not known, as in docker save's own form */
	char index[IMAGE_LAYOUT_DIGEST_SIZE];		/* of several machines' images */
};

/* *ret NULL with 0: path is the directory of an unpacked root file system. */
int image_source_open(const char *path, struct image_tree **ret, struct image_source_info *ret_info, struct why *ret_why);

#endif
