/* SPDX-License-Identifier: Apache-2.0 */
#include "old_writers.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "log.h"

#define LOOKED_FOR "attached older writers are looked for"
#define PROCESSES_A_TURN 16
#define FIRST_TRIES 100 /* of as long as held_proc waits, for all processes together */
#define TURN_MS 5
#define MAPS_TEXT_MAX \
	(16u          \
	 << 20) /* bytes of one process's maps: twice as many lines as the kernel's own default bound */

enum turn { TURN_OVER, TURN_MORE, TURN_WAITS };

struct mapped {
	uint64_t ino;
	uint32_t dev;
};

struct old_writers {
	struct old_writers_options o;
	struct event_base *base;
	struct event *timer;
	DIR *proc; /* NULL: no pass is under way */
	char pid[24]; /* who is looked at; "": nobody */
	bool fds_done; /* of its two halves the first */
	struct buf text;
	uint32_t n_fds;
	bool whole; /* this pass has been able to look at all */
	bool fd_found;
	struct mapped mapped[OLD_WRITERS_MAX_MAPS];
	uint32_t n_mapped;
	bool attached;
	bool again; /* asked to look, and no pass has begun since */
	char told[128];
};

/* -EINPROGRESS: they did not come yet. */
static int look_at_fds(struct old_writers *w)
{
	const uint32_t pid = (uint32_t)strtoul(w->pid, NULL, 10);
	const struct held_proc_want want = {w->o.proc, pid, "fd",
					    OLD_WRITERS_MAX_FDS * sizeof(struct held_proc_fd)};
	struct held_proc_fd fd;
	int r;

	buf_clear(&w->text);
	r = held_proc_fds(w->o.held, &want, &w->text);
	if (r == -EINPROGRESS)
		return r;
	w->whole &= r >= 0 || r == -ENOENT || r == -ESRCH; /* it ended */
	for (size_t at = 0; r >= 0 && at < w->text.size && !w->fd_found; at += sizeof(fd)) {
		if (++w->n_fds > OLD_WRITERS_MAX_FDS) {
			w->whole = false;
			break;
		}
		memcpy(&fd, w->text.data + at, sizeof(fd));
		if (S_ISREG(fd.mode) && w->o.watched(w->o.ctx, fd.dev, fd.ino))
			w->fd_found = held_proc_fd_writes(w->o.proc, pid, fd.fd);
	}
	return 0;
}

static void note_mapped(struct old_writers *w, uint32_t dev, uint64_t ino)
{
	for (uint32_t i = 0; i < w->n_mapped; i++)
		if (w->mapped[i].dev == dev && w->mapped[i].ino == ino)
			return;
	if (w->n_mapped < OLD_WRITERS_MAX_MAPS)
		w->mapped[w->n_mapped++] = (struct mapped){ino, dev};
}

/* 7f…-7f… rw-s 00000000 08:01 1234 /path: shared, and to be written to. */
static void look_at_map(struct old_writers *w, const char *line)
{
	unsigned int major_nr, minor_nr;
	unsigned long long ino;
	char perms[5];

	if (sscanf(line, "%*x-%*x %4s %*x %x:%x %llu", perms, &major_nr, &minor_nr, &ino) == 4 &&
	    perms[3] == 's' && perms[1] == 'w' && ino != 0 &&
	    w->o.watched(w->o.ctx, major_nr << 20 | minor_nr, ino))
		note_mapped(w, major_nr << 20 | minor_nr, ino);
}

/* -EINPROGRESS: they did not come yet. */
static int look_at_maps(struct old_writers *w)
{
	const struct held_proc_want want = {w->o.proc, (uint32_t)strtoul(w->pid, NULL, 10), "maps",
					    MAPS_TEXT_MAX};
	char *line, *rest;
	int r;

	buf_clear(&w->text);
	r = held_proc_text(w->o.held, &want, &w->text);
	if (r == -EINPROGRESS)
		return r;
	w->whole &= r >= 0 || r == -ENOENT || r == -ESRCH; /* it ended */
	rest = r >= 0 ? (char *)w->text.data : NULL;
	while ((line = strsep(&rest, "\n")))
		look_at_map(w, line);
	return 0;
}

static void tell(struct old_writers *w, const char *value)
{
	if (strcmp(w->told, value) == 0)
		return;
	snprintf(w->told, sizeof(w->told), "%s", value);
	w->o.claim(w->o.ctx, value);
}

/* Words that stay while nothing else happens: how many there are would change by the minute. */
static void conclude(struct old_writers *w)
{
	bool needed = w->fd_found || w->n_mapped > 0 || !w->whole;
	char value[128];
	int r = 0;

	if (needed != w->attached)
		r = w->o.attach(w->o.ctx, needed);
	if (r < 0) {
		snprintf(value, sizeof(value), "absent %s",
			 r == -ENOTSUP ? "no such program is loaded" : strerror(-r));
		tell(w, value);
		w->attached = false;
		return;
	}
	w->attached = needed;
	snprintf(value, sizeof(value), "%s",
		 w->n_mapped > 0 ? "attached older writable mappings"
		 : w->fd_found	 ? "attached older writers"
		 : !w->whole	 ? "attached not all processes can be looked at"
				 : "absent no older writers");
	tell(w, value);
}

