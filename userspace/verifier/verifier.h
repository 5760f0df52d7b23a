/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verifier.h: what main opened and the verifier's rooms share: doors, keys, names, times. Plain data, all borrowed, never changed
 * after the start. In: main. Out: nothing of its own.
 */
#ifndef PLUMB_VERIFIER_H
#define PLUMB_VERIFIER_H

#include <stdint.h>
#include "clock.h"
#include "fsio.h"
#include "ima_sig.h"
#include "image_checks.h"
#include "sign.h"
#include "store.h"
#include "vlog.h"

struct verifier {
	const struct store *store;
	const struct clock *clock;
	const struct fsio *io;
	struct vlog *vlog;
	const struct sign_key *verdict_key;	/* P-256: verdicts, orders, webhooks */
	const struct sign_key *old_verdict_key;	/* the one before, while nodes may not have heard of the other: signs orders, too; NULL: none */
	const struct sign_key *witness_key;	/* Ed25519: cosignatures */
	const char *witness_name;		/* of the cosigner's key, "<log_name>/verifier" */
	const char *log_name;			/* first part of every node's origin */
	const char *developer;			/* URI of who runs this verifier, for verdicts */
	struct ima_sig *ima_sig;		/* keys of signatures in IMA's list, and what was checked; NULL: nothing is said of them */
	struct image_checks *images;		/* keys of images' signatures, and what is known of those; NULL: nothing is said of them */
	const char *baseline_dir;		/* baselines as files named by their SHA-256 in hex */
	uint8_t pcr_index;			/* the runtime PCR of new nodes */
	uint32_t boot_pcr_mask;			/* that a quote must have besides it */
	uint64_t silent_after_ms;		/* 180000 */
	uint64_t unconfirmed_after_ms;		/* 10000 */
	uint64_t leaving_ms;			/* how long a node may be away that announced it itself: 600000 */
	uint64_t verdict_life_s;		/* 300 */
	uint32_t ledger_piece;			/* bytes of a ledger in one answer, and an item more; 0: WIRE_LEDGER_PIECE */
};

#endif
