/* SPDX-License-Identifier: Apache-2.0 */
/*
 * path_table.h: paths, each with the key of what stood there when it was put in (an inode, as this or that interface names it) and some
 * bytes of the owner. In: paths, keys. Out: entries by path; all entries of a key (hard links). Bounded; an entry's number stays as it is
 * until it is dropped, then another may get it.
 */
#ifndef PLUMB_PATH_TABLE_H
#define PLUMB_PATH_TABLE_H

#include <stddef.h>
#include <stdint.h>

#define PATH_TABLE_NONE UINT32_MAX

struct path_table;

int path_table_open(uint32_t max, size_t extra_size, struct path_table **ret);
struct path_table *path_table_free(struct path_table *t);

/* path must not be in it. Key and path are copied, extra is zeroed. Number of the entry, -ENOSPC or -ENOMEM. */
int64_t path_table_put(struct path_table *t, const char *path, const void *key, size_t key_size);
void path_table_drop(struct path_table *t, uint32_t i);
uint32_t path_table_find(const struct path_table *t, const char *path);	/* or PATH_TABLE_NONE */

/* Those with this key, the newest first: for (i = first(…); i != NONE; i = next(…)). */
uint32_t path_table_first(const struct path_table *t, const void *key, size_t key_size);
uint32_t path_table_next(const struct path_table *t, uint32_t i);

const char *path_table_path(const struct path_table *t, uint32_t i);	/* NULL: no entry has that number; borrowed until it is dropped */
void *path_table_extra(const struct path_table *t, uint32_t i);		/* borrowed until something is put in */
uint32_t path_table_n(const struct path_table *t);
uint32_t path_table_end(const struct path_table *t);	/* all numbers are below it */

/* Calls drop for path and each entry below it; walks all. */
void path_table_each_below(struct path_table *t, const char *path, void (*drop)(void *ctx, uint32_t i), void *ctx);

#endif
