/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loader_isolate.h: what an isolated node lets run, in the kernel's maps; sees libbpf, for loader alone. In: digests, versions of files.
 * Out: the maps, and whether they are in force.
 */
#ifndef PLUMB_LOADER_ISOLATE_H
#define PLUMB_LOADER_ISOLATE_H

#include <stdbool.h>
#include <stdint.h>
#include "plumb/event.h"

#define LOADER_ISOLATE_MAX_DIGESTS 32768u
#define LOADER_ISOLATE_MAX_FILES 8192u

struct plumb;

enum loader_isolate_what {
	LOADER_ISOLATE_ON = 1,		/* from here on */
	LOADER_ISOLATE_OFF,		/* and nothing is on the lists any more */
	LOADER_ISOLATE_DIGEST,		/* one more that may run, or one that is of this round, too; -E2BIG: no room */
	LOADER_ISOLATE_FILE,
	LOADER_ISOLATE_PRUNE_DIGESTS,	/* those of other rounds */
	LOADER_ISOLATE_PRUNE_FILES,
};

struct loader_isolate_change {
	enum loader_isolate_what what;
	uint32_t round;
	const uint8_t *digest;		/* 32 bytes, borrowed */
	struct plumb_isolate_file file;
	struct plumb_isolate_version version;
};

void loader_isolate_size(struct plumb *skel, bool wanted);	/* before the load */
int loader_isolate_change(struct plumb *skel, const struct loader_isolate_change *c);

#endif
