/* SPDX-License-Identifier: Apache-2.0 */
#include "csr_judge.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "jsonl.h"
#include "kubelet_keys.h"

static const struct store_ops *ops(const struct csr_judge *j)
{
	return j->v->store->ops;
}

static void *store_ctx(const struct csr_judge *j)
{
	return j->v->store->ctx;
}

/* 1: this node is meant. A name that nothing has goes to the one node that showed the key. */
static int find_node(const struct csr_judge *j, const struct csr_check *c, char ret_id[65],
		     struct why *ret_why)
{
	struct bound_node b;
	int r = bound_nodes_find(j->nodes, c->request.node, &b);

	if (r >= 0) {
		snprintf(ret_id, 65, "%s", b.id);
		return 1;
	}
	if (r != -ENOENT)
		return r;
	if (!j->bind) {
		why_set(ret_why, 0, "no node is bound to that name: plumbctl node bind");
		return 0;
	}
	r = kubelet_keys_owner(j->v, &c->request.key, ret_id);
	if (r == -ENOENT || r == -ENOTUNIQ) {
		why_set(ret_why, 0, "%s",
			r == -ENOENT ? "no node's ledger shows this key"
				     : "more than one node's ledger shows this key");
		return 0;
	}
	return r < 0 ? r : 1;
}

static const char *verdict_why_not(const struct store_node *n)
{
	if (n->forked)
		return "it is forked";
	if (n->life != PLUMB_LIFE_ACTIVE)
		return "it has no verdict, or is leaving";
	if (n->containment > PLUMB_CONTAIN_REPORT)
		return "it is contained";
	if (n->appraisal != PLUMB_APPRAISAL_TRUSTED)
		return "its last verdict is not good";
	return n->freshness == PLUMB_FRESHNESS_FRESH ? NULL : "its last verdict is old";
}

/* Of a node: what was approved last (CSR_APPROVED), and what was approved last without being shown (CSR_CHAINED). */
#define CSR_APPROVED "csr_approved"
#define CSR_CHAINED "csr_chained"

struct kept {
	uint64_t incarnation;
	struct digest key;
	char name[254]; /* of the request */
	char uid[CSR_CHECK_UID_SIZE]; /* "": a verifier of before kept it */
};

/* A name may be had again by another object. */
static bool is_of(const struct kept *k, const struct csr_check *c)
{
	return digest_equal(&k->key, &c->request.key) &&
	       (k->uid[0] ? strcmp(k->uid, c->uid) == 0 : strcmp(k->name, c->name) == 0);
}

static int get_kept(const struct csr_judge *j, const char *what, const char *id, struct kept *ret)
{
	CLEANUP(buf_done) struct buf b = {0};
	char setting[96], hex[DIGEST_HEX_SIZE];
	int r;

	snprintf(setting, sizeof(setting), "%s:%.64s", what, id);
	r = ops(j)->setting_get(store_ctx(j), setting, &b);
	if (r < 0)
		return r;
	ret->uid[0] = 0;
	if (sscanf((char *)b.data, "%" SCNu64 " %64s %253s %63s", &ret->incarnation, hex, ret->name,
		   ret->uid) < 3)
		return -EIO;
	return digest_from_hex(hex, &ret->key) < 0 ? -EIO : 0;
}

static int put_kept(const struct csr_judge *j, const char *what, const struct store_node *n,
		    const struct csr_check *c)
{
	char setting[96], hex[DIGEST_HEX_SIZE], value[DIGEST_HEX_SIZE + 400];

	snprintf(setting, sizeof(setting), "%s:%.64s", what, n->id);
	digest_hex(&c->request.key, hex);
	snprintf(value, sizeof(value), "%" PRIu64 " %s %s %s", n->incarnation, hex, c->name,
		 c->uid);
	return ops(j)->setting_put(store_ctx(j), setting, value);
}

#define USED \
	"a certificate was approved for this key before: a kubelet makes another one to renew it"

/* 1: no other request for this key was approved. Kubelets make a key for each renewal; who has one that was stolen has no other that is shown. */
static int is_unused(const struct csr_judge *j, const struct store_node *n,
		     const struct csr_check *c, struct why *ret_why)
{
	struct kept before = {.incarnation = 0};
	char use[KUBELET_KEYS_USE_SIZE] = "";
	bool other = false;
	int r = kubelet_keys_used(j->v, n, &c->request.key, use);

	if (r > 0)
		other = strcmp(use, c->uid) != 0;
	else if (r == 0) {
		/* Approved when it was not shown yet. */
		r = get_kept(j, CSR_CHAINED, n->id, &before);
		other = r >= 0 && before.incarnation == n->incarnation &&
			digest_equal(&before.key, &c->request.key) && !is_of(&before, c);
	}
	if (r < 0 && r != -ENOENT)
		return r;
	if (other)
		why_set(ret_why, 0, USED);
	return !other;
}

/*
 * The API server saw that who asks has a certificate of this node's. A key that was stolen buys one more certificate so, and no second: its
 * own key is never shown, and from then on only keys that are.
 */
static int is_chained(const struct csr_judge *j, const struct store_node *n,
		      const struct csr_check *c, struct why *ret_why)
{
	struct kept before = {.incarnation = 0};
	uint64_t seq;
	int r;

	if (!j->chained || !c->renews) {
		why_set(ret_why, 0, "its ledger does not show this key (plumbd, kubelet_csr_key)");
		return 0;
	}
	r = kubelet_keys_count(j->v, n);
	if (r == 0)
		why_set(ret_why, 0, "its ledger shows no key (plumbd, kubelet_csr_key)");
	if (r <= 0)
		return r;
	r = get_kept(j, CSR_CHAINED, n->id, &before);
	if (r == -ENOENT || (r >= 0 && before.incarnation != n->incarnation))
		return 1;
	if (r >= 0 && is_of(&before, c))
		return 1; /* it was, and the API did not hear of it */
	if (r >= 0 && digest_equal(&before.key, &c->request.key)) {
		why_set(ret_why, 0, USED);
		return 0;
	}
	if (r >= 0)
		r = kubelet_keys_has(j->v, n, &before.key, &seq);
	if (r == 0)
		why_set(ret_why, 0,
			"the key of the renewal before was never shown: somebody else may have it");
	return r;
}

