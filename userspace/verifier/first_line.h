/* SPDX-License-Identifier: Apache-2.0 */
/*
 * first_line.h: line 0 of a ledger names the history before it, for whoever has nothing but the files: it must be what the enrolment record says.
 * In: the record, lines from 0 on. Out: good or why not. Plain.
 */
#ifndef PLUMB_FIRST_LINE_H
#define PLUMB_FIRST_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include "record.h"
#include "why.h"

/* Where the record names none, a first line that names none either may be any; what is no line at all is for others to say. */
bool first_line_is_good(const struct record *record, const void *lines, size_t size, struct why *ret_why);

#endif
