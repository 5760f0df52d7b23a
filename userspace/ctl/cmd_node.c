/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_node.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "client.h"
#include "clock.h"
#include "jsonl.h"
#include "plumb/wire.h"
#include "print.h"

#define MAX_TOLD 3 /* cases that explain tells in full */
#define MAX_WIDTH 100

struct arguments {
	const char *config, *reason, *state, *window;
	bool json;
};

static void help(FILE *f)
{
	fprintf(f,
		"Usage: plumbctl node list [--state=STATE] [--json]\n"
		"       plumbctl node show|explain NODE [--json]\n"
		"       plumbctl node approve|release|retire|challenge NODE --reason=TEXT "
		"[--json]\n"
		"       plumbctl node bind NODE KUBERNETES-NAME --reason=TEXT\n"
		"       plumbctl node restart NODE --reason=TEXT [--window=DURATION]\n\n"
		"  list       all nodes, or those in one state\n"
		"  show       all that the verifier has on one\n"
		"  explain    why it is as it is, in 25 lines, and the command that undoes it\n"
		"  approve    lets a node in that waits for it\n"
		"  release    ends hold or quarantine, and settles the cases that asked for it\n"
		"  retire     for good: its certificate is refused from here on\n"
		"  bind       says which Kubernetes node it is; \"\" for none\n"
		"  restart    announces a stop of its agent, so that it raises nothing (default "
		"5m)\n"
		"  challenge  asks it for evidence now\n\n"
		"NODE is a label, an id, or the beginning of one. --config=FILE says which "
		"verifier.\n"
		"Exit codes: 0 good, 1 not good or refused, 2 could not tell, 64 wrong usage.\n");
}

static enum print_colour colour_of(const char *state)
{
	static const struct {
		const char *state;
		enum print_colour colour;
	} colours[] = {
		{"trusted", PRINT_GREEN},   {"degraded", PRINT_YELLOW}, {"held", PRINT_RED},
		{"quarantined", PRINT_RED}, {"silent", PRINT_YELLOW},	{"forked", PRINT_RED},
		{"leaving", PRINT_DIM},	    {"retired", PRINT_DIM},	{"enrolled", PRINT_PLAIN},
	};

	for (size_t i = 0; i < ARRAY_SIZE(colours); i++)
		if (strcmp(colours[i].state, state) == 0)
			return colours[i].colour;
	return PRINT_PLAIN;
}

/* Cut where it is too long, never in the middle of a character. */
static void put_cut(FILE *f, const char *text, size_t width)
{
	size_t size = strlen(text);

	if (size <= width) {
		print_safe(f, text, size);
		return;
	}
	size = width - 1;
	while (size > 0 && ((unsigned char)text[size] & 0xc0) == 0x80)
		size--;
	print_safe(f, text, size);
	fputs("…", f);
}

static void put_since(FILE *f, const char *text)
{
	uint64_t at, s;

	if (clock_from_text(text, &at) < 0) {
		fprintf(f, "%9s", "-");
		return;
	}
	s = clock_utc_ns(clock_system());
	s = s > at ? (s - at) / 1000000000 : 0;
	if (s < 120)
		fprintf(f, "%5" PRIu64 "s ago", s);
	else if (s < 7200)
		fprintf(f, "%5" PRIu64 "m ago", s / 60);
	else if (s < 172800)
		fprintf(f, "%5" PRIu64 "h ago", s / 3600);
	else
		fprintf(f, "%5" PRIu64 "d ago", s / 86400);
}

static void put_state(FILE *f, const json_t *n, int width)
{
	const char *state = client_text(n, "state");

	fputs(print_on(f, colour_of(state)), f);
	print_safe(f, state, strlen(state));
	fputs(print_off(f), f);
	if (width > 0)
		fprintf(f, "%*s", (int)strlen(state) < width ? width - (int)strlen(state) : 1, "");
}

static void list_row(const json_t *n)
{
	char name[32];

	snprintf(name, sizeof(name), "%.24s", client_text(n, "label"));
	print_safe(stdout, name, strlen(name));
	printf("%*s %.12s  ", (int)(24 - strlen(name)), "", client_text(n, "id"));
	put_state(stdout, n, 13);
	put_since(stdout, client_text(n, "since"));
	printf(" %5" PRIu64 " %9" PRIu64 "  ", client_number(n, "open_cases"),
	       client_number(n, "confirmed"));
	put_cut(stdout, client_text(n, "cause"), 60);
	fputc('\n', stdout);
}

static int print_json(const json_t *o)
{
	CLEANUP_FREE char *text = json_dumps(o, JSON_INDENT(1) | JSON_ENSURE_ASCII);

	if (!text)
		return print_failure(PRINT_UNKNOWN, "no memory");
	puts(text);
	return PRINT_GOOD;
}

