/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record.h: the enrolment record: one JSON document (record.json in the ledger directory and at the verifier) with everything
 * public that is needed to check a node's ledger offline (BORDER; docs/ledger.md).
 * In: enrolment. Out: JSON and back. Pure.
 */
#ifndef PLUMB_RECORD_H
#define PLUMB_RECORD_H

#include <stdint.h>
#include "buf.h"
#include "checkpoint.h"
#include "digest.h"
#include "why.h"

#define RECORD_MAX_KEYS 8
#define RECORD_MAX_WITNESSES 16

struct record {
	char node[65];			/* node id */
	uint64_t incarnation;
	char origin[CHECKPOINT_MAX_ORIGIN];
	char label[254];		/* host name or as given */
	uint8_t pcr_index;
	struct buf ek_public, ek_cert, ak_public, event_public;	/* TPM2B_PUBLIC, DER (may be empty) */
	struct buf event_attest, event_sig;			/* TPM2_Certify of the event key */
	char witness_name[256];					/* cosigner's key name */
	struct buf witness_key;					/* SPKI DER, Ed25519; empty: no verifier yet */
	struct {						/* those before it, the oldest first: good for heads of at most so many lines */
		struct buf key;
		uint64_t size;
	} old_witnesses[RECORD_MAX_WITNESSES];
	uint32_t n_old_witnesses;
	struct buf order_key;					/* SPKI DER, P-256: signs orders and verdicts; empty: no verifier yet */
	struct buf baseline_keys[RECORD_MAX_KEYS];		/* SPKI DER: who may sign baselines and offline orders */
	uint32_t n_baseline_keys;
	char predecessor_origin[CHECKPOINT_MAX_ORIGIN];		/* "" for the first */
	uint64_t predecessor_size;
	struct digest predecessor_root;
	uint64_t enrolled_ns;					/* UTC */
};

void record_done(struct record *r);
int record_write(const struct record *r, struct buf *ret);			/* one JSON object, LF at the end */
int record_parse(const void *data, size_t size, struct record *ret, struct why *ret_why);
/* Of a record that record_write() made, as a verifier keeps it: its origin without the rest. -EBADMSG: it has none. */
int record_origin(const void *data, size_t size, char ret[CHECKPOINT_MAX_ORIGIN]);
/* Another key cosigns from the head of so many lines on; the one before joins the old ones. 1: so it is; 0: it is that one already. -E2BIG: too many. */
int record_change_witness(struct record *r, const void *spki, size_t spki_size, uint64_t size);
/* The event key's note name is the origin. Transcript of enrolment: SHA-256("plumb-enrol-v1" ‖ u32be-sized fields). */
int record_transcript(const char *session, const struct buf_view *ek, const struct buf_view *ak, const struct buf_view *event,
		      const struct digest *client_key, const char *label, struct digest *ret);
/* extraData of the event key's TPM2_Certify: SHA-256("plumb-event-key-v1" ‖ sized AK public ‖ sized event public). */
int record_certify_data(const struct buf_view *ak, const struct buf_view *event, struct digest *ret);

#endif
