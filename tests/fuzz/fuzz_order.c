/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "order.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was read is written, and that is read and written as the same again. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf once = {0}, twice = {0};
	struct order o, back;
	struct why why;

	if (order_parse(data, size, &o, &why) < 0)
		return 0;
	if (!order_kind_name(o.kind) || order_write(&o, &once) < 0 ||
	    order_parse(once.data, once.size, &back, &why) < 0 || order_write(&back, &twice) < 0 ||
	    once.size != twice.size || memcmp(once.data, twice.data, once.size) != 0)
		__builtin_trap();
	buf_done(&once);
	buf_done(&twice);
	return 0;
}
