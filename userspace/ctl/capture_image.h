/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capture_image.h: finds in an image's files what a baseline is to have. In: paths as seen in the image. Out: entries of a capture_set, hashed.
 */
#ifndef PLUMB_CAPTURE_IMAGE_H
#define PLUMB_CAPTURE_IMAGE_H

#include <stdbool.h>
#include "capture_set.h"
#include "image_tree.h"
#include "why.h"

/* As capture_walk.h does it on disk. */
int capture_image_exec(struct capture_set *set, struct image_tree *t, const char *path, struct why *ret_why);
int capture_image_code(struct capture_set *set, struct image_tree *t, const char *path, struct why *ret_why);
int capture_image_file(struct capture_set *set, struct image_tree *t, const char *path, bool *ret_directory, struct why *ret_why);

#endif
