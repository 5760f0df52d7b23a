/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verifier_files.h: the files of the verifier's data directory: keys and certificates in PEM (0600), the store, the lock. In: a directory,
 * names in it. Out: keys, text; errors that name the file.
 */
#ifndef PLUMB_VERIFIER_FILES_H
#define PLUMB_VERIFIER_FILES_H

#include "buf.h"
#include "fsio.h"
#include "sign.h"
#include "store.h"
#include "why.h"

/* -EPERM: we are root, and the directory is another user's, who could not read what we write into it. One that is not there is anybody's. */
int verifier_files_ours(const char *dir, struct why *ret_why);
void verifier_files_wipe(struct buf *b);	/* frees; for private keys */
int verifier_files_put(const struct fsio *io, const char *dir, const char *name, const struct buf *b);
int verifier_files_get(const struct fsio *io, const char *dir, const char *name, struct buf *ret);
int verifier_files_read(const struct fsio *io, const char *dir, const char *name, struct buf *ret, struct why *ret_why);	/* the same, and says what failed */
int verifier_files_make_key(const struct fsio *io, const char *dir, const char *name, enum sign_kind kind, struct sign_key **ret);
int verifier_files_read_key(const struct fsio *io, const char *dir, const char *name, struct sign_key **ret, struct why *ret_why);
int verifier_files_ready(const struct fsio *io, const char *dir, struct why *ret_why);	/* -ENOENT: init was not run */
int verifier_files_store(const char *dir, struct store *ret, struct why *ret_why);
/* One server a directory, or two would write one log. -EBUSY. It is given back by closing ret_fd, or by dying. */
int verifier_files_lock(const char *dir, int *ret_fd, struct why *ret_why);

#endif
