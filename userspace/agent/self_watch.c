/* SPDX-License-Identifier: Apache-2.0 */
#include "self_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "canary.h"
#include "counters_check.h"
#include "log.h"
#include "pulse.h"

#define SCHEDSTAT "/proc/self/schedstat"
#define MS UINT64_C(1000000)
#define JUMP_NS \
	UINT64_C(1000000000) /* time daemons step by less than a second, and slew the rest */
#define BUSY_NS UINT64_C(10000000000)
#define LINKS_TICKS 5
#define DEAF_TICKS 3 /* a canary that has not come by then */

struct self_watch {
	struct self_watch_options o;
	struct measure_sink sink;
	struct event *timer, *clock_event;
	int clock_fd, schedstat_fd, continued_fd;
	struct pulse pulse;
	uint64_t offset_ns; /* of UTC to boot time, modulo 2^64 */
	uint64_t moved; /* times that the ring's reader was moved, as told */
	uint32_t n_ticks, quiet_ticks;
	uint64_t received; /* by all CPUs, at the last tick */
	uint32_t canary_pid, canary_ticks; /* 0: none is awaited */
	bool deaf, has_before, counters_wrong;
	struct plumb_counters *before, *now;
	uint64_t *arrived; /* by CPU, taken before `now` was */
	uint32_t n_cpus;
};

