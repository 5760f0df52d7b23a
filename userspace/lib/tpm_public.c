/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm_public.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static int short_of(struct why *ret_why, const char *field)
{
	return why_set(ret_why, -EBADMSG, "TPM public area: %s is cut short or too long", field);
}

/* TPMT_SYM_DEF_OBJECT: only what a storage key of the EK templates has. */
static int read_symmetric(struct buf_reader *in, struct tpm_public *p, struct why *ret_why)
{
	if (buf_read_u16be(in, &p->symmetric) < 0)
		return short_of(ret_why, "symmetric");
	if (p->symmetric == TPM_PUBLIC_NULL)
		return 0;
	if (p->symmetric != TPM_PUBLIC_AES)
		return why_set(ret_why, -EBADMSG, "TPM public area: symmetric algorithm %#x",
			       p->symmetric);
	if (buf_read_u16be(in, &p->symmetric_bits) < 0 ||
	    buf_read_u16be(in, &p->symmetric_mode) < 0)
		return short_of(ret_why, "symmetric");
	return 0;
}

/* TPMT_RSA_SCHEME or TPMT_ECC_SCHEME. The schemes that carry more than a hash are not used by attestation keys. */
static int read_scheme(struct buf_reader *in, struct tpm_public *p, struct why *ret_why)
{
	if (buf_read_u16be(in, &p->scheme) < 0)
		return short_of(ret_why, "scheme");
	if (p->scheme == TPM_PUBLIC_NULL)
		return 0;
	if (p->scheme != TPM_PUBLIC_RSASSA && p->scheme != TPM_PUBLIC_ECDSA)
		return why_set(ret_why, -EBADMSG, "TPM public area: scheme %#x", p->scheme);
	if (buf_read_u16be(in, &p->scheme_hash) < 0)
		return short_of(ret_why, "scheme hash");
	return 0;
}

static int read_rsa(struct buf_reader *in, struct tpm_public *p, struct why *ret_why)
{
	if (buf_read_u16be(in, &p->bits) < 0 || buf_read_u32be(in, &p->exponent) < 0)
		return short_of(ret_why, "RSA parameters");
	if (buf_read_sized16be(in, 512, &p->x) < 0)
		return short_of(ret_why, "modulus");
	if (p->bits % 8 != 0 || p->x.size != p->bits / 8)
		return why_set(ret_why, -EBADMSG,
			       "TPM public area: modulus of %zu bytes for a key of %u bits",
			       p->x.size, p->bits);
	return 0;
}

static int read_ecc(struct buf_reader *in, struct tpm_public *p, struct why *ret_why)
{
	uint16_t kdf;

	if (buf_read_u16be(in, &p->curve) < 0 || buf_read_u16be(in, &kdf) < 0)
		return short_of(ret_why, "ECC parameters");
	if (kdf != TPM_PUBLIC_NULL)
		return why_set(ret_why, -EBADMSG, "TPM public area: KDF %#x", kdf);
	if (buf_read_sized16be(in, 66, &p->x) < 0 || buf_read_sized16be(in, 66, &p->y) < 0)
		return short_of(ret_why, "point");
	return 0;
}

static int read_area(struct buf_reader *in, struct tpm_public *p, struct why *ret_why)
{
	int r;

	if (buf_read_u16be(in, &p->type) < 0 || buf_read_u16be(in, &p->name_alg) < 0 ||
	    buf_read_u32be(in, &p->attributes) < 0)
		return short_of(ret_why, "header");
	if (p->type != TPM_PUBLIC_RSA && p->type != TPM_PUBLIC_ECC)
		return why_set(ret_why, -EBADMSG, "TPM public area: key type %#x", p->type);
	if (p->name_alg != TPM_PUBLIC_SHA256 && p->name_alg != TPM_PUBLIC_SHA384)
		return why_set(ret_why, -EBADMSG, "TPM public area: name algorithm %#x",
			       p->name_alg);
	if (buf_read_sized16be(in, 64, &p->policy) < 0)
		return short_of(ret_why, "policy");
	r = read_symmetric(in, p, ret_why);
	if (r < 0)
		return r;
	r = read_scheme(in, p, ret_why);
	if (r < 0)
		return r;
	return p->type == TPM_PUBLIC_RSA ? read_rsa(in, p, ret_why) : read_ecc(in, p, ret_why);
}

