/* SPDX-License-Identifier: Apache-2.0 */
#include "ekcert.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "cleanup.h"
#include "tpm_public.h"

#define MAX_BUNDLE (4u * 1024 * 1024)
#define MAX_ANCHORS 4096
#define MAX_CERT 8192
#define AUTH_LEVEL \
	1 /* OpenSSL's: no MD5 or SHA-1 signatures, no RSA below 1024 bits; an anchor's own signature is not asked */

struct ekcert_anchors {
	X509_STORE *vendors, *emulated; /* emulated: NULL: none accepted */
	bool allow_expired;
};

DEFINE_CLEANUP(X509 *, X509_free);

/* A password is never asked for. */
static int no_password(char *out, int size, int writing, void *ctx)
{
	(void)out;
	(void)size;
	(void)writing;
	(void)ctx;
	return -1;
}

static int add_certificates(BIO *bio, const char *path, X509_STORE *store, struct why *ret_why)
{
	unsigned int n = 0;
	unsigned long e;
	X509 *cert;
	int good;

	for (;;) {
		cert = PEM_read_bio_X509(bio, NULL, no_password, NULL);
		if (!cert)
			break;
		good = n < MAX_ANCHORS && X509_STORE_add_cert(store, cert) == 1;
		X509_free(cert);
		n++;
		if (!good)
			return why_set(ret_why, -EBADMSG, "%s: certificate %u cannot be added",
				       path, n);
	}
	e = ERR_peek_last_error();
	ERR_clear_error();
	if (ERR_GET_LIB(e) != ERR_LIB_PEM || ERR_GET_REASON(e) != PEM_R_NO_START_LINE)
		return why_set(ret_why, -EBADMSG, "%s: certificate %u is malformed", path, n + 1);
	if (n == 0)
		return why_set(ret_why, -EBADMSG, "%s: holds no certificate", path);
	return 0;
}

static int add_file(const struct fsio *io, const char *path, X509_STORE *store, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf pem = {.max = MAX_BUNDLE};
	BIO *bio;
	int r = fsio_read_file(io, path, MAX_BUNDLE, &pem);

	if (r < 0)
		return why_set(ret_why, r, "%s: cannot be read: %s", path, strerror(-r));
	bio = BIO_new_mem_buf(pem.size > 0 ? pem.data : (const uint8_t *)"", (int)pem.size);
	if (!bio)
		return -ENOMEM;
	r = add_certificates(bio, path, store, ret_why);
	BIO_free(bio);
	return r;
}

static int is_bundle(const struct dirent *e)
{
	size_t size = strlen(e->d_name);

	return e->d_name[0] != '.' && size > 4 && strcmp(e->d_name + size - 4, ".pem") == 0;
}

/* All its bundles, in order of their names; what is no .pem is none, and a directory without any is a mistake. */
static int add_directory(const struct fsio *io, const char *path, X509_STORE *store,
			 struct why *ret_why)
{
	char file[PATH_MAX];
	struct dirent **all = NULL;
	int n = scandir(path, &all, is_bundle, alphasort), r = 0;

	if (n < 0)
		return why_set(ret_why, -errno, "%s: cannot be read: %s", path, strerror(errno));
	for (int i = 0; i < n; i++) {
		if (r >= 0 && snprintf(file, sizeof(file), "%s/%s", path, all[i]->d_name) >=
				      (int)sizeof(file))
			r = -ENAMETOOLONG;
		if (r >= 0)
			r = add_file(io, file, store, ret_why);
		free(all[i]);
	}
	free(all);
	return n > 0 ? r : why_set(ret_why, -EBADMSG, "%s: holds no *.pem", path);
}

static int add_path(const struct fsio *io, const char *path, X509_STORE *store, struct why *ret_why)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? add_directory(io, path, store, ret_why)
							   : add_file(io, path, store, ret_why);
}

