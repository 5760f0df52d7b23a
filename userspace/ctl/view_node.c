/* SPDX-License-Identifier: Apache-2.0 */
#include "view_node.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "client.h"
#include "clock.h"
#include "jsonl.h"
#include "print.h"
#include "view_ahead.h"

#define MAX_TOLD 3 /* cases that explain tells in full */
#define MAX_OTHERS 400u /* bytes of the keys of others */
#define NAME_WIDTH 11 /* of a field's name in explain */
#define MEMBER_WIDTH 14 /* in show */
#define MAX_LABEL 40
#define ID_WIDTH 12

static const struct {
	const char *state;
	enum print_colour colour;
} states[] = {
	{"provisioning", PRINT_YELLOW}, {"enrolled", PRINT_PLAIN}, {"trusted", PRINT_GREEN},
	{"degraded", PRINT_YELLOW},	{"held", PRINT_RED},	   {"quarantined", PRINT_RED},
	{"silent", PRINT_YELLOW},	{"leaving", PRINT_DIM},	   {"retired", PRINT_DIM},
	{"forked", PRINT_RED},		{"revoked", PRINT_RED},	   {"remediating", PRINT_YELLOW},
};

bool view_node_is_state(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		if (strcmp(states[i].state, word) == 0)
			return true;
	return false;
}

static enum print_colour colour_of(const char *state)
{
	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		if (strcmp(states[i].state, state) == 0)
			return states[i].colour;
	return PRINT_PLAIN;
}

static void put_coloured(FILE *f, enum print_colour c, const char *text, size_t width)
{
	fputs(print_on(f, c), f);
	print_column(f, text, width, PRINT_CUT_END);
	fputs(print_off(f), f);
}

static void put_since(FILE *f, const char *text)
{
	static const struct {
		uint64_t below, unit;
		char name;
	} units[] = {{120, 1, 's'}, {7200, 60, 'm'}, {172800, 3600, 'h'}, {UINT64_MAX, 86400, 'd'}};
	uint64_t at, s, now = clock_utc_ns(clock_system());
	size_t i = 0;

	if (clock_from_text(text, &at) < 0) {
		fprintf(f, "%9s ", "-");
		return;
	}
	s = now > at ? (now - at) / 1000000000 : 0;
	while (s >= units[i].below)
		i++;
	fprintf(f, "%4" PRIu64 "%c ago ", s / units[i].unit, units[i].name);
}

/* Which columns there is room for. */
struct layout {
	size_t label, cause; /* 0: as long as it is */
	bool id, confirmed;
};

static struct layout lay_out(size_t columns, const json_t *nodes)
{
	struct layout l = {.label = 4, .id = columns == 0 || columns >= 100};
	size_t used, widest = columns == 0 ? 64 : columns < 100 ? columns / 3 : MAX_LABEL;
	json_t *n;
	size_t i;

	l.confirmed = columns == 0 || columns >= 120;
	json_array_foreach (nodes, i, n) {
		size_t cells = print_cells(client_text(n, "label"));

		l.label = cells > l.label ? cells : l.label;
	}
	l.label = l.label > widest ? widest : l.label;
	used = l.label + 1 + 13 + 10 + 6 + (l.id ? ID_WIDTH + 1 : 0) + (l.confirmed ? 10 : 0);
	l.cause = columns == 0 ? 0 : columns > used + 8 ? columns - used : 8;
	return l;
}

static void list_row(FILE *f, const struct layout *l, const json_t *n)
{
	const char *state = client_text(n, "state");

	print_column(f, client_text(n, "label"), l->label, PRINT_CUT_MIDDLE);
	if (l->id) {
		char id[ID_WIDTH + 1];

		snprintf(id, sizeof(id), "%s", client_text(n, "id"));
		print_column(f, id, ID_WIDTH, PRINT_CUT_END);
	}
	put_coloured(f, colour_of(state), state, 12);
	put_since(f, client_text(n, "since"));
	fprintf(f, "%5" PRIu64 " ", client_number(n, "open_cases"));
	if (l->confirmed)
		fprintf(f, "%9" PRIu64 " ", client_number(n, "confirmed"));
	print_fit(f, client_text(n, "cause"), l->cause, PRINT_CUT_END);
	fputc('\n', f);
}

