/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>

#include "ledger_dir.h"
#include "mends.h"
#include "mutate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

size_t mutate_mend(uint8_t *data, size_t size, size_t max)
{
	(void)max;
	return mend_anchors(data, size, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf_reader r = buf_reader_of(data, size);
	struct ledger_anchor a;
	struct why why;

	while (ledger_dir_anchor_read(&r, &a, &why) > 0) {
		struct buf again = {0};

		/* What was read is written as the same bytes. */
		if (ledger_dir_anchor_write(&a, &again) < 0 || again.size > r.at)
			__builtin_trap();
		buf_done(&again);
	}
	return 0;
}
