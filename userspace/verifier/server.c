/* SPDX-License-Identifier: Apache-2.0 */
#include "server.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "cleanup.h"
#include "log.h"
#include "plumb/wire.h"
#include "reply.h"
#include "server_conn.h"
#include "server_follow.h"
#include "server_listen.h"
#include "server_unsent.h"

#define MAX_HEADERS 16384
#define SPARE_FILES 256 /* the store's, the log's, webhooks' */
#define RETRY_AFTER_S "5"

struct server {
	struct event_base *base;
	struct evhttp *http;
	SSL_CTX *ctx;
	struct api *api;
	struct server_conn_limits limits;
	struct server_conns *conns;
	struct server_follow *follow;
	struct server_unsent *unsent;
	uint16_t port;
};

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

/* Only what was asked for: what was done is told. */
static void refuse_unread(struct evhttp_request *req, struct api_reply *reply)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(req);

	buf_done(&reply->body);
	reply->status = 503;
	reply_error(&reply->body, 503, "try again; who asked before reads slowly",
		    "too much of what was answered is not read yet");
	evhttp_remove_header(headers, "Content-Type");
	evhttp_add_header(headers, "Content-Type", WIRE_TYPE_JSON);
	evhttp_add_header(headers, "Retry-After", RETRY_AFTER_S);
}

static void send_reply(struct server *s, const struct cert_identity *who,
		       struct evhttp_request *req, struct api_reply *reply)
{
	struct evbuffer *out = evbuffer_new();

	if (evhttp_request_get_command(req) == EVHTTP_REQ_GET &&
	    !server_unsent_may(s->unsent, who, reply->body.size))
		refuse_unread(req, reply);
	if (!out || server_unsent_put(s->unsent, who, &reply->body, out) < 0)
		reply->status = 500;
	evhttp_send_reply(req, reply->status, reply->status < 300 ? "OK" : "Refused", out);
	if (out)
		evbuffer_free(out);
}

/* What a %00 cuts off would be another route than the one that stood there. */
static char *decode_path(const struct evhttp_uri *uri)
{
	const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
	size_t size = 0;
	char *decoded = path ? evhttp_uridecode(path, 0, &size) : NULL;

	if (decoded && strlen(decoded) != size) {
		free(decoded);
		return NULL;
	}
	return decoded;
}

