/* SPDX-License-Identifier: Apache-2.0 */
/* The documents of an image, from whoever made it: what they lead to is a digest, or a name with bounds. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "image_layout.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct image_layout l = {.kind = 0};
	struct why why;

	if (image_layout_parse(data, size, "amd64", &l, &why) < 0)
		return 0;
	if (l.kind != IMAGE_LAYOUT_CONFIG && l.kind != IMAGE_LAYOUT_DOCKER &&
	    !image_layout_is_digest(l.next))
		abort();
	if (memchr(l.next, 0, sizeof(l.next)) == NULL || l.n_layers > IMAGE_LAYOUT_MAX_LAYERS)
		abort();
	for (uint32_t i = 0; i < l.n_layers; i++)
		if (l.kind != IMAGE_LAYOUT_DOCKER &&
		    !image_layout_is_digest(image_layout_layer(&l, i)))
			abort();
	buf_done(&l.layers);
	return 0;
}
