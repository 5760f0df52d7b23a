/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drill_deed.h: harmless tampering with this machine, and its end: a program that no baseline lists, bytes behind the end of a watched file, a module that the
 * kernel refuses. In: a kind, a path. Out: the key under which an agent tells it. Nothing that was there before is written over.
 */
#ifndef PLUMB_DRILL_DEED_H
#define PLUMB_DRILL_DEED_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include "why.h"

enum drill_kind { DRILL_EXEC = 1, DRILL_FILE, DRILL_MODULE };

struct drill_deed {
	enum drill_kind kind;
	char path[PATH_MAX];	/* of the file that is run, written, or refused */
	char key[PATH_MAX + 16];
	bool ours;		/* the file was made by this */
	int fd;			/* DRILL_FILE: of the file */
	uint64_t size;		/* DRILL_FILE: before */
};

int drill_kind_from_name(const char *name);	/* 0: none */
/*
 * Gets ready, without doing anything that an agent would tell but the making of a file of our own. where: DRILL_FILE: the file, else a directory. -EINVAL and
 * others with why; then nothing is left.
 */
int drill_deed_prepare(enum drill_kind kind, const char *where, struct drill_deed *ret, struct why *ret_why);
int drill_deed_do(struct drill_deed *d, struct why *ret_why);
/* As it was before drill_deed_prepare(). May be called twice. */
int drill_deed_undo(struct drill_deed *d, struct why *ret_why);

#endif
