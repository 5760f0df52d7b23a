/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_contain.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "client.h"
#include "clock.h"
#include "jsonl.h"
#include "plumb/wire.h"
#include "print.h"

#define MAX_AGE_S (365ull * 86400)

struct arguments {
	const char *config, *reason, *rule, *since;
	bool json, dry_run;
};

static void help(FILE *f)
{
	fprintf(f, "Usage: plumbctl contain show [--json]\n"
		   "       plumbctl contain pause|resume --reason=TEXT [--json]\n"
		   "       plumbctl contain undo --rule=RULE --since=TIME --reason=TEXT "
		   "[--dry-run] [--json]\n\n"
		   "  show     what is contained, what the brakes hold back and why, whether it is "
		   "paused\n"
		   "  pause    the global stop: from here on nothing is added to any node; "
		   "releases still work\n"
		   "  resume   what is wanted is done now, as far as the brakes let it\n"
		   "  undo     takes back all that one rule caused, a few nodes a second; they "
		   "stay degraded\n\n"
		   "  --rule=RULE     its id\n"
		   "  --since=TIME    of the cases: 2026-11-23T19:40:00Z, or an age like 90s, 5m, "
		   "2h, 1d\n"
		   "  --dry-run       says which nodes it would be, and does nothing\n"
		   "  --reason=TEXT   kept in the verifier's log with your name\n\n"
		   "--config=FILE says which verifier.\n"
		   "Exit codes: 0 good, 1 not good or refused, 2 could not tell, 64 wrong usage; "
		   "of show: 1 when something is held back or paused.\n");
}

/* An age, or a UTC time with or without parts of a second, as the verifier takes it. */
static int since_text(const char *text, char ret[CLOCK_TEXT_SIZE])
{
	uint64_t now = clock_utc_ns(clock_system()), ns;
	char *end, whole[48];
	uint64_t n = strtoull(text, &end, 10);
	uint64_t unit = strcmp(end, "s") == 0	? 1
			: strcmp(end, "m") == 0 ? 60
			: strcmp(end, "h") == 0 ? 3600
			: strcmp(end, "d") == 0 ? 86400
						: 0;

	if (end != text && *text != '-' && unit > 0 && n > 0 && n <= MAX_AGE_S / unit) {
		clock_text(now - n * unit * 1000000000ull, ret);
		return PRINT_GOOD;
	}
	snprintf(whole, sizeof(whole), "%.40s", text);
	if (strlen(whole) == 20 && whole[19] == 'Z')
		snprintf(whole + 19, sizeof(whole) - 19, ".000000000Z");
	if (clock_from_text(whole, &ns) < 0)
		return print_failure(
			PRINT_USAGE,
			"--since=%s is no time like 2026-11-23T19:40:00Z, and no age like 5m",
			text);
	clock_text(ns, ret);
	return PRINT_GOOD;
}

static void print_nodes(const json_t *list, bool held)
{
	size_t i;
	json_t *n;

	json_array_foreach (list, i, n) {
		const char *label = client_text(n, "label"), *why = client_text(n, "why");

		fputs("  ", stdout);
		print_column(stdout, label[0] ? label : client_text(n, "id"), 24, PRINT_CUT_END);
		print_column(stdout, client_text(n, "wanted"), 12, PRINT_CUT_END);
		print_column(stdout,
			     client_text(n, "kube_name")[0] ? client_text(n, "kube_name") : "-", 24,
			     PRINT_CUT_END);
		if (held)
			print_safe(stdout, why, strlen(why));
		fputc('\n', stdout);
	}
}

static void print_who(const char *what, const json_t *o)
{
	const char *by = client_text(o, "by"), *reason = client_text(o, "reason"),
		   *at = client_text(o, "at");

	if (!json_is_object(o))
		return;
	printf("%s by ", what);
	print_safe(stdout, by, strlen(by));
	fputs(" at ", stdout);
	print_safe(stdout, at, strlen(at));
	fputs(": ", stdout);
	print_safe(stdout, reason, strlen(reason));
	fputc('\n', stdout);
}

