/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/PID/cgroup and paths in it, as anyone who makes cgroups may name them: whatever comes out are digits of the right number. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "container_path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void hold(const char *path)
{
	struct container_path c;
	size_t n;

	container_path_parse(path, &c);
	n = strlen(c.id);
	if ((n != 0 && n != 64) || strspn(c.id, "0123456789abcdef") != n)
		abort();
	n = strlen(c.pod);
	if ((n != 0 && n != 32 && n != 36) || strspn(c.pod, "0123456789abcdef-") != n)
		abort();
	/* All of it, or up to where a name ends; or where a number begins. */
	n = container_path_owner(path);
	if (n > strlen(path) || (path[n] && path[n] != '/' && path[n - 1] != '-'))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[CONTAINER_PATH_MAX], *copy = malloc(size + 1);

	if (!copy)
		return 0;
	memcpy(copy, data, size);
	copy[size] = 0;
	hold(copy);
	free(copy);
	if (container_path_choose((const char *)data, size, path) == 0) {
		if (path[0] != '/' || strlen(path) >= sizeof(path))
			abort();
		hold(path);
	}
	return 0;
}
