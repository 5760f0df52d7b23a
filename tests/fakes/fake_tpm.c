/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_tpm.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sign.h"

#define AK_ATTRIBUTES 0x00050472u /* restricted sign, noDA */
#define EVENT_ATTRIBUTES 0x00040472u /* sign, noDA */
#define EK_ATTRIBUTES 0x000300b2u

struct fake_tpm {
	struct tpm door;
	struct fake_tpm_faults faults;
	struct fake_tpm_counts counts;
	struct quote_pcrs pcrs;
	struct tpm_clock clock;
	struct sign_key *ek, *ak, *event;
};

static const uint8_t policy_l[32] = {0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8,
				     0x1a, 0x90, 0xcc, 0x8d, 0x46, 0xa5, 0xd7, 0x24,
				     0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52, 0x0b, 0x64,
				     0xf2, 0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa};

static int begin(struct fake_tpm *f)
{
	if (f->faults.delay_us)
		usleep(f->faults.delay_us);
	if (f->faults.fail)
		return f->faults.fail;
	if (f->faults.busy) {
		f->faults.busy--;
		return -EBUSY;
	}
	return 0;
}

/* 4 ‖ x ‖ y */
static int point_of(const struct sign_key *k, uint8_t ret[65])
{
	size_t size = 0;

	return EVP_PKEY_get_octet_string_param(sign_key_evp(k), OSSL_PKEY_PARAM_PUB_KEY, ret, 65,
					       &size) == 1 &&
			       size == 65
		       ? 0
		       : -EIO;
}

/* TPM2B_PUBLIC of a P-256 key; the EK with its template's policy and cipher. */
static int put_public(const struct sign_key *k, uint32_t attributes, struct buf *ret)
{
	struct buf area = {.max = 512};
	uint8_t point[65];
	int r = point_of(k, point);

	if (r < 0)
		return r;
	buf_put_u16be(&area, 0x0023);
	buf_put_u16be(&area, 0x000b);
	buf_put_u32be(&area, attributes);
	if (attributes == EK_ATTRIBUTES) {
		buf_put_u16be(&area, sizeof(policy_l));
		buf_put(&area, policy_l, sizeof(policy_l));
		buf_put_u16be(&area, 0x0006);
		buf_put_u16be(&area, 128);
		buf_put_u16be(&area, 0x0043);
		buf_put_u16be(&area, 0x0010);
	} else {
		buf_put_u16be(&area, 0);
		buf_put_u16be(&area, 0x0010);
		buf_put_u16be(&area, 0x0018);
		buf_put_u16be(&area, 0x000b);
	}
	buf_put_u16be(&area, 0x0003);
	buf_put_u16be(&area, 0x0010);
	buf_put_u16be(&area, 32);
	buf_put(&area, point + 1, 32);
	buf_put_u16be(&area, 32);
	buf_put(&area, point + 33, 32);
	buf_put_u16be(ret, (uint16_t)area.size);
	buf_put(ret, area.data, area.size);
	buf_done(&area);
	return buf_status(ret);
}

static int name_of(const struct sign_key *k, uint32_t attributes, uint8_t ret[34])
{
	struct buf public = {.max = 512};
	int r = put_public(k, attributes, &public);

	if (r >= 0)
		r = quote_public_name(public.data, public.size, ret, NULL);
	buf_done(&public);
	return r;
}

/* The name of the path: H(H(endorsement ‖ EK's name) ‖ key's name), each with its algorithm before it. */
static int qualified_name(const struct fake_tpm *f, const uint8_t name[34], uint8_t ret[34])
{
	static const uint8_t endorsement[4] = {0x40, 0x00, 0x00, 0x0b};
	uint8_t ek[34], parent[34] = {0x00, 0x0b};
	const struct buf_view first[] = {{endorsement, 4}, {ek, 34}};
	const struct buf_view second[] = {{parent, 34}, {name, 34}};
	struct digest d;
	int r = name_of(f->ek, EK_ATTRIBUTES, ek);

	if (r >= 0)
		r = digest_sha256_parts(first, 2, &d);
	if (r < 0)
		return r;
	memcpy(parent + 2, d.bytes, 32);
	r = digest_sha256_parts(second, 2, &d);
	if (r < 0)
		return r;
	memcpy(ret, parent, 2);
	memcpy(ret + 2, d.bytes, 32);
	return 0;
}

