/* SPDX-License-Identifier: Apache-2.0 */
#include "forge_wire.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MUST(x)                                                  \
	do {                                                     \
		if (!(x)) {                                      \
			fprintf(stderr, "forge_wire: %s\n", #x); \
			abort();                                 \
		}                                                \
	} while (0)

static void set_patience(int fd, int ms)
{
	const struct timeval tv = {ms / 1000, (ms % 1000) * 1000};

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
}

int forge_wire_tcp(struct forge_conn *c, const struct forge_wire *w)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(w->port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = w->from};

	memset(c, 0, sizeof(*c));
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return -errno;
	set_patience(c->fd, FORGE_WIRE_PATIENCE_MS);
	if ((w->from && bind(c->fd, (struct sockaddr *)&from, sizeof(from)) < 0) ||
	    connect(c->fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
		int r = -errno;

		close(c->fd);
		c->fd = -1;
		return r;
	}
	return 0;
}

static void use(SSL_CTX *ctx, const struct api_fixture_person *p)
{
	BIO *cert = BIO_new_mem_buf(p->cert_pem.data, (int)p->cert_pem.size);
	BIO *key = BIO_new_mem_buf(p->key_pem.data, (int)p->key_pem.size);
	X509 *own = PEM_read_bio_X509(cert, NULL, NULL, NULL);
	EVP_PKEY *k = PEM_read_bio_PrivateKey(key, NULL, NULL, NULL);

	MUST(SSL_CTX_use_certificate(ctx, own) == 1);
	MUST(SSL_CTX_use_PrivateKey(ctx, k) == 1);
	X509_free(own);
	EVP_PKEY_free(k);
	BIO_free(cert);
	BIO_free(key);
}

/* Who lies to a verifier still wants it to be the verifier. */
static void trust(SSL_CTX *ctx, const char *ca_pem)
{
	BIO *bio = BIO_new_mem_buf(ca_pem, -1);
	X509 *ca = PEM_read_bio_X509(bio, NULL, NULL, NULL);

	MUST(ca && X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), ca) == 1);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	X509_free(ca);
	BIO_free(bio);
}

int forge_wire_open(struct forge_conn *c, const struct forge_wire *w,
		    const struct api_fixture_person *p)
{
	int r = forge_wire_tcp(c, w);

	if (r < 0)
		return r;
	c->ctx = SSL_CTX_new(TLS_client_method());
	trust(c->ctx, w->ca_pem);
	if (w->max_version) {
		SSL_CTX_set_security_level(c->ctx, 0);
		SSL_CTX_set_min_proto_version(c->ctx, w->max_version);
		SSL_CTX_set_max_proto_version(c->ctx, w->max_version);
	}
	if (p)
		use(c->ctx, p);
	c->ssl = SSL_new(c->ctx);
	SSL_set_fd(c->ssl, c->fd);
	ERR_clear_error();
	c->up = SSL_connect(c->ssl) == 1;
	return c->up ? 0 : -EPROTO;
}

bool forge_wire_send(struct forge_conn *c, const void *data, size_t size)
{
	const char *at = data;
	size_t n = 0;

	while (size > 0) {
		if (c->ssl) {
			ERR_clear_error();
			if (SSL_write_ex(c->ssl, at, size > 65536 ? 65536 : size, &n) != 1)
				return false;
		} else {
			ssize_t sent = send(c->fd, at, size, MSG_NOSIGNAL);

			if (sent <= 0)
				return false;
			n = (size_t)sent;
		}
		at += n;
		size -= n;
	}
	return true;
}

/* 1: more came; 0: the end; -1: nothing in time. */
static int read_more(struct forge_conn *c, int patience_ms)
{
	char bytes[16384];
	int n;

	set_patience(c->fd, patience_ms > 0 ? patience_ms : 1);
	if (!c->ssl) {
		n = (int)recv(c->fd, bytes, sizeof(bytes), 0);
		if (n < 0 && errno == EAGAIN)
			return -1;
	} else {
		ERR_clear_error();
		n = SSL_read(c->ssl, bytes, sizeof(bytes));
		if (n <= 0 && SSL_get_error(c->ssl, n) == SSL_ERROR_WANT_READ)
			return -1;
	}
	if (n <= 0)
		return 0;
	buf_put(&c->in, bytes, (size_t)n);
	MUST(buf_status(&c->in) == 0);
	return 1;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Size of the answer at `at`, its head included; 0: it is not whole yet. */
static size_t whole(const struct forge_conn *c, bool ended, size_t *ret_head)
{
	const char *text = c->in.size ? (const char *)c->in.data + c->at : "";
	const char *end = strstr(text, "\r\n\r\n"), *said;
	size_t have = c->in.size - c->at, size;

	if (!end)
		return 0;
	*ret_head = (size_t)(end - text) + 4;
	said = strcasestr(text, "\r\nContent-Length:");
	if (!said || said > end)
		return ended ? have : 0;
	size = *ret_head + strtoul(said + 17, NULL, 10);
	return have >= size ? size : 0;
}

void forge_wire_answer(struct forge_conn *c, int patience_ms, struct forge_answer *ret)
{
	int64_t until = now_ms() + patience_ms;
	size_t size, head = 0;
	int r = 1;

	memset(ret, 0, sizeof(*ret));
	while ((size = whole(c, r == 0, &head)) == 0 && r > 0) {
		r = read_more(c, (int)(until - now_ms()));
		ret->late = r < 0;
	}
	if (size == 0) {
		size = whole(c, true, &head);
		if (size == 0)
			return;
	}
	ret->late = false;
	if (sscanf((char *)c->in.data + c->at, "HTTP/%*d.%*d %d", &ret->status) != 1)
		ret->status = 0;
	buf_put(&ret->body, c->in.data + c->at + head, size - head);
	buf_puts(&ret->body, "");
	c->at += size;
}

bool forge_wire_gone(struct forge_conn *c, int patience_ms)
{
	int64_t until = now_ms() + patience_ms;
	int r;

	do {
		r = read_more(c, (int)(until - now_ms()));
	} while (r > 0);
	return r == 0;
}

void forge_wire_close(struct forge_conn *c)
{
	SSL_free(c->ssl);
	SSL_CTX_free(c->ctx);
	if (c->fd >= 0)
		close(c->fd);
	buf_done(&c->in);
	memset(c, 0, sizeof(*c));
	c->fd = -1;
}

void forge_answer_done(struct forge_answer *a)
{
	buf_done(&a->body);
	memset(a, 0, sizeof(*a));
}

void forge_wire_call(const struct forge_wire *w, const struct api_fixture_person *p,
		     const char *method, const char *path, const char *type, const void *body,
		     size_t size, struct forge_answer *ret)
{
	struct forge_conn c;
	struct buf head = {0};

	memset(ret, 0, sizeof(*ret));
	buf_printf(&head, "%s %s HTTP/1.1\r\nHost: verifier\r\nContent-Length: %zu\r\n", method,
		   path, size);
	if (type)
		buf_printf(&head, "Content-Type: %s\r\n", type);
	buf_puts(&head, "\r\n");
	MUST(buf_status(&head) == 0);
	if (forge_wire_open(&c, w, p) == 0) {
		/* It may have answered before it had all. */
		if (forge_wire_send(&c, head.data, head.size))
			forge_wire_send(&c, body, size);
		forge_wire_answer(&c, FORGE_WIRE_PATIENCE_MS, ret);
	}
	forge_wire_close(&c);
	buf_done(&head);
}
