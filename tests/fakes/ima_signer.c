/* SPDX-License-Identifier: Apache-2.0 */
#include "ima_signer.h"

#include <openssl/cms.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHA256 4 /* by the kernel's numbers */

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "ima_signer: %s failed\n", what);
	abort();
}

static void make_cert(struct ima_signer *s)
{
	X509_NAME *name;
	X509V3_CTX ctx;
	X509_EXTENSION *skid;

	s->cert = X509_new();
	must(s->cert != NULL, "certificate");
	name = X509_get_subject_name(s->cert);
	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, s->cert, s->cert, NULL, NULL, 0);
	must(X509_set_version(s->cert, 2) && X509_set_pubkey(s->cert, s->key) &&
		     ASN1_INTEGER_set(X509_get_serialNumber(s->cert), 7) &&
		     X509_gmtime_adj(X509_getm_notBefore(s->cert), 0) &&
		     X509_gmtime_adj(X509_getm_notAfter(s->cert), 86400) &&
		     X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
						(const unsigned char *)"signer", -1, -1, 0) &&
		     X509_set_issuer_name(s->cert, name),
	     "certificate");
	skid = X509V3_EXT_conf_nid(NULL, &ctx, NID_subject_key_identifier, "hash");
	must(skid && X509_add_ext(s->cert, skid, -1) && X509_sign(s->cert, s->key, EVP_sha256()),
	     "certificate");
	X509_EXTENSION_free(skid);
}

void ima_signer_open(struct ima_signer *s, const char *kind)
{
	uint8_t sha1[20];
	unsigned int size = 0;

	memset(s, 0, sizeof(*s));
	s->key = strcmp(kind, "RSA") == 0 ? EVP_RSA_gen(2048) : EVP_EC_gen(kind);
	must(s->key != NULL, "key");
	make_cert(s);
	must(X509_pubkey_digest(s->cert, EVP_sha1(), sha1, &size) == 1, "id");
	s->id = (uint32_t)sha1[16] << 24 | sha1[17] << 16 | sha1[18] << 8 | sha1[19];
}

void ima_signer_done(struct ima_signer *s)
{
	EVP_PKEY_free(s->key);
	X509_free(s->cert);
}

void ima_signer_pem(const struct ima_signer *s, bool cert, struct buf *ret)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	long size;

	must(bio && (cert ? PEM_write_bio_X509(bio, s->cert) : PEM_write_bio_PUBKEY(bio, s->key)),
	     "PEM");
	size = BIO_get_mem_data(bio, &text);
	buf_put(ret, text, (size_t)size);
	BIO_free(bio);
}

void ima_signer_xattr(const struct ima_signer *s, uint8_t type, uint8_t version,
		      const struct digest *d, struct buf *ret)
{
	uint8_t id[2 + DIGEST_SIZE] = {type, SHA256}, sig[1024];
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(s->key, NULL);
	size_t size = sizeof(sig);
	struct digest over = *d;

	memcpy(id + 2, d->bytes, DIGEST_SIZE);
	if (version == 3)
		must(digest_sha256(id, sizeof(id), &over) >= 0, "digest");
	must(ctx && EVP_PKEY_sign_init(ctx) == 1 &&
		     EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1 &&
		     EVP_PKEY_sign(ctx, sig, &size, over.bytes, DIGEST_SIZE) == 1,
	     "signature");
	EVP_PKEY_CTX_free(ctx);
	buf_put_u8(ret, type);
	buf_put_u8(ret, version);
	buf_put_u8(ret, SHA256);
	buf_put_u32be(ret, s->id);
	buf_put_u16be(ret, (uint16_t)size);
	buf_put(ret, sig, size);
}

void ima_signer_pkcs7(const struct ima_signer *s, bool attributes, const void *file, size_t size,
		      struct buf *ret)
{
	unsigned int flags = CMS_NOCERTS | CMS_BINARY | CMS_DETACHED | CMS_PARTIAL;
	BIO *data = BIO_new_mem_buf(file, (int)size);
	CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, data, flags);
	unsigned char *der = NULL;
	int n;

	if (!attributes)
		flags |= CMS_NOATTR;
	must(cms && CMS_add1_signer(cms, s->cert, s->key, EVP_sha256(), flags | CMS_NOSMIMECAP) &&
		     CMS_final(cms, data, NULL, flags),
	     "PKCS #7");
	n = i2d_CMS_ContentInfo(cms, &der);
	must(n > 0, "PKCS #7");
	buf_put(ret, der, (size_t)n);
	OPENSSL_free(der);
	CMS_ContentInfo_free(cms);
	BIO_free(data);
}
