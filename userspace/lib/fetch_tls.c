/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch_tls.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

/* The certificate that was pinned, if it is in the chain that the server sent. Borrowed. */
static X509 *find_pinned(STACK_OF(X509) * chain, const struct digest *pin)
{
	for (int i = 0; chain && i < sk_X509_num(chain); i++) {
		unsigned char *der = NULL;
		X509 *cert = sk_X509_value(chain, i);
		int size = i2d_X509(cert, &der);
		struct digest d;
		int r = size > 0 ? digest_sha256(der, (size_t)size, &d) : -EIO;

		OPENSSL_free(der);
		if (r >= 0 && digest_equal(&d, pin))
			return cert;
	}
	return NULL;
}

/* Instead of OpenSSL's own: the chain must end in the one certificate that the pin names. curl checks the host name. */
static int verify_pinned(X509_STORE_CTX *given, void *ctx)
{
	const struct fetch_tls *t = ctx;
	X509 *leaf = X509_STORE_CTX_get0_cert(given), *ca;
	STACK_OF(X509) *chain = X509_STORE_CTX_get0_untrusted(given);
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *own = X509_STORE_CTX_new();
	int ok = 0;

	ca = find_pinned(chain, &t->pin);
	if (leaf && ca && X509_check_ca(ca) == 1 && store && own &&
	    X509_STORE_add_cert(store, ca) == 1 &&
	    X509_STORE_CTX_init(own, store, leaf, chain) == 1) {
		X509_STORE_CTX_set_purpose(own, X509_PURPOSE_SSL_SERVER);
		ok = X509_verify_cert(own) == 1;
		X509_STORE_CTX_set_error(given, X509_STORE_CTX_get_error(own));
	} else {
		X509_STORE_CTX_set_error(given, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN);
	}
	X509_STORE_CTX_free(own);
	X509_STORE_free(store);
	return ok;
}

static CURLcode on_ssl(CURL *easy, void *ssl, void *ctx)
{
	(void)easy;
	SSL_CTX_set_cert_verify_callback(ssl, verify_pinned, ctx);
	return CURLE_OK;
}

void fetch_tls_set(struct fetch_tls *t, CURL *e)
{
	/* Copied: our certificate may be another one before this transfer has connected. */
	struct curl_blob blob = {.flags = CURL_BLOB_COPY};

	curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L);
	if (t->ca.size > 0) {
		blob.data = t->ca.data;
		blob.len = t->ca.size;
		curl_easy_setopt(e, CURLOPT_CAINFO_BLOB, &blob);
		curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
	} else if (t->pinned) {
		/* The system's list is not asked, and a small machine has none. */
		curl_easy_setopt(e, CURLOPT_CAINFO, NULL);
		curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
		curl_easy_setopt(e, CURLOPT_SSL_CTX_FUNCTION, on_ssl);
		curl_easy_setopt(e, CURLOPT_SSL_CTX_DATA, t);
	}
	if (t->cert.size > 0) {
		blob.data = t->cert.data;
		blob.len = t->cert.size;
		curl_easy_setopt(e, CURLOPT_SSLCERT_BLOB, &blob);
		curl_easy_setopt(e, CURLOPT_SSLCERTTYPE, "PEM");
		blob.data = t->key.data;
		blob.len = t->key.size;
		curl_easy_setopt(e, CURLOPT_SSLKEY_BLOB, &blob);
		curl_easy_setopt(e, CURLOPT_SSLKEYTYPE, "PEM");
	}
}

/* libcurl would tell only at the first request, and of nothing at all it makes "the system's". */
static int check_ca(const char *pem, struct why *ret_why)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *cert = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
	bool good = cert != NULL;

	X509_free(cert);
	BIO_free(bio);
	ERR_clear_error();
	return good ? 0 : why_set(ret_why, -EINVAL, "the CA file has no certificate in PEM");
}

static void copy(struct buf *b, const char *text)
{
	if (text)
		buf_puts(b, text);
}

int fetch_tls_open(struct fetch_tls *t, const char *ca_pem, const char *cert_pem,
		   const char *key_pem, const struct digest *ca_pin, struct why *ret_why)
{
	int r = ca_pem ? check_ca(ca_pem, ret_why) : 0;

	*t = (struct fetch_tls){.pinned = ca_pin != NULL};
	if (r < 0)
		return r;
	copy(&t->ca, ca_pem);
	copy(&t->cert, cert_pem);
	copy(&t->key, key_pem);
	if (ca_pin)
		t->pin = *ca_pin;
	if (buf_status(&t->ca) >= 0 && buf_status(&t->cert) >= 0 && buf_status(&t->key) >= 0)
		return 0;
	fetch_tls_done(t);
	return why_set(ret_why, -ENOMEM, "no memory for certificates");
}

int fetch_tls_renew(struct fetch_tls *t, const char *cert_pem)
{
	struct buf cert = {0};

	copy(&cert, cert_pem);
	if (buf_status(&cert) < 0) {
		buf_done(&cert);
		return -ENOMEM;
	}
	buf_done(&t->cert);
	t->cert = cert;
	return 0;
}

void fetch_tls_done(struct fetch_tls *t)
{
	if (t->key.data)
		OPENSSL_cleanse(t->key.data, t->key.size);
	buf_done(&t->ca);
	buf_done(&t->cert);
	buf_done(&t->key);
}
