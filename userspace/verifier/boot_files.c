/* SPDX-License-Identifier: Apache-2.0 */
#include "boot_files.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"

#define INDEX "boot_index"
#define FILES "boot_files"
#define NAME 192

/* Of the index: what, size, digest; oldest first. */
struct entry {
	uint8_t what;
	uint32_t size;
	struct digest digest;
};

struct list {
	const struct store *store;
	const char *node;
	uint64_t incarnation;
	struct entry entries[2 * BOOT_FILES_MAX + 1];
	uint32_t n;
};

static void index_name(const struct list *l, char ret[NAME])
{
	snprintf(ret, NAME, "%s/%" PRIu64, l->node, l->incarnation);
}

static void file_name(const struct list *l, const struct entry *e, char ret[NAME])
{
	char hex[DIGEST_HEX_SIZE];

	digest_hex(&e->digest, hex);
	snprintf(ret, NAME, "%s/%" PRIu64 "/%u/%s", l->node, l->incarnation, e->what, hex);
}

static int load(struct list *l)
{
	CLEANUP(buf_done) struct buf b = {0};
	char name[NAME];
	int r;

	index_name(l, name);
	r = l->store->ops->blob_get(l->store->ctx, INDEX, name, &b);
	if (r == -ENOENT)
		return 0;
	if (r >= 0) {
		struct buf_reader in = buf_reader_of(b.data, b.size);

		while (r >= 0 && buf_left(&in) > 0) {
			struct entry *e = &l->entries[l->n];
			struct buf_view d;

			if (l->n == 2 * BOOT_FILES_MAX || buf_read_u8(&in, &e->what) < 0 ||
			    buf_read_u32be(&in, &e->size) < 0 ||
			    buf_read_bytes(&in, DIGEST_SIZE, &d) < 0)
				return -EIO;
			memcpy(e->digest.bytes, d.data, DIGEST_SIZE);
			l->n++;
		}
	}
	return r < 0 ? r : 0;
}

static int save(const struct list *l)
{
	CLEANUP(buf_done) struct buf b = {0};
	char name[NAME];

	index_name(l, name);
	for (uint32_t i = 0; i < l->n; i++) {
		buf_put_u8(&b, l->entries[i].what);
		buf_put_u32be(&b, l->entries[i].size);
		buf_put(&b, l->entries[i].digest.bytes, DIGEST_SIZE);
	}
	return buf_status(&b) < 0
		       ? buf_status(&b)
		       : l->store->ops->blob_put(l->store->ctx, INDEX, name, b.data, b.size);
}

static bool is_too_much(const struct list *l, uint8_t what)
{
	uint64_t bytes = 0;
	uint32_t n = 0;

	for (uint32_t i = 0; i < l->n; i++) {
		if (l->entries[i].what != what)
			continue;
		bytes += l->entries[i].size;
		n++;
	}
	return n > BOOT_FILES_MAX || bytes > BOOT_FILES_MAX_BYTES;
}

/* The newest alone is never too much. */
static int drop_oldest(struct list *l, uint8_t what)
{
	char name[NAME];
	uint32_t i;
	int r = 0;

	while (r >= 0 && is_too_much(l, what)) {
		for (i = 0; l->entries[i].what != what; i++)
			;
		file_name(l, &l->entries[i], name);
		r = l->store->ops->blob_remove(l->store->ctx, FILES, name);
		if (r == -ENOENT)
			r = 0;
		memmove(l->entries + i, l->entries + i + 1, (--l->n - i) * sizeof(l->entries[0]));
	}
	return r;
}

int boot_files_keep(const struct store *s, const char *node, uint64_t incarnation,
		    enum boot_file what, const void *data, size_t size)
{
	struct list l = {.store = s, .node = node, .incarnation = incarnation};
	struct entry *e;
	char name[NAME];
	int r;

	if (size == 0 || size > BOOT_FILES_MAX_BYTES)
		return -EINVAL;
	r = load(&l);
	if (r < 0)
		return r;
	e = &l.entries[l.n];
	*e = (struct entry){.what = (uint8_t)what, .size = (uint32_t)size};
	r = digest_sha256(data, size, &e->digest);
	for (uint32_t i = 0; i < l.n && r >= 0; i++)
		if (l.entries[i].what == e->what && digest_equal(&l.entries[i].digest, &e->digest))
			return 0;
	if (r < 0)
		return r;
	file_name(&l, e, name);
	l.n++;
	r = s->ops->blob_put(s->ctx, FILES, name, data, size);
	if (r >= 0)
		r = drop_oldest(&l, (uint8_t)what);
	return r < 0 ? r : save(&l);
}

int boot_files_each(const struct store *s, const char *node, uint64_t incarnation,
		    int (*fn)(void *ctx, enum boot_file what, const void *data, size_t size),
		    void *ctx)
{
	struct list l = {.store = s, .node = node, .incarnation = incarnation};
	int r = load(&l);

	for (uint32_t i = 0; i < l.n && r == 0; i++) {
		CLEANUP(buf_done) struct buf b = {0};
		char name[NAME];

		file_name(&l, &l.entries[i], name);
		r = s->ops->blob_get(s->ctx, FILES, name, &b);
		if (r == -ENOENT)
			r = -EIO;
		if (r >= 0)
			r = fn(ctx, (enum boot_file)l.entries[i].what, b.data, b.size);
	}
	return r;
}
