/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view_log.h: lines of the verifier's log as text for people: what changed. In: lines in order (hostile). Out: text of at most `columns` a
 * line; 0: nothing is cut.
 */
#ifndef PLUMB_VIEW_LOG_H
#define PLUMB_VIEW_LOG_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct view_log {
	bool all;	/* heads, and verdicts that repeat the node's last one, too */
	json_t *last;	/* node → its last verdict in a word; view_log_done frees it */
};

void view_log_line(FILE *f, size_t columns, struct view_log *v, const json_t *line);
void view_log_done(struct view_log *v);

#endif
