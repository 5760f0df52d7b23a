/* SPDX-License-Identifier: Apache-2.0 */
#include "server_conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/http.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "plumb/wire.h"

/* Headers, and what is sent before its turn: what is beyond stays in the kernel. */
#define MAX_AHEAD (128u * 1024)

enum stage { NEW, GREETED, SETTLED };

struct server_conn {
	struct server_conns *s; /* NULL: it is gone, and libevent has yet to free the rest */
	struct bufferevent *bev; /* borrowed */
	struct event *timer; /* a stranger's next stage, then its deadline */
	struct in6_addr address;
	enum stage stage;
	bool known, closing, answered; /* known: `who` verified */
	uint64_t
		waiting; /* bytes that came since the last answer: whatever evhttp has made of them, they are here */
	struct cert_identity who;
	struct server_conn *next, **at;
};

struct server_conns {
	struct event_base *base;
	SSL_CTX *ctx;
	struct server_conn_limits limits;
	int ex_index;
	uint32_t n;
	uint64_t waiting, strangers_waiting; /* sums of those that are not closing */
	struct server_conn *newest;
};

static void set_waiting(struct server_conn *c, uint64_t waiting)
{
	c->s->waiting += waiting - c->waiting;
	if (!c->known)
		c->s->strangers_waiting += waiting - c->waiting;
	c->waiting = waiting;
}

void server_conn_close(struct server_conn *c)
{
	evutil_socket_t fd = c->bev ? bufferevent_getfd(c->bev) : -1;

	if (c->s)
		set_waiting(c, 0);
	c->closing = true;
	/* evhttp sees the end and frees it. */
	if (fd >= 0)
		shutdown(fd, SHUT_RDWR);
}

static struct timeval tv_of(uint32_t ms)
{
	return (struct timeval){ms / 1000, (suseconds_t)(ms % 1000) * 1000};
}

static void deadline(struct server_conn *c, uint32_t ms)
{
	const struct timeval tv = tv_of(ms);

	event_add(c->timer, &tv);
}

static bool address_of(evutil_socket_t fd, struct in6_addr *ret)
{
	struct sockaddr_storage a;
	socklen_t size = sizeof(a);
	const struct in6_addr *six = &((struct sockaddr_in6 *)&a)->sin6_addr;

	if (fd < 0 || getpeername(fd, (struct sockaddr *)&a, &size) < 0)
		return false;
	memset(ret, 0, sizeof(*ret));
	if (a.ss_family == AF_INET) {
		ret->s6_addr[10] = ret->s6_addr[11] = 0xff;
		memcpy(ret->s6_addr + 12, &((struct sockaddr_in *)&a)->sin_addr, 4);
	} else if (IN6_IS_ADDR_V4MAPPED(six)) {
		*ret = *six;
	} else {
		/* One customer of IPv6 has at least a /64. */
		memcpy(ret->s6_addr, six->s6_addr, 8);
	}
	return true;
}

static bool is_stranger(const struct server_conn *c)
{
	return !c->known && !c->closing;
}

static bool same_address(const struct server_conn *a, const struct server_conn *b)
{
	return memcmp(&a->address, &b->address, sizeof(a->address)) == 0;
}

/* The oldest stranger of c's address, when there are more than may be; in_grace: those count too. */
static struct server_conn *one_too_many(const struct server_conn *c, bool in_grace)
{
	struct server_conn *oldest = NULL;
	uint32_t n = 0;

	for (struct server_conn *o = c->s->newest; o; o = o->next) {
		if (!is_stranger(o) || o->stage < (in_grace ? GREETED : SETTLED) ||
		    !same_address(o, c))
			continue;
		oldest = o;
		n++;
	}
	return n > c->s->limits.max_per_address ? oldest : NULL;
}

/* Full: an address that has too many gives one up; else the oldest stranger goes, at last this one itself. */
static void make_room(struct server_conn *c)
{
	struct server_conn *victim = one_too_many(c, true);

	for (struct server_conn *o = victim ? NULL : c->s->newest; o; o = o->next)
		if (is_stranger(o))
			victim = o;
	if (victim)
		server_conn_close(victim);
}

