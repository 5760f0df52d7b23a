/* SPDX-License-Identifier: Apache-2.0 */
#include "bolt_maker.h"

#include <stdlib.h>
#include <string.h>

static void put16(struct buf *b, uint16_t v)
{
	buf_put(b, &v, sizeof(v));
}

static void put32(struct buf *b, uint32_t v)
{
	buf_put(b, &v, sizeof(v));
}

static void put64(struct buf *b, uint64_t v)
{
	buf_put(b, &v, sizeof(v));
}

static void header(struct buf *b, uint64_t id, uint16_t flags, size_t count, uint32_t overflow)
{
	put64(b, id);
	put16(b, flags);
	put16(b, (uint16_t)count);
	put32(b, overflow);
}

static void leaf(const struct bolt_maker_item *items, size_t n, uint64_t id, uint32_t overflow,
		 struct buf *ret)
{
	struct buf data = {0};

	header(ret, id, 2, n, overflow);
	for (size_t i = 0; i < n; i++) {
		struct buf value = {0};

		if (items[i].text) {
			buf_puts(&value, items[i].text);
		} else {
			put64(&value, 0);
			put64(&value, 0);
			leaf(items[i].bucket, items[i].n, 0, 0, &value);
		}
		put32(ret, items[i].text ? 0 : 1);
		put32(ret, (uint32_t)((n - i) * 16 + data.size));
		put32(ret, (uint32_t)strlen(items[i].key));
		put32(ret, (uint32_t)value.size);
		buf_puts(&data, items[i].key);
		buf_put(&data, value.data, value.size);
		buf_done(&value);
	}
	buf_put(ret, data.data, data.size);
	buf_done(&data);
}

static void fill(struct buf *b)
{
	static const uint8_t zeros[BOLT_MAKER_PAGE];

	if (b->size % BOLT_MAKER_PAGE)
		buf_put(b, zeros, BOLT_MAKER_PAGE - b->size % BOLT_MAKER_PAGE);
}

static void put_leaf(const struct bolt_maker_item *items, size_t n, uint64_t id, struct buf *ret)
{
	struct buf once = {0};
	uint32_t overflow;

	leaf(items, n, id, 0, &once);
	overflow = (uint32_t)((once.size - 1) / BOLT_MAKER_PAGE);
	buf_done(&once);
	leaf(items, n, id, overflow, ret);
	fill(ret);
}

static void branch(const struct bolt_maker_item *items, size_t n, size_t per_leaf,
		   const uint64_t *ids, struct buf *ret)
{
	size_t n_leaves = (n + per_leaf - 1) / per_leaf, at = n_leaves * 16;

	header(ret, 3, 1, n_leaves, 0);
	for (size_t i = 0; i < n_leaves; i++) {
		const char *key = items[i * per_leaf].key;

		put32(ret, (uint32_t)(at - i * 16));
		put32(ret, (uint32_t)strlen(key));
		put64(ret, ids[i]);
		at += strlen(key);
	}
	for (size_t i = 0; i < n_leaves; i++)
		buf_puts(ret, items[i * per_leaf].key);
	fill(ret);
}

void bolt_maker_meta(uint8_t *page, uint64_t root, uint64_t n_pages, uint64_t transaction)
{
	struct buf b = {0};
	uint64_t sum = 0xcbf29ce484222325ull;

	header(&b, transaction % 2, 4, 0, 0);
	put32(&b, 0xED0CDAED);
	put32(&b, 2);
	put32(&b, BOLT_MAKER_PAGE);
	put32(&b, 0);
	put64(&b, root);
	put64(&b, 0);
	put64(&b, 2);
	put64(&b, n_pages);
	put64(&b, transaction);
	for (size_t i = 16; i < b.size; i++)
		sum = (sum ^ b.data[i]) * 0x100000001b3ull;
	put64(&b, sum);
	memcpy(page, b.data, b.size);
	buf_done(&b);
}

void bolt_maker_file(const struct bolt_maker_item *items, size_t n, size_t per_leaf,
		     struct buf *ret)
{
	uint8_t metas[2 * BOLT_MAKER_PAGE] = {0};
	struct buf leaves = {0}, top = {0};
	uint64_t *ids = calloc(n + 1, sizeof(*ids));

	if (!ids)
		abort();
	if (n <= per_leaf) {
		put_leaf(items, n, 3, &top);
	} else {
		for (size_t i = 0; i * per_leaf < n; i++) {
			size_t left = n - i * per_leaf;

			ids[i] = 4 + leaves.size / BOLT_MAKER_PAGE;
			put_leaf(items + i * per_leaf, left < per_leaf ? left : per_leaf, ids[i],
				 &leaves);
		}
		branch(items, n, per_leaf, ids, &top);
	}
	bolt_maker_meta(metas, 3, 3 + (top.size + leaves.size) / BOLT_MAKER_PAGE, 6);
	bolt_maker_meta(metas + BOLT_MAKER_PAGE, 3, 3 + (top.size + leaves.size) / BOLT_MAKER_PAGE,
			7);
	buf_put(ret, metas, sizeof(metas));
	header(ret, 2, 16, 0, 0);
	fill(ret);
	buf_put(ret, top.data, top.size);
	buf_put(ret, leaves.data, leaves.size);
	buf_done(&leaves);
	buf_done(&top);
	free(ids);
}
