/* SPDX-License-Identifier: Apache-2.0 */
/*
 * appraise_quote.h: is this quote of the enrolled AK, of now, and over just this evidence? And did the event key sign its checkpoint?
 * In: evidence, the enrolment record, what the verifier itself knows of the sender. Out: good or not, and the TPM's counts. Pure.
 * Nothing else of the evidence (anchors, lines) is read before this was found good.
 */
#ifndef PLUMB_APPRAISE_QUOTE_H
#define PLUMB_APPRAISE_QUOTE_H

#include <stdbool.h>
#include <stdint.h>
#include "evidence.h"
#include "quote.h"
#include "record.h"
#include "why.h"

struct appraise_quote_in {		/* all borrowed */
	const struct evidence *evidence;
	const struct record *record;
	const uint8_t *nonce;		/* WIRE_NONCE_SIZE bytes: the one that was given out and is still alive, not the evidence's */
	struct digest client_key;	/* SPKI of the certificate that this connection showed */
	uint32_t pcr_mask;		/* PCRs that must be quoted besides the runtime PCR */
};

/* 0: checked; *ret_good, and *ret when it is. < 0: could not check. why: what is wrong, when not good. */
int appraise_quote(const struct appraise_quote_in *in, bool *ret_good, struct quote_info *ret, struct why *ret_why);
/*
 * Also for provisionals, which have no quote. A note of an unknown key is no signature; a false one of this key neither. Of the
 * evidence's notes the one that is stays. why: of the last that is none.
 */
int appraise_quote_event_signed(struct evidence *e, const struct record *record, bool *ret_signed, struct why *ret_why);

#endif
