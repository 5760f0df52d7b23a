/* SPDX-License-Identifier: Apache-2.0 */
/* Input: the AK's TPM2B_PUBLIC, then attest and signature as TPM2Bs. */
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mutate.h"
#include "quote.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In an AK's area of P-256, which ends with its point. */
#define POINT_SIZE (2 * (2 + 32))

/* Of the TPM2B there; `size`, when it does not end in here. */
static size_t sized(const uint8_t *data, size_t size, size_t at)
{
	size_t n;

	if (at + 2 > size)
		return size;
	n = (size_t)data[at] << 8 | data[at + 1];
	return n <= size - at - 2 ? n : size;
}

static const struct sign_key *own_key(uint8_t ret_point[65])
{
	static struct sign_key *key;
	static uint8_t point[65];
	EVP_PKEY *pkey;
	size_t n = 0;

	if (!key) {
		if (sign_key_generate(SIGN_P256, &key) < 0)
			abort();
		pkey = sign_key_evp(key);
		if (EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PUB_KEY, point,
						    sizeof(point), &n) != 1 ||
		    n != sizeof(point))
			abort();
	}
	memcpy(ret_point, point, sizeof(point));
	return key;
}

/* What the target asks for: qualifying data that count up, and the digest of four registers of zeros. */
static void mend_attest(uint8_t *p, size_t size)
{
	const struct buf_view zeros[4] = {{(const uint8_t[32]){0}, 32},
					  {(const uint8_t[32]){0}, 32},
					  {(const uint8_t[32]){0}, 32},
					  {(const uint8_t[32]){0}, 32}};
	size_t signer = size > 6 ? sized(p, size, 6) : size, extra = 6 + 2 + signer;
	struct digest d;

	if (extra < size && sized(p, size, extra) == 32)
		for (uint8_t i = 0; i < 32; i++)
			p[extra + 2 + i] = i;
	if (size > 34 && p[size - 34] == 0 && p[size - 33] == 32 &&
	    digest_sha256_parts(zeros, 4, &d) >= 0)
		memcpy(p + size - 32, d.bytes, 32);
}

/* Signed by a key of ours, which stands where the AK's was: all that comes after the signature is met. */
size_t mutate_mend(uint8_t *data, size_t size, size_t max)
{
	struct mutate m = {.data = data, .size = size, .max = max};
	size_t ak = sized(data, size, 0), attest = 2 + ak, n, sig;
	uint8_t point[65], rs[72] = {0, 0x18, 0, 0x0b, 0, 32};
	const struct sign_key *key = own_key(point);
	struct buf der = {0};
	uint8_t raw[64];

	if (ak < POINT_SIZE || attest >= size)
		return size;
	n = sized(data, size, attest);
	sig = attest + 2 + n;
	if (sig >= size || sized(data, size, sig) >= size)
		return size;
	memcpy(data + attest - POINT_SIZE, "\0\x20", 2);
	memcpy(data + attest - POINT_SIZE + 2, point + 1, 32);
	memcpy(data + attest - POINT_SIZE + 34, "\0\x20", 2);
	memcpy(data + attest - POINT_SIZE + 36, point + 33, 32);
	mend_attest(data + attest + 2, n);
	if (sign_make(key, data + attest + 2, n, &der) < 0 ||
	    sign_p256_from_der(der.data, der.size, raw) < 0)
		abort();
	memcpy(rs + 6, raw, 32);
	rs[39] = 32;
	memcpy(rs + 40, raw + 32, 32);
	mutate_replace(&m, sig + 2, sized(data, size, sig), rs, sizeof(rs));
	data[sig] = 0;
	data[sig + 1] = sizeof(rs);
	buf_done(&der);
	return m.size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf_reader in = buf_reader_of(data, size);
	struct buf_view ak, attest, sig;
	struct digest qualifying;
	struct quote_pcrs pcrs = {.mask = (1u << 0) | (1u << 7) | (1u << 10) | (1u << 15)};
	struct quote_info info;
	struct buf der = {.max = 1024};
	struct why why;

	for (unsigned int i = 0; i < DIGEST_SIZE; i++)
		qualifying.bytes[i] = (uint8_t)i;
	if (buf_read_sized16be(&in, 8192, &ak) < 0 || buf_read_sized16be(&in, 8192, &attest) < 0 ||
	    buf_read_sized16be(&in, 8192, &sig) < 0)
		return 0;
	/* With its length before it again. */
	quote_check(attest.data, attest.size, sig.data, sig.size, ak.data - 2, ak.size + 2,
		    &qualifying, &pcrs, &info, &why);
	quote_check_certify(attest.data, attest.size, sig.data, sig.size, ak.data - 2, ak.size + 2,
			    ak.data - 2, ak.size + 2, &qualifying, &info, &why);
	quote_signature_der(sig.data, sig.size, &der, &why);
	buf_done(&der);
	return 0;
}