static int list(struct client *c, const struct arguments *a)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	json_t *nodes, *n;
	size_t i;
	int r = client_get_json(c, WIRE_ROUTE_NODES, &o);

	if (r != PRINT_GOOD || a->json)
		return r != PRINT_GOOD ? r : print_json(o);
	nodes = json_object_get(o, "nodes");
	printf("%s%-24s %-12s  %-13s%9s %5s %9s  %s%s\n", print_on(stdout, PRINT_BOLD), "NODE",
	       "ID", "STATE", "SINCE", "OPEN", "CONFIRMED", "CAUSE", print_off(stdout));
	json_array_foreach (nodes, i, n)
		if (!a->state || strcmp(client_text(n, "state"), a->state) == 0)
			list_row(n);
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

static void put_field(FILE *f, const char *name, const char *text, size_t width)
{
	fprintf(f, "  %-10s", name);
	put_cut(f, text[0] ? text : "-", width);
	fputc('\n', f);
}

/* Six lines at most. */
static void explain_case(FILE *f, const json_t *k)
{
	const char *rule = client_text(k, "rule");
	char line[160];

	fputc('\n', f);
	fprintf(f, "%s", print_on(f, PRINT_BOLD));
	snprintf(line, sizeof(line), "case %" PRIu64 "  ", client_number(k, "id"));
	fputs(line, f);
	put_cut(f, client_text(k, "key"), MAX_WIDTH - 16);
	fprintf(f, "%s\n", print_off(f));
	snprintf(line, sizeof(line), "%.64s (%s: %s)  %.60s", rule[0] ? rule : "no rule",
		 client_text(k, "mode"), client_text(k, "action"), client_text(k, "title"));
	put_field(f, "rule", line, MAX_WIDTH);
	put_field(f, "expected", client_text(k, "expected"), MAX_WIDTH);
	put_field(f, "found", client_text(k, "found"), MAX_WIDTH);
	put_field(f, "by", client_text(k, "who"), MAX_WIDTH);
	snprintf(line, sizeof(line), "ledger line %" PRIu64 ", %" PRIu64 " time%s, first %.19s%s",
		 client_number(k, "first_line"), client_number(k, "count"),
		 client_number(k, "count") == 1 ? "" : "s", client_text(k, "opened"),
		 json_is_true(json_object_get(k, "provisional"))
			 ? "; provisional, no quote covers it yet"
			 : "");
	put_field(f, "seen", line, MAX_WIDTH);
}

static int weight(const json_t *k)
{
	static const char *const severities[] = {"info", "low", "medium", "high", "critical"};
	const char *severity = client_text(k, "severity");
	int w = strcmp(client_text(k, "mode"), "armed") == 0 ? 10 : 0;

	for (size_t i = 0; i < ARRAY_SIZE(severities); i++)
		if (strcmp(severities[i], severity) == 0)
			w += (int)i;
	return w;
}

/* The MAX_TOLD open ones that weigh most; number of open ones. */
static size_t pick(const json_t *cases, const json_t *ret[MAX_TOLD])
{
	size_t i, n = 0;
	json_t *k;

	json_array_foreach (cases, i, k) {
		const json_t *in = k;

		if (!json_is_null(json_object_get(k, "closed")))
			continue;
		n++;
		for (size_t at = 0; at < MAX_TOLD; at++) {
			const json_t *out = ret[at];

			if (out && weight(out) >= weight(in))
				continue;
			ret[at] = in;
			in = out;
			if (!in)
				break;
		}
	}
	return n;
}

static void put_command(FILE *f, const json_t *node)
{
	const char *held = client_text(node, "containment"), *label = client_text(node, "label");
	const char *what = strcmp(client_text(node, "life"), "provisioning") == 0 ? "node approve "
			   : strcmp(held, "quarantined") == 0 || strcmp(held, "held") == 0
				   ? "node release "
				   : "drift acknowledge --all --node ";

	fprintf(f, "\n%sundo%s  plumbctl %s", print_on(f, PRINT_BOLD), print_off(f), what);
	put_cut(f, label, 60);
	fputs(" --reason=\"…\"\n", f);
}

void cmd_node_explain(FILE *f, const json_t *node)
{
	const json_t *told[MAX_TOLD] = {NULL};
	size_t n = pick(json_object_get(node, "cases"), told), shown = 0;

	put_cut(f, client_text(node, "label"), 40);
	fputs(" is ", f);
	put_state(f, node, 0);
	fprintf(f, " since %.19sZ: ", client_text(node, "since"));
	put_cut(f, client_text(node, "cause"), MAX_WIDTH);
	fputc('\n', f);
	for (; shown < MAX_TOLD && told[shown]; shown++)
		explain_case(f, told[shown]);
	if (n > shown) {
		fprintf(f, "and %zu more: plumbctl drift list --node ", n - shown);
		put_cut(f, client_text(node, "label"), 60);
		fputc('\n', f);
	}
	if (strcmp(client_text(node, "state"), "trusted") != 0 &&
	    strcmp(client_text(node, "state"), "retired") != 0)
		put_command(f, node);
}

