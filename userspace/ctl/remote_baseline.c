/* SPDX-License-Identifier: Apache-2.0 */
#include "remote_baseline.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accept.h"
#include "baseline.h"
#include "cleanup.h"
#include "client.h"
#include "fsio.h"
#include "jsonl.h"
#include "plumb/wire.h"
#include "print.h"
#include "selection.h"

struct arguments {
	const char *config, *node, *baseline, *output;
	bool json;
};

void remote_baseline_help(FILE *f)
{
	fprintf(f, "Usage: plumbctl baseline push FILE [--node=NODE] [--json]\n"
		   "       plumbctl baseline accept GROUP|CASE… -o FILE [--baseline=FILE] "
		   "[--node=NODE] [--json]\n\n"
		   "  push    hands a signed baseline to the verifier; all nodes, or one, judge by "
		   "it\n"
		   "  accept  writes the next version, in which what these open cases found is "
		   "expected; sign and push it\n\n"
		   "CASE is a number, GROUP what plumbctl drift summary --json calls so, or its "
		   "key. It "
		   "goes on from the baseline by which\nthe nodes are judged, or from --baseline. "
		   "--config=FILE says which verifier.\n"
		   "Exit codes: 0 good, 1 refused, 2 could not tell, 64 wrong usage.\n");
}

bool remote_baseline_is(const char *word)
{
	return strcmp(word, "push") == 0 || strcmp(word, "accept") == 0;
}

static int push(struct client *c, const char *file, const struct arguments *a)
{
	CLEANUP(buf_done) struct buf body = {0}, answer = {0}, path = {0};
	int r = fsio_read_file(fsio_system(), file, WIRE_MAX_BASELINE_BODY, &body);

	if (r < 0)
		return print_failure(PRINT_UNKNOWN, "%s: %s", file, strerror(-r));
	buf_puts(&path, WIRE_ROUTE_BASELINES);
	if (a->node) {
		buf_puts(&path, "?node=");
		client_put_escaped(&path, a->node);
	}
	if (buf_status(&path) < 0)
		return print_failure(PRINT_UNKNOWN, "no memory");
	r = client_post(c, (char *)path.data, WIRE_TYPE_BASELINE, body.data, body.size, &answer);
	return r == PRINT_GOOD ? client_print_answer(&answer, a->json) : r;
}

/* What the open cases found, and by which baseline their nodes are judged. */
struct taking {
	struct accept *accept;
	bool any_baseline; /* --baseline names one */
	char sha256[DIGEST_HEX_SIZE];
};

static int on_node(void *ctx, const json_t *node, const json_t *const *cases, size_t n)
{
	const char *sha256 = client_text(json_object_get(node, "baseline"), "sha256");
	struct taking *t = ctx;
	struct digest d;
	struct why why;

	if (!t->any_baseline && digest_from_hex(sha256, &d) < 0)
		return print_failure(PRINT_NOT_GOOD, "%s has no baseline; --baseline names one",
				     client_text(node, "label"));
	if (!t->any_baseline && t->sha256[0] && strcmp(sha256, t->sha256) != 0)
		return print_failure(PRINT_NOT_GOOD,
				     "these nodes are judged by different baselines; accept by "
				     "--node, or name one with --baseline");
	if (!t->any_baseline)
		digest_hex(&d, t->sha256);
	for (size_t i = 0; i < n; i++) {
		const struct accept_drift drift = {.scope = client_text(cases[i], "scope"),
						   .key = client_text(cases[i], "key"),
						   .found = client_text(cases[i], "found"),
						   .finding = client_text(cases[i], "finding")};

		if (accept_add(t->accept, &drift, &why) < 0)
			return print_failure(PRINT_NOT_GOOD, "case %" PRIu64 ": %s",
					     client_number(cases[i], "id"), why.text);
	}
	return PRINT_GOOD;
}