/* TPMT_SIGNATURE over a digest. */
static int put_signature(const struct sign_key *k, const struct digest *d, struct buf *ret)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(sign_key_evp(k), NULL);
	uint8_t der[128], rs[64];
	size_t size = sizeof(der);
	int r = -EIO;

	if (ctx && EVP_PKEY_sign_init(ctx) == 1 &&
	    EVP_PKEY_sign(ctx, der, &size, d->bytes, 32) == 1)
		r = sign_p256_from_der(der, size, rs);
	EVP_PKEY_CTX_free(ctx);
	if (r < 0)
		return r;
	buf_put_u16be(ret, 0x0018);
	buf_put_u16be(ret, 0x000b);
	buf_put_u16be(ret, 32);
	buf_put(ret, rs, 32);
	buf_put_u16be(ret, 32);
	buf_put(ret, rs + 32, 32);
	return buf_status(ret);
}

static int begin_attest(const struct fake_tpm *f, uint16_t type, const struct digest *qualifying,
			struct buf *ret)
{
	uint8_t ak[34], signer[34];
	int r = name_of(f->ak, AK_ATTRIBUTES, ak);

	if (r >= 0)
		r = qualified_name(f, ak, signer);
	if (r < 0)
		return r;
	buf_put_u32be(ret, 0xff544347);
	buf_put_u16be(ret, type);
	buf_put_u16be(ret, 34);
	buf_put(ret, signer, 34);
	buf_put_u16be(ret, 32);
	buf_put(ret, qualifying->bytes, 32);
	buf_put_u64be(ret, f->clock.clock_ms);
	buf_put_u32be(ret, f->clock.reset_count);
	buf_put_u32be(ret, f->clock.restart_count);
	buf_put_u8(ret, 1);
	buf_put_u64be(ret, 0x2026010100000000);
	return buf_status(ret);
}

static int end_attest(const struct fake_tpm *f, const struct buf *attest, struct buf *ret_sig)
{
	struct digest d;
	int r = buf_status(attest);

	if (r >= 0)
		r = digest_sha256(attest->data, attest->size, &d);
	return r < 0 ? r : put_signature(f->ak, &d, ret_sig);
}

static int fake_read_clock(void *ctx, struct tpm_clock *ret)
{
	struct fake_tpm *f = ctx;
	int r = begin(f);

	if (r >= 0)
		*ret = f->clock;
	return r;
}

static int fake_pcr_read(void *ctx, uint32_t mask, struct quote_pcrs *ret)
{
	struct fake_tpm *f = ctx;
	int r = begin(f);

	if (r < 0)
		return r;
	if (f->faults.busy_read) {
		f->faults.busy_read--;
		return -EBUSY;
	}
	if (mask == 0 || mask >> QUOTE_N_PCRS)
		return -EINVAL;
	f->counts.reads++;
	*ret = (struct quote_pcrs){.mask = mask};
	for (unsigned int i = 0; i < QUOTE_N_PCRS; i++)
		if (mask & (1u << i))
			ret->values[i] = f->pcrs.values[i];
	return 0;
}

static int fake_pcr_extend(void *ctx, uint32_t index, const struct digest *digest)
{
	struct fake_tpm *f = ctx;
	struct buf_view parts[2];
	int r = begin(f);

	if (r < 0)
		return r;
	if (index >= QUOTE_N_PCRS)
		return -EINVAL;
	parts[0] = (struct buf_view){f->pcrs.values[index].bytes, 32};
	parts[1] = (struct buf_view){digest->bytes, 32};
	f->counts.extends++;
	return digest_sha256_parts(parts, 2, &f->pcrs.values[index]);
}

