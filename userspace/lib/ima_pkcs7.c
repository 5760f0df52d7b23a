/* SPDX-License-Identifier: Apache-2.0 */
#include "ima_pkcs7.h"

#include <errno.h>
#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>
#include <strings.h>

#include "cleanup.h"

#define MAX_SIGNERS 8
#define MAX_ATTRIBUTES 32
#define MAX_ATTRIBUTE_BYTES 65536u

DEFINE_CLEANUP(CMS_ContentInfo *, CMS_ContentInfo_free);
DEFINE_CLEANUP(EVP_PKEY_CTX *, EVP_PKEY_CTX_free);

int ima_pkcs7_verify(EVP_PKEY *key, const EVP_MD *md, const void *digest, size_t digest_size,
		     const void *sig, size_t sig_size)
{
	CLEANUP(EVP_PKEY_CTX_free_p) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	int r;

	if (!ctx || EVP_PKEY_verify_init(ctx) != 1 ||
	    (EVP_PKEY_is_a(key, "RSA") &&
	     EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) != 1))
		return -EIO;
	/* A hash that does not go with the key is the signer's doing. */
	r = EVP_PKEY_CTX_set_signature_md(ctx, md) == 1 &&
	    EVP_PKEY_verify(ctx, sig, sig_size, digest, digest_size) == 1;
	ERR_clear_error();
	return r;
}

/* The attributes are signed as a SET of their own, though they stand under another tag. */
static int digest_of_attributes(const CMS_SignerInfo *si, const EVP_MD *md, uint8_t *ret)
{
	CLEANUP(buf_done) struct buf all = {0}, set = {0};
	int n = CMS_signed_get_attr_count(si);

	if (n > MAX_ATTRIBUTES)
		return -EBADMSG;
	for (int i = 0; i < n; i++) {
		unsigned char *der = NULL;
		int size = i2d_X509_ATTRIBUTE(CMS_signed_get_attr(si, i), &der);

		if (size > 0)
			buf_put(&all, der, (size_t)size);
		OPENSSL_free(der);
		if (size <= 0 || all.size > MAX_ATTRIBUTE_BYTES)
			return -EBADMSG;
	}
	buf_put_u8(&set, 0x31);
	if (all.size < 0x80) {
		buf_put_u8(&set, (uint8_t)all.size);
	} else {
		buf_put_u8(&set, 0x83);
		buf_put_u8(&set, (uint8_t)(all.size >> 16));
		buf_put_u16be(&set, (uint16_t)all.size);
	}
	buf_put(&set, all.data, all.size);
	if (buf_status(&set) < 0)
		return buf_status(&set);
	return EVP_Digest(set.data, set.size, ret, NULL, md, NULL) == 1 ? 0 : -EIO;
}

/* What the signer signed: the file's digest, or attributes that have it. 1: *ret; 0: it is of another file. */
static int signed_digest(CMS_SignerInfo *si, const EVP_MD *md, const struct imalog_digest *digest,
			 uint8_t *ret)
{
	const ASN1_OCTET_STRING *said;
	int r;

	if (CMS_signed_get_attr_count(si) <= 0) {
		memcpy(ret, digest->bytes.data, digest->bytes.size);
		return 1;
	}
	said = CMS_signed_get0_data_by_OBJ(si, OBJ_nid2obj(NID_pkcs9_messageDigest), -3,
					   V_ASN1_OCTET_STRING);
	if (!said || (size_t)said->length != digest->bytes.size ||
	    memcmp(said->data, digest->bytes.data, digest->bytes.size) != 0)
		return 0;
	r = digest_of_attributes(si, md, ret);
	return r == -EBADMSG ? 0 : r < 0 ? r : 1;
}

/* Of one signer. */
static int check_signer(CMS_SignerInfo *si, const struct imalog_digest *digest,
			const struct ima_pkcs7_key *keys, uint32_t n_keys,
			enum ima_pkcs7_verdict *ret)
{
	const ASN1_OCTET_STRING *sig = CMS_SignerInfo_get0_signature(si);
	uint8_t hash[EVP_MAX_MD_SIZE];
	const ASN1_OBJECT *oid = NULL;
	X509_ALGOR *algorithm = NULL;
	const EVP_MD *md;
	int r;

	*ret = IMA_PKCS7_BAD;
	CMS_SignerInfo_get0_algs(si, NULL, NULL, &algorithm, NULL);
	if (algorithm)
		X509_ALGOR_get0(&oid, NULL, NULL, algorithm);
	md = oid ? EVP_get_digestbyobj(oid) : NULL;
	if (!md || !sig || strcasecmp(EVP_MD_get0_name(md), digest->algorithm) != 0 ||
	    (size_t)EVP_MD_get_size(md) != digest->bytes.size)
		return 0;
	r = signed_digest(si, md, digest, hash);
	if (r <= 0)
		return r;
	*ret = IMA_PKCS7_STRANGER;
	for (uint32_t i = 0; i < n_keys; i++) {
		if (keys[i].cert && CMS_SignerInfo_cert_cmp(si, keys[i].cert) != 0)
			continue;
		r = ima_pkcs7_verify(keys[i].key, md, hash, (size_t)EVP_MD_get_size(md), sig->data,
				     (size_t)sig->length);
		if (r < 0)
			return r;
		if (r) {
			*ret = IMA_PKCS7_GOOD;
			return 0;
		}
		if (keys[i].cert)
			*ret = IMA_PKCS7_BAD;
	}
	return 0;
}

int ima_pkcs7_check(const struct buf_view *pkcs7, const struct imalog_digest *digest,
		    const struct ima_pkcs7_key *keys, uint32_t n_keys, enum ima_pkcs7_verdict *ret)
{
	const unsigned char *at = pkcs7->data;
	CLEANUP(CMS_ContentInfo_free_p)
	CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &at, (long)pkcs7->size);
	STACK_OF(CMS_SignerInfo) *signers =
		cms && OBJ_obj2nid(CMS_get0_type(cms)) == NID_pkcs7_signed
			? CMS_get0_SignerInfos(cms)
			: NULL;
	int n = signers ? sk_CMS_SignerInfo_num(signers) : 0, r = 0;

	ERR_clear_error();
	*ret = IMA_PKCS7_BAD;
	if (n <= 0 || n > MAX_SIGNERS || at != pkcs7->data + pkcs7->size ||
	    digest->bytes.size == 0 || digest->bytes.size > EVP_MAX_MD_SIZE)
		return 0;
	for (int i = 0; i < n && r >= 0 && *ret != IMA_PKCS7_GOOD; i++)
		r = check_signer(sk_CMS_SignerInfo_value(signers, i), digest, keys, n_keys, ret);
	return r;
}
