/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "clock.h"
#include "jsonl.h"

/* Anchors, IMA's entries and logs of the boot travel in base64 inside the header line. */
#define MAX_HEADER                                                                     \
	(WIRE_MAX_ANCHORS / 3 * 4 + WIRE_MAX_IMA / 3 * 4 + WIRE_MAX_BOOT_LOG / 3 * 4 + \
	 WIRE_MAX_MEASURE_LOG / 3 * 4 + 64u * 1024)
#define MAX_ORDER (16u * 1024)

void evidence_done(struct evidence *e)
{
	buf_done(&e->attest);
	buf_done(&e->sig);
	buf_done(&e->anchors);
	buf_done(&e->ima);
	buf_done(&e->boot_log_data);
	buf_done(&e->measure_log);
	*e = (struct evidence){.from = 0};
}

static void put_quote(struct jsonl *j, const struct evidence *e)
{
	char index[8];

	jsonl_base64(j, "nonce", e->nonce, WIRE_NONCE_SIZE);
	jsonl_uint(j, "pcr_index", e->pcr_index);
	jsonl_object(j, "pcrs");
	for (unsigned int i = 0; i < QUOTE_N_PCRS; i++) {
		if (!(e->pcrs.mask & 1u << i))
			continue;
		snprintf(index, sizeof(index), "%u", i);
		jsonl_hex(j, index, e->pcrs.values[i].bytes, DIGEST_SIZE);
	}
	jsonl_close(j);
	jsonl_base64(j, "attest", e->attest.data, e->attest.size);
	jsonl_base64(j, "sig", e->sig.data, e->sig.size);
	jsonl_base64(j, "anchors", e->anchors.data, e->anchors.size);
	jsonl_hex(j, "boot_log", e->boot_log.bytes, DIGEST_SIZE);
	if (e->boot_log_data.size > 0)
		jsonl_base64(j, "boot_log_data", e->boot_log_data.data, e->boot_log_data.size);
	if (e->measure_log.size > 0)
		jsonl_base64(j, "measure_log", e->measure_log.data, e->measure_log.size);
	jsonl_uint(j, "ima_cursor", e->ima_cursor);
	if (e->has_ima_end)
		jsonl_uint(j, "ima_end", e->ima_end);
	if (e->ima.size == 0)
		return;
	jsonl_uint(j, "ima_from", e->ima_from);
	jsonl_base64(j, "ima", e->ima.data, e->ima.size);
}

int evidence_write(const struct evidence *e, struct buf *ret)
{
	char text[CHECKPOINT_MAX_TEXT], sent[CLOCK_TEXT_SIZE];
	struct jsonl j;
	size_t size;
	int r = checkpoint_text(&e->checkpoint, text, &size);

	if (r < 0)
		return r;
	if (e->n_notes > EVIDENCE_MAX_NOTES || e->n_lines > WIRE_MAX_EVIDENCE_LINES ||
	    e->anchors.size > WIRE_MAX_ANCHORS || e->ima.size > WIRE_MAX_IMA ||
	    e->boot_log_data.size > WIRE_MAX_BOOT_LOG || e->measure_log.size > WIRE_MAX_MEASURE_LOG)
		return -E2BIG;
	clock_text(e->sent_ns, sent);
	jsonl_begin(&j, ret);
	jsonl_uint(&j, "v", WIRE_VERSION);
	jsonl_str(&j, "kind", e->provisional ? "provisional" : "evidence");
	jsonl_str(&j, "node", e->node);
	jsonl_uint(&j, "incarnation", e->incarnation);
	jsonl_strn(&j, "checkpoint", text, size);
	jsonl_uint(&j, "from", e->from);
	jsonl_uint(&j, "n", e->n_lines);
	jsonl_array(&j, "notes");
	for (uint32_t i = 0; i < e->n_notes; i++)
		jsonl_str(&j, NULL, e->notes[i]);
	jsonl_close(&j);
	if (!e->provisional)
		put_quote(&j, e);
	jsonl_uint(&j, "baseline", e->baseline_version);
	jsonl_uint(&j, "order", e->last_order);
	jsonl_bool(&j, "leaving", e->leaving);
	jsonl_uint(&j, "judge", e->judge_version);
	jsonl_str(&j, "agent", e->agent_version);
	jsonl_str(&j, "sent", sent);
	jsonl_end(&j);
	buf_put(ret, "\n", 1);
	buf_put(ret, e->lines.data, e->lines.size);
	return buf_status(ret);
}

