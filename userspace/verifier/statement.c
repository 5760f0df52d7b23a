/* SPDX-License-Identifier: Apache-2.0 */
#include "statement.h"

#include <errno.h>
#include <inttypes.h>

#include "api_view.h"
#include "cleanup.h"
#include "dsse.h"
#include "jsonl.h"
#include "plumb/wire.h"

#define MAX_BODY WIRE_MAX_JSON_BODY

struct orders {
	struct jsonl *j;
	uint64_t n, skip;
};

static int on_order(void *ctx, uint64_t number, const void *envelope, size_t size)
{
	struct orders *o = ctx;

	(void)number;
	if (o->n++ < o->skip)
		return 0;
	if (o->j)
		jsonl_raw(o->j, NULL, envelope, size);
	return o->j ? buf_status(o->j->buf) : 0;
}

/* The newest ones, oldest of them first. */
static int put_orders(const struct verifier *v, const struct store_node *n, struct jsonl *j)
{
	const struct store *s = v->store;
	struct orders all = {.j = NULL}, some = {.j = j};
	int r = s->ops->order_each(s->ctx, n->id, 0, on_order, &all);

	if (all.n > STATEMENT_MAX_ORDERS)
		some.skip = all.n - STATEMENT_MAX_ORDERS;
	jsonl_array(j, "orders");
	if (r >= 0)
		r = s->ops->order_each(s->ctx, n->id, 0, on_order, &some);
	jsonl_close(j);
	jsonl_bool(j, "more", some.skip > 0);
	return r;
}

static int put_log(const struct verifier *v, struct jsonl *j)
{
	CLEANUP(buf_done) struct buf note = {0};
	uint64_t size = 0;
	int r = vlog_note(v->vlog, &note, &size);

	if (r < 0 && r != -ENOENT)
		return r;
	jsonl_object(j, "log");
	jsonl_uint(j, "size", size);
	jsonl_strn(j, "note", note.size ? (char *)note.data : "", note.size);
	jsonl_close(j);
	return 0;
}

static int put_payload(const struct verifier *v, const struct documents *d,
		       const struct store_node *n, struct buf *ret)
{
	CLEANUP(buf_done) struct buf node = {0};
	char made[CLOCK_TEXT_SIZE];
	size_t size = n->record.size;
	struct digest record;
	struct jsonl j;
	int r = api_view_node(v, d, n, &node);

	/* Of the object alone: how its line ends is not the record's. */
	while (size > 0 && n->record.data[size - 1] == '\n')
		size--;
	if (r >= 0)
		r = digest_sha256(n->record.data, size, &record);
	if (r < 0)
		return r;
	clock_text(clock_utc_ns(v->clock), made);
	jsonl_begin(&j, ret);
	jsonl_uint(&j, "v", WIRE_VERSION);
	jsonl_str(&j, "made", made);
	jsonl_str(&j, "verifier", v->log_name);
	jsonl_str(&j, "version", PLUMB_VERSION);
	jsonl_str(&j, "id", n->id);
	jsonl_uint(&j, "incarnation", n->incarnation);
	jsonl_hex(&j, "record", record.bytes, DIGEST_SIZE);
	jsonl_uint(&j, "lines", n->frontier.size);
	r = put_log(v, &j);
	if (r >= 0)
		r = put_orders(v, n, &j);
	jsonl_raw(&j, "node", (char *)node.data, node.size);
	jsonl_end(&j);
	return r < 0 ? r : buf_status(ret);
}

int statement_write(const struct verifier *v, const struct documents *d, const struct store_node *n,
		    struct buf *ret)
{
	const struct sign_key *const keys[] = {v->verdict_key, v->old_verdict_key};
	CLEANUP(buf_done) struct buf payload = {0};
	int r = put_payload(v, d, n, &payload);

	return r < 0 ? r
		     : dsse_sign(WIRE_DSSE_STATEMENT, payload.data, payload.size, keys,
				 v->old_verdict_key ? 2 : 1, ret);
}

static int prove_one(const struct verifier *v, const json_t *number, uint64_t size, struct jsonl *j,
		     struct why *ret_why)
{
	struct digest proof[MERKLE_MAX_LEVELS];
	json_int_t line = json_is_integer(number) ? json_integer_value(number) : -1;
	uint32_t n = 0;
	int r = line < 0 ? -ERANGE : vlog_prove(v->vlog, (uint64_t)line, size, proof, &n);

	if (r == -ERANGE)
		return why_set(ret_why, -EBADMSG,
			       "\"lines\": %lld is no line of the first %" PRIu64 " of this log",
			       (long long)line, size);
	if (r < 0)
		return r;
	jsonl_object(j, NULL);
	jsonl_uint(j, "line", (uint64_t)line);
	jsonl_array(j, "hashes");
	for (uint32_t i = 0; i < n; i++)
		jsonl_base64(j, NULL, proof[i].bytes, DIGEST_SIZE);
	jsonl_close(j);
	jsonl_close(j);
	return 0;
}

int statement_prove(const struct verifier *v, const void *body, size_t size, struct buf *ret,
		    struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	json_t *lines = NULL, *number;
	uint64_t tree = 0;
	struct jsonl j;
	size_t i;
	int r = jsonl_parse(body, size, MAX_BODY, &o, ret_why);

	if (r >= 0)
		r = jsonl_get_uint(o, "size", INT64_MAX, &tree, ret_why);
	if (r >= 0)
		r = jsonl_get_array(o, "lines", WIRE_MAX_PROOFS, &lines, ret_why);
	if (r < 0)
		return r == -ENOMEM ? r : -EBADMSG;
	jsonl_begin(&j, ret);
	jsonl_uint(&j, "v", WIRE_VERSION);
	jsonl_uint(&j, "size", tree);
	jsonl_array(&j, "proofs");
	json_array_foreach (lines, i, number) {
		r = prove_one(v, number, tree, &j, ret_why);
		if (r < 0)
			return r;
	}
	jsonl_close(&j);
	jsonl_end(&j);
	return buf_status(ret);
}
