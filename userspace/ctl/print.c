/* SPDX-License-Identifier: Apache-2.0 */
#include "print.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool print_is_terminal(FILE *f)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	if (no_color && *no_color)
		return false;
	if (!term || strcmp(term, "dumb") == 0)
		return false;
	return isatty(fileno(f)) == 1;
}

const char *print_on(FILE *f, enum print_colour c)
{
	static const char *const codes[] = {
		[PRINT_PLAIN] = "",	    [PRINT_GREEN] = "\033[32m", [PRINT_YELLOW] = "\033[33m",
		[PRINT_RED] = "\033[1;31m", [PRINT_BOLD] = "\033[1m",	[PRINT_DIM] = "\033[2m",
	};

	return print_is_terminal(f) ? codes[c] : "";
}

const char *print_off(FILE *f)
{
	return print_is_terminal(f) ? "\033[0m" : "";
}

void print_safe(FILE *f, const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)text[i];

		/* C1 controls reach a terminal as 0xc2 0x80…0x9f; as such they are harmless only when escaped. */
		if (c < 0x20 || c == 0x7f ||
		    (c == 0xc2 && i + 1 < size && (unsigned char)text[i + 1] < 0xa0))
			fprintf(f, "\\x%02x", c);
		else
			fputc(c, f);
	}
}

int print_failure(int code, const char *format, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	fflush(stdout);
	fprintf(stderr, "%serror:%s ", print_on(stderr, PRINT_RED), print_off(stderr));
	print_safe(stderr, text, strlen(text));
	fputc('\n', stderr);
	return code;
}
