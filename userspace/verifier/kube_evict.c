/* SPDX-License-Identifier: Apache-2.0 */
#include "kube_evict.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "kube_patch.h"
#include "kube_pods.h"

#define PAGE 100 /* pods */
#define SMALLER \
	10 /* times, and tried again, where they are too large for KUBE_PODS_MAX_PAGE: a pod that is alone has room */
#define MAX_PAGES 1024 /* of a list */

struct kube_evict {
	struct kube_door *door;
	bool busy, force;
	const char *version; /* NULL: not asked yet */
	char node[KUBE_FACTS_MAX_NAME];
	struct kube_pods pods;
	struct buf more; /* the list goes on there; empty: it begins */
	uint32_t page, n_pages;
	bool anew; /* it was begun a second time */
	uint32_t at;
	struct kube_evict_round round;
	struct why why;
	kube_evict_fn *done;
	void *ctx;
};

static void finish(struct kube_evict *e, int r, const struct why *why)
{
	const struct kube_evict_round round = e->round;

	e->busy = false;
	kube_pods_done(&e->pods);
	e->done(e->ctx, r, &round, why);
}

static int ask_pod(struct kube_evict *e, struct why *ret_why);

/* One that is gone is gone; what a budget keeps, and what is refused otherwise, is asked again in the next round. */
static void on_asked(void *ctx, int r, int status, const struct buf *body, const struct why *why)
{
	struct kube_evict *e = ctx;
	struct why own = *why;

	(void)status;
	(void)body;
	if (r == -ECANCELED) {
		finish(e, r, why);
		return;
	}
	if (r >= 0 || r == -ENOENT) {
		e->round.asked++;
	} else {
		e->round.kept++;
		e->why = own;
	}
	e->at++;
	r = ask_pod(e, &own);
	if (r <= 0)
		finish(e, r, r < 0 ? &own : &e->why);
}

/* 1: the next one is asked; 0: that was all. */
static int ask_pod(struct kube_evict *e, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf path = {0}, body = {0};
	const struct kube_pod *p = &e->pods.all[e->at];
	struct kube_ask a = {.method = e->force ? "DELETE" : "POST",
			     .type = "application/json",
			     .max = 1u << 20,
			     .verb = e->force ? "delete" : "create",
			     .things = e->force ? "pods" : "pods/eviction",
			     .own_429 = true,
			     .done = on_asked,
			     .ctx = e};
	int r;

	if (e->at == e->pods.n)
		return 0;
	buf_printf(&path, "/api/v1/namespaces/%s/pods/%s%s", p->namespace, p->name,
		   e->force ? "" : "/eviction");
	r = e->force ? kube_pods_delete(p, &body) : kube_pods_eviction(p, e->version, &body);
	if (r < 0 || buf_status(&path) < 0)
		return -ENOMEM;
	a.path = (char *)path.data;
	a.body = body.data;
	a.size = body.size;
	a.name = p->name;
	r = kube_door_ask(e->door, &a, ret_why);
	return r < 0 ? r : 1;
}

static int list(struct kube_evict *e, struct why *ret_why);

/* 1: the next page is asked for; 0: that was the last. A place in the list is good for minutes (410): once more from the beginning then. */
static int go_on(struct kube_evict *e, int r, const struct buf *body, struct why *ret_why)
{
	if (r >= 0)
		r = kube_pods_read(body->data, body->size, &e->pods, &e->more, ret_why);
	if (r >= 0 && (e->more.size == 0 || e->pods.n == KUBE_PODS_MAX))
		return 0;
	if (r == -E2BIG && e->page >= SMALLER) {
		e->page /= SMALLER;
		r = 0;
	} else if (r == -ESTALE && e->more.size > 0 && !e->anew) {
		e->anew = true;
		kube_pods_done(&e->pods);
		buf_clear(&e->more);
		r = 0;
	}
	if (r >= 0)
		r = list(e, ret_why);
	return r < 0 ? r : 1;
}

static void on_pods(void *ctx, int r, int status, const struct buf *body, const struct why *why)
{
	struct kube_evict *e = ctx;
	struct why own = *why;

	(void)status;
	r = go_on(e, r, body, &own);
	if (r == 0)
		r = ask_pod(e, &own);
	if (r <= 0)
		finish(e, r, &own);
}

static int list(struct kube_evict *e, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf path = {0};
	struct kube_ask a = {.method = "GET",
			     .max = KUBE_PODS_MAX_PAGE,
			     .verb = "list",
			     .things = "pods",
			     .name = e->node,
			     .done = on_pods,
			     .ctx = e};

	if (e->n_pages++ == MAX_PAGES)
		return why_set(ret_why, -EFBIG, "the list of pods of %.60s does not end", e->node);
	buf_printf(&path, "/api/v1/pods?fieldSelector=spec.nodeName%%3D%s&limit=%u", e->node,
		   e->page);
	if (e->more.size > 0)
		buf_printf(&path, "&continue=%.*s", (int)e->more.size, (char *)e->more.data);
	a.path = (char *)path.data;
	ret_why->text[0] = 0;
	return buf_status(&path) < 0 ? buf_status(&path) : kube_door_ask(e->door, &a, ret_why);
}

static void on_group(void *ctx, int r, int status, const struct buf *body, const struct why *why)
{
	struct kube_evict *e = ctx;
	struct why own = *why;

	(void)status;
	if (r >= 0)
		e->version = kube_pods_policy(body->data, body->size);
	if (r >= 0)
		r = list(e, &own);
	if (r < 0)
		finish(e, r, &own);
}

int kube_evict_start(struct kube_evict *e, const char *node, bool force, kube_evict_fn *done,
		     void *ctx, struct why *ret_why)
{
	const struct kube_ask group = {.method = "GET",
				       .path = "/apis/policy",
				       .max = 1u << 20,
				       .verb = "get",
				       .things = "/apis/policy",
				       .done = on_group,
				       .ctx = e};
	int r;

	if (e->busy)
		return -EBUSY;
	snprintf(e->node, sizeof(e->node), "%s", node);
	e->force = force;
	e->at = 0;
	buf_clear(&e->more);
	e->page = PAGE;
	e->n_pages = 0;
	e->anew = false;
	e->round = (struct kube_evict_round){.asked = 0};
	e->why.text[0] = 0;
	e->done = done;
	e->ctx = ctx;
	r = e->version ? list(e, ret_why) : kube_door_ask(e->door, &group, ret_why);
	e->busy = r >= 0;
	return r;
}

int kube_evict_open(const struct kube_options *o, struct kube_evict **ret, struct why *ret_why)
{
	struct kube_evict *e = calloc(1, sizeof(*e));
	int r = e ? kube_door_open(o, &e->door, ret_why) : -ENOMEM;

	if (r < 0) {
		free(e);
		return r;
	}
	*ret = e;
	return 0;
}

struct kube_evict *kube_evict_free(struct kube_evict *e)
{
	if (!e)
		return NULL;
	kube_door_free(e->door);
	kube_pods_done(&e->pods);
	buf_done(&e->more);
	free(e);
	return NULL;
}
