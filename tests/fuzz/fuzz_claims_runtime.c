/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_claims_runtime.c: a package database in two pieces, cut where the first byte says: the same packages as in one. */
#include <stdlib.h>
#include <string.h>

#include "claims_runtime.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void run(bool apk, const char *text, size_t size, size_t cut)
{
	struct claims_runtime_packages one = {.apk = apk, .installed = apk}, two = one;

	if (claims_runtime_parse(&one, text, size) != 0 || claims_runtime_parse_end(&one) != 0 ||
	    claims_runtime_parse(&two, text, cut) != 0 ||
	    claims_runtime_parse(&two, text + cut, size - cut) != 0 ||
	    claims_runtime_parse_end(&two) != 0 || one.found.n != two.found.n)
		abort();
	for (uint32_t i = 0; i < one.found.n; i++)
		if (strcmp(one.found.names[i], two.found.names[i]) != 0)
			abort();
	claims_names_clear(&one.found);
	claims_names_clear(&two.found);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t cut = size ? data[0] * size / 256 : 0;

	run(false, (const char *)data, size, cut);
	run(true, (const char *)data, size, cut);
	return 0;
}
