/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "print.h"
#include "view_drift.h"
#include "view_log.h"

#define HEX64 "e7be8a5b180550215af6a66239c484957fea9f7f8102b15185b0361b5aabbcc0"
#define LONG "/opt/a/directory/that/has/a/rather/long/name/and/another/one/below/it/program"

static char *out;
static size_t out_size;

static FILE *begin(void)
{
	free(out);
	out = NULL;
	return open_memstream(&out, &out_size);
}

static json_t *load(const char *json)
{
	json_error_t e;
	json_t *o = json_loads(json, 0, &e);

	if (!o)
		print_error("%s at %d\n", e.text, e.position);
	assert_non_null(o);
	return o;
}

static const char *shown(void (*fn)(FILE *f, size_t columns, const json_t *o), size_t columns,
			 const char *json)
{
	json_t *o = load(json);
	FILE *f = begin();

	fn(f, columns, o);
	fclose(f);
	json_decref(o);
	return out;
}

static void fits(size_t columns)
{
	for (char *at = out, *lf; *at; at = lf + 1) {
		lf = strchr(at, '\n');
		assert_non_null(lf);
		*lf = 0;
		assert_in_range(print_cells(at), 0, columns);
		for (char *p = at; *p; p++)
			assert_true((unsigned char)*p >= 0x20 && *p != 0x7f);
		*lf = '\n';
	}
}

static void test_groups(void **state)
{
	static const char *const groups =
		"[{\"key\":\"exec:" LONG "\",\"exe\":\"" LONG "\",\"rule\":\"a-rule\",\"severity\":"
		"\"high\",\"count\":12,\"nodes\":2,\"cases\":[1,2,3,4,5,6,7,8,9,10,11]},{\"key\":"
		"\"file:/a\\nb\",\"exe\":\"unknown\",\"count\":-1,\"cases\":[5,\"x\",null]},null]";

	(void)state;
	shown(view_drift_groups, 0, groups);
	assert_string_equal(out, "SEVERITY  COUNT NODES RULE   KEY, BY, CASES\n"
				 "high         12     2 a-rule exec:" LONG "\n"
				 "                             by " LONG
				 " #1 #2 #3 #4 #5 #6 #7 #8 and 3 more\n"
				 "-             0     0 -      file:/a\\x0ab\n"
				 "                             by unknown #5 #0 #0\n"
				 "-             0     0 -      \n"
				 "                             by \n");
	for (size_t columns = 80; columns < 200; columns += 10) {
		shown(view_drift_groups, columns, groups);
		fits(columns);
		/* What a path tells most is its end. */
		assert_non_null(strstr(out, "program\n"));
	}
}

#define CASES                                                                                     \
	"[{\"id\":12,\"severity\":\"medium\",\"count\":3,\"first_line\":187,\"key\":\"file:" LONG \
	"\",\"found\":\"reg 0644 0:0 20 sha256:" HEX64 "\",\"expected\":\"absent\",\"who\":"      \
	"\"unknown\",\"closed\":null},{\"id\":13,\"key\":\"x\\u202e\",\"closed\":\"2026\","       \
	"\"closed_why\":\"ack\\u001b\"},null]"

static size_t cases(size_t columns, bool all)
{
	json_t *o = load(CASES);
	FILE *f = begin();
	size_t n = view_drift_cases(f, columns, o, all);

	fclose(f);
	json_decref(o);
	return n;
}

static void test_cases(void **state)
{
	(void)state;
	assert_int_equal(cases(0, false), 1);
	assert_string_equal(out,
			    "CASE    SEVERITY STATE  COUNT    LINE KEY\n"
			    "#12     medium   open       3     187 file:" LONG "\n"
			    "        found reg 0644 0:0 20 sha256:e7be8a5b1805…, expected absent, "
			    "by unknown\n");
	assert_int_equal(cases(0, true), 3);
	assert_non_null(strstr(out, "closed "));
	assert_non_null(strstr(out, "x\\u{202e}"));
	for (size_t columns = 60; columns < 160; columns += 10) {
		cases(columns, true);
		fits(columns);
	}
}

