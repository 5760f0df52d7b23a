/* SPDX-License-Identifier: Apache-2.0 */
/* test_boot_files.c: logs of boots by digest: each once, the oldest go beyond the bounds, and those of another kind or node stay. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot_files.h"
#include "verifier_fixture.h"

struct seen {
	uint32_t n[3];
	uint64_t bytes;
	char first[3][32];
};

static int on_file(void *ctx, enum boot_file what, const void *data, size_t size)
{
	struct seen *s = ctx;

	if (s->n[what]++ == 0)
		snprintf(s->first[what], sizeof(s->first[what]), "%.*s",
			 (int)(size < 20 ? size : 20), (const char *)data);
	s->bytes += size;
	return 0;
}

static struct seen look(struct verifier_fixture *f, const char *node)
{
	struct seen s = {.bytes = 0};

	assert_int_equal(boot_files_each(&f->store, node, 1, on_file, &s), 0);
	return s;
}

static void keep(struct verifier_fixture *f, enum boot_file what, const char *data, size_t size)
{
	assert_int_equal(boot_files_keep(&f->store, "aa", 1, what, data, size), 0);
}

static void each_once_and_the_oldest_go(void **state)
{
	struct verifier_fixture *f = calloc(1, sizeof(*f));
	char *big = calloc(1, BOOT_FILES_MAX_BYTES + 1), text[32];
	struct seen s;

	(void)state;
	assert_true(f && big);
	verifier_fixture_open(f);
	assert_int_equal(f->ops.begin(f->store.ctx), 0);
	keep(f, BOOT_FILE_MEASURED, "measured", 8);
	for (uint32_t i = 0; i < BOOT_FILES_MAX; i++) {
		snprintf(text, sizeof(text), "log %u", i);
		keep(f, BOOT_FILE_LOG, text, strlen(text));
		keep(f, BOOT_FILE_LOG, text, strlen(text));
	}
	s = look(f, "aa");
	assert_int_equal(s.n[BOOT_FILE_LOG], BOOT_FILES_MAX);
	assert_string_equal(s.first[BOOT_FILE_LOG], "log 0");
	keep(f, BOOT_FILE_LOG, "one more", 8);
	s = look(f, "aa");
	assert_int_equal(s.n[BOOT_FILE_LOG], BOOT_FILES_MAX);
	assert_string_equal(s.first[BOOT_FILE_LOG], "log 1");
	assert_int_equal(s.n[BOOT_FILE_MEASURED], 1);
	/* The same bytes of another kind are another file. */
	keep(f, BOOT_FILE_MEASURED, "one more", 8);
	assert_int_equal(look(f, "aa").n[BOOT_FILE_MEASURED], 2);
	/* By bytes: the newest alone is never too much. */
	keep(f, BOOT_FILE_LOG, big, BOOT_FILES_MAX_BYTES);
	s = look(f, "aa");
	assert_int_equal(s.n[BOOT_FILE_LOG], 1);
	assert_int_equal(s.bytes, BOOT_FILES_MAX_BYTES + 16);
	assert_int_equal(look(f, "bb").n[BOOT_FILE_LOG], 0);
	assert_int_equal(
		boot_files_keep(&f->store, "aa", 1, BOOT_FILE_LOG, big, BOOT_FILES_MAX_BYTES + 1),
		-EINVAL);
	assert_int_equal(boot_files_keep(&f->store, "aa", 1, BOOT_FILE_LOG, big, 0), -EINVAL);
	assert_int_equal(f->ops.commit(f->store.ctx), 0);
	verifier_fixture_done(f);
	free(big);
	free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_once_and_the_oldest_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
