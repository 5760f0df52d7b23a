/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_redact.c: arguments that a program was given: whatever they are, members of one line come of them. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "../../userspace/agent/redact.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct redact *r;
	struct plumb_args a = {.size = (uint32_t)size};
	struct buf b = {0};
	struct why why = {""};
	json_t *o;

	if (!r && redact_open(NULL, 0, &r, &why) < 0)
		abort();
	a.kept = (uint16_t)(size < sizeof(a.text) ? size : sizeof(a.text));
	memcpy(a.text, data, a.kept);
	buf_puts(&b, "{");
	if (redact_args(r, &a, &b) < 0)
		abort();
	buf_puts(&b, "}");
	o = json_loadb((const char *)b.data, b.size, JSON_ALLOW_NUL, NULL);
	if (!o || b.size > PLUMB_ARGS_MAX * 8 + 512)
		abort();
	json_decref(o);
	buf_done(&b);
	return 0;
}
