/* SPDX-License-Identifier: Apache-2.0 */
#include "name_claims.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "jsonl.h"
#include "node.h"

#define CLAIMS "kube_claim" /* by node: "INCARNATION UNTIL NODE UID|-" */
#define TOKENS "kube_tokens" /* one blob, "all": "DIGEST NODE", a line each, oldest first */
#define TOKEN_LINE (64 + 1 + 64 + 1)

static const struct store_ops *ops(const struct name_claims *n)
{
	return n->v->store->ops;
}

static void *store_ctx(const struct name_claims *n)
{
	return n->v->store->ctx;
}

static int write_line(const struct name_claims *n, const char *id, const char *node,
		      const char *result)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct jsonl l = {.buf = &b};
	char reason[400];
	uint64_t seq;

	snprintf(reason, sizeof(reason), "its pod's token, of Kubernetes node %s", node);
	jsonl_str(&l, "operator", "");
	jsonl_str(&l, "action", "bind");
	jsonl_str(&l, "node", id);
	jsonl_str(&l, "reason", reason);
	jsonl_str(&l, "result", result);
	return buf_status(&b) < 0 ? buf_status(&b)
				  : vlog_add(n->v->vlog, PLUMB_TYPE_ACTION, (char *)b.data, &seq);
}

/* The EK that showed it before, or this one from here on. */
static int token_owner(const struct name_claims *n, const struct digest *token, const char *id,
		       struct why *ret_why)
{
	CLEANUP(buf_done) struct buf all = {0}, now = {0};
	char line[TOKEN_LINE + 1], hex[DIGEST_HEX_SIZE];
	size_t from = 0;
	int r = ops(n)->blob_get(store_ctx(n), TOKENS, "all", &all);

	if (r < 0 && r != -ENOENT)
		return r;
	if (all.size % TOKEN_LINE != 0)
		return -EIO;
	digest_hex(token, hex);
	snprintf(line, sizeof(line), "%.64s %-64.64s\n", hex, id);
	for (size_t i = 0; i < all.size; i += TOKEN_LINE) {
		if (memcmp(all.data + i, line, 65) != 0)
			continue;
		return memcmp(all.data + i, line, TOKEN_LINE) == 0
			       ? 0
			       : why_set(ret_why, -EKEYREJECTED,
					 "node %.64s showed the same token: it is replayed",
					 (char *)all.data + i + 65);
	}
	if (all.size >= NAME_CLAIMS_MAX_TOKENS * TOKEN_LINE)
		from = all.size - (NAME_CLAIMS_MAX_TOKENS - 1) * TOKEN_LINE;
	if (all.size > from)
		buf_put(&now, all.data + from, all.size - from);
	buf_put(&now, line, TOKEN_LINE);
	return buf_status(&now) < 0
		       ? buf_status(&now)
		       : ops(n)->blob_put(store_ctx(n), TOKENS, "all", now.data, now.size);
}

struct taken {
	const char *name, *id;
	char by[65];
};

/* Who is retired has no name any more. */
static int on_row(void *ctx, const struct store_node *row)
{
	struct taken *t = ctx;

	if (row->life != PLUMB_LIFE_RETIRED && strcmp(row->kube_name, t->name) == 0 &&
	    strcmp(row->id, t->id) != 0)
		snprintf(t->by, sizeof(t->by), "%s", row->id);
	return 0;
}

/* 0: this machine may have the name. */
static int may_have(const struct name_claims *n, const struct store_node *row, const char *name,
		    struct why *ret_why)
{
	struct taken t = {.name = name, .id = row->id};
	int r;

	if (node_is_gone(row->life) || row->life == PLUMB_LIFE_PROVISIONING)
		return why_set(ret_why, -EKEYREJECTED, "it is %s", terms_life_name(row->life));
	if (row->kube_name[0] && strcmp(row->kube_name, name) != 0)
		return why_set(ret_why, -EKEYREJECTED, "it is bound to %.150s", row->kube_name);
	r = ops(n)->node_each(store_ctx(n), on_row, &t);
	if (r < 0)
		return r;
	return t.by[0] ? why_set(ret_why, -EKEYREJECTED, "%.100s is node %.64s's", name, t.by) : 0;
}

static int save(const struct name_claims *n, const struct store_node *row, const char *node,
		const char *uid)
{
	char text[2 * 21 + KUBE_FACTS_MAX_NAME + KUBE_FACTS_MAX_UID + 4];

	snprintf(text, sizeof(text), "%" PRIu64 " %" PRIu64 " %s %s", row->incarnation,
		 clock_utc_ns(n->v->clock) + NAME_CLAIMS_LIFE_S * 1000000000, node,
		 uid[0] ? uid : "-");
	return ops(n)->blob_put(store_ctx(n), CLAIMS, row->id, text, strlen(text));
}

/* What was refused stands in the log, and nothing else of it. */
static int end(const struct name_claims *n, const char *id, const char *node, int r,
	       const struct why *why)
{
	char result[240];
	int log_r = 0;

	if (r == -EKEYREJECTED) {
		ops(n)->rollback(store_ctx(n));
		snprintf(result, sizeof(result), "refused: %.220s", why->text);
		log_r = ops(n)->begin(store_ctx(n));
		if (log_r < 0)
			return log_r;
		log_r = ops(n)->blob_remove(store_ctx(n), CLAIMS, id);
		log_r = log_r == -ENOENT ? 0 : log_r;
		if (log_r >= 0)
			log_r = write_line(n, id, node, result);
	}
	if (log_r < 0 || (r < 0 && r != -EKEYREJECTED)) {
		ops(n)->rollback(store_ctx(n));
		return log_r < 0 ? log_r : r;
	}
	log_r = ops(n)->commit(store_ctx(n));
	if (log_r >= 0)
		log_r = vlog_sync(n->v->vlog);
	return log_r < 0 ? log_r : r;
}

