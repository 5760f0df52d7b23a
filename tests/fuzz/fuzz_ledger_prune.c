/* SPDX-License-Identifier: Apache-2.0 */
/* A `pruned` line as foreign bytes: what is taken says of itself that it is sound, and is written again as it was read. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "ledger_prune.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct ledger_prune_claim c;
	struct why why;

	if (ledger_prune_read((const char *)data, size, &c, &why) < 0)
		return 0;
	if (c.from >= c.first || c.first > c.seq || !memchr(c.why, 0, sizeof(c.why)))
		abort();
	if (ledger_prune_write(&c, &b) < 0)
		abort();
	return 0;
}