/* What is signed next is everything in it: whose word that was is said when it was not the operator's own. */
static int check_signer(struct client *c, const char *path, const char *sha256)
{
	const struct sign_key *key = client_key(c);
	struct baseline *b = NULL;
	char hex[DIGEST_HEX_SIZE];
	struct why why = {""};
	int r = baseline_open(fsio_system(), path, &key, 1, 0, &b, &why);

	if (r == -EKEYREJECTED) {
		r = baseline_open(fsio_system(), path, NULL, 0, 0, &b, &why);
		if (r >= 0)
			fprintf(stderr,
				"note: version %" PRIu64 " was not signed by your key; "
				"look at all of the new one before you sign it\n",
				baseline_info(b)->version);
	}
	if (r < 0)
		return print_failure(PRINT_UNKNOWN, "the verifier's baseline cannot be read: %s",
				     why.text);
	digest_hex(&baseline_info(b)->document, hex);
	baseline_free(b);
	return strcmp(hex, sha256) == 0
		       ? PRINT_GOOD
		       : print_failure(PRINT_UNKNOWN,
				       "the verifier sent another baseline than %.12s", sha256);
}

/* Kept beside the output for as long as it is read. */
static int fetch_document(struct client *c, const char *sha256, const char *output,
			  char path[PATH_MAX])
{
	CLEANUP(buf_done) struct buf route = {0}, body = {0};
	CLEANUP_CLOSE int fd = -1;
	int r;

	buf_printf(&route, "%s%s", WIRE_ROUTE_BASELINE_GET, sha256);
	if (buf_status(&route) < 0)
		return print_failure(PRINT_UNKNOWN, "no memory");
	r = client_get(c, (char *)route.data, &body);
	if (r != PRINT_GOOD)
		return r;
	if (snprintf(path, PATH_MAX, "%s.before-XXXXXX", output) >= PATH_MAX) {
		path[0] = 0;
		return print_failure(PRINT_USAGE, "-o: the name is too long");
	}
	fd = mkostemp(path, O_CLOEXEC);
	r = fd < 0 ? -errno : fsio_replace_file(fsio_system(), path, body.data, body.size, 0600);
	if (fd < 0)
		path[0] = 0;
	return r < 0 ? print_failure(PRINT_UNKNOWN, "%s: %s", output, strerror(-r))
		     : check_signer(c, path, sha256);
}

/* The highest version that the verifier has: what is pushed must be above it. */
static int highest_version(struct client *c, uint64_t *ret)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	json_t *b;
	size_t i;
	int r = client_get_json(c, WIRE_ROUTE_BASELINES, &o);

	json_array_foreach (json_object_get(o, "baselines"), i, b)
		if (client_number(b, "version") > *ret)
			*ret = client_number(b, "version");
	return r;
}

static void on_change(void *ctx, const struct accept_change *c)
{
	size_t columns = print_columns(stdout), rest = columns ? columns - 11 : 0;

	(void)ctx;
	printf("%s%s%s ", print_on(stdout, c->before ? PRINT_YELLOW : PRINT_GREEN),
	       c->before ? "~" : "+", print_off(stdout));
	print_fit(stdout, c->scope, 24, PRINT_CUT_MIDDLE);
	fputc(' ', stdout);
	print_value(stdout, c->key, columns ? columns - 28 : 0, PRINT_CUT_MIDDLE);
	if (c->before) {
		fputs("\n    before ", stdout);
		print_value(stdout, c->before, rest, PRINT_CUT_END);
	}
	fputs("\n    now    ", stdout);
	print_value(stdout, c->now, rest, PRINT_CUT_END);
	fputc('\n', stdout);
}

static void on_change_json(void *ctx, const struct accept_change *c)
{
	struct jsonl *j = ctx;

	jsonl_object(j, NULL);
	jsonl_str(j, "mark", c->before ? "~" : "+");
	jsonl_str(j, "s", c->scope);
	jsonl_str(j, "k", c->key);
	jsonl_str(j, "x", c->before ? c->before : c->now);
	if (c->before)
		jsonl_str(j, "now", c->now);
	jsonl_close(j);
}

