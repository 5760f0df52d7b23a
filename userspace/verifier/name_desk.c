/* SPDX-License-Identifier: Apache-2.0 */
#include "name_desk.h"

#include <errno.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "jsonl.h"
#include "kube_json.h"
#include "log.h"
#include "token_review.h"

#define MIN_RETRY_MS 1000u
#define MAX_RETRY_MS 30000u
#define REVIEWS "/apis/authentication.k8s.io/v1/tokenreviews"

struct waiting {
	char id[65];
	char *token;
	uint64_t since_ns, next_ns; /* boot time */
	uint32_t tries;
};

struct claim {
	char id[65];
	struct digest told; /* the reason why it is not bound yet, of the log's last line */
	struct claim *next;
};

struct name_desk {
	struct name_desk_options o;
	struct name_claims claims;
	struct token_review_wants wants;
	char namespace[64], account[254];
	struct kube_door *door;
	struct event *timer;
	bool busy; /* the API is asked */
	struct waiting queue[NAME_DESK_MAX];
	uint32_t n;
	struct token_review review; /* of queue[0] */
	struct digest
		asked; /* of the token that it is of: another may have come for the same machine */
	struct claim *all; /* in the store too */
	struct claim *at; /* the next that is looked at; NULL: the round is over */
	uint64_t round_ns; /* when the next one begins */
	char node[KUBE_FACTS_MAX_NAME], id[65]; /* of the claim at hand */
	struct name_counts counts;
};

static uint64_t now_ns(const struct name_desk *d)
{
	return clock_boot_ns(d->o.v->clock);
}

static void turn(struct name_desk *d, uint64_t ms)
{
	const struct timeval tv = {(time_t)(ms / 1000), (suseconds_t)(ms % 1000) * 1000};

	event_add(d->timer, &tv);
}

static void wipe(char *token)
{
	OPENSSL_cleanse(token, strlen(token));
	free(token);
}

static void forget_first(struct name_desk *d)
{
	wipe(d->queue[0].token);
	memmove(d->queue, d->queue + 1, --d->n * sizeof(d->queue[0]));
}

static void first_to_end(struct name_desk *d)
{
	const struct waiting first = d->queue[0];

	memmove(d->queue, d->queue + 1, (d->n - 1) * sizeof(d->queue[0]));
	d->queue[d->n - 1] = first;
}

static void drop_claim(struct name_desk *d, const char *id)
{
	struct claim **at = &d->all;

	while (*at && strcmp((*at)->id, id) != 0)
		at = &(*at)->next;
	if (*at) {
		struct claim *c = *at;

		if (d->at == c)
			d->at = c->next;
		*at = c->next;
		free(c);
	}
}

static void add_claim(void *ctx, const char *id)
{
	struct name_desk *d = ctx;
	struct claim *c = d->all;

	while (c && strcmp(c->id, id) != 0)
		c = c->next;
	if (c)
		return;
	c = calloc(1, sizeof(*c));
	if (!c) {
		log_warning("node=%s bound=no error=\"no memory\" next=\"looked at when the "
			    "verifier starts anew\"",
			    id);
		return;
	}
	snprintf(c->id, sizeof(c->id), "%s", id);
	c->next = d->all;
	d->all = c;
}

static void tell_refused(struct name_desk *d, const char *id, const struct why *why)
{
	d->counts.refused++;
	log_warning("node=%s bound=no reason=\"%s\" next=\"plumbctl node bind, or enrol it anew\"",
		    id, why->text);
}

/* The answer is no error of the token's: it is asked again, until that is in vain. */
static void wait_longer(struct name_desk *d, int r, const struct why *why)
{
	struct waiting *w = &d->queue[0];
	uint64_t ms = (uint64_t)MIN_RETRY_MS << (w->tries < 5 ? w->tries : 5);

	w->tries++;
	w->next_ns = now_ns(d) + (ms < MAX_RETRY_MS ? ms : MAX_RETRY_MS) * 1000000;
	if (w->tries == 1)
		log_warning("node=%s bound=no error=\"%s\" next=\"its name could not be checked; "
			    "asked again\"",
			    w->id, why->text[0] ? why->text : strerror(-r));
	/* Others may have better luck. */
	first_to_end(d);
}

