/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger_recover.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "checkpoint.h"
#include "cleanup.h"
#include "ledger_anchors.h"
#include "ledger_read.h"
#include "line.h"

#define MAX_WAITING 64 /* full tiles in memory before they are written */
#define NOTES_CHUNK 16384 /* a note has some 200 bytes */
#define CURE "keep the directory as evidence and give this node a new ledger_dir"

struct recovery {
	const struct fsio *io;
	const char *dir, *origin;
	struct ledger_recovered l;
	struct ledger_recovery found;
	struct ledger_tiles_cache cache;
	struct why *why;
	bool last; /* this segment is the newest one: its torn end may be cut */
	bool cut, packed;
	uint64_t cut_at;
};

static int path_of(const struct recovery *rec, const char *name, char ret[PATH_MAX])
{
	return snprintf(ret, PATH_MAX, "%s/%s", rec->dir, name) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static int segment_path(const struct recovery *rec, uint64_t first, const char *end,
			char ret[PATH_MAX])
{
	char name[64];

	snprintf(name, sizeof(name), "events-%020" PRIu64 ".jsonl%s", first, end);
	return path_of(rec, name, ret);
}

static bool tiles_have(struct ledger_tiles *t, const struct merkle *m)
{
	struct digest have, want;

	return ledger_tiles_root(t, m->size, &have) >= 0 && merkle_root(m, &want) >= 0 &&
	       digest_equal(&have, &want);
}

static int on_segment(void *ctx, const struct ledger_read_segment *s)
{
	struct recovery *rec = ctx;
	struct ledger_recovered *l = &rec->l;

	if (strcmp(s->origin, rec->origin) != 0)
		return why_set(rec->why, -EXDEV,
			       "%s/%s: is the ledger of another node; give this node a ledger_dir "
			       "of its own",
			       rec->dir, s->name);
	if (!l->tiles) {
		/* The first segment that is read: the tree goes on from its frontier. */
		l->tree = s->frontier;
		if (ledger_tiles_open(rec->io, rec->dir, s->first, &l->tiles) >= 0 &&
		    !tiles_have(l->tiles, &l->tree))
			l->tiles = ledger_tiles_free(l->tiles);
		if (!l->tiles)
			return why_set(
				rec->why, -ENODATA,
				"%s/%s: tiles/ does not have the tree that it goes on from; " CURE,
				rec->dir, s->name);
	} else if (s->first != l->tree.size ||
		   memcmp(s->frontier.hashes, l->tree.hashes,
			  l->tree.n_hashes * sizeof(struct digest)) != 0) {
		return why_set(rec->why, -EBADMSG,
			       "%s/%s: does not go on from line %" PRIu64
			       ", the last of the segment before it; " CURE,
			       rec->dir, s->name, l->tree.size);
	}
	l->first = s->first;
	l->at = s->header_size;
	rec->packed = s->packed;
	return 0;
}

static int anchored_size(void *ctx, const struct ledger_anchor *a, uint64_t end)
{
	uint64_t *size = ctx;

	(void)end;
	if (a->kind == LEDGER_ANCHOR_EXTEND && a->extend.size > *size)
		*size = a->extend.size;
	return 0;
}

/* The largest size of an extend record. Appends to nothing, cuts nothing: see read_anchors(). */
static int read_extended(const struct recovery *rec, uint64_t *ret)
{
	struct ledger_anchors_end end;
	char path[PATH_MAX];
	int fd, r = path_of(rec, "anchors", path);

	if (r < 0)
		return r;
	fd = fsio_open(rec->io, path, O_RDONLY, 0);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	r = ledger_anchors_magic(rec->io, fd);
	if (r >= 0)
		r = ledger_anchors_walk(rec->io, fd, LEDGER_ANCHORS_START, anchored_size, ret, &end,
					rec->why);
	fsio_close(rec->io, fd);
	return r == -ENODATA ? 0 : r;
}

/* The same of a note; ret goes up only. */
static int read_signed(const struct recovery *rec, uint64_t *ret)
{
	char path[PATH_MAX], chunk[NOTES_CHUNK];
	uint64_t at = 0;
	size_t n = 0;
	int fd, r = path_of(rec, "notes", path);

	if (r < 0)
		return r;
	fd = fsio_open(rec->io, path, O_RDONLY, 0);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	do {
		char *from = chunk, *lf;
		struct ledger_note note;

		r = fsio_read_full(rec->io, fd, chunk, sizeof(chunk), at, &n);
		lf = r >= 0 ? memchr(chunk, '\n', n) : NULL;
		while (lf) {
			if (ledger_dir_note_read(from, (size_t)(lf - from), &note, NULL) >= 0 &&
			    note.size > *ret)
				*ret = note.size;
			from = lf + 1;
			lf = memchr(from, '\n', n - (size_t)(from - chunk));
		}
		at += from > chunk ? (size_t)(from - chunk) : n;
	} while (r >= 0 && n == sizeof(chunk));
	fsio_close(rec->io, fd);
	return r;
}

/*
 * What is no line, in the newest segment: a power cut may leave later blocks of what was written last, and not the earlier ones. It is cut
 * like an end without LF, but never below what somebody vouched for: what a tile has the hash of is not asked about here, and what was
 * extended or signed stays for whoever finds that it is not what it was. 1: it is cut; 0: it is not.
 */
static int cut_from(struct recovery *rec, const struct ledger_read_segment *s, uint64_t seq)
{
	char path[PATH_MAX];
	uint64_t witnessed = 0;
	struct stat st;
	int r;

	if (!rec->last || s->packed)
		return 0;
	r = read_extended(rec, &witnessed);
	if (r >= 0)
		r = read_signed(rec, &witnessed);
	if (r < 0 || witnessed > seq)
		return r < 0 ? r : 0;
	r = segment_path(rec, s->first, "", path);
	if (r >= 0 && stat(path, &st) < 0)
		r = -errno;
	if (r < 0)
		return r;
	rec->cut = true;
	rec->cut_at = s->header_size ? rec->l.at : 0;
	rec->found.torn_line_bytes = (uint64_t)st.st_size - rec->cut_at;
	return 1;
}

static int on_broken(void *ctx, const struct ledger_read_segment *s, uint64_t seq)
{
	struct recovery *rec = ctx;
	struct digest tile;

	return ledger_tiles_leaf(rec->io, rec->dir, &rec->cache, seq, &tile) == -ENODATA
		       ? cut_from(rec, s, seq)
		       : 0;
}

static bool is_line(const char *line, size_t size, uint64_t seq)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	struct line l;

	return line_parse(line, size, &o, &l, NULL) >= 0 && l.seq == seq;
}

