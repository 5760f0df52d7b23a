/* SPDX-License-Identifier: Apache-2.0 */
#include "ima_sig.h"

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "ima_pkcs7.h"

#define MAX_FILE (1u << 20)
#define WAYS 4u
#define SETS (IMA_SIG_KEPT / WAYS)
/* The kernel's security/integrity/integrity.h: type, version, hash, key id (be32), size (be16). */
#define HEADER 9u
#define TYPE_FILE 3u
#define TYPE_EVM 5u /* over the file's metadata, which is not in the list */
#define TYPE_VERITY 6u

struct ima_sig {
	struct ima_pkcs7_key keys[IMA_SIG_MAX_KEYS];
	uint32_t ids[IMA_SIG_MAX_KEYS][2]; /* of the key, and as its certificate says */
	uint32_t n;
	/* What an entry's data came to: they have digest and signature. */
	struct kept {
		uint8_t data[DIGEST_SIZE];
		uint8_t verdict;
	} * kept;
	uint8_t *turn; /* which of a set goes next */
};

const char *ima_sig_name(enum ima_sig_verdict v)
{
	static const char *const names[] = {"none", "good", "bad", "stranger"};

	return names[v];
}

uint32_t ima_sig_n_keys(const struct ima_sig *s)
{
	return s->n;
}

/* The end of SHA-1 over the bits of the public key, or of what the certificate has in its place. */
static int key_id(EVP_PKEY *key, uint32_t *ret)
{
	X509_PUBKEY *spki = NULL;
	const unsigned char *bits;
	uint8_t sha1[EVP_MAX_MD_SIZE];
	int size, r = -EIO;

	if (X509_PUBKEY_set(&spki, key) == 1 &&
	    X509_PUBKEY_get0_param(NULL, &bits, &size, NULL, spki) == 1 &&
	    EVP_Digest(bits, (size_t)size, sha1, NULL, EVP_sha1(), NULL) == 1) {
		*ret = (uint32_t)sha1[16] << 24 | sha1[17] << 16 | sha1[18] << 8 | sha1[19];
		r = 0;
	}
	X509_PUBKEY_free(spki);
	return r;
}

/* Takes both. */
static int add_key(struct ima_sig *s, EVP_PKEY *key, X509 *cert, const char *path,
		   struct why *ret_why)
{
	const ASN1_OCTET_STRING *skid = cert ? X509_get0_subject_key_id(cert) : NULL;
	uint32_t id = 0;
	int r = 0;

	if (!key || (!EVP_PKEY_is_a(key, "RSA") && !EVP_PKEY_is_a(key, "EC")))
		r = why_set(ret_why, -EINVAL, "%.150s: a key that is neither RSA nor EC", path);
	else if (s->n == IMA_SIG_MAX_KEYS)
		r = why_set(ret_why, -EINVAL, "%.150s: more than %u keys", path, IMA_SIG_MAX_KEYS);
	else
		r = key_id(key, &id);
	if (r < 0) {
		EVP_PKEY_free(key);
		X509_free(cert);
		return r;
	}
	s->ids[s->n][0] = s->ids[s->n][1] = id;
	if (skid && skid->length >= 4) {
		const uint8_t *at = skid->data + skid->length - 4;

		s->ids[s->n][1] = (uint32_t)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3];
	}
	s->keys[s->n++] = (struct ima_pkcs7_key){key, cert};
	return 0;
}

static int add_der(struct ima_sig *s, const char *name, const uint8_t *der, long size,
		   const char *path, struct why *ret_why)
{
	const unsigned char *at = der;
	X509 *cert = NULL;
	EVP_PKEY *key;

	if (strcmp(name, "PUBLIC KEY") == 0) {
		key = d2i_PUBKEY(NULL, &at, size);
	} else if (strcmp(name, "CERTIFICATE") == 0) {
		cert = d2i_X509(NULL, &at, size);
		key = cert ? X509_get_pubkey(cert) : NULL;
	} else {
		return why_set(ret_why, -EINVAL,
			       "%.150s: \"%.40s\" is neither certificate nor public key", path,
			       name);
	}
	if (!key || at != der + size) {
		EVP_PKEY_free(key);
		X509_free(cert);
		return why_set(ret_why, -EINVAL, "%.150s: a %.40s that cannot be read", path, name);
	}
	return add_key(s, key, cert, path, ret_why);
}