void view_node_list(FILE *f, size_t columns, const json_t *nodes)
{
	struct layout l = lay_out(columns, nodes);
	json_t *n;
	size_t i;

	fputs(print_on(f, PRINT_BOLD), f);
	print_column(f, "NODE", l.label, PRINT_CUT_END);
	fprintf(f, "%s%-12s     SINCE  OPEN %sCAUSE%s\n", l.id ? "ID           " : "", "STATE",
		l.confirmed ? "CONFIRMED " : "", print_off(f));
	json_array_foreach (nodes, i, n)
		list_row(f, &l, n);
}

static bool is_plain(const char *text)
{
	return text[0] && text[0] != '-' && strlen(text) <= 253 &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
		       strlen(text);
}

void view_node_put_name(FILE *f, const json_t *node)
{
	const char *label = client_text(node, "label"), *id = client_text(node, "id");

	fputs(is_plain(label) ? label : is_plain(id) ? id : "NODE", f);
}

json_t *view_node_ahead(const json_t *node)
{
	CLEANUP_FREE char *name = NULL;
	json_t *made;
	size_t size;
	FILE *f = open_memstream(&name, &size);

	if (!f)
		return NULL;
	view_node_put_name(f, node);
	fclose(f);
	made = view_ahead_make(node, name, clock_utc_ns(clock_system()));
	return made;
}

static void put_field(FILE *f, size_t columns, const char *name, const char *text)
{
	fprintf(f, "  %-*s", NAME_WIDTH, name);
	print_value(f, text[0] ? text : "-", columns ? columns - NAME_WIDTH - 2 : 0, PRINT_CUT_END);
	fputc('\n', f);
}

/* Where that was, when it was in a container; NULL. */
static const char *where_in(const char *who)
{
	static const char *const starts[] = {", container ", ", pod "};
	const char *where = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(starts) && !where; i++)
		where = strstr(who, starts[i]);
	return where;
}

/* On a line of its own, for a person goes on from there. */
static void put_who(FILE *f, size_t columns, const char *who)
{
	const char *where = where_in(who);
	CLEANUP_FREE char *front = NULL;

	front = where ? strndup(who, (size_t)(where - who)) : NULL;
	put_field(f, columns, "by", front ? front : who);
	if (front)
		put_field(f, columns, "in", where + 2);
}

/* Seven lines; eight in a container. */
static void explain_case(FILE *f, size_t columns, const json_t *k)
{
	const char *rule = client_text(k, "rule");
	CLEANUP(buf_done) struct buf line = {0};
	char head[40];

	snprintf(head, sizeof(head), "case %" PRIu64 "  ", client_number(k, "id"));
	fprintf(f, "\n%s%s", print_on(f, PRINT_BOLD), head);
	print_value(f, client_text(k, "key"), columns ? columns - strlen(head) : 0,
		    PRINT_CUT_MIDDLE);
	fprintf(f, "%s\n", print_off(f));
	if (rule[0])
		buf_printf(&line, "%s (%s: %s): %s", rule, client_text(k, "mode"),
			   client_text(k, "action"), client_text(k, "title"));
	else
		buf_puts(&line, "none: it is reported only");
	put_field(f, columns, "rule", buf_status(&line) < 0 ? "" : (char *)line.data);
	put_field(f, columns, "expected", client_text(k, "expected"));
	put_field(f, columns, "found", client_text(k, "found"));
	put_who(f, columns, client_text(k, "who"));
	buf_clear(&line);
	buf_printf(&line, "ledger line %" PRIu64 ", %" PRIu64 " time%s, first %.19sZ%s",
		   client_number(k, "first_line"), client_number(k, "count"),
		   client_number(k, "count") == 1 ? "" : "s", client_text(k, "opened"),
		   json_is_true(json_object_get(k, "provisional"))
			   ? "; provisional, no quote covers it yet"
			   : "");
	put_field(f, columns, "seen", buf_status(&line) < 0 ? "" : (char *)line.data);
}