static void on_request(struct evhttp_request *req, void *ctx)
{
	struct server *s = ctx;
	struct evbuffer *in = evhttp_request_get_input_buffer(req);
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
	const char *query = uri ? evhttp_uri_get_query(uri) : NULL;
	struct server_conn *c = server_conn_of(
		s->conns, evhttp_connection_get_bufferevent(evhttp_request_get_connection(req)));
	CLEANUP_FREE char *path = decode_path(uri);
	struct api_request q = {
		.method = method_of(req),
		.path = path ? path : "",
		.query = query ? query : "",
		.type = evhttp_find_header(evhttp_request_get_input_headers(req), "Content-Type"),
		.who = server_conn_who(c),
		.size = evbuffer_get_length(in)};
	struct api_reply reply;

	/* Closed, not told: the next connection is refused by TLS, and that says to a node what to do. */
	if (!server_conn_in_time(c)) {
		server_conn_close(c);
		evhttp_send_reply(req, 401, "Refused", NULL);
		return;
	}
	q.body = q.size ? (const void *)evbuffer_pullup(in, -1) : "";
	api_handle(s->api, &q, &reply);
	server_conn_answered(c);
	evhttp_add_header(evhttp_request_get_output_headers(req), "Content-Type", reply.type);
	if (!(reply.follow || reply.stream) || reply.status != 200 ||
	    server_follow_start(s->follow, c, req, reply.since, reply.follow) < 0)
		send_reply(s, q.who, req, &reply);
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
	SSL_CTX_set_min_proto_version(s->ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(s->ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
	/* Most connections wait: without it each of them holds two records. */
	SSL_CTX_set_mode(s->ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(s->ctx, SSL_SESS_CACHE_OFF);
	/* Enrolment has no certificate; one that is shown must verify. */
	SSL_CTX_set_verify(s->ctx, SSL_VERIFY_PEER, NULL);
	r = set_keys(s, o);
	if (r < 0)
		return why_set(ret_why, r,
			       "server.crt, server.key and ca.crt do not belong together");
	return server_conns_open(s->base, s->ctx, &s->limits, &s->conns);
}

static int open_http(struct server *s, const struct server_options *o, struct why *ret_why)
{
	const struct timeval stall = {s->limits.stall_ms / 1000,
				      (suseconds_t)(s->limits.stall_ms % 1000) * 1000};

	s->http = evhttp_new(s->base);
	if (!s->http)
		return -ENOMEM;
	evhttp_set_bevcb(s->http, server_conn_accept, s->conns);
	evhttp_set_gencb(s->http, on_request, s);
	/* All that evhttp knows, so that who uses another gets an answer like any other. */
	evhttp_set_allowed_methods(s->http, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD |
						    EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE |
						    EVHTTP_REQ_OPTIONS | EVHTTP_REQ_PATCH);
	evhttp_set_max_headers_size(s->http, MAX_HEADERS);
	evhttp_set_max_body_size(s->http, WIRE_MAX_JSON_BODY);
	evhttp_set_timeout_tv(s->http, &stall);
	return server_listen(s->http, s->base, o->listen, &s->port, ret_why);
}

/* Connections must not take the files that the store needs: where they cannot all be had, there are fewer. */
static uint32_t raise_limit(uint32_t connections)
{
	const rlim_t wanted = (rlim_t)connections + SPARE_FILES;
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_cur >= wanted)
		return connections;
	l.rlim_cur = l.rlim_max < wanted ? l.rlim_max : wanted;
	if (setrlimit(RLIMIT_NOFILE, &l) < 0 || getrlimit(RLIMIT_NOFILE, &l) < 0 ||
	    l.rlim_cur >= wanted)
		return connections;
	connections =
		l.rlim_cur > 2 * SPARE_FILES ? (uint32_t)l.rlim_cur - SPARE_FILES : SPARE_FILES;
	log_warning("max_connections=%u reason=\"the limit of open files is %llu\"", connections,
		    (unsigned long long)l.rlim_cur);
	return connections;
}

static uint32_t or_else(uint32_t value, uint32_t otherwise)
{
	return value ? value : otherwise;
}

static bool may_follow(void *ctx, const struct cert_identity *who)
{
	return api_may_follow(ctx, who);
}

static int open_follow(struct server *s)
{
	const struct server_follow_options f = {.base = s->base,
						.vlog = s->api->desk.v->vlog,
						.stall_ms = s->limits.idle_ms,
						.idle_ms = s->limits.idle_ms,
						.may = may_follow,
						.ctx = s->api};

	return server_follow_open(&f, &s->follow);
}

int server_open(const struct server_options *o, struct server **ret, struct why *ret_why)
{
	struct server *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->base = o->base;
	s->api = o->api;
	s->limits = (struct server_conn_limits){
		.max = raise_limit(or_else(o->max_connections, SERVER_MAX_CONNECTIONS)),
		.max_per_address = or_else(o->max_per_address, SERVER_MAX_PER_ADDRESS),
		.grace_ms = or_else(o->grace_ms, SERVER_GRACE_MS),
		.request_ms = or_else(o->request_ms, SERVER_REQUEST_MS),
		.stall_ms = or_else(o->stall_ms, SERVER_STALL_MS),
		.idle_ms = or_else(o->idle_ms, SERVER_IDLE_MS),
		.max_waiting = o->max_waiting ? o->max_waiting : SERVER_MAX_WAITING,
	};
	r = server_unsent_open(o->max_unsent ? o->max_unsent : SERVER_MAX_UNSENT, &s->unsent);
	if (r >= 0)
		r = open_tls(s, o, ret_why);
	if (r >= 0)
		r = open_follow(s);
	if (r >= 0)
		r = open_http(s, o, ret_why);
	if (r < 0) {
		server_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

/* OpenSSL drops a key that does not fit, so that is asked before. The CA beside it stays. */
int server_show(struct server *s, const char *cert_pem, struct why *ret_why)
{
	BIO *bio = BIO_new_mem_buf(cert_pem, -1);
	X509 *own = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
	bool ok = own && X509_check_private_key(own, SSL_CTX_get0_privatekey(s->ctx)) == 1 &&
		  SSL_CTX_use_certificate(s->ctx, own) == 1;

	X509_free(own);
	BIO_free(bio);
	ERR_clear_error();
	return ok ? 0
		  : why_set(ret_why, -EKEYREJECTED,
			    "server.crt and server.key do not belong together");
}

uint16_t server_port(const struct server *s)
{
	return s->port;
}

struct server *server_free(struct server *s)
{
	if (!s)
		return NULL;
	server_follow_free(s->follow);
	if (s->http)
		evhttp_free(s->http);
	server_conns_free(s->conns);
	server_unsent_free(s->unsent);
	SSL_CTX_free(s->ctx);
	free(s);
	return NULL;
}
