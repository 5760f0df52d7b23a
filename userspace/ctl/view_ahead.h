/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view_ahead.h: what lies ahead of a node, in words: its evidence, its way back, what happens by itself and when, what a person does next. In:
 * what the verifier says (hostile, as for view_node). Out: lines, as JSON or as text.
 */
#ifndef PLUMB_VIEW_AHEAD_H
#define PLUMB_VIEW_AHEAD_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define VIEW_AHEAD_MAX_LINES 9u	/* the blank one before them among them */

/* [{"what":"evidence"|"remedy"|"by itself"|"next","text":"…","command":"…"|absent},…]; NULL: no memory. command names the node by name. */
json_t *view_ahead_make(const json_t *node, const char *name, uint64_t now_ns);
size_t view_ahead_lines(const json_t *made);
void view_ahead_put(FILE *f, size_t columns, const json_t *made);

#endif
