/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quote_line.h: a quote as a line of the ledger (docs/ledger.md), whoever asked for it. In: the quote and what it is bound to. Out: a line.
 */
#ifndef PLUMB_QUOTE_LINE_H
#define PLUMB_QUOTE_LINE_H

#include "ima_keep.h"
#include "ledger_writer.h"
#include "tpm_queue.h"

/* What the firmware and boot loader measured, IMA, shim. The ledger's own register comes to it. */
#define QUOTE_LINE_BOOT_PCRS 0x47ffu

struct quote_line {			/* all borrowed */
	const uint8_t *nonce;		/* 32 bytes */
	const struct checkpoint *head;
	const struct tpm_job *job;
	uint8_t pcr_index;
	struct digest boot_log;
	uint64_t ima_cursor, baseline_version, last_order;
	struct digest client_key;
	struct ima_keep *ima_keep;	/* reads on after it; NULL: none */
};

int quote_line_write(struct ledger_writer *w, const struct quote_line *q);

#endif
