/* SPDX-License-Identifier: Apache-2.0 */
#include "api_ledger.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot_files.h"
#include "cleanup.h"
#include "jsonl.h"
#include "plumb/wire.h"

#define NAME 96

static void name_of(const struct store_node *n, uint64_t incarnation, char ret[NAME])
{
	snprintf(ret, NAME, "%s/%" PRIu64, n->id, incarnation);
}

static int on_line(void *ctx, uint64_t seq, const char *line, size_t size)
{
	struct buf *ret = ctx;

	(void)seq;
	buf_put(ret, line, size);
	buf_puts(ret, "\n");
	return buf_status(ret);
}

struct boots {
	struct jsonl *j;
	enum boot_file what;
};

static int on_boot_file(void *ctx, enum boot_file what, const void *data, size_t size)
{
	struct boots *b = ctx;

	if (what == b->what)
		jsonl_base64(b->j, NULL, data, size);
	return buf_status(b->j->buf);
}

/* In a member of a line that there was before, so that tools of before read over them. */
static int put_boots(const struct verifier *v, const struct store_node *n, struct jsonl *j)
{
	static const struct {
		enum boot_file what;
		const char *name;
	} kinds[] = {{BOOT_FILE_LOG, "boot_logs"}, {BOOT_FILE_MEASURED, "measure_logs"}};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(kinds) && r >= 0; i++) {
		struct boots b = {j, kinds[i].what};

		jsonl_array(j, kinds[i].name);
		r = boot_files_each(v->store, n->id, n->incarnation, on_boot_file, &b);
		jsonl_close(j);
	}
	return r;
}

static int put_blob(const struct verifier *v, const struct store_node *n, const char *kind,
		    bool text, struct buf *ret)
{
	CLEANUP(buf_done) struct buf b = {.max = ret->max};
	char name[NAME];
	struct jsonl j;
	int r;

	name_of(n, n->incarnation, name);
	r = v->store->ops->blob_get(v->store->ctx, kind, name, &b);
	if (r < 0 && r != -ENOENT)
		return r;
	jsonl_begin(&j, ret);
	if (text)
		jsonl_strn(&j, kind, b.size ? (char *)b.data : "", b.size);
	else
		jsonl_base64(&j, kind, b.data, b.size);
	r = text ? put_boots(v, n, &j) : 0;
	jsonl_end(&j);
	buf_puts(ret, "\n");
	return r < 0 ? r : buf_status(ret);
}

int api_ledger_past(const struct verifier *v, struct store_node *n, uint64_t incarnation)
{
	CLEANUP(buf_done) struct buf record = {0}, size = {0};
	const struct store *s = v->store;
	char name[NAME];
	int r;

	if (incarnation == n->incarnation)
		return 0;
	name_of(n, incarnation, name);
	r = s->ops->blob_get(s->ctx, "record", name, &record);
	if (r >= 0)
		r = s->ops->blob_get(s->ctx, "size", name, &size);
	buf_put(&size, "", 1);
	if (r < 0)
		return r;
	buf_done(&n->record);
	n->record = record;
	record = (struct buf){0};
	n->incarnation = incarnation;
	n->frontier.size = strtoull((char *)size.data, NULL, 10);
	return buf_status(&size);
}

static void put_record(const struct store_node *n, struct buf *ret)
{
	size_t size = n->record.size;

	while (size > 0 && n->record.data[size - 1] == '\n')
		size--;
	buf_put(ret, n->record.data, size);
	buf_puts(ret, "\n");
}

int api_ledger_whole(const struct verifier *v, const struct store_node *n, struct buf *ret)
{
	int r;

	ret->max = WIRE_MAX_LEDGER;
	put_record(n, ret);
	r = put_blob(v, n, "anchors", false, ret);
	if (r >= 0)
		r = put_blob(v, n, "notes", true, ret);
	buf_printf(ret, "{\"events\":%" PRIu64 "}\n", n->frontier.size);
	if (r >= 0 && n->frontier.size > 0)
		r = v->store->ops->lines_each(v->store->ctx, n->id, n->incarnation, 0,
					      n->frontier.size, on_line, ret);
	return r < 0 ? r : buf_status(ret);
}

