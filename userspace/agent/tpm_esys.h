/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tpm_esys.h: the ESYS context of `tpm` and what its rooms share: decoded errors, objects on and off the chip, NV contents.
 * In: TPM handles and contexts. Out: 0 or the errors of tpm_door.h. On the thread of tpm_queue.
 */
#ifndef PLUMB_TPM_ESYS_H
#define PLUMB_TPM_ESYS_H

#include <stdbool.h>
#include <tss2/tss2_esys.h>
#include "buf.h"
#include "why.h"

struct tpm_esys {
	ESYS_CONTEXT *esys;
	TSS2_TCTI_CONTEXT *tcti;
};

/*
 * A key that is off the chip while nobody uses it: a loaded object costs slots, and with the kernel's resource manager a save
 * and a load around every command, also around each extend.
 */
struct tpm_esys_object {
	ESYS_TR handle;			/* ESYS_TR_NONE: not on the chip now */
	TPMS_CONTEXT *saved;		/* NULL: none */
	bool persistent;		/* stays on the chip */
};

int tpm_esys_open(const char *tcti, struct tpm_esys *ret, struct why *ret_why);
void tpm_esys_close(struct tpm_esys *t);

/* The errno of a TSS code; `what` and the decoded text go to the log at debug. 0 for success. */
int tpm_esys_error(TSS2_RC rc, const char *what);

/* ESYS_TR of something that lies on the chip; -ENOENT: nothing there. */
int tpm_esys_find(struct tpm_esys *t, TPM2_HANDLE handle, ESYS_TR *ret);
int tpm_esys_nv_read(struct tpm_esys *t, TPM2_HANDLE index, struct buf *ret);	/* -ENOENT: no such index */

/* Between uses: put saves (the first time) and flushes, get brings back. -ESTALE: not saved, or the chip does not know it any more. */
int tpm_esys_get(struct tpm_esys *t, struct tpm_esys_object *o);
int tpm_esys_put(struct tpm_esys *t, struct tpm_esys_object *o);
void tpm_esys_drop(struct tpm_esys *t, struct tpm_esys_object *o);	/* forgets it on both sides */
void tpm_esys_flush(struct tpm_esys *t, ESYS_TR *handle);

#endif
