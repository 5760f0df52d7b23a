/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_claims_kernel.c: text of /proc and tracefs that becomes one claim's value: names that whoever made a probe chose. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "claims_cpu.h"
#include "claims_kernel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct claims_names *l, int r)
{
	struct buf b = {0};

	if (r != 0 && r != -EBADMSG && r != -E2BIG)
		abort();
	claims_names_sort(l);
	for (uint32_t i = 0; i < l->n; i++)
		if (!l->names[i][0] || strchr(l->names[i], '\n') ||
		    !claims_names_has(l, l->names[i]) ||
		    (i > 0 && strcmp(l->names[i - 1], l->names[i]) >= 0))
			abort();
	if (claims_names_text(l, &b) != 0 || !b.data || !b.data[0])
		abort();
	buf_done(&b);
	claims_names_clear(l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct claims_names l = {.n = 0};
	struct buf taint = {0};
	const char *text = (const char *)data;
	int r;

	check(&l, claims_kernel_parse_functions(text, size, &l));
	check(&l, claims_kernel_parse_kprobes(text, size, &l));
	check(&l, claims_names_lines(&l, text, size, size ? data[0] % 4 : 0));
	check(&l, claims_cpu_parse_flags(text, size, &l));
	r = claims_kernel_parse_taint(text, size, &taint);
	if ((r != 0 && r != -EBADMSG) || (r == 0 && taint.size == 0))
		abort();
	buf_done(&taint);
	return 0;
}
