/* SPDX-License-Identifier: Apache-2.0 */
#include "digest_bank.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>

struct digest_bank {
	EVP_MD_CTX *ctx;
};

static const EVP_MD *md_of(uint16_t alg)
{
	switch (alg) {
	case 4:
		return EVP_sha1();
	case 0xb:
		return EVP_sha256();
	case 0xc:
		return EVP_sha384();
	case 0xd:
		return EVP_sha512();
	default:
		return NULL;
	}
}

int digest_bank_open(uint16_t alg, struct digest_bank **ret)
{
	struct digest_bank *d = calloc(1, sizeof(*d));
	const EVP_MD *md = md_of(alg);
	int r = 0;

	if (!d)
		return -ENOMEM;
	d->ctx = EVP_MD_CTX_new();
	if (!d->ctx)
		r = -ENOMEM;
	else if (!md || EVP_DigestInit_ex(d->ctx, md, NULL) != 1)
		r = -EOPNOTSUPP;
	if (r < 0)
		digest_bank_free(d);
	else
		*ret = d;
	return r;
}

struct digest_bank *digest_bank_free(struct digest_bank *d)
{
	if (d)
		EVP_MD_CTX_free(d->ctx);
	free(d);
	return NULL;
}

int digest_bank_parts(struct digest_bank *d, const struct buf_view *parts, size_t n, uint8_t *ret)
{
	if (EVP_DigestInit_ex(d->ctx, NULL, NULL) != 1)
		return -EIO;
	for (size_t i = 0; i < n; i++)
		if (EVP_DigestUpdate(d->ctx, parts[i].data, parts[i].size) != 1)
			return -EIO;
	return EVP_DigestFinal_ex(d->ctx, ret, NULL) == 1 ? 0 : -EIO;
}
