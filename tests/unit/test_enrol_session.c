/* SPDX-License-Identifier: Apache-2.0 */
/* The table of enrolments that were begun: bounded, and those whose time is over are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "enrol_session.h"

static uint64_t now_ns = 1000000000000;

static uint64_t now(void *ctx)
{
	(void)ctx;
	return now_ns;
}

static const struct clock clock_ = {now, now, NULL};

static struct enrol_session *session_of(int node)
{
	struct enrol_session *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	snprintf(s->node, sizeof(s->node), "%064x", (unsigned int)node);
	snprintf(s->id, sizeof(s->id), "%064x", (unsigned int)node);
	s->until_ns = now_ns + 60000000000;
	return s;
}

static void test_sessions_in_all(void **state)
{
	struct enrol_session_table *t = calloc(1, sizeof(*t));
	struct enrol_session *s;
	char id[65];

	(void)state;
	t->clock = &clock_;
	for (int i = 0; i < ENROL_SESSION_MAX; i++)
		assert_int_equal(enrol_session_keep(t, session_of(i)), 0);
	s = session_of(ENROL_SESSION_MAX);
	assert_int_equal(enrol_session_keep(t, s), -EAGAIN);
	snprintf(id, sizeof(id), "%064x", 5u);
	assert_non_null(enrol_session_find(t, id));
	now_ns += 60000000001;
	assert_null(enrol_session_find(t, id));
	s->until_ns += 60000000001;
	assert_int_equal(enrol_session_keep(t, s), 0);
	/* Those whose time was over are gone: there is room for as many again. */
	for (int i = 0; i < ENROL_SESSION_MAX - 1; i++)
		assert_int_equal(enrol_session_keep(t, session_of(i)), 0);
	s = session_of(ENROL_SESSION_MAX + 1);
	assert_int_equal(enrol_session_keep(t, s), -EAGAIN);
	enrol_session_free(s);
	enrol_session_table_done(t);
	free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sessions_in_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