static void next(struct name_desk *d);

static void reviewed(struct name_desk *d, int r, struct why *why)
{
	struct digest token;
	char id[65];

	memcpy(id, d->queue[0].id, sizeof(id));
	if (digest_sha256(d->queue[0].token, strlen(d->queue[0].token), &token) < 0 ||
	    !digest_equal(&token, &d->asked)) {
		/* It was replaced meanwhile: the answer is of the one before. Others first. */
		first_to_end(d);
		next(d);
		return;
	}
	if (r >= 0)
		r = name_claims_put(&d->claims, id, &d->asked, d->review.node, d->review.node_uid,
				    why);
	if (r >= 0) {
		log_notice("node=%s kube_name=%s claimed=yes next=\"bound when its evidence and "
			   "the Node are of one boot\"",
			   id, d->review.node);
		add_claim(d, id);
		forget_first(d);
	} else if (r == -EKEYREJECTED || r == -ENOENT) {
		tell_refused(d, id, why);
		forget_first(d);
	} else {
		wait_longer(d, r, why);
	}
	next(d);
}

static void on_pod(void *ctx, int r, int status, const struct buf *body, const struct why *why)
{
	struct name_desk *d = ctx;
	struct why own = *why;

	(void)status;
	if (r == -ECANCELED)
		return;
	d->busy = false;
	if (r == -ENOENT)
		r = why_set(&own, -EKEYREJECTED, "its pod %.100s is gone", d->review.pod);
	else if (r >= 0)
		r = token_review_pod(body->data, body->size, &d->wants, &d->review, &own);
	reviewed(d, r, &own);
}

static int ask_pod(struct name_desk *d, struct why *ret_why)
{
	char path[512];
	const struct kube_ask a = {.method = "GET",
				   .path = path,
				   .max = TOKEN_REVIEW_MAX,
				   .verb = "get",
				   .things = "pods",
				   .name = d->review.pod,
				   .done = on_pod,
				   .ctx = d};

	snprintf(path, sizeof(path), "/api/v1/namespaces/%s/pods/%s", d->namespace, d->review.pod);
	return kube_door_ask(d->door, &a, ret_why);
}

static void on_review(void *ctx, int r, int status, const struct buf *body, const struct why *why)
{
	struct name_desk *d = ctx;
	struct why own = *why;

	(void)status;
	if (r == -ECANCELED)
		return;
	d->busy = false;
	d->counts.asked++;
	/* Of the route: nothing was said of the token. */
	if (r == -ENOENT)
		r = -EAGAIN;
	if (r >= 0)
		r = token_review_read(body->data, body->size, &d->wants, &d->review, &own);
	if (r >= 0 && !d->review.node[0]) {
		r = ask_pod(d, &own);
		d->busy = r >= 0;
		if (r >= 0)
			return;
	}
	reviewed(d, r, &own);
}

static int ask_review(struct name_desk *d, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf body = {0};
	struct kube_ask a = {.method = "POST",
			     .path = REVIEWS,
			     .type = "application/json",
			     .max = TOKEN_REVIEW_MAX,
			     .verb = "create",
			     .things = "tokenreviews.authentication.k8s.io",
			     .name = "",
			     .done = on_review,
			     .ctx = d};
	int r = digest_sha256(d->queue[0].token, strlen(d->queue[0].token), &d->asked);

	if (r >= 0)
		r = token_review_body(d->queue[0].token, d->o.audience, &body);
	a.body = body.data;
	a.size = body.size;
	if (r >= 0)
		r = kube_door_ask(d->door, &a, ret_why);
	if (body.data)
		OPENSSL_cleanse(body.data, body.size);
	return r;
}

/* Told when it is another reason than before. */
static void tell_waits(struct name_desk *d, const char *id, const struct why *why)
{
	struct claim *c = d->all;
	struct digest reason;

	while (c && strcmp(c->id, id) != 0)
		c = c->next;
	if (!c || digest_sha256(why->text, strlen(why->text), &reason) < 0 ||
	    digest_equal(&reason, &c->told))
		return;
	c->told = reason;
	log_info("node=%s kube_name=%s bound=no reason=\"%s\" next=\"looked at again\"", id,
		 d->node, why->text);
}

