/* SPDX-License-Identifier: Apache-2.0 */
#include "absence.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "log.h"

static const char *cure_of(int result)
{
	switch (result) {
	case -EKEYREJECTED:
		return "see that both clocks are right, that this is the verifier whose CA is in "
		       "ca.crt, and that client.crt has not ended; " ABSENCE_CURE_ANEW;
	case -EPROTO:
	case -ENOENT:
		return "see the verifier's log, and that it is of this release";
	default:
		return "see that the verifier runs and can be reached";
	}
}

void absence_tell(struct absence *a, int result, const struct why *why)
{
	if (!a->away)
		a->since_ns = clock_boot_ns(a->clock);
	else if (a->error == result)
		return;
	a->away = true;
	a->error = result;
	log_warning("verifier=away error=\"%s\" cure=\"%s\" next=\"the ledger keeps what is new; "
		    "tried again\"",
		    why->text, cure_of(result));
}

void absence_back(struct absence *a, uint64_t lines_waiting)
{
	if (!a->away)
		return;
	a->away = false;
	log_notice("verifier=back after_s=%" PRIu64 " lines_waiting=%" PRIu64,
		   (clock_boot_ns(a->clock) - a->since_ns) / 1000000000, lines_waiting);
}

void absence_reset(struct absence *a)
{
	a->wait_ms = 0;
}

uint64_t absence_wait_ms(struct absence *a, uint64_t least_ms)
{
	uint64_t now = clock_boot_ns(a->clock);

	if (!a->untaken_ns)
		a->untaken_ns = now;
	a->wait_ms = a->wait_ms ? a->wait_ms * 2 : ABSENCE_MIN_MS;
	if (a->wait_ms > ABSENCE_MAX_MS)
		a->wait_ms = ABSENCE_MAX_MS;
	if (a->wait_ms < least_ms)
		a->wait_ms = least_ms;
	return a->wait_ms + now / 1000 % (a->wait_ms / 4 + 1);
}

uint64_t absence_least_ms(enum plumb_result result, uint64_t again_ms, bool last)
{
	if (result == PLUMB_RESULT_FORKED || (last && result == PLUMB_RESULT_REFUSED))
		return ABSENCE_REFUSED_MS;
	return result == PLUMB_RESULT_SEND_AGAIN ? again_ms : 1000;
}

void absence_taken(struct absence *a)
{
	absence_reset(a);
	a->untaken_ns = 0;
}

bool absence_is_long(const struct absence *a)
{
	return a->untaken_ns &&
	       clock_boot_ns(a->clock) - a->untaken_ns > ABSENCE_LONG_MS * 1000000ull;
}

bool absence_compare(struct absence *a, struct ledger_writer *w, const struct evidence_nonce *n)
{
	/* What is stored may have come provisionally: what counts is up to where a quote was accepted. */
	uint64_t had = a->accepted, has = !n->has_base	     ? 0
					  : n->has_base_size ? n->base_size
							     : n->size;
	char members[192];

	if (has >= had)
		return false;
	a->accepted = has;
	log_error("verifier=went_back had=%" PRIu64 " has=%" PRIu64
		  " next=\"the lines are sent again\" "
		  "cure=\"what people decided there meanwhile is to be decided again\"",
		  had, has);
	snprintf(members, sizeof(members),
		 "\"of\":\"verifier\",\"n\":%" PRIu64 ",\"what\":\"it went back from line %" PRIu64
		 ", which it had, to line %" PRIu64 "\"",
		 had - has, had, has);
	return ledger_writer_record(w, PLUMB_TYPE_LOST, "agent", members) >= 0;
}
