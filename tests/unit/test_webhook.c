/* SPDX-License-Identifier: Apache-2.0 */
/* What webhooks get, and which URLs may get it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "cleanup.h"
#include "dsse.h"
#include "jsonl.h"
#include "plumb/wire.h"
#include "webhook.h"

static void make(const struct sign_key *key, const char *found, struct buf *ret)
{
	static struct store_node n = {.label = "web-1", .kube_name = "n1"};
	const struct webhook_transition t = {.node = &n,
					     .from = "trusted",
					     .to = "quarantined",
					     .cause = "drift exec:/x by R-1",
					     .rule = "R-1",
					     .key = "exec:/x",
					     .expected = "",
					     .found = found,
					     .who = "uid 0",
					     .ledger_line = 12,
					     .log_seq = 34,
					     .verdict_jwt = "a.b.c",
					     .provisional = true,
					     .at_ns = 1795462800000000001ull};

	memset(n.id, 'a', 64);
	assert_int_equal(webhook_body(&t, key, ret), 0);
}

/* The bytes are a border: docs/wire.md says them. */
static void test_the_body(void **state)
{
	CLEANUP(buf_done) struct buf body = {0}, payload = {0};
	const struct sign_key *keys[2];
	struct sign_key *key, *other;
	uint32_t which = 9;
	char want[1024], id[65];
	struct why why;

	(void)state;
	assert_int_equal(sign_key_generate(SIGN_P256, &key), 0);
	assert_int_equal(sign_key_generate(SIGN_P256, &other), 0);
	make(key, "line\r\nX-Evil: 1", &body);
	keys[0] = other;
	keys[1] = key;
	assert_int_equal(dsse_open(body.data, body.size, 65536, WIRE_DSSE_WEBHOOK, keys, 2,
				   &payload, &which, &why),
			 0);
	assert_int_equal(which, 1);
	memset(id, 'a', 64);
	id[64] = 0;
	snprintf(want, sizeof(want),
		 "{\"v\":1,\"id\":34,\"node\":\"%s\",\"label\":\"web-1\",\"kube_name\":\"n1\","
		 "\"from\":\"trusted\",\"to\":\"quarantined\",\"cause\":\"drift exec:/x by R-1\","
		 "\"rule\":\"R-1\",\"key\":\"exec:/"
		 "x\",\"expected\":\"\",\"found\":\"line\\u000d\\u000aX-"
		 "Evil: 1\",\"who\":\"uid 0\",\"line\":12,\"log_line\":34,\"provisional\":true,"
		 "\"at\":\"2026-11-23T19:40:00.000000001Z\",\"event_at\":null,\"verdict\":"
		 "\"a.b.c\"}",
		 id);
	assert_string_equal((char *)payload.data, want);
	/* Signed by nobody whom the receiver knows; under another type. */
	assert_int_equal(dsse_open(body.data, body.size, 65536, WIRE_DSSE_WEBHOOK, keys, 1,
				   &payload, NULL, &why),
			 -EKEYREJECTED);
	assert_true(dsse_open(body.data, body.size, 65536, WIRE_DSSE_ORDER, keys, 2, &payload, NULL,
			      &why) < 0);
	sign_key_free(key);
	sign_key_free(other);
}

/* With a remedy there is one member more, and without none. */
static void test_a_remedy(void **state)
{
	static struct store_node n = {.label = "web-1"};
	const struct webhook_transition t = {.node = &n,
					     .from = "held",
					     .to = "held",
					     .cause = "remedy: reboot started",
					     .rule = "R-1",
					     .key = "",
					     .expected = "",
					     .found = "",
					     .who = "",
					     .verdict_jwt = "",
					     .remedy_step = "reboot",
					     .remedy_phase = "runs"};
	static const char end[] =
		"\"verdict\":\"\",\"remedy\":{\"step\":\"reboot\",\"phase\":\"runs\"}}";
	CLEANUP(buf_done) struct buf body = {0}, payload = {0};
	const struct sign_key *keys[1];
	struct sign_key *key;
	struct why why;

	(void)state;
	assert_int_equal(sign_key_generate(SIGN_P256, &key), 0);
	keys[0] = key;
	assert_int_equal(webhook_body(&t, key, &body), 0);
	assert_int_equal(dsse_open(body.data, body.size, 65536, WIRE_DSSE_WEBHOOK, keys, 1,
				   &payload, NULL, &why),
			 0);
	assert_true(payload.size > strlen(end));
	assert_memory_equal(payload.data + payload.size - strlen(end), end, strlen(end));
	sign_key_free(key);
}

