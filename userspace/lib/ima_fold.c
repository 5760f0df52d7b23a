/* SPDX-License-Identifier: Apache-2.0 */
#include "ima_fold.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define OLD_DIGEST 20u
#define OLD_SIZE \
	(OLD_DIGEST + 256u) /* the template "ima": its name is padded, in the digest alone */
#define AGGREGATE_PCRS 10u

/* Contexts that are kept: making one costs more than digesting an entry does. */
struct ima_fold {
	EVP_MD *sha1, *sha256;
	EVP_MD_CTX *ctx1, *ctx256;
};

int ima_fold_open(struct ima_fold **ret)
{
	struct ima_fold *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
	f->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	f->ctx1 = EVP_MD_CTX_new();
	f->ctx256 = EVP_MD_CTX_new();
	if (!f->sha1 || !f->sha256 || !f->ctx1 || !f->ctx256 ||
	    EVP_DigestInit_ex(f->ctx1, f->sha1, NULL) != 1 ||
	    EVP_DigestInit_ex(f->ctx256, f->sha256, NULL) != 1) {
		ima_fold_free(f);
		return -EIO;
	}
	*ret = f;
	return 0;
}

struct ima_fold *ima_fold_free(struct ima_fold *f)
{
	if (!f)
		return NULL;
	EVP_MD_CTX_free(f->ctx1);
	EVP_MD_CTX_free(f->ctx256);
	EVP_MD_free(f->sha1);
	EVP_MD_free(f->sha256);
	free(f);
	return NULL;
}

static int over(EVP_MD_CTX *ctx, const void *a, size_t a_size, const void *b, size_t b_size,
		uint8_t *ret)
{
	if (EVP_DigestInit_ex(ctx, NULL, NULL) != 1 || EVP_DigestUpdate(ctx, a, a_size) != 1 ||
	    (b_size && EVP_DigestUpdate(ctx, b, b_size) != 1) ||
	    EVP_DigestFinal_ex(ctx, ret, NULL) != 1)
		return -EIO;
	return 0;
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

static int check_digests(struct ima_fold *f, const struct imalog_entry *e, struct ima_folded *ret)
{
	uint8_t padded[OLD_SIZE], sha1[EVP_MAX_MD_SIZE];
	const struct buf_view v = digested(e, padded);
	const struct buf_view *t = &e->template_digest;
	int r = over(f->ctx256, v.data, v.size, NULL, 0, ret->data.bytes);

	if (r < 0)
		return r;
	ret->genuine = false;
	if (e->violation)
		return 0;
	if (t->size == DIGEST_SIZE) {
		ret->genuine = memcmp(t->data, ret->data.bytes, DIGEST_SIZE) == 0;
		return 0;
	}
	r = t->size == OLD_DIGEST ? over(f->ctx1, v.data, v.size, NULL, 0, sha1) : -EINVAL;
	ret->genuine = r >= 0 && memcmp(t->data, sha1, OLD_DIGEST) == 0;
	return r;
}

int ima_fold_entry(struct ima_fold *f, const struct imalog_entry *e, struct digest *pcr,
		   struct ima_folded *ret)
{
	struct digest extended;
	int r = check_digests(f, e, ret);

	if (r < 0)
		return r;
	ret->counted = e->pcr == IMA_FOLD_PCR;
	if (!ret->counted)
		return 0;
	if (e->violation)
		memset(extended.bytes, 0xff, DIGEST_SIZE);
	else
		extended = ret->data;
	return over(f->ctx256, pcr->bytes, DIGEST_SIZE, extended.bytes, DIGEST_SIZE, pcr->bytes);
}

int ima_fold_aggregate(const struct quote_pcrs *pcrs, struct digest *ret)
{
	return digest_sha256(pcrs->values, AGGREGATE_PCRS * sizeof(pcrs->values[0]), ret);
}
