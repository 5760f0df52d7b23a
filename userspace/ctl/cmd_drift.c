/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_drift.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "arguments.h"
#include "cleanup.h"
#include "client.h"
#include "jsonl.h"
#include "plumb/wire.h"
#include "print.h"
#include "selection.h"
#include "view_drift.h"

#define MAX_CASES 1000 /* that one action may name */

struct arguments {
	const char *config, *reason, *node;
	bool json, all;
};

static void help(FILE *f)
{
	fprintf(f,
		"Usage: plumbctl drift summary [--node=NODE] [--all] [--json]\n"
		"       plumbctl drift list --node=NODE [--all] [--json]\n"
		"       plumbctl drift acknowledge CASE|GROUP… [--node=NODE] --reason=TEXT "
		"[--json]\n"
		"       plumbctl drift acknowledge --all --node=NODE --reason=TEXT [--json]\n\n"
		"  summary      open cases, grouped by key and program, the gravest first; "
		"--all: closed ones too\n"
		"  list         the cases of one node\n"
		"  acknowledge  settles cases: it is known and all right, and you say why\n\n"
		"CASE is a number. GROUP is what summary --json calls so, or its key: all its open "
		"cases are meant, on all nodes\n"
		"or on the one that --node names. --config=FILE says which verifier.\n"
		"Exit codes: 0 good, 1 refused, 2 could not tell, 64 wrong usage.\n");
}

static int summary(struct client *c, const struct arguments *a)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	CLEANUP(buf_done) struct buf path = {0};
	json_t *groups;
	int r;

	buf_printf(&path, "%s?open=%d&node=", WIRE_ROUTE_DRIFT_SUMMARY, a->all ? 0 : 1);
	client_put_escaped(&path, a->node ? a->node : "");
	if (buf_status(&path) < 0)
		return print_failure(PRINT_UNKNOWN, "no memory");
	r = client_get_json(c, (char *)path.data, &o);
	if (r != PRINT_GOOD || a->json)
		return r != PRINT_GOOD ? r : client_print_json(o);
	groups = json_object_get(o, "groups");
	client_print_more(o);
	if (json_array_size(groups) > 0)
		view_drift_groups(stdout, print_columns(stdout), groups);
	else
		puts(a->all ? "Nothing has drifted yet." : "Nothing is open.");
	return PRINT_GOOD;
}

static int list(struct client *c, const struct arguments *a)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	json_t *cases;
	size_t i;
	int r = client_get_node(c, a->node, &o);

	if (r != PRINT_GOOD)
		return r;
	cases = json_object_get(o, "cases");
	if (!json_is_array(cases))
		return print_failure(PRINT_UNKNOWN, "the verifier's answer has no cases");
	for (i = json_array_size(cases); !a->all && i-- > 0;)
		if (!view_drift_is_open(json_array_get(cases, i)))
			json_array_remove(cases, i);
	if (a->json)
		return client_print_json(cases);
	client_print_more(o);
	if (view_drift_cases(stdout, print_columns(stdout), cases, a->all) == 0)
		puts(a->all ? "There was no case yet." : "No case is open.");
	return PRINT_GOOD;
}

/* One node's cases, as one signed action. */
struct acknowledging {
	struct client *c;
	const struct arguments *a;
};

static int on_node(void *ctx, const json_t *node, const json_t *const *cases, size_t n)
{
	struct acknowledging *k = ctx;
	CLEANUP_FREE uint64_t *ids = calloc(n, sizeof(*ids));
	struct client_action action = {
		.action = "acknowledge", .node = client_text(node, "id"), .reason = k->a->reason};
	int r = PRINT_GOOD;

	if (!ids)
		return print_failure(PRINT_UNKNOWN, "no memory");
	for (size_t i = 0; i < n; i++)
		ids[i] = client_number(cases[i], "id");
	for (size_t at = 0; r == PRINT_GOOD && at < n; at += action.n_cases) {
		action.cases = ids + at;
		action.n_cases = (uint32_t)(n - at < MAX_CASES ? n - at : MAX_CASES);
		r = client_act(k->c, &action, k->a->json);
	}
	return r;
}

static int acknowledge(struct client *c, int n, char **words, const struct arguments *a)
{
	const struct client_action all = {
		.action = "acknowledge", .node = a->node, .reason = a->reason};
	struct acknowledging k = {c, a};
	struct selection *s = NULL;
	int r;

	if (a->all)
		return client_act(c, &all, a->json);
	r = selection_open(c, a->node, n, words, &s);
	if (r == PRINT_GOOD)
		r = selection_each(s, on_node, &k);
	selection_free(s);
	return r;
}

/* What is wrong with the words is said before a verifier is asked. */
static int check_acknowledge(int n, const struct arguments *a)
{
	if (!a->reason || !a->reason[0])
		return print_failure(
			PRINT_USAGE,
			"acknowledge needs --reason=\"why\": it is kept with your name");
	if ((n == 0) != a->all)
		return print_failure(PRINT_USAGE,
				     "acknowledge takes cases and groups, or --all with --node");
	if (a->all && !a->node)
		return print_failure(PRINT_USAGE, "--all needs --node");
	return PRINT_GOOD;
}

static int run(int n, char **words, const struct arguments *a)
{
	bool sums = n == 1 && strcmp(words[0], "summary") == 0;
	bool lists = n == 1 && strcmp(words[0], "list") == 0;
	struct client *c = NULL;
	int r = PRINT_GOOD;

	if (strcmp(words[0], "acknowledge") == 0) {
		r = check_acknowledge(n - 1, a);
	} else if (!sums && !lists) {
		help(stderr);
		return PRINT_USAGE;
	} else if (lists && !a->node) {
		r = print_failure(PRINT_USAGE, "list needs --node");
	}
	if (r == PRINT_GOOD)
		r = client_open(a->config, &c);
	if (r == PRINT_GOOD)
		r = sums ? summary(c, a) : lists ? list(c, a) : acknowledge(c, n - 1, words + 1, a);
	client_free(c);
	return r;
}

int cmd_drift(int argc, char **argv)
{
	struct arguments a = {.json = false};
	const struct arguments_option options[] = {
		{"config", &a.config, NULL}, {"reason", &a.reason, NULL}, {"node", &a.node, NULL},
		{"all", NULL, &a.all},	     {"json", NULL, &a.json},
	};
	const struct arguments_command c = {"drift", help, options, ARRAY_SIZE(options)};
	int r = PRINT_GOOD, n = arguments_take(argc, argv, &c, &r);

	return n > 0 ? run(n, argv + optind, &a) : r;
}
