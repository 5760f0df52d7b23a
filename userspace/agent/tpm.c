/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <tss2/tss2_mu.h>

#include "tpm_ek.h"
#include "tpm_esys.h"
#include "tpm_keys.h"

#define PCRS_PER_READ 8
#define MAX_READS 5
#define PASSWORD ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE

struct tpm_chip {
	struct tpm door;
	struct tpm_esys t;
	struct tpm_ek ek; /* kind NULL: not chosen yet */
	struct tpm_keys keys;
	char *tcti;
	bool broken; /* a command or its answer was lost: ESYS takes no other in that state, so its context is to be made anew */
};

/* What the door promises: nothing below may reach its caller under another number. */
static int door_error(struct tpm_chip *c, int r)
{
	c->broken |= r == -ENODEV;
	return r == -ENOENT || r == -ESTALE ? -EIO : r;
}

/* What lies on the chip is found, or loaded, again when it is needed. */
static int ready(struct tpm_chip *c)
{
	struct why why;
	int r;

	if (!c->broken)
		return 0;
	tpm_keys_forget(&c->keys);
	c->ek.object.handle = ESYS_TR_NONE;
	c->ek.object.persistent = false;
	tpm_esys_close(&c->t);
	c->t = (struct tpm_esys){.esys = NULL};
	r = tpm_esys_open(c->tcti, &c->t, &why);
	if (r < 0)
		return -ENODEV;
	c->broken = false;
	return 0;
}

static int put_marshalled(struct buf *ret, TSS2_RC rc, const uint8_t *bytes, size_t size)
{
	if (rc != TSS2_RC_SUCCESS)
		return -EIO;
	buf_put(ret, bytes, size);
	return buf_status(ret);
}

static int put_signature(const TPMT_SIGNATURE *sig, struct buf *ret)
{
	uint8_t bytes[sizeof(*sig) + 2];
	size_t size = 0;
	TSS2_RC rc = Tss2_MU_TPMT_SIGNATURE_Marshal(sig, bytes, sizeof(bytes), &size);

	return put_marshalled(ret, rc, bytes, size);
}

static int need_ek(struct tpm_chip *c)
{
	return c->ek.kind ? 0 : tpm_ek_open(&c->t, &c->ek);
}

static int chip_read_clock(void *ctx, struct tpm_clock *ret)
{
	struct tpm_chip *c = ctx;
	TPMS_TIME_INFO *now = NULL;
	int r = ready(c);

	if (r >= 0)
		r = tpm_esys_error(
			Esys_ReadClock(c->t.esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &now),
			"read_clock");

	if (r < 0)
		return door_error(c, r);
	*ret = (struct tpm_clock){
		.reset_count = now->clockInfo.resetCount,
		.restart_count = now->clockInfo.restartCount,
		.clock_ms = now->clockInfo.clock,
	};
	Esys_Free(now);
	return 0;
}

static void select_pcrs(uint32_t mask, TPML_PCR_SELECTION *ret)
{
	*ret = (TPML_PCR_SELECTION){.count = 1};
	ret->pcrSelections[0].hash = TPM2_ALG_SHA256;
	ret->pcrSelections[0].sizeofSelect = 3;
	for (unsigned int i = 0; i < 3; i++)
		ret->pcrSelections[0].pcrSelect[i] = (uint8_t)(mask >> (8 * i));
}

static uint32_t selected(const TPML_PCR_SELECTION *s)
{
	const TPMS_PCR_SELECTION *p = &s->pcrSelections[0];
	uint32_t mask = 0;

	if (s->count != 1 || p->hash != TPM2_ALG_SHA256)
		return 0;
	for (unsigned int i = 0; i < p->sizeofSelect && i < 3; i++)
		mask |= (uint32_t)p->pcrSelect[i] << (8 * i);
	return mask;
}

/* One command: the chip answers for as many as it likes. A bank that is not allocated answers for none. */
static int read_some(struct tpm_chip *c, uint32_t mask, struct quote_pcrs *pcrs,
		     uint32_t *ret_counter)
{
	TPML_PCR_SELECTION in, *out = NULL;
	TPML_DIGEST *values = NULL;
	uint32_t got, n = 0;
	int r;

	select_pcrs(mask, &in);
	r = tpm_esys_error(Esys_PCR_Read(c->t.esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &in,
					 ret_counter, &out, &values),
			   "pcr_read");
	if (r < 0)
		return r;
	got = selected(out) & mask;
	if (got == 0)
		r = -EIO;
	for (unsigned int i = 0; r >= 0 && i < QUOTE_N_PCRS; i++) {
		if (!(got & (1u << i)))
			continue;
		if (n >= values->count || values->digests[n].size != DIGEST_SIZE) {
			r = -EIO;
			break;
		}
		memcpy(pcrs->values[i].bytes, values->digests[n++].buffer, DIGEST_SIZE);
	}
	if (r >= 0)
		pcrs->mask |= got;
	Esys_Free(out);
	Esys_Free(values);
	return r;
}

