/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cleanup.h"
#include "print.h"
#include "view_node.h"

#define HEX64 "e7be8a5b180550215af6a66239c484957fea9f7f8102b15185b0361b5aabbcc0"

static char *out;
static size_t out_size;

typedef void view_fn(FILE *f, size_t columns, const json_t *o);

static const char *shown(view_fn *fn, size_t columns, const json_t *o)
{
	FILE *f;

	free(out);
	out = NULL;
	f = open_memstream(&out, &out_size);
	assert_non_null(f);
	fn(f, columns, o);
	fclose(f);
	return out;
}

static const char *shown_json(view_fn *fn, size_t columns, const char *json)
{
	json_t *o = json_loads(json, 0, NULL);

	assert_non_null(o);
	shown(fn, columns, o);
	json_decref(o);
	return out;
}

static size_t n_lines(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

/* No line is wider, but for commands that are there to be copied; nothing steers a terminal. */
static void fits(size_t columns)
{
	for (char *at = out, *lf; *at; at = lf + 1) {
		lf = strchr(at, '\n');
		assert_non_null(lf);
		*lf = 0;
		if (!strstr(at, "plumbctl "))
			assert_in_range(print_cells(at), 0, columns);
		for (char *p = at; *p; p++)
			assert_true((unsigned char)*p >= 0x20 && *p != 0x7f);
		*lf = '\n';
	}
}

static json_t *a_case(int id, const char *severity, const char *mode, const char *key)
{
	return json_pack("{s:i,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:i,s:i,s:s,s:b,s:n}", "id", id,
			 "severity", severity, "mode", mode, "key", key, "rule", "a-rule", "title",
			 "What it is\nabout", "expected", "absent", "found",
			 "reg 0644 0:0 20 sha256:" HEX64, "who", "uid 0, /usr/bin/bash (bash/1)",
			 "first_line", 187, "count", 2, "opened", "2026-11-25T20:52:15.1Z",
			 "provisional", 1, "closed");
}

static json_t *a_node(const char *state, const char *containment)
{
	return json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:[]}", "label", "worker-1", "id", HEX64,
			 "state", state, "containment", containment, "life", "active", "since",
			 "2026-11-25T20:52:36.700750155Z", "cause", "because of it", "cases");
}

#define WHERE "container " HEX64 ", pod 8dbc42f8-2f5c-4a11-9c4e-0123456789ab"

/* In a container: where, on a line of its own, so that none of it is cut off. */
static void test_explain_tells_the_container(void **state)
{
	json_t *n = a_node("quarantined", "quarantined"), *cases = json_object_get(n, "cases");

	(void)state;
	for (int i = 1; i <= 60; i++) {
		json_array_append_new(cases, a_case(i, "low", "report", "exec:/x"));
		json_object_set_new(
			json_array_get(cases, (size_t)i - 1), "who",
			json_string("uid 0, /usr/bin/bash (bash/1), layer upper, " WHERE));
	}
	shown(view_node_explain, 80, n);
	assert_in_range(n_lines(out), 1, VIEW_NODE_MAX_LINES);
	fits(80);
	assert_non_null(strstr(out, "  by         uid 0, /usr/bin/bash (bash/1), layer upper\n"
				    "  in         container e7be8a5b1805…, pod "
				    "8dbc42f8-2f5c-4a11-9c4e-0123456789ab\n"));
	json_decref(n);
}

static void test_explain_has_25_lines(void **state)
{
	json_t *n = a_node("quarantined", "quarantined"), *cases = json_object_get(n, "cases");
	static const size_t widths[] = {0, 80, 120, 200};

	(void)state;
	for (int i = 1; i <= 60; i++)
		json_array_append_new(
			cases, a_case(i, i == 40 ? "critical" : "low", i == 50 ? "armed" : "report",
				      "file:/tmp/a\nb\033[2J/größe 日本語/that is rather "
				      "long/and longer/still/and longer/end"));
	for (size_t i = 0; i < 8; i++) {
		if (i == 4)
			json_object_set_new(n, "held_back", json_string("an operator paused it"));
		shown(view_node_explain, widths[i % 4], n);
		assert_in_range(n_lines(out), 1, VIEW_NODE_MAX_LINES);
		assert_int_equal(strstr(out, "an operator paused it") != NULL, i >= 4);
		if (widths[i % 4])
			fits(widths[i % 4]);
	}
	json_object_del(n, "held_back");
	shown(view_node_explain, 80, n);
	/* The gravest first: armed before critical before the rest. */
	assert_true(strstr(out, "case 50") < strstr(out, "case 40"));
	assert_true(strstr(out, "case 40") < strstr(out, "case 1 "));
	assert_non_null(strstr(out, "and 57 more: plumbctl drift list --node worker-1\n"));
	json_decref(n);
}

