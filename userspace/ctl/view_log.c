/* SPDX-License-Identifier: Apache-2.0 */
#include "view_log.h"

#include <inttypes.h>
#include <string.h>

#include "cleanup.h"
#include "client.h"
#include "print.h"

#define MAX_NODES 100000
#define TYPE_WIDTH 10

/* Verdicts come with each evidence, mostly the same: news is what differs. */
static bool is_news(struct view_log *v, const json_t *line)
{
	const char *type = client_text(line, "type"), *node = client_text(line, "node"), *before;
	CLEANUP(buf_done) struct buf now = {0};

	if (v->all)
		return true;
	if (strcmp(type, "head") == 0)
		return false;
	if (strcmp(type, "verdict") != 0)
		return true;
	if (!v->last)
		v->last = json_object();
	buf_printf(&now, "%s %s %" PRIu64, client_text(line, "appraisal"),
		   client_text(line, "action"), client_number(line, "open"));
	if (buf_status(&now) < 0)
		return true;
	before = json_string_value(json_object_get(v->last, node));
	if (before && strcmp(before, (char *)now.data) == 0)
		return false;
	if (before || json_object_size(v->last) < MAX_NODES)
		json_object_set_new_nocheck(v->last, node, json_string((char *)now.data));
	return true;
}

static void put_words(struct buf *b, const json_t *o, const char *type)
{
	const char *label = client_text(o, "label");

	if (strcmp(type, "transition") == 0) {
		buf_printf(b, "%s: %s -> %s: %s", label, client_text(o, "from"),
			   client_text(o, "to"), client_text(o, "cause"));
	} else if (strcmp(type, "verdict") == 0) {
		buf_printf(b, "%s: %s%s, %" PRIu64 " lines, %" PRIu64 " open, action %s", label,
			   client_text(o, "appraisal"),
			   json_is_true(json_object_get(o, "provisional")) ? " (provisional)" : "",
			   client_number(o, "size"), client_number(o, "open"),
			   client_text(o, "action"));
	} else if (strcmp(type, "action") == 0) {
		buf_printf(b, "%s: %s", client_text(o, "operator"), client_text(o, "action"));
		if (client_text(o, "node")[0])
			buf_printf(b, " %s", client_text(o, "node"));
		buf_printf(b, ": %s (%s)", client_text(o, "reason"), client_text(o, "result"));
	} else if (strcmp(type, "head") == 0) {
		buf_printf(b, "%s: %" PRIu64 " lines", client_text(o, "node"),
			   client_number(o, "size"));
	}
}

static enum print_colour colour_of(const json_t *o)
{
	const char *to = client_text(o, "to");

	if (strcmp(to, "trusted") == 0)
		return PRINT_GREEN;
	return strcmp(to, "quarantined") == 0 || strcmp(to, "held") == 0 ||
			       strcmp(to, "forked") == 0
		       ? PRINT_RED
	       : *to ? PRINT_YELLOW
		     : PRINT_PLAIN;
}

void view_log_line(FILE *f, size_t columns, struct view_log *v, const json_t *line)
{
	const char *type = client_text(line, "type");
	CLEANUP(buf_done) struct buf words = {0};
	size_t used = 7 + 1 + 21 + TYPE_WIDTH + 1;
	char t[20];

	if (!is_news(v, line))
		return;
	snprintf(t, sizeof(t), "%.19s", client_text(line, "t"));
	fprintf(f, "%7" PRIu64 " ", client_number(line, "seq"));
	print_fit(f, t, 0, PRINT_CUT_END);
	fputs("Z ", f);
	print_column(f, type, TYPE_WIDTH, PRINT_CUT_END);
	put_words(&words, line, type);
	fputs(print_on(f, colour_of(line)), f);
	if (words.data && buf_status(&words) == 0)
		print_value(f, (char *)words.data, columns > used + 12 ? columns - used : columns,
			    PRINT_CUT_END);
	fprintf(f, "%s\n", print_off(f));
}

void view_log_done(struct view_log *v)
{
	json_decref(v->last);
	v->last = NULL;
}
