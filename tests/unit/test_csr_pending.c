/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that wait: one of each name, the oldest makes room, a list drops who is in it no more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "csr_pending.h"

static int setup(void **state)
{
	struct csr_pending *p = NULL;

	assert_int_equal(csr_pending_open(&p), 0);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	csr_pending_free(*state);
	return 0;
}

static int put(struct csr_pending *p, unsigned int i, const char *version)
{
	struct csr_check c = {.renews = false};

	snprintf(c.name, sizeof(c.name), "csr-%u", i);
	snprintf(c.version, sizeof(c.version), "%s", version);
	return csr_pending_put(p, &c);
}

static const struct csr_check *get(const struct csr_pending *p, const char *name)
{
	for (uint32_t i = 0; i < csr_pending_n(p); i++)
		if (strcmp(csr_pending_at(p, i)->name, name) == 0)
			return csr_pending_at(p, i);
	return NULL;
}

static void test_by_name(void **state)
{
	struct csr_pending *p = *state;

	assert_int_equal(put(p, 1, "7"), 0);
	assert_int_equal(put(p, 2, "7"), 0);
	assert_int_equal(put(p, 1, "8"), 0);
	assert_int_equal(csr_pending_n(p), 2);
	assert_string_equal(get(p, "csr-1")->version, "8");
	csr_pending_drop(p, "csr-1");
	csr_pending_drop(p, "csr-9");
	csr_pending_drop(p, "");
	assert_int_equal(csr_pending_n(p), 1);
	assert_null(get(p, "csr-1"));
	assert_non_null(get(p, "csr-2"));
}

static void test_full(void **state)
{
	struct csr_pending *p = *state;

	for (unsigned int i = 0; i < CSR_PENDING_MAX; i++)
		assert_int_equal(put(p, i, "7"), 0);
	/* A change of what is there needs no room. */
	assert_int_equal(put(p, 0, "8"), 0);
	assert_int_equal(put(p, 5000, "7"), 1);
	assert_int_equal(csr_pending_n(p), CSR_PENDING_MAX);
	assert_null(get(p, "csr-0"));
	assert_int_equal(put(p, 5001, "7"), 1);
	assert_null(get(p, "csr-1"));
	assert_non_null(get(p, "csr-2"));
	assert_non_null(get(p, "csr-5000"));
	assert_non_null(get(p, "csr-5001"));
}

static void test_list(void **state)
{
	struct csr_pending *p = *state;

	for (unsigned int i = 0; i < 5; i++)
		put(p, i, "7");
	csr_pending_listed(p, true);
	put(p, 3, "7");
	put(p, 9, "7");
	csr_pending_listed(p, false);
	assert_int_equal(csr_pending_n(p), 2);
	assert_non_null(get(p, "csr-3"));
	assert_non_null(get(p, "csr-9"));
	csr_pending_listed(p, true);
	csr_pending_listed(p, false);
	assert_int_equal(csr_pending_n(p), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {T(test_by_name), T(test_full), T(test_list)};

	return cmocka_run_group_tests_name("csr_pending", tests, NULL, NULL);
}
