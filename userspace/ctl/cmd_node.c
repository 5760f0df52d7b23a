/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_node.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "cleanup.h"
#include "client.h"
#include "jsonl.h"
#include "plumb/wire.h"
#include "print.h"
#include "view_node.h"

#define MAX_WINDOW_MS 3600000 /* as the verifier takes it */

struct arguments {
	const char *config, *reason, *state, *window, *length;
	bool json;
};

static void help(FILE *f)
{
	fprintf(f,
		"Usage: plumbctl node list [--state=STATE] [--json]\n"
		"       plumbctl node show|explain NODE [--json]\n"
		"       plumbctl node approve|release|retire|revoke|rekey|challenge|scan NODE "
		"--reason=TEXT [--json]\n"
		"       plumbctl node bind NODE KUBERNETES-NAME --reason=TEXT\n"
		"       plumbctl node restart NODE --reason=TEXT [--window=DURATION]\n"
		"       plumbctl node leaving NODE --reason=TEXT [--for=DURATION]\n"
		"       plumbctl node remedy NODE [STEP|skip|stop] --reason=TEXT\n\n"
		"  list       all nodes, or those in one state\n"
		"  show       all that the verifier has on one\n"
		"  explain    why it is as it is, in 25 lines, and the command that undoes it\n"
		"  approve    lets a node in that waits for it\n"
		"  release    ends hold or quarantine, and settles the cases that asked for it\n"
		"  retire     for good: its certificate is refused from here on\n"
		"  revoke     the same, and its TPM too; it stays quarantined\n"
		"  rekey      it makes new keys in its TPM and enrols with them, without a token\n"
		"  bind       says which Kubernetes node it is; \"\" for none\n"
		"  restart    announces a stop of its agent, so that it raises nothing (default "
		"5m)\n"
		"  leaving    announces that it goes away, for a reboot or for good, so that its "
		"silence\n"
		"             raises nothing so long (default 10m)\n"
		"  remedy     goes on with its way back: the next step, or this one; isolate "
		"snapshot\n"
		"             files keys reboot provision attest release\n"
		"  challenge  asks it for evidence now\n"
		"  scan       has it look at everything again now: all claims, all watched "
		"files\n\n"
		"NODE is a label, an id, or the beginning of one. --config=FILE says which "
		"verifier.\n"
		"Exit codes: 0 good, 1 not good or refused, 2 could not tell, 64 wrong usage.\n");
}

static int list(struct client *c, const struct arguments *a)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	json_t *nodes;
	size_t i;
	int r = client_get_json(c, WIRE_ROUTE_NODES, &o);

	if (r != PRINT_GOOD)
		return r;
	nodes = json_object_get(o, "nodes");
	if (!json_is_array(nodes))
		return print_failure(PRINT_UNKNOWN, "the verifier's answer has no nodes");
	for (i = json_array_size(nodes); a->state && i-- > 0;)
		if (strcmp(client_text(json_array_get(nodes, i), "state"), a->state) != 0)
			json_array_remove(nodes, i);
	if (a->json)
		return client_print_json(o);
	client_print_more(o);
	if (json_array_size(nodes) > 0)
		view_node_list(stdout, print_columns(stdout), nodes);
	else if (a->state)
		printf("No node is %s.\n", a->state);
	else
		puts("There is no node yet: plumbctl token create makes a join token for one.");
	return PRINT_GOOD;
}

static int explain(struct client *c, const char *name, const struct arguments *a)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	int r = client_get_node(c, name, &o);

	if (r != PRINT_GOOD)
		return r;
	if (a->json) {
		json_object_set_new(o, "explain", view_node_ahead(o));
		client_print_json(o);
	} else {
		view_node_explain(stdout, print_columns(stdout), o);
	}
	return strcmp(client_text(o, "state"), "trusted") == 0 ? PRINT_GOOD : PRINT_NOT_GOOD;
}

static int show(struct client *c, const char *name, const struct arguments *a)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	int r = client_get_node(c, name, &o);

	if (r != PRINT_GOOD)
		return r;
	if (a->json)
		return client_print_json(o);
	view_node_all(stdout, print_columns(stdout), o);
	return PRINT_GOOD;
}