/* Of a boot's cases those with a name come before the list of all programs, whose places only say again that one of them is another one. */
static int weight(const json_t *k)
{
	static const char by_place[] = "measured:app:";
	static const char *const severities[] = {"info", "low", "medium", "high", "critical"};
	const char *severity = client_text(k, "severity");
	int w = strcmp(client_text(k, "mode"), "armed") == 0 ? 10 : 0;

	for (size_t i = 0; i < ARRAY_SIZE(severities); i++)
		if (strcmp(severities[i], severity) == 0)
			w += (int)i;
	return 2 * w + (strncmp(client_text(k, "key"), by_place, sizeof(by_place) - 1) != 0);
}

/* The MAX_TOLD open ones that weigh most; number of open ones. */
static size_t pick(const json_t *cases, const json_t *ret[MAX_TOLD])
{
	size_t i, n = 0;
	json_t *k;

	json_array_foreach (cases, i, k) {
		size_t at = 0;

		if (!json_is_null(json_object_get(k, "closed")))
			continue;
		n++;
		while (at < MAX_TOLD && ret[at] && weight(ret[at]) >= weight(k))
			at++;
		if (at == MAX_TOLD)
			continue;
		for (size_t last = MAX_TOLD - 1; last > at; last--)
			ret[last] = ret[last - 1];
		ret[at] = k;
	}
	return n;
}

static bool is_told(const json_t *const told[], size_t shown, const json_t *k)
{
	for (size_t i = 0; i < shown; i++)
		if (told[i] == k)
			return true;
	return false;
}

/* Keys of the open ones that were not told, a line's worth. */
static void put_others(FILE *f, size_t columns, const json_t *cases, const json_t *const told[],
		       size_t shown)
{
	CLEANUP(buf_done) struct buf keys = {0};
	size_t i;
	json_t *k;

	json_array_foreach (cases, i, k)
		if (json_is_null(json_object_get(k, "closed")) && !is_told(told, shown, k) &&
		    keys.size < MAX_OTHERS)
			buf_printf(&keys, "%s%s", keys.size ? ", " : "", client_text(k, "key"));
	if (buf_status(&keys) >= 0)
		put_field(f, columns, "they are", (char *)keys.data);
}

/* What undoes it is the command that ends what weighs most; where none does, what does. */
static void put_undo(FILE *f, size_t columns, const json_t *node, size_t n_open)
{
	static const struct {
		const char *member, *value, *command, *else_text;
	} ways[] = {
		{"life", "provisioning", "node approve ", NULL},
		{"state", "retired", NULL, "none: enrol the machine anew with another TPM"},
		{"state", "forked", "node retire ", NULL},
		{"containment", "quarantined", "node release ", NULL},
		{"containment", "held", "node release ", NULL},
		{"state", "silent", NULL,
		 "it ends when its agent sends evidence: look at plumbd there"},
		{"state", "leaving", NULL, "it ends by itself: its agent comes back, or is missed"},
		{"state", "enrolled", NULL,
		 "it ends with its first evidence: look at plumbd there"},
	};
	const char *command = n_open ? "drift acknowledge --all --node " : NULL;
	const char *text = json_is_null(json_object_get(node, "baseline"))
				   ? "it has no baseline yet: plumbctl baseline push FILE"
				   : "nothing is open";
	const char *held = client_text(node, "held_back");

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
		if (strcmp(client_text(node, ways[i].member), ways[i].value) == 0) {
			command = ways[i].command;
			text = ways[i].else_text;
			break;
		}
	if (held[0]) {
		fprintf(f, "\n%s%-*s%s", print_on(f, PRINT_BOLD), NAME_WIDTH + 2, "held back",
			print_off(f));
		print_fit(f, held, columns ? columns - NAME_WIDTH - 2 : 0, PRINT_CUT_END);
	}
	fprintf(f, "\n%s%-*s%s", print_on(f, PRINT_BOLD), NAME_WIDTH + 2, "undo", print_off(f));
	if (command) {
		/* Never cut: it is there to be copied. */
		fprintf(f, "plumbctl %s", command);
		view_node_put_name(f, node);
		fputs(" --reason=\"…\"\n", f);
		return;
	}
	print_fit(f, text, columns ? columns - NAME_WIDTH - 2 : 0, PRINT_CUT_END);
	fputc('\n', f);
}

