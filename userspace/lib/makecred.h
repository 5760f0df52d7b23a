/* SPDX-License-Identifier: Apache-2.0 */
/*
 * makecred.h: TPM2_MakeCredential in software (TPM 2.0 part 1, 24) for RSA-2048, P-256 and P-384 EKs.
 * In: EK's TPM2B_PUBLIC, the AK's name, a secret of at most 32 bytes. Out: TPM2B_ID_OBJECT and TPM2B_ENCRYPTED_SECRET. Pure.
 */
#ifndef PLUMB_MAKECRED_H
#define PLUMB_MAKECRED_H

#include "buf.h"
#include "why.h"

int makecred_make(const void *ek_public, size_t ek_size, const void *ak_name, size_t ak_name_size, const void *secret,
		  size_t secret_size, struct buf *ret_blob, struct buf *ret_secret, struct why *ret_why);

#endif
