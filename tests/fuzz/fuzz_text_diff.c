/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two texts with a NUL between, and a value of an extended attribute: hunks put back onto the first give the second; what comes out is text and
 * has a bound; an attribute is told in one line or refused without a trace.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "claims_attrs.h"
#include "line_secrets.h"
#include "text_diff.h"

#define MAX_OUT (TEXT_DIFF_MAX_EDITS * (TEXT_DIFF_MAX_LINE + 96))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void hide(void *ctx, const char *line, size_t size, struct buf *ret)
{
	(void)ctx;
	line_secrets_hide(line, size, ret);
}

static size_t line_size(const uint8_t *at, size_t left)
{
	const uint8_t *lf = memchr(at, '\n', left);

	return lf ? (size_t)(lf - at) + 1 : left;
}

static size_t skip(const struct buf_view *v, size_t at, unsigned long n)
{
	while (n-- > 0) {
		if (at == v->size)
			__builtin_trap();
		at += line_size(v->data + at, v->size - at);
	}
	return at;
}

/* What stands between the hunks must be alike. */
static void check(const struct buf_view *a, const struct buf_view *b, const char *hunks)
{
	unsigned long line_a = 0, line_b = 0;
	size_t at_a = 0, at_b = 0, end_a, end_b;

	for (const char *h = strstr(hunks, "@@ -"); h; h = strstr(h + 1, "\n@@ -")) {
		unsigned long x, y, n = 1, m = 1;
		char *end;

		h += *h == '\n';
		x = strtoul(h + 4, &end, 10);
		n = *end == ',' ? strtoul(end + 1, &end, 10) : 1;
		y = strtoul(end + 2, &end, 10);
		m = *end == ',' ? strtoul(end + 1, &end, 10) : 1;
		x -= n > 0;
		y -= m > 0;
		if (x < line_a || y < line_b || x - line_a != y - line_b)
			__builtin_trap();
		end_a = skip(a, at_a, x - line_a);
		end_b = skip(b, at_b, y - line_b);
		if (end_a - at_a != end_b - at_b ||
		    (end_a > at_a && memcmp(a->data + at_a, b->data + at_b, end_a - at_a) != 0))
			__builtin_trap();
		at_a = skip(a, end_a, n);
		at_b = skip(b, end_b, m);
		line_a = x + n;
		line_b = y + m;
	}
	if (a->size - at_a != b->size - at_b ||
	    (a->size > at_a && memcmp(a->data + at_a, b->data + at_b, a->size - at_a) != 0))
		__builtin_trap();
}

static void attributes(const uint8_t *data, size_t size)
{
	static const char *const names[] = {"system.posix_acl_access", "security.capability",
					    "security.selinux", "security.other"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct buf out = {0};
		int r = claims_attrs_one(names[i], data, size, &out);

		if ((r < 0) != (out.size == 0) || (out.size > 0 && memchr(out.data, ' ', out.size)))
			__builtin_trap();
		buf_done(&out);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
	struct buf_view a = {data, nul ? (size_t)(nul - data) : size}, b = {NULL, 0};
	struct buf plain = {0}, hidden = {0};

	if (size > 0)
		attributes(data, size);
	if (nul)
		b = (struct buf_view){nul + 1, size - a.size - 1};
	if (text_diff(&a, &b, NULL, &plain) >= 0) {
		if (plain.size > MAX_OUT)
			__builtin_trap();
		check(&a, &b, plain.data ? (char *)plain.data : "");
		if (text_diff(&a, &b, &(struct text_diff_writer){hide, NULL}, &hidden) < 0 ||
		    (hidden.size > 0 && !text_diff_is_text((char *)hidden.data, hidden.size)))
			__builtin_trap();
	} else if (plain.size > 0) {
		__builtin_trap();
	}
	buf_done(&plain);
	buf_done(&hidden);
	return 0;
}