static int explain(struct client *c, const char *name, const struct arguments *a)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	int r = get_node(c, name, &o);

	if (r != PRINT_GOOD)
		return r;
	if (a->json)
		print_json(o);
	else
		cmd_node_explain(stdout, o);
	return strcmp(client_text(o, "state"), "trusted") == 0 ? PRINT_GOOD : PRINT_NOT_GOOD;
}

static int show(struct client *c, const char *name, const struct arguments *a)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	const char *key;
	json_t *value;
	int r = get_node(c, name, &o);

	if (r != PRINT_GOOD || a->json)
		return r != PRINT_GOOD ? r : print_json(o);
	json_object_foreach (o, key, value) {
		CLEANUP_FREE char *text = NULL;

		if (strcmp(key, "cases") == 0 || strcmp(key, "verdict") == 0)
			continue;
		if (json_is_string(value)) {
			put_field(stdout, key, json_string_value(value), 200);
			continue;
		}
		text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
		put_field(stdout, key, text ? text : "", 200);
	}
	printf("  %-10s%zu, open and closed: plumbctl drift list --all --node %.60s\n", "cases",
	       json_array_size(json_object_get(o, "cases")), name);
	return PRINT_GOOD;
}

/* "90s", "5m", "1h" to milliseconds as text. */
static int window(const char *text, char ret[32])
{
	char *end;
	uint64_t n = strtoull(text, &end, 10);
	uint64_t unit = strcmp(end, "ms") == 0		 ? 1
			: strcmp(end, "s") == 0 || !*end ? 1000
			: strcmp(end, "m") == 0		 ? 60000
			: strcmp(end, "h") == 0		 ? 3600000
							 : 0;

	if (end == text || unit == 0 || n > 1000000)
		return print_failure(PRINT_USAGE, "--window=%s is no duration like 90s, 5m", text);
	snprintf(ret, 32, "%" PRIu64, n * unit);
	return PRINT_GOOD;
}

static int act(struct client *c, int n, char **words, const struct arguments *a)
{
	static const char *const known[] = {"approve", "release", "retire",
					    "bind",    "restart", "challenge"};
	struct client_action action = {.action = words[0], .node = words[1], .reason = a->reason};
	bool binds = strcmp(words[0], "bind") == 0, restarts = strcmp(words[0], "restart") == 0,
	     found = false;
	char ms[32];
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		found |= strcmp(known[i], words[0]) == 0;
	if (!found || n != (binds ? 3 : 2)) {
		help(stderr);
		return PRINT_USAGE;
	}
	if (!a->reason || !a->reason[0])
		return print_failure(PRINT_USAGE,
				     "%s needs --reason=\"why\": it is kept with your name",
				     words[0]);
	if (binds)
		action.value = words[2];
	if (restarts) {
		r = window(a->window ? a->window : "5m", ms);
		if (r != PRINT_GOOD)
			return r;
		action.value = ms;
	}
	return client_act(c, &action, a->json);
}

static int run(struct client *c, int n, char **words, const struct arguments *a)
{
	if (n == 1 && strcmp(words[0], "list") == 0)
		return list(c, a);
	if (n == 2 && strcmp(words[0], "show") == 0)
		return show(c, words[1], a);
	if (n == 2 && strcmp(words[0], "explain") == 0)
		return explain(c, words[1], a);
	return act(c, n, words, a);
}

int cmd_node(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"reason", required_argument, NULL, 'r'},
		{"state", required_argument, NULL, 's'},
		{"window", required_argument, NULL, 'w'},
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
			return print_failure(PRINT_USAGE, "plumbctl node --help tells the options");
		a.json |= o == 'j';
		a.config = o == 'c' ? optarg : a.config;
		a.reason = o == 'r' ? optarg : a.reason;
		a.state = o == 's' ? optarg : a.state;
		a.window = o == 'w' ? optarg : a.window;
	}
	if (optind >= argc) {
		help(stderr);
		return PRINT_USAGE;
	}
	/* What is wrong with the words is said before a verifier is asked for. */
	if (argc - optind == 2 && strcmp(argv[optind], "show") != 0 &&
	    strcmp(argv[optind], "explain") != 0 && !a.reason)
		return act(NULL, argc - optind, argv + optind, &a);
	r = client_open(a.config, &c);
	if (r == PRINT_GOOD)
		r = run(c, argc - optind, argv + optind, &a);
	client_free(c);
	return r;
}