int tpm_public_parse(const void *tpm2b, size_t size, struct tpm_public *ret, struct why *ret_why)
{
	struct buf_reader outer = buf_reader_of(tpm2b, size), in;
	struct tpm_public p = {0};
	int r;

	if (buf_read_sized16be(&outer, TPM_PUBLIC_MAX, &p.area) < 0)
		return short_of(ret_why, "the whole");
	if (buf_left(&outer) > 0)
		return why_set(ret_why, -EBADMSG, "TPM public area: %zu bytes follow it",
			       buf_left(&outer));
	in = buf_reader_of(p.area.data, p.area.size);
	r = read_area(&in, &p, ret_why);
	if (r < 0)
		return r;
	if (buf_left(&in) > 0)
		return why_set(ret_why, -EBADMSG, "TPM public area: %zu bytes too many",
			       buf_left(&in));
	*ret = p;
	return 0;
}

static EVP_PKEY *from_params(const char *type, OSSL_PARAM_BLD *bld)
{
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *pkey = NULL;

	if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
		pkey = NULL;
	OSSL_PARAM_free(params);
	EVP_PKEY_CTX_free(ctx);
	return pkey;
}

static EVP_PKEY *rsa_key(const struct tpm_public *p)
{
	BIGNUM *n = BN_bin2bn(p->x.data, (int)p->x.size, NULL), *e = BN_new();
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	EVP_PKEY *pkey = NULL;

	if (n && e && bld && BN_set_word(e, p->exponent ? p->exponent : 65537) == 1 &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, e) == 1)
		pkey = from_params("RSA", bld);
	OSSL_PARAM_BLD_free(bld);
	BN_free(n);
	BN_free(e);
	return pkey;
}

/*
 * To make a key of a point takes half as long as to verify a signature by it, and a verifier has the same two points of a node in each
 * piece of its evidence. So each thread keeps keys by their points; whoever comes to the same slot takes it.
 */
#define MEMO_SLOTS 4096u
#define MAX_POINT (1 + 2 * 48)

struct memo {
	struct memo_slot {
		EVP_PKEY *key; /* NULL: empty */
		uint8_t point[MAX_POINT]; /* zeros behind a shorter one: its size is its curve's */
	} slots[MEMO_SLOTS];
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t kept;
static int kept_error;

static void free_memo(void *memo)
{
	struct memo *m = memo;

	for (uint32_t i = 0; i < MEMO_SLOTS; i++)
		EVP_PKEY_free(m->slots[i].key);
	free(m);
}

static void make_kept(void)
{
	kept_error = pthread_key_create(&kept, free_memo);
}

/* NULL: nothing can be kept; then each key is made anew. */
static struct memo_slot *slot_of(const uint8_t point[MAX_POINT])
{
	struct memo *m;
	uint32_t at;

	if (pthread_once(&once, make_kept) != 0 || kept_error)
		return NULL;
	m = pthread_getspecific(kept);
	if (!m) {
		m = calloc(1, sizeof(*m));
		if (!m || pthread_setspecific(kept, m) != 0) {
			free(m);
			return NULL;
		}
	}
	memcpy(&at, point + 1, sizeof(at));
	return &m->slots[at % MEMO_SLOTS];
}

/* OpenSSL checks that the point lies on the curve. */
static EVP_PKEY *make_ecc_key(const uint8_t *point, size_t width)
{
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	EVP_PKEY *pkey = NULL;

	if (bld &&
	    OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME,
					    width == 32 ? "P-256" : "P-384", 0) == 1 &&
	    OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * width) ==
		    1)
		pkey = from_params("EC", bld);
	OSSL_PARAM_BLD_free(bld);
	return pkey;
}

