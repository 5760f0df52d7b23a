/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_drill.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "client.h"
#include "drill_deed.h"
#include "drill_watch.h"
#include "fsio.h"
#include "jsonl.h"
#include "plumb/wire.h"
#include "print.h"

#define BOOT_ID "/proc/sys/kernel/random/boot_id"
#define MAX_STEPS 12
#define DEFAULT_TIMEOUT_S 60u
#define MAX_TIMEOUT_S 3600u

struct arguments {
	const char *config, *node, *file, *dir, *ledger;
	uint64_t timeout_s;
	bool contain, json;
};

struct step {
	const char *what;
	char detail[96];
	uint64_t at_ms; /* after the deed */
	bool done;
};

struct drill {
	const struct arguments *a;
	struct client *c;
	struct drill_deed deed;
	struct drill_tail tail;
	struct drill_view before, now;
	uint64_t ours[16]; /* cases of its key that were seen: none of them was there before */
	uint32_t n_ours;
	bool asked; /* one of them was armed to hold or quarantine */
	uint64_t began_ms;
	uint32_t n, failed;
	struct step steps[MAX_STEPS];
};

static volatile sig_atomic_t stopped;

static void on_signal(int sig)
{
	(void)sig;
	stopped = 1;
}

/* A terminal that is lost ends a drill as ^C does: what it did is undone. Who runs it under nohup wants it to go on. */
static void catch_signals(void)
{
	static const int ends[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		if (signal(ends[i], on_signal) == SIG_IGN && ends[i] == SIGHUP)
			signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
}

static void help(FILE *f)
{
	fprintf(f,
		"Usage: plumbctl drill exec|module --node=NODE [--dir=DIR] [OPTION…]\n"
		"       plumbctl drill file --node=NODE --file=PATH [OPTION…]\n\n"
		"Harmless tampering with this machine, which must be NODE; waits for what becomes "
		"of "
		"it and undoes\nit. Run it on the node itself, as root.\n\n"
		"  exec      runs a program that no baseline lists; it does nothing\n"
		"  file      writes behind the end of a watched file, and cuts it off again\n"
		"  module    hands the kernel a module that it must refuse\n\n"
		"  --node=NODE    which node this is\n"
		"  --file=PATH    a file that its baseline lists\n"
		"  --dir=DIR      where the program or module is put (/tmp)\n"
		"  --ledger=DIR   the agent's ledger: when the line is there\n"
		"  --contain      go on though rules are armed: NODE may be held or quarantined\n"
		"  --timeout=S    how long each step may take, in seconds (60)\n"
		"  --json         for machines\n\n"
		"--config=FILE says which verifier; a responder's key acknowledges the case, an "
		"approver's releases.\n"
		"Exit codes: 0 each step came, 1 one did not, 2 could not tell, 64 wrong usage.\n");
}

static struct step *add_step(struct drill *d, const char *what)
{
	struct step *s = &d->steps[d->n < MAX_STEPS ? d->n++ : MAX_STEPS - 1];

	*s = (struct step){.what = what};
	return s;
}

static void reach(struct drill *d, const char *what, const char *detail)
{
	struct step *s = add_step(d, what);

	snprintf(s->detail, sizeof(s->detail), "%s", detail);
	s->at_ms = drill_watch_now_ms() - d->began_ms;
	s->done = true;
}

static void miss(struct drill *d, const char *what, const char *detail)
{
	snprintf(add_step(d, what)->detail, sizeof(d->steps[0].detail), "%s", detail);
	d->failed++;
}

/* Which machine this is, by what the node's evidence says and nobody can choose. */
static int check_machine(struct drill *d)
{
	CLEANUP(buf_done) struct buf boot = {0};
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	int r = client_get_node(d->c, d->a->node, &o);

	if (r != PRINT_GOOD)
		return r;
	r = fsio_read_file(fsio_system(), BOOT_ID, 256, &boot);
	if (r < 0 || boot.size < 36)
		return print_failure(PRINT_UNKNOWN, BOOT_ID ": %s", strerror(r < 0 ? -r : EIO));
	boot.data[36] = 0;
	if (strcmp((char *)boot.data, client_text(o, "boot_id")) == 0)
		return PRINT_GOOD;
	print_failure(PRINT_NOT_GOOD,
		      "this machine is not %s, or it was started since its last evidence",
		      d->a->node);
	print_cure("run the drill on the node itself; nothing was done");
	return PRINT_NOT_GOOD;
}

/* Never more than a report, unless somebody says that he means it. */
static int check_policy(struct drill *d)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	json_t *rule = NULL;
	size_t i;
	int r = client_get_json(d->c, WIRE_ROUTE_POLICIES, &o);

	if (r != PRINT_GOOD || d->a->contain)
		return r;
	json_array_foreach (json_object_get(o, "rules"), i, rule) {
		if (strcmp(client_text(rule, "mode"), "armed") != 0 ||
		    strcmp(client_text(rule, "action"), "report") == 0)
			continue;
		print_failure(PRINT_NOT_GOOD, "rule %s is armed: the drill may end in %s",
			      client_text(rule, "id"), client_text(rule, "action"));
		print_cure(
			"--contain if %s may be held or quarantined for a moment; nothing was done",
			d->a->node);
		return PRINT_NOT_GOOD;
	}
	return PRINT_GOOD;
}

