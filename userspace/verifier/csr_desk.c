/* SPDX-License-Identifier: Apache-2.0 */
#include "csr_desk.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "csr_judge.h"
#include "csr_pending.h"
#include "jsonl.h"
#include "kube_watch.h"
#include "log.h"

#define ROUTE "/apis/certificates.k8s.io/v1/certificatesigningrequests"
#define MAX_ANSWER 65536
#define MAX_TOLD 256u
#define BATCH 32u /* are judged before others have their turn on the loop */

static const struct kube_watch_kind requests = {
	.path = ROUTE,
	.query = "fieldSelector=spec.signerName%3Dkubernetes.io%2Fkube-apiserver-client-kubelet",
	.things = "certificatesigningrequests",
	.meanwhile = "what came before is approved, and nothing newer",
};

struct told {
	char name[254];
	struct digest why;
};

struct csr_desk {
	struct csr_judge judge;
	struct kube_watch *watch;
	struct kube_door *door;
	struct csr_pending *pending;
	struct event *timer;
	struct timeval look;
	bool passing; /* they are gone through */
	bool again; /* something came meanwhile */
	uint32_t at;
	struct csr_check now; /* being approved */
	struct csr_judged what;
	struct told told[MAX_TOLD]; /* a ring */
	uint32_t next_told;
	struct csr_counts counts;
};

/* Once for each reason: they are looked at every few seconds, for as long as they are pending. */
static void tell_left(struct csr_desk *d, const struct csr_check *c, const struct why *why)
{
	struct told t = {.name = ""};
	struct told *found = NULL;

	snprintf(t.name, sizeof(t.name), "%s", c->name);
	if (digest_sha256(why->text, strlen(why->text), &t.why) < 0)
		return;
	for (uint32_t i = 0; i < MAX_TOLD && !found; i++)
		if (strcmp(d->told[i].name, t.name) == 0)
			found = &d->told[i];
	if (found && digest_equal(&found->why, &t.why))
		return;
	if (!found)
		found = &d->told[d->next_told++ % MAX_TOLD];
	*found = t;
	d->counts.left++;
	log_notice("csr=%s kube_name=%s approved=no reason=\"%s\" next=\"it stays pending, and is "
		   "looked at again\"",
		   c->name, c->request.node, why->text);
}

static void go_on(struct csr_desk *d);

static void on_approved(void *ctx, int r, int status, const struct buf *body, const struct why *why)
{
	struct csr_desk *d = ctx;

	(void)status;
	(void)body;
	if (r == -ECANCELED)
		return;
	if (r == -EBUSY) {
		/* Decided or changed by somebody: the watch tells it as it is now. */
		log_info("csr=%s node=%s approved=no error=\"%s\" next=\"as it is by now\"",
			 d->now.name, d->what.id, why->text);
	} else if (r < 0) {
		log_warning("csr=%s node=%s approved=no error=\"%s\" next=\"tried again\"",
			    d->now.name, d->what.id, why->text);
	} else {
		d->counts.approved++;
		csr_pending_drop(d->pending, d->now.name);
		d->again = true; /* another one has its place now */
		log_notice("csr=%s node=%s kube_name=%s approved=yes line=%" PRIu64, d->now.name,
			   d->what.id, d->now.request.node, d->what.line);
	}
	go_on(d);
}

/* Conditional on the object as it was read: what somebody decided meanwhile stands. */
static int approve(struct csr_desk *d, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf body = {0};
	char path[512], message[200];
	struct kube_ask a = {.method = "PATCH",
			     .path = path,
			     .type = KUBE_DOOR_MERGE,
			     .max = MAX_ANSWER,
			     .verb = "patch",
			     .things = "certificatesigningrequests/approval",
			     .name = d->now.name,
			     .done = on_approved,
			     .ctx = d};
	struct jsonl j;

	snprintf(path, sizeof(path), ROUTE "/%s/approval?fieldManager=plumb-verifier", d->now.name);
	snprintf(message, sizeof(message), "node %s, line %" PRIu64 " of its ledger", d->what.id,
		 d->what.line);
	jsonl_begin(&j, &body);
	jsonl_object(&j, "metadata");
	jsonl_str(&j, "resourceVersion", d->now.version);
	jsonl_close(&j);
	jsonl_object(&j, "status");
	jsonl_array(&j, "conditions");
	jsonl_object(&j, NULL);
	jsonl_str(&j, "type", "Approved");
	jsonl_str(&j, "status", "True");
	jsonl_str(&j, "reason", "PlumblineAttested");
	jsonl_str(&j, "message", message);
	jsonl_close(&j);
	jsonl_close(&j);
	jsonl_close(&j);
	jsonl_end(&j);
	a.body = body.data;
	a.size = body.size;
	return buf_status(&body) < 0 ? buf_status(&body) : kube_door_ask(d->door, &a, ret_why);
}

