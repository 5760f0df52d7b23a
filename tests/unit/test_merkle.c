/* SPDX-License-Identifier: Apache-2.0 */
/* The RFC 6962 tree: known roots, proofs of every place in every tree up to 64 leaves, and their broken twins. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "merkle.h"

#define MAX 64

static struct digest leaves[MAX], roots[MAX + 1], nodes[7][MAX];

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
	assert_true(level < 7 && (index + 1) << level <= MAX);
	*ret = nodes[level][index];
	return 0;
}

static int setup(void **state)
{
	struct merkle m;

	(void)state;
	merkle_init(&m);
	if (merkle_root(&m, &roots[0]) < 0)
		return -1;
	for (uint8_t i = 0; i < MAX; i++) {
		assert_int_equal(merkle_leaf(&i, 1, &leaves[i]), 0);
		assert_int_equal(merkle_add(&m, &leaves[i]), 0);
		assert_int_equal(merkle_root(&m, &roots[i + 1]), 0);
	}
	for (uint32_t level = 0; level < 7; level++)
		for (uint64_t i = 0; i < (uint64_t)MAX >> level; i++)
			define_root(i << level, 1ull << level, &nodes[level][i]);
	return 0;
}

/* The eight leaves of the Certificate Transparency test vectors, and the roots of their first 0 to 8. */
static const struct {
	const char *leaf;
	size_t size;
} known_leaves[] = {
	{"", 0},
	{"\x00", 1},
	{"\x10", 1},
	{"\x20\x21", 2},
	{"\x30\x31", 2},
	{"\x40\x41\x42\x43", 4},
	{"\x50\x51\x52\x53\x54\x55\x56\x57", 8},
	{"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f", 16},
};

static const char *const known_roots[] = {
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
	"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
	"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
	"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
	"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
	"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
	"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
	"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
};

static void test_known(void **state)
{
	struct digest d;
	struct merkle m;

	(void)state;
	merkle_init(&m);
	for (size_t i = 0; i <= 8; i++) {
		char hex[DIGEST_HEX_SIZE];

		assert_int_equal(merkle_root(&m, &d), 0);
		digest_hex(&d, hex);
		assert_string_equal(hex, known_roots[i]);
		if (i == 8)
			break;
		assert_int_equal(merkle_leaf(known_leaves[i].leaf, known_leaves[i].size, &d), 0);
		assert_int_equal(merkle_add(&m, &d), 0);
	}
}

static void from_hex(const char *const hex[], uint32_t n, struct digest *ret)
{
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(digest_from_hex(hex[i], &ret[i]), 0);
}

