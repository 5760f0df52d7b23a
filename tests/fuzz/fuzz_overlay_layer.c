/* SPDX-License-Identifier: Apache-2.0 */
/* mountinfo of a process in a container, which mounts what it likes where it likes: paths come out whole, and layers are absolute or none. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "overlay_layer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct overlay_layer_place *p = malloc(sizeof(*p));
	uint32_t n = 0;

	if (p && overlay_layer_find((const char *)data, size, 39, "/usr/bin/app", p) == 0) {
		if ((p->upper[0] && p->upper[0] != '/') || p->n_lowers > OVERLAY_LAYER_MAX)
			abort();
		for (size_t i = 0; i < p->lowers.size; i++)
			n += p->lowers.data[i] == 0;
		if (n != p->n_lowers)
			abort();
		buf_done(&p->lowers);
	}
	free(p);
	return 0;
}
