/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was read is written, and that is read and written as the same again. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf once = {0}, twice = {0};
	struct record r, back;
	struct why why;

	if (record_parse(data, size, &r, &why) < 0)
		return 0;
	if (record_write(&r, &once) < 0 || record_parse(once.data, once.size, &back, &why) < 0 ||
	    record_write(&back, &twice) < 0 || once.size != twice.size ||
	    memcmp(once.data, twice.data, once.size) != 0)
		__builtin_trap();
	record_done(&r);
	record_done(&back);
	buf_done(&once);
	buf_done(&twice);
	return 0;
}
