/* SPDX-License-Identifier: Apache-2.0 */
#include "cert.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"

#define MAX_PEM 16384
#define MAX_HOSTS 32
#define ORGANISATION "plumb"

static void x509_free_p(X509 **c)
{
	X509_free(*c);
}

static void req_free_p(X509_REQ **q)
{
	X509_REQ_free(*q);
}

static void bio_free_p(BIO **b)
{
	BIO_free(*b);
}

static bool is_name(const char *name)
{
	size_t size = name ? strlen(name) : 0;

	return size > 0 && size < CERT_MAX_NAME &&
	       strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._@-") ==
		       size;
}

/* Never asks a terminal for a password. */
static int no_password(char *out, int size, int writing, void *ctx)
{
	(void)out;
	(void)size;
	(void)writing;
	(void)ctx;
	return -1;
}

static int read_pem(const char *pem, size_t size, X509 **ret, struct why *ret_why)
{
	CLEANUP(bio_free_p) BIO *bio = size <= MAX_PEM ? BIO_new_mem_buf(pem, (int)size) : NULL;
	X509 *cert = bio ? PEM_read_bio_X509(bio, NULL, no_password, NULL) : NULL;

	ERR_clear_error();
	if (!cert)
		return why_set(ret_why, -EBADMSG, "not a certificate in PEM");
	*ret = cert;
	return 0;
}

static int take_bio(BIO *bio, struct buf *ret)
{
	char *data;
	long size = BIO_get_mem_data(bio, &data);

	if (size <= 0)
		return -EIO;
	buf_put(ret, data, (size_t)size);
	return buf_status(ret);
}

/* Ed25519 signs without a digest of its own. */
static const EVP_MD *digest_for(const struct sign_key *k)
{
	return sign_key_kind(k) == SIGN_ED25519 ? NULL : EVP_sha256();
}

static int unit_name(const struct cert_request *q, char *ret, size_t size)
{
	static const char *const units[] = {
		[CERT_CA] = "ca", [CERT_SERVER] = "server", [CERT_NODE] = "node"};
	const char *role = terms_role_name(q->role);

	if (q->kind >= CERT_CA && q->kind <= CERT_NODE)
		snprintf(ret, size, "%s", units[q->kind]);
	else if (q->kind == CERT_OPERATOR && q->role != PLUMB_ROLE_NONE && role)
		snprintf(ret, size, "operator:%s", role);
	else
		return -EINVAL;
	return 0;
}

static int add_name(X509_NAME *name, const char *field, const char *text)
{
	return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, (const unsigned char *)text,
					  -1, -1, 0) == 1
		       ? 0
		       : -EIO;
}

/* X.509 bounds a common name to 64 characters: a node id fits exactly; a longer name is refused by OpenSSL. */
static int set_subject(X509 *cert, const struct cert_request *q)
{
	X509_NAME *name = X509_get_subject_name(cert);
	char unit[64];
	int r = unit_name(q, unit, sizeof(unit));

	if (r >= 0)
		r = add_name(name, "O", ORGANISATION);
	if (r >= 0)
		r = add_name(name, "OU", unit);
	if (r >= 0)
		r = add_name(name, "CN", q->name);
	return r;
}

static int add_extension(X509 *cert, X509V3_CTX *ctx, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, ctx, nid, value);
	int good = e && X509_add_ext(cert, e, -1) == 1;

	X509_EXTENSION_free(e);
	return good ? 0 : -EIO;
}

/* Built without OpenSSL's configuration syntax, in which a host name could say more than a name. */
static int add_hosts(X509 *cert, const struct cert_request *q, struct why *ret_why)
{
	GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
	int r = names ? 0 : -ENOMEM;

	for (uint32_t i = 0; r >= 0 && i < q->n_hosts; i++) {
		const char *host = q->hosts[i];
		GENERAL_NAME *name = GENERAL_NAME_new();
		ASN1_OCTET_STRING *ip = a2i_IPADDRESS(host);
		ASN1_IA5STRING *dns = ip ? NULL : ASN1_IA5STRING_new();

		if (!name || (!ip && !dns)) {
			r = -ENOMEM;
		} else if (ip) {
			GENERAL_NAME_set0_value(name, GEN_IPADD, ip);
		} else if (!is_name(host) || strpbrk(host, "@_")) {
			r = why_set(ret_why, -EINVAL, "\"%.100s\" is no host name or IP address",
				    host);
			ASN1_IA5STRING_free(dns);
		} else {
			r = ASN1_STRING_set(dns, host, -1) == 1 ? 0 : -ENOMEM;
			GENERAL_NAME_set0_value(name, GEN_DNS, dns);
		}
		if (r >= 0 && sk_GENERAL_NAME_push(names, name) > 0)
			continue;
		GENERAL_NAME_free(name);
		r = r < 0 ? r : -ENOMEM;
	}
	if (r >= 0 && X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, 0) != 1)
		r = -EIO;
	GENERAL_NAMES_free(names);
	return r;
}

