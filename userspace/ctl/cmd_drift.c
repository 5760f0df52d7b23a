/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_drift.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "client.h"
#include "jsonl.h"
#include "plumb/wire.h"
#include "print.h"

#define MAX_CASES 1000

struct arguments {
	const char *config, *reason, *node;
	bool json, all;
};

static void help(FILE *f)
{
	fprintf(f, "Usage: plumbctl drift summary [--node=NODE] [--all] [--json]\n"
		   "       plumbctl drift list --node=NODE [--all] [--json]\n"
		   "       plumbctl drift acknowledge CASE… --node=NODE --reason=TEXT [--json]\n"
		   "       plumbctl drift acknowledge --all --node=NODE --reason=TEXT\n\n"
		   "  summary      open cases, grouped by key and program, the gravest first; "
		   "--all: closed ones too\n"
		   "  list         the cases of one node\n"
		   "  acknowledge  settles cases: it is known and all right, and you say why\n\n"
		   "--node may be left out with CASE numbers. --config=FILE says which verifier.\n"
		   "Exit codes: 0 good, 1 refused, 2 could not tell, 64 wrong usage.\n");
}

static void put_text(const char *text, size_t width)
{
	size_t size = strlen(text);

	if (size > width) {
		size = width - 1;
		while (size > 0 && ((unsigned char)text[size] & 0xc0) == 0x80)
			size--;
	}
	print_safe(stdout, text, size);
	fputs(size < strlen(text) ? "…" : "", stdout);
}

static int print_json(const json_t *o)
{
	CLEANUP_FREE char *text = json_dumps(o, JSON_INDENT(1) | JSON_ENSURE_ASCII);

	if (!text)
		return print_failure(PRINT_UNKNOWN, "no memory");
	puts(text);
	return PRINT_GOOD;
}

static enum print_colour colour_of(const char *severity)
{
	if (strcmp(severity, "critical") == 0 || strcmp(severity, "high") == 0)
		return PRINT_RED;
	return strcmp(severity, "medium") == 0 ? PRINT_YELLOW : PRINT_PLAIN;
}

static void put_severity(const json_t *o)
{
	const char *severity = client_text(o, "severity");

	printf("%s%-9.9s%s", print_on(stdout, colour_of(severity)), severity, print_off(stdout));
}

static int summary(struct client *c, const struct arguments *a)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	CLEANUP(buf_done) struct buf path = {0};
	json_t *g, *cases, *id;
	size_t i, k;
	int r;

	buf_printf(&path, "%s?open=%d&node=", WIRE_ROUTE_DRIFT_SUMMARY, a->all ? 0 : 1);
	client_put_escaped(&path, a->node ? a->node : "");
	if (buf_status(&path) < 0)
		return print_failure(PRINT_UNKNOWN, "no memory");
	r = client_get_json(c, (char *)path.data, &o);
	if (r != PRINT_GOOD || a->json)
		return r != PRINT_GOOD ? r : print_json(o);
	printf("%s%-9s%6s %5s  %-20s %s%s\n", print_on(stdout, PRINT_BOLD), "SEVERITY", "COUNT",
	       "NODES", "RULE", "KEY, BY, CASES", print_off(stdout));
	json_array_foreach (json_object_get(o, "groups"), i, g) {
		put_severity(g);
		printf("%6" PRIu64 " %5" PRIu64 "  ", client_number(g, "count"),
		       client_number(g, "nodes"));
		printf("%-20.20s ", client_text(g, "rule")[0] ? client_text(g, "rule") : "-");
		put_text(client_text(g, "key"), 100);
		fputs("\n                        by ", stdout);
		put_text(client_text(g, "exe"), 60);
		cases = json_object_get(g, "cases");
		json_array_foreach (cases, k, id)
			if (k < 8)
				printf(" #%" PRIu64, (uint64_t)json_integer_value(id));
		fputs(json_array_size(cases) > 8 ? " …\n" : "\n", stdout);
	}
	return PRINT_GOOD;
}

static int get_node(struct client *c, const char *name, json_t **ret)
{
	CLEANUP(buf_done) struct buf path = {0};

	buf_puts(&path, WIRE_ROUTE_NODES "/");
	client_put_escaped(&path, name);
	if (buf_status(&path) < 0)
		return print_failure(PRINT_UNKNOWN, "no memory");
	return client_get_json(c, (char *)path.data, ret);
}

