/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of images' signatures: kept, bounded, not undone, and forgotten with the key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "image_checks.h"

static struct image_check check_of(unsigned int i, enum image_check_state s, uint64_t at)
{
	struct image_check k = {.state = s, .at_ns = at};

	snprintf(k.image, sizeof(k.image), "sha256:%064x", i);
	memcpy(k.of, k.image, sizeof(k.of));
	return k;
}

static enum image_check_state state_of(struct image_checks *c, unsigned int i)
{
	struct image_check want = check_of(i, IMAGE_CHECK_UNKNOWN, 0), k;

	return image_checks_find(c, want.image, &k) < 0 ? IMAGE_CHECK_UNKNOWN : k.state;
}

static void put(struct image_checks *c, unsigned int i, enum image_check_state s, uint64_t at)
{
	struct image_check k = check_of(i, s, at);

	assert_int_equal(image_checks_put(c, &k), 0);
}

static void test_put(void **state)
{
	struct image_checks *c = NULL;
	struct image_check k = {.state = IMAGE_CHECK_SIGNED, .image = "latest"};

	(void)state;
	assert_int_equal(image_checks_open(NULL, 0, &c), 0);
	assert_false(image_checks_has_keys(c));
	assert_int_equal(image_checks_put(c, &k), -EINVAL);
	assert_int_equal(state_of(c, 1), IMAGE_CHECK_UNKNOWN);
	put(c, 1, IMAGE_CHECK_FAILED, 1);
	put(c, 1, IMAGE_CHECK_UNSIGNED, 2);
	assert_int_equal(state_of(c, 1), IMAGE_CHECK_UNSIGNED);
	put(c, 1, IMAGE_CHECK_SIGNED, 3);
	put(c, 1, IMAGE_CHECK_UNSIGNED, 4);
	assert_int_equal(state_of(c, 1), IMAGE_CHECK_SIGNED);
	image_checks_free(c);
}

/* A flood of what is not signed takes no room from what is. */
static void test_bound(void **state)
{
	struct image_checks *c = NULL;

	(void)state;
	assert_int_equal(image_checks_open(NULL, 0, &c), 0);
	put(c, 0, IMAGE_CHECK_SIGNED, 1);
	for (unsigned int i = 1; i < IMAGE_CHECKS_MAX + 9; i++)
		put(c, i, IMAGE_CHECK_UNSIGNED, 1 + i);
	assert_int_equal(state_of(c, 0), IMAGE_CHECK_SIGNED);
	assert_int_equal(state_of(c, 1), IMAGE_CHECK_UNKNOWN);
	assert_int_equal(state_of(c, 9), IMAGE_CHECK_UNKNOWN);
	assert_int_equal(state_of(c, 10), IMAGE_CHECK_UNSIGNED);
	assert_int_equal(state_of(c, IMAGE_CHECKS_MAX + 8), IMAGE_CHECK_UNSIGNED);
	image_checks_free(c);
}

static void count(void *ctx)
{
	++*(unsigned int *)ctx;
}

static void test_wishes(void **state)
{
	struct image_checks *c = NULL;
	char text[IMAGE_CHECKS_MAX_NAME], name[IMAGE_CHECKS_MAX_NAME + 1];
	unsigned int n = 0;

	(void)state;
	assert_int_equal(image_checks_open(NULL, 0, &c), 0);
	image_checks_on_wish(c, count, &n);
	assert_int_equal(image_checks_take(c, text), -ENOENT);
	assert_int_equal(image_checks_wish(c, "a"), 0);
	assert_int_equal(image_checks_wish(c, "a"), 0);
	assert_int_equal(n, 1);
	for (unsigned int i = 1; i < IMAGE_CHECKS_MAX_WISHES; i++) {
		snprintf(name, sizeof(name), "%u", i);
		assert_int_equal(image_checks_wish(c, name), 0);
	}
	assert_int_equal(image_checks_wish(c, "b"), -ENOSPC);
	assert_int_equal(image_checks_lost(c), 1);
	assert_int_equal(image_checks_take(c, text), 0);
	assert_string_equal(text, "a");
	assert_int_equal(image_checks_take(c, text), 0);
	assert_string_equal(text, "1");
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	assert_int_equal(image_checks_wish(c, name), -ENAMETOOLONG);
	image_checks_free(c);
}

static void test_store(void **state)
{
	struct sign_key *keys[2] = {NULL};
	struct image_checks *c = NULL;
	struct image_check k[2];
	struct digest id;
	struct buf b = {0};
	struct why why = {""};

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(sign_key_generate(SIGN_P256, &keys[i]), 0);
		assert_int_equal(sign_key_id(keys[i], &id), 0);
		k[i] = check_of(i + 1, IMAGE_CHECK_SIGNED, 5);
		digest_hex(&id, k[i].key);
	}
	assert_int_equal(image_checks_open((const struct sign_key *const *)keys, 2, &c), 0);
	assert_int_equal(image_checks_put(c, &k[0]), 0);
	assert_int_equal(image_checks_put(c, &k[1]), 0);
	put(c, 3, IMAGE_CHECK_UNSIGNED, 5);
	assert_int_equal(image_checks_write(c, &b), 0);
	image_checks_free(c);
	/* One key was taken away in between. */
	assert_int_equal(image_checks_open((const struct sign_key *const *)keys + 1, 1, &c), 0);
	assert_int_equal(image_checks_read(c, b.data, b.size, &why), 0);
	assert_int_equal(state_of(c, 1), IMAGE_CHECK_UNKNOWN);
	assert_int_equal(state_of(c, 2), IMAGE_CHECK_SIGNED);
	assert_int_equal(state_of(c, 3), IMAGE_CHECK_UNKNOWN);
	assert_int_equal(image_checks_read(c, b.data, b.size - 1, &why), -EBADMSG);
	image_checks_free(c);
	for (unsigned int i = 0; i < 2; i++)
		sign_key_free(keys[i]);
	buf_done(&b);
}

struct asking {
	struct image_checks *c;
	_Atomic bool done;
};

/* As the webhook's thread does while the loop grants wishes. */
static void *ask_often(void *ctx)
{
	struct asking *a = ctx;
	struct image_check k;
	char name[80];

	for (unsigned int i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "sha256:%064x", i % 500);
		if (image_checks_find(a->c, name, &k) < 0)
			(void)image_checks_wish(a->c, name);
	}
	a->done = true;
	return NULL;
}

static void test_threads(void **state)
{
	struct asking a = {.done = false};
	char name[IMAGE_CHECKS_MAX_NAME];
	unsigned int n = 0;
	pthread_t other;
	bool over;

	(void)state;
	assert_int_equal(image_checks_open(NULL, 0, &a.c), 0);
	assert_int_equal(pthread_create(&other, NULL, ask_often, &a), 0);
	do {
		over = a.done;
		while (image_checks_take(a.c, name) >= 0) {
			struct image_check k = {.state = IMAGE_CHECK_UNSIGNED};

			n++;
			snprintf(k.image, sizeof(k.image), "%.71s", name);
			assert_int_equal(image_checks_put(a.c, &k), 0);
		}
		sched_yield();
	} while (!over);
	assert_int_equal(pthread_join(other, NULL), 0);
	assert_true(n > 0);
	assert_int_equal(state_of(a.c, 0), IMAGE_CHECK_UNSIGNED);
	image_checks_free(a.c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_put), cmocka_unit_test(test_bound),
					   cmocka_unit_test(test_wishes),
					   cmocka_unit_test(test_store),
					   cmocka_unit_test(test_threads)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
