/* SPDX-License-Identifier: Apache-2.0 */
/* A line of /proc/PID/maps, in which the path is anybody's: what is taken lies within the line. */
#include <stdint.h>
#include <stdlib.h>

#include "scan_maps.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *line = (const char *)data;
	struct scan_maps_entry e;

	if (scan_maps_parse(line, size, &e) >= 0 &&
	    (e.from >= e.to || e.path < line || e.path + e.path_size > line + size))
		abort();
	return 0;
}
