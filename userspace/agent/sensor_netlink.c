/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor_netlink.h"

#include <errno.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "log.h"
#include "netlink_door.h"
#include "twins.h"

#define CPUS_MAX 8192
#define ACK_MS 1000
#define NS_PER_MS 1000000ull
#define TICK_MS 250
#define REST_MS \
	10 /* forks, execs and exits of all programs come here; they are compared within a second */
#define SLACK_NS (10 * NS_PER_MS)

enum source { SOURCE_BPF = 1, SOURCE_CONNECTOR = 2 };

struct sensor_netlink {
	struct sensor_netlink_options o;
	struct measure_sink sink;
	struct netlink_door *door;
	struct event *timer;
	struct twins *
		twins; /* execs that wait for their twin; the connector does not say when a process started */
	/*
	 * Execs from this boot time on are compared. Before the other source told its first one, and for a while after a loss on
	 * either side, nothing follows from a missing twin.
	 */
	uint64_t compare_from_ns;
	uint64_t window_ns;
	uint32_t tick, patience; /* an exec waits for so many ticks, and so turns of the loop */
	bool acknowledged;
	int ack_error;
	bool seq_known[CPUS_MAX];
	uint32_t next_seq[CPUS_MAX];
};

/* Fields lie in the machine's byte order at the places of struct proc_event; copied, since nothing promises their alignment. */
int sensor_netlink_parse(const void *data, size_t size, struct sensor_netlink_event *ret,
			 struct why *ret_why)
{
	const size_t head = offsetof(struct proc_event, event_data);
	struct sensor_netlink_event e = {0};
	struct cn_msg cn;
	struct proc_event p;

	if (size < sizeof(cn))
		return why_set(ret_why, -EBADMSG, "connector: %zu bytes, a header has %zu", size,
			       sizeof(cn));
	memcpy(&cn, data, sizeof(cn));
	if (cn.id.idx != CN_IDX_PROC || cn.id.val != CN_VAL_PROC)
		return why_set(ret_why, -EBADMSG, "connector: id %u/%u is not that of processes",
			       cn.id.idx, cn.id.val);
	if (cn.len > size - sizeof(cn))
		return why_set(ret_why, -EBADMSG, "connector: says %u bytes, has %zu", cn.len,
			       size - sizeof(cn));
	if (cn.len < head)
		return why_set(ret_why, -EBADMSG, "connector: %u bytes, an event has %zu", cn.len,
			       head);
	memset(&p, 0, sizeof(p));
	memcpy(&p, (const uint8_t *)data + sizeof(cn), cn.len < sizeof(p) ? cn.len : sizeof(p));
	e.cpu = p.cpu;
	e.seq = cn.seq;
	e.monotonic_ns = p.timestamp_ns;
	if (p.what == PROC_EVENT_NONE && cn.len >= head + sizeof(p.event_data.ack)) {
		e.what = SENSOR_NETLINK_ACK;
		e.error = p.event_data.ack.err;
	} else if (p.what == PROC_EVENT_EXEC) {
		if (cn.len < head + sizeof(p.event_data.exec) ||
		    p.event_data.exec.process_tgid <= 0)
			return why_set(ret_why, -EBADMSG, "connector: an exec without its process");
		e.what = SENSOR_NETLINK_EXEC;
		e.pid = (uint32_t)p.event_data.exec.process_tgid;
	}
	*ret = e;
	return 0;
}

static void tell_loss(struct sensor_netlink *s, uint64_t n, const char *what)
{
	log_warning("sensor=proc_connector lost=%llu what=\"%s\"", (unsigned long long)n, what);
	s->sink.lost(s->sink.ctx, "proc_connector", n, what);
	sensor_netlink_exec_lost(s, n);
}

static void check_sequence(struct sensor_netlink *s, const struct sensor_netlink_event *e)
{
	uint32_t gap;

	if (e->cpu >= CPUS_MAX)
		return;
	gap = e->seq - s->next_seq[e->cpu];
	s->next_seq[e->cpu] = e->seq + 1;
	if (!s->seq_known[e->cpu])
		s->seq_known[e->cpu] = true;
	else if (gap != 0)
		tell_loss(s, gap < 0x80000000u ? gap : 1, "sequence gap");
}

