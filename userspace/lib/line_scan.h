/* SPDX-License-Identifier: Apache-2.0 */
/*
 * line_scan.h: a measurement's line in the very form that line_write() gives it, read without a JSON tree: a verifier reads every line of
 * every node, and the tree costs ten times what is then done with the line. Pure, no memory of its own.
 * In: a foreign line. Out: struct line, or that it is for line_parse() to say.
 */
#ifndef PLUMB_LINE_SCAN_H
#define PLUMB_LINE_SCAN_H

#include "line.h"
#include "plain.h"

struct line_scan {	/* what lines point into; one for many */
	char text[LINE_MAX_SIZE + 1 + PLAIN_BEYOND];
};

/*
 * True: *ret is what line_parse() gives for these bytes; its strings are borrowed from s until the next call. False: a record, broken, or
 * written in any other way (escapes, what is no ASCII, another order, members that we do not know): nothing is said of it.
 */
bool line_scan(struct line_scan *s, const void *data, size_t size, struct line *ret);
/* Reads a line either way: *ret_json is NULL where no tree was needed; strings are borrowed from both. Errors of line_parse(). */
int line_scan_or_parse(struct line_scan *s, const void *data, size_t size, json_t **ret_json, struct line *ret, struct why *ret_why);

#endif
