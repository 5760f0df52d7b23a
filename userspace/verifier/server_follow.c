/* SPDX-License-Identifier: Apache-2.0 */
#include "server_follow.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "log.h"

#define CHUNK (256u * 1024)
#define KEEP_ALIVE_S 15

struct follower {
	struct server_follow *s;
	struct server_conn *c; /* borrowed: goes after the request */
	struct evhttp_request *req;
	struct event *timer;
	uint64_t from;
	bool on, draining, cut;
	struct follower *next;
};

struct server_follow {
	struct server_follow_options o;
	struct follower *followers;
};

static void follower_free(struct follower *f)
{
	struct follower **at = &f->s->followers;

	while (*at && *at != f)
		at = &(*at)->next;
	if (*at)
		*at = f->next;
	event_free(f->timer);
	free(f);
}

static void on_gone(struct evhttp_connection *evcon, void *ctx)
{
	struct follower *f = ctx;

	(void)evcon;
	/* A request that was not answered to its end is left to us when its connection breaks. */
	if (!evhttp_request_get_connection(f->req))
		evhttp_request_free(f->req);
	follower_free(f);
}

static void pump(struct follower *f);

static void on_drained(struct evhttp_connection *evcon, void *ctx)
{
	struct follower *f = ctx;

	(void)evcon;
	f->draining = false;
	pump(f);
}

/* No end of the chunks is sent, so nobody takes what came for all there is. on_gone() frees it. */
static void cut(struct follower *f)
{
	f->cut = true;
	server_conn_close(f->c);
}

static void end(struct follower *f)
{
	struct evhttp_connection *evcon = evhttp_request_get_connection(f->req);
	const struct timeval idle = {f->s->o.idle_ms / 1000,
				     (suseconds_t)(f->s->o.idle_ms % 1000) * 1000};

	evhttp_connection_set_closecb(evcon, NULL, NULL);
	evhttp_connection_set_timeout_tv(evcon, &idle);
	evhttp_send_reply_end(f->req);
	follower_free(f);
}

static void send_piece(struct follower *f, const void *data, size_t size)
{
	struct evbuffer *out = evbuffer_new();

	if (!out || evbuffer_add(out, data, size) < 0) {
		cut(f);
	} else {
		f->draining = true;
		evhttp_send_reply_chunk_with_cb(f->req, out, on_drained, f);
	}
	if (out)
		evbuffer_free(out);
}

static bool may(const struct follower *f)
{
	return server_conn_in_time(f->c) && f->s->o.may(f->s->o.ctx, server_conn_who(f->c));
}

/* One piece at a time: who reads slowly lags behind, and costs no more than a piece. */
static void pump(struct follower *f)
{
	const struct timeval keep = {KEEP_ALIVE_S, 0};
	CLEANUP(buf_done) struct buf lines = {0};
	uint64_t to = f->from;
	int r;

	if (f->draining || f->cut)
		return;
	if (!may(f)) {
		cut(f);
		return;
	}
	r = vlog_lines(f->s->o.vlog, f->from, CHUNK, &lines, &to);
	if (r < 0) {
		log_error("events=unreadable from=%llu error=\"%s\" next=\"the connection is cut\"",
			  (unsigned long long)f->from, strerror(-r));
		cut(f);
		return;
	}
	if (lines.size == 0 && !f->on) {
		end(f);
		return;
	}
	event_add(f->timer, &keep);
	if (lines.size == 0)
		return;
	f->from = to;
	send_piece(f, lines.data, lines.size);
}

static void on_keep_alive(evutil_socket_t fd, short what, void *ctx)
{
	const struct timeval keep = {KEEP_ALIVE_S, 0};
	struct follower *f = ctx;

	(void)fd;
	(void)what;
	event_add(f->timer, &keep);
	if (f->draining || f->cut)
		return;
	if (may(f))
		send_piece(f, "\n", 1);
	else
		cut(f);
}

static void on_log(void *ctx)
{
	struct server_follow *s = ctx;
	struct follower *next;

	for (struct follower *f = s->followers; f; f = next) {
		next = f->next;
		pump(f);
	}
}

int server_follow_open(const struct server_follow_options *o, struct server_follow **ret)
{
	struct server_follow *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->o = *o;
	vlog_on_sync(o->vlog, on_log, s);
	*ret = s;
	return 0;
}

struct server_follow *server_follow_free(struct server_follow *s)
{
	if (!s)
		return NULL;
	vlog_on_sync(s->o.vlog, NULL, NULL);
	while (s->followers) {
		evhttp_connection_set_closecb(evhttp_request_get_connection(s->followers->req),
					      NULL, NULL);
		follower_free(s->followers);
	}
	free(s);
	return NULL;
}

int server_follow_start(struct server_follow *s, struct server_conn *c, struct evhttp_request *req,
			uint64_t from, bool on)
{
	struct evhttp_connection *evcon = evhttp_request_get_connection(req);
	const struct timeval stall = {s->o.stall_ms / 1000,
				      (suseconds_t)(s->o.stall_ms % 1000) * 1000};
	struct follower *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	*f = (struct follower){.s = s, .c = c, .req = req, .from = from, .on = on};
	f->timer = evtimer_new(s->o.base, on_keep_alive, f);
	if (!f->timer) {
		free(f);
		return -ENOMEM;
	}
	f->next = s->followers;
	s->followers = f;
	/* It has nothing more to say; but it must go on reading. */
	bufferevent_set_timeouts(evhttp_connection_get_bufferevent(evcon), NULL, &stall);
	evhttp_connection_set_closecb(evcon, on_gone, f);
	evhttp_send_reply_start(req, 200, "OK");
	pump(f);
	return 0;
}
