/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm_ek.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <tss2/tss2_mu.h>

#include "cleanup.h"
#include "quote.h"

#define N_KINDS 3

struct tpm_ek_kind {
	TPM2_HANDLE persistent, cert; /* where the profile puts them */
	TPM2_ECC_CURVE curve; /* TPM2_ECC_NONE: RSA-2048 */
	bool large; /* SHA-384 and AES-256, and usable with its (empty) authorisation */
};

static const struct tpm_ek_kind kinds[N_KINDS] = {
	{0x81010001, 0x01c00002, TPM2_ECC_NONE, false},
	{0x81010002, 0x01c0000a, TPM2_ECC_NIST_P256, false},
	{0x81010016, 0x01c00016, TPM2_ECC_NIST_P384, true},
};

static const TPM2B_DIGEST policy_l = {
	.size = 32,
	.buffer = {0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90, 0xcc,
		   0x8d, 0x46, 0xa5, 0xd7, 0x24, 0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52,
		   0x0b, 0x64, 0xf2, 0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa},
};

static const TPM2B_DIGEST policy_b384 = {
	.size = 48,
	.buffer = {0xb2, 0x6e, 0x7d, 0x28, 0xd1, 0x1a, 0x50, 0xbc, 0x53, 0xd8, 0x82, 0xbc,
		   0xf5, 0xfd, 0x3a, 0x1a, 0x07, 0x41, 0x48, 0xbb, 0x35, 0xd3, 0xb4, 0xe4,
		   0xcb, 0x1c, 0x0a, 0xd9, 0xbd, 0xe4, 0x19, 0xca, 0xcb, 0x47, 0xba, 0x09,
		   0x69, 0x96, 0x46, 0x15, 0x0f, 0x9f, 0xc0, 0x00, 0xf3, 0xf8, 0x0e, 0x12},
};

/* The default templates: L-1 and L-2, whose unique fields are zeros, and H-3, whose unique field is empty. */
static void fill_template(const struct tpm_ek_kind *kind, TPM2B_PUBLIC *ret)
{
	TPMT_PUBLIC *p = &ret->publicArea;
	TPMT_SYM_DEF_OBJECT cipher = {
		.algorithm = TPM2_ALG_AES,
		.keyBits.aes = kind->large ? 256 : 128,
		.mode.aes = TPM2_ALG_CFB,
	};

	*ret = (TPM2B_PUBLIC){0};
	p->type = kind->curve == TPM2_ECC_NONE ? TPM2_ALG_RSA : TPM2_ALG_ECC;
	p->nameAlg = kind->large ? TPM2_ALG_SHA384 : TPM2_ALG_SHA256;
	p->objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
			      TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_ADMINWITHPOLICY |
			      TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT |
			      (kind->large ? TPMA_OBJECT_USERWITHAUTH : 0);
	p->authPolicy = kind->large ? policy_b384 : policy_l;
	if (kind->curve == TPM2_ECC_NONE) {
		p->parameters.rsaDetail.symmetric = cipher;
		p->parameters.rsaDetail.scheme.scheme = TPM2_ALG_NULL;
		p->parameters.rsaDetail.keyBits = 2048;
		p->unique.rsa.size = 256;
		return;
	}
	p->parameters.eccDetail.symmetric = cipher;
	p->parameters.eccDetail.scheme.scheme = TPM2_ALG_NULL;
	p->parameters.eccDetail.curveID = kind->curve;
	p->parameters.eccDetail.kdf.scheme = TPM2_ALG_NULL;
	p->unique.ecc.x.size = kind->large ? 0 : 32;
	p->unique.ecc.y.size = kind->large ? 0 : 32;
}

static int put_public(const TPM2B_PUBLIC *p, struct buf *ret)
{
	uint8_t bytes[sizeof(*p) + 2];
	size_t size = 0;

	if (Tss2_MU_TPM2B_PUBLIC_Marshal(p, bytes, sizeof(bytes), &size) != TSS2_RC_SUCCESS)
		return -EIO;
	buf_put(ret, bytes, size);
	return buf_status(ret);
}

/* The certificate is the first DER element: some chips fill the index up with anything. */
static void cut_to_element(struct buf *b)
{
	size_t size = 0;

	if (b->size >= 4 && b->data[0] == 0x30 && b->data[1] == 0x82)
		size = 4 + ((size_t)b->data[2] << 8 | b->data[3]);
	else if (b->size >= 3 && b->data[0] == 0x30 && b->data[1] == 0x81)
		size = 3 + (size_t)b->data[2];
	if (size > b->size)
		size = 0;
	buf_cut(b, size);
}

/* Anybody with the owner's authorisation can put a key of his own at the handle: it must at least be of the template. */
static int find_persistent(struct tpm_esys *t, const struct tpm_ek_kind *kind, struct tpm_ek *ek)
{
	TPM2B_PUBLIC template, *public = NULL;
	ESYS_TR handle;
	int r = tpm_esys_find(t, kind->persistent, &handle);

	if (r < 0)
		return r;
	fill_template(kind, &template);
	r = tpm_esys_error(Esys_ReadPublic(t->esys, handle, ESYS_TR_NONE, ESYS_TR_NONE,
					   ESYS_TR_NONE, &public, NULL, NULL),
			   "read_public");
	if (r >= 0)
		r = put_public(public, &ek->public);
	if (r >= 0 && (public->publicArea.type != template.publicArea.type ||
		       public->publicArea.nameAlg != template.publicArea.nameAlg ||
		       quote_check_ek(ek->public.data, ek->public.size, NULL) < 0))
		r = -ENOENT;
	Esys_Free(public);
	if (r < 0) {
		buf_clear(&ek->public);
		Esys_TR_Close(t->esys, &handle);
		return r;
	}
	ek->object = (struct tpm_esys_object){.handle = handle, .persistent = true};
	return 0;
}

