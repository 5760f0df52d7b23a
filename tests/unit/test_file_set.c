/* SPDX-License-Identifier: Apache-2.0 */
/* A set of few files on a busy day: names that come and go for ever fit into it, each is told; what was there at the start is never forgotten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "file_set.h"
#include "scratch.h"

#define MAX 6

struct bench {
	char top[64];
	struct hash_cache *cache;
	struct file_set *files;
	struct file_texts *texts;
	unsigned int n_lines, n_lost;
	char last[256];
	char told
		[4]
		[512]; /* "<type> <key's kind and last name> <before or -> > <found>", then its diff */
};

static void on_line(void *ctx, const struct line *l)
{
	struct bench *b = ctx;

	snprintf(b->told[b->n_lines % 4], sizeof(b->told[0]), "%s %.5s%s %s > %s%s%s",
		 l->type == PLUMB_TYPE_CLAIM ? "claim" : l->op, l->key, strrchr(l->key, '/') + 1,
		 l->before ? l->before : "-", l->found, l->diff ? "\n" : "",
		 l->diff ? l->diff : "");
	b->n_lines++;
	snprintf(b->last, sizeof(b->last), "%s %.6s", strrchr(l->key, '/') + 1, l->found);
}

static void on_lost(void *ctx, const char *src, uint64_t n, const char *what)
{
	struct bench *b = ctx;

	(void)src;
	(void)what;
	b->n_lost += (unsigned int)n;
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	const struct measure_sink sink = {.measurement = on_line, .lost = on_lost, .ctx = b};
	const char *paths[1];
	struct why why = {""};

	assert_non_null(b);
	strcpy(b->top, "/tmp/plumb-test-file-set-XXXXXX");
	assert_non_null(mkdtemp(b->top));
	scratch_run(b->top, "echo a >a && echo b >b");
	paths[0] = b->top;
	assert_int_equal(file_texts_open(&(struct file_texts_options){.paths = paths, .n_paths = 1},
					 &b->texts),
			 0);
	assert_int_equal(hash_cache_open(0, 0, &b->cache), 0);
	const struct file_set_options o = {.paths = paths,
					   .n_paths = 1,
					   .hash_cache = b->cache,
					   .texts = b->texts,
					   .clock = clock_system(),
					   .max = MAX};

	assert_int_equal(file_set_open(&o, &sink, &b->files, &why), 0);
	assert_int_equal(file_set_n(b->files), 3);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	file_set_free(b->files);
	file_texts_free(b->texts);
	hash_cache_free(b->cache);
	scratch_run(".", "rm -rf %s", b->top);
	free(b);
	return 0;
}

static int check(struct bench *b, const char *name, const char *op)
{
	const struct file_set_deed deed = {.src = "fanotify", .op = op};
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", b->top, name);
	return file_set_check(b->files, path, &deed);
}

static const char *value(struct bench *b, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", b->top, name);
	return file_set_value(b->files, path);
}

static void come_and_go(struct bench *b, unsigned int n)
{
	char name[32], line[64];

	snprintf(name, sizeof(name), "..2026_%u", n);
	scratch_run(b->top, "echo %u >%s", n, name);
	assert_int_equal(check(b, name, "create"), 1);
	snprintf(line, sizeof(line), "%s reg 06", name);
	assert_string_equal(b->last, line);
	scratch_run(b->top, "rm %s", name);
	assert_int_equal(check(b, name, "delete"), 1);
	snprintf(line, sizeof(line), "%s absent", name);
	assert_string_equal(b->last, line);
}

static void test_names_that_come_and_go_fit(void **state)
{
	struct bench *b = *state;

	assert_int_equal(check(b, "a", "write"), 0);
	assert_int_equal(check(b, "b", "write"), 0);
	scratch_run(b->top, "rm b");
	assert_int_equal(check(b, "b", "delete"), 1);
	for (unsigned int n = 0; n < 40; n++)
		come_and_go(b, n);
	assert_int_equal(b->n_lost, 0);
	assert_true(file_set_n(b->files) <= MAX);
	/* Of the start, and gone: a baseline may list it, so it is told again when another one judges. */
	assert_string_equal(value(b, "b"), "absent");
	assert_non_null(value(b, "a"));
	assert_null(value(b, "..2026_0"));
	b->n_lines = 0;
	file_set_tell_all(b->files);
	assert_true(b->n_lines >= 2);
}

