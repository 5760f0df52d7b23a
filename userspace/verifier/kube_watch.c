/* SPDX-License-Identifier: Apache-2.0 */
#include "kube_watch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "jsonl.h"
#include "kube_json.h"
#include "log.h"

#define PAGE 100 /* nodes */
#define MAX_PAGE (64u << 20) /* bytes */
/* However large they are, by KUBE_JSON_MAX_SIGNS too. */
#define SMALL_PAGE (MAX_PAGE / KUBE_FACTS_MAX_NODE - 1)
#define GRACE_S 30
#define ENOUGH_NS 5000000000ull /* a watch that lasted so long was a good one */

static const struct kube_watch_kind nodes = {
	.path = "/api/v1/nodes",
	.query = "",
	.things = "nodes",
	.meanwhile = "each contained node is looked at every minute",
};

struct kube_watch {
	struct kube_watch_options o;
	struct kube_options kube; /* the door is opened anew by it */
	const struct kube_watch_kind *kind;
	struct kube_door *door;
	struct event *timer;
	struct kube_watch_state state;
	bool running; /* a request is on its way */
	bool whole; /* the list was read to its end: version stands */
	char version[KUBE_FACTS_MAX_VERSION];
	bool small; /* pages are, for some objects are large */
	struct buf more, line;
	uint32_t turn_s, fails;
	int told; /* the error that the log has */
	bool odd; /* the log has that there was one that could not be read */
	struct timeval began;
};

static void again(struct kube_watch *w, uint32_t s)
{
	const struct timeval tv = {s, 0};

	event_add(w->timer, &tv);
}

/* Later each time; told when it begins and when it fails otherwise. */
static void failed(struct kube_watch *w, int r, const struct why *why)
{
	uint32_t s = 1u << (w->fails < 5 ? w->fails : 5);

	w->state.watching = false;
	w->state.why = *why;
	if (w->told != r)
		log_warning("kube_watch=down things=%s error=\"%s\" next=\"tried again; until "
			    "then %s\"",
			    w->kind->things, why->text, w->kind->meanwhile);
	w->told = r;
	w->fails++;
	again(w, s < KUBE_WATCH_MAX_RETRY_S ? s : KUBE_WATCH_MAX_RETRY_S);
}

/* Others are told all the same. Once: it may be written anew each second. */
static void tell_odd(struct kube_watch *w, const json_t *node, const struct why *why)
{
	const char *name =
		json_string_value(json_object_get(json_object_get(node, "metadata"), "name"));

	if (!w->odd)
		log_warning("kube_watch=odd things=%s kube_name=\"%.100s\" error=\"%s\" "
			    "next=\"left out, as all that cannot be read\"",
			    w->kind->things, name ? name : "", why->text);
	w->odd = true;
}

static void take(struct kube_watch *w, const json_t *node, bool deleted)
{
	struct kube_facts f;
	struct why why;

	if (w->o.object) {
		w->o.object(w->o.ctx, node, deleted);
		return;
	}
	if (kube_facts_read(node, &f, &why) < 0) {
		tell_odd(w, node, &why);
		return;
	}
	if (!f.name[0])
		return;
	w->o.node(w->o.ctx, &f, deleted);
}

