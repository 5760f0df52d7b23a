/* SPDX-License-Identifier: Apache-2.0 */
#include "remote_baseline.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accept.h"
#include "cleanup.h"
#include "client.h"
#include "fsio.h"
#include "jsonl.h"
#include "plumb/wire.h"
#include "print.h"

#define MAX_IDS 10000

struct arguments {
	const char *config, *node, *baseline, *output;
	bool json;
};

void remote_baseline_help(FILE *f)
{
	fprintf(f, "Usage: plumbctl baseline push FILE [--node=NODE] [--json]\n"
		   "       plumbctl baseline accept GROUP|CASE… -o FILE [--baseline=FILE] "
		   "[--node=NODE]\n\n"
		   "  push    hands a signed baseline to the verifier; all nodes, or one, judge by "
		   "it\n"
		   "  accept  writes the next version, in which what these open cases found is "
		   "expected; sign and push it\n\n"
		   "GROUP and CASE numbers are those of plumbctl drift summary. Without --baseline "
		   "the version that the verifier\n"
		   "gave to the nodes last is taken. --config=FILE says which verifier.\n"
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

/* Numbers of cases: as given, and those of the groups that are named. */
struct wanted {
	uint64_t ids[MAX_IDS];
	uint32_t n, n_found;
};

static bool is_wanted(const struct wanted *w, uint64_t id)
{
	for (uint32_t i = 0; i < w->n; i++)
		if (w->ids[i] == id)
			return true;
	return false;
}

static int add_group(struct wanted *w, const json_t *groups, const char *name)
{
	json_t *g, *id;
	size_t i, k;

	json_array_foreach (groups, i, g) {
		if (strcmp(client_text(g, "group"), name) != 0 &&
		    strcmp(client_text(g, "key"), name) != 0)
			continue;
		json_array_foreach (json_object_get(g, "cases"), k, id)
			if (w->n < MAX_IDS)
				w->ids[w->n++] = (uint64_t)json_integer_value(id);
		return PRINT_GOOD;
	}
	return print_failure(PRINT_NOT_GOOD,
			     "there is no open group %s; plumbctl drift summary lists them", name);
}

static int read_words(struct client *c, int n, char **words, struct wanted *w)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	int r = client_get_json(c, WIRE_ROUTE_DRIFT_SUMMARY "?open=1", &o);

	for (int i = 0; r == PRINT_GOOD && i < n; i++) {
		const char *text = words[i][0] == '#' ? words[i] + 1 : words[i];
		char *end;
		uint64_t id = strtoull(text, &end, 10);

		if (*text && !*end && id > 0 && w->n < MAX_IDS)
			w->ids[w->n++] = id;
		else
			r = add_group(w, json_object_get(o, "groups"), words[i]);
	}
	return r;
}

static int take_node(struct client *c, const char *id, struct wanted *w, struct accept *accept)
{
	CLEANUP(buf_done) struct buf path = {0};
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	struct why why;
	json_t *k;
	size_t i;
	int r;

	buf_puts(&path, WIRE_ROUTE_NODES "/");
	client_put_escaped(&path, id);
	if (buf_status(&path) < 0)
		return print_failure(PRINT_UNKNOWN, "no memory");
	r = client_get_json(c, (char *)path.data, &o);
	if (r != PRINT_GOOD)
		return r;
	json_array_foreach (json_object_get(o, "cases"), i, k) {
		const struct accept_drift d = {.scope = client_text(k, "scope"),
					       .key = client_text(k, "key"),
					       .found = client_text(k, "found"),
					       .finding = client_text(k, "finding")};

		if (!is_wanted(w, client_number(k, "id")) ||
		    !json_is_null(json_object_get(k, "closed")))
			continue;
		r = accept_add(accept, &d, &why);
		if (r < 0)
			return print_failure(PRINT_NOT_GOOD, "case %" PRIu64 ": %s",
					     client_number(k, "id"), why.text);
		w->n_found++;
	}
	return PRINT_GOOD;
}

static int take_cases(struct client *c, const struct arguments *a, struct wanted *w,
		      struct accept *accept)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	json_t *n;
	size_t i;
	int r;

	if (a->node)
		return take_node(c, a->node, w, accept);
	r = client_get_json(c, WIRE_ROUTE_NODES, &o);
	json_array_foreach (json_object_get(o, "nodes"), i, n)
		if (r == PRINT_GOOD && client_number(n, "open_cases") > 0)
			r = take_node(c, client_text(n, "id"), w, accept);
	return r;
}

