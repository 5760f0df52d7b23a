/* SPDX-License-Identifier: Apache-2.0 */
#include "remote_ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture_file.h"
#include "cleanup.h"
#include "client.h"
#include "fsio.h"
#include "jsonl.h"
#include "ledger_boot.h"
#include "ledger_dir.h"
#include "ledger_tiles.h"
#include "merkle.h"
#include "plumb/wire.h"
#include "print.h"
#include "record.h"

#define SEGMENT "events-00000000000000000000.jsonl"
#define MAX_RECORD 65536u
#define MAX_PART (256u << 20)
#define MAX_TILES 64 /* held until they are written */

void remote_ledger_help(FILE *f)
{
	fprintf(f, "Usage: plumbctl ledger fetch NODE [--incarnation=N] -o DIR\n\n"
		   "Writes a node's ledger as the verifier has it into a new directory: plumbctl "
		   "ledger verify DIR checks it.\n\n"
		   "  --incarnation=N  an earlier one, before the node was enrolled anew\n\n"
		   "--config=FILE says which verifier.\n"
		   "Exit codes: 0 good, 1 refused, 2 could not tell, 64 wrong usage.\n");
}

/* What it is made of; borrowed from the answer, but for the anchors. */
struct parts {
	struct buf_view record, events;
	struct buf anchors;
	const char *notes;
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
	const uint8_t *lf = rest->size ? memchr(rest->data, '\n', rest->size) : NULL;

	if (!lf)
		return -EBADMSG;
	*ret = (struct buf_view){rest->data, (size_t)(lf - rest->data)};
	rest->size -= ret->size + 1;
	rest->data = lf + 1;
	return 0;
}

static int next_json(struct buf_view *rest, size_t max, struct buf_view *ret_line, json_t **ret,
		     struct why *ret_why)
{
	int r = next_line(rest, ret_line);

	return r < 0 ? why_set(ret_why, r, "it is cut short")
		     : jsonl_parse(ret_line->data, ret_line->size, max, ret, ret_why);
}

static int check_events(const struct parts *p, uint64_t n, struct why *ret_why)
{
	struct buf_view rest = p->events, line;
	uint64_t found = 0;

	for (; rest.size > 0; found++) {
		if (next_line(&rest, &line) < 0)
			return why_set(ret_why, -EBADMSG, "line %" PRIu64 " is cut short", found);
		if (line.size > WIRE_MAX_LINE)
			return why_set(ret_why, -EBADMSG, "line %" PRIu64 " is too long", found);
	}
	return found != n ? why_set(ret_why, -EBADMSG, "it says %" PRIu64 " lines and has %" PRIu64,
				    n, found)
			  : 0;
}

static int split(const void *answer, size_t size, struct parts *p, struct record *ret_record,
		 struct why *ret_why)
{
	struct buf_view rest = {answer, size}, line;
	CLEANUP(jsonl_decref_p) json_t *events = NULL;
	uint64_t n = 0;
	int r = next_json(&rest, MAX_RECORD, &p->record, &p->record_json, ret_why);

	if (r >= 0)
		r = record_parse(p->record.data, p->record.size, ret_record, ret_why);
	if (r >= 0)
		r = next_json(&rest, MAX_PART, &line, &p->anchors_json, ret_why);
	if (r >= 0)
		r = jsonl_get_base64(p->anchors_json, "anchors", MAX_PART, &p->anchors, ret_why);
	if (r >= 0)
		r = next_json(&rest, MAX_PART, &line, &p->notes_json, ret_why);
	if (r >= 0)
		r = jsonl_get_str(p->notes_json, "notes", MAX_PART, &p->notes, ret_why);
	if (r >= 0)
		r = next_json(&rest, MAX_RECORD, &line, &events, ret_why);
	if (r >= 0)
		r = jsonl_get_uint(events, "events", INT64_MAX, &n, ret_why);
	if (r < 0)
		return r == -ENOENT ? -EBADMSG : r;
	p->events = rest;
	return check_events(p, n, ret_why);
}

