/* SPDX-License-Identifier: Apache-2.0 */
#include "bound_nodes.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contain_book.h"

#define BUCKETS 4096u

struct entry {
	struct bound_node node;
	char name[254];
	struct entry *next; /* of the name's bucket, or of those that a commit will let stand */
	struct entry *next_id; /* of the id's */
};

struct bound_nodes {
	const struct store *store;
	pthread_mutex_t lock; /* of buckets and blind */
	struct entry *names[BUCKETS], *ids[BUCKETS];
	struct entry *waiting; /* newest first; the store's thread alone */
	bool lost; /* one more was put, and there was no memory for it */
	bool blind;
};

/* FNV-1a: names are the operator's own, and the table is not to be attacked through them. */
static uint32_t bucket_of(const char *text)
{
	uint32_t h = 2166136261u;

	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * 16777619u;
	return h % BUCKETS;
}

static struct entry *entry_of(const struct bound_nodes *b, const struct store_node *n)
{
	struct entry *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	snprintf(e->node.id, sizeof(e->node.id), "%s", n->id);
	snprintf(e->node.boot_id, sizeof(e->node.boot_id), "%s", n->boot_id);
	snprintf(e->name, sizeof(e->name), "%s", n->kube_name);
	e->node.incarnation = n->incarnation;
	e->node.state =
		(struct node_state){n->life, n->appraisal, n->freshness, n->containment, n->forked};
	/* What the brakes hold back is judged, and nothing is done about it: not here either. */
	if (contain_book_is_left(b->store, n))
		e->node.state.containment = PLUMB_CONTAIN_REPORT;
	return e;
}

static void free_list(struct entry *e)
{
	while (e) {
		struct entry *next = e->next;

		free(e);
		e = next;
	}
}

/* A name may have moved: the entry is found by its id. */
static void drop(struct bound_nodes *b, const char *id)
{
	struct entry **by_id = &b->ids[bucket_of(id)], **by_name, *e;

	while (*by_id && strcmp((*by_id)->node.id, id) != 0)
		by_id = &(*by_id)->next_id;
	e = *by_id;
	if (!e)
		return;
	*by_id = e->next_id;
	by_name = &b->names[bucket_of(e->name)];
	while (*by_name != e)
		by_name = &(*by_name)->next;
	*by_name = e->next;
	free(e);
}

/* Takes e. */
static void settle(struct bound_nodes *b, struct entry *e)
{
	struct entry **by_name = &b->names[bucket_of(e->name)],
		     **by_id = &b->ids[bucket_of(e->node.id)];

	drop(b, e->node.id);
	if (!e->name[0] || e->node.state.life == PLUMB_LIFE_RETIRED) {
		free(e);
		return;
	}
	e->next = *by_name;
	*by_name = e;
	e->next_id = *by_id;
	*by_id = e;
}

static void on_put(void *ctx, const struct store_node *n)
{
	struct bound_nodes *b = ctx;
	struct entry *e = entry_of(b, n);

	if (!e) {
		b->lost = true;
		return;
	}
	e->next = b->waiting;
	b->waiting = e;
}

static int on_row(void *ctx, const struct store_node *n)
{
	struct bound_nodes *b = ctx;
	struct entry *e = entry_of(b, n);

	if (!e)
		return -ENOMEM;
	settle(b, e);
	return 0;
}

/* In the order in which they were put. */
static void settle_waiting(struct bound_nodes *b)
{
	struct entry *list = NULL;

	while (b->waiting) {
		struct entry *e = b->waiting;

		b->waiting = e->next;
		e->next = list;
		list = e;
	}
	while (list) {
		struct entry *e = list;

		list = e->next;
		settle(b, e);
	}
}

static void on_end(void *ctx, bool committed)
{
	struct bound_nodes *b = ctx;

	if (!committed) {
		free_list(b->waiting);
		b->waiting = NULL;
		b->lost = false;
		return;
	}
	if (!b->waiting && !b->lost && !b->blind)
		return;
	pthread_mutex_lock(&b->lock);
	settle_waiting(b);
	b->blind |= b->lost;
	/* What was lost is read again, whole. */
	if (b->blind)
		b->blind = b->store->ops->node_each(b->store->ctx, on_row, b) < 0;
	b->lost = false;
	pthread_mutex_unlock(&b->lock);
}

int bound_nodes_open(const struct store *store, struct bound_nodes **ret)
{
	struct bound_nodes *b = calloc(1, sizeof(*b));
	const struct store_watcher w = {.put = on_put, .ended = on_end, .ctx = b};
	int r;

	if (!b)
		return -ENOMEM;
	b->store = store;
	pthread_mutex_init(&b->lock, NULL);
	r = store->ops->node_each(store->ctx, on_row, b);
	if (r < 0) {
		b->store = NULL;
		bound_nodes_free(b);
		return r;
	}
	store->ops->watch(store->ctx, &w);
	*ret = b;
	return 0;
}

struct bound_nodes *bound_nodes_free(struct bound_nodes *b)
{
	if (!b)
		return NULL;
	if (b->store)
		b->store->ops->watch(b->store->ctx, NULL);
	for (uint32_t i = 0; i < BUCKETS; i++)
		free_list(b->names[i]);
	free_list(b->waiting);
	pthread_mutex_destroy(&b->lock);
	free(b);
	return NULL;
}

static int badness(const struct node_state *s)
{
	if (s->forked || s->life == PLUMB_LIFE_REVOKED)
		return 100;
	return (int)s->containment * 10 + (int)s->appraisal;
}

int bound_nodes_find(struct bound_nodes *b, const char *name, struct bound_node *ret)
{
	const struct entry *worst = NULL;
	int r = -ENOENT;

	pthread_mutex_lock(&b->lock);
	for (const struct entry *e = b->names[bucket_of(name)]; e; e = e->next)
		if (strcmp(e->name, name) == 0 &&
		    (!worst || badness(&e->node.state) > badness(&worst->node.state)))
			worst = e;
	if (b->blind)
		r = -EIO;
	else if (worst) {
		*ret = worst->node;
		r = 0;
	}
	pthread_mutex_unlock(&b->lock);
	return r;
}
