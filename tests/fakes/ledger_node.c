/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger_node.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "merkle.h"

#define MUST(call) assert((call) >= 0)

void ledger_node_done(struct ledger_node *n)
{
	buf_done(&n->anchors);
}

void ledger_node_add(struct ledger_node *n, const char *line)
{
	assert(n->n_lines < LEDGER_NODE_MAX);
	snprintf(n->lines[n->n_lines++], sizeof(n->lines[0]), "%s", line);
}

struct checkpoint ledger_node_head(const struct ledger_node *n, uint64_t size)
{
	struct checkpoint c = {.origin = LEDGER_NODE_ORIGIN, .size = size};
	struct merkle m;
	struct digest leaf;

	merkle_init(&m);
	for (uint64_t i = 0; i < size; i++) {
		MUST(merkle_leaf(n->lines[i], strlen(n->lines[i]), &leaf));
		MUST(merkle_add(&m, &leaf));
	}
	MUST(merkle_root(&m, &c.root));
	return c;
}

void ledger_node_record(struct ledger_node *n, const struct ledger_anchor *a)
{
	MUST(ledger_dir_anchor_write(a, &n->anchors));
}

void ledger_node_extend(struct ledger_node *n, const struct checkpoint *c, bool record)
{
	struct ledger_anchor a = {.kind = LEDGER_ANCHOR_EXTEND};
	struct digest d;

	a.extend.size = c->size;
	a.extend.root = c->root;
	if (record)
		ledger_node_record(n, &a);
	MUST(checkpoint_digest(c, &d));
	MUST(checkpoint_fold(&n->pcr, &d));
	n->clock_ms++;
	a.kind = LEDGER_ANCHOR_DONE;
	a.done.pcr = n->pcr;
	if (record)
		ledger_node_record(n, &a);
}

void ledger_node_extend_head(struct ledger_node *n)
{
	struct checkpoint c = ledger_node_head(n, n->n_lines);

	ledger_node_extend(n, &c, true);
}

void ledger_node_epoch(struct ledger_node *n, enum ledger_base base)
{
	struct ledger_anchor a = {.kind = LEDGER_ANCHOR_EPOCH};

	a.epoch.reset_count = n->reset;
	a.epoch.restart_count = n->restart;
	a.epoch.pcr_index = 15;
	a.epoch.base = (uint8_t)base;
	a.epoch.found = n->pcr;
	ledger_node_record(n, &a);
}

void ledger_node_foreign(struct ledger_node *n)
{
	struct ledger_anchor a = {.kind = LEDGER_ANCHOR_FOREIGN};

	a.foreign.found = n->pcr;
	ledger_node_record(n, &a);
}

void ledger_node_junk(struct ledger_node *n)
{
	const struct digest junk = {{0xee}};

	MUST(checkpoint_fold(&n->pcr, &junk));
	n->clock_ms++;
}

void ledger_node_zero(struct ledger_node *n)
{
	n->pcr = (struct digest){{0}};
}

void ledger_node_evidence(const struct ledger_node *n, uint64_t from, bool provisional,
			  struct evidence *ret, struct quote_info *ret_quote, struct buf *ret_text)
{
	struct evidence e = {.provisional = provisional, .from = from, .pcr_index = 15};

	assert(from <= n->n_lines);
	e.checkpoint = ledger_node_head(n, n->n_lines);
	e.n_lines = n->n_lines - from;
	e.pcrs.mask = 1u << 15;
	e.pcrs.values[15] = n->pcr;
	for (uint64_t i = from; i < n->n_lines; i++)
		buf_printf(ret_text, "%s\n", n->lines[i]);
	e.lines = (struct buf_view){ret_text->data, ret_text->size};
	if (!provisional && n->anchors.size > 0)
		buf_put(&e.anchors, n->anchors.data, n->anchors.size);
	*ret_quote = (struct quote_info){
		.reset_count = n->reset, .restart_count = n->restart, .clock_ms = n->clock_ms};
	*ret = e;
}