static int get_bytes(const json_t *o, const char *key, size_t max, struct buf *ret,
		     struct why *ret_why)
{
	int r = jsonl_get_base64(o, key, max, ret, ret_why);

	if (r >= 0 && ret->size > max)
		r = why_set(ret_why, -EBADMSG, "\"%s\" has more than %zu bytes", key, max);
	return r;
}

/* "0" to "23", and no other spelling. */
static int pcr_of(const char *key)
{
	int v = key[0] - '0';

	if (key[0] < '0' || key[0] > '9')
		return -EBADMSG;
	if (key[1] == 0)
		return v;
	if (v == 0 || key[1] < '0' || key[1] > '9' || key[2] != 0)
		return -EBADMSG;
	v = v * 10 + key[1] - '0';
	return v < QUOTE_N_PCRS ? v : -EBADMSG;
}

static int get_pcrs(const json_t *o, struct quote_pcrs *ret, struct why *ret_why)
{
	const char *key;
	json_t *pcrs, *item;
	int r = jsonl_get_object(o, "pcrs", &pcrs, ret_why);

	if (r < 0)
		return r;
	json_object_foreach (pcrs, key, item) {
		int i = pcr_of(key);

		if (i < 0)
			return why_set(ret_why, -EBADMSG, "\"pcrs\": \"%.20s\" is no PCR", key);
		r = jsonl_get_hex(pcrs, key, ret->values[i].bytes, DIGEST_SIZE, ret_why);
		if (r < 0)
			return r;
		ret->mask |= 1u << i;
	}
	return 0;
}

static int check_ima(const struct evidence *e, struct why *ret_why)
{
	if (e->ima_from > e->ima_cursor || e->ima_cursor > e->ima_end ||
	    (e->ima.size == 0 && e->ima_from != e->ima_end))
		return why_set(ret_why, -EBADMSG,
			       "\"ima_from\", \"ima_cursor\" and \"ima_end\" do not rise");
	return 0;
}

/* Entries only where IMA measured something since the last evidence. */
static int get_ima(const json_t *o, struct evidence *e, struct why *ret_why)
{
	int r = 0;

	e->ima_from = e->ima_end = e->ima_cursor;
	e->has_ima_end = json_object_get(o, "ima_end") != NULL;
	if (e->has_ima_end)
		r = jsonl_get_uint(o, "ima_end", INT64_MAX, &e->ima_end, ret_why);
	if (r >= 0 && json_object_get(o, "ima")) {
		r = jsonl_get_uint(o, "ima_from", INT64_MAX, &e->ima_from, ret_why);
		if (r >= 0)
			r = get_bytes(o, "ima", WIRE_MAX_IMA, &e->ima, ret_why);
	}
	return r < 0 ? r : check_ima(e, ret_why);
}

static int check_boot_log(const struct evidence *e, struct why *ret_why)
{
	struct digest d;
	int r = digest_sha256(e->boot_log_data.data, e->boot_log_data.size, &d);

	if (r >= 0 && !digest_equal(&d, &e->boot_log))
		r = why_set(ret_why, -EBADMSG, "\"boot_log_data\" is not what \"boot_log\" is of");
	return r;
}

/* Only where the verifier has none, or another: the quote says which one it must be. */
static int get_boot_log(const json_t *o, struct evidence *e, struct why *ret_why)
{
	int r = jsonl_get_hex(o, "boot_log", e->boot_log.bytes, DIGEST_SIZE, ret_why);

	if (r < 0 || !json_object_get(o, "boot_log_data"))
		return r;
	r = get_bytes(o, "boot_log_data", WIRE_MAX_BOOT_LOG, &e->boot_log_data, ret_why);
	return r < 0 ? r : check_boot_log(e, ret_why);
}

static int check_pcrs(const struct evidence *e, struct why *ret_why)
{
	return e->pcrs.mask & 1u << e->pcr_index
		       ? 0
		       : why_set(ret_why, -EBADMSG, "\"pcrs\" lacks PCR %u of \"pcr_index\"",
				 e->pcr_index);
}

/* It proves nothing by itself; an agent of before has none. */
static int get_measure_log(const json_t *o, struct evidence *e, struct why *ret_why)
{
	return json_object_get(o, "measure_log")
		       ? get_bytes(o, "measure_log", WIRE_MAX_MEASURE_LOG, &e->measure_log, ret_why)
		       : 0;
}