/* 1: it is being approved, and the rest waits for that. */
static int take(struct csr_desk *d, struct why *ret_why)
{
	int r = csr_judge(&d->judge, &d->now, &d->what, ret_why);

	if (r == 0)
		tell_left(d, &d->now, ret_why);
	if (r <= 0)
		return r;
	r = csr_judge_keep(&d->judge, &d->now, &d->what, ret_why);
	if (r >= 0)
		r = approve(d, ret_why);
	return r < 0 ? r : 1;
}

static void turn_in(struct csr_desk *d, const struct timeval *tv)
{
	event_add(d->timer, tv);
}

static void go_on(struct csr_desk *d)
{
	static const struct timeval now = {0, 0};

	for (uint32_t n = 0; d->at < csr_pending_n(d->pending); n++) {
		struct why why = {""};
		int r;

		if (n == BATCH) {
			turn_in(d, &now);
			return;
		}
		d->now = *csr_pending_at(d->pending, d->at++);
		r = take(d, &why);
		if (r > 0)
			return;
		if (r < 0)
			log_warning("csr=%s approved=no error=\"%s\" next=\"looked at again\"",
				    d->now.name, why.text[0] ? why.text : strerror(-r));
	}
	d->passing = false;
	d->counts.looks++;
	turn_in(d, d->again ? &now : &d->look);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct csr_desk *d = ctx;

	(void)fd;
	(void)what;
	if (!d->passing) {
		d->passing = true;
		d->again = false;
		d->at = 0;
	}
	go_on(d);
}

static void keep(struct csr_desk *d, const struct csr_check *c)
{
	static const struct timeval now = {0, 0};

	if (csr_pending_put(d->pending, c) > 0) {
		if (d->counts.forgotten++ == 0)
			log_warning("csr=too_many pending=%u next=\"the oldest are listed again "
				    "when the watch begins anew\"",
				    CSR_PENDING_MAX);
		kube_watch_renew(d->watch);
	}
	d->again = true;
	if (!d->passing)
		turn_in(d, &now);
}

/* What a request asks for never changes: one that is not as it may be is told, and not kept. */
static void on_object(void *ctx, const json_t *object, bool deleted)
{
	struct csr_desk *d = ctx;
	struct csr_check c = {.name = ""};
	struct why why = {""};
	int r = csr_check(object, &c, &why);

	d->counts.told++;
	if (r == 0 && !deleted) {
		keep(d, &c);
		return;
	}
	if (r < 0 && r != -EALREADY && !deleted)
		tell_left(d, &c, &why);
	csr_pending_drop(d->pending, c.name);
}

static void on_listed(void *ctx, bool begins)
{
	struct csr_desk *d = ctx;

	csr_pending_listed(d->pending, begins);
}

static int open_doors(struct csr_desk *d, const struct csr_desk_options *o, struct why *ret_why)
{
	const struct kube_watch_options watch = {.kube = &o->kube,
						 .turn_s = o->watch_s,
						 .kind = &requests,
						 .object = on_object,
						 .listed = on_listed,
						 .ctx = d};
	int r = csr_pending_open(&d->pending);

	if (r >= 0)
		r = kube_door_open(&o->kube, &d->door, ret_why);
	d->timer = event_new(o->kube.base, -1, 0, on_timer, d);
	if (r >= 0 && (!d->timer || event_add(d->timer, &d->look) < 0))
		r = -ENOMEM;
	return r < 0 ? r : kube_watch_open(&watch, &d->watch, ret_why);
}

int csr_desk_open(const struct csr_desk_options *o, struct csr_desk **ret, struct why *ret_why)
{
	uint32_t ms = o->look_ms ? o->look_ms : CSR_DESK_LOOK_MS;
	struct csr_desk *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return -ENOMEM;
	d->judge = (struct csr_judge){o->v, o->contain, o->nodes, o->bind, o->chained};
	d->look = (struct timeval){ms / 1000, (suseconds_t)(ms % 1000) * 1000};
	r = open_doors(d, o, ret_why);
	if (r < 0) {
		csr_desk_free(d);
		return r;
	}
	*ret = d;
	return 0;
}

struct csr_desk *csr_desk_free(struct csr_desk *d)
{
	if (!d)
		return NULL;
	kube_watch_free(d->watch);
	kube_door_free(d->door);
	csr_pending_free(d->pending);
	if (d->timer)
		event_free(d->timer);
	free(d);
	return NULL;
}

void csr_desk_counts(const struct csr_desk *d, struct csr_counts *ret)
{
	*ret = d->counts;
}
