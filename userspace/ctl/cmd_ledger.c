/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_ledger.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cleanup.h"
#include "clock.h"
#include "jsonl.h"
#include "ledger_check.h"
#include "ledger_export.h"
#include "line.h"
#include "print.h"
#include "remote_ledger.h"
#include "view_boots.h"
#include "view_imas.h"

DEFINE_CLEANUP(struct ima_sig *, ima_sig_free);

static void help(FILE *f)
{
	fprintf(f,
		"Usage: plumbctl ledger show [--drift] [--type=TYPE] [--from=LINE] [--json] DIR\n"
		"       plumbctl ledger verify [--record=FILE] [--json] DIR\n"
		"       plumbctl ledger boots [--record=FILE] [--json] DIR\n"
		"       plumbctl ledger ima [--record=FILE] [--ima-keys=FILE]... [--json] DIR\n"
		"       plumbctl ledger export notes|cel|proof [--line=LINE] [-o FILE] DIR\n\n"
		"  show     one row a line: line, time, type, judgement, key, found, by whom\n"
		"  verify   tree, tiles, anchors, quotes and signatures of a ledger directory; "
		"names each\n"
		"           line that is not what it was. --record: an enrolment record kept "
		"elsewhere,\n"
		"           for root on the node can replace the one in DIR\n"
		"  boots    what the node booted: the logs in DIR/boot against the quotes that "
		"hold, "
		"and what\n"
		"           they tell: Secure Boot, keys, kernel, command line\n"
		"  ima      what IMA measured: the lists in DIR/ima against the lines that sealed "
		"them and the\n"
		"           PCR 10 that was quoted; signatures by --ima-keys, certificates or "
		"public "
		"keys\n"
		"  export   notes: C2SP signed notes; cel: one CEL-JSON record an extend;\n"
		"           proof: C2SP tlog-proof that LINE is in the newest signed checkpoint\n\n"
		"Exit codes: 0 good, 1 bad, 2 unproven (nothing bad was found, but something could "
		"not be\nchecked) or could not tell, 64 wrong usage.\n");
	fputs("\nWith a verifier:\n\n", f);
	remote_ledger_help(f);
}

struct show {
	bool json, drift;
	const char *type, *dir;
	uint64_t from;
	bool begun;
};

static void row(const struct line *l, const char *text, size_t size)
{
	const char *judge = terms_judgement_name(l->judgement);
	const char *colour = l->judgement == PLUMB_JUDGE_DRIFT ? print_on(stdout, PRINT_RED) : "";
	struct ledger_prune_claim gone;
	struct why why;
	time_t s = (time_t)(l->utc_ns / 1000000000);
	struct tm tm;
	char t[24];

	gmtime_r(&s, &tm);
	strftime(t, sizeof(t), "%Y-%m-%d %H:%M:%S", &tm);
	printf("%8" PRIu64 "  %s  ", l->seq, t);
	print_column(stdout, l->type_name, 8, PRINT_CUT_END);
	printf("%s%-8s%s  ", colour, judge ? judge : "-", *colour ? print_off(stdout) : "");
	if (l->key) {
		print_value(stdout, l->key, 0, PRINT_CUT_END);
		fputs("  ", stdout);
		print_value(stdout, l->found, 0, PRINT_CUT_END);
	}
	if (l->times > 1)
		printf("  %u times", l->times);
	if (l->layer) {
		fputs("  layer ", stdout);
		print_safe(stdout, l->layer, strlen(l->layer));
	}
	if (ledger_prune_read(text, size, &gone, &why) >= 0)
		printf("lines %" PRIu64 " to %" PRIu64 ", %" PRIu64 " bytes, by %s", gone.from,
		       gone.first - 1, gone.bytes, gone.why);
	if (l->has_actor && l->actor.known) {
		const char *exe = l->actor.exe ? l->actor.exe : l->actor.comm ? l->actor.comm : "?";

		fputs("  by ", stdout);
		print_safe(stdout, exe, strlen(exe));
		printf(" (%u, uid %u)", l->actor.pid, l->actor.uid);
		/* Foreign text of at most 64 bytes. */
		if (l->actor.container) {
			fputs("  in container ", stdout);
			print_safe(stdout, l->actor.container, strlen(l->actor.container));
		}
		if (l->actor.pod) {
			fputs("  of pod ", stdout);
			print_safe(stdout, l->actor.pod, strlen(l->actor.pod));
		}
	} else if (l->has_actor) {
		fputs("  by unknown", stdout);
	}
	fputc('\n', stdout);
}

