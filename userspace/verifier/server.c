/* SPDX-License-Identifier: Apache-2.0 */
#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "cleanup.h"
#include "log.h"
#include "plumb/wire.h"

#define MAX_HEADERS 16384
#define IDLE_S 150 /* a known client's connection between two requests */
#define REQUEST_S 120 /* one request, from its first byte or the connection's to its last */
#define CHUNK (256u * 1024)
#define KEEP_ALIVE_S 15

struct conn {
	struct server *s; /* NULL: it is gone, and libevent has yet to free the rest */
	SSL *ssl;
	struct bufferevent *bev; /* borrowed */
	struct event *timer; /* first to look who it is, then its deadline */
	struct in6_addr address;
	bool looked, known; /* address counted; a client certificate that verified */
	struct conn *next, **at;
};

struct follower {
	struct server *s;
	struct evhttp_request *req;
	struct event *timer;
	uint64_t from;
	bool follow, draining;
	struct follower *next;
};

struct server {
	struct event_base *base;
	struct evhttp *http;
	SSL_CTX *ctx;
	struct api *api;
	uint32_t max, max_per_address, n;
	uint16_t port;
	int ex_index;
	struct conn *newest;
	struct follower *followers;
};

static void close_conn(struct conn *c)
{
	evutil_socket_t fd = c->bev ? bufferevent_getfd(c->bev) : -1;

	/* evhttp sees the end and frees it. */
	if (fd >= 0)
		shutdown(fd, SHUT_RDWR);
}

static void deadline(struct conn *c, long seconds)
{
	const struct timeval tv = {seconds, 0};

	event_add(c->timer, &tv);
}

static bool address_of(evutil_socket_t fd, struct in6_addr *ret)
{
	struct sockaddr_storage a;
	socklen_t size = sizeof(a);

	if (fd < 0 || getpeername(fd, (struct sockaddr *)&a, &size) < 0)
		return false;
	memset(ret, 0, sizeof(*ret));
	if (a.ss_family == AF_INET6) {
		/* One customer of IPv6 has at least a /64. */
		memcpy(ret->s6_addr, ((struct sockaddr_in6 *)&a)->sin6_addr.s6_addr, 8);
	} else if (a.ss_family == AF_INET) {
		ret->s6_addr[10] = ret->s6_addr[11] = 0xff;
		memcpy(ret->s6_addr + 12, &((struct sockaddr_in *)&a)->sin_addr, 4);
	}
	return true;
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct conn *c = ctx;
	uint32_t same = 0;

	(void)fd;
	(void)what;
	if (c->looked) {
		close_conn(c);
		return;
	}
	c->looked = true;
	if (!address_of(bufferevent_getfd(c->bev), &c->address)) {
		close_conn(c);
		return;
	}
	for (struct conn *o = c->s->newest; o; o = o->next)
		same += o->looked && !o->known &&
			memcmp(&o->address, &c->address, sizeof(c->address)) == 0;
	if (same > c->s->max_per_address)
		close_conn(c);
	else
		deadline(c, REQUEST_S);
}

/* Full: the oldest of those that did not say who they are goes. */
static void make_room(struct server *s)
{
	struct conn *oldest = NULL;

	for (struct conn *c = s->newest; c; c = c->next)
		if (!c->known)
			oldest = c;
	if (oldest)
		close_conn(oldest);
}

static void leave(struct conn *c)
{
	*c->at = c->next;
	if (c->next)
		c->next->at = c->at;
	c->s->n--;
	c->s = NULL;
	if (c->timer)
		event_free(c->timer);
	c->timer = NULL;
}

/* libevent frees a TLS connection from the loop, or with the base: later than evhttp lets go of it, and maybe than the server. */
static void on_ssl_free(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int index, long argl,
			void *argp)
{
	struct conn *c = ptr;

	(void)parent;
	(void)ad;
	(void)index;
	(void)argl;
	(void)argp;
	if (c && c->s)
		leave(c);
	free(c);
}

