/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "first_line.h"
#include "jsonl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_object(const uint8_t *data, size_t size)
{
	const uint8_t *lf = memchr(data, '\n', size);
	json_t *o = NULL;
	struct why why;
	bool is = lf && jsonl_parse(data, (size_t)(lf - data), size, &o, &why) >= 0;

	json_decref(o);
	return is;
}

/* No lines are good for a record that has a predecessor and for one that has none. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct record first = {.incarnation = 1};
	struct record second = {.incarnation = 2, .predecessor_size = 12};
	struct why why;
	bool a, b;

	snprintf(second.predecessor_origin, sizeof(second.predecessor_origin), "test/node/a/1");
	a = first_line_is_good(&first, data, size, &why);
	b = first_line_is_good(&second, data, size, &why);
	/* It is the predecessor's only for one that has it, and none for one that has none. */
	if (a && b && size > 0 && is_object(data, size))
		__builtin_trap();
	return 0;
}