static int add_extensions(X509 *cert, X509 *issuer, const struct cert_request *q,
			  struct why *ret_why)
{
	bool ca = q->kind == CERT_CA;
	X509V3_CTX ctx;
	int r;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	r = add_extension(cert, &ctx, NID_basic_constraints,
			  ca ? "critical,CA:TRUE,pathlen:0" : "critical,CA:FALSE");
	if (r >= 0)
		r = add_extension(cert, &ctx, NID_key_usage,
				  ca ? "critical,keyCertSign,cRLSign"
				     : "critical,digitalSignature");
	if (r >= 0)
		r = add_extension(cert, &ctx, NID_subject_key_identifier, "hash");
	if (r >= 0 && !ca)
		r = add_extension(cert, &ctx, NID_authority_key_identifier, "keyid");
	if (r >= 0 && !ca)
		r = add_extension(cert, &ctx, NID_ext_key_usage,
				  q->kind == CERT_SERVER ? "serverAuth" : "clientAuth");
	if (r >= 0 && q->kind == CERT_SERVER)
		r = add_hosts(cert, q, ret_why);
	return r;
}

static int set_serial(X509 *cert)
{
	uint8_t bytes[16];
	BIGNUM *n;
	int good;

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		return -EIO;
	bytes[0] = (bytes[0] & 0x7f) | 0x40; /* positive, and of one length */
	n = BN_bin2bn(bytes, sizeof(bytes), NULL);
	good = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert)) != NULL;
	BN_free(n);
	return good ? 0 : -EIO;
}

static int set_times(X509 *cert, const struct cert_request *q)
{
	uint64_t until;

	if (__builtin_add_overflow(q->not_before_s, q->life_s, &until) || until > INT64_MAX)
		return -EINVAL;
	return ASN1_TIME_set(X509_getm_notBefore(cert), (time_t)q->not_before_s) &&
			       ASN1_TIME_set(X509_getm_notAfter(cert), (time_t)until)
		       ? 0
		       : -EIO;
}

static int check_request(const struct cert_request *q, struct why *ret_why)
{
	if (!is_name(q->name))
		return why_set(ret_why, -EINVAL,
			       "certificate's name is not 1 to %d bytes of [A-Za-z0-9._@-]",
			       CERT_MAX_NAME - 1);
	if (strlen(q->name) > ub_common_name)
		return why_set(ret_why, -EINVAL, "certificate's name has more than %d bytes",
			       ub_common_name);
	if (q->kind == CERT_SERVER && (q->n_hosts == 0 || q->n_hosts > MAX_HOSTS))
		return why_set(ret_why, -EINVAL, "a server's certificate needs 1 to %d host names",
			       MAX_HOSTS);
	if (q->life_s == 0)
		return why_set(ret_why, -EINVAL, "certificate's life is zero");
	return 0;
}

/* Signs a certificate whose issuer is given; ca NULL: itself. */
static int build(X509 *cert, X509 *ca, const struct cert_request *q, const struct sign_key *subject,
		 const struct sign_key *signer, struct why *ret_why)
{
	int r = X509_set_version(cert, X509_VERSION_3) == 1 ? 0 : -EIO;

	if (r >= 0)
		r = set_serial(cert);
	if (r >= 0)
		r = set_times(cert, q);
	if (r >= 0)
		r = set_subject(cert, q);
	if (r >= 0 && X509_set_issuer_name(cert, X509_get_subject_name(ca ? ca : cert)) != 1)
		r = -EIO;
	if (r >= 0 && X509_set_pubkey(cert, sign_key_evp(subject)) != 1)
		r = -EIO;
	if (r >= 0)
		r = add_extensions(cert, ca ? ca : cert, q, ret_why);
	if (r >= 0 && X509_sign(cert, sign_key_evp(signer), digest_for(signer)) <= 0)
		r = -EIO;
	return r;
}

static int read_ca(const char *pem, const struct sign_key *key, X509 **ret, struct why *ret_why)
{
	int r = read_pem(pem, strlen(pem), ret, ret_why);

	if (r < 0)
		return r;
	if (X509_check_ca(*ret) != 1)
		return why_set(ret_why, -EPERM, "the issuer's certificate is not a CA's");
	if (X509_check_private_key(*ret, sign_key_evp(key)) != 1)
		return why_set(ret_why, -EKEYREJECTED, "the CA's key and certificate do not match");
	return 0;
}

