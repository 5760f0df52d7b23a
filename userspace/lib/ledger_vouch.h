/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger_vouch.h: who vouches for a ledger: signature lines and quotes, held against the keys of the enrolment record. Pure.
 * In: the record, foreign notes and lines. Out: whose signature it is, and what it covers.
 */
#ifndef PLUMB_LEDGER_VOUCH_H
#define PLUMB_LEDGER_VOUCH_H

#include <jansson.h>
#include <stdint.h>
#include "checkpoint.h"
#include "quote.h"
#include "record.h"
#include "why.h"

struct ledger_vouch;

/* Refuses a record whose event key the attestation key did not certify. */
int ledger_vouch_open(const void *record, size_t size, struct ledger_vouch **ret, struct why *ret_why);
struct ledger_vouch *ledger_vouch_free(struct ledger_vouch *v);
const struct record *ledger_vouch_record(const struct ledger_vouch *v);	/* borrowed */

enum ledger_vouch_who { LEDGER_VOUCH_NOBODY = 0, LEDGER_VOUCH_EVENT_KEY = 1, LEDGER_VOUCH_WITNESS = 2 };

/* line: "name base64". NOBODY: no key of the record. -EBADMSG: malformed or false. ret_time_s: of the witness. */
int ledger_vouch_note(const struct ledger_vouch *v, const struct checkpoint *c, const char *line, size_t size,
		      enum ledger_vouch_who *ret_who, uint64_t *ret_time_s, struct why *ret_why);

struct ledger_vouch_quote {
	struct checkpoint checkpoint;
	struct digest pcr;		/* the runtime PCR */
	struct quote_pcrs pcrs;		/* all that it covers */
	struct digest boot_log;		/* that it is bound to; zero: none */
	uint64_t ima_cursor;		/* and to so many entries of IMA's list, read before it */
	uint32_t reset_count, restart_count;
};
/* A quote line's members (docs/ledger.md). 0: the TPM vouches for what ret says; else -EBADMSG, -EKEYREJECTED. */
int ledger_vouch_quote(const struct ledger_vouch *v, const json_t *line, struct ledger_vouch_quote *ret, struct why *ret_why);

#endif
