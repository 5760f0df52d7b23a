/* SPDX-License-Identifier: Apache-2.0 */
/*
 * print.h: what people see: colour on a terminal, aligned tables, text with control bytes made harmless.
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
/* Control bytes as \xNN, so that a path from a ledger cannot steer a terminal. */
void print_safe(FILE *f, const char *text, size_t size);
/* "error: …" to stderr, and the exit code given. */
int print_failure(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
