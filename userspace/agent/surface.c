/* SPDX-License-Identifier: Apache-2.0 */
#include "surface.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "carried.h"
#include "claims_boot.h"
#include "claims_host.h"
#include "claims_kernel.h"
#include "cleanup.h"
#include "container_path.h"
#include "log.h"
#include "surface_seen.h"
#include "surface_words.h"

#define AGAIN_MS 3600000
#define PENDING_MAX 32
#define APART_NS \
	250000000ull /* two readings of the same claims: whoever writes without end costs no more */
#define DISKS_KEPT 8
#define FIRST_PTS 136u /* majors of terminals, Documentation/admin-guide/devices.txt */
#define LAST_PTS 143u
#define DISK_NS 100000000ull /* a disk is looked at so often, whoever opens it without end */
#define UNIT_MAX 1024
#define KEY_MAX (SURFACE_WORDS_OBJECT + PLUMB_PATH_MAX + 128)

/* Claims that are read again: a deed is told before it is done. */
struct pending {
	bool used;
	enum surface_claims claims;
	char sysctl[256], before[SURFACE_WORDS_VALUE], after[SURFACE_WORDS_VALUE];
	char src[8], by[PLUMB_PATH_MAX + 16], unit[UNIT_MAX];
	uint32_t pid, step;
	uint64_t start_ns, due_ns;
	bool told;
};

struct disk {
	uint32_t dev;
	int carries; /* carried_by() */
	uint64_t until_ns;
	struct carried carried;
};

struct surface {
	struct surface_options o;
	struct measure_sink sink;
	struct surface_facts facts;
	struct carried_source disks;
	struct disk kept[DISKS_KEPT];
	uint32_t n_kept;
	struct claims_source source;
	struct surface_seen *seen;
	struct event *reads, *minute;
	struct pending pending[PENDING_MAX];
	struct pending *reading; /* whose claims are being put */
	uint64_t read_ns[SURFACE_CLAIMS_LIVEPATCH + 1]; /* when each kind of claims was read last */
	struct surface_words words; /* the record at work */
	char key[KEY_MAX], folded[KEY_MAX], rest[KEY_MAX];
	char by[PLUMB_PATH_MAX + 16], unit[UNIT_MAX]; /* who did it */
};

static void pending_lost(struct surface *s, const char *what)
{
	log_warning("sensor=surface lost=1 what=\"%s\"", what);
	s->sink.lost(s->sink.ctx, "surface", 1, what);
}

/* One deed as a line. e NULL: none of the kernel's records, it was counted. */
static void tell(struct surface *s, const char *src, const struct plumb_event_surface *e,
		 const struct surface_seen_deed *d, const char *before)
{
	struct line l = {
		.utc_ns = clock_utc_ns(s->o.clock),
		.boot_ns = e ? e->event.boottime_ns : clock_boot_ns(s->o.clock),
		.src = src,
		.has_kernel = e != NULL,
		.type = PLUMB_TYPE_SURFACE,
		.scope = "host", /* there is one kernel, whoever reaches for it */
		.key = d->key,
		.found = d->found,
		.before = before && before[0] ? before : NULL,
		.times = d->times,
		.has_actor = true,
	};

	if (e) {
		l.ksess = e->event.ksess;
		l.cpu = e->event.cpu;
		l.kseq = e->event.kseq;
	}
	(void)proctab_actor(s->o.proctab, d->pid, d->start_ns, &l.actor);
	s->sink.measurement(s->sink.ctx, &l);
}

/* By which program, as a baseline can list it: one in a container is another than the node's of that path. */
static void name_actor(struct surface *s, uint32_t pid, uint64_t start_ns, char *ret, size_t room)
{
	struct line_actor actor;
	bool known = proctab_actor(s->o.proctab, pid, start_ns, &actor) >= 0;

	snprintf(ret, room, "%s%s", known && actor.container ? "container:" : "",
		 known && actor.exe ? actor.exe : "unknown");
}

/* Whose deeds share room with its deeds: a cgroup that whoever makes others below it does not get out of. */
static void name_unit(struct surface *s, uint32_t pid, uint64_t start_ns)
{
	struct line_actor actor;
	bool known = proctab_actor(s->o.proctab, pid, start_ns, &actor) >= 0 && actor.cgroup;
	const char *path = known ? actor.cgroup : "unknown";

	snprintf(s->unit, sizeof(s->unit), "%.*s", (int)container_path_owner(path), path);
}

