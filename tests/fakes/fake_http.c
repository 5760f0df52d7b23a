/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_http.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/listener.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct connection {
	struct fake_http *h;
	struct bufferevent *bev;
	bool stream;
	struct connection *next;
};

struct fake_http {
	struct event_base *base;
	struct evconnlistener *listener;
	SSL_CTX *ssl;
	fake_http_fn *fn;
	void *ctx;
	int port;
	unsigned int n;
	struct connection *connections;
};

static void drop(struct connection *c)
{
	struct connection **at = &c->h->connections;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	bufferevent_free(c->bev);
	free(c);
}

static size_t content_length(const char *head)
{
	const char *p = strcasestr(head, "\r\nContent-Length:");

	return p ? strtoul(p + 17, NULL, 10) : 0;
}

static void on_flushed(struct bufferevent *bev, void *ctx)
{
	(void)bev;
	drop(ctx);
}

static void on_event(struct bufferevent *bev, short what, void *ctx)
{
	(void)bev;
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		drop(ctx);
}

static void serve(struct connection *c, char *head, const char *body, size_t size)
{
	struct fake_http_request q = {.head = head, .body = body, .size = size};
	struct fake_http_answer a = {.close = false};

	if (sscanf(head, "%15s %511s", q.method, q.path) != 2)
		return;
	c->h->fn(c->h->ctx, &q, &a);
	if (a.silent) {
		buf_done(&a.bytes);
		return;
	}
	bufferevent_write(c->bev, a.bytes.data, a.bytes.size);
	buf_done(&a.bytes);
	c->stream = a.stream;
	if (!a.close)
		return;
	if (evbuffer_get_length(bufferevent_get_output(c->bev)) == 0)
		drop(c);
	else
		bufferevent_setcb(c->bev, NULL, on_flushed, on_event, c);
}

static void on_read(struct bufferevent *bev, void *ctx)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	struct evbuffer_ptr end = evbuffer_search(in, "\r\n\r\n", 4, NULL);
	struct connection *c = ctx;
	size_t size, head_size;
	char *head, *body;

	if (end.pos < 0)
		return;
	head_size = (size_t)end.pos + 4;
	head = calloc(1, head_size + 1);
	evbuffer_copyout(in, head, head_size);
	size = content_length(head);
	if (evbuffer_get_length(in) >= head_size + size) {
		body = calloc(1, size + 1);
		evbuffer_drain(in, head_size);
		evbuffer_remove(in, body, size);
		serve(c, head, body, size);
		free(body);
	}
	free(head);
}

static void on_connection(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *peer,
			  int len, void *ctx)
{
	struct fake_http *h = ctx;
	struct connection *c = calloc(1, sizeof(*c));

	(void)l;
	(void)peer;
	(void)len;
	h->n++;
	c->h = h;
	c->bev = h->ssl ? bufferevent_openssl_socket_new(h->base, fd, SSL_new(h->ssl),
							 BUFFEREVENT_SSL_ACCEPTING,
							 BEV_OPT_CLOSE_ON_FREE)
			: bufferevent_socket_new(h->base, fd, BEV_OPT_CLOSE_ON_FREE);
	c->next = h->connections;
	h->connections = c;
	bufferevent_setcb(c->bev, on_read, NULL, on_event, c);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
}

/* The chain as it is in the file: its first certificate is the server's, the others go with it. */
static SSL_CTX *make_ssl(const char *chain_pem, const char *key_pem)
{
	SSL_CTX *ssl = SSL_CTX_new(TLS_server_method());
	BIO *chain = BIO_new_mem_buf(chain_pem, -1), *key = BIO_new_mem_buf(key_pem, -1);
	X509 *cert = PEM_read_bio_X509(chain, NULL, NULL, NULL);
	EVP_PKEY *pkey = PEM_read_bio_PrivateKey(key, NULL, NULL, NULL);

	SSL_CTX_use_certificate(ssl, cert);
	SSL_CTX_use_PrivateKey(ssl, pkey);
	X509_free(cert);
	EVP_PKEY_free(pkey);
	while ((cert = PEM_read_bio_X509(chain, NULL, NULL, NULL)) != NULL)
		SSL_CTX_add_extra_chain_cert(ssl, cert);
	BIO_free(chain);
	BIO_free(key);
	return ssl;
}

struct fake_http *fake_http_open_at(struct event_base *base, int port, const char *chain_pem,
				    const char *key_pem, fake_http_fn *fn, void *ctx)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_port = htons((uint16_t)port),
				.sin_addr = {htonl(INADDR_LOOPBACK)}};
	struct fake_http *h = calloc(1, sizeof(*h));
	socklen_t len = sizeof(a);

	h->base = base;
	h->fn = fn;
	h->ctx = ctx;
	h->ssl = chain_pem ? make_ssl(chain_pem, key_pem) : NULL;
	h->listener = evconnlistener_new_bind(base, on_connection, h,
					      LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, -1,
					      (struct sockaddr *)&a, sizeof(a));
	if (!h->listener ||
	    getsockname(evconnlistener_get_fd(h->listener), (struct sockaddr *)&a, &len) < 0)
		return fake_http_free(h);
	h->port = ntohs(a.sin_port);
	return h;
}

struct fake_http *fake_http_open(struct event_base *base, const char *chain_pem,
				 const char *key_pem, fake_http_fn *fn, void *ctx)
{
	return fake_http_open_at(base, 0, chain_pem, key_pem, fn, ctx);
}

void fake_http_drop(struct fake_http *h)
{
	while (h->connections)
		drop(h->connections);
}

struct fake_http *fake_http_free(struct fake_http *h)
{
	if (!h)
		return NULL;
	fake_http_drop(h);
	if (h->listener)
		evconnlistener_free(h->listener);
	SSL_CTX_free(h->ssl);
	free(h);
	return NULL;
}

int fake_http_port(const struct fake_http *h)
{
	return h->port;
}

unsigned int fake_http_connections(const struct fake_http *h)
{
	return h->n;
}

void fake_http_say(struct fake_http_answer *a, int status, const char *body)
{
	buf_printf(&a->bytes, "HTTP/1.1 %d Word\r\nContent-Length: %zu\r\n\r\n%s", status,
		   strlen(body), body);
}

void fake_http_stream(struct fake_http_answer *a)
{
	buf_printf(&a->bytes, "HTTP/1.1 200 Word\r\nTransfer-Encoding: chunked\r\n\r\n");
	a->stream = true;
}

unsigned int fake_http_push(struct fake_http *h, const char *text)
{
	unsigned int n = 0;

	for (struct connection *c = h->connections; c; c = c->next) {
		if (!c->stream)
			continue;
		evbuffer_add_printf(bufferevent_get_output(c->bev), "%zx\r\n%s\r\n", strlen(text),
				    text);
		n++;
	}
	return n;
}

void fake_http_end(struct fake_http *h)
{
	for (struct connection *c = h->connections; c; c = c->next) {
		if (c->stream)
			evbuffer_add_printf(bufferevent_get_output(c->bev), "0\r\n\r\n");
		c->stream = false;
	}
}

const char *fake_http_header(const struct fake_http_request *q, const char *name, char *ret,
			     size_t room)
{
	char want[64];
	const char *p;

	snprintf(want, sizeof(want), "\r\n%s: ", name);
	p = strcasestr(q->head, want);
	if (!p)
		return NULL;
	p += strlen(want);
	snprintf(ret, room, "%.*s", (int)strcspn(p, "\r"), p);
	return ret;
}
