/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evidence_maker.h: what a node hands its verifier, put together: what a quote is bound to, the check of the quote that came, and the
 * bodies of evidence and of provisionals. In: the ledger, a nonce, a quote. Out: bodies within the wire's bounds.
 */
#ifndef PLUMB_EVIDENCE_MAKER_H
#define PLUMB_EVIDENCE_MAKER_H

#include <stdbool.h>
#include "clock.h"
#include "evidence.h"
#include "anchor_cut.h"
#include "identity.h"
#include "plumb/wire.h"
#include "ima_list.h"
#include "ledger_writer.h"
#include "tpm_queue.h"

#define EVIDENCE_MAKER_MIN_BYTES (2 * WIRE_MAX_LINE)
#define EVIDENCE_MAKER_BYTES (10u << 20)	/* of lines in one body, beside the anchors */

struct evidence_maker {			/* plain; all borrowed */
	struct ledger_writer *writer;
	const struct identity *identity;
	const struct clock *clock;
	const struct fsio *io;
	const char *ledger_dir;
	struct digest client_key;
	uint32_t max_lines;		/* of one body */
	size_t max_bytes;
	size_t most_bytes;		/* what max_bytes goes back to */
	struct anchor_cut *cut;		/* zero at first */
	struct ima_list *ima;		/* NULL: this kernel has none */
};

/* What the quote at hand is over. */
struct evidence_maker_bound {
	struct evidence_nonce nonce;
	struct checkpoint head;
	uint64_t last_order, baseline_version;
	uint64_t ima_from, ima_cursor;	/* entries of IMA's list that go with it: [from, cursor) */
	struct buf_view ima;		/* borrowed until the next binding */
	uint64_t ima_end;		/* those read after the quote included */
	bool ima_more;			/* others wait for the next */
	struct digest qualifying;
};

/* IMA's entries, and qualifying from the rest. */
int evidence_maker_bind(const struct evidence_maker *m, struct evidence_maker_bound *b);
/* -ESTALE: the register or the counts are not what the anchors say: it would prove nothing. Otherwise as quote_check(). */
int evidence_maker_check(const struct evidence_maker *m, const struct evidence_maker_bound *b, const struct tpm_job *job, struct why *ret_why);
/* Where one body of lines from `from` on ends, `to` at most. */
int evidence_maker_reach(const struct evidence_maker *m, uint64_t from, uint64_t to, uint64_t *ret_to);
/* -E2BIG: it does not fit one body: the lines of a provisional, or the anchors since the last accepted quote (why). IMA's list is read on. */
int evidence_maker_evidence(const struct evidence_maker *m, struct evidence_maker_bound *b, const struct tpm_job *job, bool leaving,
			    struct buf *ret, struct why *ret_why);
/* Lines [from, head->size). note: signature line of the event key; NULL: none, and it binds nobody. b: its standing alone is read. */
int evidence_maker_provisional(const struct evidence_maker *m, const struct evidence_maker_bound *b, const struct checkpoint *head,
			       uint64_t from, const struct buf *note, struct buf *ret);
/*
 * A body of so many bytes did not get through: the next ones are smaller. lasting: the other end takes no such bodies at all; else it came too
 * late, by what the way there carries at this hour, until evidence is accepted. Never below MIN_BYTES: that such a one is late has another cause.
 */
void evidence_maker_less(struct evidence_maker *m, size_t size, bool lasting, const struct why *why);
void evidence_maker_good(struct evidence_maker *m);	/* evidence was accepted */

#endif
