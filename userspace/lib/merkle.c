/* SPDX-License-Identifier: Apache-2.0 */
#include "merkle.h"

#include <errno.h>
#include <string.h>

void merkle_init(struct merkle *m)
{
	m->size = 0;
	m->n_hashes = 0;
}

int merkle_leaf(const void *line, size_t size, struct digest *ret)
{
	const struct buf_view parts[] = {{(const uint8_t *)"\x00", 1}, {line, size}};

	return digest_sha256_parts(parts, 2, ret);
}

int merkle_node(const struct digest *left, const struct digest *right, struct digest *ret)
{
	uint8_t node[1 + 2 * DIGEST_SIZE] = {0x01};

	memcpy(node + 1, left->bytes, DIGEST_SIZE);
	memcpy(node + 1 + DIGEST_SIZE, right->bytes, DIGEST_SIZE);
	return digest_sha256(node, sizeof(node), ret);
}

int merkle_join(const struct merkle *m, const struct digest *leaf, struct merkle_join *ret)
{
	if (m->size >= (uint64_t)INT64_MAX)
		return -ERANGE;
	ret->top = *leaf;
	ret->n = 0;
	/* As many complete subtrees join as the old size ends in one-bits. */
	for (uint64_t s = m->size; s & 1; s >>= 1) {
		int r = merkle_node(&m->hashes[m->n_hashes - 1 - ret->n], &ret->top, &ret->top);

		if (r < 0)
			return r;
		ret->n++;
		if (ret->n % MERKLE_TILE_HEIGHT == 0)
			ret->tiles[ret->n / MERKLE_TILE_HEIGHT - 1] = ret->top;
	}
	return 0;
}

void merkle_take(struct merkle *m, const struct merkle_join *j)
{
	m->n_hashes -= j->n;
	m->hashes[m->n_hashes++] = j->top;
	m->size++;
}

int merkle_add(struct merkle *m, const struct digest *leaf)
{
	struct merkle_join j;
	int r = merkle_join(m, leaf, &j);

	if (r >= 0)
		merkle_take(m, &j);
	return r;
}

int merkle_root(const struct merkle *m, struct digest *ret)
{
	struct digest d;

	if (m->n_hashes == 0)
		return digest_sha256("", 0, ret);
	d = m->hashes[m->n_hashes - 1];
	for (uint32_t i = m->n_hashes - 1; i-- > 0;) {
		int r = merkle_node(&m->hashes[i], &d, &d);

		if (r < 0)
			return r;
	}
	*ret = d;
	return 0;
}

int merkle_from_frontier(uint64_t size, const struct digest *hashes, uint32_t n_hashes,
			 struct merkle *ret)
{
	if (size > (uint64_t)INT64_MAX || n_hashes != (uint32_t)__builtin_popcountll(size))
		return -EBADMSG;
	ret->size = size;
	ret->n_hashes = n_hashes;
	for (uint32_t i = 0; i < n_hashes; i++)
		ret->hashes[i] = hashes[i];
	return 0;
}

/* RFC 9162, 2.1.3.2. */
int merkle_check_inclusion(uint64_t index, uint64_t size, const struct digest *leaf,
			   const struct digest *proof, uint32_t n_proof, const struct digest *root)
{
	uint64_t fn = index, sn = size - 1;
	struct digest d = *leaf;

	if (index >= size || n_proof > MERKLE_MAX_LEVELS)
		return -EBADMSG;
	for (uint32_t i = 0; i < n_proof; i++) {
		int r;

		if (sn == 0)
			return -EBADMSG;
		if ((fn & 1) || fn == sn) {
			r = merkle_node(&proof[i], &d, &d);
			while (!(fn & 1) && fn != 0) {
				fn >>= 1;
				sn >>= 1;
			}
		} else {
			r = merkle_node(&d, &proof[i], &d);
		}
		if (r < 0)
			return r;
		fn >>= 1;
		sn >>= 1;
	}
	return sn == 0 && digest_equal(&d, root) ? 0 : -EBADMSG;
}

