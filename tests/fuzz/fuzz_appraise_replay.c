/* SPDX-License-Identifier: Apache-2.0 */
/* Anchor records, as a node sends them, against every kind of base. They never replay to a value that nothing folds to. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "appraise_replay.h"
#include "mends.h"
#include "mutate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

size_t mutate_mend(uint8_t *data, size_t size, size_t max)
{
	(void)max;
	return mend_anchors(data, size, "test.example/node/aa/1");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct appraise_replay_in in = {.anchors = {data, size},
					.origin = "test.example/node/aa/1",
					.pcr_index = 15,
					.quoted = {{0xff, 1, 2}},
					.base = {{3}}};
	struct appraise_replay out;
	struct why why;

	for (int i = 0; i < 3; i++) {
		in.may_continue = i > 0;
		in.must_continue = i > 1;
		if (appraise_replay(&in, &out, &why) < 0)
			continue;
		/* Only a foreign record can name any value, and then something must have been extended after it. */
		if (out.replays)
			abort();
		appraise_replay_done(&out);
	}
	return 0;
}
