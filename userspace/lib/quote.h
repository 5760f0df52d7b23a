/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quote.h: qualifying data (BORDER), and the strict check of a TPM2_Quote and a TPM2_Certify (TPM 2.0 part 2, 10.12).
 * In: foreign TPMS_ATTEST, TPMT_SIGNATURE and PCR values, the enrolled TPM2B_PUBLIC. Out: counts and the PCRs that the quote covers. Pure, no ESYS.
 */
#ifndef PLUMB_QUOTE_H
#define PLUMB_QUOTE_H

#include <stdbool.h>
#include <stdint.h>
#include "buf.h"
#include "digest.h"
#include "sign.h"
#include "why.h"

#define QUOTE_N_PCRS 24
#define QUOTE_MAX_BLOB 4096

/* What a quote is bound to. Fields in this order, each u32be length + bytes, after the 14 bytes "plumb-quote-v1". */
struct quote_binding {
	struct buf_view nonce;		/* 32 bytes */
	const char *node;		/* node id, 64 hex digits, as text */
	uint64_t incarnation;		/* u64be */
	const char *checkpoint;		/* the text, three lines */
	struct digest boot_log;		/* SHA-256 of the boot log; all zero when there is none */
	uint64_t ima_cursor;		/* u64be: entries of IMA's list that were handed over, with this one; 0: no list */
	uint64_t baseline_version;	/* u64be */
	uint64_t last_order;		/* u64be: highest order number seen */
	struct digest client_key;	/* SHA-256 of the SPKI of the client certificate's key */
};
int quote_qualifying_data(const struct quote_binding *b, struct digest *ret);

/* A set of SHA-256 PCR values. */
struct quote_pcrs {
	uint32_t mask;			/* bit i: values[i] is there */
	struct digest values[QUOTE_N_PCRS];
};

struct quote_info {			/* plain data that travels */
	uint32_t reset_count, restart_count;
	uint64_t clock_ms;
	bool safe;
	uint64_t firmware;
};

/* The public area of an ECC P-256 or RSA-2048 TPM key. */
int quote_public_name(const void *tpm2b_public, size_t size, uint8_t ret_name[34], struct why *ret_why);	/* 000b ‖ SHA-256(area) */
int quote_public_key(const void *tpm2b_public, size_t size, struct sign_key **ret, struct why *ret_why);
int quote_public_digest(const void *tpm2b_public, size_t size, struct digest *ret, struct why *ret_why);	/* SHA-256(TPMT_PUBLIC): the node id of an EK */
/* Attributes and scheme as this project makes them, else -EKEYREJECTED with the attribute's name. */
int quote_check_ak(const void *tpm2b_public, size_t size, struct why *ret_why);		/* restricted, sign, fixedTPM, fixedParent, sensitiveDataOrigin, noDA, not decrypt; P-256 ECDSA-SHA256 */
int quote_check_event_key(const void *tpm2b_public, size_t size, struct why *ret_why);	/* the same, but unrestricted */
int quote_check_ek(const void *tpm2b_public, size_t size, struct why *ret_why);		/* but for the key all of it is template L-1's, L-2's or H-3's: the one area that this EK can have, up to leading zeros of a point */

/*
 * magic, type, AK signature, extraData == qualifying, selection exactly {SHA-256, pcrs->mask}, pcrDigest == H(values). In this
 * order; nothing is believed before the signature holds. sig: TPMT_SIGNATURE. ak: the enrolled TPM2B_PUBLIC.
 */
int quote_check(const void *attest, size_t attest_size, const void *sig, size_t sig_size, const void *ak, size_t ak_size,
		const struct digest *qualifying, const struct quote_pcrs *pcrs, struct quote_info *ret, struct why *ret_why);
/* TPM2_Certify of the event key by the AK: type 8017, its name is the event key's. extraData == qualifying. */
int quote_check_certify(const void *attest, size_t attest_size, const void *sig, size_t sig_size, const void *ak, size_t ak_size,
			const void *event_public, size_t event_size, const struct digest *qualifying, struct quote_info *ret,
			struct why *ret_why);
/* A TPMT_SIGNATURE (ECDSA P-256 SHA-256) as DER, for notes. */
int quote_signature_der(const void *sig, size_t sig_size, struct buf *ret, struct why *ret_why);

#endif