static void greet(struct server_conn *c)
{
	struct server_conns *s = c->s;
	evutil_socket_t fd = bufferevent_getfd(c->bev);
	uint32_t n = 0;
	int on = 1;

	/* Headers and body are two writes: the second would wait for the first one's delayed acknowledgement. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (!address_of(fd, &c->address)) {
		server_conn_close(c);
		return;
	}
	c->stage = GREETED;
	for (struct server_conn *o = s->newest; o; o = o->next)
		n += !o->closing;
	if (n > s->limits.max)
		make_room(c);
	if (!c->closing)
		deadline(c, s->limits.grace_ms);
}

static void settle(struct server_conn *c)
{
	const struct server_conn_limits *l = &c->s->limits;
	uint32_t left = l->request_ms > l->grace_ms ? l->request_ms - l->grace_ms : 1;
	struct server_conn *victim;

	c->stage = SETTLED;
	victim = one_too_many(c, false);
	if (victim)
		server_conn_close(victim);
	if (!c->closing)
		deadline(c, c->answered ? l->stall_ms : left);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct server_conn *c = ctx;

	(void)fd;
	(void)what;
	if (c->closing)
		return;
	if (c->stage == NEW)
		greet(c);
	else if (c->known)
		return;
	else if (c->stage == GREETED)
		settle(c);
	else
		server_conn_close(c);
}

static void leave(struct server_conn *c)
{
	set_waiting(c, 0);
	*c->at = c->next;
	if (c->next)
		c->next->at = c->at;
	c->s->n--;
	c->s = NULL;
	if (c->timer)
		event_free(c->timer);
	c->timer = NULL;
}

/* Of the certificate that has the most, or of the strangers, the one that has been here longest. */
static struct server_conn *heaviest(const struct server_conns *s)
{
	bool strangers = s->strangers_waiting > s->limits.max_waiting / 2;
	struct server_conn *victim = NULL;
	uint64_t most = 0;

	for (struct server_conn *c = s->newest; c; c = c->next) {
		uint64_t n = 0;

		if (c->waiting == 0 || c->known == strangers)
			continue;
		for (struct server_conn *o = s->newest; o && !strangers; o = o->next)
			n += o->known && digest_equal(&o->who.key_id, &c->who.key_id) ? o->waiting
										      : 0;
		if (n >= most)
			victim = c;
		most = n > most ? n : most;
	}
	return victim;
}

static void on_input(struct evbuffer *in, const struct evbuffer_cb_info *info, void *ctx)
{
	struct server_conn *c = ctx;

	(void)in;
	if (!c->s || c->closing || info->n_added == 0)
		return;
	set_waiting(c, c->waiting + info->n_added);
	while (c->s->waiting > c->s->limits.max_waiting) {
		struct server_conn *victim = heaviest(c->s);

		if (!victim)
			break;
		server_conn_close(victim);
	}
}

/* libevent frees a TLS connection from the loop, or with the base: later than evhttp lets go of it, and maybe than the server. */
static void on_ssl_free(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int index, long argl,
			void *argp)
{
	struct server_conn *c = ptr;

	(void)parent;
	(void)ad;
	(void)index;
	(void)argl;
	(void)argp;
	if (c && c->s)
		leave(c);
	free(c);
}

/* One certificate that opens connection after connection takes its own place, not that of others. */
static void bound_own(const struct server_conn *c)
{
	struct server_conn *oldest = NULL;
	uint32_t n = 0;

	for (struct server_conn *o = c->s->newest; o; o = o->next) {
		if (!o->known || o->closing || !digest_equal(&o->who.key_id, &c->who.key_id))
			continue;
		oldest = o;
		n++;
	}
	if (n > (c->who.kind == CERT_NODE ? SERVER_CONN_MAX_NODE : SERVER_CONN_MAX_OPERATOR))
		server_conn_close(oldest);
}

/* evhttp leaves a body where it is until it is whole: the buffer must have room for one, and no more. */
static void bound_body(const struct server_conn *c, struct evhttp_connection *evcon, uint32_t max)
{
	bufferevent_setwatermark(c->bev, EV_READ, 0, (size_t)max + MAX_AHEAD);
	if (evcon)
		evhttp_connection_set_max_body_size(evcon, max);
}

/* How much a client may send, and how long it may take, hangs on who it is: known before its first byte of HTTP. */
static void on_handshake(const SSL *ssl, int where, int r)
{
	struct server_conns *s = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	struct server_conn *c = s ? SSL_get_ex_data(ssl, s->ex_index) : NULL;
	struct timeval idle;
	struct why why;
	void *evcon = NULL;
	X509 *cert;

	(void)r;
	if (!(where & SSL_CB_HANDSHAKE_DONE) || !c || !c->s || c->known)
		return;
	cert = SSL_get1_peer_certificate(ssl);
	if (!cert)
		return;
	bufferevent_getcb(c->bev, NULL, NULL, NULL, &evcon);
	set_waiting(c, 0);
	c->known = evcon && SSL_get_verify_result(ssl) == X509_V_OK &&
		   cert_identity(cert, &c->who, &why) >= 0 &&
		   (c->who.kind == CERT_NODE || c->who.kind == CERT_OPERATOR);
	X509_free(cert);
	if (!c->known)
		return;
	idle = tv_of(s->limits.idle_ms);
	bound_body(c, evcon,
		   c->who.kind == CERT_OPERATOR ? WIRE_MAX_BASELINE_BODY : WIRE_MAX_EVIDENCE_BODY);
	evhttp_connection_set_timeout_tv(evcon, &idle);
	bound_own(c);
}

struct bufferevent *server_conn_accept(struct event_base *base, void *ctx)
{
	struct server_conns *s = ctx;
	struct server_conn *c = calloc(1, sizeof(*c));
	SSL *ssl = SSL_new(s->ctx);

	if (!c || !ssl)
		abort(); /* evhttp would go on without TLS */
	c->s = s;
	c->timer = evtimer_new(base, on_timer, c);
	SSL_set_ex_data(ssl, s->ex_index, c);
	c->bev = bufferevent_openssl_socket_new(base, -1, ssl, BUFFEREVENT_SSL_ACCEPTING,
						BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
	if (!c->timer || !c->bev)
		abort();
	bufferevent_openssl_set_allow_dirty_shutdown(c->bev, 1);
	if (!evbuffer_add_cb(bufferevent_get_input(c->bev), on_input, c))
		abort();
	bound_body(c, NULL, s->limits.max_body ? s->limits.max_body : WIRE_MAX_JSON_BODY);
	c->next = s->newest;
	c->at = &s->newest;
	if (c->next)
		c->next->at = &c->next;
	s->newest = c;
	s->n++;
	/* Its socket comes to it after this: from the loop, it can be asked for its address. */
	deadline(c, 0);
	return c->bev;
}

struct server_conn *server_conn_of(const struct server_conns *s, struct bufferevent *bev)
{
	return SSL_get_ex_data(bufferevent_openssl_get_ssl(bev), s->ex_index);
}

const struct cert_identity *server_conn_who(const struct server_conn *c)
{
	return c->known ? &c->who : NULL;
}

/* By the clock that TLS goes by. */
bool server_conn_in_time(const struct server_conn *c)
{
	uint64_t now_s = (uint64_t)time(NULL);

	return !c->known || (c->who.not_before_s <= now_s && now_s < c->who.not_after_s);
}

void server_conn_answered(struct server_conn *c)
{
	if (!c->closing)
		set_waiting(c, evbuffer_get_length(bufferevent_get_input(c->bev)));
	c->answered = true;
	if (!c->known && c->stage == SETTLED)
		deadline(c, c->s->limits.stall_ms);
}

int server_conns_open(struct event_base *base, SSL_CTX *ctx, const struct server_conn_limits *l,
		      struct server_conns **ret)
{
	struct server_conns *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->base = base;
	s->ctx = ctx;
	s->limits = *l;
	s->ex_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, on_ssl_free);
	if (s->ex_index < 0) {
		free(s);
		return -ENOMEM;
	}
	SSL_CTX_set_app_data(ctx, s);
	SSL_CTX_set_info_callback(ctx, on_handshake);
	*ret = s;
	return 0;
}

struct server_conns *server_conns_free(struct server_conns *s)
{
	if (!s)
		return NULL;
	while (s->newest)
		leave(s->newest);
	/* What is still to be freed holds the context, and says goodbye through it. */
	SSL_CTX_set_app_data(s->ctx, NULL);
	free(s);
	return NULL;
}
