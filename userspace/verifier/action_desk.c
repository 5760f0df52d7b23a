/* SPDX-License-Identifier: Apache-2.0 */
#include "action_desk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "cleanup.h"
#include "jsonl.h"
#include "log.h"
#include "reply.h"

#define CURE_ROLE "ask somebody with that role: plumb-verifier operator list"

static const struct store *store_of(const struct action_desk *a)
{
	return a->v->store;
}

int action_desk_operator(const struct action_desk *a, const struct cert_identity *who,
			 enum plumb_role needed, struct store_operator *ret, struct buf *answer)
{
	int r;

	if (!who || who->kind != CERT_OPERATOR)
		return reply_error(answer, 403, CURE_ROLE, "this takes an operator's certificate");
	r = store_of(a)->ops->operator_get(store_of(a)->ctx, &who->key_id, ret);
	if (r == -ENOENT)
		return reply_error(answer, 403, CURE_ROLE, "operator %.100s is not known",
				   who->name);
	if (r < 0)
		return r;
	if (ret->revoked)
		r = reply_error(answer, 403, CURE_ROLE, "operator %.100s was revoked", ret->name);
	else if (ret->role < needed)
		r = reply_error(answer, 403, CURE_ROLE, "this takes the role %s; %.100s is %s",
				terms_role_name(needed), ret->name, terms_role_name(ret->role));
	if (r != 0)
		store_operator_done(ret);
	return r;
}

struct lookup {
	const char *name;
	char id[65];
	uint32_t exact, labels, retired, prefixes;
	char label_id[65], retired_id[65], prefix_id[65];
};

static int on_lookup(void *ctx, const struct store_node *n)
{
	struct lookup *l = ctx;

	if (strcmp(n->id, l->name) == 0) {
		l->exact++;
		memcpy(l->id, n->id, sizeof(l->id));
	}
	if (strcmp(n->label, l->name) == 0 && node_is_gone(n->life)) {
		l->retired++;
		memcpy(l->retired_id, n->id, sizeof(l->retired_id));
	} else if (strcmp(n->label, l->name) == 0) {
		l->labels++;
		memcpy(l->label_id, n->id, sizeof(l->label_id));
	}
	if (strlen(l->name) >= 4 && strncmp(n->id, l->name, strlen(l->name)) == 0) {
		l->prefixes++;
		memcpy(l->prefix_id, n->id, sizeof(l->prefix_id));
	}
	return 0;
}

/* NULL: there is none. An id goes before a label, a label before the beginning of an id, and never in another node's place: labels are chosen. */
static const char *meant(const struct lookup *l, uint32_t *ret_n)
{
	const char *id = NULL;

	*ret_n = 1;
	if (l->exact)
		return l->id;
	if (l->labels || l->retired) {
		/* A retired node's label may be another's by now. */
		*ret_n = l->labels ? l->labels : l->retired;
		id = l->labels ? l->label_id : l->retired_id;
		if (l->prefixes > 1 || (l->prefixes == 1 && strcmp(l->prefix_id, id) != 0))
			*ret_n += l->prefixes;
	} else if (l->prefixes) {
		*ret_n = l->prefixes;
		id = l->prefix_id;
	}
	return id;
}

int action_desk_find(const struct verifier *v, const char *name, struct store_node *ret,
		     struct why *ret_why)
{
	struct lookup l = {.name = name};
	const char *id;
	uint32_t n;
	int r = v->store->ops->node_each(v->store->ctx, on_lookup, &l);

	if (r < 0)
		return r;
	id = meant(&l, &n);
	if (!id)
		return why_set(ret_why, -ENOENT, "there is no node %.100s", name);
	if (n > 1)
		return why_set(ret_why, -ENOTUNIQ,
			       "%.100s is more than one node; give more of its id", name);
	return v->store->ops->node_get(v->store->ctx, id, ret);
}