/* Whose ledger it is must be what was asked for: an id, the beginning of one, or a label. */
static bool is_of(const struct record *r, const char *node)
{
	return strcmp(r->label, node) == 0 ||
	       (strlen(node) >= 4 && strncmp(r->node, node, strlen(node)) == 0);
}

static int put_file(const char *dir, const char *name, const char *head, const void *data,
		    size_t size)
{
	struct capture_file *f = NULL;
	char path[PATH_MAX];
	int r;

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	r = capture_file_open(fsio_system(), path, &f);
	if (r >= 0)
		r = capture_file_put(f, head, strlen(head));
	if (r >= 0 && size > 0)
		r = capture_file_put(f, data, size);
	if (r >= 0)
		return capture_file_commit(f);
	capture_file_abandon(f);
	return r;
}

static void make_header(struct buf *b, const char *origin)
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

/* Made from the lines, as the node's own are: a proof of one line needs them. */
static int write_tiles(const struct parts *p, const char *dir)
{
	struct buf_view rest = p->events, line;
	struct ledger_tiles *t = NULL;
	struct digest leaf;
	int r = ledger_tiles_open(fsio_system(), dir, 0, &t);

	while (r >= 0 && next_line(&rest, &line) >= 0) {
		r = merkle_leaf(line.data, line.size, &leaf);
		if (r >= 0)
			r = ledger_tiles_add(t, &leaf);
		if (r >= 0 && ledger_tiles_waiting(t) >= MAX_TILES)
			r = ledger_tiles_flush(t);
	}
	if (r >= 0)
		r = ledger_tiles_flush(t);
	ledger_tiles_free(t);
	return r;
}

/* The verifier of a release before has no such member. Names are what the bytes come to: what is wrong with them shows when they are checked. */
static int write_boots(const struct parts *p, const char *dir, enum ledger_boot_file what,
		       const char *member)
{
	struct why why;
	json_t *list, *item;
	size_t i;
	int r = jsonl_get_array(p->notes_json, member, LEDGER_BOOT_MAX, &list, &why);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	json_array_foreach (list, i, item) {
		CLEANUP(buf_done) struct buf data = {0};
		char path[PATH_MAX];
		struct digest d;

		r = json_is_string(item) ? digest_from_base64(json_string_value(item),
							      json_string_length(item), &data)
					 : -EBADMSG;
		if (r >= 0)
			r = digest_sha256(data.data, data.size, &d);
		if (r >= 0)
			r = ledger_boot_path(dir, what, &d, path);
		if (r >= 0)
			r = fsio_replace_file(fsio_system(), path, data.data, data.size, 0600);
		if (r < 0)
			return r;
	}
	return 0;
}

