/* SPDX-License-Identifier: Apache-2.0 */
#include "retention.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "cleanup.h"
#include "ledger_ima.h"
#include "ledger_prune.h"
#include "ledger_read.h"
#include "log.h"

#define PARTS 8 /* segments that the bound is made of, by size and by age */
#define MIN_SEGMENT (64u << 10)
#define MAX_SEGMENT (64u << 20)

uint64_t retention_segment_size(uint64_t keep_size)
{
	uint64_t part = keep_size / PARTS;

	return keep_size == 0	    ? 0
	       : part < MIN_SEGMENT ? MIN_SEGMENT
	       : part > MAX_SEGMENT ? MAX_SEGMENT
				    : part;
}

/* On a quiet node a segment would never be full, and never go. */
static int close_old(const struct retention *r, struct why *ret_why)
{
	CLEANUP_FREE uint64_t *firsts = NULL;
	uint64_t begun = 0, now = clock_utc_ns(r->clock);
	uint32_t n = 0;
	int result;

	if (!r->keep_ms)
		return 0;
	result = ledger_read_list(r->dir, &firsts, &n, ret_why);
	if (result >= 0 && n > 0)
		result = ledger_prune_begun(r->io, r->dir, firsts[n - 1], &begun, ret_why);
	if (result < 0 || !begun || begun > now || now - begun < r->keep_ms * 1000000 / PARTS)
		return result;
	return ledger_rotate(ledger_writer_ledger(r->writer));
}

/* The line is on the disk before the first file goes. */
static int let_go(const struct retention *r, struct ledger_prune_claim *c, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf members = {0};
	struct ledger *l = ledger_writer_ledger(r->writer);
	struct digest root;
	int result = ledger_root_at(l, c->first, &root);

	if (result >= 0 && !digest_equal(&root, &c->root))
		return why_set(ret_why, -EBADMSG, "the segments' headers tell another tree");
	c->order = r->last_order(r->ctx);
	if (result >= 0)
		result = ledger_prune_write(c, &members);
	if (result >= 0)
		result = ledger_writer_record(r->writer, PLUMB_TYPE_PRUNED, "agent",
					      (char *)members.data);
	if (result >= 0)
		result = ledger_sync(l);
	if (result >= 0)
		result = ledger_drop(l, c->first);
	/* What IMA measured in boots that have no line any more. */
	return result < 0 ? result : ledger_ima_prune(r->io, r->dir, c->first);
}

/* The same cause once; what could not go is tried again with the next checkpoint. */
static void tell(struct retention *r, int result, const struct why *why)
{
	if (result < 0 && result != r->told)
		log_error("ledger=unpruned error=\"%s\" next=\"tried again; nothing is lost\" "
			  "cure=\"see to the disk, and plumbctl ledger verify %s\"",
			  why->text[0] ? why->text : strerror(-result), r->dir);
	r->told = result < 0 ? result : 0;
}

void retention_run(struct retention *r, uint64_t safe)
{
	const struct ledger_prune_limits limits = {.safe = safe,
						   .keep_size = r->keep_size,
						   .keep_age_ns = r->keep_ms * 1000000,
						   .now_ns = clock_utc_ns(r->clock)};
	struct ledger_prune_claim c;
	struct why why = {""};
	int result;

	if (!r->keep_ms && !r->keep_size)
		return;
	result = close_old(r, &why);
	if (result >= 0)
		result = ledger_prune_plan(r->io, r->dir, &limits, &c, &why);
	if (result > 0) {
		result = let_go(r, &c, &why);
		if (result >= 0)
			log_notice("ledger=pruned lines=%" PRIu64 "-%" PRIu64 " bytes=%" PRIu64
				   " why=%s",
				   c.from, c.first - 1, c.bytes, c.why);
	}
	tell(r, result, &why);
}
