/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "ledger_dir.h"

#define DASH "\xe2\x80\x94 "

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf line = {0}, again = {0};
	struct ledger_note n;
	struct why why;

	if (ledger_dir_note_read((const char *)data, size, &n, &why) < 0)
		return 0;
	/* What was read is written as the same bytes. */
	buf_puts(&line, DASH);
	buf_put(&line, n.line, n.line_size);
	if (memchr(n.line, '\n', n.line_size) == NULL &&
	    (ledger_dir_note_write(n.size, &n.root, (char *)line.data, line.size, &again) < 0 ||
	     again.size != size + 1 || memcmp(again.data, data, size) != 0))
		__builtin_trap();
	buf_done(&line);
	buf_done(&again);
	return 0;
}
