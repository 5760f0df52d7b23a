/* SPDX-License-Identifier: Apache-2.0 */
/* Any query: values keep their bound and have no more bytes than stood there; numbers are digits. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {"node", "open", "since", "follow", ""};
	char *text = malloc(size + 1), value[QUERY_VALUE_SIZE];
	uint64_t n;

	if (!text)
		abort();
	if (size > 0)
		memcpy(text, data, size);
	text[size] = 0;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		int r = query_value(text, names[i], value);

		if (!memchr(value, 0, sizeof(value)) || strlen(value) > size || (r < 0 && value[0]))
			__builtin_trap();
		n = UINT64_MAX;
		r = query_number(text, names[i], &n);
		if (n != UINT64_MAX && (r < 0 || n > 999999999999999999))
			__builtin_trap();
	}
	free(text);
	return 0;
}
