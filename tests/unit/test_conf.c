/* SPDX-License-Identifier: Apache-2.0 */
/* Options: defaults, file, command line, in this order; each mistake is refused with the line or the argument that has it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <unistd.h>

#include "conf.h"
#include "fsio.h"

struct target {
	uint64_t before; /* what lies around the options stays as it is */
	char *dir;
	uint64_t port;
	bool json;
	struct conf_list hosts;
	uint64_t wait_ms, room;
	struct conf_list hide;
	uint64_t after;
};

#define AT(field) offsetof(struct target, field)
static const struct conf_option options[] = {
	{"ledger_dir", CONF_STR, AT(dir), "/var/lib/x", 0, 0, "where the ledger lies"},
	{"port", CONF_UINT, AT(port), "8443", 1, 65535, "TCP port"},
	{"json", CONF_BOOL, AT(json), NULL, 0, 0, "machine-readable"},
	{"hosts", CONF_LIST, AT(hosts), "localhost", 0, 0, "names"},
	{"wait", CONF_DURATION_MS, AT(wait_ms), "10s", 0, 3600000, "how long"},
	{"room", CONF_SIZE, AT(room), "1MiB", 0, 0, "how much"},
	{"hide", CONF_PATTERNS, AT(hide), NULL, 0, 0, "what nobody may see"},
};
static const struct conf_table table = {"prog",		  "does things",
					"[OPTION…] FILE", NULL,
					options,	  sizeof(options) / sizeof(options[0])};

static int load(struct target *t, const char *const *args, int *rest, struct why *why)
{
	char *argv[32] = {(char *)"prog"};
	int argc = 1;

	for (; *args; args++)
		argv[argc++] = (char *)*args;
	memset(t, 0xee, sizeof(*t));
	return conf_load(&table, argc, argv, t, rest, why);
}

#define ARGS(...) ((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

static int read_text(struct target *t, const char *yaml, struct why *why)
{
	int r = load(t, ARGS(), NULL, why);

	assert_int_equal(r, 0);
	return conf_read(&table, "f.yaml", yaml, strlen(yaml), t, why);
}

static void test_defaults(void **state)
{
	struct target t;
	int rest = -1;

	(void)state;
	assert_int_equal(load(&t, ARGS(), &rest, NULL), 0);
	assert_int_equal(rest, 1);
	assert_string_equal(t.dir, "/var/lib/x");
	assert_int_equal(t.port, 8443);
	assert_false(t.json);
	assert_int_equal(t.hosts.n_items, 1);
	assert_int_equal(t.wait_ms, 10000);
	assert_int_equal(t.room, 1048576);
	assert_int_equal(t.before, 0xeeeeeeeeeeeeeeee);
	assert_int_equal(t.after, 0xeeeeeeeeeeeeeeee);
	conf_done(&table, &t);
	assert_null(t.dir);
}

static void test_arguments(void **state)
{
	struct target t;
	int rest = -1;

	(void)state;
	assert_int_equal(load(&t,
			      ARGS("--ledger-dir=/a=b", "--port", "1", "--json", "--hosts=a",
				   "--hosts", "b", "--wait=5m", "--room=64MiB", "show", "--port"),
			      &rest, NULL),
			 0);
	assert_int_equal(rest, 10);
	assert_string_equal(t.dir, "/a=b");
	assert_int_equal(t.port, 1);
	assert_true(t.json);
	assert_int_equal(t.hosts.n_items, 2);
	assert_string_equal(t.hosts.items[1], "b");
	assert_int_equal(t.wait_ms, 300000);
	assert_int_equal(t.room, 64u << 20);
	conf_done(&table, &t);
	assert_int_equal(load(&t, ARGS("--json=false", "--", "--json"), &rest, NULL), 0);
	assert_false(t.json);
	assert_int_equal(rest, 3);
	conf_done(&table, &t);
}