int cert_issue(const struct cert_request *q, const struct sign_key *subject,
	       const char *ca_cert_pem, const struct sign_key *ca_key, struct buf *ret_pem,
	       struct why *ret_why)
{
	CLEANUP(x509_free_p) X509 *cert = X509_new();
	CLEANUP(x509_free_p) X509 *ca = NULL;
	CLEANUP(bio_free_p) BIO *bio = BIO_new(BIO_s_mem());
	int r = cert && bio ? check_request(q, ret_why) : -ENOMEM;

	if (r < 0)
		return r;
	if (!ca_cert_pem != !ca_key || (q->kind == CERT_CA) != !ca_key)
		return why_set(ret_why, -EINVAL, "a CA signs itself, and others need a CA");
	if (!sign_key_is_private(ca_key ? ca_key : subject))
		return why_set(ret_why, -EKEYREJECTED, "the issuer's key has no private part");
	if (ca_key)
		r = read_ca(ca_cert_pem, ca_key, &ca, ret_why);
	if (r < 0) {
		ERR_clear_error();
		return r;
	}
	r = build(cert, ca, q, subject, ca_key ? ca_key : subject, ret_why);
	if (r >= 0 && PEM_write_bio_X509(bio, cert) != 1)
		r = -EIO;
	ERR_clear_error();
	if (r == -EIO)
		why_set(ret_why, r, "OpenSSL could not make the certificate of %s", q->name);
	return r < 0 ? r : take_bio(bio, ret_pem);
}

int cert_csr_make(const struct sign_key *key, const char *name, struct buf *ret_pem)
{
	CLEANUP(req_free_p) X509_REQ *q = X509_REQ_new();
	CLEANUP(bio_free_p) BIO *bio = BIO_new(BIO_s_mem());
	int good;

	if (!q || !bio)
		return -ENOMEM;
	if (!is_name(name) || strlen(name) > ub_common_name)
		return -EINVAL;
	if (!sign_key_is_private(key))
		return -EKEYREJECTED;
	good = X509_REQ_set_version(q, X509_REQ_VERSION_1) == 1 &&
	       add_name(X509_REQ_get_subject_name(q), "CN", name) == 0 &&
	       X509_REQ_set_pubkey(q, sign_key_evp(key)) == 1 &&
	       X509_REQ_sign(q, sign_key_evp(key), digest_for(key)) > 0 &&
	       PEM_write_bio_X509_REQ(bio, q) == 1;
	ERR_clear_error();
	return good ? take_bio(bio, ret_pem) : -EIO;
}

int cert_csr_key(const char *pem, size_t size, struct sign_key **ret, struct why *ret_why)
{
	CLEANUP(bio_free_p) BIO *bio = size <= MAX_PEM ? BIO_new_mem_buf(pem, (int)size) : NULL;
	CLEANUP(req_free_p)
	X509_REQ *q = bio ? PEM_read_bio_X509_REQ(bio, NULL, no_password, NULL) : NULL;
	EVP_PKEY *key = q ? X509_REQ_get0_pubkey(q) : NULL;
	int good = key && X509_REQ_verify(q, key) == 1;
	int r;

	ERR_clear_error();
	if (!key)
		return why_set(ret_why, -EBADMSG, "not a certificate request in PEM");
	if (!good)
		return why_set(ret_why, -EBADMSG, "the request's own signature is false");
	r = sign_key_from_evp(key, ret);
	return r < 0 ? why_set(ret_why, r, "the request's key is of a kind not used here") : 0;
}

int cert_csr_is_plain(const char *pem, size_t size, struct why *ret_why)
{
	CLEANUP(bio_free_p) BIO *bio = size <= MAX_PEM ? BIO_new_mem_buf(pem, (int)size) : NULL;
	CLEANUP(req_free_p)
	X509_REQ *q = bio ? PEM_read_bio_X509_REQ(bio, NULL, no_password, NULL) : NULL;
	X509_NAME *name = q ? X509_REQ_get_subject_name(q) : NULL;

	ERR_clear_error();
	if (!q)
		return why_set(ret_why, -EBADMSG, "not a certificate request in PEM");
	if (X509_REQ_get_attr_count(q) > 0)
		return why_set(ret_why, -EPERM, "the request asks for extensions");
	if (X509_NAME_get_index_by_NID(name, NID_organizationName, -1) >= 0 ||
	    X509_NAME_get_index_by_NID(name, NID_organizationalUnitName, -1) >= 0)
		return why_set(ret_why, -EPERM, "the request asks for an O or OU");
	return 0;
}