static uint64_t system_mono(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void tell(struct self_watch *w, const char *key, const char *found)
{
	const struct line l = {
		.utc_ns = clock_utc_ns(w->o.clock),
		.boot_ns = clock_boot_ns(w->o.clock),
		.src = "agent",
		.type = PLUMB_TYPE_GUARD,
		.scope = "host",
		.key = key,
		.found = found,
	};

	log_warning("self=%s found=\"%s\"", key, found);
	w->sink.measurement(w->sink.ctx, &l);
}

/* A kernel that keeps no such figures leaves both zero: then it is only known that we did not run. */
static void read_schedstat(const struct self_watch *w, struct pulse_reading *r)
{
	char text[128];
	ssize_t n = w->schedstat_fd < 0 ? -1 : pread(w->schedstat_fd, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return;
	text[n] = '\0';
	(void)pulse_schedstat(text, &r->cpu_ns, &r->wait_ns);
}

/* Read and not waited for: right after it went on, the loop runs its timers before it looks at descriptors. */
static bool was_continued(const struct self_watch *w)
{
	struct signalfd_siginfo info;
	bool was = false;

	while (w->continued_fd >= 0 && read(w->continued_fd, &info, sizeof(info)) == sizeof(info))
		was = true;
	return was;
}

static void check_pulse(struct self_watch *w)
{
	struct pulse_reading now = {.boot_ns = clock_boot_ns(w->o.clock),
				    .mono_ns = w->o.mono_ns(),
				    .continued = was_continued(w)};
	struct pulse_hold hold;
	char found[160];

	read_schedstat(w, &now);
	if (!pulse_beat(&w->pulse, &now, &hold))
		return;
	snprintf(found, sizeof(found),
		 "%s: held up for %" PRIu64 " ms, %" PRIu64 " ms on a CPU, %" PRIu64
		 " ms waiting for one",
		 hold.how, hold.held_ms, hold.cpu_ms, hold.wait_ms);
	tell(w, "guard:held_up", found);
}

static void check_clock(struct self_watch *w)
{
	uint64_t now = clock_utc_ns(w->o.clock) - clock_boot_ns(w->o.clock);
	int64_t jump = (int64_t)(now - w->offset_ns);
	uint64_t size = jump < 0 ? 0 - (uint64_t)jump : (uint64_t)jump;
	char found[96];

	w->offset_ns = now;
	if (size < JUMP_NS)
		return;
	snprintf(found, sizeof(found), "set %s by %" PRIu64 ".%03" PRIu64 " s",
		 jump < 0 ? "back" : "ahead", size / 1000000000, size % 1000000000 / MS);
	tell(w, "guard:clock", found);
}

/* The timer ends early, with ECANCELED, when somebody sets the clock; it is then set anew. */
static int await_clock(struct self_watch *w)
{
	const struct itimerspec never = {.it_value = {.tv_sec = INT32_MAX}};

	return timerfd_settime(w->clock_fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never,
			       NULL) < 0
		       ? -errno
		       : 0;
}

static void on_clock(evutil_socket_t fd, short what, void *ctx)
{
	struct self_watch *w = ctx;
	uint64_t n;

	(void)what;
	if (read(fd, &n, sizeof(n)) < 0 && errno == EAGAIN)
		return;
	check_clock(w);
	(void)await_clock(w);
}

static void check_ring(struct self_watch *w)
{
	uint64_t moved = loader_ring_moved(sensor_bpf_loader(w->o.bpf));
	char found[96];

	if (moved == w->moved)
		return;
	snprintf(found, sizeof(found), "the reader's position was moved %" PRIu64 " times",
		 moved - w->moved);
	w->moved = moved;
	tell(w, "guard:ring", found);
	w->sink.lost(w->sink.ctx, "bpf", 0, "somebody moved the ring's reader");
}

/* Each wrong state is told once: what was edited stays wrong for long. */
static void check_counters(struct self_watch *w)
{
	struct plumb_counters *swap = w->before;
	const char *why = NULL;
	char found[128];
	uint32_t cpu = 0;

	/* What has arrived is looked at first: the counts may only be ahead of it. */
	for (uint32_t i = 0; i < w->n_cpus; i++)
		w->arrived[i] = sensor_bpf_received(w->o.bpf, i);
	if (loader_counters(sensor_bpf_loader(w->o.bpf), w->now, w->n_cpus) < 0)
		return;
	for (; w->has_before && !why && cpu < w->n_cpus; cpu++)
		why = counters_check(&w->before[cpu], &w->now[cpu], w->arrived[cpu]);
	w->before = w->now;
	w->now = swap;
	w->has_before = true;
	if (why && !w->counters_wrong) {
		snprintf(found, sizeof(found), "CPU %u: %s", cpu - 1, why);
		tell(w, "guard:counters", found);
	}
	w->counters_wrong = why != NULL;
}

static void check_links(struct self_watch *w)
{
	int gone = loader_check(sensor_bpf_loader(w->o.bpf));

	if (gone == 0)
		return;
	log_error("sensor=bpf links_gone=%d next=\"claims say which\"", gone);
	tell(w, "guard:links", "somebody took links of ours away");
	(void)scan_claims_bpf(w->o.claims, w->o.bpf, "");
}

static void hear(struct self_watch *w)
{
	if (w->deaf)
		log_notice("sensor=ring heard=again");
	w->deaf = false;
	w->canary_pid = 0;
	(void)scan_claims_sensor(w->o.claims, "ring", true, NULL);
}

/* A process that ends at once: its begin and its end are records. */
static void send_canary(struct self_watch *w)
{
	int pid = canary_run(NULL, NULL, NULL);

	if (pid < 0)
		return;
	w->canary_pid = (uint32_t)pid;
	w->canary_ticks = 0;
}

static uint64_t all_received(const struct self_watch *w)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < w->n_cpus; i++)
		n += sensor_bpf_received(w->o.bpf, i);
	return n;
}

/* A node that is busy proves the ring itself; in a quiet one something must be done to be heard of. */
static void check_canary(struct self_watch *w)
{
	uint64_t received = all_received(w);

	w->quiet_ticks = received == w->received ? w->quiet_ticks + 1 : 0;
	if (received != w->received && (w->deaf || w->canary_pid))
		hear(w);
	w->received = received;
	if (!loader_is_attached(sensor_bpf_loader(w->o.bpf), "plumb_fork"))
		return;
	if (w->canary_pid && ++w->canary_ticks >= DEAF_TICKS) {
		if (!w->deaf) {
			w->sink.lost(w->sink.ctx, "bpf", 0,
				     "a process of our own was not heard of");
			tell(w, "guard:ring", "a process of our own was not heard of");
			(void)scan_claims_sensor(w->o.claims, "ring", false,
						 "what the kernel puts into it does not come");
		}
		w->deaf = true;
		w->canary_pid = 0;
	}
	if (!w->canary_pid && (w->deaf || w->quiet_ticks * w->o.tick_ms >= w->o.canary_ms))
		send_canary(w);
}

