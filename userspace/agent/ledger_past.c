/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger_past.h"

#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "jsonl.h"
#include "ledger_check.h"
#include "line.h"

#define LAST_LINES 4 /* that are looked at for a `stop` */

struct reading {
	uint64_t size;
	struct ledger_past past;
};

static void take_last(struct ledger_past *p, uint64_t seq, const struct line *l)
{
	p->any = true;
	p->seq = seq;
	/* The last quote covers the `stop`, so it comes after it; and somebody else may extend meanwhile. */
	if (l->type != PLUMB_TYPE_QUOTE && l->type != PLUMB_TYPE_EPOCH)
		p->stopped = l->type == PLUMB_TYPE_STOP;
	p->utc_ns = l->utc_ns;
	p->boot_ns = l->boot_ns;
	snprintf(p->boot, sizeof(p->boot), "%s", l->boot);
}

/* In a string of JSON its quotes would be escaped; so only lines of that type, or with such a member inside, are parsed at all. */
static bool says(const char *line, size_t size, const char *member)
{
	return memmem(line, size, member, strlen(member)) != NULL;
}

static int on_line(void *ctx, uint64_t seq, const char *text, size_t size)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	struct reading *r = ctx;
	struct ledger_past *p = &r->past;
	bool order = says(text, size, "\"type\":\"order\"");
	bool quote = says(text, size, "\"type\":\"quote\"");
	uint64_t number;
	struct line l;
	struct why why;

	p->bytes += size + 1;
	if (!order && !quote && seq + LAST_LINES < r->size)
		return 0;
	if (line_parse(text, size, &o, &l, &why) < 0)
		return 0;
	if (seq + LAST_LINES >= r->size)
		take_last(p, seq, &l);
	if (l.type == PLUMB_TYPE_QUOTE) {
		p->quote_seq = seq;
		p->bytes = 0;
	}
	/* Orders are carried out once and upwards: which was the last is in the ledger itself. */
	if (l.type == PLUMB_TYPE_ORDER &&
	    jsonl_get_uint(o, "number", INT64_MAX, &number, &why) >= 0 && number > p->last_order)
		p->last_order = number;
	return 0;
}

int ledger_past_read(const struct fsio *io, const char *dir, uint64_t size, struct ledger_past *ret,
		     struct why *ret_why)
{
	struct reading r = {.size = size};
	int result = size ? ledger_check_each(io, dir, 0, on_line, &r, ret_why) : 0;

	if (result >= 0)
		*ret = r.past;
	return result;
}
