/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_gate.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "client.h"
#include "clock.h"
#include "fsio.h"
#include "gate_check.h"
#include "jsonl.h"
#include "plumb/wire.h"
#include "print.h"

#define MAX_FILE (1u << 20)
#define MAX_AGE_S (365u * 86400)
#define DEFAULT_AGE "5m"

struct arguments {
	const char *config, *selector, *age, *ear, *jwks, *parts;
	bool json;
};

struct output {
	struct jsonl *j; /* NULL: text */
	uint32_t n;
};

static void help(FILE *f)
{
	fprintf(f,
		"Usage: plumbctl gate [--selector=SELECTOR] [--max-age=DURATION] [--json]\n"
		"       plumbctl gate --ear=FILE --jwks=FILE [--selector=SELECTOR] "
		"[--max-age=DURATION]\n"
		"                     [--parts=PART,...] [--json]\n\n"
		"Says whether work may go to nodes: all that are selected must be trusted, and "
		"nothing may contain\n"
		"them, by evidence that is not older than --max-age (" DEFAULT_AGE ").\n\n"
		"  --selector    label, id, kube, state with = or !=, and * in the value; a comma "
		"between two that\n"
		"                must both hold; a word alone is a label. Default: all nodes\n"
		"  --ear         a verdict as the verifier signed it (`verdict` of node show "
		"--json), without asking\n"
		"                the verifier\n"
		"  --jwks        whose keys are believed: the verifier's /.well-known/jwks.json, "
		"fetched before\n"
		"  --parts       of the verdict's parts (boot, runtime, config…) those that must "
		"be affirmed; of the\n"
		"                others none may be bad. Default: all\n\n"
		"--config=FILE says which verifier.\n"
		"Exit codes: 0 good, 1 not good, 2 could not tell (no such node, too old, false "
		"signature), 64 wrong\nusage.\n");
}

/* "90s", "5m", "1h", "1d" */
static int parse_age(const char *text, uint64_t *ret_s)
{
	char *end;
	uint64_t n = strtoull(text, &end, 10);
	uint64_t unit = strcmp(end, "s") == 0 || !*end ? 1
			: strcmp(end, "m") == 0	       ? 60
			: strcmp(end, "h") == 0	       ? 3600
			: strcmp(end, "d") == 0	       ? 86400
						       : 0;

	if (text[0] < '0' || text[0] > '9' || unit == 0 || n == 0 || n > MAX_AGE_S / unit)
		return print_failure(PRINT_USAGE,
				     "--max-age=%s is no duration like 90s, 5m, 1h; at most 365d",
				     text);
	*ret_s = n * unit;
	return PRINT_GOOD;
}

static const char *result_name(enum print_exit r)
{
	return r == PRINT_GOOD ? "good" : r == PRINT_NOT_GOOD ? "not_good" : "unknown";
}

static void print_text(const struct gate_found *f)
{
	static const char *const words[] = {"good   ", "BAD    ", "UNKNOWN"};
	const char *name = f->label[0] ? f->label : f->id[0] ? f->id : "-";

	printf("%s%s%s  ",
	       print_on(stdout, f->result == PRINT_GOOD	      ? PRINT_GREEN
				: f->result == PRINT_NOT_GOOD ? PRINT_RED
							      : PRINT_YELLOW),
	       words[f->result], print_off(stdout));
	print_safe(stdout, name, strlen(name));
	if (f->why[0]) {
		fputs("  ", stdout);
		print_safe(stdout, f->why, strlen(f->why));
	}
	putchar('\n');
}

static void on_found(void *ctx, const struct gate_found *f)
{
	struct output *o = ctx;

	o->n++;
	if (!o->j) {
		print_text(f);
		return;
	}
	jsonl_object(o->j, NULL);
	jsonl_str(o->j, "node", f->id);
	jsonl_str(o->j, "label", f->label);
	jsonl_str(o->j, "result", result_name(f->result));
	jsonl_str(o->j, "why", f->why);
	jsonl_close(o->j);
}

