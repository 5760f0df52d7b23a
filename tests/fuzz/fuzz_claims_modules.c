/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_claims_modules.c: kallsyms in two pieces, cut where the first byte says: the same names as in one. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "claims_modules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct claims_modules_rest one = {.n = 0}, two = {.n = 0};
	struct claims_names whole = {.n = 0}, parts = {.n = 0};
	size_t cut = size ? data[0] * size / 256 : 0;
	const char *text = (const char *)data;
	int r = claims_modules_symbols(&one, text, size, &whole), t;

	t = claims_modules_symbols(&two, text, cut, &parts);
	if (t == 0)
		t = claims_modules_symbols(&two, text + cut, size - cut, &parts);
	if ((r != 0 && r != -EBADMSG) || (t != 0 && t != -EBADMSG))
		abort();
	/* A line that is too long is found only where it does not come whole. */
	if (r == 0 && t == 0) {
		if (whole.n != parts.n || one.n != two.n)
			abort();
		for (uint32_t i = 0; i < whole.n; i++)
			if (strcmp(whole.names[i], parts.names[i]) != 0 || !whole.names[i][0] ||
			    strlen(whole.names[i]) >= 64)
				abort();
	}
	claims_names_clear(&whole);
	claims_names_clear(&parts);
	return 0;
}
