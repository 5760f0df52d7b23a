/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch.h"

#include <curl/curl.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "fetch_near.h"
#include "fetch_tls.h"

#define CONNECT_MS 5000
#define TOTAL_MS 60000
#define SHOWN 128

struct transfer {
	struct fetch *f;
	CURL *easy;
	struct curl_slist *headers, *at;
	struct fetch_request q;
	struct buf request, body;
	char error[CURL_ERROR_SIZE], shown[SHOWN];
	int early; /* why it was given up by us: -E2BIG, -ENOMEM */
	bool near; /* an address was not tried for being that */
	struct transfer *next;
	struct event *start; /* so that nothing ends inside fetch_start() */
};

struct fetch {
	struct event_base *base;
	CURLM *multi;
	struct event *timer;
	struct fetch_tls tls;
	bool closing;
	uint32_t connect_ms, total_ms, n;
	uint32_t retry_after_s; /* of the answer that is being told */
	CURL *telling; /* whose answer that is; NULL: none */
	char agent[64];
	struct transfer *transfers;
};

static void remove_transfer(struct fetch *f, struct transfer *t)
{
	struct transfer **at = &f->transfers;

	while (*at && *at != t)
		at = &(*at)->next;
	if (*at) {
		*at = t->next;
		f->n--;
	}
}

static void transfer_free(struct transfer *t)
{
	if (t->easy) {
		curl_multi_remove_handle(t->f->multi, t->easy);
		curl_easy_cleanup(t->easy);
	}
	/* One of them may be a bearer token. */
	for (struct curl_slist *h = t->headers; h; h = h->next)
		OPENSSL_cleanse(h->data, strlen(h->data));
	curl_slist_free_all(t->headers);
	curl_slist_free_all(t->at);
	if (t->start)
		event_free(t->start);
	if (t->request.data)
		OPENSSL_cleanse(t->request.data, t->request.size);
	buf_done(&t->request);
	buf_done(&t->body);
	free(t);
}

static int code_of(CURLcode c)
{
	switch (c) {
	case CURLE_OK:
		return 0;
	case CURLE_COULDNT_CONNECT:
	case CURLE_COULDNT_RESOLVE_HOST:
		return -ECONNREFUSED;
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_ISSUER_ERROR:
		return -EKEYREJECTED;
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	default:
		return -EIO;
	}
}

static void finish(struct transfer *t, CURLcode c)
{
	struct fetch *f = t->f;
	struct why why = {""};
	const char *detail = t->error[0] ? t->error : curl_easy_strerror(c);
	curl_off_t retry_after = 0;
	long status = 0;
	int r = t->early < 0 ? t->early : code_of(c);

	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &retry_after);
	f->retry_after_s = retry_after > 0 && retry_after <= 86400 ? (uint32_t)retry_after : 0;
	/* A client certificate that TLS 1.3 refuses is told after the handshake, as an alert on the first read. */
	if (r == -EIO && strstr(detail, "alert"))
		r = -EKEYREJECTED;
	if (r == -ECONNREFUSED && t->near)
		r = -EPERM;
	if (r == -EPERM)
		why_set(&why, r, "%.100s: that is an address of this machine or its link",
			t->shown);
	else if (r == -E2BIG)
		why_set(&why, r, "%.100s: the answer is longer than %zu bytes", t->shown, t->q.max);
	else if (r < 0)
		why_set(&why, r, "%.100s: %.140s", t->shown, detail);
	remove_transfer(f, t);
	f->telling = t->easy;
	t->q.done(t->q.ctx, r, r < 0 ? 0 : (int)status, &t->body, &why);
	f->telling = NULL;
	transfer_free(t);
}

static void collect(struct fetch *f)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(f->multi, &left)) != NULL) {
		struct transfer *t = NULL;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&t);
		finish(t, m->data.result);
	}
}