static int list(struct client *c, const struct arguments *a)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	json_t *k;
	size_t i;
	int r;

	if (!a->node)
		return print_failure(PRINT_USAGE, "list needs --node");
	r = get_node(c, a->node, &o);
	if (r != PRINT_GOOD || a->json)
		return r != PRINT_GOOD ? r : print_json(json_object_get(o, "cases"));
	json_array_foreach (json_object_get(o, "cases"), i, k) {
		bool open = json_is_null(json_object_get(k, "closed"));

		if (!open && !a->all)
			continue;
		printf("#%-6" PRIu64, client_number(k, "id"));
		put_severity(k);
		printf("%-7s line %-8" PRIu64 "x%-5" PRIu64 " ", open ? "open" : "closed",
		       client_number(k, "first_line"), client_number(k, "count"));
		put_text(client_text(k, "key"), 120);
		fputs("\n        found ", stdout);
		put_text(client_text(k, "found"), 100);
		if (!open) {
			fputs("\n        ", stdout);
			put_text(client_text(k, "closed_why"), 100);
		}
		fputc('\n', stdout);
	}
	return PRINT_GOOD;
}

static int node_of_case(struct client *c, uint64_t id, char ret[65])
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	json_t *n, *k;
	size_t i, j;
	int r = client_get_json(c, WIRE_ROUTE_NODES, &o);

	if (r != PRINT_GOOD)
		return r;
	json_array_foreach (json_object_get(o, "nodes"), i, n) {
		CLEANUP(jsonl_decref_p) json_t *full = NULL;

		if (client_number(n, "open_cases") == 0)
			continue;
		r = get_node(c, client_text(n, "id"), &full);
		if (r != PRINT_GOOD)
			return r;
		json_array_foreach (json_object_get(full, "cases"), j, k)
			if (client_number(k, "id") == id) {
				snprintf(ret, 65, "%s", client_text(n, "id"));
				return PRINT_GOOD;
			}
	}
	return print_failure(PRINT_NOT_GOOD, "no node has case %" PRIu64 " open", id);
}

static int acknowledge(struct client *c, int n, char **words, const struct arguments *a)
{
	struct client_action action = {
		.action = "acknowledge", .node = a->node, .reason = a->reason};
	uint64_t cases[MAX_CASES];
	char node[65], *end;
	int r;

	if (!a->reason || !a->reason[0])
		return print_failure(
			PRINT_USAGE,
			"acknowledge needs --reason=\"why\": it is kept with your name");
	if ((n == 0) != a->all || n > MAX_CASES)
		return print_failure(PRINT_USAGE,
				     "acknowledge takes case numbers, or --all with --node");
	if (a->all && !a->node)
		return print_failure(PRINT_USAGE, "--all needs --node");
	for (int i = 0; i < n; i++) {
		const char *text = words[i][0] == '#' ? words[i] + 1 : words[i];

		cases[i] = strtoull(text, &end, 10);
		if (*end || cases[i] == 0)
			return print_failure(PRINT_USAGE, "%s is no case number", words[i]);
	}
	if (!a->node) {
		r = node_of_case(c, cases[0], node);
		if (r != PRINT_GOOD)
			return r;
		action.node = node;
	}
	action.cases = cases;
	action.n_cases = (uint32_t)n;
	return client_act(c, &action, a->json);
}

static int run(struct client *c, int n, char **words, const struct arguments *a)
{
	if (n == 1 && strcmp(words[0], "summary") == 0)
		return summary(c, a);
	if (n == 1 && strcmp(words[0], "list") == 0)
		return list(c, a);
	if (n >= 1 && strcmp(words[0], "acknowledge") == 0)
		return acknowledge(c, n - 1, words + 1, a);
	help(stderr);
	return PRINT_USAGE;
}

int cmd_drift(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"reason", required_argument, NULL, 'r'},
		{"node", required_argument, NULL, 'n'},
		{"all", no_argument, NULL, 'a'},
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct arguments a = {.json = false};
	struct client *c = NULL;
	int o, r;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o == 'h') {
			help(stdout);
			return PRINT_GOOD;
		}
		if (o == '?')
			return print_failure(PRINT_USAGE,
					     "plumbctl drift --help tells the options");
		a.json |= o == 'j';
		a.all |= o == 'a';
		a.config = o == 'c' ? optarg : a.config;
		a.reason = o == 'r' ? optarg : a.reason;
		a.node = o == 'n' ? optarg : a.node;
	}
	if (optind >= argc) {
		help(stderr);
		return PRINT_USAGE;
	}
	r = client_open(a.config, &c);
	if (r == PRINT_GOOD)
		r = run(c, argc - optind, argv + optind, &a);
	client_free(c);
	return r;
}
