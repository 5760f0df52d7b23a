/* SPDX-License-Identifier: Apache-2.0 */
#include "kube.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "clock.h"
#include "jsonl.h"

#define MAX_TRIES 5
#define MAX_NOTE 1000
#define MANAGER "?fieldManager=plumb-verifier"

typedef void answer_fn(void *ctx, int r, int status, const struct buf *body, const struct why *why);

struct kube {
	struct kube_door *door;
	bool busy;
	/* of the node at hand */
	struct kube_job job;
	struct kube_event event;
	bool has_event;
	struct kube_patches patches;
	struct kube_done ended;
	struct why unshown;
	int tries;
	kube_fn *done;
	void *ctx;
};

static void finish(struct kube *k, int r, const struct why *why)
{
	/* What was wanted is done, but not to the machine that it was meant for. */
	if (r >= 0 && k->ended.seen.other)
		r = -EXDEV;
	k->busy = false;
	kube_patches_done(&k->patches);
	k->done(k->ctx, r < 0 ? r : 0, &k->ended,
		r >= 0 && k->ended.unshown < 0 ? &k->unshown : why);
}

static int get(struct kube *k, answer_fn *done, struct why *ret_why)
{
	char path[320];
	const struct kube_ask a = {.method = "GET",
				   .path = path,
				   .max = KUBE_FACTS_MAX_NODE,
				   .verb = "get",
				   .things = "nodes",
				   .name = k->job.node,
				   .done = done,
				   .ctx = k};

	snprintf(path, sizeof(path), "/api/v1/nodes/%s", k->job.node);
	return kube_door_ask(k->door, &a, ret_why);
}

static int patch(struct kube *k, const struct buf *body, bool status, answer_fn *done,
		 struct why *ret_why)
{
	char path[320];
	const struct kube_ask a = {.method = "PATCH",
				   .path = path,
				   .type = status ? KUBE_DOOR_STRATEGIC : KUBE_DOOR_JSON_PATCH,
				   .body = body->data,
				   .size = body->size,
				   .max = KUBE_FACTS_MAX_NODE,
				   .verb = "patch",
				   .things = status ? "nodes/status" : "nodes",
				   .name = k->job.node,
				   .done = done,
				   .ctx = k};

	snprintf(path, sizeof(path), "/api/v1/nodes/%s%s" MANAGER, k->job.node,
		 status ? "/status" : "");
	return kube_door_ask(k->door, &a, ret_why);
}

/* Microseconds, all six digits: the API refuses anything else. */
static void put_event(struct jsonl *j, const struct kube *k)
{
	char at[CLOCK_TEXT_SIZE];

	clock_text(k->job.now_ns, at);
	snprintf(at + 26, sizeof(at) - 26, "Z");
	jsonl_str(j, "apiVersion", "events.k8s.io/v1");
	jsonl_str(j, "kind", "Event");
	jsonl_object(j, "metadata");
	jsonl_str(j, "generateName", "plumbline-");
	jsonl_str(j, "namespace", "default");
	jsonl_close(j);
	jsonl_str(j, "eventTime", at);
	jsonl_str(j, "reportingController", "plumbline.io/verifier");
	jsonl_str(j, "reportingInstance", "plumb-verifier");
	jsonl_str(j, "action", k->event.action);
	jsonl_str(j, "reason", k->event.reason);
	jsonl_str(j, "type", k->event.warning ? "Warning" : "Normal");
	jsonl_strn(j, "note", k->event.note, strnlen(k->event.note, MAX_NOTE));
	jsonl_object(j, "regarding");
	jsonl_str(j, "apiVersion", "v1");
	jsonl_str(j, "kind", "Node");
	jsonl_str(j, "name", k->job.node);
	jsonl_str(j, "namespace", "default");
	jsonl_str(j, "uid", k->ended.seen.facts.uid);
	jsonl_close(j);
}

