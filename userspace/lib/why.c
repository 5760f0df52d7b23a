/* SPDX-License-Identifier: Apache-2.0 */
#include "why.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int why_set(struct why *ret_why, int r, const char *format, ...)
{
	/* Apart from *ret_why, whose old text may be one of the arguments. */
	struct why why;
	va_list ap;

	if (!ret_why)
		return r;
	va_start(ap, format);
	vsnprintf(why.text, sizeof(why.text), format, ap);
	va_end(ap);
	/* It quotes foreign bytes, and people read it on terminals. */
	for (char *p = why.text; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	memcpy(ret_why->text, why.text, strlen(why.text) + 1);
	return r;
}
