/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sign.h: software keys, Ed25519 and ECDSA P-256 (OpenSSL), and verification of TPM-made signatures.
 * In: PEM files, bytes. Out: signatures (Ed25519: 64 bytes; P-256: DER ECDSA over SHA-256 of the bytes). Errors: -EBADMSG
 * signature does not verify, -EKEYREJECTED key of another kind or malformed, -EIO OpenSSL failed. Private parts are wiped.
 */
#ifndef PLUMB_SIGN_H
#define PLUMB_SIGN_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stdint.h>
#include "buf.h"
#include "digest.h"
#include "why.h"

enum sign_kind { SIGN_ED25519 = 1, SIGN_P256 = 2, SIGN_RSA = 3 };	/* RSA: verification of quotes only */

struct sign_key;	/* a public key, with or without its private part */

int sign_key_generate(enum sign_kind kind, struct sign_key **ret);
int sign_key_from_pem(const char *pem, size_t size, struct sign_key **ret, struct why *ret_why);	/* private or public */
int sign_key_from_spki(const void *der, size_t size, struct sign_key **ret, struct why *ret_why);
int sign_key_from_evp(EVP_PKEY *pkey, struct sign_key **ret);	/* takes a reference of its own */
int sign_key_from_p256(EVP_PKEY *pkey, const uint8_t point[65], struct sign_key **ret);	/* the same; its point, uncompressed, is known */
struct sign_key *sign_key_free(struct sign_key *k);

enum sign_kind sign_key_kind(const struct sign_key *k);
bool sign_key_is_private(const struct sign_key *k);
EVP_PKEY *sign_key_evp(const struct sign_key *k);		/* borrowed */
int sign_key_spki(const struct sign_key *k, struct buf *ret);	/* appends DER SubjectPublicKeyInfo */
int sign_key_id(const struct sign_key *k, struct digest *ret);	/* SHA-256 of the SPKI: "keyid" everywhere, in hex */
int sign_key_raw_public(const struct sign_key *k, uint8_t ret[32]);	/* Ed25519 only */
int sign_key_private_pem(const struct sign_key *k, struct buf *ret);	/* PKCS#8; the caller wipes */
int sign_key_public_pem(const struct sign_key *k, struct buf *ret);

int sign_make(const struct sign_key *k, const void *data, size_t size, struct buf *ret);	/* appends the signature */
int sign_check(const struct sign_key *k, const void *data, size_t size, const void *sig, size_t sig_size);

/* r ‖ s, 32 bytes each, big-endian ↔ DER (JWS and TPM forms). */
int sign_p256_to_der(const uint8_t rs[64], struct buf *ret);
int sign_p256_from_der(const void *der, size_t size, uint8_t ret_rs[64]);

#endif
