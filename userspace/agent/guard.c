/* SPDX-License-Identifier: Apache-2.0 */
#include "guard.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "canary.h"
#include "cgroups_v1.h"
#include "cleanup.h"
#include "fsio.h"
#include "guard_words.h"
#include "log.h"
#include "mountinfo.h"

#define SAME_MAX 32 /* deeds that are remembered; of more, one is told and forgotten */
#define KEY_SIZE (PATH_MAX + 32)

struct same {
	char key[KEY_SIZE];
	const char *outcome;
	uint32_t pid;
	uint64_t start_ns, since_ns, more;
};

struct guard {
	struct guard_options o;
	struct measure_sink sink;
	struct guard_marks *marks;
	struct event *timer, *moved;
	struct same same[SAME_MAX];
	uint32_t n_same;
	uint64_t again_ns;
	uint32_t canary_pid; /* 0: none is awaited */
	bool canary_seen, lsm, frozen_told;
};

static struct loader *loader_of(const struct guard *g)
{
	return sensor_bpf_loader(g->o.bpf);
}

static int on_mark(void *ctx, int fd, uint32_t mark)
{
	return loader_mark(loader_of(ctx), fd, mark);
}

static int on_cgroup(void *ctx, uint64_t id)
{
	return loader_guard_own(loader_of(ctx), PLUMB_GUARD_OWN_CGROUP, id);
}

static struct line line_of(struct guard *g, const char *key, const char *found, uint32_t pid,
			   uint64_t start_ns)
{
	struct line l = {
		.utc_ns = clock_utc_ns(g->o.clock),
		.boot_ns = clock_boot_ns(g->o.clock),
		.src = g->lsm ? "lsm" : "bpf",
		.type = PLUMB_TYPE_GUARD,
		.scope = "host",
		.key = key,
		.found = found,
		.has_actor = true,
	};

	(void)proctab_actor(g->o.proctab, pid, start_ns, &l.actor);
	return l;
}

/* What came again is told when no more of it is waited for. */
static void forget(struct guard *g, uint32_t i)
{
	struct same *s = &g->same[i];
	char more[48];
	struct line l;

	if (s->more > 0) {
		l = line_of(g, s->key, s->outcome, s->pid, s->start_ns);
		snprintf(more, sizeof(more), "%" PRIu64 " times more", s->more);
		l.name = more;
		g->sink.measurement(g->sink.ctx, &l);
	}
	*s = g->same[--g->n_same];
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct guard *g = ctx;
	uint64_t now = clock_boot_ns(g->o.clock);

	(void)fd;
	(void)what;
	for (uint32_t i = g->n_same; i > 0; i--)
		if (now - g->same[i - 1].since_ns >= g->again_ns)
			forget(g, i - 1);
}

static bool is_again(struct guard *g, const struct plumb_event_guard *e, const char *key,
		     const char *outcome)
{
	struct same *s;

	for (uint32_t i = 0; i < g->n_same; i++) {
		s = &g->same[i];
		/* Each program that is refused is another process. */
		if ((e->op >= PLUMB_GUARD_EXEC ||
		     (s->pid == e->task.pid && s->start_ns == e->task.start_ns)) &&
		    strcmp(s->outcome, outcome) == 0 && strcmp(s->key, key) == 0) {
			s->more++;
			return true;
		}
	}
	if (g->n_same == SAME_MAX)
		forget(g, 0);
	s = &g->same[g->n_same++];
	s->outcome = outcome;
	s->pid = e->task.pid;
	s->start_ns = e->task.start_ns;
	s->since_ns = clock_boot_ns(g->o.clock);
	s->more = 0;
	snprintf(s->key, sizeof(s->key), "%s", key);
	return false;
}

/* The marked inode's own path; else its directory's, and the name. */
static const char *path_of(const struct guard *g, const struct plumb_event_guard *e,
			   char ret[PATH_MAX])
{
	const char *path = e->ino ? guard_marks_path(g->marks, e->dev, e->ino) : NULL;

	if (path)
		return path;
	path = e->dir_ino ? guard_marks_path(g->marks, e->dir_dev, e->dir_ino) : NULL;
	if (!path || !e->name[0])
		return NULL;
	snprintf(ret, PATH_MAX, "%s/%s", path, e->name);
	return ret;
}

/*
 * systemd (252) opens the slice's cgroup.freeze at each stop of a unit, to thaw it. Where the kernel says that something of the agent's is frozen
 * (guard:frozen), what process 1 had open to do it says nothing more.
 */
