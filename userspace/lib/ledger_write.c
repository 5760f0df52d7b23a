/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger_write.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "jsonl.h"
#include "ledger_prune.h"
#include "ledger_read.h"
#include "ledger_tiles.h"
#include "ledger_zst.h"

#define DEFAULT_SEGMENT (64ull * 1024 * 1024)
#define MAX_SEGMENT (512ull * 1024 * 1024) /* well below LEDGER_ZST_MAX */
/* Lines that a full disk keeps us from writing; beyond it append refuses. */
#define MAX_PENDING (64u * 1024 * 1024)
#define PACK_BYTES \
	(1024u *   \
	 1024) /* of a closed segment at each sync, so that the loop is never held up for long */

#define PACK_TILES 32 /* synced at each sync, before their segment is packed */

/* A file of records that are appended one at a time. */
struct tail {
	int fd;
	uint64_t at;
	bool dirty; /* a write failed: bytes may lie beyond at */
};

struct ledger {
	const struct fsio *io;
	char dir[PATH_MAX - 128];
	char origin[CHECKPOINT_MAX_ORIGIN];
	uint64_t segment_size;
	int fd; /* current segment; -1: none begun */
	uint64_t first; /* its first line */
	uint64_t at; /* bytes of it on disk */
	struct buf pending; /* lines appended, not written yet */
	struct merkle tree;
	uint64_t synced;
	struct ledger_tiles *tiles;
	struct tail anchors, notes;
	struct ledger_zst_job *job;
	bool pack_due; /* closed segments may wait to be packed */
	uint64_t
		tiles_at; /* of the segment that is packed next: hashes before this line are on disk */
};