static int fake_ek_public(void *ctx, struct buf *ret_public, struct buf *ret_cert)
{
	struct fake_tpm *f = ctx;
	int r = begin(f);

	(void)ret_cert;
	return r < 0 ? r : put_public(f->ek, EK_ATTRIBUTES, ret_public);
}

/* Both private keys in PEM, the second after a NUL. */
static int make_keys(struct fake_tpm *f, struct buf *blobs)
{
	int r = sign_key_generate(SIGN_P256, &f->ak);

	if (r >= 0)
		r = sign_key_generate(SIGN_P256, &f->event);
	if (r >= 0)
		r = sign_key_private_pem(f->ak, blobs);
	buf_put_u8(blobs, 0);
	return r < 0 ? r : sign_key_private_pem(f->event, blobs);
}

static int load_keys(struct fake_tpm *f, const struct buf *blobs)
{
	const char *text = (const char *)blobs->data;
	size_t first = strnlen(text, blobs->size);

	if (first == blobs->size || sign_key_from_pem(text, first, &f->ak, NULL) < 0 ||
	    sign_key_from_pem(text + first + 1, blobs->size - first - 1, &f->event, NULL) < 0)
		return -EKEYREJECTED;
	return 0;
}

static int fake_keys_open(void *ctx, struct buf *blobs, struct buf *ret_ak_public,
			  struct buf *ret_event_public)
{
	struct fake_tpm *f = ctx;
	int r = begin(f);

	if (r < 0)
		return r;
	f->ak = sign_key_free(f->ak);
	f->event = sign_key_free(f->event);
	r = blobs->size == 0 ? make_keys(f, blobs) : load_keys(f, blobs);
	if (r >= 0)
		r = put_public(f->ak, AK_ATTRIBUTES, ret_ak_public);
	return r < 0 ? r : put_public(f->event, EVENT_ATTRIBUTES, ret_event_public);
}

static int fake_certify_event(void *ctx, const struct digest *qualifying, struct buf *ret_attest,
			      struct buf *ret_sig)
{
	struct fake_tpm *f = ctx;
	uint8_t name[34], path[34];
	int r = begin(f);

	if (r < 0)
		return r;
	if (!f->ak)
		return -EINVAL;
	r = begin_attest(f, 0x8017, qualifying, ret_attest);
	if (r >= 0)
		r = name_of(f->event, EVENT_ATTRIBUTES, name);
	if (r >= 0)
		r = qualified_name(f, name, path);
	if (r < 0)
		return r;
	buf_put_u16be(ret_attest, 34);
	buf_put(ret_attest, name, 34);
	buf_put_u16be(ret_attest, 34);
	buf_put(ret_attest, path, 34);
	return end_attest(f, ret_attest, ret_sig);
}

/* HMAC(seed, 1 ‖ label ‖ 0 ‖ context ‖ bits) */
static void kdfa(const uint8_t seed[32], const char *label, const uint8_t *context,
		 size_t context_size, uint32_t bits, uint8_t ret[32])
{
	struct buf text = {.max = 256};

	buf_put_u32be(&text, 1);
	buf_put(&text, label, strlen(label) + 1);
	buf_put(&text, context, context_size);
	buf_put_u32be(&text, bits);
	HMAC(EVP_sha256(), seed, 32, text.data, text.size, ret, NULL);
	buf_done(&text);
}