/* All values of one moment: the counter tells whether somebody extended between two commands. */
static int read_all(struct tpm_chip *c, uint32_t mask, struct quote_pcrs *ret)
{
	uint32_t first = 0, counter = 0;
	struct quote_pcrs pcrs = {0};
	bool begun = false;
	int r;

	while (pcrs.mask != mask) {
		r = read_some(c, mask & ~pcrs.mask, &pcrs, &counter);
		if (r < 0)
			return r;
		if (begun && counter != first)
			return -EAGAIN;
		first = counter;
		begun = true;
	}
	*ret = pcrs;
	return 0;
}

static int chip_pcr_read(void *ctx, uint32_t mask, struct quote_pcrs *ret)
{
	struct tpm_chip *c = ctx;
	int r;

	if (mask == 0 || mask >> QUOTE_N_PCRS)
		return -EINVAL;
	r = ready(c);
	if (r < 0)
		return r;
	r = -EAGAIN;
	for (unsigned int i = 0; r == -EAGAIN && i < MAX_READS; i++)
		r = read_all(ctx, mask, ret);
	return r == -EAGAIN ? -EBUSY : door_error(c, r);
}

static int chip_pcr_extend(void *ctx, uint32_t index, const struct digest *digest)
{
	struct tpm_chip *c = ctx;
	TPML_DIGEST_VALUES values = {.count = 1, .digests = {{.hashAlg = TPM2_ALG_SHA256}}};
	int r;

	if (index >= QUOTE_N_PCRS)
		return -EINVAL;
	memcpy(values.digests[0].digest.sha256, digest->bytes, DIGEST_SIZE);
	r = ready(c);
	if (r >= 0)
		r = tpm_esys_error(
			Esys_PCR_Extend(c->t.esys, ESYS_TR_PCR0 + index, PASSWORD, &values),
			"pcr_extend");
	return door_error(c, r);
}

static int chip_ek_public(void *ctx, struct buf *ret_public, struct buf *ret_cert)
{
	struct tpm_chip *c = ctx;
	int r = need_ek(c);

	if (r < 0)
		return door_error(c, r);
	buf_put(ret_public, c->ek.public.data, c->ek.public.size);
	buf_put(ret_cert, c->ek.cert.data, c->ek.cert.size);
	r = buf_status(ret_public);
	return r < 0 ? r : buf_status(ret_cert);
}

static int chip_keys_open(void *ctx, struct buf *blobs, struct buf *ret_ak_public,
			  struct buf *ret_event_public)
{
	struct tpm_chip *c = ctx;
	int r = need_ek(c);

	if (r >= 0)
		r = tpm_keys_open(&c->t, &c->ek, blobs, &c->keys);
	if (r >= 0)
		r = tpm_keys_put_public(&c->keys.ak, ret_ak_public);
	if (r >= 0)
		r = tpm_keys_put_public(&c->keys.event, ret_event_public);
	return door_error(c, r);
}

static int chip_certify_event(void *ctx, const struct digest *qualifying, struct buf *ret_attest,
			      struct buf *ret_sig)
{
	const TPMT_SIG_SCHEME own_scheme = {.scheme = TPM2_ALG_NULL};
	TPM2B_DATA extra = {.size = DIGEST_SIZE};
	TPM2B_ATTEST *attest = NULL;
	TPMT_SIGNATURE *sig = NULL;
	struct tpm_chip *c = ctx;
	int r;

	if (!c->keys.open)
		return -EINVAL;
	memcpy(extra.buffer, qualifying->bytes, DIGEST_SIZE);
	r = tpm_keys_enter(&c->t, &c->ek, &c->keys.event);
	if (r >= 0)
		r = tpm_keys_enter(&c->t, &c->ek, &c->keys.ak);
	if (r >= 0)
		r = tpm_esys_error(Esys_Certify(c->t.esys, c->keys.event.object.handle,
						c->keys.ak.object.handle, ESYS_TR_PASSWORD,
						ESYS_TR_PASSWORD, ESYS_TR_NONE, &extra, &own_scheme,
						&attest, &sig),
				   "certify");
	tpm_esys_put(&c->t, &c->keys.ak.object);
	tpm_esys_put(&c->t, &c->keys.event.object);
	if (r < 0)
		return door_error(c, r);
	buf_put(ret_attest, attest->attestationData, attest->size);
	r = put_signature(sig, ret_sig);
	Esys_Free(attest);
	Esys_Free(sig);
	return r < 0 ? r : buf_status(ret_attest);
}