/* A tile is written after its lines are synced, so no crash leaves one that differs: somebody changed the line. 1: it has the line. */
static int compare_tile(struct recovery *rec, const struct ledger_read_segment *s, uint64_t seq,
			const struct digest *leaf)
{
	struct digest tile;
	int r = ledger_tiles_leaf(rec->io, rec->dir, &rec->cache, seq, &tile);

	if (r == -ENODATA)
		return 0;
	if (r >= 0 && digest_equal(&tile, leaf))
		return 1;
	if (r >= 0)
		return why_set(rec->why, -EBADMSG,
			       "%s/%s: line %" PRIu64
			       " was changed: its hash is not the one in tiles/; " CURE,
			       rec->dir, s->name, seq);
	return r;
}

static int on_line(void *ctx, const struct ledger_read_segment *s, uint64_t seq, const char *line,
		   size_t size)
{
	struct recovery *rec = ctx;
	struct digest leaf;
	struct why why;
	int r = merkle_leaf(line, size, &leaf);

	if (r >= 0)
		r = compare_tile(rec, s, seq, &leaf);
	if (r == 0 && rec->last && !is_line(line, size, seq)) {
		r = cut_from(rec, s, seq);
		if (r > 0)
			return r;
	}
	if (r >= 0)
		r = ledger_tiles_add(rec->l.tiles, &leaf);
	if (r >= 0)
		r = merkle_add(&rec->l.tree, &leaf);
	/* The segment was synced before it was read, so its tiles may be written. */
	if (r >= 0 && ledger_tiles_waiting(rec->l.tiles) >= MAX_WAITING)
		r = ledger_tiles_flush(rec->l.tiles);
	rec->l.at += size + 1;
	/* A malformed one is the checkers' business. */
	ledger_prune_read(line, size, &rec->found.pruned, &why);
	return r;
}

