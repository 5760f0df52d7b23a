/* SPDX-License-Identifier: Apache-2.0 */
#include "api_ledger.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "boot_files.h"
#include "cleanup.h"
#include "jsonl.h"

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
	CLEANUP(buf_done) struct buf b = {0};
	char name[96];
	struct jsonl j;
	int r;

	snprintf(name, sizeof(name), "%s/%" PRIu64, n->id, n->incarnation);
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
	char name[96];
	int r;

	if (incarnation == n->incarnation)
		return 0;
	snprintf(name, sizeof(name), "%s/%" PRIu64, n->id, incarnation);
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

int api_ledger(const struct verifier *v, const struct store_node *n, struct buf *ret)
{
	size_t size = n->record.size;
	int r;

	while (size > 0 && n->record.data[size - 1] == '\n')
		size--;
	buf_put(ret, n->record.data, size);
	buf_puts(ret, "\n");
	r = put_blob(v, n, "anchors", false, ret);
	if (r >= 0)
		r = put_blob(v, n, "notes", true, ret);
	buf_printf(ret, "{\"events\":%" PRIu64 "}\n", n->frontier.size);
	if (r >= 0 && n->frontier.size > 0)
		r = v->store->ops->lines_each(v->store->ctx, n->id, n->incarnation, 0,
					      n->frontier.size, on_line, ret);
	return r < 0 ? r : buf_status(ret);
}