static void test_names_that_stay_fill_it(void **state)
{
	struct bench *b = *state;

	come_and_go(b, 1);
	scratch_run(b->top, "echo 1 >s1; echo 2 >s2; echo 3 >s3; echo 4 >s4");
	assert_int_equal(check(b, "s1", "create"), 1);
	assert_int_equal(check(b, "s2", "create"), 1);
	assert_int_equal(check(b, "s3", "create"), 1); /* in the place of the one that went */
	assert_int_equal(b->n_lost, 0);
	assert_true(check(b, "s4", "create") < 0);
	assert_int_equal(b->n_lost, 1);
	assert_non_null(value(b, "s1"));
	assert_non_null(value(b, "s3"));
	/* One that was found anew, and is back, is not taken for one that went. */
	scratch_run(b->top, "rm s1");
	assert_int_equal(check(b, "s1", "delete"), 1);
	scratch_run(b->top, "echo 1 >s1");
	assert_int_equal(check(b, "s1", "create"), 1);
	assert_true(check(b, "s4", "create") < 0);
}

#define A "reg 0644 0:0 2 sha256:87428fc522803d31065e7bce3cf03fe475096631e5e07bbd7a0fde60c4cf25c7"
#define X "reg 0644 0:0 2 sha256:73cb3858a687a8494ca3323053016282f3dad39d42cf62ca4e79dda2aac7d9ac"
#define E "reg 0600 0:0 2 sha256:87428fc522803d31065e7bce3cf03fe475096631e5e07bbd7a0fde60c4cf25c7"

/* What it was before, to the digest and to the line; a write that changes nothing is told as a write, a scan that finds nothing is silent. */
static void test_before_and_lines(void **state)
{
	struct bench *b = *state;

	if (getuid() != 0)
		skip();
	scratch_run(b->top, "chmod 644 a");
	assert_int_equal(check(b, "a", "rescan"), 0);
	assert_string_equal(b->told[0], "claim file:a - > " A);
	scratch_run(b->top, "echo x >a");
	assert_int_equal(check(b, "a", "write"), 1);
	assert_string_equal(b->told[1], "write file:a " A " > " X "\n@@ -1 +1 @@\n-a\n+x");
	assert_int_equal(check(b, "a", "write"), 0);
	assert_string_equal(b->told[2], "write file:a " X " > " X);
	assert_int_equal(check(b, "a", "rescan"), 0);
	assert_int_equal(b->n_lines, 3);
	scratch_run(b->top, "echo a >a; chmod 600 a");
	assert_int_equal(check(b, "a", "rescan"), 1);
	/* Not for all to read any more: its lines are its own. */
	assert_string_equal(b->told[3], "rescan file:a " X " > " E);
	scratch_run(b->top, "rm a");
	assert_int_equal(check(b, "a", "delete"), 1);
	assert_string_equal(b->told[0], "delete file:a " E " > absent");
	scratch_run(b->top, "echo a >a && chmod 644 a");
	assert_int_equal(check(b, "a", "create"), 1);
	assert_string_equal(b->told[1], "create file:a absent > " A "\n@@ -0,0 +1 @@\n+a");
}

