/* SPDX-License-Identifier: Apache-2.0 */
#include "quote.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

#include "cleanup.h"
#include "tpm_public.h"

#define DOMAIN "plumb-quote-v1"
#define MAGIC 0xff544347u /* TPM_GENERATED_VALUE */
#define TYPE_CERTIFY 0x8017
#define TYPE_QUOTE 0x8018
#define MAX_NAME 66
#define MAX_CHECKPOINT 4096

DEFINE_CLEANUP(struct sign_key *, sign_key_free);

static void put_u64_field(struct buf *b, uint64_t v)
{
	buf_put_u32be(b, 8);
	buf_put_u64be(b, v);
}

int quote_qualifying_data(const struct quote_binding *b, struct digest *ret)
{
	CLEANUP(buf_done) struct buf text = {.max = 16384};
	int r;

	if (b->nonce.size != 32 || !b->node || strlen(b->node) != 64 || !b->checkpoint ||
	    strlen(b->checkpoint) > MAX_CHECKPOINT)
		return -EINVAL;
	buf_puts(&text, DOMAIN);
	buf_put_sized(&text, b->nonce.data, b->nonce.size);
	buf_put_sized(&text, b->node, strlen(b->node));
	put_u64_field(&text, b->incarnation);
	buf_put_sized(&text, b->checkpoint, strlen(b->checkpoint));
	buf_put_sized(&text, b->boot_log.bytes, DIGEST_SIZE);
	put_u64_field(&text, b->ima_cursor);
	put_u64_field(&text, b->baseline_version);
	put_u64_field(&text, b->last_order);
	buf_put_sized(&text, b->client_key.bytes, DIGEST_SIZE);
	r = buf_status(&text);
	return r < 0 ? r : digest_sha256(text.data, text.size, ret);
}

int quote_public_digest(const void *tpm2b_public, size_t size, struct digest *ret,
			struct why *ret_why)
{
	struct tpm_public p;
	int r = tpm_public_parse(tpm2b_public, size, &p, ret_why);

	return r < 0 ? r : digest_sha256(p.area.data, p.area.size, ret);
}

static int name_of(const struct tpm_public *p, uint8_t ret_name[34], struct why *ret_why)
{
	struct digest d;
	int r;

	if (p->name_alg != TPM_PUBLIC_SHA256)
		return why_set(ret_why, -EKEYREJECTED, "name algorithm %#x is not SHA-256",
			       p->name_alg);
	r = digest_sha256(p->area.data, p->area.size, &d);
	if (r < 0)
		return r;
	ret_name[0] = TPM_PUBLIC_SHA256 >> 8;
	ret_name[1] = TPM_PUBLIC_SHA256 & 0xff;
	memcpy(ret_name + 2, d.bytes, DIGEST_SIZE);
	return 0;
}

int quote_public_name(const void *tpm2b_public, size_t size, uint8_t ret_name[34],
		      struct why *ret_why)
{
	struct tpm_public p;
	int r = tpm_public_parse(tpm2b_public, size, &p, ret_why);

	return r < 0 ? r : name_of(&p, ret_name, ret_why);
}

static int key_of(const struct tpm_public *p, struct sign_key **ret, struct why *ret_why)
{
	uint8_t point[65];
	EVP_PKEY *pkey;
	int r = tpm_public_evp(p, &pkey, ret_why);

	if (r < 0)
		return r;
	if (p->type == TPM_PUBLIC_ECC && p->curve == TPM_PUBLIC_P256) {
		tpm_public_point(p, point);
		r = sign_key_from_p256(pkey, point, ret);
	} else {
		r = sign_key_from_evp(pkey, ret);
	}
	EVP_PKEY_free(pkey);
	return r < 0 ? why_set(ret_why, r, "key is neither P-256 nor RSA-2048") : 0;
}

int quote_public_key(const void *tpm2b_public, size_t size, struct sign_key **ret,
		     struct why *ret_why)
{
	struct tpm_public p;
	int r = tpm_public_parse(tpm2b_public, size, &p, ret_why);

	return r < 0 ? r : key_of(&p, ret, ret_why);
}

struct wanted {
	uint32_t bit;
	bool set;
	const char *name;
};

