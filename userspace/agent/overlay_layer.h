/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overlay_layer.h: is a program in a container of its image, or was it written into the container since? On an overlay: does its file lie in
 * the upper directory. In: an exec record, /proc/PID/mountinfo (foreign text), the layers' directories. Out: "image", "upper", "unknown".
 * Whatever cannot be shown is unknown: only a file with the size and change time that the kernel saw counts. One thread.
 */
#ifndef PLUMB_OVERLAY_LAYER_H
#define PLUMB_OVERLAY_LAYER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "buf.h"
#include "plumb/event.h"

#define OVERLAY_LAYER_MOUNTINFO_MAX (1u << 20)
#define OVERLAY_LAYER_PATH 4096
#define OVERLAY_LAYER_MAX 512		/* layers below; a kernel takes 500 */

struct overlay_layer;

/* root: where the layers' paths start, the mounter's view; NULL: process 1's, else our own. Copied. */
int overlay_layer_open(const char *root, struct overlay_layer **ret);
struct overlay_layer *overlay_layer_free(struct overlay_layer *o);
/* NULL: its file lies on no overlay. Static text. */
const char *overlay_layer_of(struct overlay_layer *o, const struct plumb_event_exec *e);

/* Of the overlay that a path lies on. */
struct overlay_layer_place {
	char upper[OVERLAY_LAYER_PATH];	/* "": it has none, or none that is an absolute path */
	char inside[OVERLAY_LAYER_PATH];	/* the path from its root, without / in front */
	struct buf lowers;		/* topmost first: path NUL path NUL … */
	uint32_t n_lowers;
	bool user;			/* its own attributes are user.overlay.*: root was not who mounted it */
};

/* dev as in records. 0; -ENOENT: no overlay of that device holds path; -EBADMSG. ret->lowers is the caller's to end (buf_done). */
int overlay_layer_find(const char *mountinfo, size_t size, uint32_t dev, const char *path, struct overlay_layer_place *ret);

#endif
