/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tpm_public.h: reads a TPM2B_PUBLIC of an RSA or ECC key (TPM 2.0 part 2, 12.2.4 and 12.2.5).
 * In: foreign bytes. Out: its fields as views into those bytes, and its key for OpenSSL; -EBADMSG names the field that is
 * wrong. Pure.
 */
#ifndef PLUMB_TPM_PUBLIC_H
#define PLUMB_TPM_PUBLIC_H

#include <openssl/types.h>
#include <stddef.h>
#include <stdint.h>
#include "buf.h"
#include "digest.h"
#include "why.h"

#define TPM_PUBLIC_MAX 1024

enum tpm_public_alg {
	TPM_PUBLIC_RSA = 0x0001,
	TPM_PUBLIC_AES = 0x0006,
	TPM_PUBLIC_SHA256 = 0x000b,
	TPM_PUBLIC_SHA384 = 0x000c,
	TPM_PUBLIC_NULL = 0x0010,
	TPM_PUBLIC_RSASSA = 0x0014,
	TPM_PUBLIC_ECDSA = 0x0018,
	TPM_PUBLIC_ECC = 0x0023,
	TPM_PUBLIC_CFB = 0x0043,
};

enum tpm_public_curve { TPM_PUBLIC_P256 = 0x0003, TPM_PUBLIC_P384 = 0x0004 };

/* TPMA_OBJECT */
#define TPM_PUBLIC_FIXED_TPM (1u << 1)
#define TPM_PUBLIC_FIXED_PARENT (1u << 4)
#define TPM_PUBLIC_DATA_ORIGIN (1u << 5)
#define TPM_PUBLIC_USER_WITH_AUTH (1u << 6)
#define TPM_PUBLIC_ADMIN_WITH_POLICY (1u << 7)
#define TPM_PUBLIC_NO_DA (1u << 10)
#define TPM_PUBLIC_RESTRICTED (1u << 16)
#define TPM_PUBLIC_DECRYPT (1u << 17)
#define TPM_PUBLIC_SIGN (1u << 18)

struct tpm_public {
	struct buf_view area;			/* the TPMT_PUBLIC */
	uint16_t type, name_alg;
	uint32_t attributes;
	struct buf_view policy;
	uint16_t symmetric, symmetric_mode;	/* TPM_PUBLIC_NULL, or AES and CFB with… */
	uint16_t symmetric_bits;
	uint16_t scheme, scheme_hash;		/* TPM_PUBLIC_NULL, or a signing scheme and its hash */
	uint16_t bits;				/* RSA */
	uint32_t exponent;			/* RSA; 0: 65537 */
	uint16_t curve;				/* ECC */
	struct buf_view x, y;			/* ECC; x: the modulus of an RSA key */
};

int tpm_public_parse(const void *tpm2b, size_t size, struct tpm_public *ret, struct why *ret_why);
/* RSA-2048, P-256 or P-384; a point that is not on the curve is refused. Caller frees. */
int tpm_public_evp(const struct tpm_public *p, EVP_PKEY **ret, struct why *ret_why);
/* Uncompressed, 65 bytes for P-256, 97 for P-384: of an ECC key that tpm_public_evp() took. */
void tpm_public_point(const struct tpm_public *p, uint8_t *ret);
/* SHA-256 of its SubjectPublicKeyInfo: one for each key, however its area is written. */
int tpm_public_key_id(const void *tpm2b, size_t size, struct digest *ret, struct why *ret_why);

#endif
