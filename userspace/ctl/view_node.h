/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view_node.h: nodes as text for people. In: what the verifier says (hostile: any member may be absent, of another type, or steer a
 * terminal). Out: text of at most `columns` a line; 0: nothing is cut.
 */
#ifndef PLUMB_VIEW_NODE_H
#define PLUMB_VIEW_NODE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define VIEW_NODE_MAX_LINES 25	/* of an explanation */

bool view_node_is_state(const char *word);
void view_node_list(FILE *f, size_t columns, const json_t *nodes);
/* Why it is as it is, and the command that undoes it: VIEW_NODE_MAX_LINES lines at most. */
void view_node_explain(FILE *f, size_t columns, const json_t *node);
/* What explain tells of what lies ahead, for --json (view_ahead.h); caller frees. NULL: no memory. */
json_t *view_node_ahead(const json_t *node);
void view_node_all(FILE *f, size_t columns, const json_t *node);
/* How a command line names the node: its label, or its id when the label would mean something to a shell. */
void view_node_put_name(FILE *f, const json_t *node);

#endif