/* Exactly one entry of this kind; -EPERM otherwise. */
static int subject_text(X509 *cert, int nid, char *ret, size_t size)
{
	X509_NAME *name = X509_get_subject_name(cert);
	int at = X509_NAME_get_index_by_NID(name, nid, -1), n;
	unsigned char *text = NULL;

	if (at < 0 || X509_NAME_get_index_by_NID(name, nid, at) >= 0)
		return -EPERM;
	n = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
	if (n <= 0 || (size_t)n >= size || memchr(text, 0, (size_t)n)) {
		if (n >= 0)
			OPENSSL_free(text);
		return -EPERM;
	}
	memcpy(ret, text, (size_t)n);
	ret[n] = 0;
	OPENSSL_free(text);
	return 0;
}

static int kind_of(const char *unit, struct cert_identity *id)
{
	int role = strncmp(unit, "operator:", 9) == 0 ? terms_role_from_name(unit + 9) : 0;

	if (strcmp(unit, "ca") == 0)
		id->kind = CERT_CA;
	else if (strcmp(unit, "server") == 0)
		id->kind = CERT_SERVER;
	else if (strcmp(unit, "node") == 0)
		id->kind = CERT_NODE;
	else if (role != 0)
		id->kind = CERT_OPERATOR;
	else
		return -EPERM;
	id->role = (enum plumb_role)role;
	return 0;
}

/* A CA is one in its extensions and in its name, or in neither. */
static bool use_fits(X509 *cert, enum cert_kind kind)
{
	uint32_t use = X509_get_extended_key_usage(cert);

	if ((kind == CERT_CA) != (X509_check_ca(cert) == 1))
		return false;
	if (kind == CERT_CA)
		return true;
	return use != UINT32_MAX && (use & (kind == CERT_SERVER ? XKU_SSL_SERVER : XKU_SSL_CLIENT));
}

static int key_of(X509 *cert, struct cert_identity *id)
{
	CLEANUP(buf_done) struct buf spki = {0};
	struct sign_key *key = NULL;
	EVP_PKEY *pkey = X509_get0_pubkey(cert);
	int r = pkey ? sign_key_from_evp(pkey, &key) : -EKEYREJECTED;

	if (r >= 0)
		r = sign_key_id(key, &id->key_id);
	if (r >= 0)
		r = sign_key_spki(key, &spki);
	sign_key_free(key);
	if (r >= 0 && spki.size <= sizeof(id->spki)) {
		memcpy(id->spki, spki.data, spki.size);
		id->spki_size = spki.size;
	}
	return r;
}

static uint64_t seconds_of(const ASN1_TIME *at)
{
	struct tm tm;
	time_t t;

	if (ASN1_TIME_to_tm(at, &tm) != 1)
		return 0;
	t = timegm(&tm);
	return t < 0 ? 0 : (uint64_t)t;
}

int cert_identity(X509 *cert, struct cert_identity *ret, struct why *ret_why)
{
	struct cert_identity id = {.role = PLUMB_ROLE_NONE};
	char o[32] = "", ou[64] = "";
	int r = subject_text(cert, NID_organizationName, o, sizeof(o));

	if (r >= 0)
		r = subject_text(cert, NID_organizationalUnitName, ou, sizeof(ou));
	if (r >= 0)
		r = subject_text(cert, NID_commonName, id.name, sizeof(id.name));
	if (r < 0 || strcmp(o, ORGANISATION) != 0 || !is_name(id.name))
		return why_set(ret_why, -EPERM,
			       "the certificate's subject is not one of this project");
	if (kind_of(ou, &id) < 0)
		return why_set(ret_why, -EPERM, "the certificate's OU is unknown: %s", ou);
	if (!use_fits(cert, id.kind))
		return why_set(ret_why, -EPERM, "the certificate's use does not fit its OU %s", ou);
	r = key_of(cert, &id);
	ERR_clear_error();
	if (r < 0)
		return why_set(ret_why, r, "the certificate's key is of a kind not used here");
	id.not_before_s = seconds_of(X509_get0_notBefore(cert));
	id.not_after_s = seconds_of(X509_get0_notAfter(cert));
	*ret = id;
	return 0;
}

int cert_identity_pem(const char *pem, size_t size, struct cert_identity *ret, struct why *ret_why)
{
	CLEANUP(x509_free_p) X509 *cert = NULL;
	int r = read_pem(pem, size, &cert, ret_why);

	return r < 0 ? r : cert_identity(cert, ret, ret_why);
}

int cert_fingerprint_pem(const char *pem, size_t size, struct digest *ret, struct why *ret_why)
{
	CLEANUP(x509_free_p) X509 *cert = NULL;
	struct digest d;
	unsigned int n = 0;
	int r = read_pem(pem, size, &cert, ret_why);

	if (r < 0)
		return r;
	if (X509_digest(cert, EVP_sha256(), d.bytes, &n) != 1 || n != DIGEST_SIZE)
		return -EIO;
	*ret = d;
	return 0;
}