static int on_torn(void *ctx, const struct ledger_read_segment *s, uint64_t at, size_t size)
{
	struct recovery *rec = ctx;

	if (!rec->last || s->packed)
		return why_set(rec->why, -EBADMSG,
			       "%s/%s: byte %" PRIu64 ": a line has no end; " CURE, rec->dir,
			       s->name, at);
	rec->cut = true;
	rec->cut_at = at;
	rec->found.torn_line_bytes = size;
	return 0;
}

/*
 * What the page cache shows may never have reached the disk, so each segment is synced before anything rests on it (NO_RESYNC in
 * the model). Of a plain file and a .zst, which a crash leaves, the plain one counts and the other goes.
 */
static int sync_segment(struct recovery *rec, uint64_t first)
{
	char path[PATH_MAX];
	int fd, r = segment_path(rec, first, "", path);

	if (r < 0)
		return r;
	fd = fsio_open(rec->io, path, O_RDONLY, 0);
	if (fd == -ENOENT) {
		segment_path(rec, first, ".zst", path);
		fd = fsio_open(rec->io, path, O_RDONLY, 0);
	} else if (fd >= 0) {
		segment_path(rec, first, ".zst", path);
		r = fsio_unlink(rec->io, path);
		r = r == -ENOENT ? 0 : r;
	}
	if (fd < 0)
		return fd;
	if (r >= 0)
		r = fsio_sync(rec->io, fd);
	fsio_close(rec->io, fd);
	return r;
}

/* The newest segment is written on. Only a torn end is cut, of one line or more; a header that is torn leaves no segment. */
static int settle_last(struct recovery *rec, uint64_t first)
{
	char path[PATH_MAX];
	int r = segment_path(rec, first, "", path);

	if (r < 0 || rec->packed)
		return r;
	if (rec->cut && rec->cut_at == 0) {
		r = fsio_unlink(rec->io, path);
		return r < 0 ? r : fsio_sync_dir(rec->io, rec->dir);
	}
	rec->l.fd = fsio_open(rec->io, path, O_WRONLY, 0);
	if (rec->l.fd < 0 || !rec->cut)
		return rec->l.fd < 0 ? rec->l.fd : 0;
	r = fsio_truncate(rec->io, rec->l.fd, rec->cut_at);
	return r < 0 ? r : fsio_sync(rec->io, rec->l.fd);
}

/* A hash in tiles/ without its line: no crash does that, somebody cut lines off. */
static int nothing_missing(struct recovery *rec)
{
	uint64_t next = rec->l.tree.size;
	struct digest tile;
	int r = ledger_tiles_leaf(rec->io, rec->dir, &rec->cache, next, &tile);

	if (r >= 0)
		return why_set(rec->why, -EBADMSG,
			       "%s: line %" PRIu64 " is missing: tiles/ has its hash; " CURE,
			       rec->dir, next);
	return r == -ENODATA ? 0 : r;
}