static int write_next(struct accept *accept, const struct arguments *a, const char *from,
		      uint64_t above)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct jsonl j;
	const struct accept_options o = {.from = from,
					 .to = a->output,
					 .above = above,
					 .changed = a->json ? on_change_json : on_change,
					 .ctx = &j};
	uint64_t version = 0;
	struct why why = {""};
	int r;

	jsonl_begin(&j, &b);
	jsonl_array(&j, "changes");
	r = accept_write(accept, &o, &version, &why);
	if (r < 0)
		return print_failure(r == -EBADMSG || r == -EINVAL || r == -EALREADY
					     ? PRINT_NOT_GOOD
					     : PRINT_UNKNOWN,
				     "%s", why.text);
	if (a->json) {
		jsonl_close(&j);
		jsonl_str(&j, "file", a->output);
		jsonl_uint(&j, "version", version);
		jsonl_end(&j);
		if (buf_status(&b) < 0)
			return print_failure(PRINT_UNKNOWN, "no memory");
		puts((char *)b.data);
		return PRINT_GOOD;
	}
	printf("%s: version %" PRIu64 ", not signed yet\n\n  plumbctl baseline sign --key=KEY.pem "
	       "%s\n  plumbctl baseline push %s",
	       a->output, version, a->output, a->output);
	printf(a->node ? " --node=%s\n" : "\n", a->node);
	return PRINT_GOOD;
}

static int accept_into(struct client *c, const struct selection *s, const struct arguments *a,
		       struct accept *accept)
{
	struct taking t = {.accept = accept, .any_baseline = a->baseline != NULL};
	char temp[PATH_MAX] = "";
	uint64_t above = 0;
	int r = selection_each(s, on_node, &t);

	if (r == PRINT_GOOD)
		r = highest_version(c, &above);
	if (r == PRINT_GOOD && !a->baseline)
		r = fetch_document(c, t.sha256, a->output, temp);
	if (r == PRINT_GOOD)
		r = write_next(accept, a, a->baseline ? a->baseline : temp, above);
	if (temp[0])
		fsio_unlink(fsio_system(), temp);
	return r;
}

static int accept_cases(struct client *c, int n, char **words, const struct arguments *a)
{
	struct selection *s = NULL;
	struct accept *accept = NULL;
	int r = accept_open(&accept) >= 0 ? PRINT_GOOD : print_failure(PRINT_UNKNOWN, "no memory");

	if (r == PRINT_GOOD)
		r = selection_open(c, a->node, n, words, &s);
	if (r == PRINT_GOOD)
		r = accept_into(c, s, a, accept);
	selection_free(s);
	accept_free(accept);
	return r;
}

int remote_baseline(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"node", required_argument, NULL, 'n'},
		{"baseline", required_argument, NULL, 'b'},
		{"output", required_argument, NULL, 'o'},
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct arguments a = {.json = false};
	struct client *c = NULL;
	int o, n, r;

	while ((o = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
		if (o == 'h') {
			remote_baseline_help(stdout);
			return PRINT_GOOD;
		}
		if (o == '?')
			return print_failure(PRINT_USAGE,
					     "plumbctl baseline --help tells the options");
		a.json |= o == 'j';
		a.config = o == 'c' ? optarg : a.config;
		a.node = o == 'n' ? optarg : a.node;
		a.baseline = o == 'b' ? optarg : a.baseline;
		a.output = o == 'o' ? optarg : a.output;
	}
	n = argc - optind;
	if (n < 2 || (strcmp(argv[optind], "push") == 0 && n != 2)) {
		remote_baseline_help(stderr);
		return PRINT_USAGE;
	}
	if (strcmp(argv[optind], "accept") == 0 && !a.output)
		return print_failure(PRINT_USAGE, "accept wants -o FILE");
	r = client_open(a.config, &c);
	if (r == PRINT_GOOD)
		r = strcmp(argv[optind], "push") == 0
			    ? push(c, argv[optind + 1], &a)
			    : accept_cases(c, n - 1, argv + optind + 1, &a);
	client_free(c);
	return r;
}
