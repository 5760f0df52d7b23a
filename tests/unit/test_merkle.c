/* SPDX-License-Identifier: Apache-2.0 */
/* The RFC 6962 tree: known roots, proofs of every place in every tree up to 40 leaves, and their broken twins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "merkle.h"

#define MAX 40

static struct digest leaves[MAX], roots[MAX + 1];

/* Slow and by the definition: MTH of RFC 6962, 2.1. */
static void define_root(uint64_t from, uint64_t n, struct digest *ret)
{
	struct digest left, right;
	uint64_t k = 1;

	if (n == 1) {
		*ret = leaves[from];
		return;
	}
	while (k * 2 < n)
		k *= 2;
	define_root(from, k, &left);
	define_root(from + k, n - k, &right);
	assert_int_equal(merkle_node(&left, &right, ret), 0);
}

static int get(void *ctx, uint32_t level, uint64_t index, struct digest *ret)
{
	(void)ctx;
	define_root(index << level, 1ull << level, ret);
	return 0;
}

static int setup(void **state)
{
	struct merkle m;

	(void)state;
	merkle_init(&m);
	for (uint8_t i = 0; i < MAX; i++) {
		assert_int_equal(merkle_leaf(&i, 1, &leaves[i]), 0);
		assert_int_equal(merkle_add(&m, &leaves[i]), 0);
		assert_int_equal(merkle_root(&m, &roots[i + 1]), 0);
	}
	return 0;
}

static void test_known(void **state)
{
	/* Of the Certificate Transparency test vectors: no leaf; the leaf "" */
	struct digest d;
	struct merkle m;
	char hex[DIGEST_HEX_SIZE];

	(void)state;
	merkle_init(&m);
	assert_int_equal(merkle_root(&m, &d), 0);
	digest_hex(&d, hex);
	assert_string_equal(hex,
			    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	assert_int_equal(merkle_leaf("", 0, &d), 0);
	digest_hex(&d, hex);
	assert_string_equal(hex,
			    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
}

static void test_roots(void **state)
{
	struct digest d;

	(void)state;
	for (uint64_t n = 1; n <= MAX; n++) {
		define_root(0, n, &d);
		assert_true(digest_equal(&d, &roots[n]));
	}
}

static void test_inclusion(void **state)
{
	struct digest proof[MERKLE_MAX_LEVELS];
	uint32_t n_proof;

	(void)state;
	for (uint64_t n = 1; n <= MAX; n++)
		for (uint64_t i = 0; i < n; i++) {
			assert_int_equal(merkle_prove_inclusion(i, n, get, NULL, proof, &n_proof),
					 0);
			assert_int_equal(
				merkle_check_inclusion(i, n, &leaves[i], proof, n_proof, &roots[n]),
				0);
			assert_int_not_equal(merkle_check_inclusion(i, n, &leaves[(i + 1) % MAX],
								    proof, n_proof, &roots[n]),
					     0);
			assert_int_not_equal(merkle_check_inclusion(i, n, &leaves[i], proof,
								    n_proof + 1, &roots[n]),
					     0);
			if (n_proof == 0)
				continue;
			assert_int_not_equal(merkle_check_inclusion(i, n, &leaves[i], proof,
								    n_proof - 1, &roots[n]),
					     0);
			proof[0].bytes[3] ^= 1;
			assert_int_not_equal(
				merkle_check_inclusion(i, n, &leaves[i], proof, n_proof, &roots[n]),
				0);
		}
}

static void test_consistency(void **state)
{
	struct digest proof[2 * MERKLE_MAX_LEVELS];
	uint32_t n_proof;

	(void)state;
	for (uint64_t n = 1; n <= MAX; n++)
		for (uint64_t m = 1; m <= n; m++) {
			assert_int_equal(merkle_prove_consistency(m, n, get, NULL, proof, &n_proof),
					 0);
			assert_int_equal(merkle_check_consistency(m, n, &roots[m], &roots[n], proof,
								  n_proof),
					 0);
			if (m == n)
				continue;
			assert_int_not_equal(
				merkle_check_consistency(m, n, &roots[m + 1 == n ? m - 1 : m + 1],
							 &roots[n], proof, n_proof),
				0);
			assert_int_not_equal(merkle_check_consistency(m, n, &roots[m], &roots[n],
								      proof, n_proof - 1),
					     0);
			proof[n_proof - 1].bytes[9] ^= 4;
			assert_int_not_equal(merkle_check_consistency(m, n, &roots[m], &roots[n],
								      proof, n_proof),
					     0);
		}
}

static void test_frontier(void **state)
{
	struct merkle m, again;

	(void)state;
	merkle_init(&m);
	for (uint64_t i = 0; i < 23; i++)
		assert_int_equal(merkle_add(&m, &leaves[i]), 0);
	assert_int_equal(merkle_from_frontier(m.size, m.hashes, m.n_hashes, &again), 0);
	assert_memory_equal(again.hashes, m.hashes, m.n_hashes * sizeof(struct digest));
	assert_int_not_equal(merkle_from_frontier(m.size + 1, m.hashes, m.n_hashes, &again), 0);
	assert_int_not_equal(merkle_from_frontier(m.size, m.hashes, m.n_hashes - 1, &again), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),	  cmocka_unit_test(test_roots),
		cmocka_unit_test(test_inclusion), cmocka_unit_test(test_consistency),
		cmocka_unit_test(test_frontier),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