/* RFC 9162, 2.1.4.2. */
int merkle_check_consistency(uint64_t old_size, uint64_t new_size, const struct digest *old_root,
			     const struct digest *new_root, const struct digest *proof,
			     uint32_t n_proof)
{
	uint64_t fn = old_size - 1, sn = new_size - 1;
	struct digest fr, sr;
	uint32_t i = 0;

	if (old_size == 0 || old_size > new_size || n_proof > 2 * MERKLE_MAX_LEVELS)
		return -EBADMSG;
	if (old_size == new_size)
		return n_proof == 0 && digest_equal(old_root, new_root) ? 0 : -EBADMSG;
	while (fn & 1) {
		fn >>= 1;
		sn >>= 1;
	}
	if ((old_size & (old_size - 1)) == 0) {
		fr = *old_root;
	} else {
		if (n_proof == 0)
			return -EBADMSG;
		fr = proof[i++];
	}
	sr = fr;
	for (; i < n_proof; i++) {
		int r;

		if (sn == 0)
			return -EBADMSG;
		if ((fn & 1) || fn == sn) {
			r = merkle_node(&proof[i], &fr, &fr);
			if (r >= 0)
				r = merkle_node(&proof[i], &sr, &sr);
			while (!(fn & 1) && fn != 0) {
				fn >>= 1;
				sn >>= 1;
			}
		} else {
			r = merkle_node(&sr, &proof[i], &sr);
		}
		if (r < 0)
			return r;
		fn >>= 1;
		sn >>= 1;
	}
	return sn == 0 && digest_equal(&fr, old_root) && digest_equal(&sr, new_root) ? 0 : -EBADMSG;
}

/* Root of leaves [from, from + size): from is a multiple of the largest power of two below size, as RFC 6962 splits. */
static int range_root(uint64_t from, uint64_t size, merkle_get_fn get, void *ctx,
		      struct digest *ret)
{
	struct merkle m = {.size = size};

	for (int bit = 63; bit >= 0; bit--) {
		uint64_t part = 1ull << bit;
		int r;

		if (!(size & part))
			continue;
		r = get(ctx, (uint32_t)bit, from >> bit, &m.hashes[m.n_hashes]);
		if (r < 0)
			return r;
		m.n_hashes++;
		from += part;
	}
	return merkle_root(&m, ret);
}

static uint64_t split(uint64_t size)
{
	return 1ull << (63 - __builtin_clzll(size - 1));
}

int merkle_prove_inclusion(uint64_t index, uint64_t size, merkle_get_fn get, void *ctx,
			   struct digest *ret_proof, uint32_t *ret_n)
{
	struct digest path[MERKLE_MAX_LEVELS];
	uint64_t from = 0;
	uint32_t n = 0;

	if (index >= size || size > (uint64_t)INT64_MAX)
		return -EINVAL;
	while (size > 1) {
		uint64_t k = split(size);
		int r;

		if (index - from < k) {
			r = range_root(from + k, size - k, get, ctx, &path[n++]);
			size = k;
		} else {
			r = range_root(from, k, get, ctx, &path[n++]);
			from += k;
			size -= k;
		}
		if (r < 0)
			return r;
	}
	for (uint32_t i = 0; i < n; i++)
		ret_proof[i] = path[n - 1 - i];
	*ret_n = n;
	return 0;
}

int merkle_prove_consistency(uint64_t old_size, uint64_t new_size, merkle_get_fn get, void *ctx,
			     struct digest *ret_proof, uint32_t *ret_n)
{
	struct digest path[2 * MERKLE_MAX_LEVELS];
	uint64_t from = 0, m = old_size, size = new_size;
	bool whole = true;
	uint32_t n = 0;
	int r = 0;

	if (old_size == 0 || old_size > new_size || new_size > (uint64_t)INT64_MAX)
		return -EINVAL;
	while (m != size && r >= 0) {
		uint64_t k = split(size);

		if (m <= k) {
			r = range_root(from + k, size - k, get, ctx, &path[n++]);
			size = k;
		} else {
			r = range_root(from, k, get, ctx, &path[n++]);
			from += k;
			m -= k;
			size -= k;
			whole = false;
		}
	}
	if (r >= 0 && !whole)
		r = range_root(from, size, get, ctx, &path[n++]);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < n; i++)
		ret_proof[i] = path[n - 1 - i];
	*ret_n = n;
	return 0;
}
