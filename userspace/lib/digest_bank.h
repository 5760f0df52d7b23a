/* SPDX-License-Identifier: Apache-2.0 */
/*
 * digest_bank.h: digests of a TPM's PCR banks, by TPM_ALG_ID (SHA-1, SHA-256, SHA-384, SHA-512), one context for many.
 * In: bytes. Out: digests. SHA-1 is here to replay what others extended, for nothing else.
 */
#ifndef PLUMB_DIGEST_BANK_H
#define PLUMB_DIGEST_BANK_H

#include <stdint.h>
#include "buf.h"

struct digest_bank;

/* -EOPNOTSUPP: an algorithm that is not one of the four, or that OpenSSL refuses here. */
int digest_bank_open(uint16_t alg, struct digest_bank **ret);
struct digest_bank *digest_bank_free(struct digest_bank *d);
/* ret has room for the digest; it may be one of the parts. */
int digest_bank_parts(struct digest_bank *d, const struct buf_view *parts, size_t n, uint8_t *ret);

#endif
