/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_incident.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "client.h"
#include "clock.h"
#include "fsio.h"
#include "incident_check.h"
#include "incident_fetch.h"
#include "incident_files.h"
#include "incident_make.h"
#include "jsonl.h"
#include "plumb/terms.h"
#include "print.h"

#define MAX_GIVEN 16
#define MAX_PEM 65536
#define MAX_SNAPSHOT (64u << 20)
#define NS_PER_S 1000000000ull

struct arguments {
	const char *config, *from, *to, *incarnation, *output, *ledger, *ima, *key, *record;
	const char *operator_keys[MAX_GIVEN], *verifier_keys[MAX_GIVEN];
	const char *snapshots[MAX_GIVEN];
	uint32_t n_operator_keys, n_verifier_keys, n_snapshots;
	bool json, too_many;
};

struct keys {
	struct sign_key *all[MAX_GIVEN];
	uint32_t n;
};

static void help(FILE *f)
{
	fputs("Usage: plumbctl incident NODE [--from=TIME] [--to=TIME] [--incarnation=N]\n"
	      "           [--snapshot=FILE …] [--ima=DIR] -o FILE\n"
	      "       plumbctl incident --ledger=DIR --key=PRIVATE.pem [--from=TIME] [--to=TIME]\n"
	      "           [--snapshot=FILE …] -o FILE\n"
	      "       plumbctl incident verify FILE [--operator-key=PUBLIC.pem …]\n"
	      "           [--verifier-key=PUBLIC.pem …] [--record=FILE] [--json]\n\n"
	      "One signed archive (tar, zstd) of all that is known of a node in a span of time: "
	      "its ledger's\nlines, quotes and boot logs, what the verifier states of it and has "
	      "in its own log, and a\ntimeline as text and as a page. verify proves it without "
	      "anybody else.\n\n"
	      "  --from=TIME, --to=TIME  2026-11-23T19:40:00Z, or how long ago: 90m, 2h, 3d; "
	      "without them all\n"
	      "  --incarnation=N  an earlier one, before the node was enrolled anew\n"
	      "  --snapshot=FILE  a snapshot that the node took of itself, from its state "
	      "directory\n"
	      "  --ima=DIR        the node's ledger directory, or a copy: it has IMA's lists, "
	      "which "
	      "a verifier\n"
	      "                   does not keep\n"
	      "  -o, --output=FILE  the archive\n"
	      "  --ledger=DIR     a copied ledger directory alone, without a verifier\n"
	      "  --key=FILE       who signs then; else the operator's own key does\n"
	      "  --operator-key=FILE  who must have signed it\n"
	      "  --verifier-key=FILE  keys of the verifier: of verdicts (P-256), of its log "
	      "(Ed25519)\n"
	      "  --record=FILE    the node's enrolment record, kept elsewhere\n"
	      "  --json           for machines\n\n"
	      "--config=FILE says which verifier.\n"
	      "Exit codes: 0 good: all of it is proven, 1 bad, 2 something is only stated, or "
	      "could not tell,\n64 wrong usage.\n",
	      f);
}

/* "90m" ago, or a time as it stands in the lines, as far as it is given. */
static bool read_time(const char *text, uint64_t now_ns, uint64_t *ret)
{
	static const char model[] = "0000-00-00T00:00:00.000000000Z";
	char whole[sizeof(model)];
	size_t size = strlen(text);
	char *end;
	uint64_t n = strtoull(text, &end, 10), unit;

	unit = strcmp(end, "s") == 0   ? 1
	       : strcmp(end, "m") == 0 ? 60
	       : strcmp(end, "h") == 0 ? 3600
	       : strcmp(end, "d") == 0 ? 86400
				       : 0;
	if (end != text && *text >= '0' && *text <= '9' && unit > 0) {
		if (n > now_ns / NS_PER_S / unit)
			return false;
		*ret = now_ns - n * unit * NS_PER_S;
		return true;
	}
	if (size > 0 && text[size - 1] == 'Z')
		size--;
	if (size != 10 && size != 16 && size < 19)
		return false;
	if (size >= sizeof(model) - 1)
		return false;
	memcpy(whole, model, sizeof(model));
	memcpy(whole, text, size);
	if (size > 10 && whole[10] == ' ')
		whole[10] = 'T';
	if (size > 19)
		whole[19] = '.';
	return clock_from_text(whole, ret) >= 0;
}