/* How much a client may send hangs on who it is, and that is known before its first byte of HTTP. */
static void on_handshake(const SSL *ssl, int where, int r)
{
	struct server *s = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	struct conn *c = s ? SSL_get_ex_data(ssl, s->ex_index) : NULL;
	struct cert_identity who;
	struct why why;
	void *evcon = NULL;
	X509 *cert;

	(void)r;
	if (!(where & SSL_CB_HANDSHAKE_DONE) || !c)
		return;
	cert = SSL_get1_peer_certificate(ssl);
	if (!cert)
		return;
	bufferevent_getcb(c->bev, NULL, NULL, NULL, &evcon);
	if (SSL_get_verify_result(ssl) == X509_V_OK && cert_identity(cert, &who, &why) >= 0 &&
	    evcon) {
		c->known = true;
		evhttp_connection_set_max_body_size(evcon, who.kind == CERT_OPERATOR
								   ? WIRE_MAX_BASELINE_BODY
								   : WIRE_MAX_EVIDENCE_BODY);
		evhttp_connection_set_timeout(evcon, IDLE_S);
	}
	X509_free(cert);
}

static struct bufferevent *on_accept(struct event_base *base, void *ctx)
{
	const struct timeval at_once = {0, 0};
	struct server *s = ctx;
	struct conn *c = calloc(1, sizeof(*c));
	SSL *ssl = SSL_new(s->ctx);

	if (!c || !ssl)
		abort(); /* evhttp would go on without TLS */
	c->s = s;
	c->ssl = ssl;
	c->timer = evtimer_new(base, on_timer, c);
	SSL_set_ex_data(ssl, s->ex_index, c);
	c->bev = bufferevent_openssl_socket_new(base, -1, ssl, BUFFEREVENT_SSL_ACCEPTING,
						BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
	if (!c->timer || !c->bev)
		abort();
	bufferevent_openssl_set_allow_dirty_shutdown(c->bev, 1);
	c->next = s->newest;
	c->at = &s->newest;
	if (c->next)
		c->next->at = &c->next;
	s->newest = c;
	if (++s->n > s->max)
		make_room(s);
	event_add(c->timer, &at_once);
	return c->bev;
}

static struct conn *conn_of(struct server *s, struct evhttp_request *req, struct cert_identity *ret,
			    bool *ret_known)
{
	struct bufferevent *bev =
		evhttp_connection_get_bufferevent(evhttp_request_get_connection(req));
	SSL *ssl = bufferevent_openssl_get_ssl(bev);
	X509 *cert = SSL_get1_peer_certificate(ssl);
	struct why why;

	*ret_known = cert && SSL_get_verify_result(ssl) == X509_V_OK &&
		     cert_identity(cert, ret, &why) >= 0;
	X509_free(cert);
	return SSL_get_ex_data(ssl, s->ex_index);
}

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
	(void)evcon;
	follower_free(ctx);
}

static void pump(struct follower *f);

static void on_drained(struct evhttp_connection *evcon, void *ctx)
{
	struct follower *f = ctx;

	(void)evcon;
	f->draining = false;
	pump(f);
}

/* One piece at a time: who reads slowly lags behind, and costs no more than a piece. */
static void pump(struct follower *f)
{
	const struct timeval keep = {KEEP_ALIVE_S, 0};
	CLEANUP(buf_done) struct buf lines = {0};
	struct evbuffer *out;
	uint64_t to = f->from;
	int r;

	if (f->draining)
		return;
	r = vlog_lines(f->s->api->desk.v->vlog, f->from, CHUNK, &lines, &to);
	if (r < 0 || (lines.size == 0 && !f->follow)) {
		struct evhttp_connection *evcon = evhttp_request_get_connection(f->req);

		evhttp_connection_set_closecb(evcon, NULL, NULL);
		evhttp_send_reply_end(f->req);
		follower_free(f);
		return;
	}
	event_add(f->timer, &keep);
	if (lines.size == 0)
		return;
	out = evbuffer_new();
	if (!out)
		return;
	evbuffer_add(out, lines.data, lines.size);
	f->from = to;
	f->draining = true;
	evhttp_send_reply_chunk_with_cb(f->req, out, on_drained, f);
	evbuffer_free(out);
}

static void on_keep_alive(evutil_socket_t fd, short what, void *ctx)
{
	const struct timeval keep = {KEEP_ALIVE_S, 0};
	struct follower *f = ctx;
	struct evbuffer *out = f->draining ? NULL : evbuffer_new();

	(void)fd;
	(void)what;
	event_add(f->timer, &keep);
	if (!out)
		return;
	evbuffer_add(out, "\n", 1);
	f->draining = true;
	evhttp_send_reply_chunk_with_cb(f->req, out, on_drained, f);
	evbuffer_free(out);
}

static void on_log(void *ctx)
{
	struct server *s = ctx;
	struct follower *next;

	for (struct follower *f = s->followers; f; f = next) {
		next = f->next;
		pump(f);
	}
}

