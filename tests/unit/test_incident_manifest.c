/* SPDX-License-Identifier: Apache-2.0 */
/* What was signed comes back as it was; by no other key, with no name that leads elsewhere, in no other order, with no more bytes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dsse.h"
#include "incident_manifest.h"
#include "plumb/wire.h"

static struct sign_key *key, *other;

static int setup(void **state)
{
	(void)state;
	return sign_key_generate(SIGN_P256, &key) | sign_key_generate(SIGN_ED25519, &other);
}

static int teardown(void **state)
{
	(void)state;
	sign_key_free(key);
	sign_key_free(other);
	return 0;
}

static void make(struct incident_manifest *m)
{
	*m = (struct incident_manifest){.tool = "test 1",
					.node = "aa",
					.label = "one",
					.incarnation = 3,
					.to_ns = 1795462800000000000ull,
					.made_ns = 1795462801000000000ull,
					.by = "alice",
					.verifier = true,
					.first = 7,
					.end = 9,
					.last = 12};
	m->files = calloc(2, sizeof(*m->files));
	assert_non_null(m->files);
	m->n_files = 2;
	strcpy(m->files[0].name, "timeline.txt");
	m->files[0].size = 5;
	memset(&m->files[0].sha256, 7, DIGEST_SIZE);
	strcpy(m->files[1].name, "ledger/anchors");
}

static void test_there_and_back(void **state)
{
	const struct sign_key *keys[] = {other, key}, *wrong = other;
	struct incident_manifest m, back;
	struct buf b = {0};
	struct why why = {""};

	(void)state;
	make(&m);
	assert_int_equal(incident_manifest_sign(&m, key, &b), 0);
	assert_int_equal(incident_manifest_open(b.data, b.size, keys, 2, &back, &why), 0);
	assert_string_equal(back.node, "aa");
	assert_string_equal(back.by, "alice");
	assert_int_equal(back.from_ns, 0);
	assert_int_equal(back.to_ns, m.to_ns);
	assert_int_equal(back.last, 12);
	assert_true(back.verifier);
	assert_int_equal(back.n_files, 2);
	assert_string_equal(back.files[0].name, "ledger/anchors");
	assert_int_equal(back.files[1].size, 5);
	assert_int_equal(back.files[1].sha256.bytes[31], 7);
	incident_manifest_done(&back);
	assert_int_equal(incident_manifest_open(b.data, b.size, NULL, 0, &back, &why), 0);
	incident_manifest_done(&back);
	assert_int_equal(incident_manifest_open(b.data, b.size, &wrong, 1, &back, &why),
			 -EKEYREJECTED);
	buf_done(&b);
	incident_manifest_done(&m);
}

static void test_names(void **state)
{
	static const char *const good[] = {"a", "a.b-c_9", "ledger/tiles/0/000", "boot/ab.log"};
	static const char *const bad[] = {
		"",  "/a",  "a/",   "a//b",	 "..",	     "a/../b", ".a",	       "a/.b",
		"A", "a b", "a\\b", "a/b/c/d/e", "\xc3\xa4", "a\n",    "manifest.dsse"};
	char longest[INCIDENT_MAX_PATH + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		assert_true(incident_manifest_name_is_good(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(incident_manifest_name_is_good(bad[i]));
	memset(longest, 'a', sizeof(longest));
	longest[INCIDENT_MAX_PATH] = 0;
	assert_false(incident_manifest_name_is_good(longest));
	longest[INCIDENT_MAX_PATH - 1] = 0;
	assert_true(incident_manifest_name_is_good(longest));
}

#define HEAD                                                                                       \
	"{\"v\":1,\"tool\":\"t\",\"node\":\"aa\",\"label\":\"l\",\"incarnation\":1,\"from\":\"\"," \
	"\"to\":\"2026-11-23T19:40:00.000000000Z\",\"made\":\"2026-11-23T19:40:00.000000000Z\","   \
	"\"by\":\"\",\"key\":\"\",\"source\":\"directory\","
#define ZERO "\"sha256\":\"0000000000000000000000000000000000000000000000000000000000000000\"}"

static void opens(const char *payload, int result, const char *text)
{
	const struct sign_key *one = key;
	struct incident_manifest m;
	struct buf b = {0};
	struct why why = {""};
	int r;

	assert_int_equal(dsse_sign(WIRE_DSSE_INCIDENT, payload, strlen(payload), &one, 1, &b), 0);
	r = incident_manifest_open(b.data, b.size, &one, 1, &m, &why);
	if (r != result || !strstr(why.text, text))
		fail_msg("%d %s: %s", r, why.text, payload);
	if (r >= 0)
		incident_manifest_done(&m);
	buf_done(&b);
}

static void test_signed_and_wrong(void **state)
{
	(void)state;
	opens(HEAD "\"first\":1,\"end\":2,\"last\":2,\"files\":[{\"name\":\"a\",\"size\":1," ZERO
		   "]}",
	      0, "");
	opens(HEAD "\"first\":1,\"end\":2,\"last\":1,\"files\":[]}", -EBADMSG, "not in order");
	opens(HEAD "\"first\":3,\"end\":2,\"last\":4,\"files\":[]}", -EBADMSG, "not in order");
	opens(HEAD "\"first\":1,\"end\":2,\"last\":2,\"files\":[{\"name\":\"../a\",\"size\":1," ZERO
		   "]}",
	      -EBADMSG, "may not be called");
	opens(HEAD "\"first\":1,\"end\":2,\"last\":2,\"files\":[{\"name\":\"a\",\"size\":1," ZERO
		   ",{\"name\":\"a\",\"size\":1," ZERO "]}",
	      -EBADMSG, "twice");
	opens(HEAD "\"first\":1,\"end\":2,\"last\":2,\"files\":[{\"name\":\"b\",\"size\":1," ZERO
		   ",{\"name\":\"a\",\"size\":1," ZERO "]}",
	      -EBADMSG, "order");
	opens(HEAD "\"first\":1,\"end\":2,\"last\":2,\"files\":[{\"name\":\"a\",\"size\":"
		   "2147483648," ZERO ",{\"name\":\"b\",\"size\":1," ZERO "]}",
	      -EBADMSG, "more than");
	opens(HEAD "\"first\":1,\"end\":2,\"last\":2,\"files\":[7]}", -EBADMSG, "no object");
	opens(HEAD "\"first\":1,\"end\":2,\"last\":2}", -EBADMSG, "files");
	opens("{\"v\":2}", -EBADMSG, "another version");
	opens("[]", -EBADMSG, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_signed_and_wrong),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