static int judge_node(const struct csr_judge *j, const struct csr_check *c,
		      const struct store_node *n, struct csr_judged *ret, struct why *ret_why)
{
	const char *why_not = verdict_why_not(n);
	int r;

	if (n->kube_name[0] && strcmp(n->kube_name, c->request.node) != 0) {
		why_set(ret_why, 0, "node %.64s, which showed the key, is bound to %.100s",
			n->label, n->kube_name);
		return 0;
	}
	if (why_not) {
		why_set(ret_why, 0, "node %.64s: %s", n->label, why_not);
		return 0;
	}
	r = kubelet_keys_has(j->v, n, &c->request.key, &ret->line);
	if (r == 0)
		return is_chained(j, n, c, ret_why);
	/* Who joins may ask again for the key that it has: its answer may have been lost, and it takes a bootstrap token. */
	return r < 0 || !c->renews ? r : is_unused(j, n, c, ret_why);
}

int csr_judge(const struct csr_judge *j, const struct csr_check *c, struct csr_judged *ret,
	      struct why *ret_why)
{
	struct csr_judged found = {.line = 0};
	struct store_node n = {.version = 0};
	int r = find_node(j, c, found.id, ret_why);

	if (r <= 0)
		return r;
	r = ops(j)->node_get(store_ctx(j), found.id, &n);
	if (r >= 0)
		r = judge_node(j, c, &n, &found, ret_why);
	store_node_done(&n);
	if (r > 0)
		*ret = found;
	return r;
}

static int write_line(const struct csr_judge *j, const char *action, const struct store_node *n,
		      const struct csr_check *c, const struct csr_judged *what)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct jsonl l = {.buf = &b};
	char reason[600];
	uint64_t seq;

	snprintf(reason, sizeof(reason), "request %s of Kubernetes node %s", c->name,
		 c->request.node);
	jsonl_str(&l, "operator", "");
	jsonl_str(&l, "action", action);
	jsonl_str(&l, "node", n->id);
	jsonl_str(&l, "reason", reason);
	jsonl_hex(&l, "key", c->request.key.bytes, DIGEST_SIZE);
	jsonl_uint(&l, "line", what->line);
	jsonl_str(&l, "result", "done");
	return buf_status(&b) < 0 ? buf_status(&b)
				  : vlog_add(j->v->vlog, PLUMB_TYPE_ACTION, (char *)b.data, &seq);
}

static int bind_name(const struct csr_judge *j, struct store_node *n, const struct csr_check *c,
		     const struct csr_judged *what)
{
	int r;

	if (n->kube_name[0])
		return 0;
	snprintf(n->kube_name, sizeof(n->kube_name), "%s", c->request.node);
	r = write_line(j, "bind", n, c, what);
	if (r >= 0)
		r = contain_bound(j->contain, n, "");
	return r < 0 ? r : ops(j)->node_put(store_ctx(j), n);
}

/* The key of the renewal before is shown by now: from here on its own line remembers that it was used. */
static int put_chained(const struct csr_judge *j, const struct store_node *n,
		       const struct csr_check *c)
{
	struct kept before = {.incarnation = 0};
	int r = get_kept(j, CSR_CHAINED, n->id, &before);

	if (r >= 0 && before.incarnation == n->incarnation && before.uid[0])
		r = kubelet_keys_use(j->v, n, &before.key, before.uid);
	return r < 0 && r != -ENOENT ? r : put_kept(j, CSR_CHAINED, n, c);
}

/* Judged again under the write lock: since it was, the node may have drifted. */
static int keep(const struct csr_judge *j, const struct csr_check *c, const struct csr_judged *what,
		struct store_node *n, struct why *ret_why)
{
	struct csr_judged again = {.line = 0};
	struct kept before = {.incarnation = 0};
	int r = ops(j)->node_get(store_ctx(j), what->id, n);

	if (r >= 0)
		r = judge_node(j, c, n, &again, ret_why);
	if (r <= 0)
		return r < 0 ? r : -EAGAIN;
	r = get_kept(j, CSR_APPROVED, n->id, &before);
	if (r == -ENOENT)
		r = 0;
	if (r >= 0)
		r = bind_name(j, n, c, what);
	if (r < 0 || (before.incarnation == n->incarnation && before.uid[0] && is_of(&before, c)))
		return r;
	r = put_kept(j, CSR_APPROVED, n, c);
	if (r >= 0)
		r = again.line == 0 ? put_chained(j, n, c)
				    : kubelet_keys_use(j->v, n, &c->request.key, c->uid);
	return r < 0 ? r : write_line(j, "approve_csr", n, c, what);
}

int csr_judge_keep(const struct csr_judge *j, const struct csr_check *c,
		   const struct csr_judged *what, struct why *ret_why)
{
	struct store_node n = {.version = 0};
	int r = ops(j)->begin(store_ctx(j));

	if (r < 0)
		return r;
	r = keep(j, c, what, &n, ret_why);
	store_node_done(&n);
	if (r >= 0)
		r = ops(j)->commit(store_ctx(j));
	else
		ops(j)->rollback(store_ctx(j));
	if (r >= 0)
		r = vlog_sync(j->v->vlog);
	if (r >= 0)
		contain_kick(j->contain);
	return r;
}