static int get_quote(const json_t *o, struct evidence *e, struct why *ret_why)
{
	uint64_t pcr = 0;
	int r = evidence_nonce_bytes(o, e->nonce, ret_why);

	if (r >= 0)
		r = jsonl_get_uint(o, "pcr_index", QUOTE_N_PCRS - 1, &pcr, ret_why);
	if (r >= 0)
		r = get_pcrs(o, &e->pcrs, ret_why);
	if (r >= 0)
		r = get_bytes(o, "attest", QUOTE_MAX_BLOB, &e->attest, ret_why);
	if (r >= 0)
		r = get_bytes(o, "sig", QUOTE_MAX_BLOB, &e->sig, ret_why);
	if (r >= 0)
		r = get_bytes(o, "anchors", WIRE_MAX_ANCHORS, &e->anchors, ret_why);
	if (r >= 0)
		r = get_boot_log(o, e, ret_why);
	if (r >= 0)
		r = get_measure_log(o, e, ret_why);
	if (r >= 0)
		r = jsonl_get_uint(o, "ima_cursor", INT64_MAX, &e->ima_cursor, ret_why);
	if (r >= 0)
		r = get_ima(o, e, ret_why);
	e->pcr_index = (uint8_t)pcr;
	return r < 0 ? r : check_pcrs(e, ret_why);
}

/* What only evidence with a quote has would be believed by a careless reader of a provisional. */
static int refuse_quote(const json_t *o, struct why *ret_why)
{
	static const char *const keys[] = {"nonce",	  "pcr_index",	"pcrs",	    "attest",
					   "sig",	  "anchors",	"boot_log", "boot_log_data",
					   "measure_log", "ima_cursor", "ima_end",  "ima_from",
					   "ima"};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (json_object_get(o, keys[i]))
			return why_set(ret_why, -EBADMSG, "a provisional has \"%s\"", keys[i]);
	return 0;
}

static int get_notes(const json_t *o, struct evidence *e, struct why *ret_why)
{
	json_t *notes, *item;
	size_t i;
	int r = jsonl_get_array(o, "notes", EVIDENCE_MAX_NOTES, &notes, ret_why);

	if (r < 0)
		return r;
	json_array_foreach (notes, i, item) {
		const char *text = json_string_value(item);

		if (!text || json_string_length(item) >= CHECKPOINT_MAX_NOTE_LINE)
			return why_set(ret_why, -EBADMSG, "\"notes\"[%zu] is no signature line", i);
		memcpy(e->notes[i], text, strlen(text) + 1);
		e->n_notes++;
	}
	return 0;
}

static int get_checkpoint(const json_t *o, struct checkpoint *ret, struct why *ret_why)
{
	const char *text;
	int r = jsonl_get_str(o, "checkpoint", CHECKPOINT_MAX_TEXT, &text, ret_why);

	return r < 0 ? r : checkpoint_parse(text, strlen(text), ret, ret_why);
}

/* Neither is above 2^63, so the sum does not wrap. */
static int check_size(const struct evidence *e, struct why *ret_why)
{
	return e->from + e->n_lines == e->checkpoint.size
		       ? 0
		       : why_set(ret_why, -EBADMSG,
				 "\"from\" + \"n\" is not the checkpoint's size");
}

static int get_heading(const json_t *o, struct evidence *e, struct why *ret_why)
{
	struct digest node;
	const char *kind = "";
	int r = jsonl_get_version(o, WIRE_VERSION, ret_why);

	if (r >= 0)
		r = jsonl_get_str(o, "kind", 32, &kind, ret_why);
	if (r < 0)
		return r;
	e->provisional = strcmp(kind, "provisional") == 0;
	if (!e->provisional && strcmp(kind, "evidence") != 0)
		return why_set(ret_why, -EBADMSG, "\"kind\" is neither evidence nor provisional");
	r = jsonl_get_hex(o, "node", node.bytes, DIGEST_SIZE, ret_why);
	if (r < 0)
		return r;
	digest_hex(&node, e->node);
	r = jsonl_get_uint(o, "incarnation", INT64_MAX, &e->incarnation, ret_why);
	if (r >= 0)
		r = get_checkpoint(o, &e->checkpoint, ret_why);
	if (r >= 0)
		r = jsonl_get_uint(o, "from", INT64_MAX, &e->from, ret_why);
	if (r >= 0)
		r = jsonl_get_uint(o, "n", WIRE_MAX_EVIDENCE_LINES, &e->n_lines, ret_why);
	if (r >= 0)
		r = check_size(e, ret_why);
	return r < 0 ? r : get_notes(o, e, ret_why);
}

