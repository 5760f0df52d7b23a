/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm_keys.h"

#include <errno.h>
#include <string.h>
#include <tss2/tss2_mu.h>

#include "cleanup.h"

#define BLOBS_MAGIC "PLTK\1"
#define MAX_PART 2048

int tpm_keys_put_public(const struct tpm_key *key, struct buf *ret)
{
	uint8_t bytes[sizeof(key->public) + 2];
	size_t size = 0;

	if (Tss2_MU_TPM2B_PUBLIC_Marshal(&key->public, bytes, sizeof(bytes), &size) !=
	    TSS2_RC_SUCCESS)
		return -EIO;
	buf_put(ret, bytes, size);
	return buf_status(ret);
}

/* noDA: an agent that is killed must not lock itself out (three stops suffice on some chips). */
static int create_key(struct tpm_esys *t, struct tpm_ek *ek, bool restricted, struct tpm_key *ret)
{
	const TPM2B_SENSITIVE_CREATE sensitive = {0};
	const TPML_PCR_SELECTION no_pcrs = {0};
	const TPM2B_DATA outside = {0};
	const TPM2B_PUBLIC template = {
		.publicArea =
			{
				.type = TPM2_ALG_ECC,
				.nameAlg = TPM2_ALG_SHA256,
				.objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
						    TPMA_OBJECT_SENSITIVEDATAORIGIN |
						    TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA |
						    TPMA_OBJECT_SIGN_ENCRYPT |
						    (restricted ? TPMA_OBJECT_RESTRICTED : 0),
				.parameters.eccDetail =
					{
						.symmetric.algorithm = TPM2_ALG_NULL,
						.scheme = {.scheme = TPM2_ALG_ECDSA,
							   .details.ecdsa.hashAlg =
								   TPM2_ALG_SHA256},
						.curveID = TPM2_ECC_NIST_P256,
						.kdf.scheme = TPM2_ALG_NULL,
					},
			},
	};
	TPM2B_PRIVATE *private = NULL;
	TPM2B_PUBLIC *public = NULL;
	ESYS_TR session;
	int r = tpm_ek_enter(t, ek, &session);

	if (r < 0)
		return r;
	r = tpm_esys_error(Esys_Create(t->esys, ek->object.handle, session, ESYS_TR_NONE,
				       ESYS_TR_NONE, &sensitive, &template, &outside, &no_pcrs,
				       &private, &public, NULL, NULL, NULL),
			   "create");
	tpm_ek_leave(t, ek, &session);
	if (r < 0)
		return r;
	ret->private = *private;
	ret->public = *public;
	Esys_Free(private);
	Esys_Free(public);
	return 0;
}

/* On the chip afterwards, from its saved context or, after a reset of the chip, from its blob. */
int tpm_keys_enter(struct tpm_esys *t, struct tpm_ek *ek, struct tpm_key *key)
{
	ESYS_TR session;
	TSS2_RC rc;
	int r = tpm_esys_get(t, &key->object);

	if (r != -ESTALE)
		return r;
	r = tpm_ek_enter(t, ek, &session);
	if (r < 0)
		return r;
	rc = Esys_Load(t->esys, ek->object.handle, session, ESYS_TR_NONE, ESYS_TR_NONE,
		       &key->private, &key->public, &key->object.handle);
	if (rc != TSS2_RC_SUCCESS)
		key->object.handle = ESYS_TR_NONE;
	tpm_ek_leave(t, ek, &session);
	return tpm_esys_error(rc, "load");
}

/* Magic, the EK's public area, then private and public part of the AK and of the event key, each with its length. */
static int put_blobs(const struct tpm_ek *ek, const struct tpm_keys *k, struct buf *ret)
{
	const struct tpm_key *keys[] = {&k->ak, &k->event};

	buf_puts(ret, BLOBS_MAGIC);
	buf_put_sized(ret, ek->public.data, ek->public.size);
	for (unsigned int i = 0; i < ARRAY_SIZE(keys); i++) {
		CLEANUP(buf_done) struct buf public = {.max = MAX_PART};
		int r = tpm_keys_put_public(keys[i], &public);

		if (r < 0)
			return r;
		buf_put_sized(ret, keys[i]->private.buffer, keys[i]->private.size);
		buf_put_sized(ret, public.data, public.size);
	}
	return buf_status(ret);
}

