/* SPDX-License-Identifier: Apache-2.0 */
#include "order.h"

#include <errno.h>
#include <string.h>

#include "cleanup.h"
#include "clock.h"
#include "jsonl.h"
#include "plumb/wire.h"

#define ORDER_MAX 8192

static const char *const names[] = {
	[ORDER_CHALLENGE] = "challenge",
	[ORDER_BASELINE] = "baseline",
	[ORDER_RESTART] = "restart",
	[ORDER_QUARANTINE] = "quarantine",
	[ORDER_RELEASE] = "release",
	[ORDER_SCAN] = "scan",
	[ORDER_REKEY] = "rekey",
	[ORDER_KEY] = "order_key",
	[ORDER_WITNESS_KEY] = "witness_key",
};

static bool has_key(enum order_kind k)
{
	return k == ORDER_KEY || k == ORDER_WITNESS_KEY;
}

const char *order_kind_name(enum order_kind k)
{
	return (unsigned int)k < ARRAY_SIZE(names) ? names[k] : NULL;
}

int order_write(const struct order *o, struct buf *ret)
{
	const char *kind = order_kind_name(o->kind);
	char issued[CLOCK_TEXT_SIZE];
	struct jsonl j;

	if (!kind)
		return -EINVAL;
	clock_text(o->issued_ns, issued);
	jsonl_begin(&j, ret);
	jsonl_uint(&j, "v", WIRE_VERSION);
	jsonl_str(&j, "node", o->node);
	jsonl_uint(&j, "incarnation", o->incarnation);
	jsonl_uint(&j, "number", o->number);
	jsonl_str(&j, "kind", kind);
	jsonl_str(&j, "case", o->case_id);
	jsonl_str(&j, "reason", o->reason);
	jsonl_uint(&j, "head_size", o->head_size);
	jsonl_hex(&j, "head_root", o->head_root.bytes, DIGEST_SIZE);
	jsonl_str(&j, "issued", issued);
	jsonl_uint(&j, "life_ms", o->life_ms);
	jsonl_hex(&j, "document", o->document.bytes, DIGEST_SIZE);
	jsonl_uint(&j, "version", o->version);
	if (has_key(o->kind))
		jsonl_base64(&j, "key", o->key, o->key_size);
	jsonl_end(&j);
	return buf_status(ret);
}

static int get_kind(const json_t *o, enum order_kind *ret, struct why *ret_why)
{
	const char *text;
	int r = jsonl_get_str(o, "kind", 32, &text, ret_why);

	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i] && strcmp(names[i], text) == 0) {
			*ret = (enum order_kind)i;
			return 0;
		}
	return why_set(ret_why, -EBADMSG, "\"kind\" is unknown: %s", text);
}

static int get_heading(const json_t *o, struct order *ret, struct why *ret_why)
{
	struct digest node;
	int r = jsonl_get_version(o, WIRE_VERSION, ret_why);

	if (r >= 0)
		r = jsonl_get_hex(o, "node", node.bytes, DIGEST_SIZE, ret_why);
	if (r < 0)
		return r;
	digest_hex(&node, ret->node);
	r = jsonl_get_uint(o, "incarnation", INT64_MAX, &ret->incarnation, ret_why);
	if (r >= 0)
		r = jsonl_get_uint(o, "number", INT64_MAX, &ret->number, ret_why);
	if (r >= 0)
		r = get_kind(o, &ret->kind, ret_why);
	return r;
}

static int get_rest(const json_t *o, struct order *ret, struct why *ret_why)
{
	char issued[CLOCK_TEXT_SIZE];
	int r = jsonl_get_text(o, "case", ret->case_id, sizeof(ret->case_id), ret_why);

	if (r >= 0)
		r = jsonl_get_text(o, "reason", ret->reason, sizeof(ret->reason), ret_why);
	if (r >= 0)
		r = jsonl_get_uint(o, "head_size", INT64_MAX, &ret->head_size, ret_why);
	if (r >= 0)
		r = jsonl_get_hex(o, "head_root", ret->head_root.bytes, DIGEST_SIZE, ret_why);
	if (r >= 0)
		r = jsonl_get_text(o, "issued", issued, sizeof(issued), ret_why);
	if (r >= 0 && clock_from_text(issued, &ret->issued_ns) < 0)
		r = why_set(ret_why, -EBADMSG, "\"issued\" is not a UTC time");
	if (r >= 0)
		r = jsonl_get_uint(o, "life_ms", INT64_MAX, &ret->life_ms, ret_why);
	if (r >= 0)
		r = jsonl_get_hex(o, "document", ret->document.bytes, DIGEST_SIZE, ret_why);
	if (r >= 0)
		r = jsonl_get_uint(o, "version", INT64_MAX, &ret->version, ret_why);
	return r;
}

static int get_key(const json_t *o, struct order *ret, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf key = {0};
	int r;

	if (!has_key(ret->kind))
		return 0;
	r = jsonl_get_base64(o, "key", sizeof(ret->key), &key, ret_why);
	if (r < 0)
		return r;
	if (key.size == 0)
		return why_set(ret_why, -EBADMSG, "\"key\" is empty");
	memcpy(ret->key, key.data, key.size);
	ret->key_size = key.size;
	return 0;
}

int order_parse(const void *data, size_t size, struct order *ret, struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	struct order found = {.number = 0};
	int r = jsonl_parse(data, size, ORDER_MAX, &o, ret_why);

	if (r >= 0)
		r = get_heading(o, &found, ret_why);
	if (r >= 0)
		r = get_rest(o, &found, ret_why);
	if (r >= 0)
		r = get_key(o, &found, ret_why);
	if (r < 0)
		return r == -ENOENT ? -EBADMSG : r;
	*ret = found;
	return 0;
}
