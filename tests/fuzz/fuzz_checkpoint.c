/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>

#include <string.h>

#include "checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct checkpoint c;
	struct why why;
	char text[CHECKPOINT_MAX_TEXT];
	size_t n;

	/* One text for one checkpoint. */
	if (checkpoint_parse((const char *)data, size, &c, &why) >= 0 &&
	    (checkpoint_text(&c, text, &n) < 0 || n != size || memcmp(text, data, n) != 0))
		__builtin_trap();
	return 0;
}