static bool is_thaw(const struct guard *g, const struct plumb_event_guard *e)
{
	return g->frozen_told && e->op == PLUMB_GUARD_FILE && e->outcome == PLUMB_GUARD_SEEN &&
	       e->mark & PLUMB_MARK_GUARD_CGROUP && e->task.pid == 1 &&
	       strcmp(e->name, "cgroup.freeze") == 0;
}

/* What an order allows is no drift: another first word than the one that a baseline closes. */
static void tell(struct guard *g, const struct plumb_event_guard *e)
{
	const char *outcome = guard_words_outcome(e);
	char buf[PATH_MAX], words[PATH_MAX + 16], key[KEY_SIZE];
	const char *path = path_of(g, e, buf);
	struct line l;

	guard_words_key(e, path, words, sizeof(words));
	snprintf(key, sizeof(key), "%s:%s", e->outcome == PLUMB_GUARD_ALLOWED ? "allowed" : "guard",
		 words);
	if (is_again(g, e, key, outcome))
		return;
	l = line_of(g, key, outcome, e->task.pid, e->task.start_ns);
	l.boot_ns = e->event.boottime_ns;
	l.has_kernel = true;
	l.ksess = e->event.ksess;
	l.cpu = e->event.cpu;
	l.kseq = e->event.kseq;
	l.op = guard_words_file_op(e);
	l.name = guard_words_control(e) ? path : NULL;
	if (e->op == PLUMB_GUARD_MOVED || e->op == PLUMB_GUARD_FROZEN)
		l.src = "bpf"; /* when it is done: no hook of LSM is asked before */
	log_warning("guard key=\"%s\" outcome=%s pid=%u comm=\"%.16s\"", key, outcome, e->task.pid,
		    e->task.comm);
	g->sink.measurement(g->sink.ctx, &l);
}

void guard_take(struct guard *g, const union event_record *r)
{
	const struct plumb_event_guard *e = &r->guard;

	if (r->event.kind != PLUMB_KIND_GUARD)
		return;
	if (g->canary_pid && e->task.pid == g->canary_pid) {
		g->canary_seen = true;
		return;
	}
	/* Its new cgroup is marked soon: not here, between records. */
	if (e->op == PLUMB_GUARD_MOVED)
		event_active(g->moved, EV_TIMEOUT, 0);
	proctab_seen(g->o.proctab, &e->task);
	if (!is_thaw(g, e))
		tell(g, e);
}

static int mark_v2(struct guard *g)
{
	char path[CONTAINER_PATH_MAX];
	const char *root = g->o.cgroups ? cgroups_root(g->o.cgroups) : NULL;
	int r = root ? cgroups_v2_path((uint32_t)getpid(), path) : -ENOENT;

	return r < 0 ? r : guard_marks_cgroup(g->marks, root, path, true);
}

struct marking_v1 {
	struct guard_marks *marks;
	int r;
};

static void on_v1(void *ctx, const char *root, const char *path)
{
	struct marking_v1 *v = ctx;
	int r = guard_marks_cgroup(v->marks, root, path, false);

	v->r = r < 0 ? r : v->r;
}

/* Any may be mounted while v2 does not use its controller: what is mounted when the agent starts, or when it is moved into one. */
static int mark_v1(struct guard *g)
{
	CLEANUP(buf_done) struct buf places = {0}, mounts = {0};
	struct marking_v1 v = {g->marks, 0};
	int r = fsio_read_file(fsio_system(), "/proc/self/cgroup", CONTAINER_PATH_FILE_MAX,
			       &places);

	if (r >= 0)
		r = fsio_read_file(fsio_system(), "/proc/self/mountinfo", MOUNTINFO_MAX_SIZE,
				   &mounts);
	if (r >= 0)
		r = cgroups_v1_each((const char *)places.data, places.size,
				    (const char *)mounts.data, mounts.size, on_v1, &v);
	return r < 0 ? r : v.r;
}

static int mark_cgroup(struct guard *g)
{
	int two = g->o.bpf ? mark_v2(g) : -ENOENT, one = g->lsm ? mark_v1(g) : 0;

	return one < 0 ? one : two;
}

static void on_moved(evutil_socket_t fd, short what, void *ctx)
{
	struct guard *g = ctx;
	int r = mark_cgroup(g);

	(void)fd;
	(void)what;
	if (r < 0 && g->lsm)
		log_warning("guard cgroup=unmarked error=\"%s\" next=\"what is done to it is not "
			    "seen\"",
			    strerror(-r));
}

static int ask_for_descriptor(void *arg)
{
	int fd = (int)syscall(SYS_pidfd_open, *(int *)arg, 0);

	fd = fd < 0 ? fd : (int)syscall(SYS_pidfd_getfd, fd, fd, 0);
	return fd < 0 && errno == EPERM;
}

