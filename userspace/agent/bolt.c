/* SPDX-License-Identifier: Apache-2.0 */
#include "bolt.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * A page: id u64, flags u16, count u16, overflow u32; then count elements. Branch: pos u32, key size u32, page u64. Leaf: flags u32, pos u32,
 * key size u32, value size u32. pos counts from the element itself. A bucket's value: root page u64, sequence u64; with root 0 its one page
 * follows. Meta pages are the first two; the valid one with the higher transaction counts. All in the machine's byte order.
 */
#define HEADER 16u
#define ELEMENT 16u
#define FLAG_BRANCH 1u
#define FLAG_LEAF 2u
#define FLAG_META 4u
#define MAGIC 0xED0CDAEDu
#define META_SIZE \
	64u /* magic, version, page size, flags u32; root, sequence, freelist, pages, transaction, checksum u64 */
#define MAX_PAGE (4u << 20)
#define MAX_DEPTH 32u
#define TRIES 4u

struct meta {
	uint32_t page_size;
	uint64_t root, n_pages, transaction;
};

struct bolt {
	int fd;
	struct meta meta;
	uint8_t *page; /* MAX_PAGE */
};

/* Of the page that is looked at. */
struct page {
	const uint8_t *data;
	size_t size;
	uint16_t flags, count;
};

static uint16_t u16_at(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint32_t u32_at(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint64_t u64_at(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* 0 or -EBADMSG: beyond the end is as bad as not there. */
static int read_at(const struct bolt *b, void *ret, size_t size, uint64_t at)
{
	size_t n = 0;

	if (at > INT64_MAX - size)
		return -EBADMSG;
	while (n < size) {
		ssize_t got = pread(b->fd, (char *)ret + n, size - n, (off_t)(at + n));

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -errno : -EBADMSG;
		n += (size_t)got;
	}
	return 0;
}

static int read_meta(const struct bolt *b, uint64_t at, struct meta *ret)
{
	uint8_t raw[HEADER + META_SIZE];
	const uint8_t *m = raw + HEADER;
	uint64_t sum = 0xcbf29ce484222325ull;
	int r = read_at(b, raw, sizeof(raw), at);

	if (r < 0)
		return r;
	for (size_t i = 0; i < META_SIZE - 8; i++)
		sum = (sum ^ m[i]) * 0x100000001b3ull;
	if (u32_at(m) != MAGIC || u32_at(m + 4) != 2 || u64_at(m + 56) != sum)
		return -EBADMSG;
	*ret = (struct meta){u32_at(m + 8), u64_at(m + 16), u64_at(m + 40), u64_at(m + 48)};
	return ret->page_size >= 1024 && ret->page_size <= 65536 &&
			       (ret->page_size & (ret->page_size - 1)) == 0
		       ? 0
		       : -EBADMSG;
}

/* The second meta page's place follows from the page size, which the first one says; should that be torn, the usual ones are tried. */
static int newest_meta(const struct bolt *b, struct meta *ret)
{
	static const uint32_t sizes[] = {4096, 16384, 65536, 8192};
	struct meta first, second;
	bool have = read_meta(b, 0, &first) == 0, found = false;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]) && !found; i++)
		found = read_meta(b, have ? first.page_size : sizes[i], &second) == 0;
	if (!have && !found)
		return -EBADMSG;
	*ret = have && (!found || first.transaction > second.transaction) ? first : second;
	return 0;
}

static int check_page(const uint8_t *data, size_t size, struct page *ret)
{
	if (size < HEADER)
		return -EBADMSG;
	*ret = (struct page){data, size, u16_at(data + 8), u16_at(data + 10)};
	if (ret->flags != FLAG_BRANCH && ret->flags != FLAG_LEAF)
		return -EBADMSG;
	return HEADER + (size_t)ret->count * ELEMENT <= size ? 0 : -EBADMSG;
}

static int read_page(struct bolt *b, uint64_t id, struct page *ret)
{
	uint64_t size = b->meta.page_size;
	int r;

	if (id < 2 || id >= b->meta.n_pages || id > INT64_MAX / size)
		return -EBADMSG;
	r = read_at(b, b->page, size, id * size);
	if (r < 0)
		return r;
	if (u64_at(b->page) != id)
		return -EBADMSG;
	size += u32_at(b->page + 12) * size;
	if (size > MAX_PAGE)
		return -EBADMSG;
	r = read_at(b, b->page, size, id * b->meta.page_size);
	return r < 0 ? r : check_page(b->page, size, ret);
}

/* A part of a page, by where it begins from one of its elements. NULL: it is not in the page. */
static const uint8_t *part(const struct page *p, size_t element, uint64_t pos, uint64_t size)
{
	uint64_t at = HEADER + element * ELEMENT + pos;

	return at <= p->size && size <= p->size - at ? p->data + at : NULL;
}

