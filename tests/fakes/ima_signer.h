/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ima_signer.h: signs files for IMA as evmctl and the kernel's sign-file do. In: digests. Out: security.ima values, PKCS #7, keys as PEM.
 * Aborts on failure.
 */
#ifndef PLUMB_TESTS_IMA_SIGNER_H
#define PLUMB_TESTS_IMA_SIGNER_H

#include <openssl/types.h>
#include <stdbool.h>
#include "buf.h"
#include "digest.h"

struct ima_signer {
	EVP_PKEY *key;
	X509 *cert;
	uint32_t id;
};

void ima_signer_open(struct ima_signer *s, const char *kind);	/* "RSA", "P-256" */
void ima_signer_done(struct ima_signer *s);
void ima_signer_pem(const struct ima_signer *s, bool cert, struct buf *ret);	/* the public key, or a certificate; appended */
/* type 3, version 2: over the digest; type 6, version 3: over a digest of fs-verity. */
void ima_signer_xattr(const struct ima_signer *s, uint8_t type, uint8_t version, const struct digest *d, struct buf *ret);
void ima_signer_pkcs7(const struct ima_signer *s, bool attributes, const void *file, size_t size, struct buf *ret);

#endif
