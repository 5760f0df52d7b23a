/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ima_pkcs7.h: a signature that is appended to a file (modules, kernels; scripts/sign-file), against given keys, from the digest of the file alone.
 * In: PKCS #7 as IMA's list has it, digest, keys. Out: a verdict. Whether a key may sign is the operator's word: chains and dates are not looked at.
 */
#ifndef PLUMB_IMA_PKCS7_H
#define PLUMB_IMA_PKCS7_H

#include <openssl/types.h>
#include "imalog.h"

struct ima_pkcs7_key {
	EVP_PKEY *key;
	X509 *cert;	/* NULL: the key alone is known; then whose signature it is, is told by trying */
};

enum ima_pkcs7_verdict { IMA_PKCS7_GOOD = 1, IMA_PKCS7_BAD = 2, IMA_PKCS7_STRANGER = 3 };

/* 0; < 0: could not check. digest: of the file without the signature. Bytes that are no PKCS #7 are BAD. */
int ima_pkcs7_check(const struct buf_view *pkcs7, const struct imalog_digest *digest, const struct ima_pkcs7_key *keys, uint32_t n_keys,
		    enum ima_pkcs7_verdict *ret);
/* 1: it verifies (RSA PKCS #1 v1.5, ECDSA); 0: it does not; < 0: OpenSSL failed. */
int ima_pkcs7_verify(EVP_PKEY *key, const EVP_MD *md, const void *digest, size_t digest_size, const void *sig, size_t sig_size);

#endif
