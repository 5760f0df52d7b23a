/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overlay_below.h: where an overlay has a path from: the files of its layers, which can be changed past the overlay, and which neither LSM nor
 * fanotify takes for the overlay's own. In: mountinfo of this mount namespace (foreign text), a path. Out: descriptors of what lies below it.
 * A layer that has no path here, nor where process 1 is (a live system's, say), is left out.
 */
#ifndef PLUMB_OVERLAY_BELOW_H
#define PLUMB_OVERLAY_BELOW_H

#include <stdbool.h>
#include <stdint.h>

#define OVERLAY_BELOW_LAYERS 4u	/* of one directory, the topmost that have it */

struct overlay_below;

/* mountinfo: its path; NULL: /proc/self/mountinfo. root: of process 1; NULL: /proc/1/root. Copied. */
int overlay_below_open(const char *mountinfo, const char *root, struct overlay_below **ret);
struct overlay_below *overlay_below_free(struct overlay_below *b);
/* Reads mountinfo anew: 1 there is an overlay, 0 there is none and nothing lies below anything; or -errno, and it is as before. */
int overlay_below_read(struct overlay_below *b);
/*
 * Of a directory those of all its layers, the topmost first; of anything else the one that the overlay shows,
 * and of one that was copied up without its bytes (metacopy) those below it. What was renamed is found there by the path that it has there (redirect_dir). fd is O_PATH, and closed after
 * the call; layer counts from 0. Number of calls: 0 where path lies on no overlay.
 */
uint32_t overlay_below_each(struct overlay_below *b, const char *path, void (*fn)(void *ctx, int fd, uint32_t layer), void *ctx);
/* The layers that each of the calls above would look at are to be had; true where path lies on no overlay. */
bool overlay_below_reaches(struct overlay_below *b, const char *path);
/* Where overlays are mounted, one after the other; after NULL: the first. NULL: there is no further one. Borrowed until the next reading. */
const char *overlay_below_point(const struct overlay_below *b, const char *after);

#endif