int action_desk_log(const struct action_desk *a, const char *who, const char *what,
		    const char *node, const char *reason, const struct digest *envelope,
		    const char *result)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct jsonl j = {.buf = &b};
	uint64_t seq;

	jsonl_str(&j, "operator", who);
	jsonl_str(&j, "action", what);
	jsonl_str(&j, "node", node);
	jsonl_str(&j, "reason", reason);
	jsonl_hex(&j, "envelope", envelope->bytes, DIGEST_SIZE);
	jsonl_str(&j, "result", result);
	return buf_status(&b) < 0 ? buf_status(&b)
				  : vlog_add(a->v->vlog, PLUMB_TYPE_ACTION, (char *)b.data, &seq);
}

void action_desk_undo(const struct action_desk *a, const char *who, const char *what,
		      const struct digest *envelope, int error)
{
	struct why why = {""};

	store_of(a)->ops->rollback(store_of(a)->ctx);
	if (documents_reload(a->documents, &why) < 0)
		log_error("policy=unread error=\"%s\" next=\"the one that was not stored is in "
			  "force; start the verifier again\"",
			  why.text);
	/* Lines that tell of it may be in the log already: this one takes them back. */
	if (action_desk_log(a, who, what, "", strerror(-error), envelope, "failed, not done") < 0 ||
	    vlog_sync(a->v->vlog) < 0)
		log_error("operator=%s action=%s log=unwritten next=\"it was not done\"", who,
			  what);
}

static int add_node(void *ctx, const struct store_node *n)
{
	struct action_desk_nodes *all = ctx;
	void *more;

	if (node_is_gone(n->life))
		return 0;
	if (all->n == all->max) {
		all->max = all->max ? all->max * 2 : 64;
		more = realloc(all->ids, all->max * sizeof(*all->ids));
		if (!more)
			return -ENOMEM;
		all->ids = more;
	}
	memcpy(all->ids[all->n++], n->id, 65);
	return 0;
}

int action_desk_nodes(const struct action_desk *a, struct action_desk_nodes *ret)
{
	int r;

	*ret = (struct action_desk_nodes){.n = 0};
	r = store_of(a)->ops->node_each(store_of(a)->ctx, add_node, ret);
	if (r < 0)
		free(ret->ids);
	return r < 0 ? r : 0;
}

static int rejudge_node(const struct action_desk *a, const char *id, const char *cause,
			const struct store_operator *op, const char *reason)
{
	const struct store *s = store_of(a);
	struct store_node n = {.incarnation = 0};
	struct cases c = {.v = a->v,
			  .policy = documents_policy(a->documents),
			  .node = &n,
			  .now_ns = clock_utc_ns(a->v->clock)};
	int r = s->ops->node_get(s->ctx, id, &n);

	if (r >= 0)
		r = cases_rejudge(&c);
	if (r >= 0)
		r = intake_derive(a->intake, &n, cause, op->name, reason);
	if (r >= 0)
		r = s->ops->node_put(s->ctx, &n);
	cases_done(&c);
	store_node_done(&n);
	return r;
}

int action_desk_rejudge(const struct action_desk *a, const char *cause,
			const struct store_operator *op, const char *reason)
{
	struct action_desk_nodes all;
	int r = action_desk_nodes(a, &all);

	if (r < 0)
		return r;

	for (uint32_t i = 0; r >= 0 && i < all.n; i++)
		r = rejudge_node(a, all.ids[i], cause, op, reason);
	free(all.ids);
	return r < 0 ? r : 0;
}

int action_desk_answer(const char *text, const char *undo, struct buf *ret)
{
	struct jsonl j;

	jsonl_begin(&j, ret);
	jsonl_bool(&j, "ok", true);
	jsonl_str(&j, "text", text);
	jsonl_str(&j, "undo", undo);
	jsonl_end(&j);
	return buf_status(ret) < 0 ? buf_status(ret) : 200;
}