/* What a boot's log tells by name is told before its programs by their place; and where there is room, what the rest is. */
static void test_explain_names_the_rest(void **state)
{
	static const char *const keys[] = {"measured:app:3", "measured:app:4", "measured:files",
					   "measured:kernel"};
	json_t *n = a_node("held", "held"), *cases = json_object_get(n, "cases");

	(void)state;
	for (int i = 0; i < 4; i++)
		json_array_append_new(cases, a_case(i + 1, "high", "armed", keys[i]));
	json_array_append_new(cases, a_case(5, "high", "armed", "file:/closed"));
	json_object_set_new(json_array_get(cases, 4), "closed", json_string("2026-11-25T20:52Z"));
	json_object_set_new(n, "held_back", json_string("an operator paused it"));
	shown(view_node_explain, 80, n);
	assert_in_range(n_lines(out), 1, VIEW_NODE_MAX_LINES);
	assert_non_null(strstr(out, "\ncase 3  measured:files\n"));
	assert_non_null(strstr(out, "\ncase 4  measured:kernel\n"));
	assert_null(strstr(out, "\ncase 1  "));
	assert_non_null(strstr(out, "and 2 more: plumbctl drift list --node worker-1\n"
				    "  they are   measured:app:3, measured:app:4\n"));
	json_decref(n);
}

static void test_explain_tells_all_of_it(void **state)
{
	json_t *n = a_node("quarantined", "quarantined");

	(void)state;
	json_array_append_new(json_object_get(n, "cases"), a_case(7, "high", "armed", "file:/x"));
	json_object_set_new(json_array_get(json_object_get(n, "cases"), 0), "action",
			    json_string("quarantine"));
	assert_string_equal(
		shown(view_node_explain, 0, n),
		"worker-1 is quarantined since 2026-11-25T20:52:36Z: because of it\n\n"
		"case 7  file:/x\n"
		"  rule       a-rule (armed: quarantine): What it is\\x0aabout\n"
		"  expected   absent\n"
		"  found      reg 0644 0:0 20 sha256:e7be8a5b1805…\n"
		"  by         uid 0, /usr/bin/bash (bash/1)\n"
		"  seen       ledger line 187, 2 times, first 2026-11-25T20:52:15Z; provisional, "
		"no quote covers it yet\n\n"
		"undo         plumbctl node release worker-1 --reason=\"…\"\n");
	json_decref(n);
}

