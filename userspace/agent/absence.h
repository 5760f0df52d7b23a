/* SPDX-License-Identifier: Apache-2.0 */
/*
 * absence.h: a verifier that is away: told once, told again when the reason is another, told when it is back; how long to wait until the
 * next try; for how long it took nothing; and one that is there again and remembers less. In: results of tries, where it stands. Out: log lines, milliseconds, a line.
 */
#ifndef PLUMB_ABSENCE_H
#define PLUMB_ABSENCE_H

#include <stdbool.h>
#include <stdint.h>
#include "clock.h"
#include "evidence_nonce.h"
#include "ledger_writer.h"
#include "plumb/terms.h"
#include "why.h"

#define ABSENCE_MIN_MS 200
#define ABSENCE_MAX_MS 30000
#define ABSENCE_LONG_MS 60000
#define ABSENCE_REFUSED_MS 60000 /* what another try would be answered with the same */
#define ABSENCE_CURE_ANEW \
	"to enrol this node anew, remove client.crt from its state directory and give it a join token"

struct absence {
	const struct clock *clock;	/* borrowed */
	bool away;
	int error;			/* the reason that was told */
	uint64_t since_ns, wait_ms;
	uint64_t untaken_ns;		/* boot time of the first failure since evidence was accepted; 0: none */
	uint64_t accepted;		/* lines that it accepted, as the node was last told, in this run or before */
};

void absence_tell(struct absence *a, int result, const struct why *why);
void absence_back(struct absence *a, uint64_t lines_waiting);	/* it answered; nothing when it was not away */
void absence_reset(struct absence *a);				/* a try was good: the next wait is the shortest again */
void absence_taken(struct absence *a);				/* and what was taken was evidence: no anchor before it is asked for again */
/* Later each time, up to ABSENCE_MAX_MS or least_ms; with up to a quarter more, so that nodes that lost the same verifier come apart. */
uint64_t absence_wait_ms(struct absence *a, uint64_t least_ms);
/* For absence_wait_ms(), after an answer that accepted nothing; again_ms: when it wants it again. The last of a stop is not refused twice. */
uint64_t absence_least_ms(enum plumb_result result, uint64_t again_ms, bool last);
/* Nothing was taken for so long that anchors are to be spared: also by one that answers, and only takes nothing. */
bool absence_is_long(const struct absence *a);
/* It had more confirmed than it says now: a store that was put back from a copy. Logged, and a line (true); the ledger loses nothing by it. */
bool absence_compare(struct absence *a, struct ledger_writer *w, const struct evidence_nonce *n);

#endif
