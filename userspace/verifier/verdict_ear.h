/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verdict_ear.h: a verdict as an EAT Attestation Result: claims in JSON, signed as a JWT with ES256 (draft-ietf-rats-ear-04, AR4SI).
 * In: a finished verdict and what it rests on. Out: JSON, JWT. Pure.
 */
#ifndef PLUMB_VERDICT_EAR_H
#define PLUMB_VERDICT_EAR_H

#include "image_told.h"
#include "sign.h"
#include "verdict.h"

#define VERDICT_EAR_PROFILE "tag:ietf.org,2026:rats/ear#04"
#define VERDICT_EAR_MAX_LINES 64u	/* more findings than that are counted only */

struct verdict_ear_boot {		/* how it booted, as far as that could be checked */
	bool proven;			/* the log comes to the quoted registers, nothing is odd, and a baseline lists what was measured */
	struct digest log;		/* zero: none */
	const char *finding, *found;	/* "": none */
	const char *secure_boot;	/* as claim measured:secure_boot has it; "": no log that was believed */
};

struct verdict_ear_in {			/* all borrowed */
	const struct verdict *verdict;
	const char *node, *label;
	const char *developer;		/* URI of who runs this verifier */
	const char *origin;		/* of the node's log */
	uint64_t size;			/* confirmed */
	struct digest root;
	const uint8_t *nonce;		/* of the quote, 32 bytes */
	struct digest baseline;		/* zero: none */
	uint64_t life_s;
	const uint64_t *lines;		/* of open cases; those beyond VERDICT_EAR_MAX_LINES are left out */
	uint32_t n_lines;
	const struct image_told *images;	/* NULL: no container ran: there is no such submod */
	struct verdict_ear_boot boot;	/* finding, found and secure_boot NULL: "" */
};

int verdict_ear_claims(const struct verdict_ear_in *in, struct buf *ret);
int verdict_ear_sign(const struct verdict_ear_in *in, const struct sign_key *key, struct buf *ret_jwt);

#endif
