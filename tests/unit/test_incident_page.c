/* SPDX-License-Identifier: Apache-2.0 */
/* What happened, in order, as text and as a page: from foreign text nothing comes that a browser or a terminal would obey. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dsse.h"
#include "fsio.h"
#include "incident_page.h"
#include "incident_span.h"
#include "ledger_fixture.h"
#include "plumb/wire.h"
#include "scratch.h"

#define EVIL "<script src=//x>&'\\\"\xe2\x80\xae" /* the last one turns the writing */

static char dir[SCRATCH_SIZE];
static struct incident_manifest m = {.label = "<b>one",
				     .node = "aa",
				     .to_ns = 1795462900000000000ull,
				     .made_ns = 1795462900000000000ull,
				     .by = "alice",
				     .verifier = true};

static void put(const char *name, const void *data, size_t size)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(fsio_replace_file(fsio_system(), path, data, size, 0600), 0);
}

static void put_statement(void)
{
	static const char payload[] =
		"{\"id\":\"aa\",\"made\":\"2026-11-23T19:41:00.0Z\",\"node\":{\"state\":"
		"\"quarantined\","
		"\"since\":\"2026-11-23T19:40:30.0Z\",\"cause\":\"" EVIL "\",\"cases\":["
		"{\"id\":7,\"severity\":\"critical\",\"key\":\"" EVIL
		"\",\"expected\":\"absent\",\"found\":\"" EVIL "\",\"who\":\"" EVIL
		"\",\"rule\":\"r\",\"opened\":\"2026-11-23T19:40:20.000000000Z\",\"first_line\":3},"
		"{\"id\":8,\"severity\":\"low\",\"key\":\"later\",\"opened\":\"2030-11-23T19:40:20."
		"000000000Z\"},"
		"7]}}";
	struct sign_key *key = NULL;
	struct buf b = {0};

	assert_int_equal(sign_key_generate(SIGN_P256, &key), 0);
	assert_int_equal(dsse_sign(WIRE_DSSE_STATEMENT, payload, strlen(payload),
				   (const struct sign_key *const *)&key, 1, &b),
			 0);
	put("statement.dsse", b.data, b.size);
	buf_done(&b);
	sign_key_free(key);
}

static int setup(void **state)
{
	static const char log[] =
		"{\"v\":1,\"seq\":4,\"t\":\"2026-11-23T19:40:15.500000000Z\",\"type\":"
		"\"transition\",\"node\":\"aa\",\"from\":"
		"\"trusted\",\"to\":\"quarantined\",\"cause\":\"" EVIL
		"\",\"rule\":\"r\",\"case\":7,\"deeds\":[\"quarantine\",3]}\n"
		"{\"v\":1,\"seq\":5,\"t\":\"2026-11-23T19:40:16.000000000Z\",\"type\":\"verdict\","
		"\"appraisal\":\"untrusted\",\"open\":1}\n"
		"{\"v\":1,\"seq\":6,\"t\":\"2026-11-23T19:40:17.000000000Z\",\"type\":\"verdict\","
		"\"appraisal\":\"untrusted\",\"open\":1}\n"
		"{\"v\":1,\"seq\":7,\"t\":\"2026-11-23T19:40:18.000000000Z\",\"type\":\"head\","
		"\"size\":4}\n"
		"{\"v\":1,\"seq\":8,\"t\":\"2026-11-23T19:40:19.000000000Z\",\"type\":\"" EVIL
		"\",\"" EVIL "\":\"" EVIL "\"}\n";
	struct incident_span s = {.to_ns = UINT64_MAX};
	char from[96], to[96];
	struct why why = {""};

	(void)state;
	scratch_open(dir, "page");
	scratch_run(dir, "mkdir -p log ledger");
	snprintf(from, sizeof(from), "%s/all", dir);
	snprintf(to, sizeof(to), "%s/ledger", dir);
	ledger_fixture_story(from);
	assert_int_equal(incident_span_cut(from, to, &s, &why), 0);
	m.end = s.end;
	put("log/lines.jsonl", log, strlen(log));
	put_statement();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	scratch_done(dir);
	return 0;
}

static void make(struct buf *text, struct buf *html)
{
	struct incident_timeline *t = NULL;
	struct why why = {""};

	if (incident_timeline_open(dir, &m, &t, &why) < 0)
		fail_msg("%s", why.text);
	assert_int_equal(incident_page_text(t, text), 0);
	assert_int_equal(incident_page_html(t, html), 0);
	incident_timeline_free(t);
}

static uint32_t count(const char *text, const char *what)
{
	uint32_t n = 0;

	for (const char *p = text; (p = strstr(p, what)) != NULL; p++)
		n++;
	return n;
}

static void test_harmless(void **state)
{
	struct buf text = {0}, html = {0};

	(void)state;
	make(&text, &html);
	assert_int_equal(count((char *)html.data, "<script"), 0);
	assert_int_equal(count((char *)html.data, "<b>"), 0);
	assert_int_equal(count((char *)html.data, "\xe2\x80\xae"), 0);
	assert_int_equal(count((char *)text.data, "\xe2\x80\xae"), 0);
	assert_true(count((char *)html.data, "&lt;script src=//x&gt;&amp;&#39;") >= 6);
	assert_true(count((char *)html.data, "\\u{202e}") >= 6);
	assert_int_equal(count((char *)html.data, "default-src 'none'; style-src 'sha256-"), 1);
	assert_int_equal(count((char *)html.data, "style="), 0);
	buf_done(&text);
	buf_done(&html);
}

static void test_what_is_told(void **state)
{
	struct buf text = {0}, html = {0};
	const char *drift, *quarantined;

	(void)state;
	make(&text, &html);
	drift = strstr((char *)text.data, "drift      exec:/tmp/x: expected absent, found sha256:");
	quarantined = strstr((char *)text.data, "trusted -> quarantined");
	assert_non_null(drift);
	assert_non_null(quarantined);
	assert_true(drift < quarantined);
	assert_non_null(strstr(quarantined, "rule r, case 7; deeds: quarantine, ?"));
	assert_int_equal(count((char *)text.data, "verdict "), 1);
	assert_int_equal(count((char *)text.data, "later"), 0);
	assert_non_null(strstr((char *)text.data, "quarantined since 2026-11-23 19:40:30Z"));
	assert_non_null(strstr((char *)text.data, "\nexec "));
	buf_done(&text);
	buf_done(&html);
}

/* The same files, the same bytes: who checks makes them again. */
static void test_the_same_again(void **state)
{
	struct buf a = {0}, b = {0}, c = {0}, d = {0};

	(void)state;
	make(&a, &b);
	make(&c, &d);
	assert_int_equal(a.size, c.size);
	assert_memory_equal(a.data, c.data, a.size);
	assert_int_equal(b.size, d.size);
	assert_memory_equal(b.data, d.data, b.size);
	buf_done(&a);
	buf_done(&b);
	buf_done(&c);
	buf_done(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_harmless),
		cmocka_unit_test(test_what_is_told),
		cmocka_unit_test(test_the_same_again),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
