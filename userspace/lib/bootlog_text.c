/* SPDX-License-Identifier: Apache-2.0 */
#include "bootlog_text.h"

#include "digest.h"

static int put_digest(const void *data, size_t size, struct buf *ret)
{
	char hex[DIGEST_HEX_SIZE];
	struct digest d;
	int r = digest_sha256(data, size, &d);

	if (r < 0)
		return r;
	digest_hex(&d, hex);
	buf_printf(ret, "sha256:%s %zu", hex, size);
	return buf_status(ret);
}

static int is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* false: not all of it can be printed. step: 2 for UTF-16. */
static int put_text(const uint8_t *p, size_t n, size_t step, struct buf *ret)
{
	size_t start = ret->size;

	for (size_t i = 0; i < n; i++) {
		uint8_t c = p[i * step];

		if ((step == 2 && p[i * step + 1]) || (!is_blank(c) && (c < 0x21 || c > 0x7e)))
			return 0;
		if (!is_blank(c))
			buf_put(ret, &c, 1);
		else if (ret->size > start && i + 1 < n && !is_blank(p[(i + 1) * step]))
			buf_put(ret, " ", 1);
	}
	return 1;
}

static int put(const uint8_t *p, size_t n, size_t step, struct buf *ret)
{
	size_t start = ret->size;

	if (n <= BOOTLOG_TEXT_MAX && put_text(p, n, step, ret))
		return buf_status(ret);
	buf_cut(ret, start);
	return put_digest(p, n * step, ret);
}

int bootlog_text(const void *data, size_t size, struct buf *ret)
{
	return put(data, size, 1, ret);
}

int bootlog_text_utf16(const void *data, size_t size, struct buf *ret)
{
	const uint8_t *p = data;

	if (size % 2)
		return put_digest(data, size, ret);
	if (size >= 2 && p[size - 2] == 0 && p[size - 1] == 0)
		size -= 2;
	return put(p, size / 2, 2, ret);
}
