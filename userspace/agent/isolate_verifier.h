/* SPDX-License-Identifier: Apache-2.0 */
/*
 * isolate_verifier.h: where the verifier of a node that is cut off is. In: addresses at which it was proven, its name. Out: the addresses that the
 * isolation lets through; where to connect.
 *
 * Whoever answers a name chooses whom an isolated node may speak with. So what was proven before goes first, and a name is asked for only where
 * nothing was, or when nothing of it has answered for long; what it says is added to what is let through, and never takes from it. Who answers
 * and accepts nothing is left for the next one.
 */
#ifndef PLUMB_ISOLATE_VERIFIER_H
#define PLUMB_ISOLATE_VERIFIER_H

#include "clock.h"
#include "isolate_cut.h"
#include "isolate_proven.h"

#define ISOLATE_VERIFIER_NONE_MS \
	60000 /* between look-ups, as long as no address is known: each may take seconds, */
#define ISOLATE_VERIFIER_SILENT_MS \
	600000 /* and when none of those that are has accepted anything for so long */

struct isolate_verifier { /* borrowed, what was proven and the rest its own */
	struct isolate_cut *cut;
	const struct fsio *io;
	const struct clock *clock;
	const char *state_dir;
	const char *url; /* NULL: there is no verifier */
	struct isolate_proven proven;
	uint64_t heard_ns, looked_ns; /* boot time */
	uint32_t at; /* of the state's addresses, what is connected to; beyond them: the name */
	bool asked; /* where to connect, since it was heard or changed */
};

void isolate_verifier_load(struct isolate_verifier *v); /* what earlier runs proved */
/* An isolation begins, or goes on: its addresses into s. -ENOENT: none is known. */
int isolate_verifier_begin(struct isolate_verifier *v, struct isolate_state *s,
			   struct why *ret_why);
/* It accepted evidence there. true: s has one more. s: NULL, nothing is in force. */
bool isolate_verifier_heard(struct isolate_verifier *v, struct isolate_state *s,
			    const char *address);
/* Each second while the network is to be cut; asks for the name when it is time to, and connects elsewhere. true: s has more. */
bool isolate_verifier_look(struct isolate_verifier *v, struct isolate_state *s);
/* Where to connect while it is; NULL: by the name. failed: there was no answer of use where it was said last. */
const char *isolate_verifier_at(struct isolate_verifier *v, const struct isolate_state *s,
				bool failed);

#endif
