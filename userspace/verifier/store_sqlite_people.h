/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_sqlite_people.h: operators and join tokens; what is addressed to somebody: orders to nodes, and the outbox of messages.
 * In, out: as in store.h; ctx is a struct store_sqlite_db.
 */
#ifndef PLUMB_STORE_SQLITE_PEOPLE_H
#define PLUMB_STORE_SQLITE_PEOPLE_H

#include "store.h"

int store_sqlite_people_token_put(void *ctx, const struct digest *token, const char *label, uint64_t expires_ns);
int store_sqlite_people_token_use(void *ctx, const struct digest *token, uint64_t now_ns, char ret_label[254]);
int store_sqlite_people_operator_put(void *ctx, const struct store_operator *o);
int store_sqlite_people_operator_get(void *ctx, const struct digest *key_id, struct store_operator *ret);
int store_sqlite_people_operator_each(void *ctx, int (*fn)(void *fn_ctx, const struct store_operator *o), void *fn_ctx);
int store_sqlite_people_order_put(void *ctx, const char *node, uint64_t number, const void *envelope, size_t size);
int store_sqlite_people_order_each(void *ctx, const char *node, uint64_t above,
				   int (*fn)(void *fn_ctx, uint64_t number, const void *envelope, size_t size), void *fn_ctx);
int store_sqlite_people_message_put(void *ctx, const struct store_message *m);
int store_sqlite_people_message_next(void *ctx, const char *target, uint64_t now_ns, struct store_message *ret);
int store_sqlite_people_message_done(void *ctx, uint64_t id);
int store_sqlite_people_message_retry(void *ctx, uint64_t id, uint64_t next_ns);
int store_sqlite_people_message_put_off(void *ctx, uint64_t id, uint64_t next_ns);
int store_sqlite_people_message_forget(void *ctx, const char *target, const char *node);
int store_sqlite_people_message_trim(void *ctx, const char *target, uint32_t keep);
int store_sqlite_people_message_targets(void *ctx, int (*fn)(void *fn_ctx, const char *target, uint64_t n), void *fn_ctx);

#endif
