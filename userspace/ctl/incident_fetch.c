/* SPDX-License-Identifier: Apache-2.0 */
#include "incident_fetch.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "clock.h"
#include "dsse.h"
#include "fsio.h"
#include "jsonl.h"
#include "plumb/wire.h"
#include "print.h"
#include "remote_ledger.h"

#define MAX_LINES 100000u /* of the log, in one archive */
#define STOP 1000 /* no exit code: it was enough */
#define SMALL_LOG 20000u /* lines that are looked through as they are */
#define SLACK_NS (3600ull * 1000000000) /* a clock may have been set back */

struct fetching {
	struct client *c;
	const struct incident_fetch_in *in;
	char id[65];
	char label[254];
	uint64_t size; /* of the log, as stated */
};

struct taking {
	const struct fetching *f;
	struct buf lines;
	uint64_t *seqs;
	uint32_t n, max;
	uint64_t seen_ns; /* of the line that was asked for */
};

static int no_memory(void)
{
	return print_failure(PRINT_UNKNOWN, "no memory");
}

static int unusable(const char *what, const struct why *why)
{
	return print_failure(PRINT_UNKNOWN, "the verifier's %s cannot be used: %s", what,
			     why->text);
}

static int put_file(const char *dir, const char *name, const void *data, size_t size)
{
	char path[PATH_MAX];
	int r = snprintf(path, sizeof(path), "%s/%s", dir, name) < (int)sizeof(path)
			? fsio_replace_file(fsio_system(), path, data, size, 0600)
			: -ENAMETOOLONG;

	return r < 0 ? print_failure(PRINT_UNKNOWN, "%s/%s: %s", dir, name, strerror(-r))
		     : PRINT_GOOD;
}

static int path_of(const struct fetching *f, const char *route, const char *node, struct buf *ret)
{
	buf_puts(ret, route);
	client_put_escaped(ret, node);
	if (f->in->incarnation)
		buf_printf(ret, "?incarnation=%s", f->in->incarnation);
	return buf_status(ret) < 0 ? no_memory() : PRINT_GOOD;
}

/* What it says is needed to ask on; whether it is signed is for the check. */
static int read_statement(struct fetching *f, const struct buf *envelope)
{
	CLEANUP(buf_done) struct buf payload = {0}, type = {0};
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	json_t *log = NULL, *node = NULL;
	struct why why = {""};
	int r = dsse_peek(envelope->data, envelope->size, CLIENT_MAX_JSON, &payload, &type, &why);

	if (r >= 0)
		r = jsonl_parse(payload.data, payload.size, CLIENT_MAX_JSON, &o, &why);
	if (r >= 0)
		r = jsonl_get_text(o, "id", f->id, sizeof(f->id), &why);
	if (r >= 0)
		r = jsonl_get_object(o, "node", &node, &why);
	if (r >= 0)
		r = jsonl_get_text(node, "label", f->label, sizeof(f->label), &why);
	if (r >= 0)
		r = jsonl_get_object(o, "log", &log, &why);
	if (r >= 0)
		r = jsonl_get_uint(log, "size", INT64_MAX, &f->size, &why);
	if (r < 0)
		return unusable("statement", &why);
	return put_file(f->in->dir, "log/note", client_text(log, "note"),
			strlen(client_text(log, "note")));
}

static int get_statement(struct fetching *f)
{
	CLEANUP(buf_done) struct buf path = {0}, envelope = {0};
	int r = path_of(f, WIRE_ROUTE_STATEMENT, f->in->node, &path);

	if (r == PRINT_GOOD)
		r = client_get(f->c, (char *)path.data, &envelope);
	if (r == PRINT_GOOD)
		r = put_file(f->in->dir, "statement.dsse", envelope.data, envelope.size);
	return r == PRINT_GOOD ? read_statement(f, &envelope) : r;
}

static int get_ledger(struct fetching *f)
{
	struct remote_ledger_source s = {
		.get = remote_ledger_get, .ctx = f->c, .incarnation = f->in->incarnation};
	CLEANUP(buf_done) struct buf origin = {0};
	struct why why = {""};
	int r = remote_ledger_take(&s, f->id, f->in->ledger, &origin, &why);

	if (r == -ECANCELED)
		return s.code;
	if (r < 0 && !why.text[0])
		why_set(&why, r, "%s", strerror(-r));
	return r < 0 ? unusable("ledger", &why) : PRINT_GOOD;
}

/* Of this node, or of all nodes: who armed a rule, who made a token. */
static bool is_of(const struct fetching *f, const json_t *o)
{
	const char *node = client_text(o, "node");

	if (strcmp(node, f->id) == 0)
		return true;
	return strcmp(client_text(o, "type"), "action") == 0 &&
	       (!node[0] || strcmp(node, f->label) == 0);
}

static int take(struct taking *t, uint64_t seq, const char *line, size_t size)
{
	uint64_t *more;

	if (t->n == MAX_LINES)
		return print_failure(PRINT_UNKNOWN,
				     "the verifier's log has more than %u lines of it; give --from "
				     "and --to",
				     MAX_LINES);
	if (t->n == t->max) {
		t->max = t->max ? t->max * 2 : 256;
		more = realloc(t->seqs, t->max * sizeof(*more));
		if (!more)
			return no_memory();
		t->seqs = more;
	}
	t->seqs[t->n++] = seq;
	buf_put(&t->lines, line, size);
	buf_puts(&t->lines, "\n");
	return buf_status(&t->lines) < 0 ? no_memory() : PRINT_GOOD;
}

