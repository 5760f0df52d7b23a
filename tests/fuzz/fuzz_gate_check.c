/* SPDX-License-Identifier: Apache-2.0 */
/* What a pipeline's gate is given: nodes, key sets with tokens, selectors. Nothing is good without a reason to be. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gate_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_found(void *ctx, const struct gate_found *f)
{
	(void)ctx;
	if ((f->result == PRINT_GOOD) != !f->why[0])
		abort();
}

/* SELECTOR LF NODES-OR-TOKEN LF KEY-SET */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *a = size ? memchr(data, '\n', size) : NULL;
	size_t left = a ? size - (size_t)(a + 1 - data) : 0;
	const uint8_t *b = left ? memchr(a + 1, '\n', left) : NULL;
	struct gate_selector selector;
	struct gate_terms t = {&selector, 300, 1795462800000000000ull, NULL};
	struct gate_found f;
	char text[512];
	json_t *o;

	if (!b || (size_t)(a - data) >= sizeof(text))
		return 0;
	memcpy(text, data, (size_t)(a - data));
	text[a - data] = 0;
	if (gate_selector_parse(text, &selector, NULL) < 0)
		return 0;
	o = json_loadb((const char *)a + 1, (size_t)(b - a - 1), 0, NULL);
	gate_check_nodes(o, &t, on_found, NULL);
	json_decref(o);
	gate_check_ear(a + 1, (size_t)(b - a - 1), b + 1, size - (size_t)(b + 1 - data), &t, &f);
	/* No key signed an EAR in the corpus, and a fuzzer has none. */
	if (f.result == PRINT_GOOD)
		abort();
	return 0;
}