/* "90s", "5m", "1h" to milliseconds as text. */
static int window(const char *option, const char *text, char ret[32])
{
	char *end;
	uint64_t n = strtoull(text, &end, 10);
	uint64_t unit = strcmp(end, "ms") == 0		 ? 1
			: strcmp(end, "s") == 0 || !*end ? 1000
			: strcmp(end, "m") == 0		 ? 60000
			: strcmp(end, "h") == 0		 ? 3600000
							 : 0;

	if (end == text || *text == '-' || unit == 0 || n == 0 || n > MAX_WINDOW_MS / unit)
		return print_failure(PRINT_USAGE, "--%s=%s is no duration like 90s, 5m; at most 1h",
				     option, text);
	snprintf(ret, 32, "%" PRIu64, n * unit);
	return PRINT_GOOD;
}

/* What is wrong with the words is said before a verifier is asked for. */
static int parse_action(int n, char **words, const struct arguments *a, struct client_action *ret,
			char window_ms[32])
{
	static const char *const known[] = {"approve", "release", "retire",  "revoke",
					    "rekey",   "bind",	  "restart", "challenge",
					    "scan",    "leaving", "remedy"};
	bool binds = strcmp(words[0], "bind") == 0, found = false;
	bool leaves = strcmp(words[0], "leaving") == 0, cures = strcmp(words[0], "remedy") == 0;

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		found |= strcmp(known[i], words[0]) == 0;
	if (!found)
		return print_failure(PRINT_USAGE, "no command '%s'; plumbctl node --help",
				     words[0]);
	if (n != (binds ? 3 : 2) && !(cures && n == 3))
		return print_failure(PRINT_USAGE, "node %s takes %s", words[0],
				     binds   ? "a node and its Kubernetes name"
				     : cures ? "a node, and a step, skip or stop"
					     : "one node");
	if (!a->reason || !a->reason[0])
		return print_failure(PRINT_USAGE,
				     "node %s needs --reason=\"why\": it is kept with your name",
				     words[0]);
	*ret = (struct client_action){.action = words[0], .node = words[1], .reason = a->reason};
	if (n == 3)
		ret->value = words[2];
	if (!leaves && strcmp(words[0], "restart") != 0)
		return PRINT_GOOD;
	/* To the verifier they are the same: a stop that is announced, and its end. */
	ret->action = "restart";
	ret->value = window_ms;
	if (leaves)
		return window("for", a->length ? a->length : "10m", window_ms);
	return window("window", a->window ? a->window : "5m", window_ms);
}

static int run(int n, char **words, const struct arguments *a)
{
	bool lists = n == 1 && strcmp(words[0], "list") == 0;
	bool shows = n == 2 && strcmp(words[0], "show") == 0;
	bool explains = n == 2 && strcmp(words[0], "explain") == 0;
	struct client_action action = {.action = NULL};
	struct client *c = NULL;
	char window_ms[32];
	int r = PRINT_GOOD;

	if (!lists && !shows && !explains)
		r = parse_action(n, words, a, &action, window_ms);
	if (r == PRINT_GOOD && a->state && !view_node_is_state(a->state))
		r = print_failure(PRINT_USAGE, "--state=%s is no state of a node", a->state);
	if (r == PRINT_GOOD)
		r = client_open(a->config, &c);
	if (r == PRINT_GOOD)
		r = lists      ? list(c, a)
		    : shows    ? show(c, words[1], a)
		    : explains ? explain(c, words[1], a)
			       : client_act(c, &action, a->json);
	client_free(c);
	return r;
}

int cmd_node(int argc, char **argv)
{
	struct arguments a = {.json = false};
	const struct arguments_option options[] = {
		{"config", &a.config, NULL}, {"reason", &a.reason, NULL}, {"state", &a.state, NULL},
		{"window", &a.window, NULL}, {"for", &a.length, NULL},	  {"json", NULL, &a.json},
	};
	const struct arguments_command c = {"node", help, options, ARRAY_SIZE(options)};
	int r = PRINT_GOOD, n = arguments_take(argc, argv, &c, &r);

	return n > 0 ? run(n, argv + optind, &a) : r;
}
