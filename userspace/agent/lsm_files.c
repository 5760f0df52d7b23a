/* SPDX-License-Identifier: Apache-2.0 */
#include "lsm_files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "hash_pieces.h"
#include "log.h"
#include "old_writers.h"
#include "watch_lsm.h"

struct lsm_files {
	struct lsm_files_options o;
	struct watch_lsm *watch;
	struct old_writers *old_writers;
};

static struct loader *loader_of(void *ctx)
{
	return sensor_bpf_loader(((struct lsm_files *)ctx)->o.bpf);
}

static int on_mark(void *ctx, int fd, uint32_t mark)
{
	return loader_mark(loader_of(ctx), fd, mark);
}

static uint64_t on_marks_failed(void *ctx)
{
	return loader_marks_failed(loader_of(ctx));
}

#define FILES 4 /* of struct plumb_counters' kinds */

/* 0 where they cannot be read: then they are not told as lost either, and the hour's scan is what is left. */
static uint64_t on_dropped(void *ctx)
{
	const struct loader *l = loader_of(ctx);
	uint32_t n = loader_n_cpus(l);
	struct plumb_counters *c = calloc(n, sizeof(*c));
	uint64_t sum = 0;

	if (c && loader_counters(l, c, n) >= 0)
		for (uint32_t i = 0; i < n; i++)
			sum += c[i].dropped_by_kind[FILES];
	free(c);
	return sum;
}

static void on_flush(void *ctx)
{
	sensor_bpf_drain(((struct lsm_files *)ctx)->o.bpf);
}

static bool on_is_watched(void *ctx, uint32_t dev, uint64_t ino)
{
	return inode_marks_is_marked(watch_lsm_marks(((struct lsm_files *)ctx)->watch), dev, ino);
}

static int on_old_writers(void *ctx, bool on)
{
	return loader_on_demand(loader_of(ctx), on);
}

static void on_old_writers_claim(void *ctx, const char *value)
{
	(void)scan_claims_put(((struct lsm_files *)ctx)->o.claims, "sensor:plumb_file_permission",
			      value);
}

/* Nobody knows whether, when and by whom it is written to. What is large is left to the scan: the loop would wait for it. */
static void on_mapped(void *ctx, uint32_t dev, uint64_t ino)
{
	const struct file_set_deed deed = {.src = "scan", .op = "rescan", .anew = true};
	struct lsm_files *f = ctx;
	const char *path;
	struct stat st;

	/* What was told meanwhile has somebody who did it. */
	on_flush(f);
	changes_look(f->o.changes);
	if (inode_marks_paths(watch_lsm_marks(f->watch), dev, ino, &path, 1) == 1 &&
	    lstat(path, &st) == 0 && st.st_size < (off_t)HASH_PIECES_MIN)
		(void)file_set_check(f->o.files, path, &deed);
}

/* Somebody may have a watched file open of whom no record tells. */
static void on_marked_late(void *ctx)
{
	struct lsm_files *f = ctx;

	if (f->old_writers)
		old_writers_look(f->old_writers);
}

/* A pass may never meet the namespace that had it, which lived for a moment: then the next one says that it is gone. */
static void on_told(void *ctx, const char *key, const char *value)
{
	int r = scan_claims_note(((struct lsm_files *)ctx)->o.claims, key, value);

	if (r < 0)
		log_warning(
			"sensor=lsm key=\"%s\" error=%s next=\"it is not told when it is gone\"",
			key, strerrorname_np(-r));
}

static int start(struct lsm_files *f, struct event_base *base, const struct measure_sink *sink,
		 struct why *ret_why)
{
	const struct watch_lsm_options lsm = {.files = f->o.files,
					      .changes = f->o.changes,
					      .proctab = f->o.proctab,
					      .clock = f->o.clock,
					      .mark = on_mark,
					      .marks_failed = on_marks_failed,
					      .dropped = on_dropped,
					      .flush = on_flush,
					      .marked_late = on_marked_late,
					      .told = on_told,
					      .ctx = f,
					      .discover = f->o.discover};
	const struct old_writers_options old = {.held = proctab_held(f->o.proctab),
						.watched = on_is_watched,
						.attach = on_old_writers,
						.claim = on_old_writers_claim,
						.mapped = on_mapped,
						.ctx = f};
	int r;

	if (!f->o.bpf || !loader_is_attached(loader_of(f), "plumb_file_open"))
		return why_set(ret_why, -ENOTSUP, "opens of files are not seen");
	r = watch_lsm_open(base, &lsm, sink, &f->watch, ret_why);
	/* The programs are there and say nothing: so none of them counts. */
	if (r == -ENODATA) {
		loader_silence(loader_of(f), ret_why->text);
		scan_claims_bpf(f->o.claims, f->o.bpf, "");
	}
	/* After the marks: whoever has opened a file by then is found here, whoever opens one later is seen by them. */
	return r < 0 ? r : old_writers_open(base, &old, &f->old_writers);
}

int lsm_files_open(struct event_base *base, const struct lsm_files_options *o,
		   const struct measure_sink *sink, struct lsm_files **ret, struct why *ret_why)
{
	struct lsm_files *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return -ENOMEM;
	f->o = *o;
	*ret = f;
	r = start(f, base, sink, ret_why);
	if (r < 0)
		*ret = lsm_files_free(f);
	return r;
}

struct lsm_files *lsm_files_free(struct lsm_files *f)
{
	if (!f)
		return NULL;
	old_writers_free(f->old_writers);
	watch_lsm_free(f->watch);
	free(f);
	return NULL;
}

void lsm_files_take(struct lsm_files *f, const union event_record *r)
{
	if (f->watch)
		watch_lsm_take(f->watch, r);
}

int lsm_files_mounter(struct lsm_files *f, const char *point, bool umount, struct line_actor *ret)
{
	return f->watch ? watch_lsm_mounter(f->watch, point, umount, ret) : -ENOENT;
}