static int fill_anchors(struct ekcert_anchors *a, const struct fsio *io,
			const char *const *vendor_files, uint32_t n_files,
			const char *emulated_file, struct why *ret_why)
{
	int r = 0;

	a->vendors = X509_STORE_new();
	a->emulated = emulated_file ? X509_STORE_new() : NULL;
	if (!a->vendors || (emulated_file && !a->emulated))
		return -ENOMEM;
	for (uint32_t i = 0; i < n_files && r >= 0; i++)
		r = add_path(io, vendor_files[i], a->vendors, ret_why);
	if (r >= 0 && emulated_file)
		r = add_file(io, emulated_file, a->emulated, ret_why);
	return r;
}

int ekcert_anchors_open(const struct fsio *io, const char *const *vendor_files, uint32_t n_files,
			const char *emulated_file, struct ekcert_anchors **ret, struct why *ret_why)
{
	struct ekcert_anchors *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return -ENOMEM;
	r = fill_anchors(a, io, vendor_files, n_files, emulated_file, ret_why);
	if (r < 0) {
		ekcert_anchors_free(a);
		return r;
	}
	*ret = a;
	return 0;
}

struct ekcert_anchors *ekcert_anchors_free(struct ekcert_anchors *a)
{
	if (!a)
		return NULL;
	X509_STORE_free(a->vendors);
	X509_STORE_free(a->emulated);
	free(a);
	return NULL;
}

void ekcert_anchors_allow_expired(struct ekcert_anchors *a, bool allow)
{
	a->allow_expired = allow;
}

/* By its key: the same root is about in more than one encoding. */
static bool in_store(X509_STORE *store, X509 *cert)
{
	STACK_OF(X509_OBJECT) *all = store ? X509_STORE_get0_objects(store) : NULL;

	for (int i = 0; all && i < sk_X509_OBJECT_num(all); i++) {
		X509 *other = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(all, i));

		if (other &&
		    X509_PUBKEY_eq(X509_get_X509_PUBKEY(other), X509_get_X509_PUBKEY(cert)) == 1)
			return true;
	}
	return false;
}

/*
 * Partial chain: every certificate of a bundle is an anchor, since some vendors publish no root of their own (their chain ends at
 * one that a web CA has signed). No purpose: OpenSSL knows none for EKs; the rules below stand for it.
 */
static int chain_at(X509_STORE *store, X509 *cert, time_t at, int *ret_error)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509_VERIFY_PARAM *param;
	int r = -EIO;

	if (ctx && X509_STORE_CTX_init(ctx, store, cert, NULL) == 1) {
		param = X509_STORE_CTX_get0_param(ctx);
		X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
		X509_VERIFY_PARAM_set_auth_level(param, AUTH_LEVEL);
		X509_VERIFY_PARAM_set_time(param, at);
		r = X509_verify_cert(ctx) == 1 ? 0 : -EKEYREJECTED;
		*ret_error = X509_STORE_CTX_get_error(ctx);
	}
	X509_STORE_CTX_free(ctx);
	ERR_clear_error();
	return r;
}

/* When it was issued; 0: that cannot be read. */
static time_t issued(const X509 *cert)
{
	struct tm tm = {0};

	return ASN1_TIME_to_tm(X509_get0_notBefore(cert), &tm) == 1 ? timegm(&tm) : 0;
}

/* 1: good, though its time or that of one above it is over. */
static int chain(const struct ekcert_anchors *a, X509_STORE *store, X509 *cert, uint64_t now_s,
		 int *ret_error)
{
	time_t from = issued(cert);
	int ignored, r = chain_at(store, cert, (time_t)now_s, ret_error);

	if (r != -EKEYREJECTED || *ret_error != X509_V_ERR_CERT_HAS_EXPIRED || !a->allow_expired)
		return r;
	if (from <= 0 || from > (time_t)now_s)
		return r;
	return chain_at(store, cert, from, &ignored) == 0 ? 1 : r;
}

static int check_chain(const struct ekcert_anchors *a, X509 *cert, uint64_t now_s,
		       struct ekcert_info *ret, struct why *ret_why)
{
	int error = X509_V_OK, other = X509_V_OK, r;

