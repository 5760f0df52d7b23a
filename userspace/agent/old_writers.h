/* SPDX-License-Identifier: Apache-2.0 */
/*
 * old_writers.h: descriptors and mappings by which somebody may write to a watched file without opening it again: older than the marks, or
 * than a flood in which the record of the open was dropped.
 * In: /proc/PID/fdinfo, fd and maps of all processes, a slice at a time; whether an inode is watched. Out: the one program that sees each
 * write is attached while there are any, and taken off when a whole pass has found none; a claim, sensor:plumb_file_permission.
 * Stores through a mapping that is there already are seen by nobody in the kernel: while there is one, its file is read anew with each
 * pass, and that there is one is said.
 */
#ifndef PLUMB_OLD_WRITERS_H
#define PLUMB_OLD_WRITERS_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>
#include "held_proc.h"

#define OLD_WRITERS_MAX_MAPS \
	64 /* files of such mappings that are read anew; of more, the scan of all files reads the rest */
#define OLD_WRITERS_MAX_FDS \
	(1u                 \
	 << 20) /* descriptors that one pass looks at; a pass that was cut short has not found none */

struct old_writers;

struct old_writers_options {
	const char *proc; /* NULL: /proc */
	struct held_proc *held; /* by which maps are read; borrowed */
	bool (*watched)(void *ctx, uint32_t dev,
			uint64_t ino); /* dev as the kernel has it: major << 20 | minor */
	int (*attach)(void *ctx, bool on); /* the program; 0 or -errno */
	void (*claim)(void *ctx, const char *value); /* only when it is other than before */
	void (*mapped)(
		void *ctx, uint32_t dev,
		uint64_t
			ino); /* is written to by nobody knows whom: to be read anew. NULL: nobody does */
	void *ctx;
	uint32_t pause_ms; /* between two passes, however often it is asked to look; 0: 5000 */
	uint32_t interval_ms; /* between passes while there are any; 0: 30000 */
};

/*
 * The first pass is done inside, and before it the program is attached: what is written meanwhile is seen. A process that lets itself be
 * waited for is not: the rest of the pass comes by the loop, and the program stays until then.
 */
int old_writers_open(struct event_base *base, const struct old_writers_options *o,
		     struct old_writers **ret);
struct old_writers *old_writers_free(struct old_writers *w); /* the program stays as it is */
void old_writers_look(
	struct old_writers
		*w); /* from the beginning, after a pause: something else is marked now */
bool old_writers_is_attached(const struct old_writers *w);

#endif