/* Attributes beside: nothing is said of files that have none; what comes and goes is told with what was before. */
static void test_attributes(void **state)
{
	struct bench *b = *state;
	const uint8_t capability[20] = {1, 0, 0, 2, 0, 0x20};
	char path[128];

	snprintf(path, sizeof(path), "%s/a", b->top);
	if (setxattr(path, "security.capability", capability, sizeof(capability), 0) < 0)
		skip();
	assert_int_equal(check(b, "a", "rescan"), 0);
	assert_int_equal(b->n_lines, 2);
	assert_string_equal(b->told[1], "claim attr:a - > capability=0000000000002000,effective");
	assert_int_equal(check(b, "a", "attr"), 0);
	assert_int_equal(b->n_lines, 3); /* the file's own */
	assert_int_equal(removexattr(path, "security.capability"), 0);
	assert_int_equal(check(b, "a", "rescan"), 1);
	assert_int_equal(b->n_lines, 4);
	assert_string_equal(b->told[3],
			    "rescan attr:a capability=0000000000002000,effective > absent");
	assert_int_equal(setxattr(path, "security.capability", capability, 20, 0), 0);
	assert_int_equal(check(b, "a", "rescan"), 1);
	assert_string_equal(b->told[0],
			    "rescan attr:a absent > capability=0000000000002000,effective");
	scratch_run(b->top, "rm a");
	assert_int_equal(check(b, "a", "delete"), 1);
	assert_string_equal(b->told[2],
			    "delete attr:a capability=0000000000002000,effective > absent");
	b->n_lines = 0;
	file_set_tell_all(b->files);
	assert_int_equal(b->n_lines, 1);
}

/* Changed before it was measured for the first time: who did it is told, and that nobody knows what it was. */
static void test_change_before_the_first_look(void **state)
{
	struct bench *b = *state;
	const struct line_actor actor = {.known = true, .pid = 7};
	const struct file_set_deed deed = {
		.src = "lsm", .op = "write", .actor = &actor, .only_change = true};
	char path[128];

	snprintf(path, sizeof(path), "%s/b", b->top);
	assert_int_equal(file_set_check(b->files, path, &deed), 0);
	assert_int_equal(b->n_lines, 1);
	assert_int_equal(strncmp(b->told[0], "write file:b - > reg ", 21), 0);
	assert_int_equal(check(b, "a", "rescan"), 0);
	assert_int_equal(strncmp(b->told[1], "claim file:a - > reg ", 21), 0);
}

struct asked {
	struct bench *b;
	const char *write; /* what somebody does meanwhile, and tells; NULL: nobody does */
	unsigned int n;
};

static void on_ask(void *ctx, const char *path, bool anew)
{
	struct asked *a = ctx;

	(void)path;
	(void)anew;
	a->n++;
	if (a->write) {
		scratch_run(a->b->top, "%s", a->write);
		assert_int_equal(check(a->b, "a", "write"), 1);
	}
}

/* Who is asked tells it, or nobody does; each change once, with its lines. */
static void test_asks_who_did_it(void **state)
{
	struct bench *b = *state;
	struct asked a = {.b = b};
	const struct file_set_deed deed = {
		.src = "scan", .op = "rescan", .anew = true, .ask = on_ask, .ctx = &a};
	char path[128];

	snprintf(path, sizeof(path), "%s/a", b->top);
	assert_int_equal(check(b, "a", "write"), 0);
	b->n_lines = 0;
	assert_int_equal(file_set_check(b->files, path, &deed), 0);
	assert_int_equal(a.n, 0);
	scratch_run(b->top, "echo x >a");
	assert_int_equal(file_set_check(b->files, path, &deed), 1);
	assert_int_equal(a.n, 1);
	assert_int_equal(b->n_lines, 1);
	assert_string_equal(b->told[0], "rescan file:a " A " > " X "\n@@ -1 +1 @@\n-a\n+x");
	scratch_run(b->top, "echo y >a");
	a.write = "echo z >a";
	assert_int_equal(file_set_check(b->files, path, &deed), 0);
	assert_int_equal(a.n, 2);
	assert_int_equal(b->n_lines, 2);
	assert_non_null(strstr(b->told[1], "write file:a " X " > "));
	assert_non_null(strstr(b->told[1], "-x\n+z"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_names_that_come_and_go_fit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_names_that_stay_fill_it, setup, teardown),
		cmocka_unit_test_setup_teardown(test_before_and_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(test_attributes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_asks_who_did_it, setup, teardown),
		cmocka_unit_test_setup_teardown(test_change_before_the_first_look, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