void tpm_public_point(const struct tpm_public *p, uint8_t *ret)
{
	size_t width = p->curve == TPM_PUBLIC_P256 ? 32 : 48;

	/* A TPM may leave out leading zeros. */
	memset(ret, 0, 1 + 2 * width);
	ret[0] = 4;
	memcpy(ret + 1 + width - p->x.size, p->x.data, p->x.size);
	memcpy(ret + 1 + 2 * width - p->y.size, p->y.data, p->y.size);
}

static EVP_PKEY *ecc_key(const struct tpm_public *p)
{
	size_t width = p->curve == TPM_PUBLIC_P256 ? 32 : 48;
	uint8_t point[MAX_POINT] = {0};
	struct memo_slot *slot;
	EVP_PKEY *pkey;

	tpm_public_point(p, point);
	slot = slot_of(point);
	/* A point of P-384 that ends in 32 zeros is not taken for one of P-256: the key itself says its curve. */
	if (slot && slot->key && memcmp(slot->point, point, sizeof(point)) == 0 &&
	    EVP_PKEY_get_bits(slot->key) == (int)width * 8 && EVP_PKEY_up_ref(slot->key) == 1)
		return slot->key;
	pkey = make_ecc_key(point, width);
	if (slot && pkey && EVP_PKEY_up_ref(pkey) == 1) {
		EVP_PKEY_free(slot->key);
		slot->key = pkey;
		memcpy(slot->point, point, sizeof(point));
	}
	return pkey;
}

int tpm_public_evp(const struct tpm_public *p, EVP_PKEY **ret, struct why *ret_why)
{
	size_t width = p->curve == TPM_PUBLIC_P384 ? 48 : 32;
	EVP_PKEY *pkey;

	if (p->type == TPM_PUBLIC_RSA) {
		if (p->bits != 2048)
			return why_set(ret_why, -EKEYREJECTED, "RSA key of %u bits", p->bits);
		/* Other exponents are legal in TPMs and unused: nothing is lost by refusing them. */
		if (p->exponent != 0 && p->exponent != 65537)
			return why_set(ret_why, -EKEYREJECTED, "RSA exponent %u", p->exponent);
		if (!(p->x.data[0] & 0x80) || !(p->x.data[p->x.size - 1] & 1))
			return why_set(ret_why, -EKEYREJECTED, "RSA modulus is no modulus");
		pkey = rsa_key(p);
	} else {
		if (p->curve != TPM_PUBLIC_P256 && p->curve != TPM_PUBLIC_P384)
			return why_set(ret_why, -EKEYREJECTED, "ECC curve %#x", p->curve);
		if (p->x.size == 0 || p->x.size > width || p->y.size == 0 || p->y.size > width)
			return why_set(ret_why, -EKEYREJECTED, "ECC point of a wrong size");
		pkey = ecc_key(p);
	}
	ERR_clear_error();
	if (!pkey)
		return why_set(ret_why, -EKEYREJECTED, "%s",
			       p->type == TPM_PUBLIC_RSA ? "RSA key cannot be used"
							 : "ECC point is not on its curve");
	*ret = pkey;
	return 0;
}

int tpm_public_key_id(const void *tpm2b, size_t size, struct digest *ret, struct why *ret_why)
{
	unsigned char *spki = NULL;
	struct tpm_public p;
	EVP_PKEY *pkey;
	int n, r = tpm_public_parse(tpm2b, size, &p, ret_why);

	if (r >= 0)
		r = tpm_public_evp(&p, &pkey, ret_why);
	if (r < 0)
		return r;
	n = i2d_PUBKEY(pkey, &spki);
	r = n > 0 ? digest_sha256(spki, (size_t)n, ret) : -EIO;
	OPENSSL_free(spki);
	EVP_PKEY_free(pkey);
	ERR_clear_error();
	return r;
}
