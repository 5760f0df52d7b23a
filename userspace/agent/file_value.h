/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file_value.h: measures one file: its value, what attributes it has beside, and, where they are wanted, the lines that are other than before.
 * In: a path; links are values, they are not followed. Out: text as in claims.h; content comes by way of the hash cache.
 */
#ifndef PLUMB_FILE_VALUE_H
#define PLUMB_FILE_VALUE_H

#include <stdbool.h>
#include "buf.h"
#include "file_texts.h"
#include "hash_cache.h"

struct file_value {
	struct buf value;	/* file:<path> */
	struct buf attrs;	/* attr:<path>; "absent" where there are none */
	struct buf diff;	/* empty: nothing to say */
};

struct file_value_how {
	struct hash_cache *hash_cache;
	struct file_texts *texts;	/* NULL: no lines are wanted of any file */
	bool anew;			/* the content is read, although nothing says that it changed */
	bool was_absent;		/* when it was measured last */
};

int file_value_measure(const struct file_value_how *how, const char *path, struct file_value *ret);	/* 0, or -ENOMEM and its like */
void file_value_done(struct file_value *v);

#endif
