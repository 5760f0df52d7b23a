/* SPDX-License-Identifier: Apache-2.0 */
#include "print.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "buf.h"
#include "cleanup.h"

#define SHOWN_DIGITS 12
#define LONG_DIGITS 40 /* hex digits in a row that are a digest */
#define ELLIPSIS "…"

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

size_t print_columns(FILE *f)
{
	struct winsize size = {0};

	if (isatty(fileno(f)) != 1)
		return 0;
	return ioctl(fileno(f), TIOCGWINSZ, &size) == 0 && size.ws_col >= 20 ? size.ws_col : 80;
}

/* One character as it is shown. */
struct shown {
	char text[16];
	size_t size, cells; /* of text */
	size_t taken; /* bytes of the original */
};

struct range {
	uint32_t first, last;
};

static bool is_in(uint32_t c, const struct range *r, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (c >= r[i].first && c <= r[i].last)
			return true;
	return false;
}

/* Controls, marks that turn the direction, blanks that have no width, tags, private use and no characters at all. */
static bool is_unsafe(uint32_t c)
{
	static const struct range unsafe[] = {
		{0x00, 0x1f},	  {0x7f, 0x9f},	      {0xad, 0xad},	  {0x61c, 0x61c},
		{0x115f, 0x1160}, {0x17b4, 0x17b5},   {0x180b, 0x180f},	  {0x200b, 0x200f},
		{0x2028, 0x202e}, {0x2060, 0x206f},   {0x3164, 0x3164},	  {0xe000, 0xf8ff},
		{0xfe00, 0xfe0f}, {0xfeff, 0xfeff},   {0xffa0, 0xffa0},	  {0xfff0, 0xfffb},
		{0xfffe, 0xffff}, {0x1d173, 0x1d17a}, {0xe0000, 0x10ffff}};

	return is_in(c, unsafe, ARRAY_SIZE(unsafe));
}

static bool is_wide(uint32_t c)
{
	static const struct range wide[] = {
		{0x1100, 0x115f},  {0x2e80, 0x303e},   {0x3041, 0xa4cf},   {0xa960, 0xa97f},
		{0xac00, 0xd7a3},  {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff00, 0xff60},
		{0xffe0, 0xffe6},  {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff},
		{0x20000, 0x3fffd}};

	return is_in(c, wide, ARRAY_SIZE(wide));
}

/* Bytes of the character at p, 0 when it is none: overlong, surrogate, cut. */
static size_t decode(const uint8_t *p, size_t left, uint32_t *ret)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = p[0] < 0x80		   ? 1
		   : (p[0] & 0xe0) == 0xc0 ? 2
		   : (p[0] & 0xf0) == 0xe0 ? 3
		   : (p[0] & 0xf8) == 0xf0 ? 4
					   : 0;
	uint32_t c = n < 2 ? p[0] : p[0] & (0x7fu >> n);

	if (n == 0 || n > left)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (n > 1 && (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)))
		return 0;
	*ret = c;
	return n;
}

/* Characters that stand over the one before: accents. */
static bool is_combining(uint32_t c)
{
	static const struct range combining[] = {
		{0x300, 0x36f}, {0x483, 0x489}, {0x591, 0x5bd}, {0x1ab0, 0x1aff}, {0x20d0, 0x20ff}};

	return is_in(c, combining, ARRAY_SIZE(combining));
}

static void show(const char *text, size_t left, struct shown *ret)
{
	const uint8_t *p = (const uint8_t *)text;
	uint32_t c = 0;
	size_t n = decode(p, left, &c);

	ret->taken = n ? n : 1;
	if (n == 0 || c < 0x20 || c == 0x7f)
		ret->size = (size_t)snprintf(ret->text, sizeof(ret->text), "\\x%02x", p[0]);
	else if (is_unsafe(c))
		ret->size = (size_t)snprintf(ret->text, sizeof(ret->text), "\\u{%x}", c);
	else {
		memcpy(ret->text, text, n);
		ret->size = n;
		ret->cells = is_combining(c) ? 0 : is_wide(c) ? 2 : 1;
		return;
	}
	ret->cells = ret->size;
}

void print_safe(FILE *f, const char *text, size_t size)
{
	struct shown s;

	for (size_t at = 0; at < size; at += s.taken) {
		show(text + at, size - at, &s);
		fwrite(s.text, 1, s.size, f);
	}
}

size_t print_cells(const char *text)
{
	size_t size = strlen(text), cells = 0;
	struct shown s;

	for (size_t at = 0; at < size; at += s.taken) {
		show(text + at, size - at, &s);
		cells += s.cells;
	}
	return cells;
}

/* What fits into width cells; how far it came in *at. */
static size_t put_head(FILE *f, const char *text, size_t width, size_t *at)
{
	size_t size = strlen(text), cells = 0;
	struct shown s;

	for (; *at < size; *at += s.taken) {
		show(text + *at, size - *at, &s);
		if (cells + s.cells > width)
			break;
		fwrite(s.text, 1, s.size, f);
		cells += s.cells;
	}
	return cells;
}

size_t print_fit(FILE *f, const char *text, size_t width, enum print_cut cut)
{
	size_t all = print_cells(text), at = 0, head, cells;
	struct shown s;

	if (width == 0 || all <= width)
		return put_head(f, text, all, &at);
	head = cut == PRINT_CUT_MIDDLE ? (width - 1) / 3 : width - 1;
	cells = put_head(f, text, head, &at) + 1;
	fputs(ELLIPSIS, f);
	if (cut == PRINT_CUT_END || cells >= width)
		return cells;
	/* What is left of it must take no more than there is room for. */
	for (all = print_cells(text + at); all > width - cells; at += s.taken) {
		show(text + at, strlen(text + at), &s);
		all -= s.cells;
	}
	text += at;
	at = 0;
	return cells + put_head(f, text, width - cells, &at);
}

size_t print_value(FILE *f, const char *text, size_t width, enum print_cut cut)
{
	CLEANUP(buf_done) struct buf b = {0};

	for (const char *at = text; *at;) {
		size_t digits = strspn(at, "0123456789abcdef"), n = digits;

		if (digits >= LONG_DIGITS)
			n = SHOWN_DIGITS;
		buf_put(&b, at, n);
		if (digits >= LONG_DIGITS)
			buf_puts(&b, ELLIPSIS);
		else if (at[digits])
			buf_put(&b, &at[digits++], 1);
		at += digits;
	}
	return print_fit(f, buf_status(&b) < 0 || !b.data ? text : (char *)b.data, width, cut);
}

void print_column(FILE *f, const char *text, size_t width, enum print_cut cut)
{
	size_t cells = print_fit(f, text, width, cut);

	fprintf(f, "%*s", (int)(cells < width ? width - cells : 0) + 1, "");
}

static void __attribute__((format(printf, 3, 0)))
put_line(enum print_colour colour, const char *word, const char *format, va_list ap)
{
	CLEANUP_FREE char *text = NULL;

	fflush(stdout);
	if (vasprintf(&text, format, ap) < 0) {
		text = NULL;
		return;
	}
	fprintf(stderr, "%s%s%s ", print_on(stderr, colour), word, print_off(stderr));
	print_safe(stderr, text, strlen(text));
	fputc('\n', stderr);
}

int print_failure(int code, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	put_line(PRINT_RED, "error:", format, ap);
	va_end(ap);
	return code;
}

void print_note(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	put_line(PRINT_YELLOW, "note:", format, ap);
	va_end(ap);
}

void print_cure(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	put_line(PRINT_BOLD, "cure: ", format, ap);
	va_end(ap);
}
