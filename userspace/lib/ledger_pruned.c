/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger_pruned.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ledger_tiles.h"

static void __attribute__((format(printf, 4, 5)))
tell(struct ledger_pruned *p, bool bad, uint64_t line, const char *format, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	p->tell(p->ctx, bad, line, text);
}

int ledger_pruned_begin(struct ledger_pruned *p, const struct merkle *frontier, struct merkle *tree,
			int (*on_leaf)(void *ctx, const struct merkle *m), void *ctx)
{
	int r;

	p->frontier = *frontier;
	merkle_init(tree);
	r = ledger_tiles_walk(p->io, p->dir, tree, frontier->size, on_leaf, ctx);
	if (r == -ENODATA)
		tell(p, false, 0,
		     "tiles/ is absent or short: checkpoints of the lines before %" PRIu64
		     ", which were pruned, cannot be checked",
		     frontier->size);
	else if (r >= 0 && memcmp(tree->hashes, frontier->hashes,
				  frontier->n_hashes * sizeof(struct digest)) != 0)
		tell(p, true, frontier->size,
		     "events-%020" PRIu64 ".jsonl: its frontier is not the tree of the hashes in "
		     "tiles/",
		     frontier->size);
	return r == -ENODATA ? 0 : r;
}

/* Of the tree of so many leaves: what the header says, or what tiles/ gives. */
static int root_at(struct ledger_pruned *p, uint64_t size, struct digest *ret)
{
	struct ledger_tiles *tiles = NULL;
	int r;

	if (size == p->frontier.size)
		return merkle_root(&p->frontier, ret);
	r = ledger_tiles_open(p->io, p->dir, 0, &tiles);
	if (r >= 0)
		r = ledger_tiles_root(tiles, size, ret);
	ledger_tiles_free(tiles);
	return r;
}

static bool begins_segment(const struct ledger_pruned *p, uint64_t line)
{
	for (uint32_t i = 0; i < p->n; i++)
		if (p->firsts[i] == line)
			return true;
	return false;
}

void ledger_pruned_line(struct ledger_pruned *p, uint64_t seq, const char *line, size_t size)
{
	struct ledger_prune_claim c;
	struct digest root;
	struct why why = {""};
	int r = ledger_prune_read(line, size, &c, &why);

	/* A line whose number is another is told by whoever numbers them. */
	if (r == -ENOENT || (r >= 0 && c.seq != seq))
		return;
	if (r < 0) {
		tell(p, true, seq, "line %" PRIu64 ": pruned: %.180s", seq, why.text);
		return;
	}
	if (c.first > p->frontier.size && !begins_segment(p, c.first))
		tell(p, true, seq,
		     "line %" PRIu64 " says that lines up to %" PRIu64
		     " were pruned: no segment ends there",
		     seq, c.first - 1);
	if (root_at(p, c.first, &root) < 0)
		tell(p, false, seq,
		     "line %" PRIu64 ": the tree of the lines that it says were pruned cannot be "
		     "checked without tiles/",
		     seq);
	else if (!digest_equal(&root, &c.root))
		tell(p, true, seq,
		     "line %" PRIu64 " says that lines up to %" PRIu64
		     " were pruned, and tells another tree of them than there was",
		     seq, c.first - 1);
	if (c.first > p->claimed)
		p->claimed = c.first;
	/* The one that just reaches is the one that did it. */
	if (c.first >= p->frontier.size && p->frontier.size > 0 &&
	    (!p->claim.first || c.first < p->claim.first))
		p->claim = c;
}

void ledger_pruned_end(struct ledger_pruned *p)
{
	uint64_t first = p->frontier.size;

	if (p->claimed >= first)
		return;
	tell(p, true, p->claimed,
	     "lines %" PRIu64 " to %" PRIu64
	     " are missing: no `pruned` line says that they were to go",
	     p->claimed, first - 1);
}