static int get_tail(const json_t *o, struct evidence *e, struct why *ret_why)
{
	char sent[CLOCK_TEXT_SIZE];
	int r = jsonl_get_uint(o, "baseline", INT64_MAX, &e->baseline_version, ret_why);

	if (r >= 0)
		r = jsonl_get_uint(o, "order", INT64_MAX, &e->last_order, ret_why);
	if (r >= 0)
		r = jsonl_get_bool(o, "leaving", &e->leaving, ret_why);
	if (r >= 0)
		r = jsonl_get_u32(o, "judge", &e->judge_version, ret_why);
	if (r >= 0)
		r = jsonl_get_text(o, "agent", e->agent_version, sizeof(e->agent_version), ret_why);
	if (r >= 0)
		r = jsonl_get_text(o, "sent", sent, sizeof(sent), ret_why);
	if (r >= 0 && clock_from_text(sent, &e->sent_ns) < 0)
		r = why_set(ret_why, -EBADMSG, "\"sent\" is not a UTC time");
	return r;
}

static int check_lines(const struct evidence *e, struct why *ret_why)
{
	const uint8_t *p = e->lines.data, *end = p + e->lines.size;
	uint64_t n = 0;

	while (p < end) {
		const uint8_t *lf = memchr(p, '\n', (size_t)(end - p));

		if (!lf)
			return why_set(ret_why, -EBADMSG, "line %llu is cut short",
				       (unsigned long long)e->from + n);
		if ((size_t)(lf - p) > WIRE_MAX_LINE)
			return why_set(ret_why, -EBADMSG, "line %llu has more than %u bytes",
				       (unsigned long long)e->from + n, WIRE_MAX_LINE);
		n++;
		p = lf + 1;
	}
	return n == e->n_lines ? 0
			       : why_set(ret_why, -EBADMSG, "%llu lines, but the header says %llu",
					 (unsigned long long)n, (unsigned long long)e->n_lines);
}

static int parse(const json_t *o, struct evidence *e, struct why *ret_why)
{
	int r = get_heading(o, e, ret_why);

	if (r >= 0)
		r = e->provisional ? refuse_quote(o, ret_why) : get_quote(o, e, ret_why);
	return r >= 0 ? get_tail(o, e, ret_why) : r;
}

static bool agrees(const struct evidence *e)
{
	return check_size(e, NULL) >= 0 &&
	       (e->provisional || (check_pcrs(e, NULL) >= 0 && check_ima(e, NULL) >= 0 &&
				   (e->boot_log_data.size == 0 || check_boot_log(e, NULL) >= 0)));
}

/* What the quick reader does not take is not wrong for that: the other one says what is. */
static int parse_head(const void *head, size_t size, struct evidence *e, struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	int r;

	if (size <= MAX_HEADER && evidence_head_scan(head, size, e) && agrees(e))
		return 0;
	evidence_done(e);
	r = jsonl_parse(head, size, MAX_HEADER, &o, ret_why);
	return r < 0 ? r : parse(o, e, ret_why);
}

int evidence_parse(const void *body, size_t size, struct evidence *ret, struct why *ret_why)
{
	const uint8_t *lf;
	struct evidence *e;
	size_t head;
	int r;

	if (size > WIRE_MAX_EVIDENCE_BODY)
		return why_set(ret_why, -E2BIG, "evidence of %zu bytes, at most %u are allowed",
			       size, WIRE_MAX_EVIDENCE_BODY);
	lf = size ? memchr(body, '\n', size) : NULL;
	if (!lf)
		return why_set(ret_why, -EBADMSG, "evidence has no header line");
	head = (size_t)(lf - (const uint8_t *)body);
	e = calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	r = parse_head(body, head, e, ret_why);
	e->lines = (struct buf_view){lf + 1, size - head - 1};
	if (r >= 0)
		r = check_lines(e, ret_why);
	if (r >= 0)
		*ret = *e;
	else
		evidence_done(e);
	free(e);
	return r == -ENOENT ? -EBADMSG : r;
}

void evidence_answer_done(struct evidence_answer *a)
{
	for (uint32_t i = 0; i < EVIDENCE_MAX_ORDERS; i++)
		buf_done(&a->orders[i]);
	buf_done(&a->certificate);
	*a = (struct evidence_answer){.size = 0};
}