/* Of a record; or, e NULL, of a sysctl that waited to be read. What a scan found has no record of the kernel's, and is told once. */
static void deed(struct surface *s, const char *src, const struct plumb_event_surface *e,
		 const struct pending *p)
{
	const struct surface_words *w = &s->words;
	const char *what = p ? "sysctl" : w->what, *by = p ? p->by : s->by;
	const char *any = !p && w->is_fixed ? w->object : "*";
	bool from_scan = strcmp(src, "scan") == 0;
	struct surface_seen_deed now, gone,
		d = {.key = s->key, .folded = s->folded, .rest = s->rest, .times = 1};

	d.unit = p ? p->unit : s->unit;
	d.pid = p ? p->pid : e->task.pid;
	d.start_ns = p ? p->start_ns : e->task.start_ns;
	d.found = p ? p->after : w->found;
	if (!p)
		d.times += e->skipped;
	snprintf(s->key, sizeof(s->key), "surface:%s:%s by %s", what, p ? p->sysctl : w->object,
		 by);
	snprintf(s->folded, sizeof(s->folded), "surface:%s:%s by %s", what, any, by);
	snprintf(s->rest, sizeof(s->rest), "surface:%s:%s by cgroup:%s", what, any, d.unit);
	if (from_scan && surface_seen_knows(s->seen, &d))
		return;
	if (!surface_seen_take(s->seen, &d, clock_boot_ns(s->o.clock), &now, &gone))
		return;
	if (gone.times > 0)
		tell(s, "agent", NULL, &gone, NULL);
	tell(s, src, from_scan ? NULL : e, &now, p ? p->before : w->before);
}

static int put_claim(void *ctx, const char *key, const char *value)
{
	struct surface *s = ctx;
	const struct pending *p = s->reading;
	const char *known = scan_claims_value(s->o.claims, key);
	char before[LINE_MAX_VALUE];
	struct line l = {
		.utc_ns = clock_utc_ns(s->o.clock),
		.boot_ns = clock_boot_ns(s->o.clock),
		.src = p->src,
		.type = PLUMB_TYPE_CLAIM,
		.scope = "host",
		.key = key,
		.found = value,
		.has_actor = true,
	};

	if (known) {
		snprintf(before, sizeof(before), "%s", known);
		l.before = before;
	}
	(void)proctab_actor(s->o.proctab, p->pid, p->start_ns, &l.actor);
	return scan_claims_take(s->o.claims, &l);
}

static int read_claims(struct surface *s, struct pending *p)
{
	int results[2] = {0};

	s->reading = p;
	s->read_ns[p->claims] = clock_boot_ns(s->o.clock);
	switch (p->claims) {
	case SURFACE_CLAIMS_SYSCTL:
		results[0] = claims_host_sysctl(&s->source, p->sysctl);
		break;
	case SURFACE_CLAIMS_TRACING:
		results[0] = claims_kernel_probes(&s->source);
		results[1] = claims_kernel_ftrace(&s->source);
		break;
	case SURFACE_CLAIMS_SECURITY:
		results[0] = claims_host_boot(&s->source);
		results[1] = claims_boot_ima(&s->source);
		break;
	case SURFACE_CLAIMS_LIVEPATCH:
		results[0] = claims_kernel_livepatch(&s->source);
		results[1] = claims_kernel_taint(&s->source);
		break;
	default:
		break;
	}
	s->reading = NULL;
	return claims_source_sum(results, ARRAY_SIZE(results));
}

/* A sysctl that was written, and of which no claim tells: somebody put it back, or another value, before it was read. */
static void tell_undone(struct surface *s, const struct pending *p)
{
	if (p->claims == SURFACE_CLAIMS_SYSCTL && p->after[0] && !p->told)
		deed(s, p->src, NULL, p);
}

static void arm(struct surface *s)
{
	uint64_t now = clock_boot_ns(s->o.clock), due = UINT64_MAX;
	struct timeval tv;

	for (uint32_t i = 0; i < PENDING_MAX; i++)
		if (s->pending[i].used && s->pending[i].due_ns < due)
			due = s->pending[i].due_ns;
	if (due == UINT64_MAX)
		return;
	due = due > now ? due - now : 0;
	tv = (struct timeval){.tv_sec = (time_t)(due / 1000000000),
			      .tv_usec = (suseconds_t)(due % 1000000000 / 1000) + 1};
	event_add(s->reads, &tv);
}

