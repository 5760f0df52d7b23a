/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger_node.h: a node's ledger, anchors and register without disk and TPM, and a verifier's row beside it, for tests of appraisal.
 * In: what the agent or root does. Out: evidence of this moment, and what the row became of it.
 */
#ifndef PLUMB_LEDGER_NODE_H
#define PLUMB_LEDGER_NODE_H

#include <stdbool.h>
#include <stdint.h>
#include "evidence.h"
#include "ledger_dir.h"
#include "quote.h"

#define LEDGER_NODE_ORIGIN "test.example/node/aa/1"
#define LEDGER_NODE_MAX 64

struct ledger_node {
	char lines[LEDGER_NODE_MAX][64];
	uint64_t n_lines;
	struct buf anchors;
	struct digest pcr;
	uint32_t reset, restart;
	uint64_t clock_ms;
};

void ledger_node_done(struct ledger_node *n);
void ledger_node_add(struct ledger_node *n, const char *line);
struct checkpoint ledger_node_head(const struct ledger_node *n, uint64_t size);	/* of the first lines */
void ledger_node_record(struct ledger_node *n, const struct ledger_anchor *a);
void ledger_node_extend(struct ledger_node *n, const struct checkpoint *c, bool record);	/* record: with extend and done */
void ledger_node_extend_head(struct ledger_node *n);
void ledger_node_epoch(struct ledger_node *n, enum ledger_base base);	/* record: what the register holds now */
void ledger_node_foreign(struct ledger_node *n);			/* record: found what the register holds now */
void ledger_node_junk(struct ledger_node *n);				/* somebody else extends */
void ledger_node_zero(struct ledger_node *n);				/* the register alone */
/* Evidence (or a provisional) of lines from `from` on; caller frees with evidence_done and frees *ret_text. */
void ledger_node_evidence(const struct ledger_node *n, uint64_t from, bool provisional, struct evidence *ret,
			  struct quote_info *ret_quote, struct buf *ret_text);

#endif