/* A node that comes back, as it is told: a line each, and the very command. */
static void test_explain_tells_what_lies_ahead(void **state)
{
	static const char node[] =
		"{\"label\":\"worker-1\",\"id\":\"" HEX64 "\",\"state\":\"quarantined\","
		"\"containment\":\"quarantined\",\"life\":\"active\",\"freshness\":\"fresh\","
		"\"since\":\"2026-11-25T20:52:36.700750155Z\",\"cause\":\"exec:/x by R-1\","
		"\"held_back\":\"too many nodes are contained\",\"size\":190,\"confirmed\":188,"
		"\"last_evidence\":\"2026-11-25T20:53:00.000000000Z\","
		"\"deadline\":\"2126-11-25T20:56:00.000000000Z\",\"leaving_until\":null,"
		"\"cases\":[{\"id\":7,\"key\":\"file:/etc/a\",\"rule\":\"R-2\",\"mode\":\"armed\","
		"\"action\":\"hold\",\"severity\":\"high\",\"title\":\"t\",\"expected\":\"a\","
		"\"found\":\"b\",\"who\":\"unknown\",\"first_line\":187,\"count\":1,"
		"\"opened\":\"2026-11-25T20:52:15.000000000Z\",\"closed\":null,"
		"\"acts\":\"2126-11-25T20:57:00.000000000Z\"},"
		"{\"id\":8,\"closed\":\"2026-11-25T20:52:15.000000000Z\",\"action\":\"hold\","
		"\"acts\":\"2126-11-25T20:56:30.000000000Z\"}],"
		"\"remedy\":{\"step\":\"reboot\",\"phase\":\"waits\",\"since\":"
		"\"2026-11-25T20:53:01.000000000Z\",\"until\":null,\"then\":\"\",\"itself\":false,"
		"\"advice\":\"reboot it\",\"plan\":[\"isolate\",\"reboot\",\"attest\",\"release\"],"
		"\"auto\":[\"isolate\"],\"done\":[\"isolate\"]}}";

	(void)state;
	assert_string_equal(
		shown_json(view_node_explain, 0, node),
		"worker-1 is quarantined since 2026-11-25T20:52:36Z: exec:/x by R-1\n\n"
		"case 7  file:/etc/a\n"
		"  rule       R-2 (armed: hold): t\n"
		"  expected   a\n"
		"  found      b\n"
		"  by         unknown\n"
		"  seen       ledger line 187, 1 time, first 2026-11-25T20:52:15Z\n\n"
		"evidence     last 2026-11-25T20:53:00Z; 188 lines under a quote, 2 not yet\n"
		"remedy       reboot waits since 2026-11-25T20:53:01Z; done: isolate; to come: "
		"reboot, attest, release\n"
		"by itself    2126-11-25T20:56:00Z: silent, unless evidence comes\n"
		"             2126-11-25T20:57:00Z: case 7 asks for hold, unless it is good again\n"
		"next         reboot it\n"
		"             plumbctl node remedy worker-1 --reason=\"…\"\n\n"
		"held back    too many nodes are contained\n"
		"undo         plumbctl node release worker-1 --reason=\"…\"\n");
}

static void ahead_is(const char *members, const char *text)
{
	CLEANUP_FREE char *json = NULL;

	assert_true(asprintf(&json, "{\"label\":\"w\",\"cases\":[],%s}", members) > 0);
	shown_json(view_node_explain, 0, json);
	if (!strstr(out, text))
		fail_msg("\"%s\" is not in\n%s", text, out);
}

#define HELD "\"state\":\"held\",\"containment\":\"held\","
#define REMEDY(step, phase, until, itself)                                           \
	"\"remedy\":{\"step\":\"" step "\",\"phase\":\"" phase "\",\"until\":" until \
	",\"then\":\"a person decides\",\"itself\":" itself ",\"advice\":\"do it\"}"

static void test_what_lies_ahead(void **state)
{
	(void)state;
	ahead_is("\"last_evidence\":null", "evidence     none yet\n");
	ahead_is("\"last_evidence\":\"2026-11-25T20:53:00.000000000Z\",\"size\":5,\"confirmed\":5",
		 "evidence     last 2026-11-25T20:53:00Z; all 5 lines under a quote\n");
	ahead_is("\"freshness\":\"leaving\",\"leaving_until\":\"2026-11-25T20:53:00.000000000Z\"",
		 "by itself    2026-11-25T20:53:00Z: silent, unless it is back; until then nothing "
		 "is raised\n");
	ahead_is(HELD "\"remedy\":null",
		 "next         put right what the cases tell, and begin its way back\n"
		 "             plumbctl node remedy w --reason=\"…\"\n");
	ahead_is(HELD REMEDY("over", "waits", "null", "false"), "plumbctl node remedy w ");
	ahead_is(HELD REMEDY("files", "runs", "\"2026-11-25T20:53:00.000000000Z\"", "false"),
		 "by itself    2026-11-25T20:53:00Z: the time of files is over, then a person "
		 "decides\nnext         do it\n");
	assert_null(strstr(out, "plumbctl node remedy"));
	ahead_is(HELD REMEDY("keys", "stuck", "null", "false"),
		 "next         tried in vain: do it\n             "
		 "plumbctl "
		 "node remedy w ");
	ahead_is(HELD REMEDY("attest", "waits", "null", "true"),
		 "by itself    now: attest is started\n");
	assert_null(strstr(out, "plumbctl node remedy"));
	/* A verifier of before says nothing of it. */
	shown_json(view_node_explain, 0, "{\"state\":\"held\",\"containment\":\"held\"}");
	assert_null(strstr(out, "next"));
	shown_json(view_node_explain, 0,
		   "{\"state\":\"forked\",\"containment\":\"held\",\"remedy\":null}");
	assert_null(strstr(out, "next"));
	/* Whatever it says, it steers no terminal, and 25 lines are 25 lines. */
	shown_json(view_node_explain, 80,
		   "{\"state\":\"held\",\"containment\":\"held\",\"last_evidence\":[],\"remedy\":{"
		   "\"step\":\"\\u001b[2J\",\"plan\":[1,\"\\n\",{}],\"done\":7,\"advice\":"
		   "\"\\u0007\\n\"},\"cases\":[{\"acts\":7},{\"acts\":\"x\"},null]}");
	fits(80);
	assert_in_range(n_lines(out), 1, VIEW_NODE_MAX_LINES);
}

