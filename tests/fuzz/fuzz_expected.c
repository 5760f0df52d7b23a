/* SPDX-License-Identifier: Apache-2.0 */
/* What claims should be, as people write it: whatever the bytes are, each key answers with one of its own values. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "expected.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(void *ctx, const char *key, const char *found, const char *value)
{
	if (found)
		abort(); /* nobody has asked yet */
	if (!expected_value(ctx, key, value) || strcmp(expected_value(ctx, key, value), value) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct expected *e = NULL;
	struct why why = {""};

	if (expected_open("fuzz.yaml", data, size, &e, &why) >= 0)
		expected_each(e, ask, e);
	expected_free(e);
	return 0;
}
