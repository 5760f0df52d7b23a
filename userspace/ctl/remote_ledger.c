/* SPDX-License-Identifier: Apache-2.0 */
#include "remote_ledger.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "client.h"
#include "fsio.h"
#include "jsonl.h"
#include "ledger_dir.h"
#include "plumb/wire.h"
#include "print.h"

void remote_ledger_help(FILE *f)
{
	fprintf(f, "Usage: plumbctl ledger fetch NODE -o DIR\n\n"
		   "Writes a node's ledger as the verifier has it into a new directory: plumbctl "
		   "ledger verify DIR checks it.\n\n"
		   "--config=FILE says which verifier.\n"
		   "Exit codes: 0 good, 1 refused, 2 could not tell, 64 wrong usage.\n");
}

struct parts {
	struct buf_view record, events;
	struct buf anchors;
	const char *notes, *origin;
	json_t *record_json, *anchors_json, *notes_json;
};

static void parts_done(struct parts *p)
{
	buf_done(&p->anchors);
	json_decref(p->record_json);
	json_decref(p->anchors_json);
	json_decref(p->notes_json);
}

static int next_line(struct buf_view *rest, struct buf_view *ret)
{
	const uint8_t *lf = memchr(rest->data, '\n', rest->size);

	if (!lf)
		return -EBADMSG;
	*ret = (struct buf_view){rest->data, (size_t)(lf - rest->data)};
	rest->size -= ret->size + 1;
	rest->data = lf + 1;
	return 0;
}

static int next_json(struct buf_view *rest, struct buf_view *ret_line, json_t **ret,
		     struct why *ret_why)
{
	int r = next_line(rest, ret_line);

	return r < 0 ? why_set(ret_why, r, "it is cut short")
		     : jsonl_parse(ret_line->data, ret_line->size, 256u << 20, ret, ret_why);
}

static int split(const struct buf *answer, struct parts *p, struct why *ret_why)
{
	struct buf_view rest = {answer->data, answer->size}, line;
	CLEANUP(jsonl_decref_p) json_t *events = NULL;
	uint64_t n, found = 0;
	int r = next_json(&rest, &p->record, &p->record_json, ret_why);

	if (r >= 0)
		r = jsonl_get_str(p->record_json, "origin", 511, &p->origin, ret_why);
	if (r >= 0)
		r = next_json(&rest, &line, &p->anchors_json, ret_why);
	if (r >= 0)
		r = jsonl_get_base64(p->anchors_json, "anchors", 256u << 20, &p->anchors, ret_why);
	if (r >= 0)
		r = next_json(&rest, &line, &p->notes_json, ret_why);
	if (r >= 0)
		r = jsonl_get_str(p->notes_json, "notes", 256u << 20, &p->notes, ret_why);
	if (r >= 0)
		r = next_json(&rest, &line, &events, ret_why);
	if (r >= 0)
		r = jsonl_get_uint(events, "events", INT64_MAX, &n, ret_why);
	if (r < 0)
		return r;
	p->events = rest;
	while (rest.size > 0 && next_line(&rest, &line) >= 0)
		found++;
	return rest.size > 0 || found != n ? why_set(ret_why, -EBADMSG, "it is cut short") : 0;
}

static int put_file(const char *dir, const char *name, const struct buf *b)
{
	char path[PATH_MAX];

	if (buf_status(b) < 0 ||
	    snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		return -ENOMEM;
	return fsio_replace_file(fsio_system(), path, b->data ? (const void *)b->data : "", b->size,
				 0600);
}

static void put_header(struct buf *b, const char *origin)
{
	struct jsonl j;

	jsonl_begin(&j, b);
	jsonl_str(&j, "plumb", "segment");
	jsonl_uint(&j, "v", 1);
	jsonl_str(&j, "origin", origin);
	jsonl_uint(&j, "first", 0);
	jsonl_array(&j, "frontier");
	jsonl_close(&j);
	jsonl_end(&j);
	buf_puts(b, "\n");
}

static int write_parts(const struct parts *p, const char *dir)
{
	CLEANUP(buf_done) struct buf record = {0}, anchors = {0}, notes = {0}, events = {0};
	int r = fsio_mkdir_all(fsio_system(), dir, 0700);

	buf_put(&record, p->record.data, p->record.size);
	buf_puts(&record, "\n");
	buf_puts(&anchors, LEDGER_ANCHORS_MAGIC);
	buf_put(&anchors, p->anchors.data, p->anchors.size);
	buf_puts(&notes, p->notes);
	put_header(&events, p->origin);
	buf_put(&events, p->events.data, p->events.size);
	if (r >= 0)
		r = put_file(dir, "events-00000000000000000000.jsonl", &events);
	if (r >= 0)
		r = put_file(dir, "anchors", &anchors);
	if (r >= 0)
		r = put_file(dir, "notes", &notes);
	return r < 0 ? r : put_file(dir, "record.json", &record);
}

static int fetch(struct client *c, const char *node, const char *dir)
{
	CLEANUP(buf_done) struct buf path = {0}, answer = {0};
	CLEANUP(parts_done) struct parts p = {.notes = NULL};
	struct why why = {""};
	int r;

	if (access(dir, F_OK) == 0)
		return print_failure(PRINT_USAGE, "%s is there already", dir);
	buf_puts(&path, WIRE_ROUTE_LEDGER);
	client_put_escaped(&path, node);
	if (buf_status(&path) < 0)
		return print_failure(PRINT_UNKNOWN, "no memory");
	r = client_get(c, (char *)path.data, &answer);
	if (r != PRINT_GOOD)
		return r;
	r = split(&answer, &p, &why);
	if (r < 0)
		return print_failure(PRINT_UNKNOWN, "the verifier's answer cannot be read: %s",
				     why.text);
	r = write_parts(&p, dir);
	if (r < 0)
		return print_failure(PRINT_UNKNOWN, "%s: %s", dir, strerror(-r));
	printf("%s: the ledger of %s; plumbctl ledger verify %s\n", dir, p.origin, dir);
	return PRINT_GOOD;
}

int remote_ledger(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"output", required_argument, NULL, 'o'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	const char *config = NULL, *dir = NULL;
	struct client *c = NULL;
	int o, r;

	while ((o = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
		if (o == 'h') {
			remote_ledger_help(stdout);
			return PRINT_GOOD;
		}
		if (o == '?')
			return print_failure(PRINT_USAGE,
					     "plumbctl ledger --help tells the options");
		config = o == 'c' ? optarg : config;
		dir = o == 'o' ? optarg : dir;
	}
	if (argc - optind != 2 || !dir) {
		remote_ledger_help(stderr);
		return PRINT_USAGE;
	}
	r = client_open(config, &c);
	if (r == PRINT_GOOD)
		r = fetch(c, argv[optind + 1], dir);
	client_free(c);
	return r;
}
