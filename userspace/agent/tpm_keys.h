/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tpm_keys.h: the AK and the event key, both ECC P-256 under the EK: made, kept as blobs by the caller, loaded, used, flushed.
 * In: the EK, blobs of before. Out: keys that can be brought on the chip. On the thread of tpm_queue.
 */
#ifndef PLUMB_TPM_KEYS_H
#define PLUMB_TPM_KEYS_H

#include <stdbool.h>
#include "buf.h"
#include "tpm_ek.h"
#include "tpm_esys.h"

struct tpm_key {
	TPM2B_PRIVATE private;		/* encrypted by the chip */
	TPM2B_PUBLIC public;
	struct tpm_esys_object object;
};

struct tpm_keys {
	struct tpm_key ak, event;
	bool open;
};

void tpm_keys_init(struct tpm_keys *k);
/* Empty blobs: makes both keys and fills blobs. -EKEYREJECTED: blobs are damaged or of another TPM; set them aside, enrol anew. */
int tpm_keys_open(struct tpm_esys *t, struct tpm_ek *ek, struct buf *blobs, struct tpm_keys *k);
void tpm_keys_close(struct tpm_esys *t, struct tpm_keys *k);
void tpm_keys_forget(struct tpm_keys *k);	/* the ESYS context is another one: what is saved, and the blobs, are loaded when needed */

/* On the chip afterwards; tpm_esys_put() takes it off. */
int tpm_keys_enter(struct tpm_esys *t, struct tpm_ek *ek, struct tpm_key *key);
int tpm_keys_put_public(const struct tpm_key *key, struct buf *ret);	/* TPM2B_PUBLIC */

#endif