static int read_key(const char *path, bool private, struct sign_key **ret)
{
	CLEANUP(buf_done) struct buf pem = {0};
	struct why why = {""};
	int r = fsio_read_file(fsio_system(), path, MAX_PEM, &pem);

	if (r >= 0)
		r = sign_key_from_pem((char *)pem.data, pem.size, ret, &why);
	if (pem.size > 0)
		OPENSSL_cleanse(pem.data, pem.size);
	if (r < 0)
		return print_failure(PRINT_UNKNOWN, "%s: %s", path,
				     why.text[0] ? why.text : strerror(-r));
	return private && !sign_key_is_private(*ret)
		       ? print_failure(PRINT_USAGE, "%s: it has no private part", path)
		       : PRINT_GOOD;
}

static int read_keys(const char *const *paths, uint32_t n, struct keys *ret)
{
	int r = PRINT_GOOD;

	for (uint32_t i = 0; i < n && r == PRINT_GOOD; i++) {
		r = read_key(paths[i], false, &ret->all[i]);
		ret->n += r == PRINT_GOOD;
	}
	return r;
}

static void keys_done(struct keys *k)
{
	for (uint32_t i = 0; i < MAX_GIVEN; i++)
		sign_key_free(k->all[i]);
}

static void tell_made(const char *path, const struct incident_manifest *m)
{
	printf("%s: lines %" PRIu64 " to %" PRIu64 " of ", path, m->first, m->end - 1);
	print_safe(stdout, m->label, strlen(m->label));
	printf(", %u files\n\n  plumbctl incident verify %s\n", m->n_files, path);
}

static int make(struct incident_make_in *in)
{
	struct incident_manifest m = {.files = NULL};
	struct why why = {""};
	int r = incident_make(in, &m, &why);

	if (r < 0)
		return print_failure(r == -ENOENT || r == -EBADMSG ? PRINT_NOT_GOOD : PRINT_UNKNOWN,
				     "%s", why.text);
	tell_made(in->output, &m);
	incident_manifest_done(&m);
	return PRINT_GOOD;
}

static int make_here(const struct arguments *a, struct incident_make_in *in)
{
	struct sign_key *key = NULL;
	int r = read_key(a->key, true, &key);

	in->ledger = a->ledger;
	in->key = key;
	if (r == PRINT_GOOD)
		r = make(in);
	sign_key_free(key);
	return r;
}

static int make_there(const struct arguments *a, const char *node, const char *scratch,
		      struct incident_make_in *in)
{
	char ledger[PATH_MAX];
	struct incident_fetch_in f = {.node = node,
				      .incarnation = a->incarnation,
				      .from_ns = in->from_ns,
				      .to_ns = in->to_ns,
				      .dir = in->dir,
				      .ledger = ledger};
	struct client *c = NULL;
	int r = client_open(a->config, &c);

	snprintf(ledger, sizeof(ledger), "%s/all", scratch);
	if (r == PRINT_GOOD)
		r = incident_fetch(c, &f);
	if (r == PRINT_GOOD) {
		in->ledger = ledger;
		in->key = client_key(c);
		in->by = client_who(c);
		in->verifier = true;
		r = make(in);
	}
	client_free(c);
	return r;
}

/* As it is: the ledger has its digest. */
static int take_snapshots(const struct arguments *a, const char *dir)
{
	for (uint32_t i = 0; i < a->n_snapshots; i++) {
		CLEANUP(buf_done) struct buf b = {0};
		const char *slash = strrchr(a->snapshots[i], '/');
		char to[PATH_MAX + 64];
		int r = fsio_read_file(fsio_system(), a->snapshots[i], MAX_SNAPSHOT, &b);

		snprintf(to, sizeof(to), "%s/snapshots", dir);
		if (r >= 0)
			r = fsio_mkdir_all(fsio_system(), to, 0700);
		if (r >= 0 && snprintf(to, sizeof(to), "%s/snapshots/%s", dir,
				       slash ? slash + 1 : a->snapshots[i]) >= (int)sizeof(to))
			r = -ENAMETOOLONG;
		if (r >= 0)
			r = fsio_replace_file(fsio_system(), to, b.data, b.size, 0600);
		if (r < 0)
			return print_failure(PRINT_UNKNOWN, "%s: %s", a->snapshots[i],
					     strerror(-r));
	}
	return PRINT_GOOD;
}

