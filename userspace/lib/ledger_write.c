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
#include "ledger_read.h"
#include "ledger_tiles.h"

#define DEFAULT_SEGMENT (64ull * 1024 * 1024)
#define MAX_PENDING   \
	(64u * 1024 * \
	 1024) /* lines that a full disk keeps us from writing; beyond it append refuses */
#define MAX_ANCHORS (256u * 1024 * 1024)

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
	int anchors_fd, notes_fd;
	uint64_t anchors_at, notes_at;
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
		r = ledger_tiles_add(l->tiles, &leaf);
	if (r >= 0)
		r = merkle_add(&l->tree, &leaf);
	if (r < 0) {
		l->pending.size = before;
		l->pending.error = 0;
	}
	return r;
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
	return l->at >= l->segment_size ? ledger_rotate(l) : 0;
}

int ledger_rotate(struct ledger *l)
{
	int r = ledger_sync(l);

	if (r < 0 || l->fd < 0 || l->first == l->tree.size)
		return r;
	fsio_close(l->io, l->fd);
	l->fd = -1;
	return 0;
}

int ledger_head(const struct ledger *l, struct checkpoint *ret)
{
	snprintf(ret->origin, sizeof(ret->origin), "%s", l->origin);
	ret->size = l->tree.size;
	return merkle_root(&l->tree, &ret->root);
}

static int append_synced(struct ledger *l, int fd, uint64_t *at, const struct buf *b)
{
	int r = buf_status(b);

	if (r >= 0)
		r = fsio_write_all(l->io, fd, b->data, b->size, *at);
	if (r >= 0)
		r = fsio_sync(l->io, fd);
	if (r >= 0)
		*at += b->size;
	return r;
}

int ledger_anchor(struct ledger *l, const struct ledger_anchor *a)
{
	CLEANUP(buf_done) struct buf b = {0};
	int r = ledger_dir_anchor_write(a, &b);

	return r < 0 ? r : append_synced(l, l->anchors_fd, &l->anchors_at, &b);
}

int ledger_note(struct ledger *l, uint64_t size, const struct digest *root, const char *note_line,
		size_t note_size)
{
	CLEANUP(buf_done) struct buf b = {0};
	int r = ledger_dir_note_write(size, root, note_line, note_size, &b);

	return r < 0 ? r : append_synced(l, l->notes_fd, &l->notes_at, &b);
}

int ledger_root_at(struct ledger *l, uint64_t size, struct digest *ret)
{
	struct merkle m = {.size = size};
	uint64_t from = 0;
	int r = ledger_tiles_flush(l->tiles);

	if (size > l->tree.size)
		return -ERANGE;
	for (int bit = 63; bit >= 0 && r >= 0; bit--) {
		if (!(size >> bit & 1))
			continue;
		r = ledger_tiles_get(l->tiles, (uint32_t)bit, from >> bit, &m.hashes[m.n_hashes++]);
		from += 1ull << bit;
	}
	return r < 0 ? r : merkle_root(&m, ret);
}

int ledger_prove_inclusion(struct ledger *l, uint64_t seq, uint64_t size, struct digest *ret_proof,
			   uint32_t *ret_n)
{
	int r = size > l->tree.size ? -ERANGE : ledger_tiles_flush(l->tiles);

	return r < 0 ? r
		     : merkle_prove_inclusion(seq, size, ledger_tiles_get, l->tiles, ret_proof,
					      ret_n);
}

int ledger_prove_consistency(struct ledger *l, uint64_t old_size, uint64_t new_size,
			     struct digest *ret_proof, uint32_t *ret_n)
{
	int r = new_size > l->tree.size ? -ERANGE : ledger_tiles_flush(l->tiles);

	return r < 0 ? r
		     : merkle_prove_consistency(old_size, new_size, ledger_tiles_get, l->tiles,
						ret_proof, ret_n);
}

/* Recovery: what ledger_open() finds. */
struct recovery {
	struct ledger *l;
	struct ledger_recovery *found;
	bool last; /* this segment is the newest one: its torn end may be cut */
	uint64_t cut_at;
	bool cut;
};

static int on_segment(void *ctx, const struct ledger_read_segment *s)
{
	struct recovery *rec = ctx;
	struct ledger *l = rec->l;

	if (strcmp(s->origin, l->origin) != 0)
		return -EXDEV;
	if (!l->tiles || s->first != l->tree.size) {
		/* The first segment that is left: the tree goes on from its frontier. */
		if (l->tiles)
			return -EBADMSG;
		l->tree = s->frontier;
		if (ledger_tiles_open(l->io, l->dir, s->first, &l->tiles) < 0)
			return -ENODATA;
	}
	if (memcmp(s->frontier.hashes, l->tree.hashes, l->tree.n_hashes * sizeof(struct digest)) !=
	    0)
		return -EBADMSG;
	l->first = s->first;
	l->at = s->header_size;
	return 0;
}

