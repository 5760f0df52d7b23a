/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "accept.h"
#include "baseline.h"
#include "jsonl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "";
}

/* Cases in, a baseline out: whatever is written is read again, and says what was taken. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char to[64];
	struct accept_options o = {.from = "tests/data/baseline/baseline.jsonl", .to = to};
	struct accept *a = NULL;
	struct baseline *b = NULL;
	json_t *cases = NULL, *k;
	struct why why = {""};
	uint64_t version;
	size_t i;

	if (jsonl_parse(data, size, 1 << 20, &cases, &why) < 0)
		return 0;
	snprintf(to, sizeof(to), "/tmp/plumb-fuzz-accept-%d", (int)getpid());
	if (accept_open(&a) < 0)
		__builtin_trap();
	json_array_foreach (json_object_get(cases, "cases"), i, k) {
		const struct accept_drift d = {text_of(k, "scope"), text_of(k, "key"),
					       text_of(k, "found"), text_of(k, "finding")};

		if (accept_add(a, &d, &why) < 0 && !why.text[0])
			__builtin_trap();
	}
	if (accept_write(a, &o, &version, &why) >= 0) {
		if (baseline_open(fsio_system(), to, NULL, 0, version, &b, &why) < 0)
			__builtin_trap();
		baseline_free(b);
		unlink(to);
	} else if (!why.text[0]) {
		__builtin_trap();
	}
	accept_free(a);
	json_decref(cases);
	return 0;
}
