/* SPDX-License-Identifier: Apache-2.0 */
#include "admission_tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdbool.h>

#define MAX_CHAIN 8

static int trust_clients(SSL_CTX *ctx, const char *pem, struct why *ret_why)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *ca;
	int n = 0;

	while (bio && (ca = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
		n += X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), ca) == 1 &&
		     SSL_CTX_add_client_CA(ctx, ca) == 1;
		X509_free(ca);
	}
	BIO_free(bio);
	ERR_clear_error();
	if (n == 0)
		return why_set(ret_why, -EINVAL, "admission_client_ca: no certificate is in it");
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	return 0;
}

int admission_tls_open(const char *client_ca_pem, SSL_CTX **ret, struct why *ret_why)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	int r = 0;

	if (!ctx)
		return -ENOMEM;
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	if (client_ca_pem)
		r = trust_clients(ctx, client_ca_pem, ret_why);
	if (r < 0) {
		SSL_CTX_free(ctx);
		return r;
	}
	*ret = ctx;
	return 0;
}

static STACK_OF(X509) * read_chain(const char *pem)
{
	STACK_OF(X509) *chain = sk_X509_new_null();
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *c;

	while (chain && bio && sk_X509_num(chain) < MAX_CHAIN &&
	       (c = PEM_read_bio_X509(bio, NULL, NULL, NULL)))
		if (!sk_X509_push(chain, c))
			X509_free(c);
	BIO_free(bio);
	ERR_clear_error();
	return chain;
}

int admission_tls_show(SSL_CTX *ctx, const char *cert_pem, const char *key_pem, struct why *ret_why)
{
	STACK_OF(X509) *chain = read_chain(cert_pem);
	X509 *own = chain && sk_X509_num(chain) > 0 ? sk_X509_shift(chain) : NULL;
	BIO *bio = BIO_new_mem_buf(key_pem, -1);
	EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
	/* At once, or not at all: a handshake may be under way. */
	bool ok = own && key && X509_check_private_key(own, key) == 1 &&
		  SSL_CTX_use_cert_and_key(ctx, own, key, chain, 1) == 1;

	EVP_PKEY_free(key);
	BIO_free(bio);
	X509_free(own);
	sk_X509_pop_free(chain, X509_free);
	ERR_clear_error();
	return ok ? 0
		  : why_set(ret_why, -EKEYREJECTED,
			    "the webhook's certificate and key do not belong together");
}