static void test_the_id_comes_back(void **state)
{
	CLEANUP(buf_done) struct buf body = {0}, bad = {0};
	struct sign_key *key;
	char *found = malloc(100001);
	uint64_t id = 0;

	(void)state;
	assert_int_equal(sign_key_generate(SIGN_P256, &key), 0);
	/* Text that is as long as it gets, and longer once it is escaped. */
	memset(found, 1, 100000);
	found[100000] = 0;
	make(key, found, &body);
	assert_true(body.size > WIRE_MAX_JSON_BODY);
	assert_int_equal(webhook_id(body.data, body.size, &id), 0);
	assert_int_equal(id, 34);
	buf_clear(&body);
	make(key, "x", &body);
	for (size_t n = 0; n < body.size; n++)
		assert_true(webhook_id(body.data, n, &id) < 0);
	assert_int_equal(dsse_sign(WIRE_DSSE_WEBHOOK, "{\"id\":\"1\"}", 10,
				   (const struct sign_key *const *)&key, 1, &bad),
			 0);
	assert_true(webhook_id(bad.data, bad.size, &id) < 0);
	sign_key_free(key);
	free(found);
}

static void test_urls(void **state)
{
	static const struct {
		const char *url, *origin;
	} good[] = {
		{"https://hooks.example/a/b?c=d", "https://hooks.example"},
		{"https://hooks.example:8443/a", "https://hooks.example:8443"},
		{"https://[2001:db8::1]:8443/a", "https://[2001:db8::1]:8443"},
		{"https://[2001:db8::1]", "https://[2001:db8::1]"},
		{"https://10.0.0.1#x", "https://10.0.0.1"},
		{"http://127.0.0.1:8080/", "http://127.0.0.1:8080"},
		{"http://localhost:8080/", "http://localhost:8080"},
		{"http://[::1]:8080/", "http://[::1]:8080"},
	};
	static const char *const bad[] = {
		"",
		"hooks.example",
		"//hooks.example",
		"HTTPS://hooks.example",
		"ftp://hooks.example/",
		"file:///etc/passwd",
		"https://",
		"https:///path",
		"https://:443/",
		"https://hooks.example:/",
		"https://hooks.example:0/",
		"https://hooks.example:65536/",
		"https://hooks.example:999999/",
		"https://hooks.example:44a/",
		"https://[::1/",
		"https://[::1]x/",
		"https://me:secret@hooks.example/",
		"https://hooks.example/a b",
		"https://hooks.example/a\r\nX: y",
		"https://hooks.example\\@evil.example/",
		"https://h\xc3\xb6oks.example/",
		"http://hooks.example/",
		"http://10.0.0.1/",
		"http://127.0.0.1.evil.example/",
		"http://127.0.0.1@evil.example/",
		"http://localhost.evil.example/",
		"http://evil.example/127.0.0.1",
		"http://evil.example#127.0.0.1",
		"http://127.0.0.2/",
		"http://0x7f000001/",
	};
	char origin[128];
	struct why why;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		why.text[0] = 0;
		assert_int_equal(webhook_check_url(good[i].url, &why), 0);
		webhook_origin(good[i].url, origin);
		assert_string_equal(origin, good[i].origin);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(webhook_check_url(bad[i], &why), -EINVAL);
		assert_null(strstr(why.text, "secret"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_body),
		cmocka_unit_test(test_a_remedy),
		cmocka_unit_test(test_the_id_comes_back),
		cmocka_unit_test(test_urls),
	};

	return cmocka_run_group_tests_name("webhook", tests, NULL, NULL);
}