int evidence_answer_write(const struct evidence_answer *a, struct buf *ret)
{
	const char *result = terms_result_name(a->result);
	struct jsonl j;

	if (!result || a->n_orders > EVIDENCE_MAX_ORDERS || a->certificate.size > EVIDENCE_MAX_CERT)
		return -EINVAL;
	jsonl_begin(&j, ret);
	jsonl_uint(&j, "v", WIRE_VERSION);
	jsonl_str(&j, "result", result);
	jsonl_str(&j, "reason", a->reason);
	jsonl_uint(&j, "size", a->size);
	jsonl_uint(&j, "confirmed", a->confirmed_size);
	jsonl_str(&j, "cosignature", a->cosignature);
	jsonl_str(&j, "state", a->state);
	jsonl_array(&j, "orders");
	for (uint32_t i = 0; i < a->n_orders; i++)
		jsonl_raw(&j, NULL, (const char *)a->orders[i].data, a->orders[i].size);
	jsonl_close(&j);
	if (a->certificate.size > 0)
		jsonl_strn(&j, "certificate", (const char *)a->certificate.data,
			   a->certificate.size);
	jsonl_end(&j);
	return buf_status(ret);
}

/* The envelope is written anew from the tree: DSSE signs the payload inside it, not its spelling. */
static int get_orders(const json_t *o, struct evidence_answer *a, struct why *ret_why)
{
	json_t *orders, *item;
	size_t i;
	int r = jsonl_get_array(o, "orders", EVIDENCE_MAX_ORDERS, &orders, ret_why);

	if (r < 0)
		return r;
	json_array_foreach (orders, i, item) {
		CLEANUP_FREE char *text =
			json_is_object(item) ? json_dumps(item, JSON_COMPACT) : NULL;

		if (!text || strlen(text) > MAX_ORDER)
			return why_set(ret_why, -EBADMSG, "\"orders\"[%zu] is no order", i);
		buf_puts(&a->orders[i], text);
		r = buf_status(&a->orders[i]);
		if (r < 0)
			return r;
		a->n_orders++;
	}
	return 0;
}

/* A member of its own time: most answers have none. */
static int get_certificate(const json_t *o, struct evidence_answer *a, struct why *ret_why)
{
	const char *text;
	int r;

	if (!json_object_get(o, "certificate"))
		return 0;
	r = jsonl_get_str(o, "certificate", EVIDENCE_MAX_CERT, &text, ret_why);
	if (r < 0)
		return r;
	buf_puts(&a->certificate, text);
	return buf_status(&a->certificate);
}

static int get_answer(const json_t *o, struct evidence_answer *a, struct why *ret_why)
{
	const char *result = "";
	int r = jsonl_get_version(o, WIRE_VERSION, ret_why);

	if (r >= 0)
		r = jsonl_get_str(o, "result", 32, &result, ret_why);
	if (r < 0)
		return r;
	a->result = terms_result_from_name(result);
	if (a->result == 0)
		return why_set(ret_why, -EBADMSG, "\"result\" is unknown: %s", result);
	r = jsonl_get_text(o, "reason", a->reason, sizeof(a->reason), ret_why);
	if (r >= 0)
		r = jsonl_get_uint(o, "size", INT64_MAX, &a->size, ret_why);
	if (r >= 0)
		r = jsonl_get_uint(o, "confirmed", INT64_MAX, &a->confirmed_size, ret_why);
	if (r >= 0)
		r = jsonl_get_text(o, "cosignature", a->cosignature, sizeof(a->cosignature),
				   ret_why);
	if (r >= 0)
		r = jsonl_get_text(o, "state", a->state, sizeof(a->state), ret_why);
	if (r >= 0)
		r = get_orders(o, a, ret_why);
	return r >= 0 ? get_certificate(o, a, ret_why) : r;
}

int evidence_answer_parse(const void *body, size_t size, struct evidence_answer *ret,
			  struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	struct evidence_answer found = {.size = 0};
	int r = jsonl_parse(body, size, WIRE_MAX_JSON_BODY, &o, ret_why);

	if (r >= 0)
		r = get_answer(o, &found, ret_why);
	if (r < 0) {
		evidence_answer_done(&found);
		return r == -ENOENT ? -EBADMSG : r;
	}
	*ret = found;
	return 0;
}
