/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_sqlite_lines.h: ledger lines as they came, in batches, and blobs (baselines, policies, anchors, notes) and settings.
 * In, out: as in store.h; ctx is a struct store_sqlite_db.
 */
#ifndef PLUMB_STORE_SQLITE_LINES_H
#define PLUMB_STORE_SQLITE_LINES_H

#include "store.h"

int store_sqlite_lines_put(void *ctx, const char *node, uint64_t incarnation, uint64_t from, const void *lines, size_t size, uint64_t n);
int store_sqlite_lines_each(void *ctx, const char *node, uint64_t incarnation, uint64_t from, uint64_t to,
			    int (*fn)(void *fn_ctx, uint64_t seq, const char *line, size_t size), void *fn_ctx);
int store_sqlite_lines_blob_put(void *ctx, const char *kind, const char *name, const void *data, size_t size);
int store_sqlite_lines_blob_get(void *ctx, const char *kind, const char *name, struct buf *ret);
int store_sqlite_lines_blob_append(void *ctx, const char *kind, const char *name, const void *data, size_t size);
int store_sqlite_lines_blob_parts(void *ctx, const char *kind, const char *name, uint64_t *ret_n);
int store_sqlite_lines_blob_parts_each(void *ctx, const char *kind, const char *name, uint64_t from,
				       int (*fn)(void *fn_ctx, uint64_t part, const void *data, size_t size), void *fn_ctx);
int store_sqlite_lines_blob_remove(void *ctx, const char *kind, const char *name);
int store_sqlite_lines_blob_each(void *ctx, const char *kind, int (*fn)(void *fn_ctx, const char *name, const void *data, size_t size),
				 void *fn_ctx);
int store_sqlite_lines_setting_put(void *ctx, const char *name, const char *value);
int store_sqlite_lines_setting_get(void *ctx, const char *name, struct buf *ret);

#endif