static int read_segments(struct recovery *rec, const uint64_t *firsts, uint32_t n)
{
	const struct ledger_read_calls calls = {rec, on_segment, on_line, on_torn, on_broken};
	int r = 0;

	for (uint32_t i = 0; i < n && r >= 0; i++) {
		rec->why->text[0] = 0;
		rec->last = i + 1 == n;
		r = sync_segment(rec, firsts[i]);
		if (r >= 0)
			r = ledger_read_one(rec->io, rec->dir, firsts[i], &calls, rec->why);
		if (r < 0 && !rec->why->text[0])
			why_set(rec->why, r, "%s/events-%020" PRIu64 ".jsonl: %s", rec->dir,
				firsts[i], strerror(-r));
	}
	return r;
}

/* How many of the oldest segments are packed and no more: those and their tiles were synced before the plain file went. */
static uint32_t count_packed(const struct recovery *rec, const uint64_t *firsts, uint32_t n)
{
	char path[PATH_MAX];
	uint32_t i;

	for (i = 0; i < n; i++) {
		int fd = segment_path(rec, firsts[i], "", path) < 0
				 ? -ENAMETOOLONG
				 : fsio_open(rec->io, path, O_RDONLY, 0);

		if (fd >= 0)
			fsio_close(rec->io, fd);
		if (fd != -ENOENT)
			break;
	}
	return i;
}

static int recover_lines(struct recovery *rec)
{
	CLEANUP_FREE uint64_t *firsts = NULL;
	uint32_t n = 0, packed, skip;
	int r = ledger_read_list(rec->dir, &firsts, &n, rec->why);

	if (r >= 0) {
		packed = count_packed(rec, firsts, n);
		skip = packed > 1 ? packed - 1 : 0;
		r = read_segments(rec, firsts + skip, n - skip);
		/* Its tiles are not there: they are made anew from all lines. */
		if (r == -ENODATA && skip > 0 && !rec->l.tiles)
			r = read_segments(rec, firsts, n);
		r = r == -ENODATA ? -EBADMSG : r;
	}
	if (r >= 0 && n > 0)
		r = settle_last(rec, firsts[n - 1]);
	if (r >= 0 && !rec->l.tiles)
		r = ledger_tiles_open(rec->io, rec->dir, 0, &rec->l.tiles);
	return r < 0 ? r : nothing_missing(rec);
}