/* By the verifier. A list that is not whole may lack the one that is bad. */
static int ask(const struct arguments *a, const struct gate_terms *t, struct output *o)
{
	CLEANUP(jsonl_decref_p) json_t *answer = NULL;
	struct client *c = NULL;
	int r = client_open(a->config, &c);

	if (r == PRINT_GOOD)
		r = client_get_json(c, WIRE_ROUTE_NODES, &answer);
	client_free(c);
	if (r != PRINT_GOOD)
		return r;
	if (!json_is_array(json_object_get(answer, "nodes")))
		return print_failure(PRINT_UNKNOWN, "the verifier's answer has no nodes");
	r = (int)gate_check_nodes(json_object_get(answer, "nodes"), t, on_found, o);
	if (o->n == 0)
		print_failure(PRINT_UNKNOWN, "no node is selected");
	if (json_is_true(json_object_get(answer, "more"))) {
		print_failure(PRINT_UNKNOWN, "the verifier has more nodes than it lists");
		r = (int)gate_check_worse((enum print_exit)r, PRINT_UNKNOWN);
	}
	return r;
}

static int read_file(const char *path, struct buf *ret)
{
	int r = fsio_read_file(fsio_system(), path, MAX_FILE, ret);

	if (r < 0)
		return print_failure(PRINT_UNKNOWN, "%s: %s", path, strerror(-r));
	while (ret->size > 0 && strchr(" \t\r\n", ret->data[ret->size - 1]))
		buf_cut(ret, ret->size - 1);
	return PRINT_GOOD;
}

static int check_offline(const struct arguments *a, const struct gate_terms *t, struct output *o)
{
	CLEANUP(buf_done) struct buf ear = {0};
	CLEANUP(buf_done) struct buf jwks = {0};
	struct gate_found f;
	int r = read_file(a->ear, &ear);

	if (r == PRINT_GOOD)
		r = read_file(a->jwks, &jwks);
	if (r != PRINT_GOOD)
		return r;
	gate_check_ear(ear.data ? (char *)ear.data : "", ear.size,
		       jwks.data ? (char *)jwks.data : "", jwks.size, t, &f);
	on_found(o, &f);
	return (int)f.result;
}

static int run(const struct arguments *a, const struct gate_terms *t)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct jsonl j = {.buf = NULL};
	struct output o = {.j = a->json ? &j : NULL};
	int r;

	jsonl_begin(&j, &b);
	jsonl_array(&j, "nodes");
	r = a->ear ? check_offline(a, t, &o) : ask(a, t, &o);
	jsonl_close(&j);
	jsonl_str(&j, "gate", result_name((enum print_exit)r));
	jsonl_end(&j);
	if (a->json && buf_status(&b) >= 0 && r != PRINT_USAGE)
		printf("%s\n", (char *)b.data);
	return r;
}

static int check(const struct arguments *a)
{
	struct gate_selector selector;
	struct gate_terms t = {
		.selector = &selector, .now_ns = clock_utc_ns(clock_system()), .parts = a->parts};
	struct why why = {""};
	int r = parse_age(a->age ? a->age : DEFAULT_AGE, &t.max_age_s);

	if (r != PRINT_GOOD)
		return r;
	if (gate_selector_parse(a->selector ? a->selector : "", &selector, &why) < 0)
		return print_failure(PRINT_USAGE, "--selector: %s", why.text);
	if (!a->ear != !a->jwks)
		return print_failure(PRINT_USAGE,
				     "--ear and --jwks: a signature is nothing without the keys "
				     "that are believed");
	if (a->parts && (!a->ear || !a->parts[0]))
		return print_failure(PRINT_USAGE, "--parts names parts of the verdict in --ear");
	return run(a, &t);
}

int cmd_gate(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"selector", required_argument, NULL, 's'},
		{"max-age", required_argument, NULL, 'm'},
		{"ear", required_argument, NULL, 'e'},
		{"jwks", required_argument, NULL, 'k'},
		{"parts", required_argument, NULL, 'p'},
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct arguments a = {.json = false};
	int o;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o == 'h') {
			help(stdout);
			return PRINT_GOOD;
		}
		if (o == '?')
			return print_failure(PRINT_USAGE, "plumbctl gate --help tells the options");
		a.json |= o == 'j';
		a.config = o == 'c' ? optarg : a.config;
		a.selector = o == 's' ? optarg : a.selector;
		a.age = o == 'm' ? optarg : a.age;
		a.ear = o == 'e' ? optarg : a.ear;
		a.jwks = o == 'k' ? optarg : a.jwks;
		a.parts = o == 'p' ? optarg : a.parts;
	}
	if (optind < argc)
		return print_failure(PRINT_USAGE, "gate takes options alone: --selector=%s?",
				     argv[optind]);
	return check(&a);
}