static void look(struct surface *s, struct pending *p)
{
	int r = read_claims(s, p);

	if (r < 0)
		pending_lost(s, "claims could not be read again");
	p->told |= r > 0;
	/* Whoever wrote what was there already, as the kernel reads it, changed nothing. */
	if (p->claims == SURFACE_CLAIMS_SYSCTL && !p->told) {
		char key[300];
		const char *is;

		snprintf(key, sizeof(key), "sysctl:%s", p->sysctl);
		is = scan_claims_value(s->o.claims, key);
		p->told = is && strcmp(is, p->after) == 0;
	}
	if (++p->step < SURFACE_READS) {
		p->due_ns = clock_boot_ns(s->o.clock) + s->o.read_ms[p->step] * 1000000ull;
		return;
	}
	tell_undone(s, p);
	p->used = false;
}

static void on_reads(evutil_socket_t fd, short what, void *ctx)
{
	struct surface *s = ctx;
	uint64_t now = clock_boot_ns(s->o.clock);

	(void)fd;
	(void)what;
	for (uint32_t i = 0; i < PENDING_MAX; i++)
		if (s->pending[i].used && s->pending[i].due_ns <= now)
			look(s, &s->pending[i]);
	arm(s);
}

/* The same claims again: the one before has been overtaken. None free: the next to be due is looked at now, to its end. */
static struct pending *pending_for(struct surface *s, const struct surface_words *w)
{
	struct pending *next = &s->pending[0];

	for (uint32_t i = 0; i < PENDING_MAX; i++) {
		struct pending *p = &s->pending[i];

		if (!p->used || (next->used && p->due_ns < next->due_ns))
			next = p;
		if (p->used && p->claims == w->claims && strcmp(p->sysctl, w->sysctl) == 0) {
			tell_undone(s, p);
			return p;
		}
	}
	while (next->used)
		look(s, next);
	return next;
}

static bool starts(const char *key, const char *with)
{
	return strncmp(key, with, strlen(with)) == 0;
}

static bool may_change(const struct pending *p, const char *key)
{
	switch (p->claims) {
	case SURFACE_CLAIMS_SYSCTL:
		return starts(key, "sysctl:") && strcmp(key + 7, p->sysctl) == 0;
	case SURFACE_CLAIMS_TRACING:
		return starts(key, "kernel:kprobe") || starts(key, "kernel:uprobe") ||
		       starts(key, "kernel:ftrace") || strcmp(key, "kernel:tracer") == 0;
	case SURFACE_CLAIMS_SECURITY:
		return strcmp(key, "boot:lockdown") == 0 || strcmp(key, "boot:lsm") == 0 ||
		       strcmp(key, "ima:policy") == 0;
	case SURFACE_CLAIMS_LIVEPATCH:
		return starts(key, "kernel:livepatch") || strcmp(key, "kernel:taint") == 0;
	default:
		return false;
	}
}

/* A scan has overtaken what waits to be read again. The record was made before the deed, so it is in the ring by now. */
static void on_change(void *ctx, struct line *l)
{
	struct surface *s = ctx;

	if (s->o.flush)
		s->o.flush(s->o.ctx);
	for (uint32_t i = 0; i < PENDING_MAX; i++) {
		struct pending *p = &s->pending[i];

		if (!p->used || !may_change(p, l->key))
			continue;
		p->told = true;
		l->src = p->src;
		l->has_actor = true;
		(void)proctab_actor(s->o.proctab, p->pid, p->start_ns, &l->actor);
		return;
	}
}

/* Soon after the deed; but what waits already is not put off, or somebody who goes on and on would never be seen. */
static uint64_t when_due(const struct surface *s, const struct pending *p, enum surface_claims c)
{
	uint64_t soon = clock_boot_ns(s->o.clock) + s->o.read_ms[0] * 1000000ull;

	if (c != SURFACE_CLAIMS_SYSCTL && soon < s->read_ns[c] + APART_NS)
		soon = s->read_ns[c] + APART_NS;
	return p->used && p->step == 0 && p->due_ns < soon ? p->due_ns : soon;
}

