/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "snapshot_sockets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct snapshot_socket s;
	char line[512];

	if (size >= sizeof(line))
		return 0;
	memcpy(line, data, size);
	line[size] = '\0';
	if (snapshot_sockets_line(line, &s) >= 0 &&
	    (!strchr(s.local, ':') || !strchr(s.remote, ':')))
		__builtin_trap();
	return 0;
}