static int check_attributes(const struct tpm_public *p, const struct wanted *w, size_t n,
			    const char *key, struct why *ret_why)
{
	for (size_t i = 0; i < n; i++)
		if (!(p->attributes & w[i].bit) == w[i].set)
			return why_set(ret_why, -EKEYREJECTED, "%s: attribute %s is %s", key,
				       w[i].name, w[i].set ? "not set" : "set");
	return 0;
}

static int check_signing_key(const void *tpm2b_public, size_t size, bool restricted,
			     const char *key, struct why *ret_why)
{
	const struct wanted wanted[] = {
		{TPM_PUBLIC_RESTRICTED, restricted, "restricted"},
		{TPM_PUBLIC_SIGN, true, "sign"},
		{TPM_PUBLIC_DECRYPT, false, "decrypt"},
		{TPM_PUBLIC_FIXED_TPM, true, "fixedTPM"},
		{TPM_PUBLIC_FIXED_PARENT, true, "fixedParent"},
		{TPM_PUBLIC_DATA_ORIGIN, true, "sensitiveDataOrigin"},
		{TPM_PUBLIC_NO_DA, true, "noDA"},
	};
	CLEANUP(sign_key_free_p) struct sign_key *k = NULL;
	struct tpm_public p;
	int r = tpm_public_parse(tpm2b_public, size, &p, ret_why);

	if (r < 0)
		return r;
	r = check_attributes(&p, wanted, ARRAY_SIZE(wanted), key, ret_why);
	if (r < 0)
		return r;
	if (p.name_alg != TPM_PUBLIC_SHA256)
		return why_set(ret_why, -EKEYREJECTED, "%s: name algorithm is not SHA-256", key);
	if (p.type != TPM_PUBLIC_ECC || p.curve != TPM_PUBLIC_P256)
		return why_set(ret_why, -EKEYREJECTED, "%s: not an ECC P-256 key", key);
	if (p.scheme != TPM_PUBLIC_ECDSA || p.scheme_hash != TPM_PUBLIC_SHA256)
		return why_set(ret_why, -EKEYREJECTED, "%s: scheme is not ECDSA with SHA-256", key);
	return key_of(&p, &k, ret_why);
}

int quote_check_ak(const void *tpm2b_public, size_t size, struct why *ret_why)
{
	return check_signing_key(tpm2b_public, size, true, "AK", ret_why);
}

int quote_check_event_key(const void *tpm2b_public, size_t size, struct why *ret_why)
{
	return check_signing_key(tpm2b_public, size, false, "event key", ret_why);
}

/* TCG EK Credential Profile: PolicySecret(endorsement) of the L templates, and PolicyB of the SHA-384 ones. */
static const uint8_t policy_l[32] = {0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8,
				     0x1a, 0x90, 0xcc, 0x8d, 0x46, 0xa5, 0xd7, 0x24,
				     0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52, 0x0b, 0x64,
				     0xf2, 0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa};
static const uint8_t policy_b384[48] = {0xb2, 0x6e, 0x7d, 0x28, 0xd1, 0x1a, 0x50, 0xbc, 0x53, 0xd8,
					0x82, 0xbc, 0xf5, 0xfd, 0x3a, 0x1a, 0x07, 0x41, 0x48, 0xbb,
					0x35, 0xd3, 0xb4, 0xe4, 0xcb, 0x1c, 0x0a, 0xd9, 0xbd, 0xe4,
					0x19, 0xca, 0xcb, 0x47, 0xba, 0x09, 0x69, 0x96, 0x46, 0x15,
					0x0f, 0x9f, 0xc0, 0x00, 0xf3, 0xf8, 0x0e, 0x12};

#define EK_ATTRIBUTES                                                              \
	(TPM_PUBLIC_FIXED_TPM | TPM_PUBLIC_FIXED_PARENT | TPM_PUBLIC_DATA_ORIGIN | \
	 TPM_PUBLIC_ADMIN_WITH_POLICY | TPM_PUBLIC_RESTRICTED | TPM_PUBLIC_DECRYPT)

/*
 * The area's digest is the node's id, and neither the maker's certificate nor the credential hangs on more of it than the key: whatever
 * could be otherwise than in the template would be another name for the same TPM.
 */
