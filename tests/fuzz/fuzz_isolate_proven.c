/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "isolate_proven.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was read is written, and that is read and written as the same again. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct isolate_proven *s = calloc(2, sizeof(*s));
	struct buf once = {0}, twice = {0};
	struct why why;

	if (isolate_proven_parse(data, size, &s[0], &why) >= 0 &&
	    (isolate_proven_write(&s[0], &once) < 0 ||
	     isolate_proven_parse(once.data, once.size - 1, &s[1], &why) < 0 ||
	     isolate_proven_write(&s[1], &twice) < 0 || once.size != twice.size ||
	     memcmp(once.data, twice.data, once.size) != 0))
		__builtin_trap();
	buf_done(&once);
	buf_done(&twice);
	free(s);
	return 0;
}
