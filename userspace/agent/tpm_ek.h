/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tpm_ek.h: which endorsement key this TPM is known by, its certificate, and sessions that may use it (TCG EK Credential Profile).
 * In: the chip. Out: the EK as an object that can be brought on the chip. On the thread of tpm_queue.
 */
#ifndef PLUMB_TPM_EK_H
#define PLUMB_TPM_EK_H

#include "buf.h"
#include "tpm_esys.h"

struct tpm_ek_kind;

struct tpm_ek {
	const struct tpm_ek_kind *kind;
	struct tpm_esys_object object;
	struct buf public;		/* TPM2B_PUBLIC */
	struct buf cert;		/* one DER element; empty: none in NV */
};

/*
 * RSA-2048, P-256, P-384 in this order: the first that has a certificate; where none has one, the first that the chip can make.
 * The choice hangs on nothing that changes from boot to boot.
 */
int tpm_ek_open(struct tpm_esys *t, struct tpm_ek *ret);
void tpm_ek_close(struct tpm_esys *t, struct tpm_ek *ek);

/* On the chip, with the session that authorises one command of it (ESYS_TR_PASSWORD, or a policy session that leave flushes). */
int tpm_ek_enter(struct tpm_esys *t, struct tpm_ek *ek, ESYS_TR *ret_session);
void tpm_ek_leave(struct tpm_esys *t, struct tpm_ek *ek, ESYS_TR *session);	/* session may be NULL */
int tpm_ek_session(struct tpm_esys *t, const struct tpm_ek *ek, ESYS_TR *ret_session);	/* a further one, for a further command */

#endif
