/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>

#include "ledger_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ledger_read_segment s;
	struct digest root;
	struct why why;

	if (ledger_read_header((const char *)data, size, &s, &why) >= 0)
		merkle_root(&s.frontier, &root);
	return 0;
}