/* How many appended pieces anchors or notes have. */
static int count_parts(const struct verifier *v, const struct store_node *n, const char *kind,
		       uint64_t *ret)
{
	char name[NAME];

	name_of(n, n->incarnation, name);
	return v->store->ops->blob_parts(v->store->ctx, kind, name, ret);
}

static void begin_part(const struct store_node *n, const char *part, struct buf *b,
		       struct jsonl *ret)
{
	jsonl_begin(ret, b);
	jsonl_str(ret, "part", part);
	jsonl_str(ret, "node", n->id);
	jsonl_uint(ret, "incarnation", n->incarnation);
}

static int put_head(const struct verifier *v, const struct store_node *n, struct buf *ret)
{
	uint64_t anchors = 0, notes = 0;
	struct jsonl j;
	int r = count_parts(v, n, "anchors", &anchors);

	if (r >= 0)
		r = count_parts(v, n, "notes", &notes);
	if (r < 0)
		return r;
	put_record(n, ret);
	begin_part(n, "head", ret, &j);
	jsonl_uint(&j, "events", n->frontier.size);
	jsonl_uint(&j, "anchors", anchors);
	jsonl_uint(&j, "notes", notes);
	r = put_boots(v, n, &j);
	jsonl_end(&j);
	buf_puts(ret, "\n");
	return r < 0 ? r : buf_status(ret);
}

/* Items of a part, until there are so many bytes. */
struct piece {
	struct buf lines;
	uint64_t n;
	size_t max;
};

static int end_item(struct piece *p)
{
	buf_puts(&p->lines, "\n");
	p->n++;
	return buf_status(&p->lines) < 0 ? buf_status(&p->lines) : p->lines.size >= p->max;
}

static int on_event(void *ctx, uint64_t seq, const char *line, size_t size)
{
	struct piece *p = ctx;

	(void)seq;
	buf_put(&p->lines, line, size);
	return end_item(p);
}

static int on_part(void *ctx, uint64_t part, const void *data, size_t size)
{
	struct piece *p = ctx;
	struct jsonl j;

	(void)part;
	jsonl_begin(&j, &p->lines);
	jsonl_base64(&j, "data", data, size);
	jsonl_end(&j);
	return end_item(p);
}

static int put_items(const struct verifier *v, const struct store_node *n, const char *part,
		     uint64_t from, struct piece *p)
{
	const struct store *s = v->store;
	char name[NAME];

	if (strcmp(part, "events") == 0)
		return from >= n->frontier.size
			       ? 0
			       : s->ops->lines_each(s->ctx, n->id, n->incarnation, from,
						    n->frontier.size, on_event, p);
	if (strcmp(part, "anchors") != 0 && strcmp(part, "notes") != 0)
		return -EINVAL;
	name_of(n, n->incarnation, name);
	return s->ops->blob_parts_each(s->ctx, part, name, from, on_part, p);
}

int api_ledger_part(const struct verifier *v, const struct store_node *n, const char *part,
		    uint64_t from, struct buf *ret)
{
	struct piece p = {.max = v->ledger_piece ? v->ledger_piece : WIRE_LEDGER_PIECE};
	struct jsonl j;
	int r;

	if (strcmp(part, "head") == 0)
		return put_head(v, n, ret);
	r = put_items(v, n, part, from, &p);
	if (r >= 0) {
		begin_part(n, part, ret, &j);
		jsonl_uint(&j, "from", from);
		jsonl_uint(&j, "n", p.n);
		jsonl_end(&j);
		buf_puts(ret, "\n");
		if (p.n > 0)
			buf_put(ret, p.lines.data, p.lines.size);
		r = buf_status(ret);
	}
	buf_done(&p.lines);
	return r;
}
