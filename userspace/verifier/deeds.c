/* SPDX-License-Identifier: Apache-2.0 */
#include "taints.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "digest.h"
#include "jsonl.h"
#include "log.h"

#define SECOND 1000000000ull

/* A contained node, and how the last look at it ended: told when that changes. */
struct looked {
	char id[65];
	bool due;
	int last;
};

struct taints {
	const struct store *store;
	const struct clock *clock;
	struct outbox_lane *lane;
	struct kube *kube;
	struct looked *list; /* by id */
	uint32_t n, max;
	uint64_t listed_ns; /* boot time; 0: never */
	char id[65]; /* of the node at hand */
	char name[KUBE_PATCH_MAX_NAME];
	bool is_look; /* it is no message */
};

static const struct store_ops *ops(const struct taints *t)
{
	return t->store->ops;
}

static enum kube_want want_of(const struct store_node *n)
{
	if (n->life == PLUMB_LIFE_RETIRED)
		return KUBE_FREE;
	switch (n->containment) {
	case PLUMB_CONTAIN_QUARANTINED:
		return KUBE_QUARANTINE;
	case PLUMB_CONTAIN_HELD:
	case PLUMB_CONTAIN_REMEDIATING:
		return KUBE_HOLD;
	default:
		return KUBE_FREE;
	}
}

/* Ordered and replaced by the Kubernetes name: a node that was bound anew has two. */
static int put(struct taints *t, const char *id, const char *name)
{
	CLEANUP(buf_done) struct buf b = {0};
	char key[DIGEST_HEX_SIZE];
	struct digest d;
	struct jsonl j;
	int r = digest_sha256(name, strlen(name), &d);

	if (r < 0)
		return r;
	digest_hex(&d, key);
	jsonl_begin(&j, &b);
	jsonl_str(&j, "node", name);
	jsonl_str(&j, "id", id);
	jsonl_end(&j);
	return buf_status(&b) < 0 ? buf_status(&b) : outbox_put(t->lane, key, &b, true);
}

int taints_queue(struct taints *t, const struct store_node *n)
{
	return n->kube_name[0] ? put(t, n->id, n->kube_name) : 0;
}

static void uid_setting(const char *id, char ret[80])
{
	snprintf(ret, 80, "kube_uid:%.64s", id);
}

int taints_bound(struct taints *t, const struct store_node *n, const char *old_name)
{
	char setting[80];
	int r;

	/* Said anew by a person: the object that has the name now is looked at anew, too. */
	uid_setting(n->id, setting);
	r = ops(t)->setting_put(t->store->ctx, setting, "");
	if (r >= 0 && old_name[0] && strcmp(old_name, n->kube_name) != 0)
		r = put(t, n->id, old_name);
	return r < 0 ? r : taints_queue(t, n);
}

/* "<name> <uid>": of another name it is worth nothing. */
static int load_uid(struct taints *t, const char *id, const char *name,
		    char ret[KUBE_PATCH_MAX_UID])
{
	CLEANUP(buf_done) struct buf b = {0};
	size_t size = strlen(name);
	char setting[80];
	int r;

	ret[0] = 0;
	uid_setting(id, setting);
	r = ops(t)->setting_get(t->store->ctx, setting, &b);
	if (r == -ENOENT)
		return 0;
	if (r >= 0 && b.size > size + 1 && memcmp(b.data, name, size) == 0 && b.data[size] == ' ')
		snprintf(ret, KUBE_PATCH_MAX_UID, "%s", (char *)b.data + size + 1);
	return r < 0 ? r : 0;
}

static void save_uid(struct taints *t, const char *uid)
{
	char setting[80], value[KUBE_PATCH_MAX_NAME + KUBE_PATCH_MAX_UID], now[KUBE_PATCH_MAX_UID];
	int r = load_uid(t, t->id, t->name, now);

	if (r < 0 || strcmp(now, uid) == 0)
		return;
	uid_setting(t->id, setting);
	snprintf(value, sizeof(value), "%s %s", t->name, uid);
	r = ops(t)->begin(t->store->ctx);
	if (r >= 0)
		r = ops(t)->setting_put(t->store->ctx, setting, value);
	if (r >= 0)
		r = ops(t)->commit(t->store->ctx);
	else
		ops(t)->rollback(t->store->ctx);
	if (r < 0)
		log_warning("node=%s kube_name=%s uid=unsaved error=\"%s\" next=\"saved when it is "
			    "looked at again\"",
			    t->id, t->name, strerror(-r));
	else
		log_info("node=%s kube_name=%s uid=%s", t->id, t->name, uid);
}

