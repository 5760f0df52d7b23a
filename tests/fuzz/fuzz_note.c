/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>

#include "ledger_dir.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ledger_note n;
	struct why why;

	if (ledger_dir_note_read((const char *)data, size, &n, &why) >= 0 &&
	    n.line + n.line_size != (const char *)data + size)
		__builtin_trap();
	return 0;
}
