/* SPDX-License-Identifier: Apache-2.0 */
/* The reader keeps its bounds; whatever text the writer is given, the reader takes what it made of it. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "jsonl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Any bytes as text: what comes out is always one good object. NUL excepted, which the reader refuses. */
static void write_any(const uint8_t *data, size_t size)
{
	struct buf b = {0};
	struct jsonl j;
	json_t *o = NULL;
	struct why why;

	if (memchr(data, 0, size))
		return;
	jsonl_begin(&j, &b);
	jsonl_strn(&j, "s", (const char *)data, size);
	jsonl_end(&j);
	if (jsonl_parse(b.data, b.size, SIZE_MAX, &o, &why) < 0)
		__builtin_trap();
	json_decref(o);
	buf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *o = NULL;
	struct why why;
	struct buf b = {0};
	uint8_t four[4];
	const char *s;
	uint64_t n;

	if (size > 0)
		write_any(data, size);
	if (jsonl_parse(data, size, 65535, &o, &why) < 0) {
		if (o)
			__builtin_trap();
		return 0;
	}
	if (!json_is_object(o))
		__builtin_trap();
	if (jsonl_get_str(o, "s", 8, &s, &why) == 0 && strlen(s) > 8)
		__builtin_trap();
	if (jsonl_get_uint(o, "n", 99, &n, &why) == 0 && n > 99)
		__builtin_trap();
	if (jsonl_get_base64(o, "b", 7, &b, &why) == 0 && b.size > 7)
		__builtin_trap();
	jsonl_get_hex(o, "h", four, sizeof(four), &why);
	buf_done(&b);
	json_decref(o);
	return 0;
}