static int path_of(const struct ledger *l, const char *name, char ret[PATH_MAX])
{
	return snprintf(ret, PATH_MAX, "%s/%s", l->dir, name) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* Opens the file of a new segment and puts its header in front of what is pending. */
static int begin_segment(struct ledger *l)
{
	char name[64], path[PATH_MAX];
	struct jsonl j;
	struct buf b = {0};
	int fd, r;

	snprintf(name, sizeof(name), "events-%020" PRIu64 ".jsonl", l->tree.size);
	r = path_of(l, name, path);
	if (r < 0)
		return r;
	jsonl_begin(&j, &b);
	jsonl_str(&j, "plumb", "segment");
	jsonl_uint(&j, "v", 1);
	jsonl_str(&j, "origin", l->origin);
	jsonl_uint(&j, "first", l->tree.size);
	jsonl_array(&j, "frontier");
	for (uint32_t i = 0; i < l->tree.n_hashes; i++)
		jsonl_base64(&j, NULL, l->tree.hashes[i].bytes, DIGEST_SIZE);
	jsonl_close(&j);
	jsonl_end(&j);
	buf_puts(&b, "\n");
	r = buf_status(&b);
	fd = r < 0 ? r : fsio_open(l->io, path, O_WRONLY | O_CREAT, 0600);
	if (fd < 0) {
		buf_done(&b);
		return fd;
	}
	r = fsio_write_all(l->io, fd, b.data, b.size, 0);
	if (r >= 0)
		r = fsio_sync(l->io, fd);
	if (r >= 0)
		r = fsio_sync_dir(l->io, l->dir);
	if (r < 0) {
		fsio_close(l->io, fd);
		buf_done(&b);
		return r;
	}
	l->fd = fd;
	l->first = l->tree.size;
	l->at = b.size;
	buf_done(&b);
	return 0;
}

uint64_t ledger_next_seq(const struct ledger *l)
{
	return l->tree.size;
}

uint64_t ledger_synced_size(const struct ledger *l)
{
	return l->synced;
}

const struct merkle *ledger_tree(const struct ledger *l)
{
	return &l->tree;
}

int ledger_append(struct ledger *l, const void *line, size_t size)
{
	struct digest leaf;
	struct merkle_join join;
	size_t before = l->pending.size;
	int r = 0;

	if (size == 0 || size > 65535 || memchr(line, '\n', size))
		return -EINVAL;
	if (l->pending.size + size + 1 > MAX_PENDING)
		return -ENOBUFS;
	if (l->fd < 0)
		r = begin_segment(l);
	if (r >= 0)
		r = merkle_leaf(line, size, &leaf);
	if (r < 0)
		return r;
	buf_put(&l->pending, line, size);
	buf_put(&l->pending, "\n", 1);
	r = buf_status(&l->pending);
	if (r >= 0)
		r = merkle_join(&l->tree, &leaf, &join);
	if (r >= 0)
		r = ledger_tiles_add_joined(l->tiles, &leaf, &join);
	if (r < 0) {
		buf_cut(&l->pending, before);
		l->pending.error = 0;
		return r;
	}
	merkle_take(&l->tree, &join);
	return 0;
}

/*
 * A packed segment says that the hashes of its lines are on disk: recovery need not read it to make them anew. So its tiles are synced
 * first, some at a time. 1: all are.
 */
static int sync_tiles(struct ledger *l, uint64_t from, uint64_t to)
{
	uint64_t at = l->tiles_at < from || l->tiles_at > to ? from : l->tiles_at;
	uint64_t next = (at / LEDGER_TILES_WIDTH + PACK_TILES) * LEDGER_TILES_WIDTH;
	int r = ledger_tiles_flush(l->tiles);

	next = next < to ? next : to;
	if (r >= 0)
		r = ledger_tiles_sync(l->io, l->dir, at, next);
	if (r < 0)
		return r;
	l->tiles_at = next;
	return next == to;
}

/* 1: the segment has a plain file. */
static int is_plain(const struct ledger *l, uint64_t first, char path[PATH_MAX])
{
	char name[64];
	int r;

	snprintf(name, sizeof(name), "events-%020" PRIu64 ".jsonl", first);
	r = path_of(l, name, path);
	if (r >= 0)
		r = fsio_open(l->io, path, O_RDONLY, 0);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	fsio_close(l->io, r);
	return 1;
}

/* The next closed segment that is still a plain file. */
static int pack_next(struct ledger *l)
{
	CLEANUP_FREE uint64_t *firsts = NULL;
	char path[PATH_MAX];
	uint32_t n = 0;
	int r = ledger_read_list(l->dir, &firsts, &n, NULL);

	for (uint32_t i = 0; i < n && r >= 0; i++) {
		if (l->fd >= 0 && firsts[i] >= l->first)
			break;
		r = is_plain(l, firsts[i], path);
		if (r > 0) {
			r = sync_tiles(l, firsts[i], i + 1 < n ? firsts[i + 1] : l->tree.size);
			return r > 0 ? ledger_zst_begin(l->io, l->dir, path, &l->job) : r;
		}
	}
	l->pack_due = false;
	return r;
}

/* Packing saves room and nothing rests on it: what fails is left plain until the next segment closes. */
static void pack(struct ledger *l)
{
	int r = 0;

	if (!l->job && l->pack_due)
		r = pack_next(l);
	if (r >= 0 && l->job)
		r = ledger_zst_step(l->job, PACK_BYTES);
	if (r == 0)
		return;
	l->job = ledger_zst_free(l->job);
	l->pack_due &= r > 0;
}

/* A failed write keeps its lines: the next call writes them again at the same place. */
int ledger_sync(struct ledger *l)
{
	int r;

	if (l->synced == l->tree.size)
		return 0;
	r = fsio_write_all(l->io, l->fd, l->pending.data, l->pending.size, l->at);
	if (r >= 0)
		r = fsio_sync(l->io, l->fd);
	if (r < 0)
		return r;
	l->at += l->pending.size;
	buf_clear(&l->pending);
	l->synced = l->tree.size;
	/* Tiles can be made again from the lines: their failure is not the lines'. */
	ledger_tiles_flush(l->tiles);
	if (l->at >= l->segment_size)
		r = ledger_rotate(l);
	pack(l);
	return r;
}

int ledger_rotate(struct ledger *l)
{
	int r = ledger_sync(l);

	if (r < 0 || l->fd < 0 || l->first == l->tree.size)
		return r;
	fsio_close(l->io, l->fd);
	l->fd = -1;
	l->pack_due = true;
	return 0;
}

int ledger_drop(struct ledger *l, uint64_t first)
{
	if (first > l->synced)
		return -EINVAL;
	/* What it makes would be a segment that is gone. */
	l->job = ledger_zst_free(l->job);
	l->pack_due = true;
	return ledger_prune_carry_out(l->io, l->dir, first);
}

int ledger_head(const struct ledger *l, struct checkpoint *ret)
{
	snprintf(ret->origin, sizeof(ret->origin), "%s", l->origin);
	ret->size = l->tree.size;
	return merkle_root(&l->tree, &ret->root);
}

static int append_synced(struct ledger *l, struct tail *t, const struct buf *b)
{
	int r = buf_status(b);

	/* A shorter record would leave the end of the one that failed behind it. */
	if (r >= 0 && t->dirty)
		r = fsio_truncate(l->io, t->fd, t->at);
	if (r < 0)
		return r;
	t->dirty = true;
	r = fsio_write_all(l->io, t->fd, b->data, b->size, t->at);
	if (r >= 0)
		r = fsio_sync(l->io, t->fd);
	if (r < 0)
		return r;
	t->dirty = false;
	t->at += b->size;
	return 0;
}

int ledger_anchor(struct ledger *l, const struct ledger_anchor *a)
{
	CLEANUP(buf_done) struct buf b = {0};
	int r = ledger_dir_anchor_write(a, &b);

	return r < 0 ? r : append_synced(l, &l->anchors, &b);
}

int ledger_note(struct ledger *l, uint64_t size, const struct digest *root, const char *note_line,
		size_t note_size)
{
	CLEANUP(buf_done) struct buf b = {0};
	int r = ledger_dir_note_write(size, root, note_line, note_size, &b);

	return r < 0 ? r : append_synced(l, &l->notes, &b);
}

/* Tiles on disk never run ahead of the lines. */
static int settle_tiles(struct ledger *l, uint64_t size)
{
	int r = size > l->tree.size ? -ERANGE : ledger_sync(l);

	return r < 0 ? r : ledger_tiles_flush(l->tiles);
}

int ledger_root_at(struct ledger *l, uint64_t size, struct digest *ret)
{
	int r = settle_tiles(l, size);

	return r < 0 ? r : ledger_tiles_root(l->tiles, size, ret);
}

int ledger_prove_inclusion(struct ledger *l, uint64_t seq, uint64_t size, struct digest *ret_proof,
			   uint32_t *ret_n)
{
	int r = settle_tiles(l, size);

	return r < 0 ? r
		     : merkle_prove_inclusion(seq, size, ledger_tiles_get, l->tiles, ret_proof,
					      ret_n);
}

int ledger_prove_consistency(struct ledger *l, uint64_t old_size, uint64_t new_size,
			     struct digest *ret_proof, uint32_t *ret_n)
{
	int r = settle_tiles(l, new_size);

	return r < 0 ? r
		     : merkle_prove_consistency(old_size, new_size, ledger_tiles_get, l->tiles,
						ret_proof, ret_n);
}

static void take_over(struct ledger *l, const struct ledger_recovered *from)
{
	l->tree = from->tree;
	l->synced = from->tree.size;
	l->tiles = from->tiles;
	l->fd = from->fd;
	l->first = from->first;
	l->at = from->at;
	l->anchors = (struct tail){.fd = from->anchors_fd, .at = from->anchors_at};
	l->notes = (struct tail){.fd = from->notes_fd, .at = from->notes_at};
	l->pack_due = true;
	/* As at a sync: what fails now is written by the next one. */
	ledger_tiles_flush(l->tiles);
}

/* A crash between a `pruned` line and the last removal: what is still there goes now, or with the next ones. */
static void finish_pruning(struct ledger *l, const struct ledger_prune_claim *c)
{
	struct digest root;

	if (c->first > 0 && ledger_root_at(l, c->first, &root) >= 0 &&
	    digest_equal(&root, &c->root))
		ledger_drop(l, c->first);
}

int ledger_open(const struct ledger_options *o, struct ledger **ret,
		struct ledger_recovery *ret_found, struct why *ret_why)
{
	struct ledger *l = calloc(1, sizeof(*l));
	struct ledger_recovered recovered;
	int r = 0;

	if (!l)
		return why_set(ret_why, -ENOMEM, "no memory");
	l->io = o->io;
	l->segment_size = o->segment_size ? o->segment_size : DEFAULT_SEGMENT;
	if (snprintf(l->dir, sizeof(l->dir), "%s", o->dir) >= (int)sizeof(l->dir))
		r = -ENAMETOOLONG;
	else if (snprintf(l->origin, sizeof(l->origin), "%s", o->origin) >=
			 (int)sizeof(l->origin) ||
		 l->segment_size > MAX_SEGMENT)
		r = -EINVAL;
	else if (o->create)
		r = fsio_mkdir_all(o->io, o->dir, 0700);
	if (r < 0)
		why_set(ret_why, r, "%s: %s", o->dir, strerror(-r));
	else
		r = ledger_recover(o->io, l->dir, l->origin, &recovered, ret_found, ret_why);
	if (r < 0) {
		free(l);
		return r;
	}
	take_over(l, &recovered);
	finish_pruning(l, &ret_found->pruned);
	*ret = l;
	return 0;
}

struct ledger *ledger_free(struct ledger *l)
{
	struct ledger_recovered files;

	if (!l)
		return NULL;
	files = (struct ledger_recovered){.fd = l->fd,
					  .anchors_fd = l->anchors.fd,
					  .notes_fd = l->notes.fd,
					  .tiles = l->tiles};
	ledger_zst_free(l->job);
	ledger_recover_close(l->io, &files);
	buf_done(&l->pending);
	free(l);
	return NULL;
}
