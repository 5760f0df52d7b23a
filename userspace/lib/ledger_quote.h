/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger_quote.h: a quote line of a ledger's directory against all that it must agree with: the keys of the record, the anchors, the log of what
 * was booted. In: a line. Out: how many lines it covers, or what is wrong. Reads only.
 */
#ifndef PLUMB_LEDGER_QUOTE_H
#define PLUMB_LEDGER_QUOTE_H

#include "ledger_boots.h"
#include "ledger_imas.h"
#include "ledger_replay.h"
#include "ledger_vouch.h"

struct ledger_quote_beside {		/* what is kept beside the lines; borrowed */
	struct ledger_boots *boots;
	struct ledger_imas *imas;
};

/* 0: it holds. 1: something is wrong, and why says what; *ret_size is set where the quote itself holds. < 0: could not check. */
int ledger_quote_check(const struct ledger_vouch *v, const struct ledger_replay *replay, const struct ledger_quote_beside *beside,
		       uint64_t seq, const json_t *line, uint64_t *ret_size, struct why *ret_why);

#endif
