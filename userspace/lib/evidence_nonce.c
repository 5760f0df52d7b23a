/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence_nonce.h"

#include <errno.h>
#include <string.h>

#include "cleanup.h"
#include "jsonl.h"
#include "plumb/wire.h"

int evidence_nonce_bytes(const json_t *o, uint8_t ret[WIRE_NONCE_SIZE], struct why *ret_why)
{
	CLEANUP(buf_done) struct buf b = {0};
	int r = jsonl_get_base64(o, "nonce", WIRE_NONCE_SIZE, &b, ret_why);

	if (r < 0)
		return r;
	if (b.size != WIRE_NONCE_SIZE)
		return why_set(ret_why, -EBADMSG, "\"nonce\" has %zu bytes instead of %u", b.size,
			       WIRE_NONCE_SIZE);
	memcpy(ret, b.data, WIRE_NONCE_SIZE);
	return 0;
}

int evidence_nonce_write(const struct evidence_nonce *n, struct buf *ret)
{
	struct jsonl j;

	jsonl_begin(&j, ret);
	jsonl_uint(&j, "v", WIRE_VERSION);
	jsonl_base64(&j, "nonce", n->nonce, WIRE_NONCE_SIZE);
	jsonl_uint(&j, "life_ms", n->life_ms);
	jsonl_uint(&j, "size", n->size);
	if (n->has_base) {
		jsonl_object(&j, "base");
		jsonl_hex(&j, "pcr", n->base_pcr.bytes, DIGEST_SIZE);
		jsonl_uint(&j, "reset", n->base_reset);
		jsonl_uint(&j, "restart", n->base_restart);
		if (n->has_base_size)
			jsonl_uint(&j, "size", n->base_size);
		jsonl_close(&j);
	} else {
		jsonl_null(&j, "base");
	}
	if (n->asks_boot_log)
		jsonl_hex(&j, "boot_log", n->boot_log.bytes, DIGEST_SIZE);
	if (n->asks_measure_log)
		jsonl_hex(&j, "measure_log", n->measure_log.bytes, DIGEST_SIZE);
	if (n->has_ima) {
		jsonl_object(&j, "ima");
		jsonl_str(&j, "boot", n->ima_boot);
		jsonl_uint(&j, "from", n->ima_from);
		jsonl_close(&j);
	}
	jsonl_end(&j);
	return buf_status(ret);
}

static int get_base(const json_t *o, struct evidence_nonce *n, struct why *ret_why)
{
	json_t *base = json_object_get(o, "base");
	int r;

	if (json_is_null(base))
		return 0;
	r = jsonl_get_object(o, "base", &base, ret_why);
	if (r >= 0)
		r = jsonl_get_hex(base, "pcr", n->base_pcr.bytes, DIGEST_SIZE, ret_why);
	if (r >= 0)
		r = jsonl_get_u32(base, "reset", &n->base_reset, ret_why);
	if (r >= 0)
		r = jsonl_get_u32(base, "restart", &n->base_restart, ret_why);
	n->has_base_size = json_object_get(base, "size") != NULL;
	if (r >= 0 && n->has_base_size)
		r = jsonl_get_uint(base, "size", INT64_MAX, &n->base_size, ret_why);
	if (r >= 0)
		n->has_base = true;
	return r;
}

static int get_asked(const json_t *o, struct evidence_nonce *n, struct why *ret_why)
{
	int r = 0;

	n->asks_boot_log = json_object_get(o, "boot_log") != NULL;
	n->asks_measure_log = json_object_get(o, "measure_log") != NULL;
	if (n->asks_boot_log)
		r = jsonl_get_hex(o, "boot_log", n->boot_log.bytes, DIGEST_SIZE, ret_why);
	if (r >= 0 && n->asks_measure_log)
		r = jsonl_get_hex(o, "measure_log", n->measure_log.bytes, DIGEST_SIZE, ret_why);
	return r;
}

/* A verifier of an older release says nothing of it. */
static int get_ima_wish(const json_t *o, struct evidence_nonce *n, struct why *ret_why)
{
	json_t *ima;
	int r;

	if (!json_object_get(o, "ima"))
		return 0;
	r = jsonl_get_object(o, "ima", &ima, ret_why);
	if (r >= 0)
		r = jsonl_get_text(ima, "boot", n->ima_boot, sizeof(n->ima_boot), ret_why);
	if (r >= 0)
		r = jsonl_get_uint(ima, "from", INT64_MAX, &n->ima_from, ret_why);
	if (r >= 0)
		n->has_ima = true;
	return r;
}

int evidence_nonce_parse(const void *body, size_t size, struct evidence_nonce *ret,
			 struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	struct evidence_nonce found = {.size = 0};
	int r = jsonl_parse(body, size, WIRE_MAX_JSON_BODY, &o, ret_why);

	if (r >= 0)
		r = jsonl_get_version(o, WIRE_VERSION, ret_why);
	if (r >= 0)
		r = evidence_nonce_bytes(o, found.nonce, ret_why);
	if (r >= 0)
		r = jsonl_get_uint(o, "life_ms", INT64_MAX, &found.life_ms, ret_why);
	if (r >= 0)
		r = jsonl_get_uint(o, "size", INT64_MAX, &found.size, ret_why);
	if (r >= 0)
		r = get_base(o, &found, ret_why);
	if (r >= 0)
		r = get_asked(o, &found, ret_why);
	if (r >= 0)
		r = get_ima_wish(o, &found, ret_why);
	if (r < 0)
		return r == -ENOENT ? -EBADMSG : r;
	*ret = found;
	return 0;
}
