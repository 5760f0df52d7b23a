/* SPDX-License-Identifier: Apache-2.0 */
#include "sensors_files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "lsm_files.h"
#include "mounts.h"
#include "overlay_below.h"
#include "raw_writes.h"
#include "scan_files.h"
#include "watch.h"

struct sensors_files {
	struct sensors_files_options o;
	struct changes *changes;
	struct watch *watch;
	struct lsm_files *lsm;
	struct mounts *mounts;
	struct scan_files *scan;
	struct raw_writes *raw;
	struct overlay_below *below;
	bool lives_told;
	int lives_error;
};

/* A sensor is there, or the ledger and the log say why not. */
static void tell_sensor(struct sensors_files *s, const char *name, int r, const struct why *why)
{
	if (r < 0)
		log_warning("sensor=%s absent=\"%s\" next=\"goes on without it; it is a claim in "
			    "the ledger\"",
			    name, why->text);
	scan_claims_sensor(s->o.claims, name, r >= 0, r < 0 ? why->text : "");
}

static void on_flush(void *ctx)
{
	struct sensors_files *s = ctx;

	if (s->o.bpf)
		sensor_bpf_drain(s->o.bpf);
}

static int on_mounter(void *ctx, const char *point, bool umount, struct line_actor *ret)
{
	struct sensors_files *s = ctx;

	return s->lsm ? lsm_files_mounter(s->lsm, point, umount, ret) : -ENOENT;
}

/* Below the files' own file system: what is in them now is read from the disk. Who it was, LSM has told. */
static void on_raw(void *ctx, const char *node)
{
	struct sensors_files *s = ctx;

	log_notice("device=%s written=raw next=\"all files are read from the disk\"", node);
	if (s->scan)
		scan_files_from_disk(s->scan);
}

/* Of a layer without a path nobody is told by events; whoever watches files there is to know. */
static void tell_layers(struct sensors_files *s)
{
	const char *point = NULL;
	bool all = true;

	if (!s->below || overlay_below_read(s->below) < 0) {
		(void)scan_claims_sensor(s->o.claims, "overlay_layers", false,
					 "the mounts cannot be read");
		return;
	}
	for (uint32_t i = 0; i < file_set_n_roots(s->o.files); i++)
		all &= overlay_below_reaches(s->below, file_set_root_at(s->o.files, i));
	while ((point = overlay_below_point(s->below, point)))
		all &= !file_set_covers(s->o.files, point) ||
		       overlay_below_reaches(s->below, point);
	(void)scan_claims_sensor(s->o.claims, "overlay_layers", all,
				 "a layer below watched files has no path here: what is written "
				 "there past the overlay only the rescan sees");
}

/* Whoever has no inotify watch left reads each program anew at each run. */
static void tell_lives(struct sensors_files *s)
{
	int r = hash_cache_lives_error(file_set_hash_cache(s->o.files));
	struct why why = {""};

	if (s->lives_told && r == s->lives_error)
		return;
	if (r < 0)
		why_set(&why, r, "%s: programs on others than the root are read at each run",
			strerrorname_np(-r));
	s->lives_told = true;
	s->lives_error = r;
	tell_sensor(s, "file_systems", r, &why);
}

/* Something was mounted, or events were lost. */
static void on_want(void *ctx)
{
	struct sensors_files *s = ctx;

	tell_layers(s);
	tell_lives(s);
	if (s->raw)
		raw_writes_again(s->raw);
}

static void start_raw(struct sensors_files *s, struct event_base *base)
{
	const struct raw_writes_options raw = {.files = s->o.files, .written = on_raw, .ctx = s};
	struct why why = {""};
	int r = raw_writes_open(base, &raw, &s->raw, &why);

	tell_sensor(s, "raw_writes", r, &why);
}

static void on_scanned(void *ctx)
{
	struct sensors_files *s = ctx;

	tell_lives(s);
	s->o.scanned(s->o.ctx);
}

static void on_measured(void *ctx)
{
	struct sensors_files *s = ctx;

	s->o.measured(s->o.ctx);
}

