/* SPDX-License-Identifier: Apache-2.0 */
/* A digest of two blocks costs OpenSSL's EVP, which makes and wipes a context for each, twice what the digest does; so this does without. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "ima_fold.h"

#include <openssl/sha.h>
#include <string.h>

#define OLD_DIGEST 20u
#define OLD_SIZE \
	(OLD_DIGEST + 256u) /* the template "ima": its name is padded, in the digest alone */
#define AGGREGATE_PCRS 10u

static void sha256(const void *data, size_t size, uint8_t ret[DIGEST_SIZE])
{
	SHA256_CTX ctx;

	SHA256_Init(&ctx);
	SHA256_Update(&ctx, data, size);
	SHA256_Final(ret, &ctx);
}

static void sha1(const void *data, size_t size, uint8_t ret[SHA_DIGEST_LENGTH])
{
	SHA_CTX ctx;

	SHA1_Init(&ctx);
	SHA1_Update(&ctx, data, size);
	SHA1_Final(ret, &ctx);
}

/* What the template digest is over. */
static struct buf_view digested(const struct imalog_entry *e, uint8_t padded[OLD_SIZE])
{
	if (e->template != IMALOG_IMA)
		return e->data;
	memset(padded, 0, OLD_SIZE);
	memcpy(padded, e->file.bytes.data, OLD_DIGEST);
	memcpy(padded + OLD_DIGEST, e->name, e->name_size);
	return (struct buf_view){padded, OLD_SIZE};
}

static void check_digests(const struct imalog_entry *e, struct ima_folded *ret)
{
	uint8_t padded[OLD_SIZE], old[SHA_DIGEST_LENGTH];
	const struct buf_view v = digested(e, padded);
	const struct buf_view *t = &e->template_digest;

	sha256(v.data, v.size, ret->data.bytes);
	ret->genuine = false;
	if (e->violation)
		return;
	if (t->size == DIGEST_SIZE) {
		ret->genuine = memcmp(t->data, ret->data.bytes, DIGEST_SIZE) == 0;
	} else if (t->size == OLD_DIGEST) {
		sha1(v.data, v.size, old);
		ret->genuine = memcmp(t->data, old, OLD_DIGEST) == 0;
	}
}

void ima_fold_entry(const struct imalog_entry *e, struct digest *pcr, struct ima_folded *ret)
{
	uint8_t both[2 * DIGEST_SIZE];

	check_digests(e, ret);
	ret->counted = e->pcr == IMA_FOLD_PCR;
	if (!ret->counted)
		return;
	memcpy(both, pcr->bytes, DIGEST_SIZE);
	if (e->violation)
		memset(both + DIGEST_SIZE, 0xff, DIGEST_SIZE);
	else
		memcpy(both + DIGEST_SIZE, ret->data.bytes, DIGEST_SIZE);
	sha256(both, sizeof(both), pcr->bytes);
}

int ima_fold_aggregate(const struct quote_pcrs *pcrs, struct digest *ret)
{
	return digest_sha256(pcrs->values, AGGREGATE_PCRS * sizeof(pcrs->values[0]), ret);
}
