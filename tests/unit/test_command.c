/* SPDX-License-Identifier: Apache-2.0 */
/* The operator's own program: its words come from a file of root's alone, the body on its input, and it ends in time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "command.h"

struct world {
	struct event_base *base;
	struct command *command;
	char dir[64], file[96], out[96];
	int r, n_ended;
	struct why why;
};

static void put(const char *path, const char *text, mode_t mode)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(path, mode), 0);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct command_options o;

	if (geteuid() != 0)
		skip();
	snprintf(w->dir, sizeof(w->dir), "/tmp/plumb-command-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->file, sizeof(w->file), "%s/words", w->dir);
	snprintf(w->out, sizeof(w->out), "%s/out", w->dir);
	w->base = event_base_new();
	o = (struct command_options){.base = w->base, .file = w->file, .limit_ms = 700};
	assert_int_equal(command_open(&o, &w->command), 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	command_free(w->command);
	event_base_free(w->base);
	unlink(w->file);
	unlink(w->out);
	rmdir(w->dir);
	free(w);
	return 0;
}

static void on_done(void *ctx, int r, const struct why *why)
{
	struct world *w = ctx;

	w->r = r;
	w->n_ended++;
	w->why = *why;
}

static int run(struct world *w, const char *body)
{
	int r, n = w->n_ended;

	w->why.text[0] = 0;
	r = command_start(w->command, body, strlen(body), on_done, w, &w->why);
	if (r < 0)
		return r;
	assert_int_equal(w->n_ended, n); /* never from inside */
	while (w->n_ended == n)
		event_base_loop(w->base, EVLOOP_ONCE);
	return w->r;
}

static void words(struct world *w, const char *program, const char *argument)
{
	char text[1024];

	snprintf(text, sizeof(text), "%s\n-c\n%s\n", program, argument);
	put(w->file, text, 0600);
}

static void test_body_and_words(void **state)
{
	struct world *w = *state;
	char script[256], got[128] = "";
	FILE *f;

	snprintf(script, sizeof(script), "cat >%s; echo \" $# $HOME\" >>%s", w->out, w->out);
	words(w, "/bin/sh", script);
	assert_int_equal(command_check(w->file, &w->why), 0);
	assert_int_equal(run(w, "{\"a\":1}; rm -rf /nothing"), 0);
	f = fopen(w->out, "r");
	assert_non_null(f);
	assert_non_null(fgets(got, sizeof(got), f));
	fclose(f);
	assert_string_equal(got, "{\"a\":1}; rm -rf /nothing 0 \n");
}

static void test_how_it_ends(void **state)
{
	struct world *w = *state;
	time_t began = time(NULL);

	words(w, "/bin/sh", "exit 3");
	assert_int_equal(run(w, "x"), -EPROTO);
	assert_non_null(strstr(w->why.text, "ended with 3"));
	words(w, "/bin/sh", "kill -9 $$");
	assert_int_equal(run(w, "x"), -EPROTO);
	/* With what it started. */
	words(w, "/bin/sh", "sleep 60 & sleep 60");
	assert_int_equal(run(w, "x"), -ETIMEDOUT);
	assert_true(time(NULL) - began < 20);
	words(w, "/nonexistent/program", "x");
	assert_int_equal(run(w, "x"), -ENOENT);
	/* One that reads nothing keeps nobody. */
	words(w, "/bin/sh", "exit 0");
	assert_int_equal(run(w, "x"), 0);
}

static void test_one_at_a_time(void **state)
{
	struct world *w = *state;

	words(w, "/bin/sh", "sleep 60");
	assert_int_equal(command_start(w->command, "x", 1, on_done, w, &w->why), 0);
	assert_int_equal(command_start(w->command, "x", 1, on_done, w, &w->why), -EBUSY);
	w->command = command_free(w->command);
	assert_int_equal(w->r, -ECANCELED);
	assert_int_equal(w->n_ended, 1);
}

static void test_whose_words(void **state)
{
	static const char *const bad[] = {"", "\n\n", "sh\n-c\ntrue\n", "./x\n"};
	struct world *w = *state;
	char link[96];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		put(w->file, bad[i], 0600);
		assert_int_equal(run(w, "x"), -EINVAL);
	}
	put(w->file, "/bin/true\n", 0620);
	assert_int_equal(command_check(w->file, &w->why), -EINVAL);
	assert_non_null(strstr(w->why.text, "nobody else may write"));
	put(w->file, "/bin/true\n", 0602);
	assert_int_equal(run(w, "x"), -EINVAL);
	put(w->file, "/bin/true\n", 0644);
	assert_int_equal(run(w, "x"), 0);
	assert_int_equal(chown(w->file, 1, 1), 0);
	assert_int_equal(run(w, "x"), -EINVAL);
	assert_int_equal(chown(w->file, 0, 0), 0);
	snprintf(link, sizeof(link), "%s/link", w->dir);
	assert_int_equal(symlink(w->file, link), 0);
	assert_int_equal(command_check(link, &w->why), -EINVAL);
	unlink(link);
	assert_int_equal(command_check("/nonexistent", &w->why), -EINVAL);
	assert_int_equal(command_check(w->dir, &w->why), -EINVAL);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {T(test_body_and_words), T(test_how_it_ends),
					   T(test_one_at_a_time), T(test_whose_words)};

	return cmocka_run_group_tests_name("command", tests, NULL, NULL);
}
