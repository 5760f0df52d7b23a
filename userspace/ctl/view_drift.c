/* SPDX-License-Identifier: Apache-2.0 */
#include "view_drift.h"

#include <inttypes.h>
#include <string.h>

#include "cleanup.h"
#include "client.h"
#include "jsonl.h"
#include "print.h"

#define SEVERITY_WIDTH 8
#define MAX_RULE 24
#define MAX_IDS 8 /* case numbers told of a group */

/* What is left of a line; never so little that nothing is told. */
static size_t left(size_t columns, size_t used)
{
	return columns == 0 ? 0 : columns > used + 12 ? columns - used : 12;
}

static void put_severity(FILE *f, const json_t *o)
{
	const char *severity = client_text(o, "severity");
	enum print_colour c = strcmp(severity, "critical") == 0 || strcmp(severity, "high") == 0
				      ? PRINT_RED
			      : strcmp(severity, "medium") == 0 ? PRINT_YELLOW
								: PRINT_PLAIN;

	fputs(print_on(f, c), f);
	print_column(f, severity[0] ? severity : "-", SEVERITY_WIDTH, PRINT_CUT_END);
	fputs(print_off(f), f);
}

/* The widest of a member, so that columns stand below each other. */
static size_t width_of(const json_t *rows, const char *member, size_t least, size_t most)
{
	size_t i, width = least;
	json_t *o;

	json_array_foreach (rows, i, o) {
		size_t cells = print_cells(client_text(o, member));

		width = cells > width ? cells : width;
	}
	return width > most ? most : width;
}

/* As many as fit into half of what is left of the line. */
static void put_numbers(struct buf *b, const json_t *cases, size_t width)
{
	size_t i;
	json_t *id;

	json_array_foreach (cases, i, id) {
		if (i == MAX_IDS || (width && b->size > width / 2)) {
			buf_printf(b, " and %zu more", json_array_size(cases) - i);
			break;
		}
		buf_printf(b, " #%" JSON_INTEGER_FORMAT, json_integer_value(id));
	}
}

static void put_group(FILE *f, size_t columns, const json_t *g, size_t rule)
{
	size_t indent = SEVERITY_WIDTH + 1 + 7 + 6 + rule + 1, width = left(columns, indent);
	CLEANUP(buf_done) struct buf numbers = {0};

	put_severity(f, g);
	fprintf(f, "%6" PRIu64 " %5" PRIu64 " ", client_number(g, "count"),
		client_number(g, "nodes"));
	print_column(f, client_text(g, "rule")[0] ? client_text(g, "rule") : "-", rule,
		     PRINT_CUT_END);
	print_value(f, client_text(g, "key"), width, PRINT_CUT_MIDDLE);
	fprintf(f, "\n%*sby ", (int)indent, "");
	put_numbers(&numbers, json_object_get(g, "cases"), width);
	print_value(f, client_text(g, "exe"), left(columns, indent + 3 + numbers.size),
		    PRINT_CUT_MIDDLE);
	fprintf(f, "%s\n", buf_status(&numbers) < 0 || !numbers.data ? "" : (char *)numbers.data);
}

void view_drift_groups(FILE *f, size_t columns, const json_t *groups)
{
	size_t rule = width_of(groups, "rule", 4, MAX_RULE), i;
	json_t *g;

	fputs(print_on(f, PRINT_BOLD), f);
	print_column(f, "SEVERITY", SEVERITY_WIDTH, PRINT_CUT_END);
	fputs(" COUNT NODES ", f);
	print_column(f, "RULE", rule, PRINT_CUT_END);
	fprintf(f, "KEY, BY, CASES%s\n", print_off(f));
	json_array_foreach (groups, i, g)
		put_group(f, columns, g, rule);
}

bool view_drift_is_open(const json_t *a_case)
{
	return json_is_null(json_object_get(a_case, "closed"));
}

static void put_case(FILE *f, size_t columns, const json_t *k)
{
	const bool open = view_drift_is_open(k);
	CLEANUP(buf_done) struct buf line = {0};
	size_t used;

	fprintf(f, "#%-6" PRIu64 " ", client_number(k, "id"));
	put_severity(f, k);
	fprintf(f, "%-6s %5" PRIu64 " %7" PRIu64 " ", open ? "open" : "closed",
		client_number(k, "count"), client_number(k, "first_line"));
	print_value(f, client_text(k, "key"), left(columns, 38), PRINT_CUT_MIDDLE);
	buf_printf(&line, "found %s, expected %s", client_text(k, "found"),
		   client_text(k, "expected"));
	fputs("\n        ", f);
	used = print_value(f, buf_status(&line) < 0 ? "" : (char *)line.data, left(columns, 8),
			   PRINT_CUT_END);
	/* Who did it is what people ask first: it is not what is cut off. */
	if (columns && used + 8 + strlen(", by ") + print_cells(client_text(k, "who")) > columns)
		fputs("\n        by ", f);
	else
		fputs(", by ", f);
	print_value(f, client_text(k, "who"), left(columns, 11), PRINT_CUT_MIDDLE);
	if (!open) {
		fputs("\n        ", f);
		print_fit(f, client_text(k, "closed_why"), left(columns, 8), PRINT_CUT_END);
	}
	fputc('\n', f);
}