	if (in_store(a->vendors, cert) || in_store(a->emulated, cert))
		return why_set(ret_why, -EKEYREJECTED,
			       "EK certificate: is itself one of the anchors");
	r = chain(a, a->vendors, cert, now_s, &error);
	ret->emulated = r == -EKEYREJECTED && a->emulated;
	if (ret->emulated)
		r = chain(a, a->emulated, cert, now_s, &other);
	ret->expired = r > 0;
	if (r != -EKEYREJECTED)
		return r < 0 ? r : 0;
	/* The emulated file's reason tells more when the chain got further there. */
	if (a->emulated && error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY)
		error = other;
	return why_set(ret_why, -EKEYREJECTED, "EK certificate: no chain to an anchor: %s",
		       X509_verify_cert_error_string(error));
}

static int check_usage(X509 *cert, EVP_PKEY *pkey, struct why *ret_why)
{
	uint32_t flags = X509_get_extension_flags(cert), usage = X509_get_key_usage(cert);
	uint32_t want = EVP_PKEY_is_a(pkey, "RSA") ? KU_KEY_ENCIPHERMENT : KU_KEY_AGREEMENT;

	if (flags & EXFLAG_INVALID)
		return why_set(ret_why, -EKEYREJECTED, "EK certificate: an extension is malformed");
	/* X509_check_ca() alone says no when the key usage says no. */
	if (X509_check_ca(cert) != 0 || flags & (EXFLAG_CA | EXFLAG_SS | EXFLAG_SI))
		return why_set(ret_why, -EKEYREJECTED, "EK certificate: is a CA's");
	if (!(flags & EXFLAG_KUSAGE))
		return why_set(ret_why, -EKEYREJECTED, "EK certificate: has no key usage");
	if (!(usage & want))
		return why_set(ret_why, -EKEYREJECTED, "EK certificate: key usage lacks %s",
			       want == KU_KEY_ENCIPHERMENT ? "keyEncipherment" : "keyAgreement");
	if (usage & (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION | KU_KEY_CERT_SIGN | KU_CRL_SIGN))
		return why_set(ret_why, -EKEYREJECTED, "EK certificate: its key may sign");
	return 0;
}

/* tcg-kp-EKCertificate. Some old EKs have no extended key usage at all; one that is there must name it. */
static int check_extended_usage(X509 *cert, struct why *ret_why)
{
	EXTENDED_KEY_USAGE *all;
	ASN1_OBJECT *wanted;
	bool found = false;
	int state = 0;

	all = X509_get_ext_d2i(cert, NID_ext_key_usage, &state, NULL);
	if (!all)
		return state == -1 ? 0
				   : why_set(ret_why, -EKEYREJECTED,
					     "EK certificate: extended key usage is malformed");
	wanted = OBJ_txt2obj("2.23.133.8.1", 1);
	for (int i = 0; wanted && i < sk_ASN1_OBJECT_num(all); i++)
		if (OBJ_cmp(sk_ASN1_OBJECT_value(all, i), wanted) == 0)
			found = true;
	ASN1_OBJECT_free(wanted);
	EXTENDED_KEY_USAGE_free(all);
	return found ? 0
		     : why_set(ret_why, -EKEYREJECTED,
			       "EK certificate: extended key usage is not an EK's");
}

/* One attribute of the SAN's directory name, as printable text; it is shown to people. */
static int read_attribute(const X509_NAME *name, const char *oid, char ret[64])
{
	ASN1_OBJECT *wanted = OBJ_txt2obj(oid, 1);
	int at = wanted ? X509_NAME_get_index_by_OBJ(name, wanted, -1) : -1;
	unsigned char *text = NULL;
	int size, r = -EBADMSG;

	ASN1_OBJECT_free(wanted);
	if (at < 0)
		return -ENOENT;
	size = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
	if (size > 0 && size < 64) {
		r = 0;
		for (int i = 0; i < size; i++)
			if (text[i] < 0x20 || text[i] > 0x7e)
				r = -EBADMSG;
	}
	if (r >= 0) {
		memcpy(ret, text, (size_t)size);
		ret[size] = 0;
	}
	OPENSSL_free(text);
	return r;
}