static void on_socket(evutil_socket_t fd, short what, void *ctx)
{
	struct fetch *f = ctx;
	int running, flags = (what & EV_READ ? CURL_CSELECT_IN : 0) |
			     (what & EV_WRITE ? CURL_CSELECT_OUT : 0);

	curl_multi_socket_action(f->multi, fd, flags, &running);
	collect(f);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct fetch *f = ctx;
	int running;

	(void)fd;
	(void)what;
	curl_multi_socket_action(f->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect(f);
}

static int set_timer(CURLM *multi, long ms, void *ctx)
{
	const struct timeval tv = {ms / 1000, ms % 1000 * 1000};
	struct fetch *f = ctx;

	(void)multi;
	if (ms < 0)
		event_del(f->timer);
	else
		event_add(f->timer, &tv);
	return 0;
}

static int set_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
	struct fetch *f = ctx;
	struct event *e = socket_ctx;

	(void)easy;
	if (e)
		event_free(e);
	e = NULL;
	if (what != CURL_POLL_REMOVE) {
		short flags = (short)(EV_PERSIST | (what & CURL_POLL_IN ? EV_READ : 0) |
				      (what & CURL_POLL_OUT ? EV_WRITE : 0));

		e = event_new(f->base, fd, flags, on_socket, f);
		if (e)
			event_add(e, NULL);
	}
	curl_multi_assign(f->multi, fd, e);
	return 0;
}

static size_t on_data(char *data, size_t one, size_t n, void *ctx)
{
	struct transfer *t = ctx;
	size_t size = one * n;

	if (t->q.stream && t->q.data) {
		int r = t->q.data(t->q.stream_ctx, data, size);

		if (r < 0)
			t->early = r;
		return r < 0 ? 0 : size;
	}
	if (t->q.discard)
		return size;
	if (size > t->q.max || t->body.size > t->q.max - size) {
		t->early = -E2BIG;
		return 0;
	}
	buf_put(&t->body, data, size);
	if (buf_status(&t->body) < 0) {
		t->early = buf_status(&t->body);
		return 0;
	}
	return size;
}

/* By the address that it comes to, whatever name stood for it. */
static curl_socket_t open_far(void *ctx, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct transfer *t = ctx;

	(void)purpose;
	if (fetch_near(&a->addr)) {
		t->near = true;
		return CURL_SOCKET_BAD;
	}
	return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/* Text that goes into a request's head: what ends a line would be a line of somebody else's. */
static bool is_clean(const char *text)
{
	for (const char *p = text; p && *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return false;
	return true;
}

static bool is_clean_request(const struct fetch_request *q)
{
	bool clean = q->n_headers <= FETCH_MAX_HEADERS && is_clean(q->method) && is_clean(q->url) &&
		     is_clean(q->type);

	for (uint32_t i = 0; clean && i < q->n_headers; i++)
		clean = is_clean(q->headers[i]);
	return clean && q->method[0] && !strchr(q->method, ' ') && !strchr(q->url, ' ');
}

/* What errors name. User, password and query are nobody's business. */
static void set_shown(struct transfer *t, const struct fetch_request *q)
{
	const char *text = q->shown ? q->shown : q->url;
	const char *rest = strstr(text, "://"), *at;
	size_t scheme, host;

	if (q->shown || !rest) {
		snprintf(t->shown, SHOWN, "%s", q->shown ? text : "?");
		return;
	}
	rest += 3;
	scheme = (size_t)(rest - text);
	host = strcspn(rest, "/?#");
	at = memrchr(rest, '@', host);
	if (at)
		rest = at + 1;
	snprintf(t->shown, SHOWN, "%.*s%.*s", (int)scheme, text, (int)strcspn(rest, "?#"), rest);
}

static int set_headers(struct transfer *t, const struct fetch_request *q)
{
	CLEANUP(buf_done) struct buf line = {0};
	struct curl_slist *more = curl_slist_append(NULL, "Expect:");

	t->headers = more;
	if (q->type)
		buf_printf(&line, "Content-Type: %s", q->type);
	if (more && q->type)
		more = buf_status(&line) < 0 ? NULL
					     : curl_slist_append(t->headers, (char *)line.data);
	for (uint32_t i = 0; more && i < q->n_headers; i++)
		more = curl_slist_append(t->headers, q->headers[i]);
	return more ? 0 : -ENOMEM;
}

static int set_at(struct transfer *t, const char *at)
{
	CLEANUP(buf_done) struct buf line = {0};

	if (!at)
		return 0;
	buf_printf(&line, "::%s", at);
	t->at = buf_status(&line) < 0 ? NULL : curl_slist_append(NULL, (char *)line.data);
	if (t->at)
		curl_easy_setopt(t->easy, CURLOPT_CONNECT_TO, t->at);
	return t->at ? 0 : -ENOMEM;
}

static int set_request(struct transfer *t, const struct fetch_request *q)
{
	struct fetch *f = t->f;
	CURL *e = t->easy;
	int r = set_headers(t, q);

	if (r >= 0)
		r = set_at(t, q->at);
	set_shown(t, q);
	buf_put(&t->request, q->body, q->size);
	if (r < 0 || buf_status(&t->request) < 0)
		return -ENOMEM;
	curl_easy_setopt(e, CURLOPT_PRIVATE, t);
	curl_easy_setopt(e, CURLOPT_URL, q->url);
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(e, CURLOPT_PROXY, "");
	/* libcurl ignores SIGPIPE around its writes unless this is set; its alarm() is for builds that resolve names blocking. */
	curl_easy_setopt(
		e, CURLOPT_NOSIGNAL,
		curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_ASYNCHDNS ? 0L : 1L);
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	/* As it was checked by whoever made it: no ".." is resolved, no second protocol spoken. */
	curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(e, CURLOPT_TCP_NODELAY, 1L);
	curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L); /* a stream has no time limit */
	curl_easy_setopt(e, CURLOPT_USERAGENT, f->agent);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->error);
	curl_easy_setopt(e, CURLOPT_HTTPHEADER, t->headers);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)f->connect_ms);
	curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, q->stream ? 0L : (long)f->total_ms);
	if (q->far) {
		curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, open_far);
		curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, t);
		curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, 1L);
		curl_easy_setopt(e, CURLOPT_FORBID_REUSE, 1L);
	}
	if (strcmp(q->method, "GET") != 0) {
		curl_easy_setopt(e, CURLOPT_POST, 1L);
		curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, q->method);
		curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->size);
		curl_easy_setopt(e, CURLOPT_POSTFIELDS, q->size ? (char *)t->request.data : "");
	}
	fetch_tls_set(&f->tls, e);
	return 0;
}