/* The seed out of the ephemeral point: Z by ECDH with the EK, then KDFe. */
static int open_seed(const struct fake_tpm *f, const void *secret, size_t size, uint8_t ret[32])
{
	struct buf_reader in = buf_reader_of(secret, size), inner;
	struct buf_view all, x, y;
	uint8_t point[65] = {4}, own[65], z[32];
	EVP_PKEY *peer = EVP_PKEY_new();
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(sign_key_evp(f->ek), NULL);
	struct buf text = {.max = 512};
	size_t z_size = sizeof(z);
	int r = -EBADMSG;

	if (buf_read_sized16be(&in, 68, &all) == 0 && buf_left(&in) == 0) {
		inner = buf_reader_of(all.data, all.size);
		if (buf_read_sized16be(&inner, 32, &x) == 0 && x.size == 32 &&
		    buf_read_sized16be(&inner, 32, &y) == 0 && y.size == 32)
			r = 0;
	}
	if (r >= 0) {
		memcpy(point + 1, x.data, 32);
		memcpy(point + 33, y.data, 32);
		if (EVP_PKEY_copy_parameters(peer, sign_key_evp(f->ek)) != 1 ||
		    EVP_PKEY_set1_encoded_public_key(peer, point, 65) != 1 ||
		    point_of(f->ek, own) || EVP_PKEY_derive_init(ctx) != 1 ||
		    EVP_PKEY_derive_set_peer(ctx, peer) != 1 ||
		    EVP_PKEY_derive(ctx, z, &z_size) != 1)
			r = -EBADMSG;
	}
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(peer);
	if (r < 0)
		return r;
	buf_put_u32be(&text, 1);
	buf_put(&text, z, 32);
	buf_put(&text, "IDENTITY", 9);
	buf_put(&text, point + 1, 32);
	buf_put(&text, own + 1, 32);
	EVP_Digest(text.data, text.size, ret, NULL, EVP_sha256(), NULL);
	buf_done(&text);
	return 0;
}

static int fake_activate(void *ctx, const void *blob, size_t blob_size, const void *secret,
			 size_t secret_size, struct buf *ret)
{
	struct fake_tpm *f = ctx;
	struct buf_reader in = buf_reader_of(blob, blob_size);
	uint8_t seed[32], key[32], mac[32], name[34], plain[80], iv[16] = {0};
	struct buf covered = {.max = 256};
	struct buf_view all, have;
	EVP_CIPHER_CTX *cipher;
	size_t sealed;
	int n = 0, r = begin(f);

	if (r >= 0)
		r = f->ak ? name_of(f->ak, AK_ATTRIBUTES, name) : -EINVAL;
	if (r >= 0)
		r = open_seed(f, secret, secret_size, seed);
	if (r < 0)
		return r;
	if (buf_read_sized16be(&in, 128, &all) < 0 || buf_left(&in) > 0)
		return -EBADMSG;
	in = buf_reader_of(all.data, all.size);
	if (buf_read_sized16be(&in, 32, &have) < 0 || have.size != 32 || buf_left(&in) < 3)
		return -EBADMSG;
	sealed = buf_left(&in);
	buf_put(&covered, in.data + in.at, sealed);
	buf_put(&covered, name, sizeof(name));
	kdfa(seed, "INTEGRITY", NULL, 0, 256, key);
	HMAC(EVP_sha256(), key, 32, covered.data, covered.size, mac, NULL);
	buf_done(&covered);
	if (CRYPTO_memcmp(mac, have.data, 32) != 0 || sealed > sizeof(plain))
		return -EIO;
	kdfa(seed, "STORAGE", name, sizeof(name), 128, key);
	cipher = EVP_CIPHER_CTX_new();
	if (EVP_DecryptInit_ex(cipher, EVP_aes_128_cfb128(), NULL, key, iv) != 1 ||
	    EVP_DecryptUpdate(cipher, plain, &n, in.data + in.at, (int)sealed) != 1)
		n = 0;
	EVP_CIPHER_CTX_free(cipher);
	if (n < 2 || (size_t)(plain[0] << 8 | plain[1]) != sealed - 2)
		return -EIO;
	buf_put(ret, plain + 2, sealed - 2);
	return buf_status(ret);
}

static int fake_quote(void *ctx, uint32_t mask, const struct digest *qualifying,
		      struct buf *ret_attest, struct buf *ret_sig, struct quote_pcrs *ret_pcrs)
{
	struct fake_tpm *f = ctx;
	struct buf_view parts[QUOTE_N_PCRS];
	struct quote_pcrs pcrs = {.mask = mask};
	struct digest d;
	size_t n = 0;
	int r = begin(f);

