/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <tss2/tss2_rc.h>
#include <tss2/tss2_tctildr.h>

#include "log.h"
#include "tpm_esys.h"

/* tpm2-tss's own names for these shift into the sign bit. */
#define TRANSIENT_FIRST 0x80000000u
#define SESSION_FIRST 0x02000000u
#define NV_CHUNK 512
#define NV_MAX 8192
#define PASSWORD ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE

/* Format 1 codes carry the number of the handle, session or parameter, which does not matter here. */
static uint32_t plain_code(TSS2_RC rc)
{
	uint32_t code = rc & 0xfff;

	return code & TPM2_RC_FMT1 ? code & (TPM2_RC_FMT1 | 0x3f) : code;
}

static int from_chip(uint32_t code)
{
	switch (code) {
	case TPM2_RC_RETRY:
	case TPM2_RC_YIELDED:
	case TPM2_RC_TESTING:
	case TPM2_RC_NV_RATE:
	case TPM2_RC_CANCELED:
		return -EBUSY;
	case TPM2_RC_LOCKOUT:
	case TPM2_RC_DISABLED:
	case TPM2_RC_AUTH_MISSING:
	case TPM2_RC_AUTH_UNAVAILABLE:
	case TPM2_RC_AUTH_TYPE:
	case TPM2_RC_AUTH_FAIL:
	case TPM2_RC_BAD_AUTH:
	case TPM2_RC_POLICY_FAIL:
	case TPM2_RC_HIERARCHY:
		return -EPERM;
	case TPM2_RC_HANDLE:
		return -ENOENT;
	case TPM2_RC_INTEGRITY:
	case TPM2_RC_BINDING:
	case TPM2_RC_SIZE:
	case TPM2_RC_INSUFFICIENT:
		return -ESTALE;
	}
	return -EIO;
}

static int from_layers(TSS2_RC rc)
{
	switch (rc & TSS2_RC_LAYER_MASK) {
	case TSS2_TPM_RC_LAYER:
	case TSS2_RESMGR_TPM_RC_LAYER:
		return from_chip(plain_code(rc));
	case TSS2_TCTI_RC_LAYER:
	case TSS2_ESAPI_RC_LAYER:
		switch (rc & ~TSS2_RC_LAYER_MASK) {
		case TSS2_BASE_RC_TRY_AGAIN:
			return -EBUSY;
		case TSS2_BASE_RC_IO_ERROR:
		case TSS2_BASE_RC_NO_CONNECTION:
		case TSS2_BASE_RC_BAD_SEQUENCE: /* of the context, since an answer was lost */
			return -ENODEV;
		}
	}
	return -EIO;
}

int tpm_esys_error(TSS2_RC rc, const char *what)
{
	int r = rc == TSS2_RC_SUCCESS ? 0 : from_layers(rc);

	if (r < 0)
		log_debug("tpm command=%s code=%#x text=\"%s\"", what, rc, Tss2_RC_Decode(rc));
	return r;
}

/*
 * A software TPM has no resource manager: what an agent that was killed left on it fills its three slots (0x902). Over a
 * resource manager the handles of others are not to be seen, and over /dev/tpm0 they are not ours to flush.
 */
static void flush_leftovers(struct tpm_esys *t, TPM2_HANDLE first)
{
	TPMS_CAPABILITY_DATA *found = NULL;
	TPMI_YES_NO more;
	ESYS_TR handle;

	if (Esys_GetCapability(t->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, TPM2_CAP_HANDLES,
			       first, TPM2_MAX_CAP_HANDLES, &more, &found) != TSS2_RC_SUCCESS)
		return;
	for (uint32_t i = 0; i < found->data.handles.count; i++) {
		if (Esys_TR_FromTPMPublic(t->esys, found->data.handles.handle[i], ESYS_TR_NONE,
					  ESYS_TR_NONE, ESYS_TR_NONE, &handle) == TSS2_RC_SUCCESS)
			tpm_esys_flush(t, &handle);
	}
	Esys_Free(found);
}

int tpm_esys_open(const char *tcti, struct tpm_esys *ret, struct why *ret_why)
{
	struct tpm_esys t = {0};
	TSS2_RC rc = Tss2_TctiLdr_Initialize(tcti, &t.tcti);

	if (rc != TSS2_RC_SUCCESS) {
		tpm_esys_error(rc, "tcti");
		return why_set(ret_why, -ENODEV, "no TPM at %s: %s", tcti, Tss2_RC_Decode(rc));
	}
	rc = Esys_Initialize(&t.esys, t.tcti, NULL);
	if (rc != TSS2_RC_SUCCESS) {
		Tss2_TctiLdr_Finalize(&t.tcti);
		return why_set(ret_why, -EIO, "TPM at %s: %s", tcti, Tss2_RC_Decode(rc));
	}
	if (strncmp(tcti, "swtpm", 5) == 0 || strncmp(tcti, "mssim", 5) == 0) {
		flush_leftovers(&t, TRANSIENT_FIRST);
		flush_leftovers(&t, SESSION_FIRST);
	}
	*ret = t;
	return 0;
}

