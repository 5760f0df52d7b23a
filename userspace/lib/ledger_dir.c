/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger_dir.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "cleanup.h"

#define CHECK_SIZE 4
#define DASH "\xe2\x80\x94 "

static void put_digest(struct buf *b, const struct digest *d)
{
	buf_put(b, d->bytes, DIGEST_SIZE);
}

static int put_body(const struct ledger_anchor *a, struct buf *b)
{
	switch (a->kind) {
	case LEDGER_ANCHOR_EPOCH:
		buf_put(b, a->epoch.boot_id, sizeof(a->epoch.boot_id));
		buf_put_u32be(b, a->epoch.reset_count);
		buf_put_u32be(b, a->epoch.restart_count);
		buf_put_u8(b, a->epoch.pcr_index);
		buf_put_u8(b, a->epoch.base);
		put_digest(b, &a->epoch.found);
		return 0;
	case LEDGER_ANCHOR_EXTEND:
		buf_put_u64be(b, a->extend.size);
		put_digest(b, &a->extend.root);
		return 0;
	case LEDGER_ANCHOR_DONE:
		put_digest(b, &a->done.pcr);
		return 0;
	case LEDGER_ANCHOR_FOREIGN:
		put_digest(b, &a->foreign.expected);
		put_digest(b, &a->foreign.found);
		return 0;
	}
	return -EINVAL;
}

int ledger_dir_anchor_write(const struct ledger_anchor *a, struct buf *ret)
{
	CLEANUP(buf_done) struct buf body = {0};
	struct digest check;
	int r;

	buf_put_u16be(&body, (uint16_t)a->kind);
	r = put_body(a, &body);
	if (r < 0)
		return r;
	if (buf_status(&body) < 0)
		return buf_status(&body);
	r = digest_sha256(body.data, body.size, &check);
	if (r < 0)
		return r;
	buf_put(&body, check.bytes, CHECK_SIZE);
	buf_put_sized(ret, body.data, body.size);
	return buf_status(ret);
}

static int get_digest(struct buf_reader *r, struct digest *ret)
{
	struct buf_view v;
	int e = buf_read_bytes(r, DIGEST_SIZE, &v);

	if (e >= 0)
		memcpy(ret->bytes, v.data, DIGEST_SIZE);
	return e;
}

static int get_epoch(struct buf_reader *b, struct ledger_anchor *a)
{
	struct buf_view boot;
	int r = buf_read_bytes(b, sizeof(a->epoch.boot_id), &boot);

	if (r < 0)
		return r;
	memcpy(a->epoch.boot_id, boot.data, boot.size);
	if (buf_read_u32be(b, &a->epoch.reset_count) < 0 ||
	    buf_read_u32be(b, &a->epoch.restart_count) < 0 ||
	    buf_read_u8(b, &a->epoch.pcr_index) < 0 || buf_read_u8(b, &a->epoch.base) < 0)
		return -EBADMSG;
	if (a->epoch.base < LEDGER_BASE_ZERO || a->epoch.base > LEDGER_BASE_UNPROVEN)
		return -EBADMSG;
	return get_digest(b, &a->epoch.found);
}

static int get_body(struct buf_reader *b, struct ledger_anchor *a)
{
	int r = -EBADMSG;

	switch (a->kind) {
	case LEDGER_ANCHOR_EPOCH:
		r = get_epoch(b, a);
		break;
	case LEDGER_ANCHOR_EXTEND:
		r = buf_read_u64be(b, &a->extend.size);
		if (r >= 0)
			r = get_digest(b, &a->extend.root);
		break;
	case LEDGER_ANCHOR_DONE:
		r = get_digest(b, &a->done.pcr);
		break;
	case LEDGER_ANCHOR_FOREIGN:
		r = get_digest(b, &a->foreign.expected);
		if (r >= 0)
			r = get_digest(b, &a->foreign.found);
		break;
	}
	return r >= 0 && buf_left(b) > 0 ? -EBADMSG : r;
}

/* What a power cut leaves where the size was on disk and the bytes were not. */
static bool only_zeros(const struct buf_reader *r)
{
	for (size_t i = r->at; i < r->size; i++)
		if (r->data[i])
			return false;
	return true;
}

int ledger_dir_anchor_read(struct buf_reader *r, struct ledger_anchor *ret, struct why *ret_why)
{
	struct buf_reader at = *r, body;
	struct ledger_anchor a = {.kind = 0};
	struct buf_view all;
	struct digest check;
	uint16_t kind;
	int e;

	if (buf_left(&at) == 0)
		return 0;
	e = buf_read_sized32be(&at, LEDGER_MAX_ANCHOR, &all);
	if (e == -EBADMSG || only_zeros(r))
		return why_set(ret_why, -ENODATA, "anchors: byte %zu: the last record is cut short",
			       r->at);
	if (e < 0 || all.size < 2 + CHECK_SIZE)
		return why_set(ret_why, -EBADMSG,
			       "anchors: byte %zu: a record's size is impossible", r->at);
	e = digest_sha256(all.data, all.size - CHECK_SIZE, &check);
	if (e < 0)
		return e;
	/* A power cut can leave the right size and not all of the bytes: only at the very end that is a torn record. */
	if (memcmp(check.bytes, all.data + all.size - CHECK_SIZE, CHECK_SIZE) != 0)
		return why_set(ret_why, buf_left(&at) == 0 ? -ENODATA : -EBADMSG,
			       "anchors: byte %zu: record does not fit its check", r->at);
	body = buf_reader_of(all.data, all.size - CHECK_SIZE);
	e = buf_read_u16be(&body, &kind);
	if (e < 0)
		return e;
	a.kind = (enum ledger_anchor_kind)kind;
	if (get_body(&body, &a) < 0)
		return why_set(ret_why, -EBADMSG,
			       "anchors: byte %zu: record of kind %u is malformed", r->at, kind);
	*r = at;
	*ret = a;
	return 1;
}

int ledger_dir_note_write(uint64_t size, const struct digest *root, const char *note_line,
			  size_t note_size, struct buf *ret)
{
	size_t dash = strlen(DASH);

	if (note_size <= dash || memcmp(note_line, DASH, dash) != 0 ||
	    memchr(note_line, '\n', note_size))
		return -EINVAL;
	buf_printf(ret, "%" PRIu64 " ", size);
	digest_base64(ret, root->bytes, DIGEST_SIZE);
	buf_puts(ret, " ");
	buf_put(ret, note_line + dash, note_size - dash);
	buf_puts(ret, "\n");
	return buf_status(ret);
}

int ledger_dir_note_read(const char *text, size_t size, struct ledger_note *ret,
			 struct why *ret_why)
{
	CLEANUP(buf_done) struct buf root = {0};
	struct ledger_note n = {.size = 0};
	size_t at = 0;

	while (at < size && at < 19 && text[at] >= '0' && text[at] <= '9')
		n.size = n.size * 10 + (uint64_t)(text[at++] - '0');
	if (at == 0 || (at > 1 && text[0] == '0') || n.size > (uint64_t)INT64_MAX ||
	    size < at + 47 || text[at] != ' ' || text[at + 45] != ' ')
		return why_set(ret_why, -EBADMSG, "note does not start with a size and a root");
	if (digest_from_base64(text + at + 1, 44, &root) < 0 || root.size != DIGEST_SIZE)
		return why_set(ret_why, -EBADMSG, "note's root is not 32 bytes in base64");
	memcpy(n.root.bytes, root.data, DIGEST_SIZE);
	n.line = text + at + 46;
	n.line_size = size - at - 46;
	*ret = n;
	return 0;
}