/* Lines that were asked for and are gone: said, or the reader would take the first row for the first line. */
static void tell_gone(const struct show *s, uint64_t first)
{
	struct ledger_prune_claim c;
	char t[CLOCK_TEXT_SIZE];
	struct why why;

	if (ledger_prune_newest(fsio_system(), s->dir, &c, &why) < 0 || c.first < first) {
		fprintf(stderr, "note: lines %" PRIu64 " to %" PRIu64 " are missing\n", s->from,
			first - 1);
		return;
	}
	clock_text(c.utc_ns, t);
	fprintf(stderr,
		"note: lines 0 to %" PRIu64 " were pruned on %.10s %.8s: line %" PRIu64
		" says so\n",
		first - 1, t, t + 11, c.seq);
}

static int show_line(void *ctx, uint64_t seq, const char *text, size_t size)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	struct show *s = ctx;
	struct line l;
	struct why why;

	if (!s->begun && seq > s->from)
		tell_gone(s, seq);
	s->begun = true;
	if (line_parse(text, size, &o, &l, &why) < 0) {
		print_failure(PRINT_NOT_GOOD, "line %" PRIu64 ": %s", seq, why.text);
		return 0;
	}
	if ((s->drift && l.judgement != PLUMB_JUDGE_DRIFT) ||
	    (s->type && strcmp(s->type, l.type_name) != 0))
		return 0;
	if (s->json) {
		fwrite(text, 1, size, stdout);
		fputc('\n', stdout);
	} else {
		row(&l, text, size);
	}
	return 0;
}

/* Names from foreign files stand in the text. */
static void point(const char *word, enum print_colour colour, const char *text)
{
	printf("  %s%-11s%s", print_on(stdout, colour), word, print_off(stdout));
	print_safe(stdout, text, strlen(text));
	fputc('\n', stdout);
}

static void covered(const char *what, uint64_t size, uint64_t head, const char *more)
{
	printf("  %-26s %8" PRIu64 "%s%s\n", what, size, more, size < head ? "" : "  all of it");
}

static void verify_result(const struct ledger_check_report *r)
{
	static const enum print_colour colours[] = {PRINT_GREEN, PRINT_RED, PRINT_YELLOW};
	enum ledger_check_result result = ledger_check_result(r);

	printf("%s%s%s: ", print_on(stdout, colours[result]), ledger_check_result_name(result),
	       print_off(stdout));
	if (result == LEDGER_CHECK_BAD)
		printf("%u problem%s\n", r->n_problems, r->n_problems == 1 ? "" : "s");
	else if (result == LEDGER_CHECK_UNPROVEN)
		printf("nothing bad was found, but %u point%s could not be checked\n",
		       r->n_unchecked, r->n_unchecked == 1 ? "" : "s");
	else
		printf("every line up to the quote at %" PRIu64 " is where and what it was\n",
		       r->quoted_size);
}

/* What is gone, and who says so; without a claim it is among the problems. */
static void verify_pruned(const struct ledger_check_report *r)
{
	const struct ledger_prune_claim *c = &r->pruned;
	char t[CLOCK_TEXT_SIZE];

	if (!c->first || !r->first_seq)
		return;
	clock_text(c->utc_ns, t);
	printf("  pruned     lines 0 to %" PRIu64 " were pruned on %.10s %.8s, by %s: line %" PRIu64
	       " says so\n",
	       r->first_seq - 1, t, t + 11, c->why, c->seq);
	if (c->first > r->first_seq)
		printf("  note       that line also names lines %" PRIu64 " to %" PRIu64
		       ", which are still here: the agent removes them at its next start\n",
		       r->first_seq, c->first - 1);
}

