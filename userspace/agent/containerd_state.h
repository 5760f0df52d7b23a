/* SPDX-License-Identifier: Apache-2.0 */
/*
 * containerd_state.h: what containerd keeps of a container and its image, below its root directory: metadata (bolt) and content. In: a directory,
 * a container's id or a digest. Out: the digest of the image's configuration, which is what others call the image's id.
 */
#ifndef PLUMB_CONTAINERD_STATE_H
#define PLUMB_CONTAINERD_STATE_H

#include "image_layout.h"

/*
 * The image that the container's own snapshot lies on: its name may mean another one by now, so the layers of the image that has it now
 * must be those of the snapshot. 0; -ENOENT: not known; -ESTALE: the name means another image.
 */
int containerd_state_image(const char *dir, const char *id, char ret[IMAGE_LAYOUT_DIGEST_SIZE]);
/* Of an index, manifest or configuration: that of the configuration, by content that has the digest which names it. -ENOENT: it is not here. */
int containerd_state_config(const char *dir, const char *digest, char ret[IMAGE_LAYOUT_DIGEST_SIZE]);

#endif
