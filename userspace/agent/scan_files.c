/* SPDX-License-Identifier: Apache-2.0 */
#include "scan_files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "hash_pieces.h"
#include "log.h"

struct scan_files {
	struct scan_files_options o;
	struct event *slice_event, *pass_event, *want_event;
	uint32_t next; /* number of the file that comes next, when a pass runs */
	uint32_t resume; /* where a pass that reads anew stood when it gave way */
	uint32_t n_passes;
	bool running, anew; /* anew: the pass that runs is one that reads all content */
	bool again,
		want_anew; /* a quick one; one that reads anew: to be begun when this one ends */
	bool drop,
		want_drop; /* what lies in memory is let go before a file is read; in the pass that comes */
	bool asked; /* by scan_files_anew(), and not answered yet */
	struct hash_pieces *pieces; /* of the file that comes next; NULL: it was not begun */
};

static const struct timeval at_once = {0, 0};

static struct timeval after_ms(uint32_t ms)
{
	return (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
}

static void begin(struct scan_files *s, bool anew, uint32_t from)
{
	/* Files that came unseen: the walk is part of the pass. */
	for (uint32_t i = 0; i < file_set_n_roots(s->o.files); i++)
		(void)file_set_discover(s->o.files, file_set_root_at(s->o.files, i));
	s->pieces = hash_pieces_free(s->pieces);
	s->next = from;
	s->anew = anew;
	s->running = true;
}

static void let_go(const char *path)
{
	CLEANUP_CLOSE int fd =
		open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd >= 0)
		(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

static void check(struct scan_files *s, const char *path, bool anew)
{
	const struct file_set_deed deed = {
		.src = "scan", .op = "rescan", .anew = anew, .ask = s->o.ask, .ctx = s->o.ctx};
	char copy[PATH_MAX]; /* who is asked may drop what has gone */
	int r;

	snprintf(copy, sizeof(copy), "%s", path);
	r = file_set_check(s->o.files, copy, &deed);
	if (r < 0)
		log_error("scan=files path=\"%s\" error=%s next=\"again in the next pass\"", copy,
			  strerrorname_np(-r));
}

/* A piece of a large file, or a file. false: there are no more. */
static bool step(struct scan_files *s)
{
	const char *path = file_set_path_at(s->o.files, s->next);
	int r = 0;

	if (!path)
		return false;
	if (!s->pieces) {
		if (s->drop && s->anew)
			let_go(path);
		r = hash_pieces_open(file_set_hash_cache(s->o.files), path, s->anew, &s->pieces);
		if (r != 1)
			check(s, path, s->anew);
	} else {
		r = hash_pieces_step(s->pieces);
		/* What the cache has now; a file that changes under our hands, or changed just now, is read once more as a whole. */
		if (r != 1) {
			s->pieces = hash_pieces_free(s->pieces);
			check(s, path, r < 0 && s->anew);
		}
	}
	s->next += r != 1;
	return true;
}

/* Until the time is up. true: the pass is done. */
static bool slice(struct scan_files *s, uint64_t until_ns)
{
	do {
		if (!step(s))
			return true;
	} while (clock_boot_ns(s->o.clock) < until_ns);
	return false;
}

static void start(struct scan_files *s, bool anew, uint32_t from)
{
	begin(s, anew, from);
	event_add(s->slice_event, &at_once);
}

static void end(struct scan_files *s)
{
	bool answer = s->anew && s->asked && !s->want_anew;

	s->running = false;
	s->drop &= !s->anew;
	if (s->n_passes++ == 0 && s->o.measured)
		s->o.measured(s->o.ctx);
	if (s->again) {
		s->again = false;
		start(s, false, 0);
	} else if (s->want_anew) {
		s->want_anew = false;
		s->drop = s->want_drop;
		s->want_drop = false;
		start(s, true, s->resume);
		s->resume = 0;
	}
	if (!answer)
		return;
	s->asked = false;
	if (s->o.done)
		s->o.done(s->o.ctx);
}

/*
 * As long a rest as the work took: half of one core at most. What is read anew may come from the disk, and has a bound of its own; what a quick
 * pass reads has changed, and is wanted now.
 */
static uint32_t rest_ms(const struct scan_files *s, uint64_t n_bytes)
{
	uint64_t ms = s->anew ? n_bytes * 1000 / s->o.bytes_s : 0;

	return ms > s->o.slice_ms ? ms > 60000 ? 60000 : (uint32_t)ms : s->o.slice_ms;
}

static void on_slice(evutil_socket_t fd, short what, void *ctx)
{
	struct scan_files *s = ctx;
	uint64_t before = file_set_n_bytes(s->o.files);
	struct timeval tv;

	(void)fd;
	(void)what;
	if (slice(s, clock_boot_ns(s->o.clock) + s->o.slice_ms * 1000000ull)) {
		end(s);
		return;
	}
	tv = after_ms(rest_ms(s, file_set_n_bytes(s->o.files) - before));
	event_add(s->slice_event, &tv);
}

void scan_files_now(struct scan_files *s)
{
	if (s->running && !s->anew) {
		s->again = true;
		return;
	}
	/* Who reads anew may take minutes, and goes on where it was. */
	if (s->running) {
		s->resume = s->want_anew ? 0 : s->next;
		s->want_anew = true;
		s->want_drop |= s->drop;
		s->drop = false;
	}
	start(s, false, 0);
}

void scan_files_anew(struct scan_files *s)
{
	s->asked = true;
	s->resume = 0;
	if (s->running)
		s->want_anew = true;
	else
		start(s, true, 0);
}

void scan_files_from_disk(struct scan_files *s)
{
	s->resume = 0;
	if (s->running) {
		s->want_anew = s->want_drop = true;
		return;
	}
	s->drop = true;
	start(s, true, 0);
}

static void on_pass(evutil_socket_t fd, short what, void *ctx)
{
	struct scan_files *s = ctx;

	(void)fd;
	(void)what;
	/* A quick one is over soon; whoever wants many of them does not keep the content from being read. */
	if (!s->running)
		start(s, true, 0);
	else if (!s->anew)
		s->want_anew = true;
}

static void on_wanted(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	scan_files_now(ctx);
}

/* A moment later: what sensors know of a change they tell first, with who made it. */
static void on_want(void *ctx)
{
	const struct timeval soon = {0, 100000};
	struct scan_files *s = ctx;

	if (!evtimer_pending(s->want_event, NULL))
		event_add(s->want_event, &soon);
}

int scan_files_open(struct event_base *base, const struct scan_files_options *o,
		    struct scan_files **ret, struct why *ret_why)
{
	struct scan_files *s = calloc(1, sizeof(*s));
	struct timeval tv;

	if (!s)
		return -ENOMEM;
	s->o = *o;
	s->o.interval_ms = o->interval_ms ? o->interval_ms : 3600000;
	s->o.slice_ms = o->slice_ms ? o->slice_ms : 20;
	s->o.bytes_s = o->bytes_s ? o->bytes_s : SCAN_FILES_BYTES_S;
	tv = after_ms(s->o.interval_ms);
	s->slice_event = evtimer_new(base, on_slice, s);
	s->want_event = evtimer_new(base, on_wanted, s);
	s->pass_event = event_new(base, -1, EV_PERSIST, on_pass, s);
	if (!s->slice_event || !s->want_event || !s->pass_event ||
	    event_add(s->pass_event, &tv) < 0) {
		scan_files_free(s);
		return why_set(ret_why, -ENOMEM, "no timer for the scan of files");
	}
	(void)file_set_on_want(s->o.files, on_want, s);
	if (o->first_now) {
		begin(s, false, 0);
		while (!slice(s, UINT64_MAX))
			;
		end(s);
	} else {
		scan_files_now(s);
	}
	*ret = s;
	return 0;
}

struct scan_files *scan_files_free(struct scan_files *s)
{
	if (!s)
		return NULL;
	(void)file_set_on_want(s->o.files, NULL, s);
	hash_pieces_free(s->pieces);
	if (s->slice_event)
		event_free(s->slice_event);
	if (s->want_event)
		event_free(s->want_event);
	if (s->pass_event)
		event_free(s->pass_event);
	free(s);
	return NULL;
}

uint32_t scan_files_n_passes(const struct scan_files *s)
{
	return s->n_passes;
}
