/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "remote_ledger.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Read whole, or refused with a reason; there is nowhere to write. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf origin = {0};
	struct why why = {""};
	int r = remote_ledger_save(data, size, "fuzz", "/nonexistent/dir", &origin, &why);

	if (r >= 0 || (r != -EBADMSG && r != -ENOENT && r != -ENOMEM) || !why.text[0] ||
	    origin.size > 0)
		__builtin_trap();
	buf_done(&origin);
	return 0;
}
