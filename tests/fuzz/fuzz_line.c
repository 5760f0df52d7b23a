/* SPDX-License-Identifier: Apache-2.0 */
/* Two readers of the same bytes: what the quick one takes, the other takes, too, and as the very same line. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "line_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct line_scan scan;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf parsed = {0}, scanned = {0};
	struct line l, quick;
	struct why why;
	json_t *o = NULL;
	int r = line_parse(data, size, &o, &l, &why);

	if (r >= 0)
		line_write(&l, &parsed);
	if (line_scan(&scan, data, size, &quick)) {
		if (r < 0)
			abort();
		line_write(&quick, &scanned);
		if (parsed.size != scanned.size ||
		    (parsed.size && memcmp(parsed.data, scanned.data, parsed.size) != 0))
			abort();
	}
	buf_done(&parsed);
	buf_done(&scanned);
	json_decref(o);
	return 0;
}
