/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guard_words.h: what a guard record says, in words. Pure.
 * In: a record that event_check() found sound. Out: the key without its first word ("kill:KILL", "file:/etc/x"), outcome, operation.
 */
#ifndef PLUMB_GUARD_WORDS_H
#define PLUMB_GUARD_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include "plumb/event.h"

/* path: of the inode, or of its directory with the name behind it; NULL: only the name is known. */
void guard_words_key(const struct plumb_event_guard *e, const char *path, char *ret, size_t size);
bool guard_words_control(const struct plumb_event_guard *e);	/* a control file of a cgroup, whose key does not say which */
const char *guard_words_outcome(const struct plumb_event_guard *e);	/* "seen", "denied", "allowed" */
const char *guard_words_file_op(const struct plumb_event_guard *e);	/* as in `op` of file lines; NULL: no file */

#endif
