/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image_ref.h: how people name an image: [REGISTRY/]REPOSITORY[:TAG][@DIGEST], with Docker's defaults. Pure. In: foreign text. Out: its parts.
 */
#ifndef PLUMB_IMAGE_REF_H
#define PLUMB_IMAGE_REF_H

#include "image_layout.h"
#include "why.h"

#define IMAGE_REF_MAX 511u	/* bytes of the whole */

struct image_ref {
	char registry[128];	/* host, or host:port, in small letters; "docker.io" where none is named */
	char repository[256];	/* "library/NAME" there, where it is one word */
	char tag[129];		/* "": none */
	char digest[IMAGE_LAYOUT_DIGEST_SIZE];	/* "sha256:…"; "": none */
};

int image_ref_parse(const char *text, struct image_ref *ret, struct why *ret_why);	/* -EBADMSG */

#endif