static void print_view(const json_t *o)
{
	const json_t *contained = json_object_get(o, "contained"),
		     *held = json_object_get(o, "held_back");
	const char *error = client_text(o, "watch_error");

	print_who("Paused", json_object_get(o, "paused"));
	print_who("Undoing", json_object_get(o, "undoing"));
	if (json_is_true(json_object_get(o, "dry_run")))
		puts("Dry run: nothing is done.");
	printf("%zu of %llu nodes are contained, at most %llu at once.\n",
	       json_array_size(contained), (unsigned long long)client_number(o, "nodes"),
	       (unsigned long long)client_number(o, "limit"));
	print_nodes(contained, false);
	if (json_array_size(held) > 0)
		puts("Held back:");
	print_nodes(held, true);
	if (error[0]) {
		fputs("The cluster cannot be watched: ", stdout);
		print_safe(stdout, error, strlen(error));
		fputc('\n', stdout);
	}
}

static int show(struct client *c, const struct arguments *a)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	int r = client_get_json(c, WIRE_ROUTE_CONTAIN, &o);

	if (r != PRINT_GOOD)
		return r;
	if (a->json)
		client_print_json(o);
	else
		print_view(o);
	return json_array_size(json_object_get(o, "held_back")) > 0 ||
			       json_is_object(json_object_get(o, "paused"))
		       ? PRINT_NOT_GOOD
		       : PRINT_GOOD;
}

/* What is wrong with the words is said before a verifier is asked for. */
static int parse_action(const char *word, const struct arguments *a, struct client_action *ret,
			char value[192])
{
	char since[CLOCK_TEXT_SIZE];
	int r;

	if (!a->reason || !a->reason[0])
		return print_failure(PRINT_USAGE,
				     "contain %s needs --reason=\"why\": it is kept with your name",
				     word);
	*ret = (struct client_action){.reason = a->reason};
	if (strcmp(word, "undo") != 0) {
		ret->action = strcmp(word, "pause") == 0 ? "contain_pause" : "contain_resume";
		return PRINT_GOOD;
	}
	if (!a->rule || !a->since || !a->rule[0] || strlen(a->rule) > 64 || strchr(a->rule, ' '))
		return print_failure(PRINT_USAGE,
				     "contain undo needs --rule=RULE and --since=TIME");
	r = since_text(a->since, since);
	if (r != PRINT_GOOD)
		return r;
	snprintf(value, 192, "%s %s%s", a->rule, since, a->dry_run ? " dry-run" : "");
	ret->action = "contain_undo";
	ret->value = value;
	return PRINT_GOOD;
}

static int run(int n, char **words, const struct arguments *a)
{
	bool shows = strcmp(words[0], "show") == 0;
	struct client_action action = {.action = NULL};
	struct client *c = NULL;
	char value[192];
	int r = PRINT_GOOD;

	if (n != 1 || (!shows && strcmp(words[0], "pause") != 0 &&
		       strcmp(words[0], "resume") != 0 && strcmp(words[0], "undo") != 0))
		return print_failure(PRINT_USAGE, "no command '%s'; plumbctl contain --help",
				     words[0]);
	if (!shows)
		r = parse_action(words[0], a, &action, value);
	if (r == PRINT_GOOD)
		r = client_open(a->config, &c);
	if (r == PRINT_GOOD)
		r = shows ? show(c, a) : client_act(c, &action, a->json);
	client_free(c);
	return r;
}

int cmd_contain(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'}, {"reason", required_argument, NULL, 'r'},
		{"rule", required_argument, NULL, 'u'},	  {"since", required_argument, NULL, 's'},
		{"dry-run", no_argument, NULL, 'd'},	  {"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},	  {NULL, 0, NULL, 0},
	};
	struct arguments a = {.json = false};
	int o;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o == 'h') {
			help(stdout);
			return PRINT_GOOD;
		}
		if (o == '?')
			return print_failure(PRINT_USAGE,
					     "plumbctl contain --help tells the options");
		a.json |= o == 'j';
		a.dry_run |= o == 'd';
		a.config = o == 'c' ? optarg : a.config;
		a.reason = o == 'r' ? optarg : a.reason;
		a.rule = o == 'u' ? optarg : a.rule;
		a.since = o == 's' ? optarg : a.since;
	}
	if (optind >= argc) {
		help(stderr);
		return PRINT_USAGE;
	}
	return run(argc - optind, argv + optind, &a);
}