static void pause_ms(unsigned int ms)
{
	usleep(ms * 1000);
}

static void remember(struct drill *d, uint64_t id)
{
	for (uint32_t i = 0; i < d->n_ours; i++)
		if (d->ours[i] == id)
			return;
	if (d->n_ours < ARRAY_SIZE(d->ours))
		d->ours[d->n_ours++] = id;
}

static int view(struct drill *d)
{
	int r = drill_watch_look(d->c, d->a->node, d->deed.key, &d->now);

	for (uint64_t i = 0; i < d->now.n_cases && i < ARRAY_SIZE(d->now.ids); i++)
		remember(d, d->now.ids[i]);
	d->asked |= d->now.asks;
	return r;
}

enum seen { SEEN, NOT_YET, LATE };

/* One look; LATE when the time is over, or somebody wants it to end. */
static int look(struct drill *d, uint64_t until_ms, enum seen *ret)
{
	int r = view(d);

	*ret = stopped || drill_watch_now_ms() >= until_ms ? LATE : NOT_YET;
	return r;
}

static int wait_for(struct drill *d, const char *what, bool (*is)(const struct drill *d),
		    const char *detail, const char *missing)
{
	uint64_t until = drill_watch_now_ms() + d->a->timeout_s * 1000;
	enum seen seen = NOT_YET;

	for (;;) {
		int r = look(d, until, &seen);

		if (r != PRINT_GOOD)
			return r;
		if (is(d)) {
			reach(d, what, detail ? detail : d->now.state);
			return PRINT_GOOD;
		}
		if (seen == LATE)
			break;
		pause_ms(DRILL_EVERY_MS);
	}
	miss(d, what, stopped ? "stopped" : missing);
	return PRINT_NOT_GOOD;
}

static bool has_case(const struct drill *d)
{
	return d->now.n_cases > 0;
}

static bool is_confirmed(const struct drill *d)
{
	return d->now.n_cases == 0 || !d->now.provisional;
}

static bool is_contained(const struct drill *d)
{
	return d->now.contained;
}

static bool is_as_before(const struct drill *d)
{
	return d->now.n_cases == 0 && strcmp(d->now.state, d->before.state) == 0;
}

/* What else came meanwhile keeps it from being as before: then that is named. */
static int wait_as_before(struct drill *d)
{
	CLEANUP(buf_done) struct buf missing = {0};
	int r = wait_for(d, "as before", is_as_before, NULL, d->before.state);

	if (r != PRINT_NOT_GOOD || stopped)
		return r;
	buf_printf(&missing, "%s, was %s: %s", d->now.state, d->before.state,
		   d->now.n_cases > 0 ? "it drifted again" : d->now.cause);
	if (buf_status(&missing) == 0)
		strncpy(d->steps[d->n - 1].detail, (char *)missing.data,
			sizeof(d->steps[0].detail) - 1);
	return r;
}

static int wait_for_line(struct drill *d)
{
	uint64_t until = drill_watch_now_ms() + d->a->timeout_s * 1000;
	int r = 0;

	while (!stopped && r == 0 && drill_watch_now_ms() < until) {
		r = drill_watch_line(&d->tail, d->deed.key);
		if (r == 0)
			pause_ms(5);
	}
	if (r > 0)
		reach(d, "line in the ledger", d->deed.key);
	else
		miss(d, "line in the ledger",
		     r < 0     ? strerror(-r)
		     : stopped ? "stopped"
			       : "did not come");
	return r > 0 ? PRINT_GOOD : PRINT_NOT_GOOD;
}