static void test_wrong_arguments(void **state)
{
	static const struct {
		const char *args[3];
		const char *why;
	} twins[] = {
		{{"--nothing"}, "--nothing: unknown option"},
		{{"--nothing", "x"}, "--nothing: unknown option"},
		{{"--ledger_dir=x"}, "--ledger_dir=x: unknown option"},
		{{"-x"}, "-x: unknown option"},
		{{"--"
		  "=x"},
		 "unknown"},
		{{"--port"}, "needs a value"},
		{{"--port="}, "--port: port: \"\""},
		{{"--port=0"}, "outside 1 to 65535"},
		{{"--port=65536"}, "outside"},
		{{"--port=1x"}, "decimal"},
		{{"--port=-1"}, "decimal"},
		{{"--port= 1"}, "decimal"},
		{{"--port=18446744073709551617"}, "outside"},
		{{"--json=yes"}, "neither true nor false"},
		{{"--wait=5"}, "duration"},
		{{"--wait=5 s"}, "duration"},
		{{"--wait=2h"}, "outside"},
		{{"--wait=18446744073709551615d"}, "outside"},
		{{"--room=1MB"}, "size"},
		{{"--room=99999999999TiB"}, "outside"},
		{{"--config=/nonexistent/plumb.yaml"}, "/nonexistent/plumb.yaml"},
		{{"--config"}, "needs a value"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(twins) / sizeof(twins[0]); i++) {
		struct why why = {""};
		struct target t;
		int rest = -1;

		assert_true(load(&t, twins[i].args, &rest, &why) < 0);
		if (!strstr(why.text, twins[i].why))
			fail_msg("%s: %s", twins[i].args[0], why.text);
		assert_int_equal(rest, -1);
		assert_null(t.dir);
		assert_int_equal(t.hosts.n_items, 0);
	}
}

static void test_file(void **state)
{
	struct target t;

	(void)state;
	assert_int_equal(read_text(&t,
				   "# comment\n---\nledger_dir: \"\"\nport: 1\njson: true\n"
				   "hosts:\n  - a\n  - 'b c'\nwait: 500ms\nroom: 512KiB\n",
				   NULL),
			 0);
	assert_string_equal(t.dir, "");
	assert_int_equal(t.port, 1);
	assert_true(t.json);
	assert_int_equal(t.hosts.n_items, 2);
	assert_string_equal(t.hosts.items[1], "b c");
	assert_int_equal(t.wait_ms, 500);
	assert_int_equal(t.room, 512u << 10);
	conf_done(&table, &t);
	assert_int_equal(read_text(&t, "hosts: one\n", NULL), 0);
	assert_int_equal(t.hosts.n_items, 1);
	assert_string_equal(t.hosts.items[0], "one");
	conf_done(&table, &t);
	assert_int_equal(read_text(&t, "hosts: []\nwait: 0\n", NULL), 0);
	assert_int_equal(t.hosts.n_items, 0);
	assert_int_equal(t.wait_ms, 0);
	conf_done(&table, &t);
	assert_int_equal(read_text(&t, "", NULL), 0);
	conf_done(&table, &t);
	assert_int_equal(read_text(&t, "# nothing\n", NULL), 0);
	conf_done(&table, &t);
	assert_int_equal(read_text(&t, "{}\n", NULL), 0);
	conf_done(&table, &t);
}

static void test_wrong_files(void **state)
{
	static const struct {
		const char *yaml, *why;
	} twins[] = {
		{"port: 1\n\nprot: 2\n", "f.yaml:3: unknown key \"prot\""},
		{"port: 1\njson: true\nport: 1\n", "f.yaml:3: key \"port\" stands twice"},
		{"json: true\nport: many\n", "f.yaml:2: port: \"many\""},
		{"port:\n", "f.yaml:1: port: no value"},
		{"port: [1]\n", "f.yaml:1: a list"},
		{"port: {a: 1}\n", "f.yaml:1: a value is neither"},
		{"hosts: [[a]]\n", "f.yaml:1: a value is neither"},
		{"hosts: [a,\n  {b: c}]\n", "f.yaml:2"},
		{"- port\n", "f.yaml:1: not a mapping"},
		{"port\n", "not a mapping"},
		{"port: &a 1\n", "anchors"},
		{"ledger_dir: *a\n", "f.yaml:1"},
		{"ledger_dir: !!binary AA==\n", "tags"},
		{"&a {port: 1}\n", "anchors"},
		{"ledger_dir: \"a\\0b\"\n", "NUL"},
		{"? [port]\n: 1\n", "f.yaml:1"},
		{"port: 1\n---\nport: 2\n", "second document"},
		{"port: 1\n...\n---\n", "second document"},
		{"port: 1\n bad\n", "f.yaml:"},
		{"port: \"1\n", "not YAML"},
		{"port: 1\n\tjson: true\n", "f.yaml:"},
		{"ledger_dir: \xff\xfe\n", "not YAML"},
		{"\xff\xfe", "f.yaml:"},
		{"ledger-dir: a\n", "unknown key"},
		{"config: a\n", "unknown key"},
		{"hide: [a, \"b(\"]\n", "f.yaml:1:11: hide: \"b(\" is no pattern: Unmatched"},
		{"hide:\n  - a\n  - '*'\n", "f.yaml:3:5: hide: \"*\" is no pattern"},
		{"hide: '(a)\\1'\n", "f.yaml:1:7: hide: \"(a)\\1\" is no pattern: back-ref"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(twins) / sizeof(twins[0]); i++) {
		struct why why = {""};
		struct target t;
		int r = read_text(&t, twins[i].yaml, &why);

		if (r >= 0 || !strstr(why.text, twins[i].why))
			fail_msg("%d: \"%s\": %d %s", (int)i, twins[i].yaml, r, why.text);
		conf_done(&table, &t);
	}
}

static void test_too_many(void **state)
{
	struct buf yaml = {0};
	struct why why = {""};
	struct target t;

	(void)state;
	buf_puts(&yaml, "hosts:\n");
	for (int i = 0; i < CONF_MAX_LIST; i++)
		buf_puts(&yaml, "- x\n");
	assert_int_equal(read_text(&t, (char *)yaml.data, &why), 0);
	assert_int_equal(t.hosts.n_items, CONF_MAX_LIST);
	conf_done(&table, &t);
	buf_puts(&yaml, "- x\n");
	assert_int_equal(read_text(&t, (char *)yaml.data, &why), -E2BIG);
	assert_non_null(strstr(why.text, "f.yaml:66: hosts"));
	conf_done(&table, &t);
	buf_clear(&yaml);
	while (yaml.size <= 256 * 1024)
		buf_puts(&yaml, "# more and more and more\n");
	assert_int_equal(read_text(&t, (char *)yaml.data, &why), -EFBIG);
	conf_done(&table, &t);
	buf_done(&yaml);
}

/* The command line stands over the file, and a list that it gives replaces the file's. */
static void test_levels(void **state)
{
	char path[] = "/tmp/plumb-test-conf-XXXXXX", arg[64];
	static const char yaml[] = "port: 7\nhosts: [a, b]\nledger_dir: /file\n";
	struct conf_table with_file = table;
	struct target t;
	struct why why = {""};
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, yaml, strlen(yaml)), strlen(yaml));
	close(fd);
	snprintf(arg, sizeof(arg), "--config=%s", path);
	assert_int_equal(load(&t, ARGS("--hosts=c", arg, "--port=8"), NULL, &why), 0);
	assert_int_equal(t.port, 8);
	assert_int_equal(t.hosts.n_items, 1);
	assert_string_equal(t.hosts.items[0], "c");
	assert_string_equal(t.dir, "/file");
	conf_done(&table, &t);

	/* The default file is read when it is there, and may be absent. */
	with_file.file = path;
	assert_int_equal(conf_load(&with_file, 1, (char *[]){(char *)"prog", NULL}, &t, NULL, &why),
			 0);
	assert_int_equal(t.port, 7);
	assert_int_equal(t.hosts.n_items, 2);
	conf_done(&table, &t);
	unlink(path);
	assert_int_equal(conf_load(&with_file, 1, (char *[]){(char *)"prog", NULL}, &t, NULL, &why),
			 0);
	assert_int_equal(t.port, 8443);
	conf_done(&table, &t);
}