static int chip_activate(void *ctx, const void *blob, size_t blob_size, const void *secret,
			 size_t secret_size, struct buf *ret)
{
	TPM2B_ENCRYPTED_SECRET sealed = {0};
	TPM2B_ID_OBJECT object = {0};
	TPM2B_DIGEST *found = NULL;
	struct tpm_chip *c = ctx;
	size_t at = 0, end = 0;
	ESYS_TR session;
	int r;

	if (!c->keys.open)
		return -EINVAL;
	if (Tss2_MU_TPM2B_ID_OBJECT_Unmarshal(blob, blob_size, &at, &object) != TSS2_RC_SUCCESS ||
	    at != blob_size ||
	    Tss2_MU_TPM2B_ENCRYPTED_SECRET_Unmarshal(secret, secret_size, &end, &sealed) !=
		    TSS2_RC_SUCCESS ||
	    end != secret_size)
		return -EBADMSG;
	r = tpm_keys_enter(&c->t, &c->ek, &c->keys.ak);
	if (r < 0)
		return door_error(c, r);
	r = tpm_ek_enter(&c->t, &c->ek, &session);
	if (r >= 0) {
		r = tpm_esys_error(Esys_ActivateCredential(c->t.esys, c->keys.ak.object.handle,
							   c->ek.object.handle, ESYS_TR_PASSWORD,
							   session, ESYS_TR_NONE, &object, &sealed,
							   &found),
				   "activate_credential");
		tpm_ek_leave(&c->t, &c->ek, &session);
	}
	tpm_esys_put(&c->t, &c->keys.ak.object);
	if (r < 0)
		return door_error(c, r);
	buf_put(ret, found->buffer, found->size);
	explicit_bzero(found->buffer, found->size);
	Esys_Free(found);
	return buf_status(ret);
}

/* Does the quote cover exactly these values? Somebody else may have extended between the two commands. */
static bool covers(const TPM2B_ATTEST *attest, const struct quote_pcrs *pcrs)
{
	struct buf_view parts[QUOTE_N_PCRS];
	TPMS_ATTEST a = {0};
	struct digest want;
	size_t at = 0, n = 0;

	for (unsigned int i = 0; i < QUOTE_N_PCRS; i++)
		if (pcrs->mask & (1u << i))
			parts[n++] = (struct buf_view){pcrs->values[i].bytes, DIGEST_SIZE};
	return Tss2_MU_TPMS_ATTEST_Unmarshal(attest->attestationData, attest->size, &at, &a) ==
		       TSS2_RC_SUCCESS &&
	       a.type == TPM2_ST_ATTEST_QUOTE && digest_sha256_parts(parts, n, &want) == 0 &&
	       a.attested.quote.pcrDigest.size == DIGEST_SIZE &&
	       memcmp(a.attested.quote.pcrDigest.buffer, want.bytes, DIGEST_SIZE) == 0;
}

static int quote_once(struct tpm_chip *c, uint32_t mask, const struct digest *qualifying,
		      struct buf *ret_attest, struct buf *ret_sig, struct quote_pcrs *ret_pcrs)
{
	const TPMT_SIG_SCHEME own_scheme = {.scheme = TPM2_ALG_NULL};
	TPM2B_DATA extra = {.size = DIGEST_SIZE};
	TPML_PCR_SELECTION selection;
	struct quote_pcrs pcrs = {0};
	TPM2B_ATTEST *attest = NULL;
	TPMT_SIGNATURE *sig = NULL;
	int r;

	memcpy(extra.buffer, qualifying->bytes, DIGEST_SIZE);
	select_pcrs(mask, &selection);
	r = tpm_esys_error(Esys_Quote(c->t.esys, c->keys.ak.object.handle, PASSWORD, &extra,
				      &own_scheme, &selection, &attest, &sig),
			   "quote");
	if (r < 0)
		return r;
	r = chip_pcr_read(c, mask, &pcrs);
	if (r >= 0 && !covers(attest, &pcrs))
		r = -EAGAIN;
	if (r >= 0) {
		buf_put(ret_attest, attest->attestationData, attest->size);
		r = put_signature(sig, ret_sig);
	}
	if (r >= 0) {
		*ret_pcrs = pcrs;
		r = buf_status(ret_attest);
	}
	Esys_Free(attest);
	Esys_Free(sig);
	return r;
}