static int create(struct tpm_esys *t, const struct tpm_ek_kind *kind, ESYS_TR *ret_handle,
		  struct buf *ret_public)
{
	const TPM2B_SENSITIVE_CREATE sensitive = {0};
	const TPML_PCR_SELECTION no_pcrs = {0};
	const TPM2B_DATA outside = {0};
	TPM2B_PUBLIC template, *public = NULL;
	TSS2_RC rc;
	int r;

	fill_template(kind, &template);
	rc = Esys_CreatePrimary(t->esys, ESYS_TR_RH_ENDORSEMENT, ESYS_TR_PASSWORD, ESYS_TR_NONE,
				ESYS_TR_NONE, &sensitive, &template, &outside, &no_pcrs, ret_handle,
				&public, NULL, NULL, NULL);
	if (rc != TSS2_RC_SUCCESS)
		return tpm_esys_error(rc, "create_primary");
	r = put_public(public, ret_public);
	Esys_Free(public);
	if (r < 0)
		tpm_esys_flush(t, ret_handle);
	return r;
}

static int open_kind(struct tpm_esys *t, const struct tpm_ek_kind *kind, struct tpm_ek *ek)
{
	int r = find_persistent(t, kind, ek);

	if (r == -ENOENT) {
		r = create(t, kind, &ek->object.handle, &ek->public);
		if (r >= 0)
			r = tpm_esys_put(t, &ek->object);
	}
	if (r >= 0)
		ek->kind = kind;
	return r;
}

int tpm_ek_open(struct tpm_esys *t, struct tpm_ek *ret)
{
	struct tpm_ek ek = {.object.handle = ESYS_TR_NONE};
	int r = -ENOENT;

	for (unsigned int i = 0; i < N_KINDS && !ek.kind; i++) {
		buf_clear(&ek.cert);
		r = tpm_esys_nv_read(t, kinds[i].cert, &ek.cert);
		if (r == -ENODEV || r == -EBUSY)
			goto fail;
		cut_to_element(&ek.cert);
		if (r < 0 || ek.cert.size == 0)
			continue;
		r = open_kind(t, &kinds[i], &ek);
		if (r < 0)
			goto fail;
	}
	for (unsigned int i = 0; i < N_KINDS && !ek.kind; i++) {
		r = open_kind(t, &kinds[i], &ek);
		if (r < 0 && r != -EIO && r != -ENOENT)
			goto fail;
	}
	if (!ek.kind) {
		r = r == -ENOENT ? -EIO : r;
		goto fail;
	}
	*ret = ek;
	return 0;
fail:
	tpm_ek_close(t, &ek);
	return r;
}

void tpm_ek_close(struct tpm_esys *t, struct tpm_ek *ek)
{
	tpm_esys_drop(t, &ek->object);
	buf_done(&ek->public);
	buf_done(&ek->cert);
	ek->kind = NULL;
}

/* The policy of the L templates: PolicySecret with the endorsement hierarchy, whose authorisation is empty as shipped. */
int tpm_ek_session(struct tpm_esys *t, const struct tpm_ek *ek, ESYS_TR *ret_session)
{
	const TPMT_SYM_DEF no_cipher = {.algorithm = TPM2_ALG_NULL};
	ESYS_TR session;
	int r;

	if (ek->kind->large) {
		*ret_session = ESYS_TR_PASSWORD;
		return 0;
	}
	r = tpm_esys_error(Esys_StartAuthSession(t->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
						 ESYS_TR_NONE, ESYS_TR_NONE, NULL, TPM2_SE_POLICY,
						 &no_cipher, TPM2_ALG_SHA256, &session),
			   "start_auth_session");
	if (r < 0)
		return r;
	r = tpm_esys_error(Esys_PolicySecret(t->esys, ESYS_TR_RH_ENDORSEMENT, session,
					     ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, NULL,
					     NULL, NULL, 0, NULL, NULL),
			   "policy_secret");
	if (r < 0) {
		tpm_esys_flush(t, &session);
		return r;
	}
	*ret_session = session;
	return 0;
}

int tpm_ek_enter(struct tpm_esys *t, struct tpm_ek *ek, ESYS_TR *ret_session)
{
	CLEANUP(buf_done) struct buf public = {.max = QUOTE_MAX_BLOB};
	int r = tpm_esys_get(t, &ek->object);

	if (r == -ESTALE) {
		r = create(t, ek->kind, &ek->object.handle, &public);
		/* Another EK under the same process: the chip was cleared or exchanged. */
		if (r >= 0 && (public.size != ek->public.size ||
			       memcmp(public.data, ek->public.data, public.size) != 0))
			r = -ESTALE;
	}
	if (r >= 0)
		r = tpm_ek_session(t, ek, ret_session);
	if (r < 0)
		tpm_esys_put(t, &ek->object);
	return r;
}

void tpm_ek_leave(struct tpm_esys *t, struct tpm_ek *ek, ESYS_TR *session)
{
	if (session && *session != ESYS_TR_PASSWORD)
		tpm_esys_flush(t, session);
	tpm_esys_put(t, &ek->object);
}