void tpm_esys_close(struct tpm_esys *t)
{
	if (t->esys)
		Esys_Finalize(&t->esys);
	if (t->tcti)
		Tss2_TctiLdr_Finalize(&t->tcti);
}

int tpm_esys_find(struct tpm_esys *t, TPM2_HANDLE handle, ESYS_TR *ret)
{
	return tpm_esys_error(Esys_TR_FromTPMPublic(t->esys, handle, ESYS_TR_NONE, ESYS_TR_NONE,
						    ESYS_TR_NONE, ret),
			      "find");
}

/* EK certificates may be read with the index's own authorisation or the owner's; both are empty as shipped. */
static int nv_read_all(struct tpm_esys *t, ESYS_TR nv, ESYS_TR auth, size_t size, struct buf *ret)
{
	TPM2B_MAX_NV_BUFFER *part;
	TSS2_RC rc;

	for (size_t at = 0; at < size; at += part->size, Esys_Free(part)) {
		size_t n = size - at < NV_CHUNK ? size - at : NV_CHUNK;

		part = NULL;
		rc = Esys_NV_Read(t->esys, auth, nv, PASSWORD, (uint16_t)n, (uint16_t)at, &part);
		if (rc != TSS2_RC_SUCCESS)
			return tpm_esys_error(rc, "nv_read");
		if (part->size == 0 || part->size > n) {
			Esys_Free(part);
			return -EIO;
		}
		buf_put(ret, part->buffer, part->size);
	}
	return buf_status(ret);
}

int tpm_esys_nv_read(struct tpm_esys *t, TPM2_HANDLE index, struct buf *ret)
{
	TPM2B_NV_PUBLIC *public = NULL;
	size_t before = ret->size, size;
	ESYS_TR nv;
	int r = tpm_esys_find(t, index, &nv);

	if (r < 0)
		return r;
	r = tpm_esys_error(Esys_NV_ReadPublic(t->esys, nv, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
					      &public, NULL),
			   "nv_read_public");
	if (r >= 0) {
		size = public->nvPublic.dataSize;
		r = size > NV_MAX ? -EIO : nv_read_all(t, nv, nv, size, ret);
		if (r == -EPERM) {
			buf_cut(ret, before);
			r = nv_read_all(t, nv, ESYS_TR_RH_OWNER, size, ret);
		}
	}
	Esys_Free(public);
	Esys_TR_Close(t->esys, &nv);
	return r;
}

void tpm_esys_flush(struct tpm_esys *t, ESYS_TR *handle)
{
	if (*handle != ESYS_TR_NONE)
		tpm_esys_error(Esys_FlushContext(t->esys, *handle), "flush");
	*handle = ESYS_TR_NONE;
}

int tpm_esys_get(struct tpm_esys *t, struct tpm_esys_object *o)
{
	TSS2_RC rc;

	if (o->handle != ESYS_TR_NONE)
		return 0;
	if (!o->saved)
		return -ESTALE;
	rc = Esys_ContextLoad(t->esys, o->saved, &o->handle);
	if (rc == TSS2_RC_SUCCESS)
		return 0;
	o->handle = ESYS_TR_NONE;
	if (from_layers(rc) == -EBUSY || from_layers(rc) == -ENODEV)
		return tpm_esys_error(rc, "context_load");
	/* Reset since, or the key that wraps contexts has changed: the blob must be loaded anew. */
	tpm_esys_error(rc, "context_load");
	tpm_esys_drop(t, o);
	return -ESTALE;
}

int tpm_esys_put(struct tpm_esys *t, struct tpm_esys_object *o)
{
	int r = 0;

	if (o->persistent || o->handle == ESYS_TR_NONE)
		return 0;
	if (!o->saved)
		r = tpm_esys_error(Esys_ContextSave(t->esys, o->handle, &o->saved), "context_save");
	tpm_esys_flush(t, &o->handle);
	return r;
}

void tpm_esys_drop(struct tpm_esys *t, struct tpm_esys_object *o)
{
	if (!o->persistent)
		tpm_esys_flush(t, &o->handle);
	else if (o->handle != ESYS_TR_NONE)
		Esys_TR_Close(t->esys, &o->handle);
	Esys_Free(o->saved);
	*o = (struct tpm_esys_object){.handle = ESYS_TR_NONE};
}
