/* SPDX-License-Identifier: Apache-2.0 */
#include "corroborate.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "log.h"
#include "lone_execs.h"

#define NS_PER_MS 1000000ull
#define BUCKETS 4096u /* a power of two */
#define TOLD_NS (1000 * NS_PER_MS) /* between two lines */
#define SLACK_NS (50 * NS_PER_MS) /* the connector's clock is converted */
#define NONE UINT32_MAX

struct pending {
	uint32_t pid;
	uint8_t source;
	bool held; /* a tracer stopped it between the two */
	uint64_t start_ns; /* 0: not known */
	uint64_t at_ns, came_ns;
	uint32_t next, prev; /* by arrival; next of what is free */
	uint32_t chain; /* same bucket, by arrival */
};

struct corroborate {
	struct corroborate_options o;
	struct measure_sink sink;
	uint64_t window_ns;
	struct pending pending[CORROBORATE_MAX];
	uint32_t buckets[BUCKETS];
	uint32_t first, last, free;
	uint64_t from_ns; /* execs before this boot time are not compared; UINT64_MAX: not begun */
	bool early; /* what BPF tells may fail yet */
	bool lost; /* nothing follows until both sides were emptied */
	uint32_t losses;
	uint64_t latest_ns[2]; /* the last exec that a source told */
	struct lone_execs alone[2]; /* no line says them yet */
	uint64_t uncompared; /* for want of room, and not told yet */
	uint64_t told_ns; /* the last line that named some; 0: it is over */
};

static void forget_all(struct corroborate *c)
{
	for (uint32_t i = 0; i < BUCKETS; i++)
		c->buckets[i] = NONE;
	for (uint32_t i = 0; i < CORROBORATE_MAX; i++)
		c->pending[i].next = i + 1 < CORROBORATE_MAX ? i + 1 : NONE;
	c->free = 0;
	c->first = c->last = NONE;
}

static uint32_t *bucket_of(struct corroborate *c, uint32_t pid)
{
	return &c->buckets[pid & (BUCKETS - 1)];
}

static void add(struct corroborate *c, const struct pending *p)
{
	uint32_t i = c->free, *at = bucket_of(c, p->pid);

	c->free = c->pending[i].next;
	c->pending[i] = *p;
	c->pending[i].next = c->pending[i].chain = NONE;
	c->pending[i].prev = c->last;
	*(c->last == NONE ? &c->first : &c->pending[c->last].next) = i;
	c->last = i;
	while (*at != NONE)
		at = &c->pending[*at].chain;
	*at = i;
}

static void drop(struct corroborate *c, uint32_t i)
{
	struct pending *p = &c->pending[i];
	uint32_t *at = bucket_of(c, p->pid);

	while (*at != i)
		at = &c->pending[*at].chain;
	*at = p->chain;
	*(p->prev == NONE ? &c->first : &c->pending[p->prev].next) = p->next;
	*(p->next == NONE ? &c->last : &c->pending[p->next].prev) = p->prev;
	p->next = c->free;
	c->free = i;
}

/* The earliest of the other source with that pid. */
static bool take_twin(struct corroborate *c, const struct pending *p)
{
	for (uint32_t i = *bucket_of(c, p->pid); i != NONE; i = c->pending[i].chain) {
		const struct pending *t = &c->pending[i];

		if (t->source == p->source || t->pid != p->pid ||
		    (t->start_ns && p->start_ns && t->start_ns != p->start_ns))
			continue;
		drop(c, i);
		return true;
	}
	return false;
}

void corroborate_seen(struct corroborate *c, enum corroborate_source source, uint32_t pid,
		      uint64_t start_ns, uint64_t at_ns)
{
	const struct pending p = {.pid = pid,
				  .source = (uint8_t)source,
				  .start_ns = start_ns,
				  .at_ns = at_ns,
				  .came_ns = clock_boot_ns(c->o.clock)};
	uint64_t slack = source == CORROBORATE_CONNECTOR ? SLACK_NS : 0;

	if (source == CORROBORATE_BPF && c->from_ns == UINT64_MAX && !c->lost)
		c->from_ns = at_ns;
	if (at_ns > c->latest_ns[source])
		c->latest_ns[source] = at_ns;
	/* One that was stopped by a tracer may have its twin whatever was lost meanwhile. */
	if (take_twin(c, &p) || c->lost || at_ns + slack < c->from_ns)
		return;
	if (c->free == NONE) {
		c->uncompared += CORROBORATE_MAX;
		corroborate_lost(c);
		return;
	}
	add(c, &p);
}

void corroborate_early(struct corroborate *c)
{
	c->early = true;
}

void corroborate_lost(struct corroborate *c)
{
	uint32_t next;

	c->lost = true;
	c->losses++;
	for (uint32_t i = c->first; i != NONE; i = next) {
		next = c->pending[i].next;
		if (!c->pending[i].held)
			drop(c, i);
	}
}

/* "t" in /proc/PID/stat, which has the name before it, in brackets and of any bytes. */
static bool is_traced(const struct corroborate *c, uint32_t pid)
{
	char path[PATH_MAX], text[512];
	const char *close;
	CLEANUP_CLOSE int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "%.4000s/%u/stat", c->o.proc ? c->o.proc : "/proc", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	close = strrchr(text, ')');
	return close && strncmp(close, ") t", 3) == 0;
}

