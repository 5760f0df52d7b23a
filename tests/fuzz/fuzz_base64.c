/* SPDX-License-Identifier: Apache-2.0 */
/* Strict: what is taken is exactly what the encoder would have written, in both alphabets; what is refused leaves nothing. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "digest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const uint8_t *data, size_t size,
		  int (*decode)(const char *, size_t, struct buf *),
		  void (*encode)(struct buf *, const void *, size_t))
{
	struct buf b = {0}, t = {0};

	if (decode((const char *)data, size, &b) >= 0) {
		encode(&t, b.data, b.size);
		if (t.size != size || (size > 0 && memcmp(t.data, data, size) != 0))
			__builtin_trap();
	} else if (b.size != 0) {
		__builtin_trap();
	}
	buf_clear(&b);
	buf_clear(&t);
	/* And the other way: any bytes. */
	encode(&t, data, size);
	if (size > 0 && (decode((const char *)t.data, t.size, &b) < 0 || b.size != size ||
			 memcmp(b.data, data, size) != 0))
		__builtin_trap();
	buf_done(&b);
	buf_done(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check(data, size, digest_from_base64, digest_base64);
	check(data, size, digest_from_base64_url, digest_base64_url);
	return 0;
}
