/* SPDX-License-Identifier: Apache-2.0 */
#include "ek_list.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "clock.h"
#include "enrol_body.h"
#include "jsonl.h"

#define KIND "ek"
#define MAX_ENTRY 4096

static void put_entry(struct jsonl *j, const struct ek_list_entry *e)
{
	char at[CLOCK_TEXT_SIZE];

	clock_text(e->at_ns, at);
	jsonl_str(j, "ek", e->ek);
	jsonl_str(j, "label", e->label);
	jsonl_str(j, "by", e->by);
	jsonl_str(j, "at", at);
}

static int parse(const void *data, size_t size, struct ek_list_entry *ret)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	char at[CLOCK_TEXT_SIZE];
	struct why why;
	int r = jsonl_parse(data, size, MAX_ENTRY, &o, &why);

	if (r >= 0)
		r = jsonl_get_text(o, "ek", ret->ek, sizeof(ret->ek), &why);
	if (r >= 0)
		r = jsonl_get_text(o, "label", ret->label, sizeof(ret->label), &why);
	if (r >= 0)
		r = jsonl_get_text(o, "by", ret->by, sizeof(ret->by), &why);
	if (r >= 0)
		r = jsonl_get_text(o, "at", at, sizeof(at), &why);
	if (r >= 0)
		r = clock_from_text(at, &ret->at_ns);
	return r == -ENOMEM ? r : r < 0 ? -EBADMSG : 0;
}

int ek_list_get(const struct store *s, const char *ek, struct ek_list_entry *ret)
{
	CLEANUP(buf_done) struct buf b = {.max = MAX_ENTRY};
	struct ek_list_entry e;
	int r = s->ops->blob_get(s->ctx, KIND, ek, &b);

	if (r >= 0)
		r = parse(b.data, b.size, &e);
	if (r >= 0 && strcmp(e.ek, ek) != 0)
		r = -EBADMSG;
	if (r < 0)
		return r;
	*ret = e;
	return 0;
}

int ek_list_put(const struct store *s, const struct ek_list_entry *e)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct jsonl j;

	jsonl_begin(&j, &b);
	put_entry(&j, e);
	jsonl_end(&j);
	return buf_status(&b) < 0 ? buf_status(&b)
				  : s->ops->blob_put(s->ctx, KIND, e->ek, b.data, b.size);
}

int ek_list_remove(const struct store *s, const char *ek)
{
	return s->ops->blob_remove(s->ctx, KIND, ek);
}

struct writing {
	struct jsonl j;
	uint32_t n;
};

static int on_entry(void *ctx, const char *name, const void *data, size_t size)
{
	struct writing *w = ctx;
	struct ek_list_entry e;
	int r = parse(data, size, &e);

	if (r < 0 || strcmp(e.ek, name) != 0)
		return r < 0 ? r : -EBADMSG;
	if (w->n == STORE_MAX_LIST)
		return 1;
	w->n++;
	jsonl_object(&w->j, NULL);
	put_entry(&w->j, &e);
	jsonl_close(&w->j);
	return buf_status(w->j.buf);
}

int ek_list_write(const struct store *s, struct buf *ret)
{
	struct writing w = {.n = 0};
	int r;

	jsonl_begin(&w.j, ret);
	jsonl_array(&w.j, "eks");
	r = s->ops->blob_each(s->ctx, KIND, on_entry, &w);
	if (r < 0)
		return r;
	jsonl_close(&w.j);
	if (r > 0)
		jsonl_bool(&w.j, "more", true);
	jsonl_end(&w.j);
	return buf_status(ret);
}

static int check_hash(const char *text, struct why *ret_why)
{
	struct digest d;
	char hex[DIGEST_HEX_SIZE] = "";

	if (digest_from_hex(text, &d) >= 0)
		digest_hex(&d, hex);
	return strcmp(hex, text) == 0
		       ? 0
		       : why_set(ret_why, 400, "node is no SHA-256 of an EK's public area");
}

int ek_list_import(const struct ek_list_word *w, struct why *ret_why)
{
	struct ek_list_entry e = {.at_ns = w->now_ns}, before;
	int r = check_hash(w->ek, ret_why);

	if (r != 0)
		return r;
	if (w->label[0] && (strlen(w->label) >= sizeof(e.label) || !enrol_body_is_label(w->label)))
		return why_set(ret_why, 400, "value is no label of a node");
	r = ek_list_get(w->store, w->ek, &before);
	if (r < 0 && r != -ENOENT)
		return r;
	snprintf(e.ek, sizeof(e.ek), "%s", w->ek);
	snprintf(e.label, sizeof(e.label), "%s", w->label);
	snprintf(e.by, sizeof(e.by), "%s", w->by);
	snprintf(w->ret_text, w->size, "EK %s is taken without a maker's certificate, %s%.100s%s",
		 e.ek, e.label[0] ? "as " : "with any label", e.label,
		 r == -ENOENT ? "" : "; it was on the list before");
	snprintf(w->ret_undo, w->size, "plumbctl ek remove %s --reason=…", e.ek);
	return ek_list_put(w->store, &e);
}

int ek_list_take_off(const struct ek_list_word *w, struct why *ret_why)
{
	int r = check_hash(w->ek, ret_why);

	if (r == 0)
		r = ek_list_remove(w->store, w->ek);
	if (r == -ENOENT)
		return why_set(ret_why, 404, "EK %.64s is not on the list", w->ek);
	snprintf(w->ret_text, w->size,
		 "EK %.64s is not taken any more; a node that was enrolled with it stays", w->ek);
	snprintf(w->ret_undo, w->size, "plumbctl ek import %.64s --reason=…", w->ek);
	return r;
}