static bool is_overdue(struct corroborate *c, struct pending *p, uint64_t now, const bool empty[2])
{
	unsigned int other = !p->source;

	if (!empty[other] && c->latest_ns[other] < p->at_ns + c->window_ns)
		return false;
	/* BPF tells first; then a tracer that asked for it has the process stopped until it lets it go. */
	p->held = p->source == CORROBORATE_BPF && is_traced(c, p->pid);
	if (p->held)
		p->came_ns = now;
	return !p->held;
}

static void note_alone(struct corroborate *c, const struct pending *p)
{
	/* Of a pair that lies across the border the connector's may seem the later one. */
	if (p->source == CORROBORATE_CONNECTOR && p->at_ns < c->from_ns + SLACK_NS)
		return;
	if (p->source == CORROBORATE_BPF && c->early)
		return;
	lone_execs_note(&c->alone[p->source], p->pid, p->start_ns);
}

/* The sources are emptied only when something depends on it. */
static void judge(struct corroborate *c, uint64_t now)
{
	bool empty[2] = {false, false}, need[2] = {false, false};
	uint32_t next;

	for (uint32_t i = c->first; i != NONE; i = c->pending[i].next)
		need[!c->pending[i].source] |= now - c->pending[i].came_ns >= c->window_ns;
	for (unsigned int s = 0; s < 2; s++)
		empty[s] = need[s] && c->o.empty(c->o.ctx, (enum corroborate_source)s);
	for (uint32_t i = c->first; i != NONE && !c->lost; i = next) {
		struct pending *p = &c->pending[i];

		next = p->next;
		/* What came while they were emptied is younger than now. */
		if (p->came_ns > now || now - p->came_ns < c->window_ns ||
		    !is_overdue(c, p, now, empty))
			continue;
		note_alone(c, p);
		drop(c, i);
	}
}

static void put_line(struct corroborate *c, const char *found, uint32_t pid, uint64_t start_ns)
{
	char scope[CGROUPS_SCOPE_SIZE] = "host";
	struct line l = {
		.utc_ns = clock_utc_ns(c->o.clock),
		.boot_ns = clock_boot_ns(c->o.clock),
		.src = "proc_connector",
		.type = PLUMB_TYPE_CLAIM,
		.scope = scope,
		.key = "sensor:exec_divergence",
		.found = found,
		.has_actor = pid != 0,
	};

	if (pid)
		(void)proctab_actor(c->o.proctab, pid, start_ns, &l.actor);
	c->sink.measurement(c->sink.ctx, &l);
}

static void tell(struct corroborate *c, uint64_t now)
{
	const struct lone_execs *a = &c->alone[c->alone[CORROBORATE_BPF].n == 0];
	CLEANUP(buf_done) struct buf b = {0};

	lone_execs_text(&c->alone[CORROBORATE_BPF], "bpf", c->o.proc, &b);
	lone_execs_text(&c->alone[CORROBORATE_CONNECTOR], "proc_connector", c->o.proc, &b);
	if (buf_status(&b) < 0)
		return; /* told with the next tick */
	log_warning("sensor=proc_connector divergence=\"%s\"", (char *)b.data);
	put_line(c, (char *)b.data, a->names[0].pid, a->names[0].start_ns);
	memset(c->alone, 0, sizeof(c->alone));
	c->told_ns = now;
}

static void tell_uncompared(struct corroborate *c)
{
	if (c->uncompared == 0)
		return;
	c->sink.lost(c->sink.ctx, "exec_divergence", c->uncompared,
		     "too many execs at once to compare two sources");
	c->uncompared = 0;
}

/*
 * After a loss. A full socket takes nothing until it was emptied, and does not say so again: what was done up to that moment is not compared.
 */
static void begin_anew(struct corroborate *c)
{
	uint32_t losses = c->losses;
	bool empty = c->o.empty(c->o.ctx, CORROBORATE_BPF);

	empty &= c->o.empty(c->o.ctx, CORROBORATE_CONNECTOR);
	if (!empty || c->losses != losses)
		return;
	c->lost = false;
	if (c->from_ns != UINT64_MAX)
		c->from_ns = clock_boot_ns(c->o.clock);
}

void corroborate_tick(struct corroborate *c)
{
	uint64_t now = clock_boot_ns(c->o.clock);
	bool recently = c->told_ns != 0 && now - c->told_ns < TOLD_NS;

	if (c->lost)
		begin_anew(c);
	else
		judge(c, now);
	if (!recently)
		tell_uncompared(c);
	if (!recently && (c->alone[0].n > 0 || c->alone[1].n > 0))
		tell(c, now);
	if (c->told_ns != 0 && now - c->told_ns >= CORROBORATE_QUIET_MS * NS_PER_MS) {
		put_line(c, "absent", 0, 0);
		c->told_ns = 0;
	}
}

int corroborate_open(const struct corroborate_options *o, const struct measure_sink *sink,
		     struct corroborate **ret)
{
	struct corroborate *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->o = *o;
	c->sink = *sink;
	c->window_ns = (o->window_ms ? o->window_ms : 1000) * NS_PER_MS;
	c->from_ns = UINT64_MAX;
	forget_all(c);
	*ret = c;
	return 0;
}

struct corroborate *corroborate_free(struct corroborate *c)
{
	free(c);
	return NULL;
}
