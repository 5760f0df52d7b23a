/* SPDX-License-Identifier: Apache-2.0 */
#include "remote_policy.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "client.h"
#include "fsio.h"
#include "jsonl.h"
#include "plumb/wire.h"
#include "print.h"

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

static void put(const char *text)
{
	print_safe(stdout, text, strlen(text));
}

static int show(struct client *c, const struct arguments *a)
{
	CLEANUP(buf_done) struct buf answer = {0};
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	struct why why;
	json_t *rule;
	size_t i;
	int r = client_get(c, WIRE_ROUTE_POLICIES, &answer);

	if (r != PRINT_GOOD)
		return r;
	if (jsonl_parse(answer.data, answer.size, CLIENT_MAX_ANSWER, &o, &why) < 0)
		return print_failure(PRINT_UNKNOWN, "the verifier's answer cannot be read: %s",
				     why.text);
	if (a->json) {
		puts((char *)answer.data);
		return PRINT_GOOD;
	}
	if (!client_text(o, "name")[0]) {
		puts("There is no policy yet: plumbctl policy push");
		return PRINT_GOOD;
	}
	put(client_text(o, "name"));
	printf(" version %" PRIu64 ", sha256:%.64s\n", client_number(o, "version"),
	       client_text(o, "digest"));
	json_array_foreach (json_object_get(o, "rules"), i, rule) {
		bool armed = strcmp(client_text(rule, "mode"), "armed") == 0;

		printf("  %-24.24s %s%-6.6s%s %-10.10s %-8.8s %4" PRIu64 " open  ",
		       client_text(rule, "id"), armed ? print_on(stdout, PRINT_RED) : "",
		       client_text(rule, "mode"), armed ? print_off(stdout) : "",
		       client_text(rule, "action"), client_text(rule, "severity"),
		       client_number(rule, "open"));
		put(client_text(rule, "title"));
		fputc('\n', stdout);
	}
	return PRINT_GOOD;
}

static int preview(struct client *c, const char *path, const struct arguments *a)
{
	CLEANUP(buf_done) struct buf body = {0}, answer = {0};
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	struct why why;
	json_t *would, *w;
	size_t i;
	int r = path ? read_file(path, &body) : PRINT_GOOD;

	if (r == PRINT_GOOD)
		r = client_post(c, WIRE_ROUTE_POLICY_PREVIEW, WIRE_TYPE_JSON,
				body.size ? (char *)body.data : "", body.size, &answer);
	if (r != PRINT_GOOD)
		return r;
	if (jsonl_parse(answer.data, answer.size, CLIENT_MAX_ANSWER, &o, &why) < 0)
		return print_failure(PRINT_UNKNOWN, "the verifier's answer cannot be read: %s",
				     why.text);
	if (a->json) {
		puts((char *)answer.data);
		return PRINT_GOOD;
	}
	would = json_object_get(o, "would");
	if (json_array_size(would) == 0)
		puts("Armed, its rules would do nothing now: no node has an open case that asks "
		     "for hold or quarantine.");
	else
		printf("Armed, its rules would act on %" PRIu64 " node%s:\n",
		       client_number(o, "nodes"), client_number(o, "nodes") == 1 ? "" : "s");
	json_array_foreach (would, i, w) {
		printf("  %-24.24s %-10.10s %-24.24s ", client_text(w, "label"),
		       client_text(w, "action"), client_text(w, "rule"));
		put(client_text(w, "key"));
		fputc('\n', stdout);
	}
	return PRINT_GOOD;
}

static bool says_yes(void)
{
	char answer[16] = "";

	fputs("Go on? [y/N] ", stdout);
	fflush(stdout);
	return fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

static int arm(struct client *c, int n, char **words, const struct arguments *a)
{
	CLEANUP(buf_done) struct buf rules = {0};
	struct client_action action = {.action = words[0], .reason = a->reason};
	const struct arguments text = {.json = false};
	int r;

	if (!a->reason || !a->reason[0])
		return print_failure(PRINT_USAGE,
				     "%s needs --reason=\"why\": it is kept with your name",
				     words[0]);
	for (int i = 1; i < n; i++)
		buf_printf(&rules, "%s%s", i > 1 ? "," : "", words[i]);
	if (buf_status(&rules) < 0 || n < 2)
		return print_failure(PRINT_USAGE, "%s takes rules, or all", words[0]);
	action.value = (char *)rules.data;
	if (strcmp(words[0], "arm") == 0 && !a->yes) {
		if (!isatty(STDIN_FILENO))
			return print_failure(PRINT_USAGE, "arm asks first: --yes answers for you");
		r = preview(c, NULL, &text);
		if (r != PRINT_GOOD)
			return r;
		if (!says_yes())
			return print_failure(PRINT_NOT_GOOD, "nothing was armed");
	}
	return client_act(c, &action, a->json);
}

static int run(struct client *c, int n, char **words, const struct arguments *a)
{
	if (n == 2 && strcmp(words[0], "push") == 0)
		return push(c, words[1], a);
	if (n == 1 && strcmp(words[0], "show") == 0)
		return show(c, a);
	if (n <= 2 && strcmp(words[0], "preview") == 0)
		return preview(c, n == 2 ? words[1] : NULL, a);
	if (strcmp(words[0], "arm") == 0 || strcmp(words[0], "disarm") == 0)
		return arm(c, n, words, a);
	remote_policy_help(stderr);
	return PRINT_USAGE;
}

int remote_policy(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'}, {"reason", required_argument, NULL, 'r'},
		{"yes", no_argument, NULL, 'y'},	  {"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},	  {NULL, 0, NULL, 0},
	};
	struct arguments a = {.json = false};
	struct client *c = NULL;
	int o, r;

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
	r = client_open(a.config, &c);
	if (r == PRINT_GOOD)
		r = run(c, argc - optind, argv + optind, &a);
	client_free(c);
	return r;
}