/* But ourselves. false: there are no more. */
static bool next_process(struct old_writers *w)
{
	struct dirent *e;
	char self[16];

	snprintf(self, sizeof(self), "%d", getpid());
	do {
		e = readdir(w->proc);
		if (!e)
			return false;
	} while (!isdigit((unsigned char)e->d_name[0]) || strcmp(e->d_name, self) == 0);
	snprintf(w->pid, sizeof(w->pid), "%.20s", e->d_name);
	w->fds_done = false;
	return true;
}

static enum turn step(struct old_writers *w, uint32_t n)
{
	for (; n > 0; n--) {
		if (!w->pid[0] && !next_process(w))
			return TURN_OVER;
		if (!w->fds_done && !w->fd_found && look_at_fds(w) == -EINPROGRESS)
			return TURN_WAITS;
		w->fds_done = true;
		if (look_at_maps(w) == -EINPROGRESS)
			return TURN_WAITS;
		w->pid[0] = '\0';
	}
	return TURN_MORE;
}

static bool begin(struct old_writers *w)
{
	if (w->proc)
		closedir(w->proc);
	w->proc = opendir(w->o.proc ? w->o.proc : "/proc");
	w->pid[0] = '\0';
	w->whole = w->proc != NULL;
	w->again = false;
	w->fd_found = false;
	w->n_mapped = 0;
	w->n_fds = 0;
	if (!w->proc)
		conclude(w);
	return w->proc != NULL;
}

static void end(struct old_writers *w)
{
	if (w->proc)
		closedir(w->proc);
	w->proc = NULL;
	buf_done(&w->text);
	/* What was marked while it ran may have been opened where it had been already. */
	if (!w->again)
		conclude(w);
	for (uint32_t i = 0; i < w->n_mapped && w->o.mapped; i++)
		w->o.mapped(w->o.ctx, w->mapped[i].dev, w->mapped[i].ino);
}

static void again_in(struct old_writers *w, uint32_t ms)
{
	const struct timeval tv = {ms / 1000, ms % 1000 * 1000};

	event_add(w->timer, &tv);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct old_writers *w = ctx;

	(void)fd;
	(void)what;
	if (!w->proc && !begin(w)) {
		again_in(w, w->o.interval_ms);
		return;
	}
	if (step(w, PROCESSES_A_TURN) != TURN_OVER) {
		again_in(w, TURN_MS);
		return;
	}
	end(w);
	if (w->again)
		again_in(w, w->o.pause_ms);
	else if (w->attached)
		again_in(w, w->o.interval_ms);
}

/*
 * Whoever opened what is asked for did so by now, so a pass that begins later finds him; the program sees his writes until then. Marking anew may be asked for by anybody who mounts something: the walk through all processes has a pace of its own.
 */
void old_writers_look(struct old_writers *w)
{
	if (!w->attached && w->o.attach(w->o.ctx, true) == 0) {
		w->attached = true;
		tell(w, LOOKED_FOR);
	}
	if (!w->proc && !w->again)
		again_in(w, w->o.pause_ms);
	w->again = true;
}

static void first_pass(struct old_writers *w)
{
	enum turn t = TURN_WAITS;

	if (begin(w)) {
		for (uint32_t i = 0; i < FIRST_TRIES && t != TURN_OVER; i++)
			t = step(w, UINT32_MAX);
		if (t != TURN_OVER) {
			if (w->attached)
				tell(w, LOOKED_FOR);
			again_in(w, TURN_MS);
			return;
		}
		end(w);
	}
	if (w->attached)
		again_in(w, w->o.interval_ms);
}

int old_writers_open(struct event_base *base, const struct old_writers_options *o,
		     struct old_writers **ret)
{
	struct old_writers *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->o = *o;
	w->o.interval_ms = o->interval_ms ? o->interval_ms : 30000;
	w->o.pause_ms = o->pause_ms ? o->pause_ms : 5000;
	w->base = base;
	w->timer = evtimer_new(base, on_timer, w);
	if (!w->timer) {
		free(w);
		return -ENOMEM;
	}
	if (w->o.attach(w->o.ctx, true) == 0)
		w->attached = true;
	first_pass(w);
	*ret = w;
	return 0;
}

struct old_writers *old_writers_free(struct old_writers *w)
{
	if (!w)
		return NULL;
	event_free(w->timer);
	if (w->proc)
		closedir(w->proc);
	buf_done(&w->text);
	free(w);
	return NULL;
}

bool old_writers_is_attached(const struct old_writers *w)
{
	return w->attached;
}