int quote_check_ek(const void *tpm2b_public, size_t size, struct why *ret_why)
{
	EVP_PKEY *pkey;
	struct tpm_public p;
	uint32_t attributes;
	bool large;
	int r = tpm_public_parse(tpm2b_public, size, &p, ret_why);

	if (r < 0)
		return r;
	large = p.type == TPM_PUBLIC_ECC && p.curve == TPM_PUBLIC_P384;
	attributes = EK_ATTRIBUTES | (large ? TPM_PUBLIC_USER_WITH_AUTH : 0);
	if (p.attributes != attributes)
		return why_set(ret_why, -EKEYREJECTED,
			       "EK: attributes %#x are not the template's, %#x", p.attributes,
			       attributes);
	if (p.name_alg != (large ? TPM_PUBLIC_SHA384 : TPM_PUBLIC_SHA256))
		return why_set(ret_why, -EKEYREJECTED, "EK: name algorithm %#x", p.name_alg);
	if (p.policy.size != (large ? sizeof(policy_b384) : sizeof(policy_l)) ||
	    memcmp(p.policy.data, large ? policy_b384 : policy_l, p.policy.size) != 0)
		return why_set(ret_why, -EKEYREJECTED, "EK: policy is not the template's");
	if (p.symmetric != TPM_PUBLIC_AES || p.symmetric_mode != TPM_PUBLIC_CFB ||
	    p.symmetric_bits != (large ? 256 : 128) || p.scheme != TPM_PUBLIC_NULL)
		return why_set(ret_why, -EKEYREJECTED, "EK: algorithms are not the template's");
	if (p.type == TPM_PUBLIC_RSA && p.exponent != 0)
		return why_set(ret_why, -EKEYREJECTED,
			       "EK: exponent %u is not the template's, 0 for 65537", p.exponent);
	r = tpm_public_evp(&p, &pkey, ret_why);
	if (r < 0)
		return r;
	EVP_PKEY_free(pkey);
	return 0;
}

/* r or s of a TPMS_SIGNATURE_ECC: at most 32 bytes, leading zeros may be missing. */
static int read_scalar(struct buf_reader *in, uint8_t ret[32])
{
	struct buf_view v;

	if (buf_read_sized16be(in, 32, &v) < 0 || v.size == 0)
		return -EBADMSG;
	memset(ret, 0, 32);
	memcpy(ret + 32 - v.size, v.data, v.size);
	return 0;
}

static int signature_bytes(const void *sig, size_t sig_size, uint16_t scheme, struct buf *ret,
			   struct why *ret_why)
{
	struct buf_reader in = buf_reader_of(sig, sig_size);
	uint16_t alg, hash;
	struct buf_view rsa;
	uint8_t rs[64];

	if (buf_read_u16be(&in, &alg) < 0 || buf_read_u16be(&in, &hash) < 0)
		return why_set(ret_why, -EBADMSG, "TPM signature: cut short");
	if (alg != scheme || hash != TPM_PUBLIC_SHA256)
		return why_set(ret_why, -EBADMSG,
			       "TPM signature: algorithm %#x with hash %#x, expected %#x with %#x",
			       alg, hash, scheme, TPM_PUBLIC_SHA256);
	if (scheme == TPM_PUBLIC_ECDSA) {
		if (read_scalar(&in, rs) < 0 || read_scalar(&in, rs + 32) < 0)
			return why_set(ret_why, -EBADMSG, "TPM signature: r or s of a wrong size");
	} else if (buf_read_sized16be(&in, 256, &rsa) < 0 || rsa.size != 256) {
		return why_set(ret_why, -EBADMSG, "TPM signature: not of 256 bytes");
	}
	if (buf_left(&in) > 0)
		return why_set(ret_why, -EBADMSG, "TPM signature: %zu bytes too many",
			       buf_left(&in));
	if (scheme == TPM_PUBLIC_ECDSA)
		return sign_p256_to_der(rs, ret);
	buf_put(ret, rsa.data, rsa.size);
	return buf_status(ret);
}

int quote_signature_der(const void *sig, size_t sig_size, struct buf *ret, struct why *ret_why)
{
	return signature_bytes(sig, sig_size, TPM_PUBLIC_ECDSA, ret, ret_why);
}

/* What a quote and a certification have in common: the whole attest up to its type's own part, where `in` stands then. */
struct attest {
	struct buf_reader in;
	struct quote_info info;
};

/*
 * A key that is not restricted signs anything, also bytes that look like an attest. Enrolment has looked at more than this
 * (quote_check_ak); this much is looked at each time, since all the rest hangs on it.
 */