static void verify_text(const struct ledger_check_report *r, const char *dir)
{
	uint64_t head = r->first_seq + r->n_lines;
	char more[64] = "";
	time_t t = (time_t)r->cosigned_time_s;
	struct tm tm;

	printf("%s: %" PRIu64 " lines from %" PRIu64 " on, in %" PRIu64 " segment%s\n", dir,
	       r->n_lines, r->first_seq, r->n_segments, r->n_segments == 1 ? "" : "s");
	if (r->cosigned_size && gmtime_r(&t, &tm))
		strftime(more, sizeof(more), "  at %Y-%m-%d %H:%M:%SZ", &tm);
	verify_pruned(r);
	covered("anchored in the PCR up to", r->anchored_size, head, "");
	covered("quoted by the TPM up to", r->quoted_size, head, "");
	covered("signed by the node up to", r->signed_size, head, "");
	covered("cosigned by witness up to", r->cosigned_size, head, more);
	printf("  extends %" PRIu64 ", foreign %" PRIu64 ", epochs %" PRIu64 ", gaps %" PRIu64
	       ", quotes %" PRIu64 ", drift %" PRIu64 "\n",
	       r->n_extends, r->n_foreign, r->n_epochs, r->n_gaps, r->n_quotes, r->n_drift);
	if (r->anchored_size > 0 && r->anchored_size < head)
		printf("  %sunanchored%s lines %" PRIu64 " to %" PRIu64 "\n",
		       print_on(stdout, PRINT_YELLOW), print_off(stdout), r->anchored_size,
		       head - 1);
	view_boots_rows(&r->boots);
	view_imas_rows(&r->imas);
	for (uint32_t i = 0; i < r->n_problems && i < LEDGER_CHECK_MAX_PROBLEMS; i++)
		point("bad", PRINT_RED, r->problems[i].text);
	if (r->n_problems > LEDGER_CHECK_MAX_PROBLEMS)
		printf("  and %u more\n", r->n_problems - LEDGER_CHECK_MAX_PROBLEMS);
	if (r->no_tiles)
		point("note", PRINT_PLAIN,
		      "tiles/ is absent or short: a changed line is known only as far as its "
		      "checkpoint");
	for (uint32_t i = 0; i < r->n_unchecked; i++)
		point("unchecked", PRINT_YELLOW, r->unchecked[i]);
	verify_result(r);
}

static void verify_json(const struct ledger_check_report *r)
{
	CLEANUP(buf_done) struct buf b = {0};
	char t[CLOCK_TEXT_SIZE];
	struct jsonl j;

	jsonl_begin(&j, &b);
	jsonl_str(&j, "result", ledger_check_result_name(ledger_check_result(r)));
	jsonl_bool(&j, "good", ledger_check_result(r) == LEDGER_CHECK_GOOD);
	jsonl_bool(&j, "bad", ledger_check_result(r) == LEDGER_CHECK_BAD);
	jsonl_uint(&j, "first", r->first_seq);
	jsonl_uint(&j, "lines", r->n_lines);
	if (r->pruned.first) {
		jsonl_object(&j, "pruned");
		jsonl_uint(&j, "line", r->pruned.seq);
		clock_text(r->pruned.utc_ns, t);
		jsonl_str(&j, "t", t);
		jsonl_uint(&j, "first", r->pruned.first);
		jsonl_str(&j, "why", r->pruned.why);
		jsonl_close(&j);
	}
	jsonl_uint(&j, "segments", r->n_segments);
	jsonl_uint(&j, "extends", r->n_extends);
	jsonl_uint(&j, "foreign", r->n_foreign);
	jsonl_uint(&j, "anchored", r->anchored_size);
	jsonl_uint(&j, "quoted", r->quoted_size);
	jsonl_uint(&j, "signed", r->signed_size);
	jsonl_uint(&j, "cosigned", r->cosigned_size);
	jsonl_uint(&j, "cosigned_time", r->cosigned_time_s);
	jsonl_uint(&j, "quotes", r->n_quotes);
	jsonl_uint(&j, "gaps", r->n_gaps);
	jsonl_uint(&j, "drift", r->n_drift);
	jsonl_bool(&j, "tiles", !r->no_tiles);
	view_boots_members(&r->boots, &j);
	view_imas_members(&r->imas, &j);
	jsonl_uint(&j, "n_problems", r->n_problems);
	jsonl_array(&j, "problems");
	for (uint32_t i = 0; i < r->n_problems && i < LEDGER_CHECK_MAX_PROBLEMS; i++) {
		jsonl_object(&j, NULL);
		if (r->problems[i].has_line)
			jsonl_uint(&j, "line", r->problems[i].line);
		jsonl_str(&j, "text", r->problems[i].text);
		jsonl_close(&j);
	}
	jsonl_close(&j);
	jsonl_array(&j, "unchecked");
	for (uint32_t i = 0; i < r->n_unchecked; i++)
		jsonl_str(&j, NULL, r->unchecked[i]);
	jsonl_close(&j);
	jsonl_end(&j);
	if (buf_status(&b) == 0)
		puts((char *)b.data);
}

