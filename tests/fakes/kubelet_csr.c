/* SPDX-License-Identifier: Apache-2.0 */
#include "kubelet_csr.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"

#define MUST(x)                                                   \
	do {                                                      \
		if (!(x)) {                                       \
			fprintf(stderr, "kubelet_csr: %s\n", #x); \
			abort();                                  \
		}                                                 \
	} while (0)

static void put_entry(X509_NAME *name, const char *what, const char *text)
{
	if (text)
		MUST(X509_NAME_add_entry_by_txt(name, what, MBSTRING_ASC,
						(const unsigned char *)text, -1, -1, 0) == 1);
}

static void put_san(X509_REQ *q)
{
	STACK_OF(X509_EXTENSION) *list = sk_X509_EXTENSION_new_null();
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:evil");

	MUST(list && e && sk_X509_EXTENSION_push(list, e) && X509_REQ_add_extensions(q, list) == 1);
	sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
}

void kubelet_csr_pem(const struct kubelet_csr *c, const struct sign_key *key, struct buf *ret)
{
	X509_REQ *q = X509_REQ_new();
	BIO *bio = BIO_new(BIO_s_mem());
	X509_NAME *name = X509_REQ_get_subject_name(q);
	char *data;
	long size;

	put_entry(name, "O", c->organisation);
	put_entry(name, "CN", c->common);
	put_entry(name, "CN", c->more);
	if (c->san)
		put_san(q);
	MUST(X509_REQ_set_pubkey(q, sign_key_evp(key)) == 1 &&
	     X509_REQ_sign(q, sign_key_evp(key), EVP_sha256()) > 0 &&
	     PEM_write_bio_X509_REQ(bio, q) == 1);
	size = BIO_get_mem_data(bio, &data);
	buf_put(ret, data, (size_t)size);
	BIO_free(bio);
	X509_REQ_free(q);
}

void kubelet_csr_of(const char *node, const struct sign_key *key, struct buf *ret)
{
	char common[300];
	const struct kubelet_csr c = {.organisation = "system:nodes", .common = common};

	snprintf(common, sizeof(common), "system:node:%s", node);
	kubelet_csr_pem(&c, key, ret);
}

void kubelet_csr_object(const char *name, const struct buf *pem, const char *user,
			const char *groups, const char *usages, const char *members,
			struct buf *ret)
{
	static unsigned int n_made;

	buf_printf(ret,
		   "{\"metadata\":{\"name\":\"%s\",\"uid\":\"5e0f7c1a-0000-4000-8000-%012u\","
		   "\"resourceVersion\":\"7\"},\"spec\":{"
		   "\"signerName\":\"kubernetes.io/kube-apiserver-client-kubelet\",\"username\":"
		   "\"%s\",\"groups\":%s,\"usages\":%s,\"request\":\"",
		   name, n_made++, user, groups, usages);
	digest_base64(ret, pem->data, pem->size);
	buf_printf(ret, "\"}%s}", members);
	MUST(buf_status(ret) == 0);
}