static int follow(struct server *s, struct evhttp_request *req, const struct api_reply *reply)
{
	struct evhttp_connection *evcon = evhttp_request_get_connection(req);
	struct follower *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	*f = (struct follower){.s = s, .req = req, .from = reply->since, .follow = reply->follow};
	f->timer = evtimer_new(s->base, on_keep_alive, f);
	if (!f->timer) {
		free(f);
		return -ENOMEM;
	}
	f->next = s->followers;
	s->followers = f;
	evhttp_connection_set_timeout(evcon, 86400);
	evhttp_connection_set_closecb(evcon, on_gone, f);
	evhttp_send_reply_start(req, 200, "OK");
	pump(f);
	return 0;
}

static const char *method_of(const struct evhttp_request *req)
{
	switch (evhttp_request_get_command(req)) {
	case EVHTTP_REQ_GET:
		return "GET";
	case EVHTTP_REQ_POST:
		return "POST";
	default:
		return "other";
	}
}

static void send_reply(struct evhttp_request *req, struct api_reply *reply)
{
	struct evbuffer *out = evbuffer_new();

	if (out && reply->body.size > 0)
		evbuffer_add(out, reply->body.data, reply->body.size);
	evhttp_send_reply(req, reply->status, reply->status < 300 ? "OK" : "Refused", out);
	if (out)
		evbuffer_free(out);
}

static void on_request(struct evhttp_request *req, void *ctx)
{
	struct server *s = ctx;
	struct evbuffer *in = evhttp_request_get_input_buffer(req);
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
	const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
	const char *query = uri ? evhttp_uri_get_query(uri) : NULL;
	struct cert_identity who;
	bool known;
	struct conn *c = conn_of(s, req, &who, &known);
	struct api_request q = {
		.method = method_of(req), .query = query ? query : "", .who = known ? &who : NULL};
	struct api_reply reply;
	char *decoded = path ? evhttp_uridecode(path, 0, NULL) : NULL;

	q.path = decoded ? decoded : "";
	q.size = evbuffer_get_length(in);
	q.body = q.size ? (const void *)evbuffer_pullup(in, -1) : "";
	api_handle(s->api, &q, &reply);
	free(decoded);
	if (c && reply.follow)
		event_del(c->timer);
	else if (c)
		deadline(c, known ? IDLE_S : SERVER_TIMEOUT_S);
	evhttp_add_header(evhttp_request_get_output_headers(req), "Content-Type", reply.type);
	if (!(reply.follow || reply.stream) || reply.status != 200 || follow(s, req, &reply) < 0)
		send_reply(req, &reply);
	buf_done(&reply.body);
}

static int set_keys(struct server *s, const struct server_options *o)
{
	BIO *cert = BIO_new_mem_buf(o->cert_pem, -1), *key = BIO_new_mem_buf(o->key_pem, -1),
	    *ca = BIO_new_mem_buf(o->ca_pem, -1);
	X509 *own = cert ? PEM_read_bio_X509(cert, NULL, NULL, NULL) : NULL;
	X509 *root = ca ? PEM_read_bio_X509(ca, NULL, NULL, NULL) : NULL;
	EVP_PKEY *pkey = key ? PEM_read_bio_PrivateKey(key, NULL, NULL, NULL) : NULL;
	X509_STORE *store = SSL_CTX_get_cert_store(s->ctx);
	int ok = own && root && pkey && SSL_CTX_use_certificate(s->ctx, own) == 1 &&
		 SSL_CTX_use_PrivateKey(s->ctx, pkey) == 1 &&
		 SSL_CTX_check_private_key(s->ctx) == 1 && X509_STORE_add_cert(store, root) == 1 &&
		 SSL_CTX_add_client_CA(s->ctx, root) == 1 &&
		 /* A joining node pins the CA by its fingerprint: it must see it. */
		 SSL_CTX_add1_chain_cert(s->ctx, root) == 1;

	X509_free(own);
	X509_free(root);
	EVP_PKEY_free(pkey);
	BIO_free(cert);
	BIO_free(key);
	BIO_free(ca);
	return ok ? 0 : -EKEYREJECTED;
}

