/* SPDX-License-Identifier: Apache-2.0 */
#include "why.h"

#include <stdarg.h>
#include <stdio.h>

int why_set(struct why *ret_why, int r, const char *format, ...)
{
	va_list ap;

	if (!ret_why)
		return r;
	va_start(ap, format);
	vsnprintf(ret_why->text, sizeof(ret_why->text), format, ap);
	va_end(ap);
	return r;
}