/*
 * A scan knows nobody, and what it finds first is told without who did it. The kernel has spoken before the change could be found: what waits is
 * taken now.
 */
static void on_ask(void *ctx, const char *path, bool anew)
{
	struct sensors_files *s = ctx;

	on_flush(s);
	if (s->watch)
		watch_hear(s->watch);
	changes_before_scan(s->changes, path, anew);
}

/* Marks first, then the first measurement: nothing may change between the two unseen. */
static int start(struct sensors_files *s, struct event_base *base, const struct measure_sink *sink)
{
	const struct changes_options changes = {.files = s->o.files,
						.proctab = s->o.proctab,
						.clock = s->o.clock,
						.first = on_flush,
						.ctx = s};
	struct watch_options watch = {.files = s->o.files};
	struct lsm_files_options lsm = {.files = s->o.files,
					.proctab = s->o.proctab,
					.clock = s->o.clock,
					.bpf = s->o.bpf,
					.claims = s->o.claims};
	const struct mounts_options mounts = {
		.files = s->o.files, .clock = s->o.clock, .mounter = on_mounter, .ctx = s};
	const struct scan_files_options scan = {.files = s->o.files,
						.clock = s->o.clock,
						.interval_ms = s->o.rescan_ms,
						.done = s->o.scanned ? on_scanned : NULL,
						.measured = s->o.measured ? on_measured : NULL,
						.ask = on_ask,
						.ctx = s};
	struct why why = {""};
	int seen, r = changes_open(base, &changes, sink, &s->changes);

	if (r < 0)
		return r;
	watch.changes = lsm.changes = s->changes;
	seen = watch_open(base, &watch, &s->watch, &why);
	tell_sensor(s, "fanotify", seen, &why);
	lsm.discover = seen < 0;
	r = lsm_files_open(base, &lsm, sink, &s->lsm, &why);
	tell_sensor(s, "marks", r, &why);
	seen = seen < 0 ? r : seen;
	r = mounts_open(base, &mounts, sink, &s->mounts, &why);
	tell_sensor(s, "mountinfo", r, &why);
	r = scan_files_open(base, &scan, &s->scan, &why);
	tell_sensor(s, "rescan", r, &why);
	start_raw(s, base);
	(void)overlay_below_open(NULL, NULL, &s->below);
	tell_layers(s);
	tell_lives(s);
	(void)file_set_on_want(s->o.files, on_want, s);
	return seen < 0 && r < 0 ? -ENOTSUP : 0;
}

int sensors_files_open(struct event_base *base, const struct sensors_files_options *o,
		       const struct measure_sink *sink, struct sensors_files **ret)
{
	struct sensors_files *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->o = *o;
	*ret = s;
	return start(s, base, sink);
}

struct sensors_files *sensors_files_free(struct sensors_files *s)
{
	if (!s)
		return NULL;
	(void)file_set_on_want(s->o.files, NULL, s);
	overlay_below_free(s->below);
	raw_writes_free(s->raw);
	scan_files_free(s->scan);
	mounts_free(s->mounts);
	lsm_files_free(s->lsm);
	watch_free(s->watch);
	changes_free(s->changes);
	free(s);
	return NULL;
}

void sensors_files_take(struct sensors_files *s, const union event_record *r)
{
	if (r->event.kind == PLUMB_KIND_SURFACE) {
		if (r->surface.what == PLUMB_SURFACE_BLOCK && s->raw)
			raw_writes_opened(s->raw, (uint32_t)r->surface.number);
		if (r->surface.what == PLUMB_SURFACE_EXCHANGE && s->raw)
			raw_writes_exchanged(s->raw, (uint32_t)r->surface.number);
		return;
	}
	if (s->lsm)
		lsm_files_take(s->lsm, r);
}

void sensors_files_now(struct sensors_files *s)
{
	if (s->scan)
		scan_files_now(s->scan);
}

void sensors_files_anew(struct sensors_files *s)
{
	if (s->scan)
		scan_files_anew(s->scan);
}