static void test_policy_and_what_it_would(void **state)
{
	(void)state;
	shown(view_drift_policy, 80,
	      "{\"name\":\"n\\n\",\"version\":4,\"digest\":\"" HEX64
	      "\",\"rules\":[{\"id\":\"one\",\"mode\":\"armed\",\"action\":\"hold\",\"severity\":"
	      "\"low\","
	      "\"open\":5,\"title\":\"" LONG LONG "\"},{\"id\":\"" LONG "\"},3]}");
	fits(80);
	assert_non_null(strstr(out, "n\\x0a version 4, sha256:e7be8a5b1805…\n"));
	assert_non_null(strstr(out, "armed  hold       low          5 /opt"));
	shown(view_drift_would, 80,
	      "[{\"label\":\"" LONG "\",\"action\":\"quarantine\",\"rule\":\"r\",\"key\":\"" LONG
	      "\"},7]");
	fits(80);
	shown(view_drift_would, 0,
	      "[{\"node\":\"1\",\"label\":\"a\",\"action\":\"hold\",\"rule\":\"r\",\"key\":\"x\"},"
	      "{\"node\":\"1\",\"label\":\"a\",\"action\":\"hold\",\"rule\":\"r\",\"key\":\"y\"},"
	      "{\"node\":\"2\",\"label\":\"a\",\"action\":\"hold\",\"rule\":\"r\",\"key\":\"z\"}]");
	assert_string_equal(out, "NODE ACTION     RULE CASES KEY\n"
				 "a    hold       r        2 x, …\n"
				 "a    hold       r        1 z\n");
	shown(view_drift_policy, 80, "{}");
	fits(80);
}

static const char *line(struct view_log *v, const char *json)
{
	json_t *o = load(json);
	FILE *f = begin();

	view_log_line(f, 100, v, o);
	fclose(f);
	json_decref(o);
	fits(100);
	return out;
}

#define VERDICT(open)                                                                      \
	"{\"seq\":7,\"t\":\"2026-11-25T20:51:36.9Z\",\"type\":\"verdict\",\"node\":\"n\"," \
	"\"label\":"                                                                       \
	"\"one\",\"appraisal\":\"trusted\",\"size\":41,\"open\":" open                     \
	",\"action\":\"none\",\"provisional\":false}"

static void test_the_log_tells_news(void **state)
{
	struct view_log v = {.all = false};

	(void)state;
	assert_string_equal(
		line(&v, VERDICT("0")),
		"      7 2026-11-25T20:51:36Z verdict    one: trusted, 41 lines, 0 open, "
		"action none\n");
	assert_string_equal(line(&v, VERDICT("0")), "");
	assert_non_null(strstr(line(&v, VERDICT("1")), "1 open"));
	assert_non_null(strstr(line(&v, VERDICT("0")), "0 open"));
	assert_string_equal(line(&v, "{\"seq\":8,\"type\":\"head\",\"node\":\"n\",\"size\":3}"),
			    "");
	assert_non_null(strstr(line(&v, "{\"seq\":9,\"type\":\"transition\",\"label\":\"one\","
					"\"from\":\"a\",\"to\":\"held\",\"cause\":\"x\\ny\"}"),
			       "one: a -> held: x\\x0ay\n"));
	assert_non_null(
		strstr(line(&v, "{\"type\":\"action\",\"operator\":\"al\",\"action\":\"arm\","
				"\"node\":\"" HEX64 "\",\"reason\":\"why\",\"result\":\"done\"}"),
		       "al: arm e7be8a5b1805…: why (done)\n"));
	assert_non_null(strstr(line(&v, "{\"type\":\"\\u001b[2J\"}"), "\\x1b[2J"));
	v.all = true;
	assert_non_null(strstr(line(&v, VERDICT("0")), "trusted"));
	assert_non_null(
		strstr(line(&v, "{\"type\":\"head\",\"node\":\"n\",\"size\":3}"), "3 lines"));
	view_log_done(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_policy_and_what_it_would),
		cmocka_unit_test(test_the_log_tells_news),
	};
	int r = cmocka_run_group_tests(tests, NULL, NULL);

	free(out);
	return r;
}
