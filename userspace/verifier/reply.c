/* SPDX-License-Identifier: Apache-2.0 */
#include "reply.h"

#include <stdarg.h>
#include <stdio.h>

#include "jsonl.h"

int reply_error(struct buf *ret, int status, const char *cure, const char *format, ...)
{
	char text[512];
	struct jsonl j;
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	jsonl_begin(&j, ret);
	jsonl_str(&j, "error", text);
	jsonl_str(&j, "cure", cure);
	jsonl_end(&j);
	return buf_status(ret) < 0 ? buf_status(ret) : status;
}