static int run_make(const struct arguments *a, const char *node)
{
	uint64_t now = clock_utc_ns(clock_system());
	struct incident_make_in in = {.output = a->output, .by = "", .to_ns = now, .made_ns = now};
	char scratch[64], dir[PATH_MAX];
	int r;

	if (a->from && !read_time(a->from, now, &in.from_ns))
		return print_failure(PRINT_USAGE,
				     "--from=%s is no time like 2026-11-23T19:40:00Z or 2h",
				     a->from);
	if (a->to && !read_time(a->to, now, &in.to_ns))
		return print_failure(PRINT_USAGE,
				     "--to=%s is no time like 2026-11-23T19:40:00Z or 2h", a->to);
	if (in.from_ns > in.to_ns)
		return print_failure(PRINT_USAGE, "--from is after --to");
	r = incident_files_scratch(scratch);
	if (r < 0)
		return print_failure(PRINT_UNKNOWN, "no directory for it: %s", strerror(-r));
	snprintf(dir, sizeof(dir), "%s/files", scratch);
	in.dir = dir;
	in.ima = a->ima;
	if (fsio_mkdir_all(fsio_system(), dir, 0700) < 0)
		r = print_failure(PRINT_UNKNOWN, "%s: %s", dir, strerror(errno));
	else
		r = take_snapshots(a, dir);
	if (r == PRINT_GOOD)
		r = node ? make_there(a, node, scratch, &in) : make_here(a, &in);
	incident_files_remove(scratch);
	return r;
}

static void put_points(const char *word, enum print_colour colour, const struct incident_points *p)
{
	for (uint32_t i = 0; i < p->n && i < INCIDENT_CHECK_MAX; i++) {
		printf("  %s%-8s%s ", print_on(stdout, colour), word, print_off(stdout));
		print_safe(stdout, p->text[i], strlen(p->text[i]));
		fputc('\n', stdout);
	}
	if (p->n > INCIDENT_CHECK_MAX)
		printf("  %-8s and %u more\n", word, p->n - INCIDENT_CHECK_MAX);
}

static void put_json_points(struct jsonl *j, const char *name, const struct incident_points *p)
{
	jsonl_array(j, name);
	for (uint32_t i = 0; i < p->n && i < INCIDENT_CHECK_MAX; i++)
		jsonl_str(j, NULL, p->text[i]);
	jsonl_close(j);
}

static void put_json(const struct incident_manifest *m, const struct incident_report *r)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct jsonl j;

	jsonl_begin(&j, &b);
	jsonl_str(&j, "result", ledger_check_result_name(incident_check_result(r)));
	jsonl_str(&j, "node", m->node);
	jsonl_str(&j, "label", m->label);
	jsonl_uint(&j, "first", m->first);
	jsonl_uint(&j, "end", m->end);
	jsonl_uint(&j, "files", m->n_files);
	put_json_points(&j, "proven", &r->proven);
	put_json_points(&j, "stated", &r->stated);
	put_json_points(&j, "bad", &r->bad);
	jsonl_end(&j);
	if (buf_status(&b) == 0)
		puts((char *)b.data);
}

static void put_text(const char *path, const struct incident_manifest *m,
		     const struct incident_report *r)
{
	static const enum print_colour colours[] = {PRINT_GREEN, PRINT_RED, PRINT_YELLOW};
	static const char *const words[] = {"all of it is proven", "it is not what it says it is",
					    "nothing bad was found, but not all of it is proven"};
	enum ledger_check_result result = incident_check_result(r);
	char from[CLOCK_TEXT_SIZE] = "its beginning", to[CLOCK_TEXT_SIZE];

	if (m->from_ns > 0)
		clock_text(m->from_ns, from);
	clock_text(m->to_ns, to);
	printf("%s: ", path);
	print_safe(stdout, m->label, strlen(m->label));
	printf(", from %s to %s, lines %" PRIu64 " to %" PRIu64 "\n", from, to, m->first,
	       m->end > 0 ? m->end - 1 : 0);
	put_points("proven", PRINT_GREEN, &r->proven);
	put_points("stated", PRINT_YELLOW, &r->stated);
	put_points("bad", PRINT_RED, &r->bad);
	printf("%s%s%s: %s\n", print_on(stdout, colours[result]), ledger_check_result_name(result),
	       print_off(stdout), words[result]);
}