/*
 * A process of ours asks for a descriptor of ours, as a debugger would: that must be told, and where it is enforced refused. (Our memory would
 * be given to it without a question: until it ends it is its own, too.) 1: it was refused, 0: it was not.
 */
static int try_self(struct guard *g)
{
	int own = (int)getpid(), refused = 0;
	int pid = canary_run(ask_for_descriptor, &own, &refused);

	if (pid < 0)
		return pid;
	g->canary_pid = (uint32_t)pid;
	sensor_bpf_drain(g->o.bpf);
	g->canary_pid = 0;
	return refused == 1;
}

static void claim_protect(struct guard *g, bool works, bool refused)
{
	char value[160];

	if (!g->o.enforce)
		snprintf(value, sizeof(value), "observe%s%s", g->o.why_not[0] ? " " : "",
			 g->o.why_not);
	else if (works && refused)
		snprintf(value, sizeof(value), "enforce");
	else
		snprintf(value, sizeof(value), "absent %s",
			 works ? "what is done to the agent is seen and not refused"
			       : "it takes BPF LSM, and there is none");
	(void)scan_claims_put(g->o.claims, "sensor:protect", value);
}

/* Each that can be marked is: what cannot is told. */
static int mark_paths(struct guard *g)
{
	int r = 0, one;

	for (uint32_t i = 0; g->o.paths && g->o.paths[i]; i++) {
		one = guard_marks_add(g->marks, g->o.paths[i]);
		if (one < 0)
			log_warning("guard path=%s error=\"%s\" next=\"what is done to it is not "
				    "seen by LSM\"",
				    g->o.paths[i], strerror(-one));
		r = one < 0 ? one : r;
	}
	one = mark_cgroup(g);
	/* Without cgroup v2, or in its root, nothing can be frozen. */
	return one < 0 && one != -ENOENT ? one : r;
}

void guard_start(struct guard *g)
{
	char why[96] = "no LSM program for it";
	bool lsm = g->o.bpf && loader_is_attached(loader_of(g), "plumb_guard_ptrace");
	int r = -ENOTSUP, refused = 0;

	g->lsm = lsm;
	g->frozen_told = g->o.bpf && loader_is_attached(loader_of(g), "plumb_guard_frozen");
	if (lsm) {
		r = mark_paths(g);
		refused = try_self(g);
	} else if (g->o.bpf) {
		(void)mark_cgroup(
			g); /* its number at least: that it is frozen is told without LSM */
	}
	if (lsm && !g->canary_seen)
		snprintf(why, sizeof(why), "loaded, never fires: a deed of our own was not seen");
	else if (lsm && r < 0)
		snprintf(why, sizeof(why), "not all that is ours is marked: %s", strerror(-r));
	(void)scan_claims_sensor(g->o.claims, "guard", r >= 0 && g->canary_seen, why);
	claim_protect(g, g->canary_seen, refused == 1);
}

void guard_open_door(struct guard *g, uint64_t until_ns)
{
	int r = g->o.bpf ? loader_guard_door(loader_of(g), until_ns) : 0;

	if (r < 0)
		log_error("guard door=shut error=\"%s\" next=\"what an order allows is refused\"",
			  strerror(-r));
}

int guard_open(struct event_base *base, const struct guard_options *o,
	       const struct measure_sink *sink, struct guard **ret)
{
	struct guard_marks_options marks = {on_mark, on_cgroup, NULL};
	const struct timeval every = {1, 0};
	struct guard *g = calloc(1, sizeof(*g));
	int r;

	if (!g)
		return -ENOMEM;
	g->o = *o;
	g->o.why_not = o->why_not ? o->why_not : "";
	g->sink = *sink;
	g->again_ns = (o->again_ms ? o->again_ms : 10000) * UINT64_C(1000000);
	marks.ctx = g;
	r = guard_marks_open(&marks, &g->marks);
	g->timer = event_new(base, -1, EV_PERSIST, on_timer, g);
	g->moved = evtimer_new(base, on_moved, g);
	if (r >= 0 && (!g->timer || !g->moved || event_add(g->timer, &every) < 0))
		r = -ENOMEM;
	if (r < 0) {
		guard_free(g);
		return r;
	}
	*ret = g;
	return 0;
}

struct guard *guard_free(struct guard *g)
{
	if (!g)
		return NULL;
	while (g->n_same > 0)
		forget(g, g->n_same - 1);
	if (g->timer)
		event_free(g->timer);
	if (g->moved)
		event_free(g->moved);
	guard_marks_free(g->marks);
	free(g);
	return NULL;
}