static int watch_it_come(struct drill *d)
{
	char rule[80];
	int r = d->a->ledger ? wait_for_line(d) : PRINT_GOOD;

	if (r == PRINT_GOOD)
		r = wait_for(d, "case at the verifier", has_case, d->deed.key,
			     "none: does its baseline close such keys?");
	if (r != PRINT_GOOD)
		return r;
	snprintf(rule, sizeof(rule), "%s", d->now.rule[0] ? d->now.rule : "no rule: report");
	if (d->now.asks)
		r = wait_for(d, "contained", is_contained, NULL, "it was not");
	else
		reach(d, "reported, not contained", rule);
	if (r == PRINT_GOOD)
		r = wait_for(d, "covered by a quote", is_confirmed, "", "no quote covers it yet");
	return r;
}

static int act(struct drill *d, const char *what, const char *action, const uint64_t *ids,
	       uint64_t n)
{
	const struct client_action k = {.action = action,
					.node = d->a->node,
					.reason = "plumbctl drill",
					.cases = ids,
					.n_cases = (uint32_t)(n < 16 ? n : 16)};
	CLEANUP(buf_done) struct buf answer = {0};
	int r = client_post_action(d->c, &k, &answer);

	if (r == PRINT_GOOD)
		reach(d, what, "");
	else
		miss(d, what, "refused");
	return r;
}

/*
 * Only what it brought about itself, by number: a release without numbers settles all that is armed, also what asks for nothing yet. And none while another
 * case asks for the same: the node would be free for a moment.
 */
static int let_go(struct drill *d)
{
	if (!d->now.contained || d->before.contained)
		return PRINT_GOOD;
	if (d->now.others_ask) {
		miss(d, "as before", "another case asks for it to be contained; not released");
		return PRINT_NOT_GOOD;
	}
	return d->asked && d->n_ours > 0 ? act(d, "released", "release", d->ours, d->n_ours)
					 : PRINT_GOOD;
}

static int watch_it_go(struct drill *d)
{
	int r = view(d);

	if (r == PRINT_GOOD && d->now.n_cases > 0)
		r = act(d, "acknowledged", "acknowledge", d->now.ids, d->now.n_cases);
	if (r == PRINT_GOOD)
		r = view(d);
	if (r == PRINT_GOOD)
		r = let_go(d);
	stopped = 0;
	return r == PRINT_GOOD ? wait_as_before(d) : r;
}

static void put_json(const struct drill *d)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct jsonl j;

	jsonl_begin(&j, &b);
	jsonl_str(&j, "node", d->a->node);
	jsonl_str(&j, "key", d->deed.key);
	jsonl_bool(&j, "good", d->failed == 0);
	jsonl_array(&j, "steps");
	for (uint32_t i = 0; i < d->n; i++) {
		jsonl_object(&j, NULL);
		jsonl_str(&j, "step", d->steps[i].what);
		jsonl_bool(&j, "done", d->steps[i].done);
		jsonl_uint(&j, "at_ms", d->steps[i].at_ms);
		jsonl_str(&j, "detail", d->steps[i].detail);
		jsonl_close(&j);
	}
	jsonl_close(&j);
	jsonl_end(&j);
	if (buf_status(&b) == 0)
		puts((char *)b.data);
}

static void put_table(const struct drill *d)
{
	uint64_t before = 0;

	printf("%-26s %9s %9s\n", "step", "after ms", "took ms");
	for (uint32_t i = 0; i < d->n; i++) {
		const struct step *s = &d->steps[i];

		if (s->done)
			printf("%-26s %9" PRIu64 " %9" PRIu64 "  ", s->what, s->at_ms,
			       s->at_ms - before);
		else
			printf("%s%-26s %9s %9s%s  ", print_on(stdout, PRINT_RED), s->what, "-",
			       "-", print_off(stdout));
		print_safe(stdout, s->detail, strlen(s->detail));
		fputc('\n', stdout);
		before = s->done ? s->at_ms : before;
	}
}

/* A file that drifted already would drift on, and its case would be settled as if it were the drill's. */
static int check_before(struct drill *d)
{
	int r = drill_watch_look(d->c, d->a->node, d->deed.key, &d->before);

	if (r != PRINT_GOOD || d->before.n_cases == 0)
		return r;
	print_failure(PRINT_NOT_GOOD, "%s has an open case of %s", d->a->node, d->deed.key);
	print_cure("settle it first; nothing was done");
	return PRINT_NOT_GOOD;
}

