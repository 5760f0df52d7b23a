/* SPDX-License-Identifier: Apache-2.0 */
#include "isolate_outcome.h"

#include <stdio.h>

#include "buf.h"
#include "cleanup.h"

uint32_t isolate_outcome_place(uint32_t way)
{
	return way == ISOLATE_NETWORK ? 0 : way == ISOLATE_EXEC ? 1 : 2;
}

void isolate_outcome_cannot(struct jsonl *j, const struct isolate_outcome *o)
{
	jsonl_array(j, "cannot");
	for (uint32_t n = 0; n < ISOLATE_N_WAYS; n++)
		if (o->cannot & 1u << n) {
			jsonl_object(j, NULL);
			jsonl_str(j, "way", isolate_state_way(1u << n));
			jsonl_str(j, "why", o->why[n].text);
			jsonl_close(j);
		}
	jsonl_close(j);
}

static void put_names(struct buf *b, uint32_t ways)
{
	const char *between = "";

	for (uint32_t way = 1; way <= ISOLATE_ALL_WAYS; way <<= 1)
		if (ways & way) {
			buf_printf(b, "%s%s", between, isolate_state_way(way));
			between = ", ";
		}
}

void isolate_outcome_result(const struct isolate_outcome *o, char *ret, size_t size)
{
	CLEANUP(buf_done) struct buf b = {0};
	const char *between = "";

	buf_puts(&b, o->cannot == 0 ? "done" : o->done ? "in part" : "refused");
	if (o->done) {
		buf_puts(&b, ": ");
		put_names(&b, o->done);
	}
	if (o->cannot)
		buf_puts(&b, o->done ? "; cannot: " : ": cannot: ");
	for (uint32_t n = 0; n < ISOLATE_N_WAYS; n++)
		if (o->cannot & 1u << n) {
			buf_printf(&b, "%s%s (%.70s)", between, isolate_state_way(1u << n),
				   o->why[n].text);
			between = ", ";
		}
	if (o->unkept)
		buf_puts(&b, "; not kept on the disk");
	snprintf(ret, size, "%s", buf_status(&b) < 0 ? "done" : (char *)b.data);
}
