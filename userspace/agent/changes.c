/* SPDX-License-Identifier: Apache-2.0 */
#include "changes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "log.h"

#define MARKERS_MAX 2
#define NEIGHBOURS_MAX 64 /* notes before one that are looked at for the same path */
#define WENT (CHANGES_DELETE | CHANGES_MOVED_FROM)
#define MAY_CREATE 0x100u /* said before it is known whether the name is there */
#define CAME (CHANGES_CREATE | CHANGES_MOVED_TO)
#define MAY_COME \
	0x400u /* to a layer of an overlay: it may be new, a copy of what was below, or hide that */
#define HOW (CHANGES_ON_DIR | CHANGES_BEFORE | CHANGES_BELOW | MAY_COME) /* no deed of its own */

struct pending {
	char *path;
	char *other; /* the other end of a move */
	const char *src;
	uint64_t start_ns, boot_ns;
	uint64_t changed_ns; /* when we looked and it was other than before; 0: it was not */
	uint32_t what, pid;
	bool told; /* only what is other than was told is news */
};

/* A deed that was told before it was done. */
struct hint {
	struct pending p;
	uint32_t looks; /* that were taken again */
	uint32_t told; /* what a line says already: fanotify may come late to say it, too */
	struct timeval due;
};

struct changes {
	struct changes_options o;
	struct measure_sink sink;
	struct event_base *base;
	struct event *timer, *again;
	struct changes_marker markers[MARKERS_MAX];
	uint32_t n_markers;
	struct pending pending[CHANGES_MAX];
	uint32_t n_pending;
	bool looking;
	struct hint hints[CHANGES_MAX_HINTS]; /* the oldest first */
	uint32_t n_hints;
};

static void pending_done(struct pending *p)
{
	free(p->path);
	free(p->other);
}

void changes_lost(struct changes *c, const char *src, uint64_t n, const char *what)
{
	log_warning("sensor=%s lost=%llu what=\"%s\" next=\"all files are measured anew\"", src,
		    (unsigned long long)n, what);
	c->sink.lost(c->sink.ctx, src, n, what);
	file_set_want_scan(c->o.files);
}

static void mark(struct changes *c, const char *path)
{
	for (uint32_t i = 0; i < c->n_markers; i++)
		c->markers[i].mark(c->markers[i].ctx, path);
}

static void drop(struct changes *c, const char *path, bool below_too)
{
	for (uint32_t i = 0; i < c->n_markers; i++)
		c->markers[i].drop(c->markers[i].ctx, path, below_too);
}

static const char *op_of(uint32_t what)
{
	if (what & MAY_COME && what & CHANGES_WRITE)
		return "write";
	if (what & CHANGES_MOVED_TO)
		return "moved_to";
	if (what & CHANGES_MOVED_FROM)
		return "moved_from";
	if (what & CHANGES_CREATE)
		return "create";
	if (what & CHANGES_DELETE)
		return "delete";
	if (what & CHANGES_WRITE)
		return "write";
	return "attr";
}