static int take_anchor(void *ctx, const struct ledger_anchor *a, uint64_t end)
{
	struct ledger_recovery *f = ctx;

	(void)end;
	switch (a->kind) {
	case LEDGER_ANCHOR_EPOCH:
		f->has_epoch = true;
		f->epoch = *a;
		if (a->epoch.base != LEDGER_BASE_CONTINUES) {
			f->fold = a->epoch.found;
			f->anchored_size = 0;
		}
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

/* Opens anchors at its end; a torn last record is cut. */
static int read_anchors(struct recovery *rec)
{
	struct ledger_recovered *l = &rec->l;
	struct ledger_anchors_end end;
	int r = ledger_anchors_magic(rec->io, l->anchors_fd);

	if (r == -EBADMSG)
		return why_set(rec->why, r,
			       "%s/anchors: does not start with plumb-anchors-v1; " CURE, rec->dir);
	if (r >= 0)
		r = ledger_anchors_walk(rec->io, l->anchors_fd, LEDGER_ANCHORS_START, take_anchor,
					&rec->found, &end, rec->why);
	if (r < 0)
		return r;
	l->anchors_at = end.at;
	rec->found.torn_anchor_bytes = end.size - end.at;
	r = rec->found.torn_anchor_bytes ? fsio_truncate(rec->io, l->anchors_fd, l->anchors_at) : 0;
	return r < 0 ? r : fsio_sync(rec->io, l->anchors_fd);
}

static int recover_anchors(struct recovery *rec)
{
	char path[PATH_MAX];
	int fd, r = path_of(rec, "anchors", path);

	if (r < 0)
		return r;
	fd = fsio_open(rec->io, path, O_RDWR, 0);
	r = fd < 0 ? fd : ledger_anchors_magic(rec->io, fd);
	if (fd >= 0)
		fsio_close(rec->io, fd);
	if (r == -ENOENT || r == -ENODATA)
		r = fsio_replace_file(rec->io, path, LEDGER_ANCHORS_MAGIC, LEDGER_ANCHORS_START,
				      0600);
	if (r < 0 && r != -EBADMSG)
		return why_set(rec->why, r, "%s: %s", path, strerror(-r));
	rec->l.anchors_fd = fsio_open(rec->io, path, O_RDWR, 0);
	return rec->l.anchors_fd < 0 ? rec->l.anchors_fd : read_anchors(rec);
}

/* Where the last whole line ends, and the file. */
static int end_of_lines(const struct fsio *io, int fd, uint64_t *ret_end, uint64_t *ret_size)
{
	char chunk[16384];
	size_t n;
	int r;

	*ret_end = *ret_size = 0;
	do {
		const char *last;

		r = fsio_read_full(io, fd, chunk, sizeof(chunk), *ret_size, &n);
		last = r >= 0 && n > 0 ? memrchr(chunk, '\n', n) : NULL;
		if (last)
			*ret_end = *ret_size + (uint64_t)(last - chunk) + 1;
		*ret_size += r >= 0 ? n : 0;
	} while (r >= 0 && n == sizeof(chunk));
	return r;
}

static int recover_notes(struct recovery *rec)
{
	struct ledger_recovered *l = &rec->l;
	char path[PATH_MAX];
	uint64_t size;
	int r = path_of(rec, "notes", path);

	if (r < 0)
		return r;
	l->notes_fd = fsio_open(rec->io, path, O_RDWR | O_CREAT, 0600);
	if (l->notes_fd < 0)
		return l->notes_fd;
	/* A line without its end was never acknowledged to anybody. */
	r = end_of_lines(rec->io, l->notes_fd, &l->notes_at, &size);
	if (r >= 0 && l->notes_at < size)
		r = fsio_truncate(rec->io, l->notes_fd, l->notes_at);
	if (r >= 0)
		r = fsio_sync(rec->io, l->notes_fd);
	return r < 0 ? r : fsio_sync_dir(rec->io, rec->dir);
}

static int fold_pending(struct recovery *rec)
{
	struct ledger_recovery *f = &rec->found;
	struct checkpoint c = {.size = f->pending_size, .root = f->pending_root};
	struct digest d;
	int r;

	f->fold_pending = f->fold;
	if (!f->has_pending)
		return 0;
	snprintf(c.origin, sizeof(c.origin), "%s", rec->origin);
	r = checkpoint_digest(&c, &d);
	return r < 0 ? r : checkpoint_fold(&f->fold_pending, &d);
}

int ledger_recover(const struct fsio *io, const char *dir, const char *origin,
		   struct ledger_recovered *ret, struct ledger_recovery *ret_found,
		   struct why *ret_why)
{
	struct recovery rec = {.io = io, .dir = dir, .origin = origin, .why = ret_why};
	int r;

	rec.l.fd = rec.l.anchors_fd = rec.l.notes_fd = -1;
	ret_why->text[0] = 0;
	r = recover_lines(&rec);
	if (r >= 0)
		r = recover_anchors(&rec);
	if (r >= 0)
		r = recover_notes(&rec);
	if (r >= 0)
		r = fold_pending(&rec);
	if (r < 0) {
		if (!ret_why->text[0])
			why_set(ret_why, r, "%s: %s", dir, strerror(-r));
		ledger_recover_close(io, &rec.l);
		return r;
	}
	*ret = rec.l;
	*ret_found = rec.found;
	return 0;
}

void ledger_recover_close(const struct fsio *io, struct ledger_recovered *l)
{
	int *fds[] = {&l->fd, &l->anchors_fd, &l->notes_fd};

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		if (*fds[i] >= 0)
			fsio_close(io, *fds[i]);
		*fds[i] = -1;
	}
	l->tiles = ledger_tiles_free(l->tiles);
}