/* Whatever came of it, the machine is as it was. */
static int carry_out(struct drill *d)
{
	struct why why = {""};
	int r, undone;

	d->began_ms = drill_watch_now_ms();
	if (drill_deed_do(&d->deed, &why) < 0) {
		r = print_failure(PRINT_UNKNOWN, "%s", why.text);
	} else {
		reach(d, "done", d->deed.key);
		r = watch_it_come(d);
	}
	undone = drill_deed_undo(&d->deed, &why);
	if (undone < 0)
		r = print_failure(PRINT_UNKNOWN, "%s", why.text);
	else if (d->n > 0)
		reach(d, "put back", "");
	if (d->n > 0 && r != PRINT_UNKNOWN) {
		int gone = watch_it_go(d);

		r = r == PRINT_GOOD ? gone : r;
	}
	if (d->a->json)
		put_json(d);
	else if (d->n > 0)
		put_table(d);
	return r == PRINT_GOOD && d->failed > 0 ? PRINT_NOT_GOOD : r;
}

/* From here on there is something to undo. */
static int prepare(struct drill *d, enum drill_kind kind)
{
	struct why why = {""};
	int r;

	catch_signals();
	if (drill_deed_prepare(kind, kind == DRILL_FILE ? d->a->file : d->a->dir, &d->deed, &why) <
	    0)
		return print_failure(PRINT_UNKNOWN, "%s", why.text);
	r = check_before(d);
	if (r == PRINT_GOOD && stopped)
		r = print_failure(PRINT_NOT_GOOD, "stopped; nothing was done");
	if (r != PRINT_GOOD)
		(void)drill_deed_undo(&d->deed, NULL);
	return r;
}

static int run(const struct arguments *a, enum drill_kind kind)
{
	struct drill d = {.a = a};
	int r = client_open(a->config, &d.c);

	if (r == PRINT_GOOD)
		r = check_machine(&d);
	if (r == PRINT_GOOD)
		r = check_policy(&d);
	if (r == PRINT_GOOD && a->ledger && drill_watch_tail(a->ledger, &d.tail) < 0)
		r = print_failure(PRINT_UNKNOWN, "%s: there is no ledger", a->ledger);
	if (r == PRINT_GOOD)
		r = prepare(&d, kind);
	if (r == PRINT_GOOD)
		r = carry_out(&d);
	client_free(d.c);
	return r;
}

static bool seconds(const char *text, uint64_t *ret)
{
	char *end;

	*ret = strtoull(text, &end, 10);
	return *text >= '0' && *text <= '9' && (!*end || strcmp(end, "s") == 0) && *ret > 0 &&
	       *ret <= MAX_TIMEOUT_S;
}

static bool take_option(struct arguments *a, int o)
{
	switch (o) {
	case 'c':
		a->config = optarg;
		return true;
	case 'n':
		a->node = optarg;
		return true;
	case 'f':
		a->file = optarg;
		return true;
	case 'd':
		a->dir = optarg;
		return true;
	case 'l':
		a->ledger = optarg;
		return true;
	case 't':
		return seconds(optarg, &a->timeout_s);
	case 'C':
		a->contain = true;
		return true;
	case 'j':
		a->json = true;
		return true;
	}
	return false;
}

int cmd_drill(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'}, {"node", required_argument, NULL, 'n'},
		{"file", required_argument, NULL, 'f'},	  {"dir", required_argument, NULL, 'd'},
		{"ledger", required_argument, NULL, 'l'}, {"timeout", required_argument, NULL, 't'},
		{"contain", no_argument, NULL, 'C'},	  {"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},	  {NULL, 0, NULL, 0},
	};
	struct arguments a = {.dir = "/tmp", .timeout_s = DEFAULT_TIMEOUT_S};
	int o, kind;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o == 'h') {
			help(stdout);
			return PRINT_GOOD;
		}
		if (!take_option(&a, o))
			return print_failure(PRINT_USAGE,
					     "plumbctl drill --help tells the options");
	}
	kind = argc - optind == 1 ? drill_kind_from_name(argv[optind]) : 0;
	if (kind == 0 || !a.node || !a.node[0] || (kind == DRILL_FILE) != (a.file != NULL)) {
		help(stderr);
		return PRINT_USAGE;
	}
	return run(&a, (enum drill_kind)kind);
}