static void tell_divergence(struct sensor_netlink *s, const struct twin *p)
{
	const char *src = p->source == SOURCE_BPF ? "bpf" : "proc_connector";
	char found[128], scope[CGROUPS_SCOPE_SIZE];
	struct line l = {
		.utc_ns = clock_utc_ns(s->o.clock),
		.boot_ns = p->at_ns,
		.src = "proc_connector",
		.type = PLUMB_TYPE_CLAIM,
		.scope = scope,
		.key = "sensor:exec_divergence",
		.found = found,
		.has_actor = true,
	};

	snprintf(found, sizeof(found), "only %s saw pid %u start %llu", src, p->pid,
		 (unsigned long long)p->start_ns);
	(void)proctab_actor(s->o.proctab, p->pid, p->start_ns, &l.actor);
	proctab_scope(s->o.proctab, p->pid, p->start_ns, scope);
	log_warning("sensor=proc_connector divergence=\"%s\"", found);
	s->sink.measurement(s->sink.ctx, &l);
}

static void note(struct sensor_netlink *s, enum source source, uint32_t pid, uint64_t start_ns,
		 uint64_t at_ns)
{
	const struct twin twin = {
		.source = source,
		.pid = pid,
		.came = s->tick,
		.start_ns = start_ns,
		.at_ns = at_ns,
	};
	/* Of a pair that lies across the border the connector's may seem the earlier one: its clock is converted. */
	uint64_t slack_ns = source == SOURCE_CONNECTOR ? SLACK_NS : 0;

	if (at_ns < s->compare_from_ns && s->compare_from_ns - at_ns > slack_ns)
		return;
	if (!twins_match(s->twins, &twin, s->window_ns) && !twins_put(s->twins, &twin))
		tell_loss(s, TWINS_MAX, "too many execs to compare");
}

void sensor_netlink_exec_seen(void *ctx, uint32_t pid, uint64_t start_ns, uint64_t boot_ns)
{
	struct sensor_netlink *s = ctx;

	if (!s->o.compare)
		return;
	if (s->compare_from_ns == UINT64_MAX)
		s->compare_from_ns = boot_ns;
	note(s, SOURCE_BPF, pid, start_ns, boot_ns);
}

void sensor_netlink_exec_lost(void *ctx, uint64_t n)
{
	struct sensor_netlink *s = ctx;

	(void)n; /* that source told it itself */
	if (s->compare_from_ns != UINT64_MAX)
		s->compare_from_ns = clock_boot_ns(s->o.clock) + 2 * s->window_ns;
	twins_clear(s->twins);
}

static uint64_t boot_of_monotonic(struct sensor_netlink *s, uint64_t monotonic_ns)
{
	struct timespec ts;

	if (clock_gettime(CLOCK_MONOTONIC, &ts) < 0)
		return monotonic_ns;
	/* They differ by the time spent in suspend. */
	return monotonic_ns + clock_boot_ns(s->o.clock) -
	       ((uint64_t)ts.tv_sec * 1000 * NS_PER_MS + (uint64_t)ts.tv_nsec);
}

