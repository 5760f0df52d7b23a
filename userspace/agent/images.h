/* SPDX-License-Identifier: Apache-2.0 */
/*
 * images.h: from a container's id to the digest of its image, by what the runtimes on this node keep on disk: Docker, CRI-O, Podman, containerd.
 * In: "container:<64 hex>" and the mount namespace of who ran something. Out: "image:sha256:<64 hex>" where that is known for sure; else
 * the scope stays as it was, which is unjudged, and never host. Foreign JSON, bounded. One thread.
 */
#ifndef PLUMB_IMAGES_H
#define PLUMB_IMAGES_H

#include <stddef.h>
#include <stdint.h>
#include "cgroups.h"
#include "clock.h"

struct images;

struct images_options {
	const char *root;		/* run/ and var/lib/ of the runtimes lie below it; NULL: "/". Copied */
	uint32_t host_mnt_ns;		/* 0: that of process 1, else our own */
	const struct clock *clock;	/* borrowed */
};

int images_open(const struct images_options *o, struct images **ret);
struct images *images_free(struct images *m);
/*
 * A runtime also runs programs of the host in a container's cgroup, before it enters the container: those, told by their mount namespace,
 * are none of the image's.
 */
void images_scope(struct images *m, uint32_t mnt_ns, char scope[CGROUPS_SCOPE_SIZE]);

/* The kinds of files that runtimes keep; for fuzzing. */
enum images_kind { IMAGES_DOCKER = 0, IMAGES_OCI = 1, IMAGES_STORAGE = 2 };
#define IMAGES_DIGEST_SIZE 72		/* "sha256:", 64 digits, NUL */
/* id: 64 hex digits. 0, -ENOENT: it does not say; -EBADMSG: it is not such a file. */
int images_parse(enum images_kind kind, const char *id, const void *data, size_t size, char ret[IMAGES_DIGEST_SIZE]);

#endif