static int read_key(struct buf_reader *in, struct tpm_key *ret)
{
	struct buf_view private, public;
	size_t at = 0;

	if (buf_read_sized32be(in, sizeof(ret->private.buffer), &private) < 0 ||
	    buf_read_sized32be(in, MAX_PART, &public) < 0)
		return -EKEYREJECTED;
	if (Tss2_MU_TPM2B_PUBLIC_Unmarshal(public.data, public.size, &at, &ret->public) !=
		    TSS2_RC_SUCCESS ||
	    at != public.size)
		return -EKEYREJECTED;
	ret->private.size = (uint16_t) private.size;
	memcpy(ret->private.buffer, private.data, private.size);
	return 0;
}

/* -EKEYREJECTED: damaged, or of another TPM (a cloned disk): the caller sets them aside and has new ones made. */
static int read_blobs(const struct tpm_ek *ek, const struct buf *blobs, struct tpm_keys *k)
{
	struct buf_reader in = buf_reader_of(blobs->data, blobs->size);
	struct buf_view magic, parent;
	int r;

	if (buf_read_bytes(&in, strlen(BLOBS_MAGIC), &magic) < 0 ||
	    memcmp(magic.data, BLOBS_MAGIC, magic.size) != 0 ||
	    buf_read_sized32be(&in, MAX_PART, &parent) < 0)
		return -EKEYREJECTED;
	if (parent.size != ek->public.size ||
	    memcmp(parent.data, ek->public.data, parent.size) != 0)
		return -EKEYREJECTED;
	r = read_key(&in, &k->ak);
	if (r >= 0)
		r = read_key(&in, &k->event);
	return r >= 0 && buf_left(&in) > 0 ? -EKEYREJECTED : r;
}

static int make_keys(struct tpm_esys *t, struct tpm_ek *ek, struct buf *blobs, struct tpm_keys *k)
{
	int r = create_key(t, ek, true, &k->ak);

	if (r >= 0)
		r = create_key(t, ek, false, &k->event);
	return r < 0 ? r : put_blobs(ek, k, blobs);
}

static int try_key(struct tpm_esys *t, struct tpm_ek *ek, struct tpm_key *key)
{
	int r;

	tpm_esys_drop(t, &key->object);
	r = tpm_keys_enter(t, ek, key);
	return r < 0 ? r : tpm_esys_put(t, &key->object);
}

int tpm_keys_open(struct tpm_esys *t, struct tpm_ek *ek, struct buf *blobs, struct tpm_keys *k)
{
	bool made = blobs->size == 0;
	int r;

	k->open = false;
	r = made ? make_keys(t, ek, blobs, k) : read_blobs(ek, blobs, k);
	if (r >= 0)
		r = try_key(t, ek, &k->ak);
	if (r >= 0)
		r = try_key(t, ek, &k->event);
	if (r < 0 && made)
		buf_clear(blobs);
	if (r < 0)
		return r == -ESTALE && !made ? -EKEYREJECTED : r;
	k->open = true;
	return 0;
}

void tpm_keys_init(struct tpm_keys *k)
{
	*k = (struct tpm_keys){
		.ak.object.handle = ESYS_TR_NONE,
		.event.object.handle = ESYS_TR_NONE,
	};
}

void tpm_keys_close(struct tpm_esys *t, struct tpm_keys *k)
{
	tpm_esys_drop(t, &k->ak.object);
	tpm_esys_drop(t, &k->event.object);
	k->open = false;
}

void tpm_keys_forget(struct tpm_keys *k)
{
	k->ak.object.handle = ESYS_TR_NONE;
	k->event.object.handle = ESYS_TR_NONE;
}