static int verify(const char *dir, const char *record, bool json)
{
	CLEANUP_FREE struct ledger_check_report *report = calloc(1, sizeof(*report));
	struct why why;

	if (!report)
		return print_failure(PRINT_UNKNOWN, "no memory");
	if (ledger_check(fsio_system(), dir, record, report, &why) < 0)
		return print_failure(PRINT_UNKNOWN, "%s", why.text);
	if (json)
		verify_json(report);
	else
		verify_text(report, dir);
	/* What could not be checked is no proof: never 0. */
	switch (ledger_check_result(report)) {
	case LEDGER_CHECK_GOOD:
		return PRINT_GOOD;
	case LEDGER_CHECK_BAD:
		return PRINT_NOT_GOOD;
	default:
		return PRINT_UNKNOWN;
	}
}

/* A ledger that is bad proves no boot either. */
static int boots(const char *dir, const char *record, bool json)
{
	CLEANUP_FREE struct ledger_check_report *report = calloc(1, sizeof(*report));
	struct why why;
	int code;

	if (!report)
		return print_failure(PRINT_UNKNOWN, "no memory");
	if (ledger_check(fsio_system(), dir, record, report, &why) < 0)
		return print_failure(PRINT_UNKNOWN, "%s", why.text);
	code = view_boots(&report->boots, dir, json);
	if (report->n_problems == 0)
		return code;
	return print_failure(PRINT_NOT_GOOD, "%s; plumbctl ledger verify tells all",
			     report->problems[0].text);
}

#define MAX_KEYS 16

struct args {
	struct show show;
	const char *ima_keys[MAX_KEYS];
	uint32_t n_ima_keys;
	const char *record, *output;
	uint64_t line;
	bool has_line;
};

/* A ledger that is bad proves no list either. */
static int imas(const char *dir, const struct args *a)
{
	CLEANUP_FREE struct ledger_check_report *report = calloc(1, sizeof(*report));
	CLEANUP(ima_sig_free_p) struct ima_sig *sig = NULL;
	struct why why = {""};
	int code, r = report ? 0 : -ENOMEM;

	if (r >= 0 && a->n_ima_keys > 0)
		r = ima_sig_open(fsio_system(), a->ima_keys, a->n_ima_keys, &sig, &why);
	if (r >= 0)
		r = ledger_check_ima(fsio_system(), dir, a->record, sig, report, &why);
	if (r < 0)
		return print_failure(PRINT_UNKNOWN, "%s", why.text[0] ? why.text : strerror(-r));
	code = view_imas(&report->imas, sig != NULL, a->show.json);
	if (report->n_problems == 0)
		return code;
	return print_failure(PRINT_NOT_GOOD, "%s; plumbctl ledger verify tells all",
			     report->problems[0].text);
}

