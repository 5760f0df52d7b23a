/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image_layout.h: the JSON documents that an image is made of (OCI image-spec, Docker's of the same shape): index, manifest, configuration,
 * and the list in "docker save". Pure. In: foreign JSON. Out: which document is the next one, and the layers. What names an image here is
 * the digest of its configuration: it covers all content, and is what Docker, Podman and CRI-O call the image's id.
 */
#ifndef PLUMB_IMAGE_LAYOUT_H
#define PLUMB_IMAGE_LAYOUT_H

#include <stddef.h>
#include <stdint.h>
#include "buf.h"
#include "why.h"

#define IMAGE_LAYOUT_DIGEST_SIZE 72		/* "sha256:", 64 digits, NUL */
#define IMAGE_LAYOUT_MAX_SIZE (4u << 20)	/* bytes of a document */
#define IMAGE_LAYOUT_MAX_LAYERS 512u
#define IMAGE_LAYOUT_MAX_NAME 1024u

enum image_layout_kind {
	IMAGE_LAYOUT_INDEX = 1,	/* next: the manifest for this machine */
	IMAGE_LAYOUT_MANIFEST,	/* next: the configuration; layers: digests of their files */
	IMAGE_LAYOUT_CONFIG,	/* layers: digests of their content, unpacked */
	IMAGE_LAYOUT_DOCKER,	/* next: name of the configuration's file; layers: names of their files */
};

struct image_layout {
	enum image_layout_kind kind;
	char next[IMAGE_LAYOUT_MAX_NAME];
	struct buf layers;	/* lowest first: text NUL text NUL …; the caller ends it (buf_done) */
	uint32_t n_layers;
};

/* architecture as in indexes ("amd64"); NULL: this machine's. -EBADMSG: none of those; -ENOENT: an index without an image for it. */
int image_layout_parse(const void *data, size_t size, const char *architecture, struct image_layout *ret, struct why *ret_why);
const char *image_layout_layer(const struct image_layout *l, uint32_t i);	/* borrowed */
/* Digests of all manifests that an index has, whatever machines they are for, appended to ret: text NUL text NUL …; -EBADMSG: it is no index. */
int image_layout_manifests(const void *data, size_t size, struct buf *ret, uint32_t *ret_n, struct why *ret_why);
int image_layout_is_digest(const char *text);	/* 1: "sha256:" and 64 digits */

#endif
