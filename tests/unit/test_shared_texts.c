/* SPDX-License-Identifier: Apache-2.0 */
/* Alike texts are one, others never are, and what is dropped by all is freed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "shared_texts.h"

static void test_shared(void **state)
{
	struct shared_texts s = {{NULL}};
	struct shared_text *a = shared_texts_get(&s, "/usr/bin/env");
	struct shared_text *b = shared_texts_get(&s, "/usr/bin/env");
	struct shared_text *c = shared_texts_get(&s, "/opt/bin/env"); /* of the same end */

	(void)state;
	assert_ptr_equal(a, b);
	assert_ptr_not_equal(a, c);
	assert_string_equal(a->text, "/usr/bin/env");
	assert_string_equal(c->text, "/opt/bin/env");
	assert_int_equal(a->size, 12);
	assert_null(shared_texts_get(&s, NULL));
	shared_text_drop(a);
	shared_texts_done(&s);
	/* Somebody still has it. */
	assert_int_equal(b->refs, 1);
	assert_string_equal(b->text, "/usr/bin/env");
	shared_text_drop(b);
	shared_text_drop(c);
}

/* Texts of all sizes, more than there is room for, again and again: each time the one that was asked for. */
static void test_many(void **state)
{
	struct shared_texts s = {{NULL}};

	(void)state;
	for (int turn = 0; turn < 3; turn++)
		for (int i = 0; i < 1000; i++) {
			char text[64];
			struct shared_text *t;

			snprintf(text, sizeof(text), "%.*s%d", i % 40,
				 "/a/directory/that/is/somewhat/deep/down/", i);
			t = shared_texts_get(&s, text);
			assert_string_equal(t->text, text);
			assert_int_equal(t->size, strlen(text));
			assert_string_equal(t->container.id, "");
			shared_text_drop(t);
		}
	for (int i = 0; i < 2; i++) {
		struct shared_text *t = shared_texts_get(&s, "");

		assert_string_equal(t->text, "");
		shared_text_drop(t);
	}
	shared_texts_done(&s);
}

static void test_cgroup(void **state)
{
	char path[128];
	struct shared_text *t;

	(void)state;
	snprintf(path, sizeof(path), "/system.slice/docker-%064d.scope", 7);
	t = shared_text_cgroup(path);
	assert_string_equal(t->text, path);
	assert_int_equal(strlen(t->container.id), 64);
	assert_ptr_equal(shared_text_share(t), t);
	assert_null(shared_text_share(NULL));
	shared_text_drop(t);
	assert_string_equal(t->text, path);
	shared_text_drop(t);
	shared_text_drop(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shared),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_cgroup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