static void read_again(struct surface *s, const char *src, const struct plumb_event_surface *e)
{
	const struct surface_words *w = &s->words;
	struct pending *p = pending_for(s, w);

	*p = (struct pending){.used = true,
			      .claims = w->claims,
			      .pid = e->task.pid,
			      .start_ns = e->task.start_ns,
			      .due_ns = when_due(s, p, w->claims)};
	snprintf(p->src, sizeof(p->src), "%s", src);
	snprintf(p->by, sizeof(p->by), "%s", s->by);
	snprintf(p->unit, sizeof(p->unit), "%s", s->unit);
	snprintf(p->sysctl, sizeof(p->sysctl), "%s", w->sysctl);
	if (e->what == PLUMB_SURFACE_SYSCTL) {
		snprintf(p->before, sizeof(p->before), "%s", w->before);
		snprintf(p->after, sizeof(p->after), "%s", w->found);
	}
	arm(s);
}

/* Which file systems are mounted is read anew, but for what was asked a moment ago. */
static const struct disk *disk_of(struct surface *s, uint32_t dev)
{
	uint64_t now = clock_boot_ns(s->o.clock);
	struct disk *d;

	for (uint32_t i = 0; i < DISKS_KEPT; i++)
		if (s->kept[i].dev == dev && now < s->kept[i].until_ns)
			return &s->kept[i];
	d = &s->kept[s->n_kept++ % DISKS_KEPT];
	d->dev = dev;
	d->carries = carried_by(&s->disks, dev, &d->carried);
	d->until_ns = now + DISK_NS;
	return d;
}

/* A disk that carries nothing may be formatted by whoever likes. */
static bool name_disk(struct surface *s, const struct plumb_event_surface *e)
{
	struct surface_words *w = &s->words;
	uint32_t dev = (uint32_t)e->number;
	const struct disk *d;

	if (S_ISCHR(e->fs_magic)) {
		/* Terminals are in no list of sysfs, and anybody has one. */
		if (dev >> 20 >= FIRST_PTS && dev >> 20 <= LAST_PTS)
			return false;
		carried_character(&s->disks, dev, w->object);
		return strncmp(w->object, "sg", 2) == 0 || strncmp(w->object, "ng", 2) == 0 ||
		       strncmp(w->object, "nvme", 4) == 0 || strchr(w->object, ':');
	}
	d = disk_of(s, dev);
	if (d->carries == 0)
		return false;
	snprintf(w->object, sizeof(w->object), "%s under %s", d->carried.name,
		 d->carries > 0 ? d->carried.what : strerrorname_np(-d->carries));
	return true;
}

/* false: it is not told as a deed. */
static bool name_object(struct surface *s, const struct plumb_event_surface *e)
{
	struct surface_words *w = &s->words;
	bool sysctl_watched;

	if (e->what == PLUMB_SURFACE_BLOCK || e->what == PLUMB_SURFACE_COMMAND)
		return name_disk(s, e);
	if (w->target_pid && !w->object[0])
		name_actor(s, w->target_pid, e->target_start_ns, w->object, sizeof(w->object));
	sysctl_watched =
		w->claims == SURFACE_CLAIMS_SYSCTL && claims_host_has_sysctl(&s->source, w->sysctl);
	/* Of one that is a claim the claim tells. */
	if (w->claims == SURFACE_CLAIMS_SYSCTL && !sysctl_watched)
		w->claims = SURFACE_CLAIMS_NONE;
	return !sysctl_watched;
}

static bool take_named(struct surface *s, const char *src, const struct plumb_event_surface *e)
{
	name_actor(s, e->task.pid, e->task.start_ns, s->by, sizeof(s->by));
	name_unit(s, e->task.pid, e->task.start_ns);
	if (!name_object(s, e))
		return false;
	deed(s, src, e, NULL);
	return true;
}

static void take(struct surface *s, const struct plumb_event_surface *e)
{
	const char *src =
		e->what == PLUMB_SURFACE_SYSCTL || e->what == PLUMB_SURFACE_REQUEST ? "bpf" : "lsm";
	bool traced = e->what == PLUMB_SURFACE_TRACEME;
	struct plumb_event_surface by_parent;

	if (e->task.pid == (uint32_t)getpid() || !surface_words(e, &s->facts, &s->words))
		return;
	proctab_seen(s->o.proctab, &e->task);
	/* Who is traced asks for it, and the other one has the hand in it. */
	if (traced) {
		by_parent = *e;
		by_parent.task.pid = e->target_pid;
		by_parent.task.start_ns = e->target_start_ns;
		e = &by_parent;
	}
	(void)take_named(s, src, e);
	if (s->words.claims != SURFACE_CLAIMS_NONE)
		read_again(s, src, e);
}