static enum outbox_end end_of(int r)
{
	switch (r) {
	case 0:
		return OUTBOX_DELIVERED;
	case -ENOENT:
	case -EXDEV:
		return OUTBOX_POINTLESS;
	case -EBUSY:
	case -EBADMSG:
		return OUTBOX_REFUSED;
	case -ECANCELED:
		return OUTBOX_STOPPED;
	}
	return OUTBOX_DOWN;
}

static int by_id(const void *a, const void *b)
{
	return strcmp(((const struct looked *)a)->id, ((const struct looked *)b)->id);
}

static struct looked *find(struct taints *t, const char *id)
{
	struct looked want = {.last = 0};

	snprintf(want.id, sizeof(want.id), "%s", id);
	return t->n ? bsearch(&want, t->list, t->n, sizeof(want), by_id) : NULL;
}

static void on_tainted(void *ctx, int r, const char *uid, const struct why *why)
{
	struct taints *t = ctx;
	struct looked *l = find(t, t->id);
	enum outbox_end end = end_of(r);

	if (r == 0 && uid[0])
		save_uid(t, uid);
	/* A look that found nothing to be done about it is no news each minute; it is looked at again, for the node may come back. */
	if (t->is_look && (end == OUTBOX_POINTLESS || end == OUTBOX_REFUSED)) {
		if (!l || l->last != r)
			log_warning("target=" TAINTS_TARGET
				    " node=%s kube_name=%s tainted=no error=\"%s\" next=\"looked "
				    "at again every %d s\"",
				    t->id, t->name, why->text, TAINTS_LOOK_S);
		end = OUTBOX_DELIVERED;
	}
	if (l && end != OUTBOX_STOPPED)
		l->last = r;
	/* Not in a minute, but when the API answers again. */
	if (l && t->is_look && end == OUTBOX_DOWN)
		l->due = true;
	outbox_ended(t->lane, end, why);
}

struct bound {
	const char *name;
	char id[65];
};

static int on_bound(void *ctx, const struct store_node *n)
{
	struct bound *b = ctx;

	if (n->life != PLUMB_LIFE_RETIRED && strcmp(n->kube_name, b->name) == 0)
		memcpy(b->id, n->id, sizeof(b->id));
	return 0;
}

/* What is wanted of this Kubernetes node now: by the row that is bound to it, be it another one by now; by none: our taints go. */
static int make_job(struct taints *t, struct kube_job *ret)
{
	struct store_node n = {.incarnation = 0};
	struct bound b = {.name = t->name};
	int r = ops(t)->node_get(t->store->ctx, t->id, &n);

	*ret = (struct kube_job){.want = KUBE_FREE};
	snprintf(ret->node, sizeof(ret->node), "%s", t->name);
	if (r == -ENOENT ||
	    (r >= 0 && (n.life == PLUMB_LIFE_RETIRED || strcmp(n.kube_name, t->name) != 0))) {
		store_node_done(&n);
		n = (struct store_node){.incarnation = 0};
		r = ops(t)->node_each(t->store->ctx, on_bound, &b);
		if (r >= 0 && !b.id[0])
			return 0;
		memcpy(t->id, b.id, sizeof(t->id));
		if (r >= 0)
			r = ops(t)->node_get(t->store->ctx, t->id, &n);
	}
	if (r < 0)
		return r;
	ret->want = want_of(&n);
	memcpy(ret->boot_id, n.boot_id, sizeof(ret->boot_id));
	store_node_done(&n);
	return load_uid(t, t->id, t->name, ret->uid);
}