static int export(const char *form, const char *dir, const struct args *a)
{
	CLEANUP(buf_done) struct buf b = {0};
	const struct fsio *io = fsio_system();
	struct why why = {""};
	int r;

	if (strcmp(form, "proof") == 0 && a->has_line)
		r = ledger_export_proof(io, dir, a->line, &b, &why);
	else if (strcmp(form, "notes") == 0)
		r = ledger_export_notes(io, dir, &b, &why);
	else if (strcmp(form, "cel") == 0)
		r = ledger_export_cel(io, dir, &b, &why);
	else
		return print_failure(PRINT_USAGE,
				     "ledger export makes notes, cel, or proof with --line=LINE");
	if (r < 0)
		return print_failure(r == -EBADMSG ? PRINT_NOT_GOOD : PRINT_UNKNOWN, "%s",
				     why.text[0] ? why.text : strerror(-r));
	if (!a->output || strcmp(a->output, "-") == 0)
		return fwrite(b.data, 1, b.size, stdout) == b.size && fflush(stdout) == 0
			       ? PRINT_GOOD
			       : PRINT_UNKNOWN;
	r = fsio_replace_file(io, a->output, b.data, b.size, 0644);
	return r < 0 ? print_failure(PRINT_UNKNOWN, "%s: %s", a->output, strerror(-r)) : PRINT_GOOD;
}

/* A line's number, all of the text. */
static bool number(const char *text, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoull(text, &end, 10);
	return *text >= '0' && *text <= '9' && !*end && !errno;
}

static bool take_option(struct args *a, int o)
{
	switch (o) {
	case 'd':
		a->show.drift = true;
		return true;
	case 'j':
		a->show.json = true;
		return true;
	case 't':
		a->show.type = optarg;
		return true;
	case 'r':
		a->record = optarg;
		return true;
	case 'o':
		a->output = optarg;
		return true;
	case 'i':
		if (a->n_ima_keys < MAX_KEYS)
			a->ima_keys[a->n_ima_keys++] = optarg;
		return true;
	case 'f':
		return number(optarg, &a->show.from);
	case 'l':
		a->has_line = true;
		return number(optarg, &a->line);
	}
	return false;
}

static int run(int n, char **words, struct args *a)
{
	struct why why = {""};

	if (n == 3 && strcmp(words[0], "export") == 0)
		return export(words[1], words[2], a);
	if (n == 2 && strcmp(words[0], "verify") == 0)
		return verify(words[1], a->record, a->show.json);
	if (n == 2 && strcmp(words[0], "boots") == 0)
		return boots(words[1], a->record, a->show.json);
	if (n == 2 && strcmp(words[0], "ima") == 0)
		return imas(words[1], a);
	if (n != 2 || strcmp(words[0], "show") != 0) {
		help(stderr);
		return PRINT_USAGE;
	}
	a->show.dir = words[1];
	if (ledger_check_each(fsio_system(), words[1], a->show.from, show_line, &a->show, &why) < 0)
		return print_failure(PRINT_UNKNOWN, "%s", why.text);
	return PRINT_GOOD;
}

int cmd_ledger(int argc, char **argv)
{
	static const struct option options[] = {
		{"drift", no_argument, NULL, 'd'},
		{"type", required_argument, NULL, 't'},
		{"from", required_argument, NULL, 'f'},
		{"json", no_argument, NULL, 'j'},
		{"record", required_argument, NULL, 'r'},
		{"ima-keys", required_argument, NULL, 'i'},
		{"line", required_argument, NULL, 'l'},
		{"output", required_argument, NULL, 'o'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct args a = {.output = NULL};
	int o;

	if (argc > 1 && strcmp(argv[1], "fetch") == 0)
		return remote_ledger(argc, argv);
	while ((o = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
		if (o == 'h') {
			help(stdout);
			return PRINT_GOOD;
		}
		if (o == '?')
			return PRINT_USAGE;
		if (!take_option(&a, o))
			return print_failure(PRINT_USAGE, "'%s' is no line number", optarg);
	}
	return run(argc - optind, argv + optind, &a);
}