static int compare(const uint8_t *key, size_t size, const char *wanted)
{
	size_t n = strlen(wanted);
	int c = memcmp(key, wanted, size < n ? size : n);

	return c ? c : (size > n) - (size < n);
}

/* The page below that would hold the key: the last one that does not begin behind it. */
static int descend(const struct page *p, const char *wanted, uint64_t *ret)
{
	bool found = false;

	for (size_t i = 0; i < p->count; i++) {
		const uint8_t *e = p->data + HEADER + i * ELEMENT;
		const uint8_t *key = part(p, i, u32_at(e), u32_at(e + 4));

		if (!key)
			return -EBADMSG;
		if (found && compare(key, u32_at(e + 4), wanted) > 0)
			break;
		*ret = u64_at(e + 8);
		found = true;
	}
	return found ? 0 : -EBADMSG;
}

static int find_in_leaf(const struct page *p, const char *wanted, bool bucket, struct buf *ret)
{
	for (size_t i = 0; i < p->count; i++) {
		const uint8_t *e = p->data + HEADER + i * ELEMENT;
		uint32_t key_size = u32_at(e + 8), size = u32_at(e + 12);
		const uint8_t *key = part(p, i, u32_at(e + 4), (uint64_t)key_size + size);

		if (!key)
			return -EBADMSG;
		if (compare(key, key_size, wanted) != 0)
			continue;
		if ((u32_at(e) & 1) != bucket)
			return -ENOENT;
		if (size > BOLT_MAX_VALUE)
			return -EFBIG;
		buf_put(ret, key + key_size, size);
		return buf_status(ret);
	}
	return -ENOENT;
}

/* bucket: the value is to be one. in: the bucket that is looked in: its value. */
static int find(struct bolt *b, const struct buf *in, const char *key, bool bucket, struct buf *ret)
{
	uint64_t id;
	struct page p;
	int r;

	if (in->size < 16)
		return -EBADMSG;
	id = u64_at(in->data);
	r = id == 0 ? check_page(in->data + 16, in->size - 16, &p) : read_page(b, id, &p);
	for (uint32_t i = 0; r >= 0 && p.flags == FLAG_BRANCH; i++) {
		if (i == MAX_DEPTH)
			return -EBADMSG;
		r = descend(&p, key, &id);
		if (r >= 0)
			r = read_page(b, id, &p);
	}
	return r < 0 ? r : find_in_leaf(&p, key, bucket, ret);
}

static int get(struct bolt *b, const char *const *keys, uint32_t n, struct buf *ret)
{
	struct buf in = {0};
	uint8_t root[16] = {0};
	int r = 0;

	memcpy(root, &b->meta.root, sizeof(b->meta.root));
	buf_put(&in, root, sizeof(root));
	r = buf_status(&in);
	for (uint32_t i = 0; i < n && r >= 0; i++) {
		struct buf value = {0};

		r = find(b, &in, keys[i], i + 1 < n, &value);
		buf_done(&in);
		in = value;
	}
	if (r >= 0) {
		buf_put(ret, in.data, in.size);
		r = buf_status(ret);
	}
	buf_done(&in);
	return r;
}

int bolt_open(int fd, struct bolt **ret)
{
	struct bolt *b = calloc(1, sizeof(*b));
	int r = b ? 0 : -ENOMEM;

	if (b) {
		b->fd = fd;
		b->page = malloc(MAX_PAGE);
		r = b->page ? newest_meta(b, &b->meta) : -ENOMEM;
	}
	if (r < 0)
		bolt_free(b);
	else
		*ret = b;
	return r;
}

struct bolt *bolt_free(struct bolt *b)
{
	if (!b)
		return NULL;
	free(b->page);
	free(b);
	return NULL;
}

/*
 * What a transaction reaches stays as it is while the next one is written; pages that the next one let go may be written by the one after
 * it. So what was found counts when no more than one was committed meanwhile.
 */
int bolt_get(struct bolt *b, const char *const *keys, uint32_t n, struct buf *ret)
{
	for (uint32_t i = 0; i < TRIES; i++) {
		struct buf value = {0};
		struct meta after;
		int found, r = newest_meta(b, &b->meta);

		if (n == 0 || n > BOLT_MAX_KEYS)
			return -EINVAL;
		if (r < 0)
			return r;
		found = get(b, keys, n, &value);
		r = newest_meta(b, &after);
		if (r >= 0 && after.transaction <= b->meta.transaction + 1) {
			if (found >= 0)
				buf_put(ret, value.data, value.size);
			buf_done(&value);
			return found < 0 ? found : buf_status(ret);
		}
		buf_done(&value);
	}
	return -EAGAIN;
}