static int open_tls(struct server *s, const struct server_options *o, struct why *ret_why)
{
	int r;

	s->ctx = SSL_CTX_new(TLS_server_method());
	if (!s->ctx)
		return -ENOMEM;
	SSL_CTX_set_app_data(s->ctx, s);
	SSL_CTX_set_min_proto_version(s->ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(s->ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_session_cache_mode(s->ctx, SSL_SESS_CACHE_OFF);
	/* Enrolment has no certificate; one that is shown must verify. */
	SSL_CTX_set_verify(s->ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_info_callback(s->ctx, on_handshake);
	s->ex_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, on_ssl_free);
	r = set_keys(s, o);
	return r < 0 ? why_set(ret_why, r, "server certificate, its key or the CA cannot be used")
		     : 0;
}

/* "host:port", "[v6]:port" */
static int parse_listen(const char *listen, struct sockaddr_storage *ret, int *ret_size)
{
	*ret_size = sizeof(*ret);
	memset(ret, 0, sizeof(*ret));
	return evutil_parse_sockaddr_port(listen, (struct sockaddr *)ret, ret_size) == 0 ? 0
											 : -EINVAL;
}

static uint16_t port_of(evutil_socket_t fd)
{
	struct sockaddr_storage a;
	socklen_t size = sizeof(a);

	if (getsockname(fd, (struct sockaddr *)&a, &size) < 0)
		return 0;
	return ntohs(a.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&a)->sin6_port
					     : ((struct sockaddr_in *)&a)->sin_port);
}

static int open_http(struct server *s, const struct server_options *o, struct why *ret_why)
{
	struct sockaddr_storage a;
	struct evconnlistener *listener;
	int size, r = parse_listen(o->listen, &a, &size);

	if (r < 0)
		return why_set(ret_why, r, "listen: \"%.100s\" is not ADDRESS:PORT", o->listen);
	s->http = evhttp_new(o->base);
	if (!s->http)
		return -ENOMEM;
	evhttp_set_bevcb(s->http, on_accept, s);
	evhttp_set_gencb(s->http, on_request, s);
	evhttp_set_allowed_methods(s->http, EVHTTP_REQ_GET | EVHTTP_REQ_POST);
	evhttp_set_max_headers_size(s->http, MAX_HEADERS);
	evhttp_set_max_body_size(s->http, WIRE_MAX_JSON_BODY);
	evhttp_set_timeout(s->http, SERVER_TIMEOUT_S);
	listener = evconnlistener_new_bind(o->base, NULL, NULL,
					   LEV_OPT_REUSEABLE | LEV_OPT_CLOSE_ON_FREE |
						   LEV_OPT_CLOSE_ON_EXEC,
					   512, (struct sockaddr *)&a, size);
	if (!listener)
		return why_set(ret_why, -EADDRINUSE, "listen: %.100s: %s", o->listen,
			       strerror(errno));
	s->port = port_of(evconnlistener_get_fd(listener));
	if (!evhttp_bind_listener(s->http, listener)) {
		evconnlistener_free(listener);
		return -ENOMEM;
	}
	return 0;
}

/* Connections that say nothing must not take the files that the store needs. */
static void raise_limit(uint32_t connections)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_cur >= connections + 512)
		return;
	l.rlim_cur = l.rlim_max < connections + 512 ? l.rlim_max : connections + 512;
	setrlimit(RLIMIT_NOFILE, &l);
}

int server_open(const struct server_options *o, struct server **ret, struct why *ret_why)
{
	struct server *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->base = o->base;
	s->api = o->api;
	s->max = o->max_connections ? o->max_connections : SERVER_MAX_CONNECTIONS;
	s->max_per_address = o->max_per_address ? o->max_per_address : SERVER_MAX_PER_ADDRESS;
	raise_limit(s->max);
	r = open_tls(s, o, ret_why);
	if (r >= 0)
		r = open_http(s, o, ret_why);
	if (r < 0) {
		server_free(s);
		return r;
	}
	vlog_on_sync(s->api->desk.v->vlog, on_log, s);
	*ret = s;
	return 0;
}

uint16_t server_port(const struct server *s)
{
	return s->port;
}

struct server *server_free(struct server *s)
{
	if (!s)
		return NULL;
	if (s->api)
		vlog_on_sync(s->api->desk.v->vlog, NULL, NULL);
	while (s->followers) {
		evhttp_connection_set_closecb(evhttp_request_get_connection(s->followers->req),
					      NULL, NULL);
		follower_free(s->followers);
	}
	if (s->http)
		evhttp_free(s->http);
	while (s->newest)
		leave(s->newest);
	/* What is still to be freed holds the context, and says goodbye through it. */
	if (s->ctx)
		SSL_CTX_set_app_data(s->ctx, NULL);
	SSL_CTX_free(s->ctx);
	free(s);
	return NULL;
}
