/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tpm.h: fills the TPM door over ESYS; the only room that sees tpm2-tss. In: a TCTI string ("device:/dev/tpmrm0", "swtpm:host=…,port=…").
 * Out: a struct tpm. Keys: EK by fixed order (RSA-2048, P-256, P-384), AK P-256 under the EK with NODA, event key P-256.
 */
#ifndef PLUMB_TPM_H
#define PLUMB_TPM_H

#include "tpm_door.h"
#include "why.h"

int tpm_open(const char *tcti, struct tpm **ret, struct why *ret_why);	/* -ENODEV: none there */
struct tpm *tpm_free(struct tpm *t);
/* For tests and measurements: wraps another door and waits before each extend and signature (a slow chip). */
int tpm_slow_open(struct tpm *inner, uint64_t extend_us, uint64_t sign_us, struct tpm **ret);	/* takes inner */

#endif