static int add_pem(struct ima_sig *s, const struct buf *text, const char *path, struct why *ret_why)
{
	BIO *bio = BIO_new_mem_buf(text->data, (int)text->size);
	char *name = NULL, *header = NULL;
	unsigned char *der = NULL;
	uint32_t n = 0;
	long size = 0;
	int r = bio ? 0 : -ENOMEM;

	while (r >= 0 && PEM_read_bio(bio, &name, &header, &der, &size) == 1) {
		r = add_der(s, name, der, size, path, ret_why);
		n++;
		OPENSSL_free(name);
		OPENSSL_free(header);
		OPENSSL_free(der);
	}
	BIO_free(bio);
	if (r < 0 || n > 0)
		return r;
	/* As the kernel's own x509_ima.der. */
	return text->size && text->data[0] == 0x30
		       ? add_der(s, "CERTIFICATE", text->data, (long)text->size, path, ret_why)
		       : why_set(ret_why, -EINVAL, "%.150s: no certificate and no public key in it",
				 path);
}

int ima_sig_open(const struct fsio *io, const char *const *paths, uint32_t n_paths,
		 struct ima_sig **ret, struct why *ret_why)
{
	struct ima_sig *s = calloc(1, sizeof(*s));
	int r = 0;

	if (s) {
		s->kept = calloc(IMA_SIG_KEPT, sizeof(*s->kept));
		s->turn = calloc(SETS, 1);
	}
	if (!s || !s->kept || !s->turn)
		r = -ENOMEM;
	for (uint32_t i = 0; i < n_paths && r >= 0; i++) {
		CLEANUP(buf_done) struct buf text = {0};

		r = fsio_read_file(io, paths[i], MAX_FILE, &text);
		r = r < 0 ? why_set(ret_why, r, "%.150s: %s", paths[i], strerror(-r))
			  : add_pem(s, &text, paths[i], ret_why);
	}
	if (r < 0) {
		ima_sig_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

struct ima_sig *ima_sig_free(struct ima_sig *s)
{
	if (!s)
		return NULL;
	for (uint32_t i = 0; i < s->n; i++) {
		EVP_PKEY_free(s->keys[i].key);
		X509_free(s->keys[i].cert);
	}
	free(s->kept);
	free(s->turn);
	free(s);
	return NULL;
}

/* By the kernel's numbers, include/uapi/linux/hash_info.h. */
static const EVP_MD *hash_of(uint8_t number, const char **ret_name)
{
	static const struct {
		uint8_t number;
		const char *name;
		const EVP_MD *(*md)(void);
	} known[] = {{2, "sha1", EVP_sha1},
		     {4, "sha256", EVP_sha256},
		     {5, "sha384", EVP_sha384},
		     {6, "sha512", EVP_sha512},
		     {7, "sha224", EVP_sha224}};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (known[i].number == number) {
			*ret_name = known[i].name;
			return known[i].md();
		}
	return NULL;
}

/* Version 2 signs the file's digest, version 3 a digest over what kind of digest it is, its hash and itself. */
static int signed_digest(const struct imalog_entry *e, const EVP_MD *md, uint8_t *ret,
			 size_t *ret_size)
{
	const struct buf_view *d = &e->file.bytes, *s = &e->signature;
	uint8_t id[2 + IMALOG_MAX_DIGEST] = {s->data[0], s->data[2]};
	unsigned int size = 0;

	if (s->data[1] == 2) {
		memcpy(ret, d->data, d->size);
		*ret_size = d->size;
		return 0;
	}
	memcpy(id + 2, d->data, d->size);
	if (EVP_Digest(id, 2 + d->size, ret, &size, md, NULL) != 1)
		return -EIO;
	*ret_size = size;
	return 0;
}

static int check_xattr(struct ima_sig *s, const struct imalog_entry *e, enum ima_sig_verdict *ret)
{
	const struct buf_view *g = &e->signature;
	uint8_t digest[EVP_MAX_MD_SIZE];
	const char *name = "";
	const EVP_MD *md;
	size_t digest_size = 0;
	uint32_t id;
	int r;

	*ret = IMA_SIG_BAD;
	if (g->size <= HEADER || (g->data[0] != TYPE_FILE && g->data[0] != TYPE_VERITY) ||
	    (g->data[1] != 2 && g->data[1] != 3) || (g->data[0] == TYPE_VERITY) != e->verity ||
	    (e->verity && g->data[1] != 3) ||
	    (size_t)(g->data[7] << 8 | g->data[8]) != g->size - HEADER)
		return 0;
	md = hash_of(g->data[2], &name);
	if (!md || strcmp(name, e->file.algorithm) != 0 || e->file.bytes.size > IMALOG_MAX_DIGEST)
		return 0;
	id = (uint32_t)g->data[3] << 24 | g->data[4] << 16 | g->data[5] << 8 | g->data[6];
	r = signed_digest(e, md, digest, &digest_size);
	if (r < 0)
		return r;
	*ret = IMA_SIG_STRANGER;
	for (uint32_t i = 0; i < s->n && *ret != IMA_SIG_GOOD; i++) {
		if (s->ids[i][0] != id && s->ids[i][1] != id)
			continue;
		r = ima_pkcs7_verify(s->keys[i].key, md, digest, digest_size, g->data + HEADER,
				     g->size - HEADER);
		if (r < 0)
			return r;
		*ret = r ? IMA_SIG_GOOD : IMA_SIG_BAD;
	}
	return 0;
}

static int check_modsig(struct ima_sig *s, const struct imalog_entry *e, enum ima_sig_verdict *ret)
{
	enum ima_pkcs7_verdict v;
	int r = ima_pkcs7_check(&e->modsig, &e->unsigned_file, s->keys, s->n, &v);

	if (r >= 0)
		*ret = v == IMA_PKCS7_GOOD  ? IMA_SIG_GOOD
		       : v == IMA_PKCS7_BAD ? IMA_SIG_BAD
					    : IMA_SIG_STRANGER;
	return r;
}

/* One that is good will do, as for the kernel. */
static int check(struct ima_sig *s, const struct imalog_entry *e, enum ima_sig_verdict *ret)
{
	enum ima_sig_verdict x = IMA_SIG_NONE, m = IMA_SIG_NONE;
	int r = 0;

	if (e->signature.size > 0 && e->signature.data[0] != TYPE_EVM)
		r = check_xattr(s, e, &x);
	if (r >= 0 && e->modsig.size > 0)
		r = check_modsig(s, e, &m);
	if (r < 0)
		return r;
	if (x == IMA_SIG_GOOD || m == IMA_SIG_GOOD)
		*ret = IMA_SIG_GOOD;
	else if (x == IMA_SIG_BAD || m == IMA_SIG_BAD)
		*ret = IMA_SIG_BAD;
	else
		*ret = x == IMA_SIG_STRANGER ? x : m;
	return 0;
}

int ima_sig_check(struct ima_sig *s, const struct imalog_entry *e, const struct digest *data,
		  enum ima_sig_verdict *ret)
{
	uint32_t set;
	struct kept *k;
	int r;

	if (e->signature.size == 0 && e->modsig.size == 0) {
		*ret = IMA_SIG_NONE;
		return 0;
	}
	memcpy(&set, data->bytes, sizeof(set));
	set %= SETS;
	k = &s->kept[set * WAYS];
	for (uint32_t i = 0; i < WAYS; i++)
		if (k[i].verdict && memcmp(k[i].data, data->bytes, DIGEST_SIZE) == 0) {
			*ret = (enum ima_sig_verdict)(k[i].verdict - 1);
			return 0;
		}
	r = check(s, e, ret);
	if (r < 0)
		return r;
	k += s->turn[set]++ % WAYS;
	memcpy(k->data, data->bytes, DIGEST_SIZE);
	k->verdict = (uint8_t)(*ret + 1);
	return 0;
}