static int start(struct taints *t, struct why *ret_why)
{
	struct kube_job job;
	int r = make_job(t, &job);

	if (r < 0)
		return why_set(ret_why, r == -EBADMSG ? -EIO : r, "the store: %s", strerror(-r));
	return kube_taint(t->kube, &job, on_tainted, t, ret_why);
}

static int on_send(void *ctx, const struct store_message *m, struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	struct taints *t = ctx;
	int r = jsonl_parse(m->body.data, m->body.size, 4096, &o, ret_why);

	if (r >= 0)
		r = jsonl_get_text(o, "node", t->name, sizeof(t->name), ret_why);
	if (r >= 0)
		r = jsonl_get_text(o, "id", t->id, sizeof(t->id), ret_why);
	if (r < 0)
		return r == -ENOMEM ? r : -EBADMSG;
	t->is_look = false;
	return start(t, ret_why);
}

static int on_contained(void *ctx, const struct store_node *n)
{
	struct taints *t = ctx;
	void *more;

	if (!n->kube_name[0] || want_of(n) == KUBE_FREE)
		return 0;
	if (t->n == t->max) {
		t->max = t->max ? t->max * 2 : 16;
		more = realloc(t->list, t->max * sizeof(*t->list));
		if (!more)
			return -ENOMEM;
		t->list = more;
	}
	t->list[t->n] = (struct looked){.due = true};
	memcpy(t->list[t->n++].id, n->id, sizeof(n->id));
	return 0;
}

/* Made anew; what was told of those that stay on it is kept. */
static int make_list(struct taints *t)
{
	struct taints old = *t;
	int r;

	t->list = NULL;
	t->n = t->max = 0;
	r = ops(t)->node_each(t->store->ctx, on_contained, t);
	if (t->n)
		qsort(t->list, t->n, sizeof(*t->list), by_id);
	for (uint32_t i = 0; i < old.n; i++) {
		struct looked *l = find(t, old.list[i].id);

		if (l)
			l->last = old.list[i].last;
	}
	free(old.list);
	t->listed_ns = clock_boot_ns(t->clock);
	return r;
}

/* 1: the next one is being looked at. */
static int on_idle(void *ctx, struct why *ret_why)
{
	struct taints *t = ctx;
	int r = 0;

	if (!t->listed_ns || clock_boot_ns(t->clock) >= t->listed_ns + TAINTS_LOOK_S * SECOND)
		r = make_list(t);
	for (uint32_t i = 0; r >= 0 && i < t->n; i++) {
		struct store_node n = {.incarnation = 0};

		if (!t->list[i].due)
			continue;
		t->list[i].due = false;
		r = ops(t)->node_get(t->store->ctx, t->list[i].id, &n);
		memcpy(t->id, t->list[i].id, sizeof(t->id));
		memcpy(t->name, n.kube_name, sizeof(t->name));
		store_node_done(&n);
		if (r == -ENOENT || (r >= 0 && !t->name[0])) {
			r = 0;
			continue;
		}
		if (r < 0)
			break;
		t->is_look = true;
		r = start(t, ret_why);
		return r < 0 ? r : 1;
	}
	return r < 0 ? why_set(ret_why, r, "the store: %s", strerror(-r)) : 0;
}

int taints_open(const struct store *store, const struct clock *clock, struct outbox *o,
		const struct kube_options *k, struct taints **ret, struct why *ret_why)
{
	struct taints *t = calloc(1, sizeof(*t));
	const struct outbox_lane_options lane = {
		.target = TAINTS_TARGET, .send = on_send, .idle = on_idle, .ctx = t};
	int r = t ? 0 : -ENOMEM;

	if (r >= 0) {
		t->store = store;
		t->clock = clock;
		r = kube_open(k, &t->kube, ret_why);
	}
	if (r >= 0)
		r = outbox_add(o, &lane, &t->lane);
	if (r < 0) {
		taints_free(t);
		return r;
	}
	*ret = t;
	return 0;
}

struct taints *taints_free(struct taints *t)
{
	if (!t)
		return NULL;
	kube_free(t->kube);
	free(t->list);
	free(t);
	return NULL;
}
