/* SPDX-License-Identifier: Apache-2.0 */
/* A registration of binfmt_misc, in which names and interpreters are whoever's: what is taken is one line of text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "claims_binfmt.h"
#include "cleanup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(buf_done) struct buf b = {0};
	CLEANUP_FREE char *text = malloc(size + 1);

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (claims_binfmt_parse(text, size, &b) == 0 && memchr(b.data, '\n', b.size))
		abort();
	return 0;
}