static bool below(const char *path, const char *above)
{
	size_t n = strlen(above);

	return strncmp(path, above, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

/* 1: other than before, 0: not. */
static int check(struct changes *c, const char *path, const struct file_set_deed *deed)
{
	int r = file_set_check(c->o.files, path, deed);

	if (r < 0 && r != -ENOENT)
		changes_lost(c, deed->src, 1, "a file that changed could not be measured");
	return r > 0;
}

/* A directory came: what is in it was there before its mark was. */
static int dir_came(struct changes *c, const char *path, const struct file_set_deed *deed)
{
	uint32_t n = file_set_n(c->o.files);
	int changed = 0;

	if (file_set_discover(c->o.files, path) == -ENOSPC)
		changes_lost(c, deed->src, 1, "a new directory does not fit into the set of files");
	for (uint32_t i = 0; i < file_set_n(c->o.files); i++) {
		const char *member = file_set_path_at(c->o.files, i);

		if (strcmp(member, path) == 0 || (i < n && !below(member, path)))
			continue;
		mark(c, member);
		changed |= check(c, member, deed);
	}
	return changed;
}

/* A directory went, and all that lay in it. The kernel does not tell those one by one. */
static int dir_went(struct changes *c, const char *path, const struct file_set_deed *deed)
{
	int changed = 0;

	for (uint32_t i = 0; i < file_set_n(c->o.files); i++) {
		const char *member = file_set_path_at(c->o.files, i);

		if (strcmp(member, path) != 0 && below(member, path))
			changed |= check(c, member, deed);
	}
	return changed;
}

/* 1: something is other than before. */
static int look_at(struct changes *c, const struct pending *p, const struct file_set_deed *deed)
{
	bool came = p->what & CAME, went = p->what & WENT;
	int changed = 0;
	struct stat st;
	bool there = lstat(p->path, &st) == 0;

	/* What was about to come or go may not have. */
	if (p->what & CHANGES_BEFORE) {
		came = came && there;
		went = went && !there;
	}
	if (went)
		drop(c, p->path, p->what & CHANGES_ON_DIR);
	if (went && (p->what & CHANGES_ON_DIR))
		changed |= dir_went(c, p->path, deed);
	if (came || (went && there))
		mark(c, p->path);
	changed |= check(c, p->path, deed);
	if (came && (p->what & CHANGES_ON_DIR))
		changed |= dir_came(c, p->path, deed);
	return changed;
}

/* A directory above watched files came or went: all of them are others now, by whoever did that. Marks follow with the scan. */
static int ancestor_moved(struct changes *c, const char *path, struct file_set_deed *deed)
{
	int changed = 0;

	deed->only_change = true;
	for (uint32_t i = 0; i < file_set_n(c->o.files); i++) {
		const char *member = file_set_path_at(c->o.files, i);

		if (below(member, path))
			changed |= check(c, member, deed);
	}
	file_set_want_scan(c->o.files);
	return changed;
}

enum look { LOOK_FIRST, LOOK_AGAIN, LOOK_ANEW, LOOK_TOLD };

static int look(struct changes *c, const struct pending *p, enum look how)
{
	char scope[CGROUPS_SCOPE_SIZE];
	struct line_actor actor;
	struct file_set_deed deed = {
		.src = p->src,
		.op = op_of(p->what),
		.other = p->other,
		.scope = scope,
		.actor = &actor,
		.anew = how == LOOK_ANEW || p->what & CHANGES_BELOW,
		.only_change = how == LOOK_AGAIN || how == LOOK_ANEW || p->told ||
			       (how == LOOK_FIRST && (p->what & CHANGES_BEFORE) &&
				!(p->what & CHANGES_ATTR)),
	};

	/* The baseline of the node judges its files, whoever changes them: the scope is the file's. */
	snprintf(scope, sizeof(scope), "host");
	(void)proctab_actor(c->o.proctab, p->pid, p->start_ns, &actor);
	if (file_set_covers(c->o.files, p->path))
		return look_at(c, p, &deed);
	return p->what & (CAME | WENT) ? ancestor_moved(c, p->path, &deed) : 0;
}

static bool earlier(const struct timeval *a, const struct timeval *b)
{
	return a->tv_sec < b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_usec < b->tv_usec);
}

static void settle(struct changes *c)
{
	const struct timeval tv = {c->o.settle_ms / 1000, c->o.settle_ms % 1000 * 1000};

	event_add(c->timer, &tv);
}

static void set_again(struct changes *c)
{
	struct timeval now, left, soonest = {0, 0};

	for (uint32_t i = 0; i < c->n_hints; i++)
		if (i == 0 || earlier(&c->hints[i].due, &soonest))
			soonest = c->hints[i].due;
	if (c->n_hints == 0)
		return;
	event_base_gettimeofday_cached(c->base, &now);
	timersub(&soonest, &now, &left);
	if (left.tv_sec < 0)
		left = (struct timeval){0, 0};
	event_add(c->again, &left);
}

static void due_in(struct changes *c, struct hint *h)
{
	uint32_t ms = c->o.again_ms[h->looks];
	struct timeval in = {ms / 1000, ms % 1000 * 1000}, now;

	event_base_gettimeofday_cached(c->base, &now);
	timeradd(&now, &in, &h->due);
}

static void remove_hint(struct changes *c, uint32_t i)
{
	pending_done(&c->hints[i].p);
	c->n_hints--;
	memmove(&c->hints[i], &c->hints[i + 1], (c->n_hints - i) * sizeof(c->hints[0]));
}

/* Takes what is in p. told: a line was written. */
static void keep_hint(struct changes *c, const struct pending *p, bool told)
{
	struct hint *h;

	for (uint32_t i = c->n_hints; i > 0; i--)
		if (c->hints[i - 1].p.pid == p->pid && strcmp(c->hints[i - 1].p.path, p->path) == 0)
			remove_hint(c, i - 1);
	if (c->n_hints == CHANGES_MAX_HINTS)
		remove_hint(c, 0);
	h = &c->hints[c->n_hints++];
	*h = (struct hint){.p = *p, .told = told || (p->what & CHANGES_ATTR) ? p->what : 0};
	due_in(c, h);
	set_again(c);
}

static void on_again(evutil_socket_t fd, short what, void *ctx)
{
	struct changes *c = ctx;
	struct timeval now;

	(void)fd;
	(void)what;
	event_base_gettimeofday_cached(c->base, &now);
	for (uint32_t i = 0; i < c->n_hints;) {
		struct hint *h = &c->hints[i];

		if (earlier(&now, &h->due)) {
			i++;
			continue;
		}
		(void)look(c, &h->p, LOOK_AGAIN);
		if (++h->looks == CHANGES_LOOKS) {
			remove_hint(c, i);
			continue;
		}
		due_in(c, h);
		i++;
	}
	set_again(c);
}

/* Who opened the file, as LSM named him, is who writes to it now. */
static void name_actor(struct changes *c, struct pending *p)
{
	const uint32_t deed = p->what & ~(uint32_t)HOW;

	for (uint32_t i = c->n_hints; i > 0 && p->start_ns == 0; i--) {
		struct hint *h = &c->hints[i - 1];

		if (h->p.pid != p->pid || strcmp(h->p.path, p->path) != 0)
			continue;
		p->start_ns = h->p.start_ns;
		p->src = h->p.src;
		p->told = (deed & ~h->told) == 0;
		h->told &= ~deed; /* once: the next one is another deed */
	}
}

/* What a deed on a layer is, the overlay shows. */
static uint32_t came_to_layer(const struct pending *p, bool was_there)
{
	struct stat st;

	if (lstat(p->path, &st) < 0)
		return CHANGES_DELETE;
	if (!was_there || p->what & WENT)
		return CHANGES_CREATE;
	/* A directory is copied for what is then done in it: that is told, and the copy is to be marked. */
	return p->what & CHANGES_ON_DIR ? CHANGES_WRITE | CHANGES_CREATE : CHANGES_WRITE;
}

/* The kernel asks before it knows whether the name is there: to create may be to open. */
static void create_or_open(const struct changes *c, struct pending *p)
{
	const char *value = file_set_value(c->o.files, p->path);
	bool there = value && strcmp(value, "absent") != 0;

	if (p->what & MAY_COME)
		p->what |= came_to_layer(p, there);
	else if ((p->what & MAY_CREATE) && !(p->what & CHANGES_CREATE))
		p->what |= there && !(p->what & WENT) ? CHANGES_WRITE : CHANGES_CREATE;
}

static bool may_have_told(const struct pending *earlier, const struct pending *p)
{
	return earlier->pid != p->pid && earlier->changed_ns != 0 &&
	       earlier->changed_ns >= p->boot_ns && strcmp(earlier->path, p->path) == 0;
}

/* An earlier deed of another process was told with what this one has left: we looked after this one was said. */
static bool is_told_with_another(const struct changes *c, uint32_t i)
{
	for (uint32_t k = i; k > 0 && i - k < NEIGHBOURS_MAX; k--)
		if (may_have_told(&c->pending[k - 1], &c->pending[i]))
			return true;
	for (uint32_t k = c->n_hints; k > 0; k--)
		if (may_have_told(&c->hints[k - 1].p, &c->pending[i]))
			return true;
	return false;
}

void changes_look(struct changes *c)
{
	/* What is noted while we look stays for the next time. */
	uint32_t n = c->n_pending;

	if (c->looking)
		return;
	c->looking = true;
	for (uint32_t i = 0; i < n; i++) {
		struct pending *p = &c->pending[i];

		name_actor(c, p);
		create_or_open(c, p);
		if (look(c, p, is_told_with_another(c, i) ? LOOK_TOLD : LOOK_FIRST))
			p->changed_ns = clock_boot_ns(c->o.clock);
	}
	for (uint32_t i = 0; i < n; i++) {
		/* What was put into a layer the overlay may show only when the kernel has forgotten what it covers. */
		if (c->pending[i].what & (CHANGES_BEFORE | MAY_COME))
			keep_hint(c, &c->pending[i], c->pending[i].changed_ns != 0);
		else
			pending_done(&c->pending[i]);
	}
	c->n_pending -= n;
	memmove(c->pending, c->pending + n, c->n_pending * sizeof(c->pending[0]));
	c->looking = false;
	if (c->n_pending > 0)
		settle(c);
}

/* Of it, or of a directory above it. */
static bool is_pending(const struct changes *c, const char *path)
{
	for (uint32_t i = 0; i < c->n_pending; i++)
		if (below(path, c->pending[i].path))
			return true;
	return false;
}

void changes_before_scan(struct changes *c, const char *path, bool anew)
{
	if (c->looking)
		return;
	if (is_pending(c, path))
		changes_look(c);
	/* LSM speaks before the deed, which may have come only after we looked; the last who was about to do it did. */
	for (uint32_t i = c->n_hints; i > 0; i--) {
		struct hint *h = &c->hints[i - 1];

		bool itself = strcmp(h->p.path, path) == 0, changed;

		if (!itself && !(below(path, h->p.path) && h->p.what & (CAME | WENT)))
			continue;
		changed = look(c, &h->p, anew ? LOOK_ANEW : LOOK_AGAIN);
		if (changed)
			h->told |= h->p.what;
		if (changed || itself)
			return;
	}
}

static void on_settled(evutil_socket_t fd, short what, void *ctx)
{
	struct changes *c = ctx;

	(void)fd;
	(void)what;
	if (c->o.first)
		c->o.first(c->o.ctx);
	changes_look(c);
}

bool changes_is_half_full(const struct changes *c)
{
	return c->n_pending > CHANGES_MAX / 2;
}

static bool same_end(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

/* What was told after the deed has its exact process by what LSM said before it, whichever is read first. */
static bool refines(const struct pending *p, const struct changes_note *n, uint32_t what)
{
	const uint32_t deed = what & ~(uint32_t)HOW;

	return n->start_ns && !p->start_ns && (deed & ~p->what) == 0;
}

/*
 * Notes of one path and one process come together. Only with the last one: an order of several processes' deeds on a path is kept. But LSM's
 * note may be read after fanotify's of the same deed, and of the next process's: then it says of the earlier one who did it.
 */
static bool merge(struct changes *c, const struct changes_note *n, uint32_t what)
{
	bool last = true;

	for (uint32_t i = c->looking ? 0 : c->n_pending; i > 0; i--) {
		struct pending *p = &c->pending[i - 1];
		uint32_t before = p->what & what & CHANGES_BEFORE;

		if (strcmp(p->path, n->path) != 0)
			continue;
		if (p->pid != n->pid || (n->other && !same_end(p->other, n->other)) ||
		    ((p->what ^ what) & CHANGES_ON_DIR) || (!last && !refines(p, n, what))) {
			last = false;
			continue;
		}
		/* One says that it is done: it need not be looked at again. */
		p->what = ((p->what | what) & ~(uint32_t)CHANGES_BEFORE) | before;
		if (n->start_ns) {
			p->start_ns = n->start_ns;
			p->src = n->src;
		}
		return true;
	}
	return false;
}

void changes_note(struct changes *c, const struct changes_note *n)
{
	struct pending *p;
	uint32_t what = n->what;

	if (what & CHANGES_LAYER && what & CAME)
		what = (what & ~(uint32_t)CAME) | MAY_COME;
	else if (what & CHANGES_BEFORE && what & CHANGES_CREATE && !(what & CHANGES_ON_DIR))
		what ^= CHANGES_CREATE | MAY_CREATE;
	what &= ~(uint32_t)CHANGES_LAYER;
	if (!file_set_touches(c->o.files, n->path) || merge(c, n, what))
		return;
	if (c->n_pending == CHANGES_MAX) { /* not looked at here: the caller holds borrowed paths */
		changes_lost(c, n->src, 1, "more paths change at once than can be kept");
		return;
	}
	p = &c->pending[c->n_pending];
	*p = (struct pending){
		.path = strdup(n->path),
		.other = n->other ? strdup(n->other) : NULL,
		.src = n->src,
		.start_ns = n->start_ns,
		.boot_ns = n->boot_ns,
		.what = what,
		.pid = n->pid,
	};
	if (!p->path) {
		free(p->other);
		changes_lost(c, n->src, 1, "out of memory");
		return;
	}
	if (c->n_pending++ == 0)
		settle(c);
}

int changes_add_marker(struct changes *c, const struct changes_marker *m)
{
	if (c->n_markers == MARKERS_MAX)
		return -ENOSPC;
	c->markers[c->n_markers++] = *m;
	return 0;
}

void changes_remove_marker(struct changes *c, void *ctx)
{
	for (uint32_t i = 0; i < c->n_markers; i++)
		if (c->markers[i].ctx == ctx)
			c->markers[i] = c->markers[--c->n_markers];
}

int changes_open(struct event_base *base, const struct changes_options *o,
		 const struct measure_sink *sink, struct changes **ret)
{
	static const uint32_t again[CHANGES_LOOKS] = {1000, 10000};
	struct changes *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->o = *o;
	c->sink = *sink;
	c->base = base;
	c->o.settle_ms = o->settle_ms ? o->settle_ms : 20;
	for (size_t i = 0; i < CHANGES_LOOKS; i++)
		c->o.again_ms[i] = o->again_ms[i] ? o->again_ms[i] : again[i];
	c->timer = evtimer_new(base, on_settled, c);
	c->again = evtimer_new(base, on_again, c);
	if (!c->timer || !c->again) {
		changes_free(c);
		return -ENOMEM;
	}
	*ret = c;
	return 0;
}

struct changes *changes_free(struct changes *c)
{
	if (!c)
		return NULL;
	if (c->timer)
		event_free(c->timer);
	if (c->again)
		event_free(c->again);
	for (uint32_t i = 0; i < c->n_pending; i++)
		pending_done(&c->pending[i]);
	while (c->n_hints > 0)
		remove_hint(c, c->n_hints - 1);
	free(c);
	return NULL;
}
