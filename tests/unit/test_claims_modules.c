/* SPDX-License-Identifier: Apache-2.0 */
/* Modules that one list has and another has not; one that comes or goes meanwhile is not hidden. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "claims_fixture.h"
#include "claims_modules.h"

static int setup(void **state)
{
	struct claims_fixture *f = calloc(1, sizeof(*f));

	claims_fixture_open(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	claims_fixture_done(*state);
	free(*state);
	return 0;
}

#define SYMBOLS                                                                           \
	"ffffffff81000000 T _stext\nffffffffc0a0 t f\t[ext4]\nffffffffc0a1 t g\t[ext4]\n" \
	"0000000000000000 t arr[3]\nffffffffc0b0 t bpf_prog_1\t[bpf]\n"                   \
	"ffffffffc0b1 t kprobe_insn\t[__builtin__kprobes]\n"

static const char *hidden(struct claims_fixture *f)
{
	assert_true(claims_modules_all(&f->source) >= 0);
	return claims_fixture_found(f, "kernel:hidden_modules");
}

static void good(struct claims_fixture *f)
{
	claims_fixture_text(f, "proc/sys/kernel/modules_disabled", "0\n");
	claims_fixture_text(f, "proc/modules", "ext4 2 1 nf, Live 0x0\nnf 1 0 - Live 0x0\n");
	claims_fixture_text(f, "proc/kallsyms", SYMBOLS);
	claims_fixture_text(f, "sys/module/ext4/initstate", "live\n");
	claims_fixture_text(f, "sys/module/nf/initstate", "live\n");
	claims_fixture_text(f, "sys/module/kernel/parameters/panic", "0\n");
}

static void test_same(void **state)
{
	struct claims_fixture *f = *state;

	/* No modules at all, and no symbols. */
	assert_string_equal(hidden(f), "none");
	good(f);
	assert_string_equal(hidden(f), "none");
	claims_fixture_remove(f, "proc/kallsyms");
	assert_string_equal(hidden(f), "none");
}

static void test_hidden(void **state)
{
	struct claims_fixture *f = *state;

	good(f);
	/* Left the list and not sysfs. */
	claims_fixture_text(f, "sys/module/evil/initstate", "live\n");
	assert_string_equal(hidden(f), "evil=+sys");
	/* /proc/modules is filtered, what else there is is not. */
	claims_fixture_text(f, "proc/kallsyms", SYMBOLS "ffffffffc0c0 t hook\t[evil]\n");
	assert_string_equal(hidden(f), "evil=+sys+kallsyms");
	claims_fixture_remove(f, "sys/module/evil");
	assert_string_equal(hidden(f), "evil=+kallsyms");
	claims_fixture_remove(f, "sys/module/nf");
	assert_string_equal(hidden(f), "evil=+kallsyms,nf=+proc");
	claims_fixture_text(f, "proc/kallsyms", SYMBOLS);
	assert_string_equal(hidden(f), "nf=+proc");
}

static void test_blind(void **state)
{
	struct claims_fixture *f = *state;

	good(f);
	claims_fixture_remove(f, "proc/modules");
	assert_memory_equal(hidden(f), "ext4=", 5);
	claims_fixture_remove(f, "sys/module");
	claims_fixture_remove(f, "proc/kallsyms");
	/* The switch alone: the list is kept from us. */
	assert_string_equal(hidden(f), "unknown ENOENT");
	good(f);
	claims_fixture_text(f, "proc/kallsyms", "ffffffffc0c0 t hook\t[a b]\n");
	assert_string_equal(hidden(f), "unknown EBADMSG");
	claims_fixture_text(f, "proc/kallsyms", SYMBOLS);
	claims_fixture_text(f, "proc/modules", "../x 1 0\n");
	assert_memory_equal(hidden(f), "ext4=", 5);
}

/* Between the first look and the second it went, or came: nothing to tell. What stays is told. */
static void test_twice(void **state)
{
	struct claims_fixture *f = *state;
	struct claims_modules *m;
	int put = 0, r, n = 0;

	good(f);
	claims_fixture_text(f, "sys/module/coming/initstate", "coming\n");
	claims_fixture_text(f, "sys/module/evil/initstate", "live\n");
	assert_int_equal(claims_modules_open(&f->source, &m), 0);
	do {
		r = claims_modules_step(m, &put);
		/* After the first look. */
		if (++n == 2)
			claims_fixture_text(
				f, "proc/modules",
				"ext4 2 1 nf, Live 0x0\nnf 1 0 - Live 0x0\ncoming 1 0\n");
	} while (r == 1);
	claims_modules_free(m);
	assert_int_equal(r, 0);
	assert_int_equal(n, 4);
	assert_int_equal(put, 1);
	assert_string_equal(claims_fixture_found(f, "kernel:hidden_modules"), "evil=+sys");
}

/* Cut anywhere, the pieces say the same. */
static void test_pieces(void **state)
{
	static const char text[] = SYMBOLS "ffffffffc0c0 t hook\t[evil]\n";

	(void)state;
	for (size_t cut = 0; cut < sizeof(text); cut++) {
		struct claims_modules_rest rest = {.n = 0};
		struct claims_names names = {.n = 0};
		struct buf b = {0};

		assert_int_equal(claims_modules_symbols(&rest, text, cut, &names), 0);
		assert_int_equal(claims_modules_symbols(
					 &rest, text + cut,
					 sizeof(text) - 1 - cut + (cut == sizeof(text)), &names),
				 0);
		claims_names_sort(&names);
		assert_int_equal(claims_names_text(&names, &b), 0);
		assert_string_equal((char *)b.data, "evil,ext4");
		claims_names_clear(&names);
		buf_done(&b);
		if (cut == sizeof(text) - 1)
			break;
	}
}

static void test_broken(void **state)
{
	struct claims_names names = {.n = 0};
	struct claims_modules_rest rest = {.n = 0};
	char line[1200];

	(void)state;
	memset(line, 'x', sizeof(line));
	assert_int_equal(claims_modules_symbols(&rest, line, sizeof(line), &names), -EBADMSG);
	rest.n = 0;
	assert_int_equal(claims_modules_symbols(&rest, "a\t[]\n", 5, &names), -EBADMSG);
	rest.n = 0;
	assert_int_equal(claims_modules_symbols(&rest, "a\t[x/y]\n", 8, &names), -EBADMSG);
	snprintf(line, sizeof(line), "a\t[%064d]\n", 1);
	rest.n = 0;
	assert_int_equal(claims_modules_symbols(&rest, line, strlen(line), &names), -EBADMSG);
	/* Not at the end, or not behind a tab: a name like another. */
	rest.n = 0;
	assert_int_equal(
		claims_modules_symbols(&rest, "a b[c]\n[d]\n]\n\t]\na\t[e] \n", 22, &names), 0);
	assert_int_equal(names.n, 0);
	claims_names_clear(&names);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_same),  T(test_hidden), T(test_blind),
		T(test_twice), T(test_pieces), T(test_broken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
