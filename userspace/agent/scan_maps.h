/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan_maps.h: what is mapped executable in the processes that run: files, and memory of none. It finds what was mapped before there was a sensor,
 * and where the kernel lets none be attached it is all that there is. In: /proc/PID/maps (foreign paths), a process or a piece of a file a step.
 * Out: lines of type code, as code_lines has them, and memory:locked:<program> of a process whose maps do not come (held_proc.h);
 * kernel:executable_maps says whether all could be looked at.
 * What lives shorter than from one pass to the next is not seen.
 */
#ifndef PLUMB_SCAN_MAPS_H
#define PLUMB_SCAN_MAPS_H

#include <stdbool.h>
#include "claims_source.h"
#include "measure.h"
#include "record_line.h"

#define SCAN_MAPS_BYTES (256ull << 20)	/* of files that are read in one pass; the rest waits for the next */
#define SCAN_MAPS_TEXT_MAX (4u << 20)	/* bytes of one process's maps */
#define SCAN_MAPS_ONE_MAX 1024u		/* executable mappings of one process that are looked at */

struct scan_maps;

/* One executable mapping. Pure. */
struct scan_maps_entry {
	uint64_t from, to;		/* the name in map_files */
	uint64_t ino;			/* 0: of no file */
	uint32_t dev;			/* major << 20 | minor */
	const char *path;		/* in the line, may be "" */
	size_t path_size;		/* without the " (deleted)" behind it */
	bool shared;			/* others that map it see what is written to it */
};

/* 1: it is one; 0: it is not executable, or the kernel's own (vdso); -EBADMSG. line without LF. */
int scan_maps_parse(const char *line, size_t size, struct scan_maps_entry *ret);

int scan_maps_open(const struct claims_source *s, const struct record_line_tables *t, const struct measure_sink *sink,
		   struct scan_maps **ret);	/* all copied, what they point to borrowed */
struct scan_maps *scan_maps_free(struct scan_maps *m);
int scan_maps_step(struct scan_maps *m, int *ret_put);	/* 1: there is more to do; 0: done */

#endif