/* The only source there is: the exec is told, and that its bytes were not measured. */
static void tell_exec(struct sensor_netlink *s, uint32_t pid, uint64_t at_ns)
{
	char link[64], path[4096], key[LINE_MAX_KEY], scope[CGROUPS_SCOPE_SIZE];
	struct line l = {
		.utc_ns = clock_utc_ns(s->o.clock),
		.boot_ns = at_ns,
		.src = "proc_connector",
		.type = PLUMB_TYPE_EXEC,
		.scope = scope,
		.key = key,
		.found = "unmeasured seen by the process connector alone",
		.hash_src = "none",
		.has_actor = true,
	};
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%u/exe", pid);
	n = readlink(link, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = '\0';
	snprintf(key, sizeof(key), "exec:%s", n > 0 ? path : "unknown");
	(void)proctab_actor(s->o.proctab, pid, 0, &l.actor);
	proctab_scope(s->o.proctab, pid, 0, scope);
	s->sink.measurement(s->sink.ctx, &l);
}

static void handle(struct sensor_netlink *s, const struct sensor_netlink_event *e)
{
	uint64_t at_ns;

	/* Answers are numbered too, also those to other listeners. */
	check_sequence(s, e);
	if (e->what == SENSOR_NETLINK_ACK) {
		s->acknowledged = true;
		s->ack_error = (int)e->error;
	}
	if (e->what != SENSOR_NETLINK_EXEC)
		return;
	at_ns = boot_of_monotonic(s, e->monotonic_ns);
	if (!s->o.compare)
		tell_exec(s, e->pid, at_ns);
	else
		note(s, SOURCE_CONNECTOR, e->pid, 0, at_ns);
}

/* Connector messages have the type NLMSG_DONE, which here ends nothing. */
static void on_datagram(void *ctx, const void *data, size_t size)
{
	struct sensor_netlink *s = ctx;
	struct buf_reader reader = buf_reader_of(data, size);
	struct netlink_read_message m;
	struct sensor_netlink_event e;
	struct why why = {""};
	int r;

	for (;;) {
		r = netlink_read_message(&reader, &m, &why);
		if (r == 0)
			return;
		if (r > 0)
			r = sensor_netlink_parse(m.body.data, m.body.size, &e, &why);
		if (r < 0) {
			tell_loss(s, 1, why.text);
			return;
		}
		handle(s, &e);
	}
}

/* How many were thrown away the sequence numbers will say. */
static void on_lost(void *ctx, const char *what)
{
	tell_loss(ctx, 0, what);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct sensor_netlink *s = ctx;

	(void)fd;
	(void)what;
	s->tick++;
	for (const struct twin *at = twins_oldest(s->twins); at; at = twins_oldest(s->twins)) {
		struct twin twin = *at;

		if (s->tick - twin.came <= s->patience)
			return;
		twins_drop_oldest(s->twins);
		/* The connector's first ones may have a twin from before the border. */
		if (twin.source == SOURCE_BPF || twin.at_ns >= s->compare_from_ns + s->window_ns)
			tell_divergence(s, &twin);
	}
}

static int listen_to(struct sensor_netlink *s)
{
	uint8_t data[sizeof(struct cn_msg) + sizeof(uint32_t)] = {0};
	uint32_t op = PROC_CN_MCAST_LISTEN;
	struct cn_msg cn = {.id = {CN_IDX_PROC, CN_VAL_PROC}, .len = sizeof(op)};

	memcpy(data, &cn, sizeof(cn));
	memcpy(data + sizeof(cn), &op, sizeof(op));
	return netlink_door_send(s->door, NLMSG_DONE, 0, data, sizeof(data));
}

/* Only an answer proves that somebody will tell. Before the loop runs, so waiting is allowed. */
static int await_ack(struct sensor_netlink *s, struct why *ret_why)
{
	struct pollfd p = {.fd = netlink_door_fd(s->door), .events = POLLIN};
	uint64_t until = clock_boot_ns(s->o.clock) + ACK_MS * NS_PER_MS;

	while (!s->acknowledged && clock_boot_ns(s->o.clock) < until) {
		if (poll(&p, 1, 50) > 0)
			(void)netlink_door_take(s->door);
	}
	if (!s->acknowledged)
		return why_set(ret_why, -ENOTSUP, "the kernel's process connector does not answer");
	if (s->ack_error)
		return why_set(ret_why, s->ack_error == EPERM ? -EPERM : -ENOTSUP,
			       "process connector: %s", strerror(s->ack_error));
	return 0;
}

static int open_door(struct sensor_netlink *s, struct event_base *base, struct why *ret_why)
{
	const struct netlink_door_options o = {
		.name = "process connector",
		.protocol = NETLINK_CONNECTOR,
		.groups = {CN_IDX_PROC},
		.receive_size = s->o.receive_size,
		.small = true,
		.rest_ms = REST_MS,
		.datagram = on_datagram,
		.lost = on_lost,
		.ctx = s,
	};
	int r = netlink_door_open(base, &o, &s->door, ret_why);

	if (r < 0)
		return r;
	r = listen_to(s);
	if (r < 0)
		return why_set(ret_why, r, "process connector: %s", strerror(-r));
	return await_ack(s, ret_why);
}

int sensor_netlink_open(struct event_base *base, const struct sensor_netlink_options *o,
			const struct measure_sink *sink, struct sensor_netlink **ret,
			struct why *ret_why)
{
	const struct timeval every = {0, TICK_MS * 1000};
	struct sensor_netlink *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->o = *o;
	s->sink = *sink;
	s->window_ns = (o->window_ms ? o->window_ms : 1000) * NS_PER_MS;
	s->patience = (uint32_t)(2 * s->window_ns / NS_PER_MS / TICK_MS) + 2;
	s->compare_from_ns = UINT64_MAX;
	r = twins_open(&s->twins);
	if (r >= 0)
		r = open_door(s, base, ret_why);
	if (r < 0) {
		sensor_netlink_free(s);
		return r;
	}
	s->timer = event_new(base, -1, EV_PERSIST, on_timer, s);
	if (!s->timer || event_add(s->timer, &every) < 0) {
		sensor_netlink_free(s);
		return -ENOMEM;
	}
	*ret = s;
	return 0;
}

struct sensor_netlink *sensor_netlink_free(struct sensor_netlink *s)
{
	if (!s)
		return NULL;
	if (s->timer)
		event_free(s->timer);
	netlink_door_free(s->door);
	twins_free(s->twins);
	free(s);
	return NULL;
}