static void undo_is(const char *state, const char *containment, const char *life, bool has_case,
		    const char *text)
{
	json_t *n = a_node(state, containment);

	json_object_set_new(n, "life", json_string(life));
	if (has_case)
		json_array_append_new(json_object_get(n, "cases"),
				      a_case(1, "low", "report", "file:/x"));
	shown(view_node_explain, 0, n);
	if (!strstr(out, text))
		print_error("%s\n", out);
	assert_non_null(strstr(out, text));
	json_decref(n);
}

static void test_the_way_back(void **state)
{
	(void)state;
	undo_is("provisioning", "free", "provisioning", false, "plumbctl node approve worker-1 ");
	undo_is("quarantined", "quarantined", "active", true, "plumbctl node release worker-1 ");
	undo_is("held", "held", "active", true, "plumbctl node release worker-1 ");
	undo_is("silent", "held", "active", true, "plumbctl node release worker-1 ");
	undo_is("degraded", "report", "active", true,
		"plumbctl drift acknowledge --all --node worker-1 ");
	undo_is("trusted", "free", "active", true,
		"plumbctl drift acknowledge --all --node worker-1 ");
	undo_is("forked", "quarantined", "active", true, "plumbctl node retire worker-1 ");
	undo_is("retired", "free", "retired", false, "another TPM");
	undo_is("silent", "free", "active", false, "look at plumbd there");
	undo_is("leaving", "free", "leaving", false, "by itself");
	undo_is("degraded", "free", "active", false, "nothing is open");
	assert_non_null(strstr(
		shown_json(view_node_explain, 0, "{\"state\":\"degraded\",\"baseline\":null}"),
		"plumbctl baseline push FILE"));
}

static void name_is(const char *json, const char *name)
{
	json_t *o = json_loads(json, 0, NULL);
	FILE *f;

	assert_non_null(o);
	free(out);
	f = open_memstream(&out, &out_size);
	view_node_put_name(f, o);
	fclose(f);
	assert_string_equal(out, name);
	json_decref(o);
}

/* It is copied into a shell. */
static void test_a_name_in_a_command(void **state)
{
	(void)state;
	name_is("{\"label\":\"w-1.x_Y\",\"id\":\"abc\"}", "w-1.x_Y");
	name_is("{\"label\":\"x; rm -rf ~\",\"id\":\"abc\"}", "abc");
	name_is("{\"label\":\"$(x)\",\"id\":\"a`b`\"}", "NODE");
	name_is("{\"label\":\"--reason=x\",\"id\":\"abc\"}", "abc");
	name_is("{\"label\":\"--all\",\"id\":\"abc\"}", "abc");
	name_is("{\"label\":\"\",\"id\":7}", "NODE");
	name_is("{\"label\":\"größe\"}", "NODE");
	name_is("{}", "NODE");
}

