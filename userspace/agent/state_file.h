/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state_file.h: one small file of the agent's state directory, that a restart or a power cut must not lose, nor bring back. In: its name, one line.
 * Out: the line, or why it can be none of ours; the file, replaced whole and removed, durably.
 */
#ifndef PLUMB_STATE_FILE_H
#define PLUMB_STATE_FILE_H

#include "buf.h"
#include "fsio.h"
#include "why.h"

struct state_file { /* borrowed */
	const struct fsio *io;
	const char *dir, *name;
	size_t max; /* bytes of it, LF at the end included */
};

/*
 * The line without its LF, appended. -ENOENT: there is none. -EBADMSG: something is there, and is no whole line in a plain file that only we may
 * write (owned_file.h).
 */
int state_file_load(const struct state_file *f, struct buf *ret, struct why *ret_why);
/* line: LF at the end. Makes the directory. -EFBIG: it could not be read again. Until it is 0 the old file stands. */
int state_file_keep(const struct state_file *f, const struct buf *line);
int state_file_remove(const struct state_file *f); /* one that is not there is removed */

#endif