void view_node_explain(FILE *f, size_t columns, const json_t *node)
{
	CLEANUP(jsonl_decref_p) json_t *ahead = view_node_ahead(node);
	const json_t *told[MAX_TOLD] = {NULL};
	size_t n = pick(json_object_get(node, "cases"), told), shown = 0;
	/* Those before and behind the cases. */
	size_t n_lines = view_ahead_lines(ahead) + (client_text(node, "held_back")[0] ? 5 : 4);
	const char *state = client_text(node, "state");
	char since[20];
	size_t used;

	used = print_fit(f, client_text(node, "label"), MAX_LABEL, PRINT_CUT_MIDDLE);
	fprintf(f, " is %s", print_on(f, colour_of(state)));
	used += print_fit(f, state, 16, PRINT_CUT_END);
	fprintf(f, "%s since ", print_off(f));
	snprintf(since, sizeof(since), "%.19s", client_text(node, "since"));
	used += print_fit(f, since, 0, PRINT_CUT_END) + strlen(" is  since Z: ");
	fputs("Z: ", f);
	print_fit(f, client_text(node, "cause"),
		  columns ? (columns > used + 8 ? columns - used : 8) : 0, PRINT_CUT_END);
	fputc('\n', f);
	for (; shown < MAX_TOLD && told[shown]; shown++) {
		size_t more = where_in(client_text(told[shown], "who")) ? 8 : 7;

		if (n_lines + more > VIEW_NODE_MAX_LINES)
			break;
		n_lines += more;
		explain_case(f, columns, told[shown]);
	}
	if (n > shown) {
		fprintf(f, "and %zu more: plumbctl drift list --node ", n - shown);
		view_node_put_name(f, node);
		fputc('\n', f);
		if (n_lines < VIEW_NODE_MAX_LINES)
			put_others(f, columns, json_object_get(node, "cases"), told, shown);
	}
	view_ahead_put(f, columns, ahead);
	if (strcmp(state, "trusted") != 0 || n > 0)
		put_undo(f, columns, node, n);
}

static void put_member(FILE *f, size_t columns, const char *key, const json_t *value)
{
	CLEANUP_FREE char *dump = NULL;
	const char *text = json_string_value(value);

	if (!text) {
		dump = json_is_null(value) ? NULL
					   : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
		text = dump ? dump : "";
	}
	print_column(f, key, MEMBER_WIDTH, PRINT_CUT_END);
	if (strcmp(key, "state") == 0)
		fputs(print_on(f, colour_of(text)), f);
	print_fit(f, text[0] ? text : "-", columns ? columns - MEMBER_WIDTH - 1 : 0, PRINT_CUT_END);
	fprintf(f, "%s\n", strcmp(key, "state") == 0 ? print_off(f) : "");
}

/* What it came to, then what it tells, a line each. */
static void put_measured(FILE *f, size_t columns, const json_t *m)
{
	const char *finding = client_text(m, "finding"), *key;
	CLEANUP(buf_done) struct buf line = {0};
	json_t *value;

	buf_printf(&line, "%s%s%s",
		   finding[0] ? finding : "a log that comes to the quoted registers",
		   finding[0] ? ": " : "", client_text(m, "found"));
	print_column(f, "measured", MEMBER_WIDTH, PRINT_CUT_END);
	print_value(f, buf_status(&line) < 0 ? "" : (char *)line.data,
		    columns ? columns - MEMBER_WIDTH - 1 : 0, PRINT_CUT_END);
	fputc('\n', f);
	json_object_foreach (json_object_get(m, "claims"), key, value) {
		buf_clear(&line);
		buf_printf(&line, "%s = %s", key,
			   json_is_string(value) ? json_string_value(value) : "");
		print_column(f, "", MEMBER_WIDTH, PRINT_CUT_END);
		print_value(f, buf_status(&line) < 0 ? "" : (char *)line.data,
			    columns ? columns - MEMBER_WIDTH - 1 : 0, PRINT_CUT_END);
		fputc('\n', f);
	}
}

