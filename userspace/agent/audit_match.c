/* SPDX-License-Identifier: Apache-2.0 */
#include "audit_match.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "log.h"
#include "lone_execs.h"

#define NS_PER_MS 1000000ull
#define BUCKETS 4096u /* a power of two */
#define TOLD_NS (1000 * NS_PER_MS) /* between two lines */
#define SLACK_NS (50 * NS_PER_MS) /* audit's clock goes by the timer's tick, and is converted */
#define APART_NS (60000 * NS_PER_MS) /* so late a record may be when the clock was set meanwhile */
#define DISORDER_NS (1000 * NS_PER_MS) /* of records of several CPUs in one ring, at most */

struct seen {
	uint64_t at_ns;
	uint64_t before; /* the number of the one before it in its bucket */
	uint32_t pid;
	bool taken;
};

struct waiting {
	uint64_t from_ns, came_ns;
	uint32_t pid;
};

struct audit_match {
	struct audit_match_options o;
	struct measure_sink sink;
	uint64_t window_ns;
	struct seen seen[AUDIT_MATCH_SEEN]; /* by number, from 1, modulo their number */
	uint64_t n_seen;
	uint64_t buckets[BUCKETS]; /* the last number of each; 0: none */
	uint64_t forgotten_ns; /* the latest of those that were overwritten */
	struct waiting waiting[AUDIT_MATCH_WAIT];
	uint32_t n_waiting;
	uint64_t from_ns; /* execs before this boot time are not compared; UINT64_MAX: not begun */
	bool lost;
	uint32_t losses;
	/* UTC less boot time, the most of this minute and of the last. */
	uint64_t apart_ns[2], apart_since_ns;
	struct lone_execs alone;
	uint64_t uncompared; /* not told yet */
	uint64_t told_ns; /* the last line that named some; 0: it is over */
	bool compared; /* as was said last */
	uint64_t audit_ns; /* when audit told the last one */
	bool since; /* and whether the programs told one after it */
};

static uint64_t *bucket_of(struct audit_match *m, uint32_t pid)
{
	return &m->buckets[pid & (BUCKETS - 1)];
}

static bool is_there(const struct audit_match *m, uint64_t number)
{
	return number != 0 && number + AUDIT_MATCH_SEEN > m->n_seen;
}

void audit_match_bpf(struct audit_match *m, uint32_t pid, uint64_t at_ns)
{
	struct seen *e = &m->seen[++m->n_seen % AUDIT_MATCH_SEEN];

	if (e->at_ns > m->forgotten_ns)
		m->forgotten_ns = e->at_ns;
	*e = (struct seen){.at_ns = at_ns, .before = *bucket_of(m, pid), .pid = pid};
	*bucket_of(m, pid) = m->n_seen;
	if (m->from_ns == UINT64_MAX && !m->lost)
		m->from_ns = at_ns;
	m->since = true;
}

/* The earliest that nobody took yet: a later one may be the twin of what audit tells next. */
static bool take_twin(struct audit_match *m, const struct waiting *w)
{
	struct seen *twin = NULL;

	for (uint64_t i = *bucket_of(m, w->pid); is_there(m, i);) {
		struct seen *e = &m->seen[i % AUDIT_MATCH_SEEN];

		i = e->before;
		if (e->at_ns + DISORDER_NS < w->from_ns)
			break;
		if (e->pid == w->pid && !e->taken && e->at_ns >= w->from_ns)
			twin = e;
	}
	if (twin)
		twin->taken = true;
	return twin != NULL;
}

void audit_match_lost(struct audit_match *m)
{
	m->lost = true;
	m->losses++;
	m->n_waiting = 0;
}

static void read_apart(struct audit_match *m, uint64_t now)
{
	uint64_t utc = clock_utc_ns(m->o.clock), apart = utc > now ? utc - now : 0;

	if (now - m->apart_since_ns >= APART_NS) {
		m->apart_ns[1] = m->apart_ns[0];
		m->apart_ns[0] = 0;
		m->apart_since_ns = now;
	}
	if (apart > m->apart_ns[0])
		m->apart_ns[0] = apart;
}

/*
 * The boot time before which the twin cannot be; 0: not known. A clock that was set between stamp and now makes it earlier than it was, never later:
 * then a twin that is too old may do, or nothing is compared.
 */
static uint64_t boot_of(const struct audit_match *m, uint64_t utc_ns, uint64_t now)
{
	uint64_t apart = m->apart_ns[0] > m->apart_ns[1] ? m->apart_ns[0] : m->apart_ns[1];
	uint64_t at = utc_ns > apart ? utc_ns - apart : 0;

	return at > SLACK_NS && at <= now + SLACK_NS ? at - SLACK_NS : 0;
}

static void say(struct audit_match *m, bool compared, const char *why)
{
	m->compared = compared;
	m->o.state(m->o.ctx, compared, why);
}