static int check_signature(const void *attest, size_t size, const void *sig, size_t sig_size,
			   const void *ak, size_t ak_size, struct why *ret_why)
{
	static const struct wanted wanted[] = {
		{TPM_PUBLIC_RESTRICTED, true, "restricted"},
		{TPM_PUBLIC_SIGN, true, "sign"},
		{TPM_PUBLIC_DECRYPT, false, "decrypt"},
		{TPM_PUBLIC_FIXED_TPM, true, "fixedTPM"},
	};
	CLEANUP(sign_key_free_p) struct sign_key *k = NULL;
	CLEANUP(buf_done) struct buf bytes = {.max = 512};
	struct tpm_public p;
	int r = tpm_public_parse(ak, ak_size, &p, ret_why);

	if (r < 0)
		return r;
	r = check_attributes(&p, wanted, ARRAY_SIZE(wanted), "AK", ret_why);
	if (r < 0)
		return r;
	r = key_of(&p, &k, ret_why);
	if (r < 0)
		return r;
	if (p.scheme != (sign_key_kind(k) == SIGN_RSA ? TPM_PUBLIC_RSASSA : TPM_PUBLIC_ECDSA) ||
	    p.scheme_hash != TPM_PUBLIC_SHA256)
		return why_set(ret_why, -EKEYREJECTED, "AK: scheme %#x with hash %#x", p.scheme,
			       p.scheme_hash);
	r = signature_bytes(sig, sig_size, p.scheme, &bytes, ret_why);
	if (r < 0)
		return r;
	r = sign_check(k, attest, size, bytes.data, bytes.size);
	return r < 0 ? why_set(ret_why, r, "attest: signature is not the AK's") : 0;
}

static int read_info(struct buf_reader *in, struct quote_info *ret)
{
	uint8_t safe;

	if (buf_read_u64be(in, &ret->clock_ms) < 0 || buf_read_u32be(in, &ret->reset_count) < 0 ||
	    buf_read_u32be(in, &ret->restart_count) < 0 || buf_read_u8(in, &safe) < 0 ||
	    buf_read_u64be(in, &ret->firmware) < 0 || safe > 1)
		return -EBADMSG;
	ret->safe = safe;
	return 0;
}

static int check_head(struct buf_reader *in, uint16_t type, struct why *ret_why)
{
	uint32_t magic;
	uint16_t have;

	if (buf_read_u32be(in, &magic) < 0 || buf_read_u16be(in, &have) < 0)
		return why_set(ret_why, -EBADMSG, "attest: cut short");
	if (magic != MAGIC)
		return why_set(ret_why, -EBADMSG, "attest: magic %#x", magic);
	if (have != type)
		return why_set(ret_why, -EBADMSG, "attest: type %#x, expected %#x", have, type);
	return 0;
}

/* In the header's order: nothing after the type is looked at before the signature holds. */
static int check_attest(const struct buf_view *attest, const struct buf_view *sig,
			const struct buf_view *ak, const struct digest *qualifying, uint16_t type,
			struct attest *ret, struct why *ret_why)
{
	struct buf_view signer, extra;
	int r;

	if (attest->size > QUOTE_MAX_BLOB || sig->size > QUOTE_MAX_BLOB ||
	    ak->size > QUOTE_MAX_BLOB)
		return why_set(ret_why, -E2BIG, "attest, signature or AK is too large");
	ret->in = buf_reader_of(attest->data, attest->size);
	r = check_head(&ret->in, type, ret_why);
	if (r < 0)
		return r;
	r = check_signature(attest->data, attest->size, sig->data, sig->size, ak->data, ak->size,
			    ret_why);
	if (r < 0)
		return r;
	if (buf_read_sized16be(&ret->in, MAX_NAME, &signer) < 0 ||
	    buf_read_sized16be(&ret->in, MAX_NAME, &extra) < 0)
		return why_set(ret_why, -EBADMSG, "attest: signer or extra data cut short");
	if (extra.size != DIGEST_SIZE || memcmp(extra.data, qualifying->bytes, DIGEST_SIZE) != 0)
		return why_set(ret_why, -EBADMSG, "attest: is bound to other qualifying data");
	if (read_info(&ret->in, &ret->info) < 0)
		return why_set(ret_why, -EBADMSG, "attest: clock cut short");
	return 0;
}

