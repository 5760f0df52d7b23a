/* SPDX-License-Identifier: Apache-2.0 */
#include "remote_policy.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "client.h"
#include "fsio.h"
#include "jsonl.h"
#include "plumb/wire.h"
#include "print.h"
#include "view_drift.h"

#define MAX_FILE (4u << 20)

struct arguments {
	const char *config, *reason;
	bool json, yes;
};

void remote_policy_help(FILE *f)
{
	fprintf(f,
		"Usage: plumbctl policy push SIGNED.json [--json]\n"
		"       plumbctl policy show [--json]\n"
		"       plumbctl policy preview [SIGNED.json] [--json]\n"
		"       plumbctl policy arm|disarm RULE…|all --reason=TEXT [--yes] [--json]\n\n"
		"  push     hands a signed policy to the verifier; its rules come as report\n"
		"  show     the policy in force, which rules are armed, and what is open by each\n"
		"  preview  what it would do to the nodes as they are, were all its rules armed\n"
		"  arm      from here on the rules act; first shows what they will do now, and "
		"asks\n"
		"  disarm   they report only\n\n"
		"--config=FILE says which verifier.\n"
		"Exit codes: 0 good, 1 refused, 2 could not tell, 64 wrong usage.\n");
}

bool remote_policy_is(const char *word)
{
	static const char *const words[] = {"push", "show", "preview", "arm", "disarm"};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(words[i], word) == 0)
			return true;
	return false;
}

static int read_file(const char *path, struct buf *ret)
{
	int r = fsio_read_file(fsio_system(), path, MAX_FILE, ret);

	return r < 0 ? print_failure(PRINT_UNKNOWN, "%s: %s", path, strerror(-r)) : PRINT_GOOD;
}

static int push(struct client *c, const char *path, const struct arguments *a)
{
	CLEANUP(buf_done) struct buf body = {0}, answer = {0};
	int r = read_file(path, &body);

	if (r == PRINT_GOOD)
		r = client_post(c, WIRE_ROUTE_POLICIES, WIRE_TYPE_JSON, body.data, body.size,
				&answer);
	return r == PRINT_GOOD ? client_print_answer(&answer, a->json) : r;
}

static int show(struct client *c, const struct arguments *a)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	int r = client_get_json(c, WIRE_ROUTE_POLICIES, &o);

	if (r != PRINT_GOOD)
		return r;
	if (a->json)
		return client_print_json(o);
	if (client_text(o, "name")[0])
		view_drift_policy(stdout, print_columns(stdout), o);
	else
		puts("There is no policy yet: plumbctl policy push");
	return PRINT_GOOD;
}

/* body NULL: the policy in force. */
static int get_preview(struct client *c, const struct buf *body, json_t **ret)
{
	CLEANUP(buf_done) struct buf answer = {0};
	struct why why = {""};
	int r = client_post(c, WIRE_ROUTE_POLICY_PREVIEW, WIRE_TYPE_JSON,
			    body ? (char *)body->data : "", body ? body->size : 0, &answer);

	if (r != PRINT_GOOD)
		return r;
	r = jsonl_parse(answer.data, answer.size, CLIENT_MAX_JSON, ret, &why);
	if (r >= 0 && !json_is_array(json_object_get(*ret, "would")))
		r = why_set(&why, -EBADMSG, "\"would\" is no list");
	return r < 0 ? print_failure(PRINT_UNKNOWN, "the verifier's answer cannot be read: %s",
				     why.text)
		     : PRINT_GOOD;
}

static bool is_one_of(const char *rule, int n, char **rules)
{
	for (int i = 0; i < n; i++)
		if (strcmp(rules[i], rule) == 0 || strcmp(rules[i], "all") == 0)
			return true;
	return false;
}

/* What these rules would do; n 0: all. */
static void print_would(json_t *would, int n, char **rules)
{
	size_t i = json_array_size(would);

	while (n > 0 && i-- > 0)
		if (!is_one_of(client_text(json_array_get(would, i), "rule"), n, rules))
			json_array_remove(would, i);
	if (json_array_size(would) == 0) {
		puts("Armed, it would do nothing now: no node has an open case that it would hold "
		     "or quarantine for.");
		return;
	}
	puts("Armed, it would do this now:");
	view_drift_would(stdout, print_columns(stdout), would);
}

