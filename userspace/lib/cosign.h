/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cosign.h: signatures of container images as cosign puts them beside an image: under the tag sha256-<hex>.sig, over a text that names it;
 * or as a Sigstore bundle (v0.3) that refers to it, a DSSE envelope of an in-toto statement. By public keys alone: certificates and
 * transparency logs are not looked at. Pure. In: foreign documents, keys. Out: what is to be fetched next; whose signature it is.
 */
#ifndef PLUMB_COSIGN_H
#define PLUMB_COSIGN_H

#include <stddef.h>
#include <stdint.h>
#include "image_layout.h"
#include "sign.h"
#include "why.h"

#define COSIGN_MAX_ITEMS 64u		/* signatures of one image; more are an error */
#define COSIGN_MAX_SIGNATURE 1024u
#define COSIGN_MAX_PAYLOAD (64u << 10)	/* bytes of what was signed */
#define COSIGN_MAX_BUNDLE (512u << 10)	/* with what transparency logs said of it */
#define COSIGN_TAG_SIZE 80u		/* "sha256-", 64 digits, ".sig", NUL */
#define COSIGN_BUNDLE_TYPE "application/vnd.dev.sigstore.bundle.v0.3+json"

struct cosign_item {
	char digest[IMAGE_LAYOUT_DIGEST_SIZE];	/* of the document to be fetched; whoever fetches it holds it to that */
	uint8_t sig[COSIGN_MAX_SIGNATURE];	/* over it; none: it is a bundle, or leads to one */
	uint32_t sig_size;
};

struct cosign_list {
	struct cosign_item items[COSIGN_MAX_ITEMS];
	uint32_t n;
};

/* image: "sha256:…". Where its signatures are, and (old registries) what refers to it. -EINVAL: that is no digest. */
int cosign_tag(const char *image, const char *suffix, char ret[COSIGN_TAG_SIZE]);

/* All of these append to *ret; -EBADMSG: not such a document; -E2BIG: more than fit. */
int cosign_of_tag(const void *manifest, size_t size, struct cosign_list *ret, struct why *ret_why);		/* payloads with signatures */
int cosign_of_referrers(const void *index, size_t size, struct cosign_list *ret, struct why *ret_why);		/* manifests of bundles */
int cosign_of_bundle_manifest(const void *manifest, size_t size, struct cosign_list *ret, struct why *ret_why);	/* bundles */

/*
 * 0: keys[*ret_key] signed that image. -EKEYREJECTED: none of them did, or it signed another image or something else about it.
 * -EBADMSG: not such a document.
 */
int cosign_check_payload(const void *payload, size_t size, const struct cosign_item *item, const char *image,
			 const struct sign_key *const *keys, uint32_t n_keys, uint32_t *ret_key, struct why *ret_why);
int cosign_check_bundle(const void *bundle, size_t size, const char *image, const struct sign_key *const *keys, uint32_t n_keys,
			uint32_t *ret_key, struct why *ret_why);

#endif
