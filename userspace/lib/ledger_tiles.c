/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger_tiles.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "merkle.h"

_Static_assert(LEDGER_TILES_WIDTH == 1 << MERKLE_TILE_HEIGHT, "a tile is a subtree of its height");

struct tile {
	uint64_t index;
	uint32_t n; /* hashes so far */
	uint32_t written; /* of them in the file */
	bool begun; /* the file ends there: nothing older is behind them */
	struct digest hashes[LEDGER_TILES_WIDTH];
};

/* A tile that is complete and waits for its file. */
struct full {
	struct full *next;
	uint32_t level;
	struct tile tile;
};

struct ledger_tiles {
	const struct fsio *io;
	char dir[PATH_MAX - 64];
	struct tile level[LEDGER_TILES_LEVELS];
	struct full *first, **end;
	uint32_t n_waiting;
};

static int tile_path(const char *dir, uint32_t level, uint64_t index, char ret[PATH_MAX])
{
	int n = snprintf(ret, PATH_MAX, "%s/tiles/%u/%012" PRIu64, dir, level, index);

	return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* Up to n hashes; ret_n says how many the file has. No file: none. */
static int read_some(const struct fsio *io, const char *dir, uint32_t level, uint64_t index,
		     uint32_t from, uint32_t n, struct digest *ret, uint32_t *ret_n)
{
	char path[PATH_MAX];
	size_t size = 0;
	int fd, r = tile_path(dir, level, index, path);

	if (r < 0)
		return r;
	*ret_n = 0;
	fd = fsio_open_plain(io, path);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	r = fsio_read_full(io, fd, ret, n * sizeof(*ret), (uint64_t)from * DIGEST_SIZE, &size);
	fsio_close(io, fd);
	*ret_n = (uint32_t)(size / sizeof(*ret));
	return r;
}

static int read_hashes(const struct fsio *io, const char *dir, uint32_t level, uint64_t index,
		       uint32_t from, uint32_t n, struct digest *ret)
{
	uint32_t found;
	int r = read_some(io, dir, level, index, from, n, ret, &found);

	return r < 0 ? r : found == n ? 0 : -ENODATA;
}

/* Root of n hashes, n a power of two; destroys them. */
static int fold(struct digest *h, uint32_t n)
{
	for (; n > 1; n /= 2)
		for (uint32_t i = 0; i < n / 2; i++) {
			int r = merkle_node(&h[2 * i], &h[2 * i + 1], &h[i]);

			if (r < 0)
				return r;
		}
	return 0;
}

static int open_tile(struct ledger_tiles *t, uint32_t level, const char *path)
{
	int fd = fsio_open(t->io, path, O_WRONLY | O_CREAT, 0600), r;
	char dir[PATH_MAX];

	if (fd != -ENOENT)
		return fd;
	snprintf(dir, sizeof(dir), "%s/tiles/%u", t->dir, level);
	r = fsio_mkdir_all(t->io, dir, 0700);
	return r < 0 ? r : fsio_open(t->io, path, O_WRONLY | O_CREAT, 0600);
}

/*
 * A power cut may have left zeros behind what was synced: written into those, and cut off in the middle, a hash would be half a hash and look
 * like a line that was changed. So what stands is gone on from, and what is behind it goes first.
 */
static int begin_tile(struct ledger_tiles *t, uint32_t level, struct tile *e, int fd)
{
	struct digest h[LEDGER_TILES_WIDTH];
	uint32_t found, same = 0;
	int r = read_some(t->io, t->dir, level, e->index, e->written, e->n - e->written, h, &found);

	while (r >= 0 && same < found && digest_equal(&h[same], &e->hashes[e->written + same]))
		same++;
	if (r >= 0)
		r = fsio_truncate(t->io, fd, (uint64_t)(e->written + same) * DIGEST_SIZE);
	if (r < 0)
		return r;
	e->written += same;
	e->begun = true;
	return 0;
}

static int write_tile(struct ledger_tiles *t, uint32_t level, struct tile *e)
{
	char path[PATH_MAX];
	int fd, r;

	if (e->written == e->n)
		return 0;
	r = tile_path(t->dir, level, e->index, path);
	if (r < 0)
		return r;
	fd = open_tile(t, level, path);
	if (fd < 0)
		return fd;
	r = e->begun ? 0 : begin_tile(t, level, e, fd);
	if (r >= 0 && e->written < e->n)
		r = fsio_write_all(t->io, fd, e->hashes + e->written,
				   (e->n - e->written) * sizeof(*e->hashes),
				   (uint64_t)e->written * DIGEST_SIZE);
	fsio_close(t->io, fd);
	if (r >= 0)
		e->written = e->n;
	return r;
}

/* Recovery adds all lines again: what stands in the file already is not written again. */
static bool stands(struct ledger_tiles *t, const struct full *f)
{
	struct digest h[LEDGER_TILES_WIDTH];

	return f->tile.written == 0 &&
	       read_hashes(t->io, t->dir, f->level, f->tile.index, 0, LEDGER_TILES_WIDTH, h) == 0 &&
	       memcmp(h, f->tile.hashes, sizeof(h)) == 0;
}

int ledger_tiles_open(const struct fsio *io, const char *dir, uint64_t size,
		      struct ledger_tiles **ret)
{
	struct ledger_tiles *t = calloc(1, sizeof(*t));
	uint64_t n = size;
	int r = 0;

	if (!t)
		return -ENOMEM;
	t->io = io;
	t->end = &t->first;
	snprintf(t->dir, sizeof(t->dir), "%s", dir);
	for (uint32_t level = 0; level < LEDGER_TILES_LEVELS && r >= 0;
	     level++, n /= LEDGER_TILES_WIDTH) {
		struct tile *e = &t->level[level];

		e->index = n / LEDGER_TILES_WIDTH;
		e->n = n % LEDGER_TILES_WIDTH;
		e->written = e->n;
		if (e->n > 0)
			r = read_hashes(io, dir, level, e->index, 0, e->n, e->hashes);
	}
	if (r < 0) {
		free(t);
		return r;
	}
	*ret = t;
	return 0;
}

static void free_list(struct full *f)
{
	while (f) {
		struct full *next = f->next;

		free(f);
		f = next;
	}
}

struct ledger_tiles *ledger_tiles_free(struct ledger_tiles *t)
{
	if (t)
		free_list(t->first);
	free(t);
	return NULL;
}

static int tile_root(const struct tile *e, struct digest *ret)
{
	struct digest h[LEDGER_TILES_WIDTH];
	int r;

	memcpy(h, e->hashes, sizeof(h));
	r = fold(h, LEDGER_TILES_WIDTH);
	*ret = h[0];
	return r;
}

/* The tiles that one more leaf completes, lowest first; d becomes the hash that goes into the first level that is not full. */
static int complete(const struct ledger_tiles *t, struct digest *d, const struct merkle_join *j,
		    struct full **ret)
{
	struct full **end = ret;
	int r = 0;

	for (uint32_t level = 0; t->level[level].n == LEDGER_TILES_WIDTH - 1 && r >= 0; level++) {
		struct full *f = level + 1 < LEDGER_TILES_LEVELS ? calloc(1, sizeof(*f)) : NULL;

		if (!f)
			return level + 1 < LEDGER_TILES_LEVELS ? -ENOMEM : -ERANGE;
		f->level = level;
		f->tile = t->level[level];
		f->tile.hashes[f->tile.n++] = *d;
		*end = f;
		end = &f->next;
		if (j)
			*d = j->tiles[level];
		else
			r = tile_root(&f->tile, d);
	}
	return r;
}

int ledger_tiles_add_joined(struct ledger_tiles *t, const struct digest *leaf,
			    const struct merkle_join *j)
{
	struct full *done = NULL;
	struct digest d = *leaf;
	uint32_t level = 0;
	struct tile *e;
	int r = complete(t, &d, j, &done);

	if (r < 0) {
		free_list(done);
		return r;
	}
	*t->end = done;
	for (; done; done = done->next, level++) {
		e = &t->level[level];
		e->index++;
		e->n = 0;
		e->written = 0;
		e->begun = false;
		t->end = &done->next;
		t->n_waiting++;
	}
	e = &t->level[level];
	e->hashes[e->n++] = d;
	return 0;
}

int ledger_tiles_add(struct ledger_tiles *t, const struct digest *leaf)
{
	return ledger_tiles_add_joined(t, leaf, NULL);
}

int ledger_tiles_flush(struct ledger_tiles *t)
{
	int r = 0;

	while (t->first) {
		struct full *f = t->first;

		r = stands(t, f) ? 0 : write_tile(t, f->level, &f->tile);
		if (r < 0)
			return r;
		t->first = f->next;
		if (!t->first)
			t->end = &t->first;
		t->n_waiting--;
		free(f);
	}
	for (uint32_t level = 0; level < LEDGER_TILES_LEVELS && r >= 0; level++)
		r = write_tile(t, level, &t->level[level]);
	return r;
}

uint32_t ledger_tiles_waiting(const struct ledger_tiles *t)
{
	return t->n_waiting;
}

int ledger_tiles_get(void *tiles, uint32_t level, uint64_t index, struct digest *ret)
{
	struct ledger_tiles *t = tiles;
	uint32_t n = 1u << level % 8;
	struct digest h[LEDGER_TILES_WIDTH];
	uint64_t first = index * n;
	int r;

	if (level / 8 >= LEDGER_TILES_LEVELS)
		return -ERANGE;
	r = read_hashes(t->io, t->dir, level / 8, first / LEDGER_TILES_WIDTH,
			(uint32_t)(first % LEDGER_TILES_WIDTH), n, h);
	if (r >= 0)
		r = fold(h, n);
	if (r >= 0)
		*ret = h[0];
	return r;
}

int ledger_tiles_leaf(const struct fsio *io, const char *dir, struct ledger_tiles_cache *c,
		      uint64_t seq, struct digest *ret)
{
	static const struct digest zero;
	uint32_t at = (uint32_t)(seq % LEDGER_TILES_WIDTH);
	int r;

	/* An agent may be writing: what is beyond what was read is read anew. */
	if (!c->filled || c->index != seq / LEDGER_TILES_WIDTH || at >= c->n) {
		c->filled = false;
		c->index = seq / LEDGER_TILES_WIDTH;
		r = read_some(io, dir, 0, c->index, 0, LEDGER_TILES_WIDTH, c->hashes, &c->n);
		if (r < 0)
			return r;
		c->filled = true;
	}
	/* Zeros are what a power cut leaves where a tile was not synced. */
	if (at >= c->n || memcmp(&c->hashes[at], &zero, sizeof(zero)) == 0)
		return -ENODATA;
	*ret = c->hashes[at];
	return 0;
}

int ledger_tiles_root(struct ledger_tiles *t, uint64_t size, struct digest *ret)
{
	struct merkle m = {.size = size};
	uint64_t from = 0;
	int r = 0;

	for (int bit = 63; bit >= 0 && r >= 0; bit--) {
		if (!(size >> bit & 1))
			continue;
		r = ledger_tiles_get(t, (uint32_t)bit, from >> bit, &m.hashes[m.n_hashes++]);
		from += 1ull << bit;
	}
	return r < 0 ? r : merkle_root(&m, ret);
}

static int sync_tile(const struct fsio *io, const char *dir, uint32_t level, uint64_t index)
{
	char path[PATH_MAX];
	int fd, r = tile_path(dir, level, index, path);

	if (r < 0)
		return r;
	fd = fsio_open(io, path, O_RDONLY, 0);
	if (fd < 0)
		return fd == -ENOENT ? -ENODATA : fd;
	r = fsio_sync(io, fd);
	fsio_close(io, fd);
	return r;
}

int ledger_tiles_sync(const struct fsio *io, const char *dir, uint64_t from, uint64_t to)
{
	char path[PATH_MAX];
	int r = 0;

	for (uint32_t level = 0; level < LEDGER_TILES_LEVELS && r >= 0; level++) {
		uint32_t shift = 8 * level;
		uint64_t end = ((to >> shift) + LEDGER_TILES_WIDTH - 1) / LEDGER_TILES_WIDTH;

		for (uint64_t i = from >> shift >> 8; i < end && r >= 0; i++)
			r = sync_tile(io, dir, level, i);
		if (r >= 0 && end > 0 &&
		    snprintf(path, sizeof(path), "%s/tiles/%u", dir, level) < (int)sizeof(path))
			r = fsio_sync_dir(io, path);
	}
	return r;
}

int ledger_tiles_walk(const struct fsio *io, const char *dir, struct merkle *m, uint64_t to,
		      int (*fn)(void *ctx, const struct merkle *m), void *ctx)
{
	struct ledger_tiles_cache cache = {.filled = false};
	int r = 0;

	while (m->size < to && r == 0) {
		struct digest leaf;

		r = ledger_tiles_leaf(io, dir, &cache, m->size, &leaf);
		if (r >= 0)
			r = merkle_add(m, &leaf);
		if (r >= 0 && fn)
			r = fn(ctx, m);
	}
	return r;
}
