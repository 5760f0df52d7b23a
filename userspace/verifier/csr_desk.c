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
#include "jsonl.h"
#include "log.h"

#define ROUTE "/apis/certificates.k8s.io/v1/certificatesigningrequests"
#define LIST                                                                                    \
	ROUTE "?fieldSelector=spec.signerName%3Dkubernetes.io%2Fkube-apiserver-client-kubelet&" \
	      "limit=500"
#define MAX_LIST (16u << 20)
#define MAX_ANSWER 65536
#define MAX_TOLD 256u

struct told {
	char name[254];
	struct digest why;
};

struct csr_desk {
	struct csr_judge judge;
	struct kube_door *door;
	struct event *timer;
	struct timeval look;
	json_t *list; /* as the API gave it; NULL: none is gone through */
	size_t at;
	struct csr_check now; /* being approved */
	struct csr_judged what;
	struct told told[MAX_TOLD]; /* a ring */
	uint32_t next_told;
	int failing; /* the last error that was told; 0: none */
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

static void tell_error(struct csr_desk *d, int r, const struct why *why)
{
	if (r == d->failing)
		return;
	d->failing = r;
	if (r < 0)
		log_warning("csr=unread error=\"%s\" next=\"tried again\"",
			    why->text[0] ? why->text : strerror(-r));
}

static void rest(struct csr_desk *d)
{
	json_decref(d->list);
	d->list = NULL;
	event_add(d->timer, &d->look);
}

static void go_on(struct csr_desk *d);

static void on_approved(void *ctx, int r, int status, const struct buf *body, const struct why *why)
{
	struct csr_desk *d = ctx;

	(void)status;
	(void)body;
	if (r == -ECANCELED)
		return;
	if (r < 0) {
		log_warning("csr=%s node=%s approved=no error=\"%s\" next=\"tried again\"",
			    d->now.name, d->what.id, why->text);
	} else {
		d->counts.approved++;
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
static int take(struct csr_desk *d, const json_t *object, struct why *ret_why)
{
	int r = csr_check(object, &d->now, ret_why);

	if (r == -EALREADY)
		return 0;
	if (r < 0) {
		tell_left(d, &d->now, ret_why);
		return 0;
	}
	r = csr_judge(&d->judge, &d->now, &d->what, ret_why);
	if (r == 0)
		tell_left(d, &d->now, ret_why);
	if (r <= 0)
		return r;
	r = csr_judge_keep(&d->judge, &d->now, &d->what, ret_why);
	if (r >= 0)
		r = approve(d, ret_why);
	return r < 0 ? r : 1;
}

static void go_on(struct csr_desk *d)
{
	const json_t *items = json_object_get(d->list, "items");

	while (d->at < json_array_size(items)) {
		struct why why = {""};
		int r = take(d, json_array_get(items, d->at++), &why);

		if (r > 0)
			return;
		if (r < 0)
			log_warning("csr=%s approved=no error=\"%s\" next=\"looked at again\"",
				    d->now.name, why.text[0] ? why.text : strerror(-r));
	}
	rest(d);
}

static void on_list(void *ctx, int r, int status, const struct buf *body, const struct why *why)
{
	struct csr_desk *d = ctx;
	struct why own = *why;
	json_error_t error;

	(void)status;
	if (r == -ECANCELED)
		return;
	if (r >= 0) {
		d->list = body->size ? json_loadb((char *)body->data, body->size,
						  JSON_REJECT_DUPLICATES, &error)
				     : NULL;
		if (!json_is_array(json_object_get(d->list, "items")))
			r = why_set(&own, -EBADMSG, "the API's list of requests is none");
	}
	tell_error(d, r < 0 ? r : 0, &own);
	d->counts.looks++;
	d->at = 0;
	if (r < 0)
		rest(d);
	else
		go_on(d);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct csr_desk *d = ctx;
	const struct kube_ask a = {.method = "GET",
				   .path = LIST,
				   .max = MAX_LIST,
				   .verb = "list",
				   .things = "certificatesigningrequests",
				   .name = "",
				   .done = on_list,
				   .ctx = d};
	struct why why = {""};
	int r = kube_door_ask(d->door, &a, &why);

	(void)fd;
	(void)what;
	if (r < 0) {
		tell_error(d, r, &why);
		rest(d);
	}
}

int csr_desk_open(const struct csr_desk_options *o, struct csr_desk **ret, struct why *ret_why)
{
	const struct timeval now = {0, 0};
	uint32_t ms = o->look_ms ? o->look_ms : CSR_DESK_LOOK_MS;
	struct csr_desk *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return -ENOMEM;
	d->judge = (struct csr_judge){o->v, o->contain, o->nodes, o->bind, o->chained};
	d->look = (struct timeval){ms / 1000, (suseconds_t)(ms % 1000) * 1000};
	r = kube_door_open(&o->kube, &d->door, ret_why);
	if (r >= 0) {
		d->timer = event_new(o->kube.base, -1, 0, on_timer, d);
		r = d->timer && event_add(d->timer, &now) == 0 ? 0 : -ENOMEM;
	}
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
	kube_door_free(d->door);
	if (d->timer)
		event_free(d->timer);
	json_decref(d->list);
	free(d);
	return NULL;
}

void csr_desk_counts(const struct csr_desk *d, struct csr_counts *ret)
{
	*ret = d->counts;
}
