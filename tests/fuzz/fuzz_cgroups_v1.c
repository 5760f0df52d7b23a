/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/PID/cgroup, a byte 0, mountinfo: whatever they say, a place is an absolute path below a mount. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cgroups_v1.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_place(void *ctx, const char *root, const char *path)
{
	(void)ctx;
	if (path[0] != '/' || strlen(root) + strlen(path) > 8192)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *zero = size ? memchr(data, 0, size) : NULL;
	size_t n = zero ? (size_t)(zero - data) : size;
	const char *text = (const char *)data;

	(void)cgroups_v1_each(text, n, zero ? text + n + 1 : "", zero ? size - n - 1 : 0, on_place,
			      NULL);
	return 0;
}
