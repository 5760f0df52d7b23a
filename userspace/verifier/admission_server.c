/* SPDX-License-Identifier: Apache-2.0 */
#include "admission_server.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "admission_tls.h"
#include "cleanup.h"
#include "fsio.h"
#include "log.h"
#include "server_conn.h"
#include "server_listen.h"

#define MAX_PEM (1u << 20)
#define MAX_HEADERS 16384
#define MAX_CONNECTIONS 1024u
#define MAX_WAITING (128u << 20)
#define REQUEST_MS 10000u /* the API server waits no longer than 30 s, and by our manifest 2 */
#define IDLE_MS 120000u /* above the 90 s after which the API server closes its own */
#define LOOK_MS 30000u

struct admission_server {
	struct admission_server_options o;
	struct event_base *base;
	struct evhttp *http;
	SSL_CTX *ctx;
	struct server_conns *conns;
	struct event *stop, *look;
	int stop_fd;
	uint16_t port;
	struct timespec cert_time, key_time;
	pthread_t thread;
	bool running;
};

static void reply(struct evhttp_request *req, int status, const void *body, size_t size)
{
	struct evbuffer *out = evbuffer_new();

	evhttp_add_header(evhttp_request_get_output_headers(req), "Content-Type",
			  "application/json");
	if (out && size > 0)
		evbuffer_add(out, body, size);
	evhttp_send_reply(req, status, status < 300 ? "OK" : "Refused", out);
	if (out)
		evbuffer_free(out);
}

static void answer(struct admission_server *s, struct evhttp_request *req)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct evbuffer *in = evhttp_request_get_input_buffer(req);
	size_t size = evbuffer_get_length(in);
	const void *body = size ? (const void *)evbuffer_pullup(in, -1) : "";
	int status = body ? admission_desk_answer(s->o.desk, body, size, &b) : 500;

	reply(req, buf_status(&b) < 0 ? 500 : status, b.data, b.size);
}

static void on_request(struct evhttp_request *req, void *ctx)
{
	static const char ok[] = "{\"ok\":true}", no[] = "{\"error\":\"no such route\"}";
	struct admission_server *s = ctx;
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
	const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
	enum evhttp_cmd_type method = evhttp_request_get_command(req);
	struct server_conn *c = server_conn_of(
		s->conns, evhttp_connection_get_bufferevent(evhttp_request_get_connection(req)));

	if (path && strcmp(path, ADMISSION_SERVER_ROUTE) == 0 && method == EVHTTP_REQ_POST)
		answer(s, req);
	else if (path && strcmp(path, "/healthz") == 0 && method == EVHTTP_REQ_GET)
		reply(req, 200, ok, sizeof(ok) - 1);
	else
		reply(req, 404, no, sizeof(no) - 1);
	server_conn_answered(c);
}

static void on_stop(evutil_socket_t fd, short what, void *ctx)
{
	struct admission_server *s = ctx;

	(void)fd;
	(void)what;
	event_base_loopbreak(s->base);
}

static int read_pem(const char *path, struct buf *ret, struct why *ret_why)
{
	int r = fsio_read_file(fsio_system(), path, MAX_PEM, ret);

	return r < 0 ? why_set(ret_why, r, "%.200s: %s", path, strerror(-r)) : 0;
}

