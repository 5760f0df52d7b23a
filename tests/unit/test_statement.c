/* SPDX-License-Identifier: Apache-2.0 */
/* What the verifier states of a node is signed and of its record; each line of its log is proven to be in the head that it signed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <stdlib.h>

#include "api_fixture.h"
#include "checkpoint.h"
#include "dsse.h"
#include "jsonl.h"
#include "plumb/wire.h"

static struct api_fixture f;
static struct api_fixture_machine node;

static int setup(void **state)
{
	(void)state;
	api_fixture_open(&f);
	api_fixture_enrol(&f, &node, f.maker, "one");
	for (int i = 0; i < 5; i++)
		assert_int_equal(api_fixture_act(&f, &f.approver, "challenge", "one", "test", ""),
				 200);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	api_fixture_machine_done(&node);
	api_fixture_done(&f);
	return 0;
}

static json_t *statement(void)
{
	const struct sign_key *key = f.verdict;
	struct buf payload = {0};
	struct why why = {""};
	json_t *o = NULL;

	assert_int_equal(api_fixture_call(&f, "GET", "/v1/statement/one", &f.viewer.who, "", 0),
			 200);
	assert_int_equal(dsse_open(f.reply.body.data, f.reply.body.size, 1u << 20,
				   WIRE_DSSE_STATEMENT, &key, 1, &payload, NULL, &why),
			 0);
	assert_int_equal(jsonl_parse(payload.data, payload.size, 1u << 20, &o, &why), 0);
	buf_done(&payload);
	return o;
}

/* The head in the statement: signed by the log's key under its origin. */
static void head(const json_t *o, struct checkpoint *ret)
{
	const char *note = json_string_value(json_object_get(json_object_get(o, "log"), "note"));
	const char *end = note ? strstr(note, "\n\n") : NULL;
	struct why why = {""};

	assert_non_null(end);
	assert_int_equal(checkpoint_parse(note, (size_t)(end + 1 - note), ret, &why), 0);
	assert_int_equal(checkpoint_check(ret, CHECKPOINT_SIG_ED25519, ret->origin, f.witness,
					  end + 2, strlen(end + 2) - 1, NULL, &why),
			 0);
	assert_int_equal(ret->size, vlog_synced_size(f.vlog));
}

static void test_statement(void **state)
{
	struct checkpoint c;
	struct store_node n;
	uint8_t said[DIGEST_SIZE];
	struct why why = {""};
	json_t *o = statement();
	struct digest is;

	(void)state;
	api_fixture_row(&f, node.id, &n);
	assert_string_equal(json_string_value(json_object_get(o, "id")), node.id);
	assert_string_equal(json_string_value(json_object_get(json_object_get(o, "node"), "id")),
			    node.id);
	assert_int_equal(jsonl_get_hex(o, "record", said, sizeof(said), &why), 0);
	assert_int_equal(n.record.data[n.record.size - 1], '\n');
	assert_int_equal(digest_sha256(n.record.data, n.record.size - 1, &is), 0);
	assert_memory_equal(said, is.bytes, DIGEST_SIZE);
	assert_int_equal(json_array_size(json_object_get(o, "orders")), 5);
	assert_true(json_is_false(json_object_get(o, "more")));
	head(o, &c);
	store_node_done(&n);
	json_decref(o);
}

static void get_proof(const json_t *p, struct digest ret[MERKLE_MAX_LEVELS], uint32_t *ret_n)
{
	json_t *hashes = json_object_get(p, "hashes"), *h;
	size_t i;

	json_array_foreach (hashes, i, h) {
		struct buf b = {0};

		assert_int_equal(
			digest_from_base64(json_string_value(h), strlen(json_string_value(h)), &b),
			0);
		assert_int_equal(b.size, DIGEST_SIZE);
		memcpy(ret[i].bytes, b.data, DIGEST_SIZE);
		buf_done(&b);
	}
	*ret_n = (uint32_t)i;
}

/* At the head, and at a size before it: a log that grew meanwhile proves the same. */
static void prove_all(uint64_t size, const struct digest *root)
{
	struct buf body = {0}, lines = {0};
	struct why why = {""};
	json_t *o = NULL, *p;
	const char *at;
	uint64_t to = 0;
	size_t i;

	buf_printf(&body, "{\"size\":%llu,\"lines\":[", (unsigned long long)size);
	for (uint64_t k = 0; k < size; k++)
		buf_printf(&body, "%s%llu", k ? "," : "", (unsigned long long)k);
	buf_puts(&body, "]}");
	assert_int_equal(
		api_fixture_call(&f, "POST", "/v1/log/proofs", &f.viewer.who, body.data, body.size),
		200);
	assert_int_equal(jsonl_parse(f.reply.body.data, f.reply.body.size, 1u << 20, &o, &why), 0);
	assert_int_equal(json_array_size(json_object_get(o, "proofs")), size);
	assert_int_equal(vlog_lines(f.vlog, 0, 1u << 20, &lines, &to), 0);
	at = (char *)lines.data;
	json_array_foreach (json_object_get(o, "proofs"), i, p) {
		const char *lf = strchr(at, '\n');
		struct digest proof[MERKLE_MAX_LEVELS], leaf;
		uint32_t n = 0;

		get_proof(p, proof, &n);
		assert_int_equal(json_integer_value(json_object_get(p, "line")), i);
		assert_int_equal(merkle_leaf(at, (size_t)(lf - at), &leaf), 0);
		assert_int_equal(merkle_check_inclusion(i, size, &leaf, proof, n, root), 0);
		at = lf + 1;
	}
	json_decref(o);
	buf_done(&body);
	buf_done(&lines);
}

static void test_proofs(void **state)
{
	struct checkpoint c;
	json_t *o = statement();

	(void)state;
	head(o, &c);
	json_decref(o);
	prove_all(c.size, &c.root);
	assert_int_equal(api_fixture_act(&f, &f.approver, "challenge", "one", "test", ""), 200);
	assert_true(vlog_synced_size(f.vlog) > c.size);
	prove_all(c.size, &c.root);
}

static void refused(const char *body, const char *text)
{
	int r = api_fixture_call(&f, "POST", "/v1/log/proofs", &f.viewer.who, body, strlen(body));

	if (r != 400 || !strstr(api_fixture_text(&f), text))
		fail_msg("%.60s: %d %.200s", body, r, api_fixture_text(&f));
}

static void test_refused(void **state)
{
	struct buf many = {0};

	(void)state;
	refused("{\"size\":99999,\"lines\":[0]}", "no line of the first 99999");
	refused("{\"size\":2,\"lines\":[2]}", "2 is no line");
	refused("{\"size\":2,\"lines\":[-1]}", "-1 is no line");
	refused("{\"size\":2,\"lines\":[\"1\"]}", "is no line");
	refused("{\"size\":0,\"lines\":[0]}", "is no line");
	refused("{\"lines\":[0]}", "size");
	refused("{\"size\":2}", "lines");
	buf_puts(&many, "{\"size\":2,\"lines\":[0");
	for (unsigned int i = 0; i < WIRE_MAX_PROOFS; i++)
		buf_puts(&many, ",1");
	buf_puts(&many, "]}");
	refused((char *)many.data, "lines");
	buf_done(&many);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_statement),
		cmocka_unit_test(test_proofs),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