static int post_event(struct kube *k, answer_fn *done, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf body = {0};
	struct jsonl j;
	struct kube_ask a = {.method = "POST",
			     .path = "/apis/events.k8s.io/v1/namespaces/default/events" MANAGER,
			     .type = "application/json",
			     .max = 1u << 20,
			     .verb = "create",
			     .things = "events.events.k8s.io",
			     .name = k->job.node,
			     .done = done,
			     .ctx = k};

	jsonl_begin(&j, &body);
	put_event(&j, k);
	jsonl_end(&j);
	a.body = body.data;
	a.size = body.size;
	return buf_status(&body) < 0 ? buf_status(&body) : kube_door_ask(k->door, &a, ret_why);
}

static void show(struct kube *k);

/* What is shown and not taken holds up nobody's taints; it is told, and looked at again with the next look. */
static void on_shown(void *ctx, int r, int status, const struct buf *body, const struct why *why)
{
	struct kube *k = ctx;

	(void)status;
	(void)body;
	if (r == -ECANCELED) {
		finish(k, r, why);
		return;
	}
	if (r < 0) {
		k->ended.unshown = r;
		k->unshown = *why;
	}
	show(k);
}

static void show(struct kube *k)
{
	struct buf *next = k->patches.shown.size ? &k->patches.shown : &k->patches.status;
	struct why why = {""};
	int r = 0;

	if (next->size) {
		r = patch(k, next, next == &k->patches.status, on_shown, &why);
		buf_done(next);
	} else if (k->has_event && k->ended.seen.certain) {
		k->has_event = false;
		r = post_event(k, on_shown, &why);
	} else {
		finish(k, 0, &why);
		return;
	}
	if (r < 0)
		finish(k, r, &why);
}

static void on_node(void *ctx, int r, int status, const struct buf *body, const struct why *why);

static void on_tainted(void *ctx, int r, int status, const struct buf *body, const struct why *why)
{
	struct kube *k = ctx;
	struct why own = *why;

	(void)status;
	(void)body;
	if (r == -EBUSY && ++k->tries < MAX_TRIES) {
		own.text[0] = 0;
		r = get(k, on_node, &own);
		if (r >= 0)
			return;
	}
	if (r < 0) {
		finish(k, r, &own);
		return;
	}
	k->ended.tainted = true;
	show(k);
}

static void on_node(void *ctx, int r, int status, const struct buf *body, const struct why *why)
{
	struct kube *k = ctx;
	struct why own = *why;

	(void)status;
	kube_patches_done(&k->patches);
	if (r >= 0)
		r = kube_patch_make(body->data, body->size, &k->job, &k->patches, &k->ended.seen,
				    &own);
	if (r >= 0 && k->patches.taints.size == 0) {
		show(k);
		return;
	}
	if (r >= 0)
		r = patch(k, &k->patches.taints, false, on_tainted, &own);
	if (r < 0)
		finish(k, r, &own);
}

int kube_apply(struct kube *k, const struct kube_job *j, const struct kube_event *e, kube_fn *done,
	       void *ctx, struct why *ret_why)
{
	int r;

	if (k->busy)
		return -EBUSY;
	/* It becomes part of a URL. */
	if (!kube_patch_is_name(j->node))
		return why_set(ret_why, -EBADMSG, "\"%.100s\" is no Kubernetes node name", j->node);
	k->job = *j;
	k->has_event = e != NULL;
	k->event = e ? *e : (struct kube_event){.note = ""};
	k->ended = (struct kube_done){.tainted = false};
	k->tries = 0;
	k->done = done;
	k->ctx = ctx;
	r = get(k, on_node, ret_why);
	k->busy = r >= 0;
	return r;
}

int kube_open(const struct kube_options *o, struct kube **ret, struct why *ret_why)
{
	struct kube *k = calloc(1, sizeof(*k));
	int r = k ? kube_door_open(o, &k->door, ret_why) : -ENOMEM;

	if (r < 0) {
		free(k);
		return r;
	}
	*ret = k;
	return 0;
}

struct kube *kube_free(struct kube *k)
{
	if (!k)
		return NULL;
	kube_door_free(k->door);
	kube_patches_done(&k->patches);
	free(k);
	return NULL;
}
