/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tpm_door.h: the door to a TPM, as a table of functions; agent/tpm.c fills it over ESYS, tests fill it with fakes.
 * In: requests. Out: blobs in TPM wire form. All calls block: they run on the thread of agent/tpm_queue.
 * Errors: -ENODEV no TPM, -EBUSY retry, -EPERM lockout or auth, -EIO the rest (decoded text in the log at debug).
 */
#ifndef PLUMB_TPM_DOOR_H
#define PLUMB_TPM_DOOR_H

#include <stdint.h>
#include "buf.h"
#include "digest.h"
#include "quote.h"

struct tpm_clock {
	uint32_t reset_count, restart_count;
	uint64_t clock_ms;
};

struct tpm_ops {
	int (*read_clock)(void *ctx, struct tpm_clock *ret);	/* counts in clear only inside quotes of an AK under the EK; TPM2_ReadClock gives them too */
	int (*pcr_read)(void *ctx, uint32_t mask, struct quote_pcrs *ret);
	int (*pcr_extend)(void *ctx, uint32_t index, const struct digest *digest);
	int (*ek_public)(void *ctx, struct buf *ret_public, struct buf *ret_cert);	/* cert empty: none in NV */
	/* AK (under the EK, NODA) and event key: made, or loaded from the blobs of before. blobs: opaque, kept by the caller. */
	int (*keys_open)(void *ctx, struct buf *blobs, struct buf *ret_ak_public, struct buf *ret_event_public);
	int (*certify_event)(void *ctx, const struct digest *qualifying, struct buf *ret_attest, struct buf *ret_sig);
	int (*activate)(void *ctx, const void *blob, size_t blob_size, const void *secret, size_t secret_size, struct buf *ret);
	int (*quote)(void *ctx, uint32_t mask, const struct digest *qualifying, struct buf *ret_attest, struct buf *ret_sig, struct quote_pcrs *ret_pcrs);
	int (*sign_event)(void *ctx, const struct digest *digest, struct buf *ret_sig);	/* TPMT_SIGNATURE */
	void (*close)(void *ctx);
};

struct tpm {
	const struct tpm_ops *ops;
	void *ctx;
};

#endif