static int take_version(struct kube_watch *w, const json_t *o)
{
	const char *v = json_string_value(
		json_object_get(json_object_get(o, "metadata"), "resourceVersion"));

	if (!v || !v[0] || strlen(v) >= sizeof(w->version) ||
	    strspn(v, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_.") !=
		    strlen(v))
		return -EBADMSG;
	snprintf(w->version, sizeof(w->version), "%s", v);
	return 0;
}

/* 1: it goes on; 0: taken; -ESTALE: what it was to begin with is too old. */
static int take_event(struct kube_watch *w, const char *line, size_t size, struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	const json_t *object;
	const char *type;

	o = kube_json_load(line, size, 0);
	object = json_object_get(o, "object");
	type = json_string_value(json_object_get(o, "type"));
	if (!type || !object)
		return why_set(ret_why, -EBADMSG, "watch of %s: a line that is no event",
			       w->kind->things);
	if (strcmp(type, "ERROR") == 0)
		return why_set(ret_why,
			       json_integer_value(json_object_get(object, "code")) == 410 ? -ESTALE
											  : -EAGAIN,
			       "watch of %s: %.150s", w->kind->things,
			       json_string_value(json_object_get(object, "message"))
				       ? json_string_value(json_object_get(object, "message"))
				       : "an error");
	if (take_version(w, object) < 0)
		return why_set(ret_why, -EBADMSG, "watch of %s: an object of no version",
			       w->kind->things);
	if (strcmp(type, "BOOKMARK") != 0)
		take(w, object, strcmp(type, "DELETED") == 0);
	return 0;
}

static int on_data(void *ctx, const void *data, size_t size)
{
	struct kube_watch *w = ctx;
	const char *at = data, *end = at + size, *lf;
	int r = 0;

	if (w->told)
		log_notice("kube_watch=up things=%s", w->kind->things);
	w->told = 0;
	while (r >= 0 && (lf = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		buf_put(&w->line, at, (size_t)(lf - at));
		at = lf + 1;
		if (w->line.size > 0)
			r = take_event(w, (char *)w->line.data, w->line.size, &w->state.why);
		buf_clear(&w->line);
	}
	if (r < 0)
		return r;
	if (w->line.size + (size_t)(end - at) > KUBE_FACTS_MAX_NODE + 4096)
		return why_set(&w->state.why, -E2BIG, "watch of %s: a line is too long",
			       w->kind->things);
	buf_put(&w->line, at, (size_t)(end - at));
	return buf_status(&w->line);
}

static uint64_t age_ns(const struct kube_watch *w)
{
	struct timeval now;

	evutil_gettimeofday(&now, NULL);
	if (now.tv_sec < w->began.tv_sec)
		return 0;
	return (uint64_t)(now.tv_sec - w->began.tv_sec) * 1000000000ull;
}

static void on_watched(void *ctx, int r, int status, const struct buf *body, const struct why *why)
{
	struct kube_watch *w = ctx;
	struct why own = *why;

	(void)status;
	(void)body;
	w->running = false;
	event_del(w->timer);
	buf_clear(&w->line);
	if (r == -ECANCELED)
		return;
	if (age_ns(w) >= ENOUGH_NS)
		w->fails = 0;
	/* Who may list and may not watch gets lists, as often as it is tried. */
	if (r == -ESTALE || r == -EBADMSG || r == -E2BIG || r == -EACCES)
		w->whole = false;
	if (r == -ESTALE)
		log_info("kube_watch=too_old things=%s next=\"a list\"", w->kind->things);
	if (r < 0 && w->state.why.text[0])
		own = w->state.why;
	/* It ended as it should, or the API was started anew, or its memory is shorter than our watch: it goes on at once, once. */
	if (w->fails == 0 && (r >= 0 || r == -ESTALE || r == -EIO)) {
		w->fails = 1;
		again(w, 0);
		return;
	}
	if (r >= 0)
		r = why_set(&own, -EAGAIN, "watch of %s: it ends at once", w->kind->things);
	failed(w, r, &own);
}

static int watch(struct kube_watch *w, struct why *ret_why)
{
	const struct timeval dead = {w->turn_s + (w->turn_s < GRACE_S ? w->turn_s : GRACE_S), 0};
	char path[512];
	const struct kube_ask a = {.method = "GET",
				   .path = path,
				   .verb = "watch",
				   .things = w->kind->things,
				   .stream = true,
				   .data = on_data,
				   .done = on_watched,
				   .ctx = w};
	int r;

	snprintf(path, sizeof(path),
		 "%s?watch=1&allowWatchBookmarks=true&timeoutSeconds=%u&resourceVersion=%s%s%s",
		 w->kind->path, w->turn_s, w->version, w->kind->query[0] ? "&" : "",
		 w->kind->query);
	w->state.why.text[0] = 0;
	r = kube_door_ask(w->door, &a, ret_why);
	if (r < 0)
		return r;
	w->state.watches++;
	w->state.watching = true;
	evutil_gettimeofday(&w->began, NULL);
	event_add(w->timer, &dead);
	return 0;
}

static int list(struct kube_watch *w, struct why *ret_why);

static int take_page(struct kube_watch *w, const struct buf *body, struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	size_t i;
	json_t *n;
	int r;

	if (!kube_json_fits(body->data, body->size))
		return why_set(ret_why, -E2BIG, "list of %s: too many values", w->kind->things);
	o = kube_json_load(body->data, body->size, 0);
	r = json_is_array(json_object_get(o, "items")) ? take_version(w, o) : -EBADMSG;
	if (r >= 0)
		r = kube_json_more(o, &w->more);
	if (r < 0)
		return why_set(ret_why, r, "list of %s: that is no list", w->kind->things);
	json_array_foreach (json_object_get(o, "items"), i, n)
		take(w, n, false);
	return 0;
}

static void on_listed(void *ctx, int r, int status, const struct buf *body, const struct why *why)
{
	struct kube_watch *w = ctx;
	struct why own = *why;

	(void)status;
	w->running = false;
	if (r == -ECANCELED)
		return;
	if (r >= 0)
		r = take_page(w, body, &own);
	if (r == -E2BIG && !w->small) {
		w->small = true;
		own.text[0] = 0;
		r = list(w, &own);
		w->running = r >= 0;
		if (r >= 0)
			return;
	} else if (r >= 0 && w->more.size > 0) {
		r = list(w, &own);
		w->running = r >= 0;
		if (r >= 0)
			return;
	}
	buf_clear(&w->more);
	if (r < 0) {
		failed(w, r, &own);
		return;
	}
	w->whole = true;
	w->small = false;
	w->state.lists++;
	w->o.listed(w->o.ctx, false);
	again(w, 0);
}

static int list(struct kube_watch *w, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf path = {0};
	struct kube_ask a = {.method = "GET",
			     .max = MAX_PAGE,
			     .verb = "list",
			     .things = w->kind->things,
			     .done = on_listed,
			     .ctx = w};

	buf_printf(&path, "%s?limit=%u%s%s", w->kind->path, w->small ? SMALL_PAGE : PAGE,
		   w->kind->query[0] ? "&" : "", w->kind->query);
	if (w->more.size > 0) {
		buf_printf(&path, "&continue=%.*s", (int)w->more.size, (char *)w->more.data);
	} else {
		/* Nobody was named yet: that is no word of anybody's end. */
		w->state.watching = false;
		w->o.listed(w->o.ctx, true);
	}
	a.path = (char *)path.data;
	return buf_status(&path) < 0 ? buf_status(&path) : kube_door_ask(w->door, &a, ret_why);
}

/* A watch that did not end in time has lost its other end without a word. */
static int reopen(struct kube_watch *w, struct why *ret_why)
{
	log_warning("kube_watch=dead things=%s next=\"another connection\"", w->kind->things);
	w->door = kube_door_free(w->door);
	return kube_door_open(&w->kube, &w->door, ret_why);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct kube_watch *w = ctx;
	struct why why = {""};
	int r = 0;

	(void)fd;
	(void)what;
	if (w->running || !w->door)
		r = reopen(w, &why);
	w->running = false;
	if (r >= 0)
		r = w->whole ? watch(w, &why) : list(w, &why);
	w->running = r >= 0;
	if (r < 0)
		failed(w, r, &why);
}

int kube_watch_open(const struct kube_watch_options *o, struct kube_watch **ret,
		    struct why *ret_why)
{
	struct kube_watch *w = calloc(1, sizeof(*w));
	int r = w ? 0 : -ENOMEM;

	if (r >= 0) {
		w->o = *o;
		w->kube = *o->kube;
		w->kind = o->kind ? o->kind : &nodes;
		w->turn_s = o->turn_s ? o->turn_s : KUBE_WATCH_S;
		w->timer = evtimer_new(o->kube->base, on_timer, w);
		r = w->timer ? kube_door_open(o->kube, &w->door, ret_why) : -ENOMEM;
	}
	if (r < 0) {
		kube_watch_free(w);
		return r;
	}
	again(w, 0);
	*ret = w;
	return 0;
}

struct kube_watch *kube_watch_free(struct kube_watch *w)
{
	if (!w)
		return NULL;
	kube_door_free(w->door);
	if (w->timer)
		event_free(w->timer);
	buf_done(&w->more);
	buf_done(&w->line);
	free(w);
	return NULL;
}

void kube_watch_renew(struct kube_watch *w)
{
	w->whole = false;
}

void kube_watch_state(const struct kube_watch *w, struct kube_watch_state *ret)
{
	*ret = w->state;
}