void audit_match_exec(struct audit_match *m, uint32_t pid, uint64_t utc_ns)
{
	struct waiting w = {.pid = pid, .came_ns = clock_boot_ns(m->o.clock)};

	read_apart(m, w.came_ns);
	w.from_ns = boot_of(m, utc_ns, w.came_ns);
	m->audit_ns = w.came_ns;
	m->since = false;
	if (m->from_ns == UINT64_MAX)
		say(m, false, "the kernel programs have told of no exec");
	else if (!m->compared)
		say(m, true, "");
	if (m->lost || w.from_ns <= m->from_ns || take_twin(m, &w))
		return;
	if (m->n_waiting == AUDIT_MATCH_WAIT) {
		m->uncompared += AUDIT_MATCH_WAIT + 1;
		audit_match_lost(m);
		return;
	}
	m->waiting[m->n_waiting++] = w;
}

/* What waits may be told by now; of the rest it is asked whether its time is over. */
static bool take_twins(struct audit_match *m, uint64_t now)
{
	uint32_t left = 0;
	bool over = false;

	for (uint32_t i = 0; i < m->n_waiting; i++) {
		const struct waiting w = m->waiting[i];

		if (take_twin(m, &w))
			continue;
		over |= now - w.came_ns >= m->window_ns;
		m->waiting[left++] = w;
	}
	m->n_waiting = left;
	return over;
}

static void judge(struct audit_match *m, uint64_t now)
{
	uint32_t left = 0;

	if (!take_twins(m, now) || !m->o.empty(m->o.ctx))
		return;
	(void)take_twins(m, now);
	for (uint32_t i = 0; i < m->n_waiting; i++) {
		const struct waiting w = m->waiting[i];

		/* What came while the ring was emptied is younger than now. */
		if (w.came_ns > now || now - w.came_ns < m->window_ns)
			m->waiting[left++] = w;
		else if (w.from_ns <= m->forgotten_ns)
			m->uncompared++;
		else
			lone_execs_note(&m->alone, w.pid, 0);
	}
	m->n_waiting = left;
}

static void put_line(struct audit_match *m, const char *found, uint32_t pid)
{
	struct line l = {
		.utc_ns = clock_utc_ns(m->o.clock),
		.boot_ns = clock_boot_ns(m->o.clock),
		.src = "audit",
		.type = PLUMB_TYPE_CLAIM,
		.scope = "host",
		.key = "sensor:audit_divergence",
		.found = found,
		.has_actor = pid != 0,
	};

	if (pid)
		(void)proctab_actor(m->o.proctab, pid, 0, &l.actor);
	m->sink.measurement(m->sink.ctx, &l);
}

static void tell(struct audit_match *m, uint64_t now)
{
	CLEANUP(buf_done) struct buf b = {0};

	lone_execs_text(&m->alone, "audit", m->o.proc, &b);
	if (buf_status(&b) < 0)
		return; /* told with the next tick */
	log_warning("sensor=audit divergence=\"%s\"", (char *)b.data);
	put_line(m, (char *)b.data, m->alone.names[0].pid);
	memset(&m->alone, 0, sizeof(m->alone));
	m->told_ns = now;
}

static void tell_uncompared(struct audit_match *m)
{
	if (m->uncompared == 0)
		return;
	m->sink.lost(m->sink.ctx, "audit_divergence", m->uncompared,
		     "too many execs at once to compare them with audit's");
	m->uncompared = 0;
}

static void begin_anew(struct audit_match *m)
{
	uint32_t losses = m->losses;

	if (!m->o.empty(m->o.ctx) || m->losses != losses)
		return;
	m->lost = false;
	if (m->from_ns != UINT64_MAX)
		m->from_ns = clock_boot_ns(m->o.clock);
}

void audit_match_tick(struct audit_match *m)
{
	uint64_t now = clock_boot_ns(m->o.clock);
	bool recently = m->told_ns != 0 && now - m->told_ns < TOLD_NS;

	read_apart(m, now);
	if (m->lost)
		begin_anew(m);
	else
		judge(m, now);
	if (!recently)
		tell_uncompared(m);
	if (!recently && m->alone.n > 0)
		tell(m, now);
	if (m->told_ns != 0 && now - m->told_ns >= AUDIT_MATCH_QUIET_MS * NS_PER_MS) {
		put_line(m, "absent", 0);
		m->told_ns = 0;
	}
	if (m->compared && m->since && now - m->audit_ns >= AUDIT_MATCH_SILENT_MS * NS_PER_MS)
		say(m, false, "audit has told of no exec for an hour");
}

int audit_match_open(const struct audit_match_options *o, const struct measure_sink *sink,
		     struct audit_match **ret)
{
	struct audit_match *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->o = *o;
	m->sink = *sink;
	m->window_ns = (o->window_ms ? o->window_ms : 1000) * NS_PER_MS;
	m->from_ns = UINT64_MAX;
	m->apart_since_ns = clock_boot_ns(o->clock);
	read_apart(m, m->apart_since_ns);
	say(m, false, "audit told of no exec: no rule asks for them");
	*ret = m;
	return 0;
}

struct audit_match *audit_match_free(struct audit_match *m)
{
	free(m);
	return NULL;
}
