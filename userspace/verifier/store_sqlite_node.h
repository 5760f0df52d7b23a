/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_sqlite_node.h: the nodes' table. A row is changed only on condition of the version that was read.
 * In, out: as in store.h; ctx is a struct store_sqlite_db.
 */
#ifndef PLUMB_STORE_SQLITE_NODE_H
#define PLUMB_STORE_SQLITE_NODE_H

#include "store.h"
#include "store_sqlite_db.h"

int store_sqlite_node_prepare(struct store_sqlite_db *d, char **ret_create);	/* texts of statements; caller frees */
int store_sqlite_node_get(void *ctx, const char *id, struct store_node *ret);
int store_sqlite_node_put(void *ctx, struct store_node *n);
int store_sqlite_node_each(void *ctx, int (*fn)(void *fn_ctx, const struct store_node *n), void *fn_ctx);

#endif