static void on_node(void *ctx, int r, int status, const struct buf *body, const struct why *why)
{
	struct name_desk *d = ctx;
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	struct kube_facts f = {.taints = 0};
	struct why own = *why;

	(void)status;
	if (r == -ECANCELED)
		return;
	d->busy = false;
	if (r >= 0) {
		o = kube_json_load(body->data, body->size, 0);
		r = kube_facts_read(o, &f, &own);
	}
	if (r >= 0) {
		own.text[0] = 0;
		r = name_claims_bind(&d->claims, d->id, &f, &own);
	}
	if (r > 0) {
		d->counts.bound++;
		log_notice("node=%s kube_name=%s bound=yes by=token uid=%s", d->id, d->node, f.uid);
	}
	if (r == -EKEYREJECTED)
		tell_refused(d, d->id, &own);
	if (r > 0 || r == -EKEYREJECTED)
		drop_claim(d, d->id);
	else
		tell_waits(d, d->id, &own);
	next(d);
}

static int ask_node(struct name_desk *d, struct why *ret_why)
{
	char path[320];
	const struct kube_ask a = {.method = "GET",
				   .path = path,
				   .max = KUBE_FACTS_MAX_NODE,
				   .verb = "get",
				   .things = "nodes",
				   .name = d->node,
				   .done = on_node,
				   .ctx = d};

	snprintf(path, sizeof(path), "/api/v1/nodes/%s", d->node);
	return kube_door_ask(d->door, &a, ret_why);
}

/* 1: the API is asked about it. Before there is evidence nobody is. */
static int look_at(struct name_desk *d, const char *id, struct why *ret_why)
{
	const struct store *s = d->o.v->store;
	struct store_node row = {.version = 0};
	struct name_claim c;
	struct why over = {""};
	bool ready;
	int r = name_claims_get(&d->claims, id, &c);

	if (r >= 0)
		r = s->ops->node_get(s->ctx, id, &row);
	if (r >= 0 && row.incarnation != c.incarnation)
		why_set(&over, 0, "it was enrolled anew since");
	else if (r >= 0 && clock_utc_ns(d->o.v->clock) >= c.until_ns)
		why_set(&over, 0, "the Node %.150s was not seen to be of its boot in time", c.node);
	ready = r >= 0 && row.boot_id[0];
	store_node_done(&row);
	if (over.text[0]) {
		r = name_claims_drop(&d->claims, id);
		tell_refused(d, id, &over);
		return r < 0 ? r : -ENOENT;
	}
	if (r < 0 || !ready)
		return r;
	memcpy(d->node, c.node, sizeof(d->node));
	memcpy(d->id, id, sizeof(d->id));
	r = ask_node(d, ret_why);
	return r < 0 ? r : 1;
}

/* A claim after the other; 1: the API is asked. */
static int look_on(struct name_desk *d)
{
	while (d->at) {
		struct why why = {""};
		char id[65];
		int r;

		memcpy(id, d->at->id, sizeof(id));
		d->at = d->at->next;
		r = look_at(d, id, &why);
		if (r > 0)
			return 1;
		if (r == -ENOENT)
			drop_claim(d, id); /* it was bound or refused meanwhile */
		else if (r < 0)
			tell_waits(d, id, &why);
	}
	return 0;
}

/* 1: the API is asked. What is too old is forgotten. */
static int review_one(struct name_desk *d)
{
	struct why why = {""};
	int r;

	while (d->n > 0 &&
	       now_ns(d) >= d->queue[0].since_ns + NAME_DESK_WAIT_MS * UINT64_C(1000000)) {
		d->counts.unchecked++;
		log_warning("node=%s bound=no reason=\"its name could not be checked in time\" "
			    "next=\"plumbctl node bind, or enrol it anew\"",
			    d->queue[0].id);
		forget_first(d);
	}
	for (uint32_t i = 0; i < d->n; i++) {
		const struct waiting w = d->queue[i];

		if (w.next_ns > now_ns(d))
			continue;
		memmove(d->queue + 1, d->queue, i * sizeof(d->queue[0]));
		d->queue[0] = w;
		r = ask_review(d, &why);
		if (r >= 0)
			return 1;
		wait_longer(d, r, &why);
		break;
	}
	return 0;
}

