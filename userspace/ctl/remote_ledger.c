/* SPDX-License-Identifier: Apache-2.0 */
#include "remote_ledger.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "client.h"
#include "fetched_ledger.h"
#include "jsonl.h"
#include "plumb/wire.h"
#include "print.h"
#include "record.h"

#define MAX_RECORD 65536u
#define MAX_PART FETCHED_LEDGER_MAX_PART
#define MAX_QUERY 128

void remote_ledger_help(FILE *f)
{
	fprintf(f, "Usage: plumbctl ledger fetch NODE [--incarnation=N] -o DIR\n\n"
		   "Writes a node's ledger as the verifier has it into a new directory: plumbctl "
		   "ledger verify DIR checks it.\n\n"
		   "  --incarnation=N  an earlier one, before the node was enrolled anew\n\n"
		   "--config=FILE says which verifier.\n"
		   "Exit codes: 0 good, 1 refused, 2 could not tell, 64 wrong usage.\n");
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

/* Whose ledger it is must be what was asked for: an id, the beginning of one, or a label. */
static int check_of(const struct record *r, const char *node, struct why *ret_why)
{
	if (strcmp(r->label, node) == 0 ||
	    (strlen(node) >= 4 && strncmp(r->node, node, strlen(node)) == 0))
		return 0;
	return why_set(ret_why, -EBADMSG, "it is the ledger of %.100s, %.12s", r->label, r->node);
}

static int unwritten(int r, const char *dir, struct why *ret_why)
{
	return why_set(ret_why, r, "%.200s: %s", dir, strerror(-r));
}

/* An answer that is all of it; borrowed from that, but for the anchors. */
struct whole {
	struct buf_view record, events;
	struct buf anchors;
	const char *notes;
	json_t *anchors_json, *notes_json;
};

static void whole_done(struct whole *w)
{
	buf_done(&w->anchors);
	json_decref(w->anchors_json);
	json_decref(w->notes_json);
}

static int check_line(const struct buf_view *line, uint64_t seq, struct why *ret_why)
{
	return line->size > WIRE_MAX_LINE
		       ? why_set(ret_why, -EBADMSG, "line %" PRIu64 " is too long", seq)
		       : 0;
}

static int check_events(const struct whole *w, uint64_t n, struct why *ret_why)
{
	struct buf_view rest = w->events, line;
	uint64_t found = 0;

	for (; rest.size > 0; found++) {
		if (next_line(&rest, &line) < 0)
			return why_set(ret_why, -EBADMSG, "line %" PRIu64 " is cut short", found);
		if (check_line(&line, found, ret_why) < 0)
			return -EBADMSG;
	}
	return found != n ? why_set(ret_why, -EBADMSG, "it says %" PRIu64 " lines and has %" PRIu64,
				    n, found)
			  : 0;
}

static int take_record(struct buf_view *rest, struct buf_view *ret_line, struct record *ret,
		       struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	int r = next_json(rest, MAX_RECORD, ret_line, &o, ret_why);

	return r < 0 ? r : record_parse(ret_line->data, ret_line->size, ret, ret_why);
}

static int split(const void *answer, size_t size, struct whole *w, struct record *ret_record,
		 struct why *ret_why)
{
	struct buf_view rest = {answer, size}, line;
	CLEANUP(jsonl_decref_p) json_t *events = NULL;
	uint64_t n = 0;
	int r = take_record(&rest, &w->record, ret_record, ret_why);

	if (r >= 0)
		r = next_json(&rest, MAX_PART, &line, &w->anchors_json, ret_why);
	if (r >= 0)
		r = jsonl_get_base64(w->anchors_json, "anchors", MAX_PART, &w->anchors, ret_why);
	if (r >= 0)
		r = next_json(&rest, MAX_PART, &line, &w->notes_json, ret_why);
	if (r >= 0)
		r = jsonl_get_str(w->notes_json, "notes", MAX_PART, &w->notes, ret_why);
	if (r >= 0)
		r = next_json(&rest, MAX_RECORD, &line, &events, ret_why);
	if (r >= 0)
		r = jsonl_get_uint(events, "events", INT64_MAX, &n, ret_why);
	if (r < 0)
		return r == -ENOENT ? -EBADMSG : r;
	w->events = rest;
	return check_events(w, n, ret_why);
}

static int write_whole(struct fetched_ledger *f, const struct whole *w)
{
	struct buf_view rest = w->events, line;
	int r = fetched_ledger_anchors(f, w->anchors.data, w->anchors.size);

	if (r >= 0)
		r = fetched_ledger_notes(f, w->notes, strlen(w->notes));
	if (r >= 0)
		r = fetched_ledger_boots(f, w->notes_json);
	while (r >= 0 && next_line(&rest, &line) >= 0)
		r = fetched_ledger_event(f, &line);
	return r;
}

int remote_ledger_save(const void *answer, size_t size, const char *node, const char *dir,
		       struct buf *ret_origin, struct why *ret_why)
{
	CLEANUP(whole_done) struct whole w = {.notes = NULL};
	CLEANUP(record_done) struct record record = {.incarnation = 0};
	struct fetched_ledger *f = NULL;
	int r;

	ret_why->text[0] = 0;
	r = split(answer, size, &w, &record, ret_why);
	if (r >= 0)
		r = check_of(&record, node, ret_why);
	if (r < 0)
		return r == -ENOMEM ? r : -EBADMSG;
	r = fetched_ledger_open(dir, record.origin, &f);
	if (r >= 0) {
		r = write_whole(f, &w);
		if (r < 0)
			fetched_ledger_abandon(f);
		else
			r = fetched_ledger_commit(f, &w.record);
	}
	if (r < 0)
		return unwritten(r, dir, ret_why);
	buf_puts(ret_origin, record.origin);
	return buf_status(ret_origin);
}

/* One that comes in pieces: what the first answer says of it. */
struct pieces {
	struct remote_ledger_source *s;
	struct record record;
	struct fetched_ledger *f;
	const char *dir;
	uint64_t events, anchors, notes;
};

/* Of that record, not of whatever has the name by now. */
static int check_header(const struct pieces *p, const json_t *o, const char *part,
			struct why *ret_why)
{
	char word[16], node[65];
	uint64_t incarnation = 0;
	int r = jsonl_get_text(o, "part", word, sizeof(word), ret_why);

	if (r >= 0)
		r = jsonl_get_text(o, "node", node, sizeof(node), ret_why);
	if (r >= 0)
		r = jsonl_get_uint(o, "incarnation", INT64_MAX, &incarnation, ret_why);
	if (r < 0)
		return r;
	return strcmp(word, part) != 0 || strcmp(node, p->record.node) != 0 ||
			       incarnation != p->record.incarnation
		       ? why_set(ret_why, -EBADMSG,
				 "it is the %.16s of incarnation %" PRIu64 " of %.12s, not what "
				 "was asked for",
				 word, incarnation, node)
		       : 0;
}

static int check_piece(const struct pieces *p, const json_t *o, const char *part, uint64_t from,
		       uint64_t *ret_n, struct why *ret_why)
{
	uint64_t at = 0;
	int r = check_header(p, o, part, ret_why);

	if (r >= 0)
		r = jsonl_get_uint(o, "from", INT64_MAX, &at, ret_why);
	if (r >= 0)
		r = jsonl_get_uint(o, "n", INT64_MAX, ret_n, ret_why);
	if (r < 0)
		return r;
	return at != from || *ret_n == 0
		       ? why_set(ret_why, -EBADMSG, "its %s end at %" PRIu64, part, from)
		       : 0;
}

static int put_event(struct pieces *p, const struct buf_view *line, uint64_t seq,
		     struct why *ret_why)
{
	int r = check_line(line, seq, ret_why);

	if (r < 0)
		return r;
	r = fetched_ledger_event(p->f, line);
	return r < 0 ? unwritten(r, p->dir, ret_why) : 0;
}

static int put_data(struct pieces *p, const struct buf_view *line, bool notes, struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	CLEANUP(buf_done) struct buf data = {0};
	int r = jsonl_parse(line->data, line->size, MAX_PART, &o, ret_why);

	if (r >= 0)
		r = jsonl_get_base64(o, "data", MAX_PART, &data, ret_why);
	if (r < 0)
		return r;
	r = notes ? fetched_ledger_notes(p->f, data.data, data.size)
		  : fetched_ledger_anchors(p->f, data.data, data.size);
	if (r == -E2BIG)
		return why_set(ret_why, -EBADMSG, "its %s have more than %u MiB",
			       notes ? "notes" : "anchors", MAX_PART >> 20);
	return r < 0 ? unwritten(r, p->dir, ret_why) : 0;
}

static int put_item(struct pieces *p, const char *part, const struct buf_view *line, uint64_t at,
		    struct why *ret_why)
{
	if (strcmp(part, "events") == 0)
		return put_event(p, line, at, ret_why);
	return put_data(p, line, strcmp(part, "notes") == 0, ret_why);
}

/* Items [*at, …) of the part; those beyond its end came since, and are left out. */
static int put_piece(struct pieces *p, const struct buf *answer, const char *part, uint64_t end,
		     uint64_t *at, struct why *ret_why)
{
	struct buf_view rest = {answer->data, answer->size}, line;
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	uint64_t n = 0;
	int r = next_json(&rest, MAX_RECORD, &line, &o, ret_why);

	if (r >= 0)
		r = check_piece(p, o, part, *at, &n, ret_why);
	for (; r >= 0 && n > 0 && *at < end; n--) {
		if (next_line(&rest, &line) < 0)
			return why_set(ret_why, -EBADMSG, "its %s are cut short at %" PRIu64, part,
				       *at);
		r = put_item(p, part, &line, *at, ret_why);
		*at += r >= 0;
	}
	if (r >= 0 && n == 0 && rest.size > 0)
		return why_set(ret_why, -EBADMSG, "it has more %s than it says", part);
	return r == -ENOENT ? -EBADMSG : r;
}

static int take_part(struct pieces *p, const char *part, uint64_t end, struct why *ret_why)
{
	uint64_t at = 0;
	int r = 0;

	while (r >= 0 && at < end) {
		CLEANUP(buf_done) struct buf answer = {0};
		char query[MAX_QUERY];

		snprintf(query, sizeof(query), "?incarnation=%" PRIu64 "&part=%s&from=%" PRIu64,
			 p->record.incarnation, part, at);
		p->s->code = p->s->get(p->s->ctx, p->record.node, query, &answer);
		if (p->s->code != PRINT_GOOD)
			return -ECANCELED;
		r = put_piece(p, &answer, part, end, &at, ret_why);
	}
	return r;
}

static int take_parts(struct pieces *p, const json_t *head, struct why *ret_why)
{
	int r = fetched_ledger_boots(p->f, head);

	if (r < 0)
		return unwritten(r, p->dir, ret_why);
	r = take_part(p, "events", p->events, ret_why);
	if (r >= 0)
		r = take_part(p, "anchors", p->anchors, ret_why);
	return r < 0 ? r : take_part(p, "notes", p->notes, ret_why);
}

static int read_head(struct pieces *p, const json_t *head, const char *node, struct why *ret_why)
{
	int r = check_of(&p->record, node, ret_why);

	if (r >= 0)
		r = check_header(p, head, "head", ret_why);
	if (r >= 0)
		r = jsonl_get_uint(head, "events", INT64_MAX, &p->events, ret_why);
	if (r >= 0)
		r = jsonl_get_uint(head, "anchors", INT64_MAX, &p->anchors, ret_why);
	if (r >= 0)
		r = jsonl_get_uint(head, "notes", INT64_MAX, &p->notes, ret_why);
	return r == -ENOENT ? -EBADMSG : r;
}

static int take_pieces(struct pieces *p, const struct buf_view *record, const json_t *head,
		       const char *node, struct why *ret_why)
{
	int r = read_head(p, head, node, ret_why);

	if (r < 0)
		return r;
	r = fetched_ledger_open(p->dir, p->record.origin, &p->f);
	if (r < 0)
		return unwritten(r, p->dir, ret_why);
	r = take_parts(p, head, ret_why);
	if (r < 0) {
		fetched_ledger_abandon(p->f);
		return r;
	}
	r = fetched_ledger_commit(p->f, record);
	return r < 0 ? unwritten(r, p->dir, ret_why) : 0;
}

int remote_ledger_take(struct remote_ledger_source *s, const char *node, const char *dir,
		       struct buf *ret_origin, struct why *ret_why)
{
	struct pieces p = {.s = s, .dir = dir};
	CLEANUP(buf_done) struct buf answer = {0};
	CLEANUP(jsonl_decref_p) json_t *head = NULL;
	struct buf_view rest, record, line;
	char query[MAX_QUERY];
	int r;

	ret_why->text[0] = 0;
	snprintf(query, sizeof(query), "?part=head%s%.20s", s->incarnation ? "&incarnation=" : "",
		 s->incarnation ? s->incarnation : "");
	s->code = s->get(s->ctx, node, query, &answer);
	if (s->code != PRINT_GOOD)
		return -ECANCELED;
	rest = (struct buf_view){answer.data, answer.size};
	r = take_record(&rest, &record, &p.record, ret_why);
	if (r >= 0)
		r = next_json(&rest, MAX_PART, &line, &head, ret_why);
	if (r >= 0 && json_object_get(head, "part"))
		r = take_pieces(&p, &record, head, node, ret_why);
	else if (r >= 0) /* of a verifier that does not know of parts */
		r = remote_ledger_save(answer.data, answer.size, node, dir, ret_origin, ret_why);
	else if (r != -ENOMEM)
		r = -EBADMSG;
	if (r >= 0 && json_object_get(head, "part")) {
		buf_puts(ret_origin, p.record.origin);
		r = buf_status(ret_origin);
	}
	record_done(&p.record);
	return r;
}

int remote_ledger_get(void *client, const char *node, const char *query, struct buf *ret)
{
	CLEANUP(buf_done) struct buf path = {0};

	buf_puts(&path, WIRE_ROUTE_LEDGER);
	client_put_escaped(&path, node);
	buf_puts(&path, query);
	return buf_status(&path) < 0 ? print_failure(PRINT_UNKNOWN, "no memory")
				     : client_get(client, (char *)path.data, ret);
}

static int fetch(struct client *c, const char *node, const char *incarnation, const char *dir)
{
	struct remote_ledger_source s = {
		.get = remote_ledger_get, .ctx = c, .incarnation = incarnation};
	CLEANUP(buf_done) struct buf origin = {0};
	struct why why = {""};
	int r = remote_ledger_take(&s, node, dir, &origin, &why);

	if (r == -ECANCELED)
		return s.code;
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
