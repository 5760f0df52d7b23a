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

#define CPUS_MAX 8192
#define ACK_MS 1000
#define NS_PER_MS 1000000ull
#define TICK_MS 250
/* Forks, execs and exits of all programs come here. They are compared after a second; where nobody else tells, who ran may be gone soon. */
#define REST_MS 40
#define REST_ALONE_MS 2
#define TICKS_A_LOSS 4
#define DATAGRAMS_A_DRAIN 16384
#define JUMP_NS (50 * NS_PER_MS)

struct sensor_netlink {
	struct sensor_netlink_options o;
	struct measure_sink sink;
	struct netlink_door *door;
	struct event *timer;
	uint64_t lost; /* not told yet */
	const char *lost_what; /* the first kind of it; NULL: none */
	char lost_text[128];
	uint32_t tick;
	uint64_t apart_ns; /* boot time less monotonic time: what was spent in suspend */
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

/* A full buffer is told by an error first, and by the gaps on each CPU after it: one line for all of a second. */
static void note_loss(struct sensor_netlink *s, uint64_t n, const char *what)
{
	if (!s->lost_what) {
		snprintf(s->lost_text, sizeof(s->lost_text), "%s", what);
		s->lost_what = s->lost_text;
	}
	s->lost += n;
	if (s->o.lost)
		s->o.lost(s->o.ctx);
}

static void tell_loss(struct sensor_netlink *s)
{
	if (!s->lost_what)
		return;
	log_warning("sensor=proc_connector lost=%llu what=\"%s\"", (unsigned long long)s->lost,
		    s->lost_what);
	s->sink.lost(s->sink.ctx, "proc_connector", s->lost, s->lost_what);
	s->lost = 0;
	s->lost_what = NULL;
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
		note_loss(s, gap < 0x80000000u ? gap : 1, "sequence gap");
}

static uint64_t monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 * NS_PER_MS + (uint64_t)ts.tv_nsec;
}

/* Read again when we were held up between the clocks. A suspend may lie between an event and now: its time is then not known. */
static void read_apart(struct sensor_netlink *s)
{
	uint64_t before, boot, after, apart;
	int tries = 0;

	do {
		before = monotonic_ns();
		boot = clock_boot_ns(s->o.clock);
		after = monotonic_ns();
	} while (after - before > NS_PER_MS && ++tries < 8);
	apart = boot - before;
	if (s->apart_ns != 0 && s->o.lost &&
	    (apart > s->apart_ns + JUMP_NS || s->apart_ns > apart + JUMP_NS))
		s->o.lost(s->o.ctx);
	s->apart_ns = apart;
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
	/* Answers are numbered too, also those to other listeners. */
	check_sequence(s, e);
	if (e->what == SENSOR_NETLINK_ACK) {
		s->acknowledged = true;
		s->ack_error = (int)e->error;
	}
	if (e->what != SENSOR_NETLINK_EXEC)
		return;
	if (s->o.exec)
		s->o.exec(s->o.ctx, e->pid, e->monotonic_ns + s->apart_ns);
	else
		tell_exec(s, e->pid, e->monotonic_ns + s->apart_ns);
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
			note_loss(s, 1, why.text);
			return;
		}
		handle(s, &e);
	}
}

/* How many were thrown away the sequence numbers will say. */
static void on_lost(void *ctx, const char *what)
{
	note_loss(ctx, 0, what);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct sensor_netlink *s = ctx;

	(void)fd;
	(void)what;
	read_apart(s);
	if (++s->tick % TICKS_A_LOSS == 0)
		tell_loss(s);
	if (s->o.tick)
		s->o.tick(s->o.ctx);
}

bool sensor_netlink_drain(struct sensor_netlink *s)
{
	/* Bounded: on a busy node there may always be one more. */
	for (int i = 0; i < DATAGRAMS_A_DRAIN; i++)
		if (netlink_door_take(s->door) <= 0)
			return true;
	return false;
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
		.small = true,
		.rest_ms = s->o.exec ? REST_MS : REST_ALONE_MS,
		.receive_size = s->o.receive_size ? s->o.receive_size : 8u << 20,
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
	read_apart(s);
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
	tell_loss(s);
	if (s->timer)
		event_free(s->timer);
	netlink_door_free(s->door);
	free(s);
	return NULL;
}