void surface_take(struct surface *s, const union event_record *r)
{
	if (s && r->event.kind == PLUMB_KIND_SURFACE)
		take(s, &r->surface);
}

bool surface_open_disk(struct surface *s, uint32_t pid, uint64_t start_ns, uint32_t dev,
		       uint16_t mode)
{
	const struct plumb_event_surface e = {.what = PLUMB_SURFACE_BLOCK,
					      .number = dev,
					      .fs_magic = mode,
					      .task = {.pid = pid, .start_ns = start_ns}};

	return !surface_words(&e, &s->facts, &s->words) || take_named(s, "scan", &e);
}

void surface_bpf(struct surface *s, const struct sensor_bpf *bpf)
{
	if (s)
		s->facts.sysctl_exact =
			bpf && loader_is_attached(sensor_bpf_loader(bpf), "plumb_sysctl");
}

static void tell_due(struct surface *s, bool all)
{
	struct surface_seen_deed d;

	while (surface_seen_due(s->seen, all, clock_boot_ns(s->o.clock), &d))
		tell(s, "agent", NULL, &d, NULL);
}

void surface_tick(struct surface *s)
{
	tell_due(s, false);
}

static void on_minute(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	surface_tick(ctx);
}

static uint32_t namespace_of(const char *proc, const char *name)
{
	char path[256];
	struct stat st;

	snprintf(path, sizeof(path), "%s/self/ns/%s", proc, name);
	return stat(path, &st) < 0 ? 0 : (uint32_t)st.st_ino;
}

static uint32_t perf_type(const char *sys, const char *name)
{
	unsigned type = 0;
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/bus/event_source/devices/%s/type", sys, name);
	f = fopen(path, "re");
	if (f && fscanf(f, "%u", &type) != 1)
		type = 0;
	if (f)
		fclose(f);
	return type;
}

static int start(struct surface *s, struct event_base *base)
{
	const struct timeval every = {60, 0};
	int r = surface_seen_open((s->o.again_ms ? s->o.again_ms : AGAIN_MS) * 1000000ull,
				  &s->seen);

	if (r < 0)
		return r;
	s->facts = (struct surface_facts){.net_ns = namespace_of(s->disks.proc, "net"),
					  .uts_ns = namespace_of(s->disks.proc, "uts"),
					  .ipc_ns = namespace_of(s->disks.proc, "ipc"),
					  .pid_ns = namespace_of(s->disks.proc, "pid"),
					  .kprobe_type = perf_type(s->disks.sys, "kprobe"),
					  .uprobe_type = perf_type(s->disks.sys, "uprobe")};
	s->source = scan_claims_source(s->o.claims);
	scan_claims_on_change(s->o.claims, on_change, s);
	s->source.put = put_claim;
	s->source.ctx = s;
	s->reads = evtimer_new(base, on_reads, s);
	s->minute = event_new(base, -1, EV_PERSIST, on_minute, s);
	return s->reads && s->minute && event_add(s->minute, &every) == 0 ? 0 : -ENOMEM;
}

int surface_open(struct event_base *base, const struct surface_options *o,
		 const struct measure_sink *sink, struct surface **ret)
{
	static const uint32_t read_ms[SURFACE_READS] = {20, 1000};
	struct surface *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->o = *o;
	s->sink = *sink;
	for (int i = 0; i < SURFACE_READS; i++)
		if (s->o.read_ms[i] == 0)
			s->o.read_ms[i] = read_ms[i];
	s->disks.proc = o->proc ? o->proc : "/proc";
	s->disks.sys = o->sys ? o->sys : "/sys";
	r = start(s, base);
	if (r < 0)
		s = surface_free(s);
	else
		*ret = s;
	return r;
}

struct surface *surface_free(struct surface *s)
{
	if (!s)
		return NULL;
	scan_claims_on_change(s->o.claims, NULL, NULL);
	for (uint32_t i = 0; i < PENDING_MAX; i++)
		if (s->pending[i].used)
			tell_undone(s, &s->pending[i]);
	if (s->seen)
		tell_due(s, true);
	surface_seen_free(s->seen);
	if (s->reads)
		event_free(s->reads);
	if (s->minute)
		event_free(s->minute);
	free(s);
	return NULL;
}
