/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_events.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "client.h"
#include "jsonl.h"
#include "plumb/wire.h"
#include "print.h"
#include "view_log.h"

#define MAX_WAIT_S 30
#define MAX_LIFE_S (30u * 86400) /* of a token, as the verifier takes it */

struct showing {
	bool json;
	uint64_t next; /* line to go on with */
	struct view_log view;
};

static void help(FILE *f)
{
	fprintf(f, "Usage: plumbctl events [--since=LINE] [--follow] [--all] [--json]\n\n"
		   "The verifier's log: what became of nodes, what operators did, verdicts that "
		   "differ from the one before.\n\n"
		   "  --since=LINE  begin there instead of at the start\n"
		   "  --follow      go on with what comes; a lost connection is made again\n"
		   "  --all         heads, and verdicts that repeat the one before, too\n"
		   "  --json        every line, as it is in the log\n\n"
		   "--config=FILE says which verifier.\n"
		   "Exit codes: 0 good, 1 refused, 2 could not tell, 64 wrong usage.\n");
}

static int on_line(void *ctx, const char *line, size_t size)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	struct showing *s = ctx;
	struct why why = {""};
	uint64_t seq;
	int r = jsonl_parse(line, size, WIRE_MAX_LINE, &o, &why);

	if (r >= 0)
		r = jsonl_get_uint(o, "seq", INT64_MAX, &seq, &why);
	if (r < 0)
		return print_failure(PRINT_UNKNOWN, "line %" PRIu64 " cannot be read: %s", s->next,
				     why.text);
	/* A log without one of its lines is not the log. */
	if (seq != s->next)
		return print_failure(PRINT_UNKNOWN,
				     "line %" PRIu64 " should come, the verifier sent %" PRIu64,
				     s->next, seq);
	s->next++;
	if (s->json) {
		fwrite(line, 1, size, stdout);
		fputc('\n', stdout);
	} else {
		view_log_line(stdout, print_columns(stdout), &s->view, o);
	}
	return fflush(stdout) == 0 ? PRINT_GOOD : print_failure(PRINT_UNKNOWN, "cannot write");
}

static int follow(struct client *c, struct showing *s)
{
	unsigned int wait = 1;

	for (;;) {
		uint64_t before = s->next;
		int r = client_events(c, s->next, true, on_line, s);

		/* A verifier that stops in order ends the answer in order. */
		if (r != CLIENT_LOST && r != PRINT_GOOD)
			return r;
		wait = s->next > before ? 1 : wait * 2 > MAX_WAIT_S ? MAX_WAIT_S : wait * 2;
		sleep(wait);
	}
}

static int run(struct client *c, struct showing *s, bool follows)
{
	int r = follows ? follow(c, s) : client_events(c, s->next, false, on_line, s);

	view_log_done(&s->view);
	return r == CLIENT_LOST ? PRINT_UNKNOWN : r;
}

static bool number(const char *text, uint64_t *ret)
{
	size_t digits = strspn(text, "0123456789");

	*ret = digits < 19 ? strtoull(text, NULL, 10) : 0;
	return digits > 0 && digits < 19 && !text[digits];
}

int cmd_events(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"since", required_argument, NULL, 's'},
		{"follow", no_argument, NULL, 'f'},
		{"all", no_argument, NULL, 'a'},
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct showing s = {.json = false};
	const char *config = NULL;
	bool follows = false;
	struct client *c = NULL;
	int o, r;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o == 'h') {
			help(stdout);
			return PRINT_GOOD;
		}
		if (o == '?')
			return print_failure(PRINT_USAGE,
					     "plumbctl events --help tells the options");
		s.json |= o == 'j';
		s.view.all |= o == 'a';
		follows |= o == 'f';
		config = o == 'c' ? optarg : config;
		if (o == 's' && !number(optarg, &s.next))
			return print_failure(PRINT_USAGE, "--since=%s is no number of a line",
					     optarg);
	}
	if (optind < argc) {
		help(stderr);
		return PRINT_USAGE;
	}
	r = client_open(config, &c);
	if (r == PRINT_GOOD)
		r = run(c, &s, follows);
	client_free(c);
	return r;
}

static void token_help(FILE *f)
{
	fprintf(f, "Usage: plumbctl token create [--label=NODE] [--life=DURATION] [--json]\n\n"
		   "Prints a join token for one node, good once: give it to plumbd as "
		   "join_token_file.\n\n"
		   "  --label=NODE     only a node with this label may use it\n"
		   "  --life=DURATION  how long it is good: 90s, 30m, 1h (default), 7d\n\n"
		   "--config=FILE says which verifier.\n"
		   "Exit codes: 0 good, 1 refused, 2 could not tell, 64 wrong usage.\n");
}

static int create(struct client *c, const char *label, uint64_t life_s, bool json)
{
	CLEANUP(buf_done) struct buf body = {0}, answer = {0};
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	struct jsonl j;
	struct why why;
	int r;

	jsonl_begin(&j, &body);
	jsonl_str(&j, "label", label);
	jsonl_uint(&j, "life_s", life_s);
	jsonl_end(&j);
	r = client_post(c, WIRE_ROUTE_TOKENS, WIRE_TYPE_JSON, body.data, body.size, &answer);
	if (r != PRINT_GOOD)
		return r;
	if (jsonl_parse(answer.data, answer.size, 65536, &o, &why) < 0 ||
	    !client_text(o, "token")[0])
		return print_failure(PRINT_UNKNOWN, "the verifier's answer has no token");
	if (json)
		return client_print_json(o);
	/* It goes into a file: no more than a token may be in it. */
	if (client_text(o, "token")[strspn(client_text(o, "token"), "plumb.0123456789abcdef")])
		return print_failure(PRINT_UNKNOWN, "the verifier's answer is no token");
	puts(client_text(o, "token"));
	return PRINT_GOOD;
}

static uint64_t seconds(const char *text)
{
	char *end;
	uint64_t n = strtoull(text, &end, 10);
	uint64_t unit = strcmp(end, "s") == 0 || !*end ? 1
			: strcmp(end, "m") == 0	       ? 60
			: strcmp(end, "h") == 0	       ? 3600
			: strcmp(end, "d") == 0	       ? 86400
						       : 0;

	if (end == text || *text == '-' || unit == 0 || n > MAX_LIFE_S / unit)
		return 0;
	return n * unit;
}

int cmd_events_token(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'}, {"label", required_argument, NULL, 'l'},
		{"life", required_argument, NULL, 't'},	  {"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},	  {NULL, 0, NULL, 0},
	};
	const char *config = NULL, *label = "", *life = "1h";
	struct client *c = NULL;
	bool json = false;
	int o, r;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o == 'h') {
			token_help(stdout);
			return PRINT_GOOD;
		}
		if (o == '?')
			return print_failure(PRINT_USAGE,
					     "plumbctl token --help tells the options");
		json |= o == 'j';
		config = o == 'c' ? optarg : config;
		label = o == 'l' ? optarg : label;
		life = o == 't' ? optarg : life;
	}
	if (argc - optind != 1 || strcmp(argv[optind], "create") != 0) {
		token_help(stderr);
		return PRINT_USAGE;
	}
	if (seconds(life) == 0)
		return print_failure(PRINT_USAGE,
				     "--life=%s is no duration like 30m, 1h; at most 30d", life);
	r = client_open(config, &c);
	if (r == PRINT_GOOD)
		r = create(c, label, seconds(life), json);
	client_free(c);
	return r;
}
