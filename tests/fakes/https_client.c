/* SPDX-License-Identifier: Apache-2.0 */
#include "https_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define PATIENCE_S 30

static int connect_to(uint16_t port)
{
	const struct sockaddr_in a = {.sin_family = AF_INET,
				      .sin_port = htons(port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const struct timeval tv = {PATIENCE_S, 0};
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	if (connect(fd, (const struct sockaddr *)&a, sizeof(a)) == 0)
		return fd;
	close(fd);
	return -1;
}

static bool set_keys(SSL_CTX *ctx, const char *ca_pem, const char *cert_pem, const char *key_pem)
{
	BIO *ca = BIO_new_mem_buf(ca_pem, -1),
	    *cert = cert_pem ? BIO_new_mem_buf(cert_pem, -1) : NULL,
	    *key = key_pem ? BIO_new_mem_buf(key_pem, -1) : NULL;
	X509 *root = PEM_read_bio_X509(ca, NULL, NULL, NULL),
	     *own = cert ? PEM_read_bio_X509(cert, NULL, NULL, NULL) : NULL;
	EVP_PKEY *k = key ? PEM_read_bio_PrivateKey(key, NULL, NULL, NULL) : NULL;
	bool ok = root && X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), root) == 1 &&
		  (!cert ||
		   (SSL_CTX_use_certificate(ctx, own) == 1 && SSL_CTX_use_PrivateKey(ctx, k) == 1));

	X509_free(root);
	X509_free(own);
	EVP_PKEY_free(k);
	BIO_free(ca);
	BIO_free(cert);
	BIO_free(key);
	return ok;
}

int https_client_open(struct https_client *c, uint16_t port, const char *ca_pem,
		      const char *cert_pem, const char *key_pem)
{
	*c = (struct https_client){.fd = connect_to(port), .ctx = SSL_CTX_new(TLS_client_method())};
	if (c->fd < 0 || !c->ctx || !set_keys(c->ctx, ca_pem, cert_pem, key_pem))
		return -1;
	SSL_CTX_set_verify(c->ctx, SSL_VERIFY_PEER, NULL);
	c->ssl = SSL_new(c->ctx);
	if (!c->ssl || X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(c->ssl), "127.0.0.1") != 1 ||
	    SSL_set_fd(c->ssl, c->fd) != 1 || SSL_connect(c->ssl) != 1)
		return -1;
	return 0;
}

void https_client_done(struct https_client *c)
{
	SSL_free(c->ssl);
	SSL_CTX_free(c->ctx);
	if (c->fd >= 0)
		close(c->fd);
	*c = (struct https_client){.fd = -1};
}

int https_client_send(struct https_client *c, const void *bytes, size_t size)
{
	size_t n;

	return c->ssl && SSL_write_ex(c->ssl, bytes, size, &n) == 1 ? 0 : -1;
}

/* Until the whole answer is there: all that we ask have a Content-Length. */
static int read_answer(struct https_client *c, struct buf *all, size_t *ret_body)
{
	size_t wanted = 0, n;
	char *end, *length, bytes[16384];

	while (!wanted || all->size < wanted) {
		if (SSL_read_ex(c->ssl, bytes, sizeof(bytes), &n) != 1)
			return -1;
		buf_put(all, bytes, n);
		if (buf_status(all) < 0)
			return -1;
		end = wanted ? NULL : strstr((char *)all->data, "\r\n\r\n");
		if (!end)
			continue;
		length = strcasestr((char *)all->data, "\r\nContent-Length:");
		*ret_body = (size_t)(end + 4 - (char *)all->data);
		wanted = *ret_body + (length && length < end ? strtoul(length + 17, NULL, 10) : 0);
	}
	return 0;
}

int https_client_ask(struct https_client *c, const char *method, const char *path, const void *body,
		     size_t size, struct buf *ret)
{
	struct buf all = {0};
	size_t at = 0;
	int status = -1;

	buf_clear(ret);
	buf_printf(&all,
		   "%s %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
		   "Content-Length: %zu\r\n\r\n",
		   method, path, size);
	buf_put(&all, body, size);
	if (c->ssl && https_client_send(c, all.data, all.size) == 0) {
		buf_clear(&all);
		if (read_answer(c, &all, &at) == 0 &&
		    sscanf((char *)all.data, "HTTP/1.1 %d", &status) == 1)
			buf_put(ret, all.data + at, all.size - at);
	}
	buf_done(&all);
	return status;
}
