/* SPDX-License-Identifier: Apache-2.0 */
/* Any payload: what is taken has a kind with a name, bounded texts, and case numbers that are some. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "action_body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void want(int holds)
{
	if (!holds)
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct action_body b;
	struct why why;

	if (action_body_parse(data, size, &b, &why) < 0)
		return 0;
	want(action_body_name(b.kind) != NULL);
	want(b.n_cases <= ACTION_BODY_MAX_CASES);
	for (uint32_t i = 0; i < b.n_cases; i++)
		want(b.cases[i] > 0 && b.cases[i] <= INT64_MAX);
	want(memchr(b.node, 0, sizeof(b.node)) && memchr(b.reason, 0, sizeof(b.reason)) &&
	     memchr(b.value, 0, sizeof(b.value)));
	return 0;
}