size_t view_drift_cases(FILE *f, size_t columns, const json_t *cases, bool all)
{
	size_t i, n = 0;
	json_t *k;

	json_array_foreach (cases, i, k) {
		if (!all && !view_drift_is_open(k))
			continue;
		if (n++ == 0)
			fprintf(f, "%sCASE    SEVERITY STATE  COUNT    LINE KEY%s\n",
				print_on(f, PRINT_BOLD), print_off(f));
		put_case(f, columns, k);
	}
	return n;
}

void view_drift_policy(FILE *f, size_t columns, const json_t *policy)
{
	const json_t *rules = json_object_get(policy, "rules");
	size_t width = width_of(rules, "id", 4, MAX_RULE), i;
	CLEANUP(buf_done) struct buf head = {0};
	json_t *rule;

	buf_printf(&head, "%s version %" PRIu64 ", sha256:%s", client_text(policy, "name"),
		   client_number(policy, "version"), client_text(policy, "digest"));
	print_value(f, buf_status(&head) < 0 ? "" : (char *)head.data, columns, PRINT_CUT_END);
	fprintf(f, "\n%s", print_on(f, PRINT_BOLD));
	print_column(f, "RULE", width, PRINT_CUT_END);
	fprintf(f, "MODE   ACTION     SEVERITY  OPEN TITLE%s\n", print_off(f));
	json_array_foreach (rules, i, rule) {
		const char *mode = client_text(rule, "mode");
		bool armed = strcmp(mode, "armed") == 0;

		print_column(f, client_text(rule, "id"), width, PRINT_CUT_END);
		fputs(armed ? print_on(f, PRINT_RED) : "", f);
		print_column(f, mode, 6, PRINT_CUT_END);
		fputs(armed ? print_off(f) : "", f);
		print_column(f, client_text(rule, "action"), 10, PRINT_CUT_END);
		put_severity(f, rule);
		fprintf(f, "%5" PRIu64 " ", client_number(rule, "open"));
		print_fit(f, client_text(rule, "title"), left(columns, width + 34), PRINT_CUT_END);
		fputc('\n', f);
	}
}

/* One row for what one rule does to one node, however many cases ask for it; the first of them stands for all. */
static json_t *fold(const json_t *would)
{
	CLEANUP(jsonl_decref_p) json_t *by_name = json_object();
	json_t *rows = json_array(), *w, *row;
	size_t i;

	json_array_foreach (would, i, w) {
		CLEANUP(buf_done) struct buf name = {0};

		buf_printf(&name, "%s\n%s\n%s\n%s", client_text(w, "node"), client_text(w, "label"),
			   client_text(w, "rule"), client_text(w, "action"));
		if (buf_status(&name) < 0)
			continue;
		row = json_object_get(by_name, (char *)name.data);
		if (row) {
			json_object_set_new(row, "n",
					    json_integer((json_int_t)client_number(row, "n") + 1));
			continue;
		}
		row = json_pack("{s:s,s:s,s:s,s:s,s:i}", "label", client_text(w, "label"), "rule",
				client_text(w, "rule"), "action", client_text(w, "action"), "key",
				client_text(w, "key"), "n", 1);
		json_array_append(rows, row);
		json_object_set_new_nocheck(by_name, (char *)name.data, row);
	}
	return rows;
}

void view_drift_would(FILE *f, size_t columns, const json_t *would)
{
	CLEANUP(jsonl_decref_p) json_t *rows = fold(would);
	size_t label = width_of(rows, "label", 4, MAX_RULE), i;
	size_t rule = width_of(rows, "rule", 4, MAX_RULE);
	json_t *w;

	fputs(print_on(f, PRINT_BOLD), f);
	print_column(f, "NODE", label, PRINT_CUT_MIDDLE);
	print_column(f, "ACTION", 10, PRINT_CUT_END);
	print_column(f, "RULE", rule, PRINT_CUT_END);
	fprintf(f, "CASES KEY%s\n", print_off(f));
	json_array_foreach (rows, i, w) {
		print_column(f, client_text(w, "label"), label, PRINT_CUT_MIDDLE);
		print_column(f, client_text(w, "action"), 10, PRINT_CUT_END);
		print_column(f, client_text(w, "rule"), rule, PRINT_CUT_END);
		fprintf(f, "%5" PRIu64 " ", client_number(w, "n"));
		print_value(f, client_text(w, "key"), left(columns, label + rule + 23),
			    PRINT_CUT_MIDDLE);
		fputs(client_number(w, "n") > 1 ? ", …\n" : "\n", f);
	}
}
