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

struct tile {
	uint64_t index;
	uint32_t n; /* hashes so far */
	uint32_t written; /* of them in the file */
	struct digest hashes[LEDGER_TILES_WIDTH];
};

struct ledger_tiles {
	const struct fsio *io;
	char dir[PATH_MAX - 64];
	struct tile level[LEDGER_TILES_LEVELS];
};

static int tile_path(const char *dir, uint32_t level, uint64_t index, char ret[PATH_MAX])
{
	int n = snprintf(ret, PATH_MAX, "%s/tiles/%u/%012" PRIu64, dir, level, index);

	return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static int read_hashes(const struct fsio *io, const char *dir, uint32_t level, uint64_t index,
		       uint32_t from, uint32_t n, struct digest *ret)
{
	char path[PATH_MAX];
	size_t size = 0;
	int fd, r = tile_path(dir, level, index, path);

	if (r < 0)
		return r;
	fd = fsio_open(io, path, O_RDONLY, 0);
	if (fd < 0)
		return fd == -ENOENT ? -ENODATA : fd;
	r = fsio_read_full(io, fd, ret, n * sizeof(*ret), (uint64_t)from * DIGEST_SIZE, &size);
	fsio_close(io, fd);
	if (r < 0)
		return r;
	return size == n * sizeof(*ret) ? 0 : -ENODATA;
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

static int write_tile(struct ledger_tiles *t, uint32_t level)
{
	struct tile *e = &t->level[level];
	char path[PATH_MAX];
	int fd, r;

	if (e->written == e->n)
		return 0;
	r = tile_path(t->dir, level, e->index, path);
	if (r < 0)
		return r;
	fd = fsio_open(t->io, path, O_WRONLY | O_CREAT, 0600);
	if (fd == -ENOENT) {
		char dir[PATH_MAX];

		snprintf(dir, sizeof(dir), "%s/tiles/%u", t->dir, level);
		r = fsio_mkdir_all(t->io, dir, 0700);
		if (r < 0)
			return r;
		fd = fsio_open(t->io, path, O_WRONLY | O_CREAT, 0600);
	}
	if (fd < 0)
		return fd;
	r = fsio_write_all(t->io, fd, e->hashes + e->written,
			   (e->n - e->written) * sizeof(*e->hashes),
			   (uint64_t)e->written * DIGEST_SIZE);
	fsio_close(t->io, fd);
	if (r >= 0)
		e->written = e->n;
	return r;
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

struct ledger_tiles *ledger_tiles_free(struct ledger_tiles *t)
{
	free(t);
	return NULL;
}

int ledger_tiles_add(struct ledger_tiles *t, const struct digest *leaf)
{
	struct digest d = *leaf;

	for (uint32_t level = 0; level < LEDGER_TILES_LEVELS; level++) {
		struct tile *e = &t->level[level];
		int r;

		e->hashes[e->n++] = d;
		if (e->n < LEDGER_TILES_WIDTH)
			return 0;
		r = write_tile(t, level);
		if (r >= 0)
			r = fold(e->hashes, LEDGER_TILES_WIDTH);
		if (r < 0) {
			e->n--;
			return r;
		}
		d = e->hashes[0];
		e->index++;
		e->n = 0;
		e->written = 0;
	}
	return -ERANGE;
}

int ledger_tiles_flush(struct ledger_tiles *t)
{
	int r = 0;

	for (uint32_t level = 0; level < LEDGER_TILES_LEVELS && r >= 0; level++)
		r = write_tile(t, level);
	return r;
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

int ledger_tiles_leaf(const struct fsio *io, const char *dir, uint64_t index, struct digest *ret)
{
	return read_hashes(io, dir, 0, index / LEDGER_TILES_WIDTH,
			   (uint32_t)(index % LEDGER_TILES_WIDTH), 1, ret);
}
