/* SPDX-License-Identifier: Apache-2.0 */
#include "ready_line.h"

#include <stdio.h>

/*
 * From here on nothing that IMA measures is without a line: all sensors are there. But where scripts are not seen, which IMA measures as programs,
 * the two cannot be compared.
 */
int ready_line_write(struct ledger_writer *writer, struct ima_list *ima, bool scripts)
{
	char members[128] = "\"phase\":\"ready\"";
	uint64_t n;

	if (ima && ima_list_count(ima, &n) >= 0)
		snprintf(members, sizeof(members),
			 "\"phase\":\"ready\",\"ima\":%llu,\"ima_measures\":\"%s\"",
			 (unsigned long long)n,
			 scripts ? ima_list_covers_name(ima_list_covers(ima)) : "unseen");
	return ledger_writer_record(writer, PLUMB_TYPE_START, "agent", members);
}
