/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>

#include "line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *o = NULL;
	struct line l;
	struct why why;

	if (line_parse(data, size, &o, &l, &why) >= 0) {
		struct buf b = {0};

		line_write(&l, &b);
		buf_done(&b);
	}
	json_decref(o);
	return 0;
}
