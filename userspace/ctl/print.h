/* SPDX-License-Identifier: Apache-2.0 */
/*
 * print.h: what people see: colour on a terminal, columns, text with what could steer a terminal made harmless.
 * In: text from files and from the verifier (hostile). Out: stdout or stderr.
 */
#ifndef PLUMB_PRINT_H
#define PLUMB_PRINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Exit codes of plumbctl, everywhere. */
enum print_exit { PRINT_GOOD = 0, PRINT_NOT_GOOD = 1, PRINT_UNKNOWN = 2, PRINT_USAGE = 64 };

enum print_colour { PRINT_PLAIN, PRINT_GREEN, PRINT_YELLOW, PRINT_RED, PRINT_BOLD, PRINT_DIM };

bool print_is_terminal(FILE *f);	/* and NO_COLOR is not set and TERM is not dumb */
/* Colour codes, "" when f is no terminal. Borrowed, static. */
const char *print_on(FILE *f, enum print_colour c);
const char *print_off(FILE *f);
size_t print_columns(FILE *f);		/* of the terminal; 0: f is none, and nothing is cut */

/*
 * Control bytes, and what is not UTF-8, as \xNN; characters that turn the writing's direction, or that nobody sees, as \u{N}.
 * All of text; the rest of these functions stop at size or at the NUL.
 */
void print_safe(FILE *f, const char *text, size_t size);
size_t print_cells(const char *text);	/* columns that it takes so; a wide character takes two */

/* Where to leave out what does not fit: paths tell most at their end. */
enum print_cut { PRINT_CUT_END, PRINT_CUT_MIDDLE };

/* At most width cells, … where something was left out; 0: all of it. Returns the cells. */
size_t print_fit(FILE *f, const char *text, size_t width, enum print_cut cut);
/* The same for a value: long digests are shortened to 12 digits and …, so that what is beside them is seen. */
size_t print_value(FILE *f, const char *text, size_t width, enum print_cut cut);
/* print_fit and blanks up to width and one more. width must not be 0. */
void print_column(FILE *f, const char *text, size_t width, enum print_cut cut);

/* "error: …" to stderr, and the exit code given. */
int print_failure(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "note: …" to stderr: it went well, and will not for ever. */
void print_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* "cure:  …" to stderr, after a failure. */
void print_cure(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