static int read_selection(struct buf_reader *in, uint32_t *ret_mask, struct why *ret_why)
{
	struct buf_view bits;
	uint32_t count;
	uint16_t hash;
	uint8_t size;

	if (buf_read_u32be(in, &count) < 0)
		return why_set(ret_why, -EBADMSG, "quote: PCR selection cut short");
	if (count != 1)
		return why_set(ret_why, -EBADMSG, "quote: covers %u banks, expected SHA-256 alone",
			       count);
	if (buf_read_u16be(in, &hash) < 0 || buf_read_u8(in, &size) < 0 ||
	    buf_read_bytes(in, size, &bits) < 0)
		return why_set(ret_why, -EBADMSG, "quote: PCR selection cut short");
	if (hash != TPM_PUBLIC_SHA256)
		return why_set(ret_why, -EBADMSG, "quote: covers bank %#x, expected SHA-256", hash);
	if (size != QUOTE_N_PCRS / 8)
		return why_set(ret_why, -EBADMSG, "quote: PCR selection of %u bytes", size);
	*ret_mask = bits.data[0] | (uint32_t)bits.data[1] << 8 | (uint32_t)bits.data[2] << 16;
	return 0;
}

static int check_pcrs(struct buf_reader *in, const struct quote_pcrs *pcrs, struct why *ret_why)
{
	struct buf_view parts[QUOTE_N_PCRS], have;
	struct digest want;
	uint32_t mask = 0;
	size_t n = 0;
	int r = read_selection(in, &mask, ret_why);

	if (r < 0)
		return r;
	if (mask != pcrs->mask)
		return why_set(ret_why, -EBADMSG, "quote: covers PCRs %#x, expected %#x", mask,
			       pcrs->mask);
	for (unsigned int i = 0; i < QUOTE_N_PCRS; i++)
		if (mask & (1u << i))
			parts[n++] = (struct buf_view){pcrs->values[i].bytes, DIGEST_SIZE};
	r = digest_sha256_parts(parts, n, &want);
	if (r < 0)
		return r;
	if (buf_read_sized16be(in, 64, &have) < 0 || buf_left(in) > 0)
		return why_set(ret_why, -EBADMSG, "quote: PCR digest cut short or too long");
	if (have.size != DIGEST_SIZE || memcmp(have.data, want.bytes, DIGEST_SIZE) != 0)
		return why_set(ret_why, -EBADMSG, "quote: PCR values are not those quoted");
	return 0;
}

int quote_check(const void *attest, size_t attest_size, const void *sig, size_t sig_size,
		const void *ak, size_t ak_size, const struct digest *qualifying,
		const struct quote_pcrs *pcrs, struct quote_info *ret, struct why *ret_why)
{
	const struct buf_view a = {attest, attest_size}, s = {sig, sig_size}, k = {ak, ak_size};
	struct attest opened;
	int r;

	/* Without any PCR the quote says nothing, and all would seem well. */
	if (pcrs->mask == 0 || pcrs->mask >> QUOTE_N_PCRS)
		return why_set(ret_why, -EINVAL, "quote: PCR mask %#x", pcrs->mask);
	r = check_attest(&a, &s, &k, qualifying, TYPE_QUOTE, &opened, ret_why);
	if (r < 0)
		return r;
	r = check_pcrs(&opened.in, pcrs, ret_why);
	if (r < 0)
		return r;
	*ret = opened.info;
	return 0;
}

int quote_check_certify(const void *attest, size_t attest_size, const void *sig, size_t sig_size,
			const void *ak, size_t ak_size, const void *event_public, size_t event_size,
			const struct digest *qualifying, struct quote_info *ret,
			struct why *ret_why)
{
	const struct buf_view a = {attest, attest_size}, s = {sig, sig_size}, k = {ak, ak_size};
	struct buf_view name, qualified;
	struct attest opened;
	uint8_t want[34];
	int r = check_attest(&a, &s, &k, qualifying, TYPE_CERTIFY, &opened, ret_why);

	if (r < 0)
		return r;
	r = quote_public_name(event_public, event_size, want, ret_why);
	if (r < 0)
		return r;
	if (buf_read_sized16be(&opened.in, MAX_NAME, &name) < 0 ||
	    buf_read_sized16be(&opened.in, MAX_NAME, &qualified) < 0 || buf_left(&opened.in) > 0)
		return why_set(ret_why, -EBADMSG, "certification: names cut short or too long");
	if (name.size != sizeof(want) || memcmp(name.data, want, sizeof(want)) != 0)
		return why_set(ret_why, -EBADMSG, "certification: is of another key");
	*ret = opened.info;
	return 0;
}