static int write_boot_dir(const struct parts *p, const char *dir)
{
	char path[PATH_MAX];
	int r;

	if (snprintf(path, sizeof(path), "%s/" LEDGER_BOOT_DIR, dir) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	r = fsio_mkdir_all(fsio_system(), path, 0700);
	if (r >= 0)
		r = write_boots(p, dir, LEDGER_BOOT_LOG, "boot_logs");
	return r < 0 ? r : write_boots(p, dir, LEDGER_BOOT_MEASURED, "measure_logs");
}

static int write_parts(const struct parts *p, const char *origin, const char *dir)
{
	CLEANUP(buf_done) struct buf header = {0};
	int r;

	make_header(&header, origin);
	r = buf_status(&header);
	if (r >= 0)
		r = put_file(dir, SEGMENT, (char *)header.data, p->events.data, p->events.size);
	if (r >= 0)
		r = put_file(dir, "anchors", LEDGER_ANCHORS_MAGIC, p->anchors.data,
			     p->anchors.size);
	if (r >= 0)
		r = put_file(dir, "notes", p->notes, NULL, 0);
	if (r >= 0)
		r = write_tiles(p, dir);
	if (r >= 0)
		r = write_boot_dir(p, dir);
	return r < 0 ? r : put_file(dir, "record.json", "", p->record.data, p->record.size + 1);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

/* A directory that is there is a whole one: it is made beside and takes its name at the end. */
static int write_dir(const struct parts *p, const char *origin, const char *dir)
{
	char temp[PATH_MAX];
	int r;

	if (snprintf(temp, sizeof(temp), "%s.part-XXXXXX", dir) >= (int)sizeof(temp))
		return -ENAMETOOLONG;
	if (!mkdtemp(temp))
		return -errno;
	r = write_parts(p, origin, temp);
	/* Not over a directory that came meanwhile, not even an empty one. */
	if (r >= 0 && renameat2(AT_FDCWD, temp, AT_FDCWD, dir, RENAME_NOREPLACE) < 0)
		r = -errno;
	if (r < 0)
		nftw(temp, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return r;
}

int remote_ledger_save(const void *answer, size_t size, const char *node, const char *dir,
		       struct buf *ret_origin, struct why *ret_why)
{
	CLEANUP(parts_done) struct parts p = {.notes = NULL};
	CLEANUP(record_done) struct record record = {.incarnation = 0};
	int r;

	ret_why->text[0] = 0;
	r = split(answer, size, &p, &record, ret_why);
	if (r < 0)
		return r == -ENOMEM ? r : -EBADMSG;
	if (!is_of(&record, node))
		return why_set(ret_why, -EBADMSG, "it is the ledger of %.100s, %.12s", record.label,
			       record.node);
	r = write_dir(&p, record.origin, dir);
	if (r < 0)
		return why_set(ret_why, r, "%.200s: %s", dir, strerror(-r));
	buf_puts(ret_origin, record.origin);
	return buf_status(ret_origin);
}

static int fetch(struct client *c, const char *node, const char *incarnation, const char *dir)
{
	CLEANUP(buf_done) struct buf path = {0}, answer = {0}, origin = {0};
	struct why why = {""};
	int r;

	buf_puts(&path, WIRE_ROUTE_LEDGER);
	client_put_escaped(&path, node);
	if (incarnation)
		buf_printf(&path, "?incarnation=%s", incarnation);
	if (buf_status(&path) < 0)
		return print_failure(PRINT_UNKNOWN, "no memory");
	r = client_get(c, (char *)path.data, &answer);
	if (r != PRINT_GOOD)
		return r;
	r = remote_ledger_save(answer.data, answer.size, node, dir, &origin, &why);
	if (r == -EBADMSG)
		return print_failure(PRINT_UNKNOWN, "the verifier's answer cannot be used: %s",
				     why.text);
	if (r < 0)
		return print_failure(PRINT_UNKNOWN, "%s", why.text[0] ? why.text : strerror(-r));
	printf("%s: the ledger of ", dir);
	print_safe(stdout, (char *)origin.data, origin.size);
	printf("\n\n  plumbctl ledger verify %s\n", dir);
	return PRINT_GOOD;
}

int remote_ledger(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"output", required_argument, NULL, 'o'},
		{"incarnation", required_argument, NULL, 'i'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	const char *config = NULL, *dir = NULL, *incarnation = NULL;
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
		incarnation = o == 'i' ? optarg : incarnation;
	}
	if (argc - optind != 2 || !dir) {
		remote_ledger_help(stderr);
		return PRINT_USAGE;
	}
	if (incarnation && (!incarnation[0] || strlen(incarnation) > 18 ||
			    strspn(incarnation, "0123456789") != strlen(incarnation)))
		return print_failure(PRINT_USAGE, "--incarnation=%s is no number", incarnation);
	if (!argv[optind + 1][0])
		return print_failure(PRINT_USAGE, "a node has no empty name");
	if (access(dir, F_OK) == 0)
		return print_failure(PRINT_USAGE, "%s is there already", dir);
	r = client_open(config, &c);
	if (r == PRINT_GOOD)
		r = fetch(c, argv[optind + 1], incarnation, dir);
	client_free(c);
	return r;
}
