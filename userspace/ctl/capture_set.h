/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capture_set.h: the entries of a baseline that is being made, packed: some 64 bytes and its path for each, so that 100,000 of them
 * stay far below 64 MiB. In: paths and texts. Out: after hashing and sorting, keys and values in the order of a baseline.
 */
#ifndef PLUMB_CAPTURE_SET_H
#define PLUMB_CAPTURE_SET_H

#include <stdint.h>
#include <sys/stat.h>
#include "digest.h"
#include "why.h"

#define CAPTURE_SET_MAX 4000000u
#define CAPTURE_SET_MAX_THREADS 16u

enum capture_set_kind {
	CAPTURE_SET_GONE = 0,	/* went away before it was hashed: not in the baseline */
	CAPTURE_SET_EXEC,	/* key exec:sha256:<hex>, value the path */
	CAPTURE_SET_LOAD,	/* key load:sha256:<hex>, value the path */
	CAPTURE_SET_FILE,	/* key file:<path>, value its claim */
	CAPTURE_SET_CODE,	/* key code:sha256:<hex>, value the path */
	CAPTURE_SET_TEXT,	/* key and value as given */
};

struct capture_set;

int capture_set_open(int root, struct capture_set **ret);	/* that paths lie below: capture_root.h. Borrowed */
struct capture_set *capture_set_free(struct capture_set *s);

/* Copied. target: for links, else NULL. -E2BIG: over CAPTURE_SET_MAX or 1 GiB of text. */
int capture_set_add_path(struct capture_set *s, enum capture_set_kind kind, const char *path, const struct stat *st, const char *target);
/* One that was hashed already: it is not read. */
int capture_set_add_hashed(struct capture_set *s, enum capture_set_kind kind, const char *path, const struct stat *st, const char *target,
			   const struct digest *digest);
int capture_set_add_absent(struct capture_set *s, const char *path);	/* a watched path that must stay absent */
/* key starts with none of "exec:", "load:", "code:", "file:". */
int capture_set_add_text(struct capture_set *s, const char *key, const char *value);
uint64_t capture_set_n(const struct capture_set *s);

/*
 * Hashes every regular file, on n_threads threads (0: one a CPU). progress is called on the caller's thread; may be NULL.
 * A file that cannot be read is an error that names it; one that went away is none.
 */
struct capture_set_progress {
	void (*fn)(void *ctx, uint64_t n_done, uint64_t n);
	void *ctx;
};
int capture_set_hash(struct capture_set *s, uint32_t n_threads, const struct capture_set_progress *progress, struct why *ret_why);

/* Sorts by key; then each in order and each key once (the same content under several names: the first path). fn returns 0 to go on. */
int capture_set_each(struct capture_set *s, int (*fn)(void *ctx, const char *key, const char *value), void *ctx);

#endif