static void on_tick(evutil_socket_t fd, short what, void *ctx)
{
	struct self_watch *w = ctx;

	(void)fd;
	(void)what;
	check_pulse(w);
	check_clock(w);
	if (!w->o.bpf)
		return;
	/* Whoever jams the ring also keeps the kernel from waking us. */
	sensor_bpf_drain(w->o.bpf);
	check_ring(w);
	check_counters(w);
	check_canary(w);
	if (++w->n_ticks % LINKS_TICKS == 0)
		check_links(w);
}

void self_watch_take(struct self_watch *w, const union event_record *r)
{
	if (r->event.kind == PLUMB_KIND_FORK && r->fork.child_pid == w->canary_pid && w->canary_pid)
		hear(w);
}

static int start(struct self_watch *w, struct event_base *base)
{
	const struct timeval tick = {w->o.tick_ms / 1000, w->o.tick_ms % 1000 * 1000};
	sigset_t cont;

	w->n_cpus = w->o.bpf ? loader_n_cpus(sensor_bpf_loader(w->o.bpf)) : 0;
	w->before = calloc(w->n_cpus + 1, sizeof(*w->before));
	w->now = calloc(w->n_cpus + 1, sizeof(*w->now));
	w->timer = event_new(base, -1, EV_PERSIST, on_tick, w);
	w->arrived = calloc(w->n_cpus + 1, sizeof(*w->arrived));
	if (!w->before || !w->now || !w->arrived || !w->timer || event_add(w->timer, &tick) < 0)
		return -ENOMEM;
	sigemptyset(&cont);
	sigaddset(&cont, SIGCONT);
	w->continued_fd = signalfd(-1, &cont, SFD_NONBLOCK | SFD_CLOEXEC);
	w->schedstat_fd = open(SCHEDSTAT, O_RDONLY | O_CLOEXEC);
	w->clock_fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (w->clock_fd < 0 || await_clock(w) < 0)
		return 0; /* the tick sees it, too, if a moment later */
	w->clock_event = event_new(base, w->clock_fd, EV_READ | EV_PERSIST, on_clock, w);
	return !w->clock_event || event_add(w->clock_event, NULL) < 0 ? -ENOMEM : 0;
}

int self_watch_open(struct event_base *base, const struct self_watch_options *o,
		    const struct measure_sink *sink, struct self_watch **ret)
{
	struct self_watch *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	w->o = *o;
	w->sink = *sink;
	w->clock_fd = w->schedstat_fd = w->continued_fd = -1;
	w->o.mono_ns = o->mono_ns ? o->mono_ns : system_mono;
	w->o.tick_ms = o->tick_ms ? o->tick_ms : 1000;
	w->o.canary_ms = o->canary_ms ? o->canary_ms : 10000;
	w->pulse = (struct pulse){.tick_ns = w->o.tick_ms * MS,
				  .limit_ns = (o->held_ms ? o->held_ms : 3000) * MS,
				  .busy_ns = BUSY_NS};
	w->offset_ns = clock_utc_ns(o->clock) - clock_boot_ns(o->clock);
	r = start(w, base);
	/* From here on: it may be stopped before its first tick. */
	check_pulse(w);
	if (r < 0) {
		self_watch_free(w);
		return r;
	}
	if (w->o.bpf)
		hear(w);
	*ret = w;
	return 0;
}

struct self_watch *self_watch_free(struct self_watch *w)
{
	if (!w)
		return NULL;
	if (w->timer)
		event_free(w->timer);
	if (w->clock_event)
		event_free(w->clock_event);
	if (w->clock_fd >= 0)
		close(w->clock_fd);
	if (w->schedstat_fd >= 0)
		close(w->schedstat_fd);
	if (w->continued_fd >= 0)
		close(w->continued_fd);
	free(w->before);
	free(w->now);
	free(w->arrived);
	free(w);
	return NULL;
}
