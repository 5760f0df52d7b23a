/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger_lines.h"

#include <errno.h>

#include "ledger_check.h"

struct reading {
	struct buf *ret;
	uint64_t next, to;
	size_t max, used;
};

static int read_line(void *ctx, uint64_t seq, const char *line, size_t size)
{
	struct reading *r = ctx;

	if (seq < r->next)
		return 0;
	if (seq > r->next)
		return -ENODATA;
	if (seq >= r->to || r->used + size + 1 > r->max)
		return 1;
	buf_put(r->ret, line, size);
	buf_puts(r->ret, "\n");
	r->used += size + 1;
	r->next = seq + 1;
	return buf_status(r->ret);
}

int ledger_lines_read(const struct fsio *io, const char *dir, struct tail *tail, uint64_t from,
		      uint64_t to, size_t max, struct buf *ret, uint64_t *ret_to)
{
	struct reading reading = {.ret = ret, .next = from, .to = to, .max = max};
	struct why why = {""};
	int r = tail_lines(tail, from, to, max, ret, ret_to);

	if (r != -ENOENT)
		return r;
	r = ledger_check_each(io, dir, from, read_line, &reading, &why);
	if (r < 0)
		return r;
	*ret_to = reading.next;
	return 0;
}
