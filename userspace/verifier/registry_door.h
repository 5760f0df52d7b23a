/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry_door.h: the door to registries of images (OCI distribution API), those that the operator named and no others: documents by
 * digest or tag, with the token that a registry wants for reading what is public. In: what is wanted. Out: its bytes, bounded, and held to
 * the digest by which they were asked for; on the loop's thread.
 */
#ifndef PLUMB_REGISTRY_DOOR_H
#define PLUMB_REGISTRY_DOOR_H

#include <event2/event.h>
#include <stddef.h>
#include <stdint.h>
#include "buf.h"
#include "image_ref.h"
#include "why.h"

struct registry_door;

struct registry_options {	/* all borrowed, ca_pem but until it is open */
	struct event_base *base;
	const char *const *registries;	/* "host" or "host:port"; with "http://" before it: in the clear */
	uint32_t n_registries;
	const char *ca_pem;		/* NULL: the system's */
};

struct registry_ask {
	const struct image_ref *ref;	/* copied */
	const char *kind;		/* "manifests", "blobs", "referrers"; a literal */
	const char *what;		/* a digest, or a tag; copied */
	size_t max;
	/* Once, never from inside registry_door_get(). 0: body, borrowed. -ENOENT: it has none. -EBADMSG: the bytes are others. Else as fetch has it. */
	void (*done)(void *ctx, int r, const struct buf *body, const struct why *why);
	void *ctx;
};

int registry_door_open(const struct registry_options *o, struct registry_door **ret, struct why *ret_why);
struct registry_door *registry_door_free(struct registry_door *d);	/* those on their way end with -ECANCELED */
int registry_door_get(struct registry_door *d, const struct registry_ask *a, struct why *ret_why);	/* -EPERM: not a registry of ours */

#endif