/* The newest that the verifier has; kept beside the output for as long as it is read. */
static int fetch_newest(struct client *c, const char *path)
{
	CLEANUP(buf_done) struct buf route = {0}, body = {0};
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	json_t *list, *newest;
	int r = client_get_json(c, WIRE_ROUTE_BASELINES, &o);

	if (r != PRINT_GOOD)
		return r;
	list = json_object_get(o, "baselines");
	newest = json_array_get(list, json_array_size(list) - 1);
	if (!newest)
		return print_failure(PRINT_NOT_GOOD,
				     "the verifier has no baseline yet; --baseline names one");
	buf_printf(&route, "%s%.64s", WIRE_ROUTE_BASELINE_GET, client_text(newest, "sha256"));
	if (buf_status(&route) < 0)
		return print_failure(PRINT_UNKNOWN, "no memory");
	r = client_get(c, (char *)route.data, &body);
	if (r != PRINT_GOOD)
		return r;
	r = fsio_replace_file(fsio_system(), path, body.data, body.size, 0600);
	return r < 0 ? print_failure(PRINT_UNKNOWN, "%s: %s", path, strerror(-r)) : PRINT_GOOD;
}

static int write_next(struct client *c, const struct arguments *a, struct accept *accept)
{
	CLEANUP(buf_done) struct buf temp = {0};
	const char *from = a->baseline;
	uint64_t version = 0;
	struct why why = {""};
	int r = PRINT_GOOD;

	if (!from) {
		buf_printf(&temp, "%s.before", a->output);
		if (buf_status(&temp) < 0)
			return print_failure(PRINT_UNKNOWN, "no memory");
		from = (char *)temp.data;
		r = fetch_newest(c, from);
	}
	if (r == PRINT_GOOD) {
		r = accept_write(accept, from, a->output, &version, &why);
		r = r < 0 ? print_failure(r == -EBADMSG ? PRINT_NOT_GOOD : PRINT_UNKNOWN, "%s",
					  why.text[0] ? why.text : strerror(-r))
			  : PRINT_GOOD;
	}
	if (temp.size > 0)
		fsio_unlink(fsio_system(), (char *)temp.data);
	if (r == PRINT_GOOD)
		printf("%s: version %" PRIu64 ", not signed yet\n\n  plumbctl baseline sign "
		       "--key=KEY.pem %s\n  plumbctl baseline push %s\n",
		       a->output, version, a->output, a->output);
	return r;
}

static int accept_cases(struct client *c, int n, char **words, const struct arguments *a)
{
	struct wanted *w = calloc(1, sizeof(*w));
	struct accept *accept = NULL;
	int r = w && accept_open(&accept) >= 0 ? PRINT_GOOD
					       : print_failure(PRINT_UNKNOWN, "no memory");

	if (r == PRINT_GOOD && !a->output)
		r = print_failure(PRINT_USAGE, "accept wants -o");
	if (r == PRINT_GOOD)
		r = read_words(c, n, words, w);
	if (r == PRINT_GOOD)
		r = take_cases(c, a, w, accept);
	if (r == PRINT_GOOD && w->n_found == 0)
		r = print_failure(PRINT_NOT_GOOD, "none of these cases is open");
	if (r == PRINT_GOOD)
		r = write_next(c, a, accept);
	accept_free(accept);
	free(w);
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
	r = client_open(a.config, &c);
	if (r == PRINT_GOOD)
		r = strcmp(argv[optind], "push") == 0
			    ? push(c, argv[optind + 1], &a)
			    : accept_cases(c, n - 1, argv + optind + 1, &a);
	client_free(c);
	return r;
}
