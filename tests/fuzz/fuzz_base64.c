/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>

#include <string.h>

#include "digest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf b = {0}, t = {0};

	if (digest_from_base64((const char *)data, size, &b) >= 0) {
		digest_base64(&t, b.data, b.size);
		if (t.size != size || (size > 0 && memcmp(t.data, data, size) != 0))
			__builtin_trap();
	}
	buf_done(&b);
	buf_done(&t);
	return 0;
}