static int preview(struct client *c, const char *path, const struct arguments *a)
{
	CLEANUP(buf_done) struct buf body = {0};
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	int r = path ? read_file(path, &body) : PRINT_GOOD;

	if (r == PRINT_GOOD)
		r = get_preview(c, path ? &body : NULL, &o);
	if (r != PRINT_GOOD)
		return r;
	if (a->json)
		return client_print_json(o);
	print_would(json_object_get(o, "would"), 0, NULL);
	return PRINT_GOOD;
}

static bool says_yes(void)
{
	char answer[16] = "";

	fputs("Go on? [y/N] ", stdout);
	fflush(stdout);
	return fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

/* What is wrong with the words is said before a verifier is asked. */
static int parse_arm(int n, char **words, const struct arguments *a, struct buf *ret_rules)
{
	if (!a->reason || !a->reason[0])
		return print_failure(PRINT_USAGE,
				     "policy %s needs --reason=\"why\": it is kept with your name",
				     words[0]);
	if (n < 2)
		return print_failure(PRINT_USAGE, "policy %s takes rules, or all", words[0]);
	for (int i = 1; i < n; i++) {
		if (strchr(words[i], ',') || !words[i][0])
			return print_failure(PRINT_USAGE, "'%s' is no rule", words[i]);
		buf_printf(ret_rules, "%s%s", i > 1 ? "," : "", words[i]);
	}
	return buf_status(ret_rules) < 0 ? print_failure(PRINT_UNKNOWN, "no memory") : PRINT_GOOD;
}

static int show_and_ask(struct client *c, int n, char **rules, const struct arguments *a)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	int r = get_preview(c, NULL, &o);

	if (r != PRINT_GOOD)
		return r;
	/* With --json the answer alone is on standard output. */
	if (!a->json)
		print_would(json_object_get(o, "would"), n, rules);
	if (a->yes)
		return PRINT_GOOD;
	if (!isatty(STDIN_FILENO) || a->json)
		return print_failure(PRINT_USAGE, "nothing was armed: it asks first, and --yes "
						  "answers for you");
	return says_yes() ? PRINT_GOOD : print_failure(PRINT_NOT_GOOD, "nothing was armed");
}

static int arm(struct client *c, int n, char **words, const struct arguments *a,
	       const struct buf *rules)
{
	const struct client_action action = {
		.action = words[0], .reason = a->reason, .value = (char *)rules->data};
	int r = strcmp(words[0], "arm") == 0 ? show_and_ask(c, n - 1, words + 1, a) : PRINT_GOOD;

	return r == PRINT_GOOD ? client_act(c, &action, a->json) : r;
}

static int run(int n, char **words, const struct arguments *a)
{
	bool pushes = n == 2 && strcmp(words[0], "push") == 0;
	bool shows = n == 1 && strcmp(words[0], "show") == 0;
	bool previews = n <= 2 && strcmp(words[0], "preview") == 0;
	bool arms = strcmp(words[0], "arm") == 0 || strcmp(words[0], "disarm") == 0;
	CLEANUP(buf_done) struct buf rules = {0};
	struct client *c = NULL;
	int r = arms ? parse_arm(n, words, a, &rules) : PRINT_GOOD;

	if (!pushes && !shows && !previews && !arms) {
		remote_policy_help(stderr);
		return PRINT_USAGE;
	}
	if (r == PRINT_GOOD)
		r = client_open(a->config, &c);
	if (r == PRINT_GOOD)
		r = pushes     ? push(c, words[1], a)
		    : shows    ? show(c, a)
		    : previews ? preview(c, n == 2 ? words[1] : NULL, a)
			       : arm(c, n, words, a, &rules);
	client_free(c);
	return r;
}

int remote_policy(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'}, {"reason", required_argument, NULL, 'r'},
		{"yes", no_argument, NULL, 'y'},	  {"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},	  {NULL, 0, NULL, 0},
	};
	struct arguments a = {.json = false};
	int o;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o == 'h') {
			remote_policy_help(stdout);
			return PRINT_GOOD;
		}
		if (o == '?')
			return print_failure(PRINT_USAGE,
					     "plumbctl policy --help tells the options");
		a.json |= o == 'j';
		a.yes |= o == 'y';
		a.config = o == 'c' ? optarg : a.config;
		a.reason = o == 'r' ? optarg : a.reason;
	}
	return run(argc - optind, argv + optind, &a);
}