static int on_line(void *ctx, const struct ledger_read_segment *s, uint64_t seq, const char *line,
		   size_t size)
{
	struct recovery *rec = ctx;
	struct digest leaf;
	int r = merkle_leaf(line, size, &leaf);

	(void)s;
	(void)seq;
	if (r >= 0)
		r = ledger_tiles_add(rec->l->tiles, &leaf);
	if (r >= 0)
		r = merkle_add(&rec->l->tree, &leaf);
	rec->l->at += size + 1;
	return r;
}

static int on_torn(void *ctx, const struct ledger_read_segment *s, uint64_t at, size_t size)
{
	struct recovery *rec = ctx;

	(void)s;
	if (!rec->last)
		return -EBADMSG;
	rec->cut = true;
	rec->cut_at = at;
	rec->found->torn_line_bytes = size;
	return 0;
}

/*
 * The newest segment: what the page cache shows may never have reached the disk, so it is synced before anything rests on it
 * (NO_RESYNC in the model). Only a torn end is cut; a header that is torn leaves no segment.
 */
static int settle_last(struct recovery *rec, uint64_t first)
{
	struct ledger *l = rec->l;
	char name[64], path[PATH_MAX];
	int r;

	snprintf(name, sizeof(name), "events-%020" PRIu64 ".jsonl", first);
	r = path_of(l, name, path);
	if (r < 0)
		return r;
	if (rec->cut && rec->cut_at == 0) {
		r = fsio_unlink(l->io, path);
		return r < 0 ? r : fsio_sync_dir(l->io, l->dir);
	}
	l->fd = fsio_open(l->io, path, O_WRONLY, 0);
	if (l->fd < 0)
		return l->fd;
	if (rec->cut)
		r = fsio_truncate(l->io, l->fd, rec->cut_at);
	return r < 0 ? r : fsio_sync(l->io, l->fd);
}

static int recover_lines(struct ledger *l, struct ledger_recovery *found, struct why *ret_why)
{
	CLEANUP_FREE uint64_t *firsts = NULL;
	struct recovery rec = {.l = l, .found = found};
	const struct ledger_read_calls calls = {&rec, on_segment, on_line, on_torn};
	uint32_t n = 0;
	int r = ledger_read_list(l->dir, &firsts, &n, ret_why);

	for (uint32_t i = 0; i < n && r >= 0; i++) {
		ret_why->text[0] = 0;
		rec.last = i + 1 == n;
		r = ledger_read_one(l->io, l->dir, firsts[i], &calls, ret_why);
		if (r < 0 && !ret_why->text[0])
			why_set(ret_why, r, "%s/events-%020" PRIu64 ".jsonl: %s", l->dir, firsts[i],
				r == -EXDEV	? "is the ledger of another node; give this node a "
						  "ledger_dir of its own"
				: r == -EBADMSG ? "does not go on from the segment before it"
				: r == -ENODATA ? "its tiles are missing"
						: strerror(-r));
	}
	if (r >= 0 && n > 0)
		r = settle_last(&rec, firsts[n - 1]);
	if (r >= 0 && !l->tiles)
		r = ledger_tiles_open(l->io, l->dir, 0, &l->tiles);
	l->synced = l->tree.size;
	return r;
}

static int take_anchor(struct ledger_recovery *f, const struct ledger_anchor *a)
{
	switch (a->kind) {
	case LEDGER_ANCHOR_EPOCH:
		f->has_epoch = true;
		f->epoch = *a;
		if (a->epoch.base != LEDGER_BASE_CONTINUES)
			f->fold = a->epoch.found;
		break;
	case LEDGER_ANCHOR_EXTEND:
		f->has_pending = true;
		f->pending_size = a->extend.size;
		f->pending_root = a->extend.root;
		break;
	case LEDGER_ANCHOR_DONE:
		f->fold = a->done.pcr;
		f->anchored_size = f->has_pending ? f->pending_size : f->anchored_size;
		f->has_pending = false;
		break;
	case LEDGER_ANCHOR_FOREIGN:
		f->fold = a->foreign.found;
		break;
	}
	return 0;
}