static void test_list(void **state)
{
	static const char *const rows =
		"[{\"label\":\"a\",\"id\":\"0123456789abcdef\",\"state\":\"trusted\",\"since\":"
		"\"2020-01-01T00:00:00.000000000Z\",\"open_cases\":3,\"confirmed\":7,\"cause\":"
		"\"x\"},"
		"{\"label\":\"a-very-long-label-that-goes-on.and-on.example.org\",\"state\":"
		"\"remediating"
		"-and-more\",\"since\":\"?\",\"cause\":\"it\\nhas\\u001bcause and a long one, "
		"which does "
		"not fit into a line of any terminal that people use, or hardly\"},null,[],"
		"{\"label\":\"日本語日本語\",\"open_cases\":\"x\"}]";

	(void)state;
	shown_json(view_node_list, 0, rows);
	assert_non_null(strstr(out, "any terminal that people use, or hardly\n"));
	assert_non_null(strstr(out, "0123456789ab trusted"));
	for (size_t columns = 60; columns < 200; columns += 7) {
		shown_json(view_node_list, columns, rows);
		fits(columns);
		assert_int_equal(n_lines(out), 6);
	}
	/* Columns stand below each other. */
	shown_json(view_node_list, 80, rows);
	assert_int_equal(strstr(out, "STATE") - out,
			 strstr(strchr(out, '\n') + 1, "trusted") - strchr(out, '\n') - 1);
}

static void test_all_members(void **state)
{
	(void)state;
	shown_json(view_node_all, 80,
		   "{\"label\":\"a\\tb\",\"incarnation\":1,\"baseline\":{\"version\":2,\"sha256\":"
		   "\"" HEX64 "\"},\"findings\":[\"gap\"],\"kube_name\":\"\",\"cases\":[{}],"
		   "\"verdict\":\"secret\","
		   "\"x\\u001b[2J\":null}");
	fits(80);
	assert_non_null(strstr(out, "label          a\\x09b\n"));
	assert_non_null(strstr(out, "baseline       version 2, sha256:e7be8a5b1805…\n"));
	assert_non_null(strstr(out, "findings       [\"gap\"]\n"));
	assert_null(strstr(out, "secret"));
}

static void test_images(void **state)
{
	(void)state;
	shown_json(
		view_node_all, 80,
		"{\"images\":{\"plumb_images_need\":\"signature\",\"plumb_images_seen\":2,"
		"\"plumb_images_good\":1,\"plumb_images_bad\":1,\"plumb_execs_upper\":3,"
		"\"plumb_images\":[7,{\"image\":\"sha256:" HEX64 "\",\"execs\":4,"
		"\"last\":\"2026-11-23T20:20:00.000000000Z\",\"signature\":\"un\\u001b[2Jsigned\","
		"\"baseline\":true}]}}");
	fits(80);
	assert_non_null(strstr(out, "images         2 since it booted, 1 good by signature\n"));
	assert_non_null(strstr(out, "               1 without a signature by our keys\n"));
	assert_non_null(
		strstr(out, "               3 execs of programs written into containers\n"));
	assert_null(strstr(out, "beyond"));
	assert_null(strstr(out, "\x1b"));
	assert_non_null(strstr(out, ", in the baseline, last 2026-11-23T20:20:00Z, 4"));
	shown_json(view_node_all, 80, "{\"images\":[1]}");
	fits(80);
}

static void test_states(void **state)
{
	(void)state;
	assert_true(view_node_is_state("trusted"));
	assert_true(view_node_is_state("forked"));
	assert_false(view_node_is_state("bad"));
	assert_false(view_node_is_state(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_explain_has_25_lines),
		cmocka_unit_test(test_images),
		cmocka_unit_test(test_explain_tells_the_container),
		cmocka_unit_test(test_explain_names_the_rest),
		cmocka_unit_test(test_explain_tells_all_of_it),
		cmocka_unit_test(test_explain_tells_what_lies_ahead),
		cmocka_unit_test(test_what_lies_ahead),
		cmocka_unit_test(test_the_way_back),
		cmocka_unit_test(test_a_name_in_a_command),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_all_members),
		cmocka_unit_test(test_states),
	};
	int r = cmocka_run_group_tests(tests, NULL, NULL);

	free(out);
	return r;
}
