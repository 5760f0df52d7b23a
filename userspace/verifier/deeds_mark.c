/* SPDX-License-Identifier: Apache-2.0 */
#include "deeds_mark.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "clock.h"
#include "jsonl.h"
#include "jwt.h"
#include "node.h"

#define BLOB "kube_mark"

static int make(const struct sign_key *key, const struct store_node *n, const char *state,
		const char *uid, uint64_t now_ns, struct buf *ret)
{
	CLEANUP(buf_done) struct buf claims = {0};
	char since[CLOCK_TEXT_SIZE];
	struct jsonl j;

	clock_text(n->state_since_ns, since);
	jsonl_begin(&j, &claims);
	jsonl_uint(&j, "iat", now_ns / 1000000000);
	jsonl_str(&j, "sub", n->id);
	jsonl_uint(&j, "incarnation", n->incarnation);
	jsonl_str(&j, "kube_name", n->kube_name);
	jsonl_str(&j, "kube_uid", uid);
	jsonl_str(&j, "boot_id", n->boot_id);
	jsonl_str(&j, "state", state);
	jsonl_str(&j, "since", since);
	jsonl_str(&j, "cause", n->cause);
	jsonl_end(&j);
	return buf_status(&claims) < 0 ? buf_status(&claims)
				       : jwt_sign((char *)claims.data, claims.size, key, ret);
}

static int keep(const struct store *store, const char *id, const struct buf *b)
{
	int r = store->ops->begin(store->ctx);

	if (r < 0)
		return r;
	r = store->ops->blob_put(store->ctx, BLOB, id, b->data, b->size);
	if (r >= 0)
		return store->ops->commit(store->ctx);
	store->ops->rollback(store->ctx);
	return r;
}

int deeds_mark_get(const struct store *store, const struct sign_key *key,
		   const struct store_node *n, const char *uid, uint64_t now_ns, struct buf *ret)
{
	const struct node_state s = {n->life, n->appraisal, n->freshness, n->containment,
				     n->forked};
	const char *state = node_shown(&s);
	CLEANUP(buf_done) struct buf old = {0}, new = {0};
	char head[256];
	size_t size;
	int r;

	if (!uid[0] || !key)
		return 0;
	/* What it was made of; another state, boot or object makes another one. */
	snprintf(head, sizeof(head), "%s %" PRIu64 " %" PRIu64 " %s %s\n", state, n->incarnation,
		 n->state_since_ns, n->boot_id, uid);
	size = strlen(head);
	r = store->ops->blob_get(store->ctx, BLOB, n->id, &old);
	if (r >= 0 && old.size > size && memcmp(old.data, head, size) == 0) {
		buf_put(ret, old.data + size, old.size - size);
		return buf_status(ret);
	}
	if (r < 0 && r != -ENOENT)
		return r;
	buf_puts(&new, head);
	r = make(key, n, state, uid, now_ns, ret);
	buf_put(&new, ret->data, ret->size);
	if (r >= 0)
		r = buf_status(&new);
	return r < 0 ? r : keep(store, n->id, &new);
}