static void test_help(void **state)
{
	struct buf help = {0};

	(void)state;
	conf_help(&table, &help);
	assert_int_equal(buf_status(&help), 0);
	for (size_t i = 0; i < table.n_options; i++)
		assert_non_null(strstr((char *)help.data, options[i].help));
	assert_non_null(strstr((char *)help.data, "--ledger-dir=TEXT"));
	assert_non_null(strstr((char *)help.data, "(8443)"));
	buf_done(&help);
}

/* Printed to standard output, and nothing is left in the target; a broken file does not stand in the way. */
static void test_help_and_version(void **state)
{
	const char *const *const calls[] = {ARGS("--help"), ARGS("--port=x", "--version")};
	const char *const want[] = {"Usage: prog [OPTION…] FILE\n", "prog 0."};

	(void)state;
	for (int i = 0; i < 2; i++) {
		char path[] = "/tmp/plumb-test-conf-XXXXXX", text[2048] = "";
		int fd = mkstemp(path), out = dup(1), r;
		struct target t;
		ssize_t n;

		fflush(stdout);
		dup2(fd, 1);
		r = load(&t, calls[i], NULL, NULL);
		fflush(stdout);
		dup2(out, 1);
		n = pread(fd, text, sizeof(text) - 1, 0);
		close(fd);
		close(out);
		unlink(path);
		assert_int_equal(r, 1);
		assert_true(n > 0);
		assert_memory_equal(text, want[i], strlen(want[i]));
		assert_null(t.dir);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),	 cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_wrong_arguments),	 cmocka_unit_test(test_file),
		cmocka_unit_test(test_wrong_files),	 cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_levels),		 cmocka_unit_test(test_help),
		cmocka_unit_test(test_help_and_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