static int check(const struct arguments *a, const char *path, const struct keys *operators,
		 const struct keys *verifiers, const char *dir, struct incident_report *report)
{
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct incident_manifest m = {.files = NULL};
	struct why why = {""};
	const struct incident_check_in in = {
		.dir = dir,
		.m = &m,
		.signer_is_trusted = operators->n > 0,
		.keys = (const struct sign_key *const *)verifiers->all,
		.n_keys = verifiers->n,
		.record = a->record,
		.tool = INCIDENT_TOOL,
	};
	static const int codes[] = {PRINT_GOOD, PRINT_NOT_GOOD, PRINT_UNKNOWN};
	int r;

	if (fd < 0)
		return print_failure(PRINT_UNKNOWN, "%s: %s", path, strerror(errno));
	r = incident_files_unpack(fd, dir, (const struct sign_key *const *)operators->all,
				  operators->n, &m, &why);
	if (r < 0)
		return print_failure(r == -EBADMSG || r == -EKEYREJECTED || r == -EFBIG
					     ? PRINT_NOT_GOOD
					     : PRINT_UNKNOWN,
				     "%s: %s", path, why.text[0] ? why.text : strerror(-r));
	r = incident_check(&in, report, &why);
	if (r >= 0 && a->json)
		put_json(&m, report);
	else if (r >= 0)
		put_text(path, &m, report);
	incident_manifest_done(&m);
	return r < 0 ? print_failure(PRINT_UNKNOWN, "%s: %s", path, why.text)
		     : codes[incident_check_result(report)];
}

static int run_verify(const struct arguments *a, const char *path)
{
	CLEANUP(keys_done) struct keys operators = {.n = 0}, verifiers = {.n = 0};
	struct incident_report report;
	char dir[64];
	int r = read_keys(a->operator_keys, a->n_operator_keys, &operators);

	if (r == PRINT_GOOD)
		r = read_keys(a->verifier_keys, a->n_verifier_keys, &verifiers);
	if (r != PRINT_GOOD)
		return r;
	r = incident_files_scratch(dir);
	if (r < 0)
		return print_failure(PRINT_UNKNOWN, "no directory for it: %s", strerror(-r));
	r = check(a, path, &operators, &verifiers, dir, &report);
	incident_files_remove(dir);
	return r;
}

static void add_path(struct arguments *a, const char **list, uint32_t *n)
{
	if (*n == MAX_GIVEN)
		a->too_many = true;
	else
		list[(*n)++] = optarg;
}

static bool take_option(struct arguments *a, int o)
{
	const char **const texts[128] = {
		['c'] = &a->config,	 ['f'] = &a->from,   ['t'] = &a->to,
		['i'] = &a->incarnation, ['o'] = &a->output, ['l'] = &a->ledger,
		['k'] = &a->key,	 ['r'] = &a->record, ['I'] = &a->ima};

	if (o == 'j')
		a->json = true;
	else if (o == 'O')
		add_path(a, a->operator_keys, &a->n_operator_keys);
	else if (o == 'S')
		add_path(a, a->snapshots, &a->n_snapshots);
	else if (o == 'V')
		add_path(a, a->verifier_keys, &a->n_verifier_keys);
	else if (o > 0 && o < 128 && texts[o])
		*texts[o] = optarg;
	else
		return false;
	return true;
}

static int run(const struct arguments *a, int n, char **words)
{
	bool makes =
		a->output && !a->record && !a->n_operator_keys && !a->n_verifier_keys && !a->json;

	if (a->too_many)
		return print_failure(PRINT_USAGE, "at most %d keys or snapshots", MAX_GIVEN);
	if (a->incarnation && (!a->incarnation[0] || strlen(a->incarnation) > 18 ||
			       strspn(a->incarnation, "0123456789") != strlen(a->incarnation)))
		return print_failure(PRINT_USAGE, "--incarnation=%s is no number", a->incarnation);
	if (n == 2 && strcmp(words[0], "verify") == 0 && !a->output && !a->ledger && !a->key &&
	    !a->from && !a->to && !a->incarnation && !a->n_snapshots && !a->ima)
		return run_verify(a, words[1]);
	if (n == 1 && makes && !a->ledger && !a->key && words[0][0])
		return run_make(a, words[0]);
	if (n == 0 && makes && a->ledger && a->key && !a->incarnation)
		return run_make(a, NULL);
	help(stderr);
	return PRINT_USAGE;
}

int cmd_incident(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"from", required_argument, NULL, 'f'},
		{"to", required_argument, NULL, 't'},
		{"incarnation", required_argument, NULL, 'i'},
		{"output", required_argument, NULL, 'o'},
		{"ledger", required_argument, NULL, 'l'},
		{"key", required_argument, NULL, 'k'},
		{"record", required_argument, NULL, 'r'},
		{"operator-key", required_argument, NULL, 'O'},
		{"snapshot", required_argument, NULL, 'S'},
		{"ima", required_argument, NULL, 'I'},
		{"verifier-key", required_argument, NULL, 'V'},
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct arguments a = {.json = false};
	int o;

	while ((o = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
		if (o == 'h') {
			help(stdout);
			return PRINT_GOOD;
		}
		if (!take_option(&a, o))
			return print_failure(PRINT_USAGE,
					     "plumbctl incident --help tells the options");
	}
	return run(&a, argc - optind, argv + optind);
}