static void on_start(evutil_socket_t fd, short what, void *ctx)
{
	struct transfer *t = ctx;
	CURLMcode m;

	(void)fd;
	(void)what;
	m = curl_multi_add_handle(t->f->multi, t->easy);
	if (m != CURLM_OK) {
		t->early = -EIO;
		finish(t, CURLE_FAILED_INIT);
	}
}

int fetch_start(struct fetch *f, const struct fetch_request *q)
{
	const struct timeval at_once = {0, 0};
	struct transfer *t;
	int r = -ENOMEM;

	if (f->closing)
		return -ECANCELED;
	if (!is_clean_request(q))
		return -EINVAL;
	if (f->n >= FETCH_MAX_IN_FLIGHT)
		return -EAGAIN;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->f = f;
	t->q = *q;
	t->q.url = t->q.type = t->q.method = t->q.shown = t->q.at =
		NULL; /* the caller's; not ours to look at later */
	t->easy = curl_easy_init();
	t->start = evtimer_new(f->base, on_start, t);
	if (t->easy && t->start)
		r = set_request(t, q);
	if (r < 0) {
		transfer_free(t);
		return r;
	}
	t->next = f->transfers;
	f->transfers = t;
	f->n++;
	event_add(t->start, &at_once);
	return 0;
}

int fetch_header(const struct fetch *f, const char *name, char *ret, size_t room)
{
	struct curl_header *h = NULL;

	if (!f->telling || curl_easy_header(f->telling, name, 0, CURLH_HEADER, -1, &h) != CURLHE_OK)
		return -ENOENT;
	if (strlen(h->value) >= room)
		return -E2BIG;
	memcpy(ret, h->value, strlen(h->value) + 1);
	return 0;
}

