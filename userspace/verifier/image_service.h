/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image_service.h: all that knows of images' signatures, opened in order: keys from files, what is known, who asks registries.
 * In: names of files and registries. Out: rooms that run, and v->images. Main opens and frees it.
 */
#ifndef PLUMB_IMAGE_SERVICE_H
#define PLUMB_IMAGE_SERVICE_H

#include "image_fetch.h"

#define IMAGE_SERVICE_MAX_KEYS 16u

struct image_service;

struct image_service_options {	/* borrowed */
	const char *const *keys;	/* PEM files of public keys: P-256, RSA, Ed25519 */
	uint32_t n_keys;
	const char *ca_file;		/* of the registries' certificates; NULL: the system's */
	struct image_fetch_options fetch;	/* registries.ca_pem is filled in */
};

/* -ENOENT, -EKEYREJECTED: a file that an option names, and the sentence names it. */
int image_service_open(struct verifier *v, const struct image_service_options *o, struct image_service **ret, struct why *ret_why);
struct image_service *image_service_free(struct image_service *s);	/* v->images is NULL then */

#endif