static int read_tpm(X509 *cert, struct ekcert_info *ret, struct why *ret_why)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	int r = -ENOENT;

	for (int i = 0; r == -ENOENT && i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *n = sk_GENERAL_NAME_value(names, i);

		if (n->type != GEN_DIRNAME)
			continue;
		r = read_attribute(n->d.directoryName, "2.23.133.2.1", ret->manufacturer);
		if (r >= 0)
			r = read_attribute(n->d.directoryName, "2.23.133.2.2", ret->model);
		if (r >= 0)
			r = read_attribute(n->d.directoryName, "2.23.133.2.3", ret->version);
	}
	GENERAL_NAMES_free(names);
	ERR_clear_error();
	return r < 0 ? why_set(ret_why, -EKEYREJECTED,
			       "EK certificate: does not name the TPM's manufacturer, model and "
			       "version")
		     : 0;
}

/* The first DER element; what follows in the NV index may only be filler. */
static int read_der(const void *der, size_t size, X509 **ret, size_t *ret_size, struct why *ret_why)
{
	const uint8_t *bytes = der;
	const unsigned char *p = der;
	X509 *cert = size > 0 && size <= MAX_CERT ? d2i_X509(NULL, &p, (long)size) : NULL;
	size_t used;

	ERR_clear_error();
	if (!cert)
		return why_set(ret_why, -EKEYREJECTED, "EK certificate: not a DER certificate");
	used = (size_t)(p - bytes);
	for (size_t i = used; i < size; i++) {
		if (bytes[i] == bytes[used] && (bytes[i] == 0 || bytes[i] == 0xff))
			continue;
		X509_free(cert);
		return why_set(ret_why, -EKEYREJECTED,
			       "EK certificate: is followed by something else");
	}
	*ret = cert;
	*ret_size = used;
	return 0;
}

/* The certificate's key. Some of Infineon's call it an OAEP key, which OpenSSL does not take for RSA; the bits are the same. */
static EVP_PKEY *key_of(X509 *cert)
{
	const unsigned char *bits;
	ASN1_OBJECT *alg = NULL;
	EVP_PKEY *pkey = X509_get_pubkey(cert);
	int size;

	ERR_clear_error();
	if (pkey)
		return pkey;
	if (X509_PUBKEY_get0_param(&alg, &bits, &size, NULL, X509_get_X509_PUBKEY(cert)) != 1 ||
	    OBJ_obj2nid(alg) != NID_rsaesOaep)
		return NULL;
	pkey = d2i_PublicKey(EVP_PKEY_RSA, NULL, &bits, size);
	ERR_clear_error();
	return pkey;
}

static int check_key(X509 *cert, const void *ek_public, size_t ek_size, struct why *ret_why)
{
	EVP_PKEY *certified = NULL, *ek = NULL;
	struct tpm_public p;
	int r = tpm_public_parse(ek_public, ek_size, &p, ret_why);

	if (r < 0)
		return r;
	r = tpm_public_evp(&p, &ek, ret_why);
	if (r < 0)
		return r;
	certified = key_of(cert);
	if (!certified)
		r = why_set(ret_why, -EKEYREJECTED, "EK certificate: its key cannot be read");
	else if (EVP_PKEY_eq(certified, ek) != 1)
		r = why_set(ret_why, -EKEYREJECTED, "EK certificate: is of another key");
	else
		r = check_usage(cert, certified, ret_why);
	EVP_PKEY_free(certified);
	EVP_PKEY_free(ek);
	ERR_clear_error();
	return r;
}

int ekcert_check(const struct ekcert_anchors *a, const void *der, size_t size,
		 const void *ek_public, size_t ek_size, uint64_t now_s, struct ekcert_info *ret,
		 struct why *ret_why)
{
	CLEANUP(X509_free_p) X509 *cert = NULL;
	struct ekcert_info info = {0};
	size_t used = 0;
	int r = read_der(der, size, &cert, &used, ret_why);

	if (r < 0)
		return r;
	r = check_chain(a, cert, now_s, &info, ret_why);
	if (r < 0)
		return r;
	r = check_key(cert, ek_public, ek_size, ret_why);
	if (r < 0)
		return r;
	r = check_extended_usage(cert, ret_why);
	if (r < 0)
		return r;
	r = read_tpm(cert, &info, ret_why);
	if (r < 0)
		return r;
	r = digest_sha256(der, used, &info.fingerprint);
	if (r < 0)
		return r;
	*ret = info;
	return 0;
}