	if (r < 0)
		return r;
	if (!f->ak || mask == 0 || mask >> QUOTE_N_PCRS)
		return -EINVAL;
	for (unsigned int i = 0; i < QUOTE_N_PCRS; i++) {
		if (!(mask & (1u << i)))
			continue;
		pcrs.values[i] = f->pcrs.values[i];
		parts[n++] = (struct buf_view){pcrs.values[i].bytes, 32};
	}
	r = digest_sha256_parts(parts, n, &d);
	if (r >= 0)
		r = begin_attest(f, 0x8018, qualifying, ret_attest);
	if (r < 0)
		return r;
	buf_put_u32be(ret_attest, 1);
	buf_put_u16be(ret_attest, 0x000b);
	buf_put_u8(ret_attest, 3);
	for (unsigned int i = 0; i < 3; i++)
		buf_put_u8(ret_attest, (uint8_t)(mask >> (8 * i)));
	buf_put_u16be(ret_attest, 32);
	buf_put(ret_attest, d.bytes, 32);
	r = end_attest(f, ret_attest, ret_sig);
	if (r >= 0) {
		f->counts.quotes++;
		*ret_pcrs = pcrs;
	}
	return r;
}

static int fake_sign_event(void *ctx, const struct digest *digest, struct buf *ret_sig)
{
	struct fake_tpm *f = ctx;
	int r = begin(f);

	if (r < 0)
		return r;
	if (!f->event)
		return -EINVAL;
	f->counts.signs++;
	return put_signature(f->event, digest, ret_sig);
}

static void fake_close(void *ctx)
{
	(void)ctx;
}

static const struct tpm_ops ops = {
	.read_clock = fake_read_clock,
	.pcr_read = fake_pcr_read,
	.pcr_extend = fake_pcr_extend,
	.ek_public = fake_ek_public,
	.keys_open = fake_keys_open,
	.certify_event = fake_certify_event,
	.activate = fake_activate,
	.quote = fake_quote,
	.sign_event = fake_sign_event,
	.close = fake_close,
};

int fake_tpm_open(struct fake_tpm **ret)
{
	struct fake_tpm *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return -ENOMEM;
	f->door = (struct tpm){&ops, f};
	f->pcrs.mask = (1u << QUOTE_N_PCRS) - 1;
	f->clock = (struct tpm_clock){7, 1, 1000};
	/* As after a start without DRTM. */
	for (unsigned int i = 17; i <= 22; i++)
		memset(f->pcrs.values[i].bytes, 0xff, 32);
	r = sign_key_generate(SIGN_P256, &f->ek);
	if (r < 0) {
		free(f);
		return r;
	}
	*ret = f;
	return 0;
}

struct fake_tpm *fake_tpm_free(struct fake_tpm *f)
{
	if (!f)
		return NULL;
	sign_key_free(f->ek);
	sign_key_free(f->ak);
	sign_key_free(f->event);
	free(f);
	return NULL;
}

struct tpm *fake_tpm_door(struct fake_tpm *f)
{
	return &f->door;
}

struct fake_tpm_faults *fake_tpm_faults(struct fake_tpm *f)
{
	return &f->faults;
}

struct fake_tpm_counts fake_tpm_counts(struct fake_tpm *f)
{
	return f->counts;
}

struct quote_pcrs *fake_tpm_pcrs(struct fake_tpm *f)
{
	return &f->pcrs;
}

struct tpm_clock *fake_tpm_clock(struct fake_tpm *f)
{
	return &f->clock;
}

void fake_tpm_reboot(struct fake_tpm *f)
{
	for (unsigned int i = 0; i < 17; i++)
		memset(f->pcrs.values[i].bytes, 0, 32);
	f->clock.reset_count++;
	f->clock.restart_count = 0;
}
