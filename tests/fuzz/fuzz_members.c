/* SPDX-License-Identifier: Apache-2.0 */
/* What is called plain members makes an object for the parser of JSON, too, without the name that must not be among them. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "jsonl.h"
#include "members.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {"seq"};
	struct buf b = {0};
	json_t *o = NULL;

	buf_puts(&b, "{");
	buf_put(&b, data, size);
	buf_puts(&b, "");
	if (members_are_plain((char *)b.data + 1, names, 1)) {
		buf_cut(&b, 1 + strlen((char *)b.data + 1));
		buf_puts(&b, "}");
		if (jsonl_parse(b.data, b.size, SIZE_MAX, &o, NULL) < 0 ||
		    json_object_get(o, "seq"))
			abort();
	}
	json_decref(o);
	buf_done(&b);
	return 0;
}