/* Proofs made by another implementation over the same eight leaves. */
static void test_known_proofs(void **state)
{
	static const char *const in_0_of_8[] = {
		"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
		"5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
		"6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"};
	static const char *const in_5_of_8[] = {
		"bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
		"ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"};
	static const char *const from_6_to_8[] = {
		"0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
		"ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"};
	struct digest known[9], proof[3], leaf;

	(void)state;
	from_hex(known_roots, 9, known);
	from_hex(in_0_of_8, 3, proof);
	assert_int_equal(merkle_leaf("", 0, &leaf), 0);
	assert_int_equal(merkle_check_inclusion(0, 8, &leaf, proof, 3, &known[8]), 0);
	assert_int_equal(merkle_check_inclusion(1, 8, &leaf, proof, 3, &known[8]), -EBADMSG);
	from_hex(in_5_of_8, 3, proof);
	assert_int_equal(merkle_leaf(known_leaves[5].leaf, known_leaves[5].size, &leaf), 0);
	assert_int_equal(merkle_check_inclusion(5, 8, &leaf, proof, 3, &known[8]), 0);
	from_hex(from_6_to_8, 3, proof);
	assert_int_equal(merkle_check_consistency(6, 8, &known[6], &known[8], proof, 3), 0);
	assert_int_equal(merkle_check_consistency(5, 8, &known[5], &known[8], proof, 3), -EBADMSG);
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

static void swap(struct digest *a, struct digest *b)
{
	struct digest t = *a;

	*a = *b;
	*b = t;
}

static void no_inclusion(uint64_t i, uint64_t n, const struct digest *leaf,
			 const struct digest *proof, uint32_t n_proof, const struct digest *root)
{
	assert_int_equal(merkle_check_inclusion(i, n, leaf, proof, n_proof, root), -EBADMSG);
}

/* The broken twins of one good proof: leaf i in a tree of n. Of the other places and trees each time another seventh. */
static void break_inclusion(uint64_t i, uint64_t n, struct digest *proof, uint32_t n_proof)
{
	for (uint64_t other = (n + i) % 7; other < MAX; other += 7) {
		if (other == i)
			continue;
		no_inclusion(other, n, &leaves[i], proof, n_proof, &roots[n]);
		no_inclusion(i, n, &leaves[other], proof, n_proof, &roots[n]);
	}
	for (uint64_t other = 1 + (n + i) % 7; other <= MAX; other += 7)
		if (other != n)
			no_inclusion(i, n, &leaves[i], proof, n_proof, &roots[other]);
	proof[n_proof] = leaves[0];
	no_inclusion(i, n, &leaves[i], proof, n_proof + 1, &roots[n]);
	for (uint32_t k = 0; k < n_proof; k++) {
		no_inclusion(i, n, &leaves[i], proof, k, &roots[n]);
		proof[k].bytes[k] ^= 1;
		no_inclusion(i, n, &leaves[i], proof, n_proof, &roots[n]);
		proof[k].bytes[k] ^= 1;
		if (k == 0)
			continue;
		swap(&proof[k - 1], &proof[k]);
		no_inclusion(i, n, &leaves[i], proof, n_proof, &roots[n]);
		swap(&proof[k - 1], &proof[k]);
	}
}

static void test_inclusion(void **state)
{
	struct digest proof[MERKLE_MAX_LEVELS + 1];
	uint32_t n_proof;

	(void)state;
	for (uint64_t n = 1; n <= MAX; n++)
		for (uint64_t i = 0; i < n; i++) {
			assert_int_equal(merkle_prove_inclusion(i, n, get, NULL, proof, &n_proof),
					 0);
			assert_int_equal(
				merkle_check_inclusion(i, n, &leaves[i], proof, n_proof, &roots[n]),
				0);
			break_inclusion(i, n, proof, n_proof);
		}
}

static void no_consistency(uint64_t m, uint64_t n, const struct digest *old_root,
			   const struct digest *new_root, const struct digest *proof,
			   uint32_t n_proof)
{
	assert_int_equal(merkle_check_consistency(m, n, old_root, new_root, proof, n_proof),
			 -EBADMSG);
}

/* The broken twins of one good proof: the tree of n continues the tree of m, m < n. */
static void break_consistency(uint64_t m, uint64_t n, struct digest *proof, uint32_t n_proof)
{
	const struct digest *old = &roots[m], *new = &roots[n];

	for (uint64_t other = 1 + (n + m) % 7; other <= MAX; other += 7) {
		if (other != m)
			no_consistency(m, n, &roots[other], new, proof, n_proof);
		if (other != n)
			no_consistency(m, n, old, &roots[other], proof, n_proof);
	}
	proof[n_proof] = leaves[0];
	no_consistency(m, n, old, new, proof, n_proof + 1);
	for (uint32_t k = 0; k < n_proof; k++) {
		no_consistency(m, n, old, new, proof, k);
		proof[k].bytes[31 - k] ^= 4;
		no_consistency(m, n, old, new, proof, n_proof);
		proof[k].bytes[31 - k] ^= 4;
		if (k == 0)
			continue;
		swap(&proof[k - 1], &proof[k]);
		no_consistency(m, n, old, new, proof, n_proof);
		swap(&proof[k - 1], &proof[k]);
	}
}

static void test_consistency(void **state)
{
	struct digest proof[2 * MERKLE_MAX_LEVELS + 1];
	uint32_t n_proof;

	(void)state;
	for (uint64_t n = 1; n <= MAX; n++)
		for (uint64_t m = 1; m <= n; m++) {
			assert_int_equal(merkle_prove_consistency(m, n, get, NULL, proof, &n_proof),
					 0);
			assert_int_equal(merkle_check_consistency(m, n, &roots[m], &roots[n], proof,
								  n_proof),
					 0);
			if (m < n)
				break_consistency(m, n, proof, n_proof);
			else
				assert_int_equal(n_proof, 0);
		}
}

/* A good proof towards 6 leaves, said to be of a tree of 9 or more: the hashes agree, the size is a lie. */
static void test_size_lie(void **state)
{
	struct digest proof[2 * MERKLE_MAX_LEVELS];
	uint32_t n_proof;

	(void)state;
	assert_int_equal(merkle_prove_consistency(4, 6, get, NULL, proof, &n_proof), 0);
	assert_int_equal(n_proof, 1);
	for (uint64_t n = 9; n < 2000; n++)
		no_consistency(4, n, &roots[4], &roots[6], proof, n_proof);
	no_consistency(4, UINT64_MAX, &roots[4], &roots[6], proof, n_proof);
	assert_int_equal(merkle_prove_inclusion(0, 6, get, NULL, proof, &n_proof), 0);
	for (uint64_t n = 9; n < 2000; n++)
		no_inclusion(0, n, &leaves[0], proof, n_proof, &roots[6]);
	no_inclusion(0, UINT64_MAX, &leaves[0], proof, n_proof, &roots[6]);
}

static int refuse(void *ctx, uint32_t level, uint64_t index, struct digest *ret)
{
	(void)ctx;
	(void)level;
	(void)index;
	(void)ret;
	return -EIO;
}

/* Sizes that make no sense, proofs that are longer than any tree, and tiles that cannot be had. */
static void test_out_of_range(void **state)
{
	static struct digest proof[2 * MERKLE_MAX_LEVELS + 1];
	uint32_t n_proof = 99;

	(void)state;
	no_inclusion(0, 0, &leaves[0], proof, 0, &roots[1]);
	no_inclusion(1, 1, &leaves[0], proof, 0, &leaves[0]);
	no_inclusion(0, UINT64_MAX, &leaves[0], proof, MERKLE_MAX_LEVELS + 1, &roots[1]);
	no_consistency(0, 1, &roots[0], &roots[1], proof, 0);
	no_consistency(0, 0, &roots[0], &roots[0], proof, 0);
	no_consistency(2, 1, &roots[2], &roots[1], proof, 0);
	no_consistency(3, 3, &roots[3], &roots[2], proof, 0);
	no_consistency(3, 3, &roots[3], &roots[3], proof, 1);
	no_consistency(1, UINT64_MAX, &roots[1], &roots[2], proof, 2 * MERKLE_MAX_LEVELS + 1);
	assert_int_equal(merkle_prove_inclusion(1, 1, get, NULL, proof, &n_proof), -EINVAL);
	assert_int_equal(merkle_prove_inclusion(0, 0, get, NULL, proof, &n_proof), -EINVAL);
	assert_int_equal(merkle_prove_consistency(0, 1, get, NULL, proof, &n_proof), -EINVAL);
	assert_int_equal(merkle_prove_consistency(2, 1, get, NULL, proof, &n_proof), -EINVAL);
	assert_int_equal(merkle_prove_inclusion(3, 7, refuse, NULL, proof, &n_proof), -EIO);
	assert_int_equal(merkle_prove_consistency(3, 7, refuse, NULL, proof, &n_proof), -EIO);
	assert_int_equal(n_proof, 99);
}

/* 2^62 and a bit: this get() knows only equal leaves, so that each level has one hash. */
static int same(void *ctx, uint32_t level, uint64_t index, struct digest *ret)
{
	struct digest d = leaves[0];

	(void)ctx;
	(void)index;
	while (level-- > 0)
		assert_int_equal(merkle_node(&d, &d, &d), 0);
	*ret = d;
	return 0;
}

static void test_huge(void **state)
{
	const uint64_t n = (1ull << 62) + 12345, m = (1ull << 61) + 77;
	struct digest proof[2 * MERKLE_MAX_LEVELS], old_root, new_root;
	struct merkle t = {0};
	uint32_t n_proof;

	(void)state;
	for (uint32_t which = 0; which < 2; which++) {
		t = (struct merkle){.size = which ? n : m};
		for (uint32_t bit = 63; bit-- > 0;)
			if (t.size >> bit & 1)
				same(NULL, bit, 0, &t.hashes[t.n_hashes++]);
		assert_int_equal(merkle_root(&t, which ? &new_root : &old_root), 0);
	}
	assert_int_equal(merkle_prove_inclusion(n - 2, n, same, NULL, proof, &n_proof), 0);
	assert_int_equal(merkle_check_inclusion(n - 2, n, &leaves[0], proof, n_proof, &new_root),
			 0);
	assert_int_equal(merkle_prove_inclusion(5, n, same, NULL, proof, &n_proof), 0);
	assert_int_equal(n_proof, 63);
	assert_int_equal(merkle_check_inclusion(5, n, &leaves[0], proof, n_proof, &new_root), 0);
	assert_int_equal(merkle_prove_consistency(m, n, same, NULL, proof, &n_proof), 0);
	assert_int_equal(merkle_check_consistency(m, n, &old_root, &new_root, proof, n_proof), 0);
	t.size = (uint64_t)INT64_MAX;
	assert_int_equal(merkle_add(&t, &leaves[0]), -ERANGE);
}

/* What a leaf completes on its way up: the root of each tile, as a tree of the tile's hashes alone has it. */
static void test_join(void **state)
{
	struct merkle whole, tile[2];
	uint32_t n_tiles[2] = {0, 0};

	(void)state;
	merkle_init(&whole);
	merkle_init(&tile[0]);
	merkle_init(&tile[1]);
	for (uint32_t i = 0; i < 65536 + 300; i++) {
		struct digest hash, root;
		struct merkle_join j;

		assert_int_equal(merkle_leaf(&i, sizeof(i), &hash), 0);
		assert_int_equal(merkle_join(&whole, &hash, &j), 0);
		assert_int_equal(whole.size, i);
		merkle_take(&whole, &j);
		for (uint32_t level = 0; level < 2; level++) {
			assert_int_equal(merkle_add(&tile[level], &hash), 0);
			if (tile[level].size < 256)
				break;
			assert_true(j.n >= (level + 1) * MERKLE_TILE_HEIGHT);
			assert_int_equal(merkle_root(&tile[level], &root), 0);
			assert_true(digest_equal(&root, &j.tiles[level]));
			hash = root;
			n_tiles[level]++;
			merkle_init(&tile[level]);
		}
	}
	assert_int_equal(n_tiles[0], 257);
	assert_int_equal(n_tiles[1], 1);
}

static void test_frontier(void **state)
{
	struct merkle m, again;
	struct digest d;

	(void)state;
	merkle_init(&m);
	for (uint64_t i = 0; i < 23; i++)
		assert_int_equal(merkle_add(&m, &leaves[i]), 0);
	assert_int_equal(merkle_from_frontier(m.size, m.hashes, m.n_hashes, &again), 0);
	assert_memory_equal(again.hashes, m.hashes, m.n_hashes * sizeof(struct digest));
	assert_int_not_equal(merkle_from_frontier(m.size + 1, m.hashes, m.n_hashes, &again), 0);
	assert_int_not_equal(merkle_from_frontier(m.size, m.hashes, m.n_hashes - 1, &again), 0);
	assert_int_not_equal(merkle_from_frontier(UINT64_MAX, m.hashes, 64, &again), 0);
	/* It goes on as the whole tree would; and there is an empty one. */
	for (uint64_t i = 23; i < MAX; i++)
		assert_int_equal(merkle_add(&again, &leaves[i]), 0);
	assert_int_equal(merkle_root(&again, &d), 0);
	assert_true(digest_equal(&d, &roots[MAX]));
	assert_int_equal(merkle_from_frontier(0, NULL, 0, &again), 0);
	assert_int_equal(merkle_root(&again, &d), 0);
	assert_true(digest_equal(&d, &roots[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),	     cmocka_unit_test(test_known_proofs),
		cmocka_unit_test(test_roots),	     cmocka_unit_test(test_inclusion),
		cmocka_unit_test(test_consistency),  cmocka_unit_test(test_size_lie),
		cmocka_unit_test(test_out_of_range), cmocka_unit_test(test_huge),
		cmocka_unit_test(test_frontier),     cmocka_unit_test(test_join),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
