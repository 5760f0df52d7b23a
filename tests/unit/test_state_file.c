/* SPDX-License-Identifier: Apache-2.0 */
/* A small file of the state directory: whole or told, the old or the new one whenever the power goes, and nothing that somebody else put there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "cleanup.h"
#include "fault_fsio.h"
#include "power_fsio.h"
#include "scratch.h"
#include "state_file.h"

#define MAX 32

struct world {
	char dir[SCRATCH_SIZE], own[96];
	struct state_file f;
};

static int make(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	scratch_open(w->dir, "state-file");
	snprintf(w->own, sizeof(w->own), "%s/own", w->dir);
	w->f = (struct state_file){fsio_system(), w->own, "it.json", MAX};
	*state = w;
	return 0;
}

static int end(void **state)
{
	struct world *w = *state;

	scratch_done(w->dir);
	free(w);
	return 0;
}

static int keep(const struct state_file *f, const char *line)
{
	CLEANUP(buf_done) struct buf b = {0};

	buf_puts(&b, line);
	assert_int_equal(buf_status(&b), 0);
	return state_file_keep(f, &b);
}

/* want: NULL: there is none; "": it is refused. */
static void has(const struct state_file *f, const char *want)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct why why = {""};
	int r;

	buf_puts(&b, ">");
	r = state_file_load(f, &b, &why);
	assert_int_equal(r, !want ? -ENOENT : *want ? 0 : -EBADMSG);
	assert_true((r == -EBADMSG) == (strstr(why.text, "it.json: ") != NULL));
	assert_int_equal(b.size, 1 + (want ? strlen(want) : 0));
	assert_memory_equal(b.data + 1, want ? want : "", b.size - 1);
}

static void test_whole(void **state)
{
	struct world *w = *state;
	struct state_file f = w->f;

	has(&f, NULL);
	assert_int_equal(state_file_remove(&f), 0);
	assert_int_equal(keep(&f, "one\n"), 0);
	has(&f, "one");
	assert_int_equal(keep(&f, "two\n"), 0);
	has(&f, "two");
	scratch_run(w->own, "test \"$(stat -c %%a it.json)\" = 600 && test \"$(ls)\" = it.json");
	/* No directory, since it is a file. */
	f.dir = w->own;
	f.name = "it.json/it.json";
	assert_int_equal(state_file_remove(&f), 0);
	assert_true(keep(&w->f, "three\n") == 0 && keep(&f, "four\n") < 0);
	has(&w->f, "three");
	assert_int_equal(state_file_remove(&w->f), 0);
	has(&w->f, NULL);
	assert_int_equal(state_file_remove(&w->f), 0);
}

static void test_bounds(void **state)
{
	struct world *w = *state;
	char line[MAX + 2] = "";

	memset(line, 'x', MAX);
	line[MAX - 1] = '\n';
	line[MAX] = 0;
	assert_int_equal(keep(&w->f, line), 0);
	line[MAX - 1] = 0;
	has(&w->f, line);
	/* What could not be read again is not written in its place. */
	memcpy(line + MAX - 1, "x\n", 3);
	assert_int_equal(keep(&w->f, line), -EFBIG);
	line[MAX - 1] = 0;
	has(&w->f, line);
	scratch_run(w->own, "echo >>it.json");
	has(&w->f, "");
	scratch_run(w->own, "printf '' >it.json");
	has(&w->f, "");
	scratch_run(w->own, "printf cut >it.json");
	has(&w->f, "");
}

/* Nothing of that is taken for "there is none", waited for, or followed. */
static void test_not_ours(void **state)
{
	static const char *const others[] = {
		"mkdir it.json",
		"mkfifo it.json",
		"ln -s good it.json",
		"ln -s nowhere it.json",
		"ln -s it.json it.json",
		"cp good it.json && chmod 620 it.json",
		"cp good it.json && chmod 602 it.json",
		"cp good it.json && chown 12345 it.json",
	};
	struct world *w = *state;

	assert_int_equal(keep(&w->f, "one\n"), 0);
	scratch_run(w->own, "mv it.json good");
	for (size_t i = 0; i < ARRAY_SIZE(others) - (geteuid() != 0); i++) {
		scratch_run(w->own, "%s", others[i]);
		has(&w->f, "");
		if (i == 0) {
			scratch_run(w->own, "rmdir it.json");
			continue;
		}
		assert_int_equal(keep(&w->f, "two\n"), 0);
		has(&w->f, "two");
		scratch_run(w->own, "test \"$(cat good)\" = one && test ! -e nowhere");
		assert_int_equal(state_file_remove(&w->f), 0);
	}
}

/* Cut at each call: what was said to be done holds, and else the old one stands or the new. */
static void test_power(void **state)
{
	struct world *w = *state;
	struct state_file f = w->f;

	for (long left = 0, done = 0; !done; left++)
		for (enum power_cut how = POWER_CUT_LOST; how <= POWER_CUT_ZEROS; how++) {
			CLEANUP(buf_done) struct buf b = {0};
			struct fault_fsio fault;
			struct power_fsio power;
			struct why why;
			int r;

			assert_int_equal(keep(&w->f, "old\n"), 0);
			fault_fsio_init(&fault, left, true, -EIO);
			power_fsio_init(&power, &fault.io);
			f.io = &power.io;
			r = keep(&f, "new\n");
			power_fsio_cut(&power, how);
			power_fsio_done(&power);
			assert_int_equal(state_file_load(&w->f, &b, &why), 0);
			assert_true(strcmp((char *)b.data, "new") == 0 ||
				    (r < 0 && strcmp((char *)b.data, "old") == 0));
			done = r >= 0;
			assert_true(left < 32);
		}
}

/* Removed, but not known to stay so: said, and made good by the next call though there is nothing to remove any more. */
static void test_removed(void **state)
{
	struct world *w = *state;
	struct state_file f = w->f;
	struct fault_fsio fault;
	struct power_fsio power;

	assert_int_equal(keep(&w->f, "old\n"), 0);
	fault_fsio_init(&fault, 0, false, -EIO);
	power_fsio_init(&power, &fault.io);
	f.io = &power.io;
	assert_int_equal(state_file_remove(&f), -EIO);
	has(&w->f, "old");
	fault.left = 1;
	assert_int_equal(state_file_remove(&f), -EIO);
	fault.left = -1;
	assert_int_equal(state_file_remove(&f), 0);
	power_fsio_cut(&power, POWER_CUT_LOST);
	power_fsio_done(&power);
	has(&w->f, NULL);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, make, end)
	const struct CMUnitTest tests[] = {
		T(test_whole), T(test_bounds), T(test_not_ours), T(test_power), T(test_removed),
	};

	return cmocka_run_group_tests_name("state_file", tests, NULL, NULL);
}