static void put_image_line(FILE *f, size_t columns, const char *key, const struct buf *line)
{
	print_column(f, key, MEMBER_WIDTH, PRINT_CUT_END);
	print_value(f, buf_status(line) < 0 ? "" : (char *)line->data,
		    columns ? columns - MEMBER_WIDTH - 1 : 0, PRINT_CUT_END);
	fputc('\n', f);
}

/* How many, and by what they are good; what could not be told; then those that are named, a line each. */
static void put_images(FILE *f, size_t columns, const json_t *m)
{
	static const struct {
		const char *key, *text;
	} doubts[] = {{"plumb_images_bad", "without a signature by our keys"},
		      {"plumb_images_beyond", "execs in images beyond those that are kept"},
		      {"plumb_execs_unnamed", "execs in containers whose image could not be told"},
		      {"plumb_execs_upper", "execs of programs written into containers"},
		      {"plumb_execs_unsure", "execs of which nobody can say whether they were"}};
	CLEANUP(buf_done) struct buf line = {0};
	const json_t *list = json_object_get(m, "plumb_images"), *item;
	size_t i;

	buf_printf(&line, "%" PRIu64 " since it booted, %" PRIu64 " good by %s",
		   client_number(m, "plumb_images_seen"), client_number(m, "plumb_images_good"),
		   client_text(m, "plumb_images_need"));
	put_image_line(f, columns, "images", &line);
	for (i = 0; i < ARRAY_SIZE(doubts); i++) {
		if (client_number(m, doubts[i].key) == 0)
			continue;
		buf_clear(&line);
		buf_printf(&line, "%" PRIu64 " %s", client_number(m, doubts[i].key),
			   doubts[i].text);
		put_image_line(f, columns, "", &line);
	}
	json_array_foreach ((json_t *)list, i, item) {
		buf_clear(&line);
		buf_printf(&line, "%s%s, last %.19sZ, %" PRIu64 " lines: %s",
			   client_text(item, "signature"),
			   json_is_true(json_object_get(item, "baseline")) ? ", in the baseline"
									   : "",
			   client_text(item, "last"), client_number(item, "execs"),
			   client_text(item, "image"));
		put_image_line(f, columns, "", &line);
	}
}

void view_node_all(FILE *f, size_t columns, const json_t *node)
{
	size_t n = json_array_size(json_object_get(node, "cases"));
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)node, key, value) {
		CLEANUP_FREE char *text = NULL;

		/* A verdict is for machines, and as long as a screen. */
		if (strcmp(key, "cases") == 0 || strcmp(key, "verdict") == 0)
			continue;
		if (strcmp(key, "measured") == 0) {
			put_measured(f, columns, value);
			continue;
		}
		if (strcmp(key, "images") == 0) {
			put_images(f, columns, value);
			continue;
		}
		if (strcmp(key, "baseline") == 0 && json_is_object(value)) {
			if (asprintf(&text, "version %" PRIu64 ", sha256:%s",
				     client_number(value, "version"),
				     client_text(value, "sha256")) < 0)
				text = NULL;
			print_column(f, key, MEMBER_WIDTH, PRINT_CUT_END);
			print_value(f, text ? text : "", columns ? columns - MEMBER_WIDTH - 1 : 0,
				    PRINT_CUT_END);
			fputc('\n', f);
			continue;
		}
		put_member(f, columns, key, value);
	}
	print_column(f, "cases", MEMBER_WIDTH, PRINT_CUT_END);
	fprintf(f, "%zu%s", n, n ? ", open and closed: plumbctl drift list --all --node " : "\n");
	if (n) {
		view_node_put_name(f, node);
		fputc('\n', f);
	}
}