static void next(struct name_desk *d)
{
	uint64_t look_ms = d->o.look_ms ? d->o.look_ms : NAME_DESK_LOOK_MS, now = now_ns(d);

	if (d->busy)
		return;
	d->busy = review_one(d) > 0;
	if (!d->busy && !d->at && now >= d->round_ns) {
		d->at = d->all;
		d->round_ns = now + look_ms * 1000000;
	}
	if (!d->busy)
		d->busy = look_on(d) > 0;
	if (!d->busy && (d->n > 0 || d->all))
		turn(d, d->n > 0 && look_ms > MIN_RETRY_MS ? MIN_RETRY_MS : look_ms);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	next(ctx);
}

static struct waiting *place_of(struct name_desk *d, const char *id)
{
	for (uint32_t i = 0; i < d->n; i++)
		if (strcmp(d->queue[i].id, id) == 0)
			return &d->queue[i];
	return NULL;
}

void name_desk_take(struct name_desk *d, const char *id, const char *token)
{
	struct waiting *had = d ? place_of(d, id) : NULL;
	struct waiting w = {.tries = 0};

	if (!d || (had && strcmp(had->token, token) == 0))
		return;
	snprintf(w.id, sizeof(w.id), "%s", id);
	w.since_ns = now_ns(d);
	w.token = had || d->n < NAME_DESK_MAX ? strdup(token) : NULL;
	if (w.token && had) {
		/* One place a machine. It waits for the API as long as it would have: that is not hurried by it. */
		w.next_ns = had->next_ns;
		w.tries = had->tries;
		wipe(had->token);
		*had = w;
		return;
	}
	if (!w.token) {
		d->counts.unchecked++;
		log_warning("node=%s bound=no error=\"too many names are being checked\" "
			    "next=\"plumbctl node bind, or enrol it anew\"",
			    id);
		return;
	}
	d->queue[d->n++] = w;
	if (!d->busy)
		turn(d, 0);
}

static int split_account(struct name_desk *d, const char *account, struct why *ret_why)
{
	size_t size = strcspn(account, ":");

	if (account[size] != ':' || size == 0 || size >= sizeof(d->namespace) ||
	    !account[size + 1] || strlen(account + size + 1) >= sizeof(d->account) ||
	    strspn(account, "abcdefghijklmnopqrstuvwxyz0123456789.-:") != strlen(account))
		return why_set(ret_why, -EINVAL,
			       "kube_agent_account: \"%.60s\" is no NAMESPACE:NAME", account);
	snprintf(d->namespace, sizeof(d->namespace), "%.*s", (int)size, account);
	snprintf(d->account, sizeof(d->account), "%s", account + size + 1);
	return 0;
}

int name_desk_open(const struct name_desk_options *o, struct name_desk **ret, struct why *ret_why)
{
	struct name_desk *d = calloc(1, sizeof(*d));
	int r = d ? split_account(d, o->account, ret_why) : -ENOMEM;

	if (r >= 0) {
		d->o = *o;
		d->claims = (struct name_claims){o->v, o->contain};
		d->wants = (struct token_review_wants){o->audience, d->namespace, d->account};
		r = kube_door_open(&o->kube, &d->door, ret_why);
	}
	if (r >= 0) {
		d->timer = event_new(o->kube.base, -1, 0, on_timer, d);
		r = d->timer ? name_claims_each(&d->claims, add_claim, d) : -ENOMEM;
	}
	if (r < 0) {
		name_desk_free(d);
		return r;
	}
	turn(d, 0);
	*ret = d;
	return 0;
}

struct name_desk *name_desk_free(struct name_desk *d)
{
	if (!d)
		return NULL;
	kube_door_free(d->door);
	if (d->timer)
		event_free(d->timer);
	while (d->n > 0)
		forget_first(d);
	while (d->all)
		drop_claim(d, d->all->id);
	free(d);
	return NULL;
}

void name_desk_counts(const struct name_desk *d, struct name_counts *ret)
{
	*ret = d->counts;
}