int name_claims_put(const struct name_claims *n, const char *id, const struct digest *token,
		    const char *node, const char *uid, struct why *ret_why)
{
	struct store_node row = {.version = 0};
	int r = ops(n)->begin(store_ctx(n));

	if (r < 0)
		return r;
	r = ops(n)->node_get(store_ctx(n), id, &row);
	if (r >= 0)
		r = token_owner(n, token, id, ret_why);
	if (r >= 0)
		r = may_have(n, &row, node, ret_why);
	/* It has the name already: nothing is to be done. */
	if (r >= 0 && !row.kube_name[0])
		r = save(n, &row, node, uid);
	store_node_done(&row);
	return end(n, id, node, r, ret_why);
}

int name_claims_get(const struct name_claims *n, const char *id, struct name_claim *ret)
{
	CLEANUP(buf_done) struct buf b = {0};
	int r = ops(n)->blob_get(store_ctx(n), CLAIMS, id, &b);

	if (r < 0)
		return r;
	if (b.size == 0 || sscanf((char *)b.data, "%" SCNu64 " %" SCNu64 " %253s %63s",
				  &ret->incarnation, &ret->until_ns, ret->node, ret->uid) != 4)
		return -EIO;
	if (strcmp(ret->uid, "-") == 0)
		ret->uid[0] = 0;
	return 0;
}

struct each {
	void (*fn)(void *ctx, const char *id);
	void *ctx;
};

static int on_blob(void *ctx, const char *name, const void *data, size_t size)
{
	const struct each *e = ctx;

	(void)data;
	(void)size;
	e->fn(e->ctx, name);
	return 0;
}

int name_claims_each(const struct name_claims *n, void (*fn)(void *ctx, const char *id), void *ctx)
{
	struct each e = {fn, ctx};

	return ops(n)->blob_each(store_ctx(n), CLAIMS, on_blob, &e);
}

int name_claims_drop(const struct name_claims *n, const char *id)
{
	int r = ops(n)->begin(store_ctx(n));

	if (r < 0)
		return r;
	r = ops(n)->blob_remove(store_ctx(n), CLAIMS, id);
	if (r >= 0)
		return ops(n)->commit(store_ctx(n));
	ops(n)->rollback(store_ctx(n));
	return r == -ENOENT ? 0 : r;
}

/* 1: the claim, the Node and the evidence are of one machine and one boot. */
static int agree(const struct name_claims *n, const struct name_claim *c,
		 const struct store_node *row, const struct kube_facts *f, struct why *ret_why)
{
	if (c->incarnation != row->incarnation)
		return why_set(ret_why, -EKEYREJECTED, "it was enrolled anew since");
	if (clock_utc_ns(n->v->clock) >= c->until_ns)
		return why_set(ret_why, -EKEYREJECTED,
			       "the Node was not seen to be of its boot in time");
	if (strcmp(f->name, c->node) != 0 || (c->uid[0] && strcmp(f->uid, c->uid) != 0))
		return why_set(ret_why, -EKEYREJECTED,
			       "the Node %.100s is another one than the token's", c->node);
	if (!row->boot_id[0] || !f->boot_id[0] || strcmp(row->boot_id, f->boot_id) != 0) {
		why_set(ret_why, 0, "the Node's boot id is \"%.37s\", that of its evidence \"%s\"",
			f->boot_id, row->boot_id);
		return 0;
	}
	return 1;
}

/* Judged under the write lock. */
static int bind_it(const struct name_claims *n, struct store_node *row, const struct kube_facts *f,
		   struct why *ret_why)
{
	struct name_claim c = {.incarnation = 0};
	int r = name_claims_get(n, row->id, &c);

	if (r >= 0)
		r = agree(n, &c, row, f, ret_why);
	if (r <= 0)
		return r;
	r = may_have(n, row, c.node, ret_why);
	if (r >= 0)
		r = ops(n)->blob_remove(store_ctx(n), CLAIMS, row->id);
	if (r < 0 || row->kube_name[0])
		return r < 0 ? r : 1;
	snprintf(row->kube_name, sizeof(row->kube_name), "%s", c.node);
	r = write_line(n, row->id, c.node, "done");
	if (r >= 0)
		r = contain_bound(n->contain, row, "");
	if (r >= 0)
		r = ops(n)->node_put(store_ctx(n), row);
	return r < 0 ? r : 1;
}

int name_claims_bind(const struct name_claims *n, const char *id, const struct kube_facts *f,
		     struct why *ret_why)
{
	struct store_node row = {.version = 0};
	int r = ops(n)->begin(store_ctx(n));

	if (r < 0)
		return r;
	r = ops(n)->node_get(store_ctx(n), id, &row);
	if (r >= 0)
		r = bind_it(n, &row, f, ret_why);
	store_node_done(&row);
	r = end(n, id, f->name, r, ret_why);
	if (r > 0)
		contain_kick(n->contain);
	return r;
}