/* The files as they are now; a pair that does not fit (one of them is still to be written) is tried again at the next look. */
static int show_files(struct admission_server *s, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf cert = {0};
	CLEANUP(buf_done) struct buf key = {0};
	struct stat c, k;
	int r = stat(s->o.cert_file, &c) < 0 || stat(s->o.key_file, &k) < 0 ? -errno : 0;

	if (r < 0)
		return why_set(ret_why, r, "%.100s, %.100s: %s", s->o.cert_file, s->o.key_file,
			       strerror(-r));
	r = read_pem(s->o.cert_file, &cert, ret_why);
	if (r >= 0)
		r = read_pem(s->o.key_file, &key, ret_why);
	if (r >= 0)
		r = admission_tls_show(s->ctx, cert.data ? (char *)cert.data : "",
				       key.data ? (char *)key.data : "", ret_why);
	if (key.data)
		OPENSSL_cleanse(key.data, key.size);
	if (r < 0)
		return r;
	s->cert_time = c.st_mtim;
	s->key_time = k.st_mtim;
	return 0;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static void on_look(evutil_socket_t fd, short what, void *ctx)
{
	struct admission_server *s = ctx;
	struct why why = {""};
	struct stat c, k;

	(void)fd;
	(void)what;
	if (stat(s->o.cert_file, &c) == 0 && stat(s->o.key_file, &k) == 0 &&
	    same_time(&c.st_mtim, &s->cert_time) && same_time(&k.st_mtim, &s->key_time))
		return;
	if (show_files(s, &why) < 0)
		log_warning("admission_certificate=old error=\"%s\" next=\"looked at again\"",
			    why.text);
	else
		log_notice("admission_certificate=renewed");
}

static int open_tls(struct admission_server *s, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf ca = {0};
	int r = 0;

	if (s->o.client_ca_file)
		r = read_pem(s->o.client_ca_file, &ca, ret_why);
	if (r >= 0)
		r = admission_tls_open(s->o.client_ca_file ? (char *)ca.data : NULL, &s->ctx,
				       ret_why);
	if (r < 0)
		return r;
	return show_files(s, ret_why);
}

/* Beside what the rest of the program has asked for; fewer where it cannot be had. */
static uint32_t take_files(uint32_t wanted)
{
	struct rlimit l;
	rlim_t had;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return wanted;
	had = l.rlim_cur;
	l.rlim_cur = l.rlim_max - had < wanted ? l.rlim_max : had + wanted;
	if (l.rlim_cur == had || setrlimit(RLIMIT_NOFILE, &l) < 0)
		return wanted < 64 ? wanted : 64;
	return (uint32_t)(l.rlim_cur - had);
}

static int open_http(struct admission_server *s, struct why *ret_why)
{
	uint32_t idle = s->o.idle_ms ? s->o.idle_ms : IDLE_MS;
	uint32_t max = take_files(s->o.max_connections ? s->o.max_connections : MAX_CONNECTIONS);
	/* All come from one address, the API server's: it may have all of them. */
	const struct server_conn_limits l = {.max = max,
					     .max_per_address = max,
					     .grace_ms = REQUEST_MS / 2,
					     .request_ms = REQUEST_MS,
					     .stall_ms = idle,
					     .idle_ms = idle,
					     .max_waiting = MAX_WAITING,
					     .max_body = ADMISSION_MAX_BODY};
	const struct timeval tv = {idle / 1000, (suseconds_t)(idle % 1000) * 1000};
	struct why why = {""};
	int r = server_conns_open(s->base, s->ctx, &l, &s->conns);

	if (r < 0)
		return r;
	s->http = evhttp_new(s->base);
	if (!s->http)
		return -ENOMEM;
	evhttp_set_bevcb(s->http, server_conn_accept, s->conns);
	evhttp_set_gencb(s->http, on_request, s);
	evhttp_set_allowed_methods(s->http, EVHTTP_REQ_GET | EVHTTP_REQ_POST);
	evhttp_set_max_headers_size(s->http, MAX_HEADERS);
	evhttp_set_max_body_size(s->http, ADMISSION_MAX_BODY);
	evhttp_set_timeout_tv(s->http, &tv);
	r = server_listen(s->http, s->base, s->o.listen, &s->port, &why);
	return r < 0 ? why_set(ret_why, r, "admission_%.240s", why.text) : 0;
}

static int open_events(struct admission_server *s)
{
	uint32_t look = s->o.look_ms ? s->o.look_ms : LOOK_MS;
	const struct timeval tv = {look / 1000, (suseconds_t)(look % 1000) * 1000};

	s->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->stop_fd < 0)
		return -errno;
	s->stop = event_new(s->base, s->stop_fd, EV_READ, on_stop, s);
	s->look = event_new(s->base, -1, EV_PERSIST, on_look, s);
	if (!s->stop || !s->look || event_add(s->stop, NULL) < 0)
		return -ENOMEM;
	return event_add(s->look, &tv) < 0 ? -ENOMEM : 0;
}

static void *run(void *ctx)
{
	struct admission_server *s = ctx;

	event_base_dispatch(s->base);
	return NULL;
}

/* Signals are main's. */
static int start(struct admission_server *s)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&s->thread, NULL, run, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	s->running = r == 0;
	return -r;
}

int admission_server_open(const struct admission_server_options *o, struct admission_server **ret,
			  struct why *ret_why)
{
	struct admission_server *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->o = *o;
	s->stop_fd = -1;
	s->base = event_base_new();
	r = s->base ? open_tls(s, ret_why) : -ENOMEM;
	if (r >= 0)
		r = open_events(s);
	if (r >= 0)
		r = open_http(s, ret_why);
	if (r >= 0)
		r = start(s);
	if (r < 0) {
		admission_server_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

uint16_t admission_server_port(const struct admission_server *s)
{
	return s->port;
}

struct admission_server *admission_server_free(struct admission_server *s)
{
	const uint64_t one = 1;

	if (!s)
		return NULL;
	if (s->running) {
		if (write(s->stop_fd, &one, sizeof(one)) != sizeof(one))
			abort(); /* an eventfd that nobody else writes to takes it */
		pthread_join(s->thread, NULL);
	}
	if (s->http)
		evhttp_free(s->http);
	/* A connection that was at work is freed by the loop, in its next round. */
	if (s->base)
		event_base_loop(s->base, EVLOOP_NONBLOCK);
	server_conns_free(s->conns);
	SSL_CTX_free(s->ctx);
	if (s->stop)
		event_free(s->stop);
	if (s->look)
		event_free(s->look);
	if (s->stop_fd >= 0)
		close(s->stop_fd);
	if (s->base)
		event_base_free(s->base);
	free(s);
	return NULL;
}
