/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mends.h"
#include "mutate.h"
#include "node_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

size_t mutate_mend(uint8_t *data, size_t size, size_t max)
{
	return mend_evidence(data, size, max);
}

static struct verifier_fixture v;
static struct node_fixture n;

static void clean_up(void)
{
	node_fixture_done(&n);
	verifier_fixture_done(&v);
}

/* A body as it comes, from a node that is enrolled, on both routes: some status, some answer, and the row moves only when it says so. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct buf body = {.data = (uint8_t *)data, .size = size};
	struct store_node before, after;

	if (!v.intake) {
		verifier_fixture_open(&v);
		node_fixture_open(&n, &v, 1);
		node_fixture_baseline(&n);
		atexit(clean_up);
	}
	for (int provisional = 0; provisional < 2; provisional++) {
		if (node_fixture_nonce(&n) != 200)
			__builtin_trap();
		before = verifier_fixture_node(&v, n.record.node);
		if (node_fixture_give(&n, provisional, &body) < 0)
			__builtin_trap();
		after = verifier_fixture_node(&v, n.record.node);
		if ((n.status != 200 || n.answer.result != PLUMB_RESULT_STORED) &&
		    after.version != before.version)
			__builtin_trap();
		if (after.base_size != before.base_size || after.head_size != before.head_size)
			__builtin_trap();
		store_node_done(&before);
		store_node_done(&after);
	}
	return 0;
}