static int on_line(void *ctx, const char *line, size_t size)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	struct taking *t = ctx;
	struct why why = {""};
	uint64_t seq = 0, ns = 0;
	int r = jsonl_parse(line, size, WIRE_MAX_LINE, &o, &why);

	if (r >= 0)
		r = jsonl_get_uint(o, "seq", INT64_MAX, &seq, &why);
	if (r < 0)
		return unusable("log", &why);
	if (seq >= t->f->size)
		return STOP;
	clock_from_text(client_text(o, "t"), &ns);
	if (ns < t->f->in->from_ns || ns > t->f->in->to_ns || !is_of(t->f, o))
		return PRINT_GOOD;
	return take(t, seq, line, size);
}

static int on_first(void *ctx, const char *line, size_t size)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	struct taking *t = ctx;
	struct why why = {""};

	if (jsonl_parse(line, size, WIRE_MAX_LINE, &o, &why) < 0)
		return unusable("log", &why);
	clock_from_text(client_text(o, "t"), &t->seen_ns);
	return STOP;
}

/* The first line that may be of the span: nobody reads a year of a log for an hour of it. */
static int find_first(struct taking *t, uint64_t *ret)
{
	uint64_t low = 0, high = t->f->size, from = t->f->in->from_ns;

	from = from > SLACK_NS ? from - SLACK_NS : 0;
	while (high - low > SMALL_LOG && from > 0) {
		uint64_t mid = low + (high - low) / 2;
		int r = client_events(t->f->c, mid, false, on_first, t);

		if (r != STOP)
			return r == PRINT_GOOD || r == CLIENT_LOST ? PRINT_UNKNOWN : r;
		if (t->seen_ns < from)
			low = mid;
		else
			high = mid;
	}
	*ret = low;
	return PRINT_GOOD;
}

static int put_proofs(const json_t *answer, const struct taking *t, uint32_t from, uint32_t n,
		      struct buf *ret)
{
	json_t *proofs = json_object_get(answer, "proofs"), *p;
	size_t i;

	if (json_array_size(proofs) != n)
		return print_failure(PRINT_UNKNOWN, "the verifier proves other lines than asked");
	json_array_foreach (proofs, i, p) {
		CLEANUP_FREE char *text = json_dumps(p, JSON_COMPACT | JSON_ENSURE_ASCII);

		if (!text || client_number(p, "line") != t->seqs[from + i])
			return print_failure(PRINT_UNKNOWN,
					     "the verifier proves other lines than asked");
		buf_puts(ret, text);
		buf_puts(ret, "\n");
	}
	return buf_status(ret) < 0 ? no_memory() : PRINT_GOOD;
}

static int get_some_proofs(const struct taking *t, uint32_t from, uint32_t n, struct buf *ret)
{
	CLEANUP(buf_done) struct buf body = {0}, answer = {0};
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	struct why why = {""};
	struct jsonl j;
	int r;

	jsonl_begin(&j, &body);
	jsonl_uint(&j, "size", t->f->size);
	jsonl_array(&j, "lines");
	for (uint32_t i = 0; i < n; i++)
		jsonl_uint(&j, NULL, t->seqs[from + i]);
	jsonl_close(&j);
	jsonl_end(&j);
	if (buf_status(&body) < 0)
		return no_memory();
	r = client_post(t->f->c, WIRE_ROUTE_LOG_PROOFS, WIRE_TYPE_JSON, body.data, body.size,
			&answer);
	if (r != PRINT_GOOD)
		return r;
	if (jsonl_parse(answer.data, answer.size, CLIENT_MAX_JSON, &o, &why) < 0)
		return unusable("proofs", &why);
	return put_proofs(o, t, from, n, ret);
}

static int get_log(struct fetching *f)
{
	CLEANUP(buf_done) struct buf proofs = {0};
	struct taking t = {.f = f};
	uint64_t first = 0;
	int r = find_first(&t, &first);

	if (r == PRINT_GOOD && f->size > 0)
		r = client_events(f->c, first, false, on_line, &t);
	if (r == STOP)
		r = PRINT_GOOD;
	for (uint32_t at = 0; r == PRINT_GOOD && at < t.n; at += WIRE_MAX_PROOFS)
		r = get_some_proofs(&t, at, t.n - at < WIRE_MAX_PROOFS ? t.n - at : WIRE_MAX_PROOFS,
				    &proofs);
	if (r == PRINT_GOOD)
		r = put_file(f->in->dir, "log/lines.jsonl", t.lines.data, t.lines.size);
	if (r == PRINT_GOOD)
		r = put_file(f->in->dir, "log/proofs.jsonl", proofs.data, proofs.size);
	buf_done(&t.lines);
	free(t.seqs);
	return r == CLIENT_LOST ? PRINT_UNKNOWN : r;
}

int incident_fetch(struct client *c, const struct incident_fetch_in *in)
{
	struct fetching f = {.c = c, .in = in};
	char path[PATH_MAX];
	int r;

	if (snprintf(path, sizeof(path), "%s/log", in->dir) >= (int)sizeof(path) ||
	    fsio_mkdir_all(fsio_system(), path, 0700) < 0)
		return print_failure(PRINT_UNKNOWN, "%s: %s", in->dir, strerror(errno));
	r = get_statement(&f);
	if (r == PRINT_GOOD)
		r = get_ledger(&f);
	return r == PRINT_GOOD ? get_log(&f) : r;
}
