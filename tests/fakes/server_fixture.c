/* SPDX-License-Identifier: Apache-2.0 */
#include "server_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MUST(x)                                                      \
	do {                                                         \
		if (!(x)) {                                          \
			fprintf(stderr, "server_fixture: %s\n", #x); \
			abort();                                     \
		}                                                    \
	} while (0)

static struct server_fixture *x; /* one at a time */

void server_fixture_start(struct server_options o)
{
	struct why why = {""};

	o.base = x->f.base;
	o.listen = "127.0.0.1:0";
	o.cert_pem = (char *)x->host.cert_pem.data;
	o.key_pem = (char *)x->host.key_pem.data;
	o.ca_pem = (char *)x->f.ca_pem.data;
	o.api = &x->f.api;
	if (server_open(&o, &x->server, &why) < 0) {
		fprintf(stderr, "server_fixture: %s\n", why.text);
		abort();
	}
}

struct server_fixture *server_fixture_open(void)
{
	static const char *const hosts[] = {"127.0.0.1"};
	struct cert_request q = {.kind = CERT_SERVER,
				 .name = "plumb-verifier",
				 .hosts = hosts,
				 .n_hosts = 1,
				 .life_s = 86400};

	x = calloc(1, sizeof(*x));
	MUST(x);
	api_fixture_open(&x->f);
	q.not_before_s = x->f.utc_ns / 1000000000 - 60;
	api_fixture_certify(&x->f, &x->host, &q);
	api_fixture_enrol(&x->f, &x->node, x->f.maker, "one");
	return x;
}

void server_fixture_close(void)
{
	x->server = server_free(x->server);
	api_fixture_machine_done(&x->node);
	api_fixture_done(&x->f);
	sign_key_free(x->host.key);
	buf_done(&x->host.cert_pem);
	buf_done(&x->host.key_pem);
	free(x);
	x = NULL;
}

void server_fixture_ends_soon(struct api_fixture_person *p)
{
	const struct cert_identity who = p->who;
	const struct cert_request q = {.kind = who.kind,
				       .name = who.name,
				       .role = who.role,
				       .not_before_s = (uint64_t)time(NULL) - 60,
				       .life_s = 63};

	api_fixture_certify(&x->f, p, &q);
}

void server_fixture_pass_end(const struct api_fixture_person *p)
{
	while ((uint64_t)time(NULL) < p->who.not_after_s)
		server_fixture_turn();
}

/* One turn of the server's loop, at most a millisecond of waiting. */
void server_fixture_turn(void)
{
	const struct timeval ms = {0, 1000};

	event_base_loopexit(x->f.base, &ms);
	event_base_loop(x->f.base, EVLOOP_ONCE);
}

void client_connect(struct client *c)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_port = htons(server_port(x->server)),
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	memset(c, 0, sizeof(*c));
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	MUST((connect(c->fd, (struct sockaddr *)&a, sizeof(a))) == 0);
	MUST((fcntl(c->fd, F_SETFL, O_NONBLOCK)) == 0);
}

void client_use(SSL_CTX *ctx, const struct api_fixture_person *p)
{
	BIO *cert = BIO_new_mem_buf(p->cert_pem.data, (int)p->cert_pem.size);
	BIO *key = BIO_new_mem_buf(p->key_pem.data, (int)p->key_pem.size);
	X509 *own = PEM_read_bio_X509(cert, NULL, NULL, NULL);
	EVP_PKEY *k = PEM_read_bio_PrivateKey(key, NULL, NULL, NULL);

	MUST((SSL_CTX_use_certificate(ctx, own)) == 1);
	MUST((SSL_CTX_use_PrivateKey(ctx, k)) == 1);
	X509_free(own);
	EVP_PKEY_free(k);
	BIO_free(cert);
	BIO_free(key);
}

void client_done(struct client *c)
{
	SSL_free(c->ssl);
	SSL_CTX_free(c->ctx);
	if (c->fd >= 0)
		close(c->fd);
	buf_done(&c->in);
}

/* Whatever is there to read. */
void client_read(struct client *c)
{
	char bytes[16384];
	int n;

	if (c->gone)
		return;
	if (!c->ssl) {
		n = (int)recv(c->fd, bytes, sizeof(bytes), 0);
		c->gone = n == 0 || (n < 0 && errno != EAGAIN);
		return;
	}
	ERR_clear_error();
	while ((n = SSL_read(c->ssl, bytes, sizeof(bytes))) > 0)
		buf_put(&c->in, bytes, (size_t)n);
	n = SSL_get_error(c->ssl, n);
	c->gone = n != SSL_ERROR_WANT_READ && n != SSL_ERROR_WANT_WRITE;
}

/* The handshake from the client's side; TLS 1.3 says only with the first read that the server liked it. */
void client_begin(struct client *c, const struct api_fixture_person *p, int version)
{
	client_connect(c);
	c->ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_max_proto_version(c->ctx, version);
	if (p)
		client_use(c->ctx, p);
	c->ssl = SSL_new(c->ctx);
	SSL_set_fd(c->ssl, c->fd);
	for (int i = 0; i < SERVER_FIXTURE_PATIENCE && !c->up && !c->gone; i++) {
		int r;

		ERR_clear_error();
		r = SSL_connect(c->ssl);
		c->up = r == 1;
		r = SSL_get_error(c->ssl, r);
		c->gone = !c->up && r != SSL_ERROR_WANT_READ && r != SSL_ERROR_WANT_WRITE;
		server_fixture_turn();
	}
	for (int i = 0; i < 3 && c->up; i++) {
		server_fixture_turn();
		client_read(c);
	}
}

/* As much as goes at once; false: the server takes no more for now. */
bool client_send(struct client *c, const char *data, size_t size)
{
	size_t at = 0;

	for (int i = 0; i < 200 && at < size && !c->gone; i++) {
		size_t n = 0;

		ERR_clear_error();
		if (SSL_write_ex(c->ssl, data + at, size - at > 16384 ? 16384 : size - at, &n) ==
		    1) {
			at += n;
			i = 0;
		}
		server_fixture_turn();
	}
	return at == size;
}

bool client_has(const struct client *c, const char *text)
{
	return c->in.size > 0 && strstr((char *)c->in.data, text) != NULL;
}

bool client_wait(struct client *c, const char *text)
{
	for (int i = 0; i < SERVER_FIXTURE_PATIENCE && !client_has(c, text) && !c->gone; i++) {
		server_fixture_turn();
		client_read(c);
	}
	return client_has(c, text);
}

bool client_wait_gone(struct client *c)
{
	for (int i = 0; i < SERVER_FIXTURE_PATIENCE && !c->gone; i++) {
		server_fixture_turn();
		client_read(c);
	}
	return c->gone;
}

bool client_stays(struct client *c)
{
	for (int i = 0; i < 20; i++) {
		server_fixture_turn();
		client_read(c);
	}
	return !c->gone;
}

/* HTTP/1.1 with a body of that many zeros; what the answer begins with. */
void client_ask(struct client *c, const char *method, const char *path, size_t size)
{
	char head[512];
	char *body = calloc(1, size + 1);

	snprintf(head, sizeof(head), "%s %s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n",
		 method, path, size);
	client_send(c, head, strlen(head));
	client_send(c, body, size);
	free(body);
}

bool client_healthy(struct client *c)
{
	buf_clear(&c->in);
	client_ask(c, "GET", "/healthz", 0);
	return client_wait(c, "\"ok\":true");
}