static int recover_anchors(struct ledger *l, struct ledger_recovery *f, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf b = {0};
	size_t magic = strlen(LEDGER_ANCHORS_MAGIC);
	struct buf_reader reader;
	struct ledger_anchor a;
	char path[PATH_MAX];
	int r = path_of(l, "anchors", path);

	if (r >= 0)
		r = fsio_read_file(l->io, path, MAX_ANCHORS, &b);
	if (r == -ENOENT || (r >= 0 && b.size < magic))
		r = fsio_replace_file(l->io, path, LEDGER_ANCHORS_MAGIC, magic, 0600);
	if (r < 0)
		return why_set(ret_why, r, "%s: %s", path, strerror(-r));
	l->anchors_fd = fsio_open(l->io, path, O_RDWR, 0);
	if (l->anchors_fd < 0)
		return l->anchors_fd;
	l->anchors_at = magic;
	if (b.size < magic)
		return 0;
	if (memcmp(b.data, LEDGER_ANCHORS_MAGIC, magic) != 0)
		return why_set(ret_why, -EBADMSG, "%s: does not start with plumb-anchors-v1", path);
	reader = buf_reader_of(b.data + magic, b.size - magic);
	while ((r = ledger_dir_anchor_read(&reader, &a, ret_why)) > 0)
		take_anchor(f, &a);
	if (r < 0 && r != -ENODATA)
		return r;
	l->anchors_at += reader.at;
	f->torn_anchor_bytes = b.size - l->anchors_at;
	r = f->torn_anchor_bytes ? fsio_truncate(l->io, l->anchors_fd, l->anchors_at) : 0;
	return r < 0 ? r : fsio_sync(l->io, l->anchors_fd);
}

static int recover_notes(struct ledger *l)
{
	CLEANUP(buf_done) struct buf b = {0};
	char path[PATH_MAX];
	const uint8_t *end;
	int r = path_of(l, "notes", path);

	if (r >= 0)
		r = fsio_read_file(l->io, path, MAX_ANCHORS, &b);
	if (r < 0 && r != -ENOENT)
		return r;
	l->notes_fd = fsio_open(l->io, path, O_WRONLY | O_CREAT, 0600);
	if (l->notes_fd < 0)
		return l->notes_fd;
	/* A line without its end was never acknowledged to anybody. */
	end = b.size ? memrchr(b.data, '\n', b.size) : NULL;
	l->notes_at = end ? (uint64_t)(end - b.data) + 1 : 0;
	return l->notes_at < b.size ? fsio_truncate(l->io, l->notes_fd, l->notes_at) : 0;
}

static int fold_pending(const struct ledger *l, struct ledger_recovery *f)
{
	struct checkpoint c = {.size = f->pending_size, .root = f->pending_root};
	struct digest d;
	int r;

	f->fold_pending = f->fold;
	if (!f->has_pending)
		return 0;
	snprintf(c.origin, sizeof(c.origin), "%s", l->origin);
	r = checkpoint_digest(&c, &d);
	return r < 0 ? r : checkpoint_fold(&f->fold_pending, &d);
}

int ledger_open(const struct ledger_options *o, struct ledger **ret,
		struct ledger_recovery *ret_found, struct why *ret_why)
{
	struct ledger *l = calloc(1, sizeof(*l));
	struct ledger_recovery found = {0};
	int r;

	if (!l)
		return -ENOMEM;
	l->io = o->io;
	l->fd = l->anchors_fd = l->notes_fd = -1;
	l->segment_size = o->segment_size ? o->segment_size : DEFAULT_SEGMENT;
	snprintf(l->origin, sizeof(l->origin), "%s", o->origin);
	r = snprintf(l->dir, sizeof(l->dir), "%s", o->dir) < (int)sizeof(l->dir) ? 0
										 : -ENAMETOOLONG;
	if (r >= 0 && o->create)
		r = fsio_mkdir_all(o->io, o->dir, 0700);
	if (r < 0)
		why_set(ret_why, r, "%s: %s", o->dir, strerror(-r));
	if (r >= 0)
		r = recover_lines(l, &found, ret_why);
	if (r >= 0)
		r = recover_anchors(l, &found, ret_why);
	if (r >= 0)
		r = recover_notes(l);
	if (r >= 0)
		r = fold_pending(l, &found);
	if (r < 0) {
		ledger_free(l);
		return r;
	}
	*ret = l;
	*ret_found = found;
	return 0;
}

struct ledger *ledger_free(struct ledger *l)
{
	if (!l)
		return NULL;
	if (l->fd >= 0)
		fsio_close(l->io, l->fd);
	if (l->anchors_fd >= 0)
		fsio_close(l->io, l->anchors_fd);
	if (l->notes_fd >= 0)
		fsio_close(l->io, l->notes_fd);
	ledger_tiles_free(l->tiles);
	buf_done(&l->pending);
	free(l);
	return NULL;
}