static int chip_quote(void *ctx, uint32_t mask, const struct digest *qualifying,
		      struct buf *ret_attest, struct buf *ret_sig, struct quote_pcrs *ret_pcrs)
{
	struct tpm_chip *c = ctx;
	int r;

	if (!c->keys.open || mask == 0 || mask >> QUOTE_N_PCRS)
		return -EINVAL;
	r = ready(c);
	if (r >= 0)
		r = tpm_keys_enter(&c->t, &c->ek, &c->keys.ak);
	if (r < 0)
		return door_error(c, r);
	r = -EAGAIN;
	for (unsigned int i = 0; r == -EAGAIN && i < MAX_READS; i++)
		r = quote_once(c, mask, qualifying, ret_attest, ret_sig, ret_pcrs);
	tpm_esys_put(&c->t, &c->keys.ak.object);
	return r == -EAGAIN ? -EBUSY : door_error(c, r);
}

static int chip_sign_event(void *ctx, const struct digest *digest, struct buf *ret_sig)
{
	const TPMT_SIG_SCHEME own_scheme = {.scheme = TPM2_ALG_NULL};
	const TPMT_TK_HASHCHECK no_ticket = {
		.tag = TPM2_ST_HASHCHECK,
		.hierarchy = TPM2_RH_NULL,
	};
	TPM2B_DIGEST what = {.size = DIGEST_SIZE};
	TPMT_SIGNATURE *sig = NULL;
	struct tpm_chip *c = ctx;
	int r;

	if (!c->keys.open)
		return -EINVAL;
	memcpy(what.buffer, digest->bytes, DIGEST_SIZE);
	r = ready(c);
	if (r >= 0)
		r = tpm_keys_enter(&c->t, &c->ek, &c->keys.event);
	if (r >= 0)
		r = tpm_esys_error(Esys_Sign(c->t.esys, c->keys.event.object.handle, PASSWORD,
					     &what, &own_scheme, &no_ticket, &sig),
				   "sign");
	tpm_esys_put(&c->t, &c->keys.event.object);
	if (r < 0)
		return door_error(c, r);
	r = put_signature(sig, ret_sig);
	Esys_Free(sig);
	return r;
}

static void chip_close(void *ctx)
{
	struct tpm_chip *c = ctx;

	tpm_keys_close(&c->t, &c->keys);
	tpm_ek_close(&c->t, &c->ek);
	tpm_esys_close(&c->t);
	free(c->tcti);
	free(c);
}

static const struct tpm_ops ops = {
	.read_clock = chip_read_clock,
	.pcr_read = chip_pcr_read,
	.pcr_extend = chip_pcr_extend,
	.ek_public = chip_ek_public,
	.keys_open = chip_keys_open,
	.certify_event = chip_certify_event,
	.activate = chip_activate,
	.quote = chip_quote,
	.sign_event = chip_sign_event,
	.close = chip_close,
};

int tpm_open(const char *tcti, struct tpm **ret, struct why *ret_why)
{
	struct tpm_chip *c = calloc(1, sizeof(*c));
	struct quote_pcrs pcrs;
	int r;

	if (!c)
		return -ENOMEM;
	/* tpm2-tss writes to stderr past our log; who wants that sets the variable. */
	setenv("TSS2_LOG", "all+none", 0);
	c->door = (struct tpm){&ops, c};
	c->ek.object.handle = ESYS_TR_NONE;
	tpm_keys_init(&c->keys);
	c->tcti = strdup(tcti);
	r = c->tcti ? tpm_esys_open(tcti, &c->t, ret_why) : -ENOMEM;
	if (r < 0) {
		free(c->tcti);
		free(c);
		return r;
	}
	r = chip_pcr_read(c, 1, &pcrs);
	if (r < 0) {
		chip_close(c);
		return why_set(ret_why, r, "TPM at %s: PCRs of the SHA-256 bank cannot be read",
			       tcti);
	}
	*ret = &c->door;
	return 0;
}

struct tpm *tpm_free(struct tpm *t)
{
	if (t)
		t->ops->close(t->ctx);
	return NULL;
}
