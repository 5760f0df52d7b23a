/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>

#include "ledger_replay.h"
#include "mends.h"
#include "mutate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

size_t mutate_mend(uint8_t *data, size_t size, size_t max)
{
	(void)max;
	return mend_anchors(data, size, "plumb.example/node/x/1");
}

static void tell(void *ctx, bool bad, const char *text)
{
	(void)ctx;
	(void)bad;
	(void)text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ledger_replay r;

	if (ledger_replay(data, size, "plumb.example/node/x/1", tell, NULL, NULL, &r) < 0)
		return 0;
	/* Nothing counts as anchored that no extend named. */
	for (uint32_t i = 0; r.anchored_size > 0; i++) {
		if (i == r.n_extends)
			__builtin_trap();
		if (r.extends[i].done && r.extends[i].current &&
		    r.extends[i].size == r.anchored_size)
			break;
	}
	ledger_replay_done(&r);
	return 0;
}