int fetch_peer(const struct fetch *f, char *ret, size_t room)
{
	const char *address = NULL;
	long port = 0;
	int n;

	if (!f->telling ||
	    curl_easy_getinfo(f->telling, CURLINFO_PRIMARY_IP, &address) != CURLE_OK || !address ||
	    !address[0] || curl_easy_getinfo(f->telling, CURLINFO_PRIMARY_PORT, &port) != CURLE_OK)
		return -ENOENT;
	n = snprintf(ret, room, strchr(address, ':') ? "[%s]:%ld" : "%s:%ld", address, port);
	return n < 0 || (size_t)n >= room ? -E2BIG : 0;
}

uint32_t fetch_retry_after_s(const struct fetch *f)
{
	return f->retry_after_s;
}

struct waiting {
	struct buf *ret;
	struct why *why;
	int result;
	bool done;
};

static void on_waited(void *ctx, int r, int status, const struct buf *body, const struct why *why)
{
	struct waiting *w = ctx;

	w->result = r < 0 ? r : status;
	if (r >= 0) {
		buf_put(w->ret, body->data, body->size);
		if (buf_status(w->ret) < 0)
			w->result = buf_status(w->ret);
	}
	if (w->why)
		*w->why = *why;
	w->done = true;
}

static void on_nobody(void *ctx, int r, int status, const struct buf *body, const struct why *why)
{
	(void)ctx;
	(void)r;
	(void)status;
	(void)body;
	(void)why;
}

/* Its answer would go to a stack frame that is gone by then. */
static int give_up(struct fetch *f, const struct waiting *w, struct why *ret_why)
{
	for (struct transfer *t = f->transfers; t; t = t->next)
		if (t->q.ctx == w)
			t->q.done = on_nobody;
	return why_set(ret_why, -EIO, "the event loop failed");
}

int fetch_wait(struct fetch *f, const struct fetch_request *q, struct buf *ret, struct why *ret_why)
{
	struct fetch_request own = *q;
	struct waiting w = {.ret = ret, .why = ret_why};
	int r;

	own.done = on_waited;
	own.ctx = &w;
	r = fetch_start(f, &own);
	if (r < 0)
		return why_set(ret_why, r, "%.200s: %s", q->url, strerror(-r));
	while (!w.done)
		if (event_base_loop(f->base, EVLOOP_ONCE) != 0)
			return give_up(f, &w, ret_why);
	return w.result;
}

int fetch_open(const struct fetch_options *o, struct fetch **ret, struct why *ret_why)
{
	struct fetch *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return -ENOMEM;
	f->base = o->base;
	f->connect_ms = o->connect_ms ? o->connect_ms : CONNECT_MS;
	f->total_ms = o->total_ms ? o->total_ms : TOTAL_MS;
	snprintf(f->agent, sizeof(f->agent), "%s", o->user_agent ? o->user_agent : "plumbline");
	r = fetch_tls_open(&f->tls, o->ca_pem, o->cert_pem, o->key_pem, o->ca_pin, ret_why);
	if (r < 0) {
		free(f);
		return r;
	}
	curl_global_init(CURL_GLOBAL_DEFAULT);
	f->multi = curl_multi_init();
	f->timer = evtimer_new(o->base, on_timer, f);
	if (!f->multi || !f->timer) {
		fetch_free(f);
		return why_set(ret_why, -ENOMEM, "libcurl cannot be started");
	}
	curl_multi_setopt(f->multi, CURLMOPT_SOCKETFUNCTION, set_socket);
	curl_multi_setopt(f->multi, CURLMOPT_SOCKETDATA, f);
	curl_multi_setopt(f->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(f->multi, CURLMOPT_TIMERDATA, f);
	*ret = f;
	return 0;
}

int fetch_set_cert(struct fetch *f, const char *cert_pem)
{
	return fetch_tls_renew(&f->tls, cert_pem);
}

struct fetch *fetch_free(struct fetch *f)
{
	if (!f)
		return NULL;
	f->closing = true;
	while (f->transfers) {
		struct transfer *t = f->transfers;
		const struct why why = {"the program stops"};

		f->transfers = t->next;
		f->n--;
		t->q.done(t->q.ctx, -ECANCELED, 0, &t->body, &why);
		transfer_free(t);
	}
	if (f->multi)
		curl_multi_cleanup(f->multi);
	if (f->timer)
		event_free(f->timer);
	fetch_tls_done(&f->tls);
	free(f);
	return NULL;
}
