/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_sqlite_case.h: the cases' table. At most one open case per (node, rule, scope, key).
 * In, out: as in store.h; ctx is a struct store_sqlite_db.
 */
#ifndef PLUMB_STORE_SQLITE_CASE_H
#define PLUMB_STORE_SQLITE_CASE_H

#include "store.h"
#include "store_sqlite_db.h"

int store_sqlite_case_prepare(struct store_sqlite_db *d, char **ret_create);	/* texts of statements; caller frees */
int store_sqlite_case_put(void *ctx, struct store_case *c);
int store_sqlite_case_find(void *ctx, const char *node, const char *rule, const char *scope, const char *key, struct store_case *ret);
int store_sqlite_case_get(void *ctx, uint64_t id, struct store_case *ret);
int store_sqlite_case_count(void *ctx, const char *node, uint64_t *ret);
int store_sqlite_case_each(void *ctx, const char *node, bool open_only, int (*fn)(void *fn_ctx, const struct store_case *c),
			   void *fn_ctx);

#endif
