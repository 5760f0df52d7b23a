/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor_audit.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>

#include "audit_exec.h"
#include "audit_serials.h"
#include "claims.h"
#include "cleanup.h"
#include "log.h"
#include "netlink_door.h"

#define HEAD "audit("
#define NS_PER_S 1000000000ull
#define NS_PER_MS 1000000ull
/* Older headers lack some of them. */
#define RECORD_CONFIG_CHANGE 1305
#define RECORD_BPF 1334
#define RECORD_INTEGRITY_DATA 1800
#define RECORD_INTEGRITY_METADATA 1801
#define RECORD_INTEGRITY_STATUS 1802
#define RECORD_INTEGRITY_RULE 1805
#define RECORD_INTEGRITY_POLICY_RULE 1807

struct sensor_audit {
	struct sensor_audit_options o;
	struct measure_sink sink;
	struct netlink_door *door;
	struct event *second; /* one-shot: pending while a second's lines are counted */
	struct audit_serials serials;
	struct audit_exec execs;
	uint32_t give_up_to; /* numbers that were known a second ago */
	uint32_t lines, too_many; /* in this second */
};

static const char *key_of(uint16_t type)
{
	switch (type) {
	case RECORD_CONFIG_CHANGE:
		return "audit:config";
	case RECORD_BPF:
		return "audit:bpf";
	case RECORD_INTEGRITY_DATA:
	case RECORD_INTEGRITY_METADATA:
	case RECORD_INTEGRITY_STATUS:
		return "audit:integrity";
	case RECORD_INTEGRITY_RULE:
		return "audit:ima";
	case RECORD_INTEGRITY_POLICY_RULE:
		return "audit:ima_policy";
	default:
		return NULL;
	}
}

/* Digits up to a certain byte, which is passed over. */
static int read_number(struct buf_reader *r, char end, uint64_t *ret)
{
	uint64_t n = 0;
	uint8_t c;

	for (int digits = 0; digits <= 19; digits++) {
		if (buf_read_u8(r, &c) < 0)
			return -EBADMSG;
		if (c == (uint8_t)end && digits > 0) {
			*ret = n;
			return 0;
		}
		if (c < '0' || c > '9')
			return -EBADMSG;
		n = 10 * n + (c - '0');
	}
	return -EBADMSG;
}

/* "pid=12" at the beginning or behind a blank; "ppid=" is another thing. */
static uint32_t find_pid(struct buf_view text)
{
	for (size_t i = 0; i + 4 < text.size; i++) {
		uint64_t n = 0;

		if ((i > 0 && text.data[i - 1] != ' ') || memcmp(text.data + i, "pid=", 4) != 0)
			continue;
		for (size_t k = i + 4;
		     k < text.size && k < i + 14 && text.data[k] >= '0' && text.data[k] <= '9'; k++)
			n = 10 * n + (text.data[k] - '0');
		return n <= UINT32_MAX ? (uint32_t)n : 0;
	}
	return 0;
}

int sensor_audit_parse(uint16_t type, struct buf_view body, struct sensor_audit_record *ret,
		       struct why *ret_why)
{
	struct buf_reader r = buf_reader_of(body.data, body.size);
	struct sensor_audit_record a = {.key = key_of(type)};
	uint64_t seconds = 0, ms = 0, serial = 0;
	struct buf_view head, rest;
	int bad = buf_read_bytes(&r, strlen(HEAD), &head);

	if (bad == 0)
		bad = memcmp(head.data, HEAD, head.size) == 0 ? 0 : -EBADMSG;
	if (bad == 0)
		bad = read_number(&r, '.', &seconds);
	if (bad == 0)
		bad = read_number(&r, ':', &ms);
	if (bad == 0)
		bad = read_number(&r, ')', &serial);
	if (bad < 0 || serial > UINT32_MAX || seconds >= UINT64_MAX / NS_PER_S || ms > 999)
		return why_set(ret_why, -EBADMSG,
			       "audit: record %u does not begin with its time and number", type);
	bad = buf_read_bytes(&r, buf_left(&r), &rest);
	if (bad < 0)
		return bad;
	if (rest.size > 0 && rest.data[0] == ':') {
		rest.data++;
		rest.size--;
	}
	while (rest.size > 0 && rest.data[0] == ' ') {
		rest.data++;
		rest.size--;
	}
	a.serial = (uint32_t)serial;
	a.utc_ns = seconds * NS_PER_S + ms * NS_PER_MS;
	a.text = rest;
	a.pid = find_pid(rest);
	*ret = a;
	return 0;
}

static void tell_loss(struct sensor_audit *s, uint64_t n, const char *what)
{
	log_warning("sensor=audit lost=%llu what=\"%s\"", (unsigned long long)n, what);
	s->sink.lost(s->sink.ctx, "audit", n, what);
}

static void start_second(struct sensor_audit *s)
{
	const struct timeval second = {1, 0};

	if (event_pending(s->second, EV_TIMEOUT, NULL))
		return;
	s->give_up_to = s->serials.top;
	(void)event_add(s->second, &second);
}

static void on_second(evutil_socket_t fd, short what, void *ctx)
{
	struct sensor_audit *s = ctx;
	uint32_t lost = audit_serials_give_up(&s->serials, s->give_up_to);

	(void)fd;
	(void)what;
	if (lost)
		tell_loss(s, lost, "sequence gap");
	if (s->too_many)
		tell_loss(s, s->too_many, "more audit records than are taken in a second");
	s->lines = s->too_many = 0;
	if (s->serials.missing)
		start_second(s);
}

static void tell(struct sensor_audit *s, const struct sensor_audit_record *a)
{
	CLEANUP(buf_done) struct buf found = {0};
	struct line l = {
		.utc_ns = clock_utc_ns(s->o.clock),
		.boot_ns = clock_boot_ns(s->o.clock),
		.src = "audit",
		.type = PLUMB_TYPE_AUDIT,
		.scope = "host",
		.key = a->key,
		.has_actor = a->pid != 0,
	};
	int r;

	start_second(s);
	if (++s->lines > SENSOR_AUDIT_MAX_A_SECOND) {
		s->too_many++;
		return;
	}
	r = claims_text_value((const char *)a->text.data, a->text.size, &found);
	if (r < 0) {
		tell_loss(s, 1, "an audit record could not be put into words: out of memory");
		return;
	}
	if (l.has_actor)
		(void)proctab_actor(s->o.proctab, a->pid, 0, &l.actor);
	l.found = found.data ? (const char *)found.data : "";
	s->sink.measurement(s->sink.ctx, &l);
}

static void take(struct sensor_audit *s, uint16_t type, const struct sensor_audit_record *a)
{
	uint32_t lost = audit_serials_take(&s->serials, a->serial), pid;

	if (lost)
		tell_loss(s, lost, "sequence gap");
	if (s->serials.missing)
		start_second(s);
	if (audit_exec_take(&s->execs, type, a->serial, a->pid, &pid) && s->o.exec)
		s->o.exec(s->o.ctx, pid, a->utc_ns);
	if (a->key)
		tell(s, a);
}

void sensor_audit_take(struct sensor_audit *s, const void *data, size_t size)
{
	struct buf_reader reader = buf_reader_of(data, size);
	struct netlink_read_message m;
	struct sensor_audit_record a;
	struct why why = {""};
	int r;

	for (;;) {
		r = netlink_read_message(&reader, &m, &why);
		if (r == 0)
			return;
		if (r > 0)
			r = sensor_audit_parse(m.type, m.body, &a, &why);
		if (r < 0) {
			tell_loss(s, 1, why.text);
			return;
		}
		take(s, m.type, &a);
	}
}

static void on_datagram(void *ctx, const void *data, size_t size)
{
	sensor_audit_take(ctx, data, size);
}

static void on_lost(void *ctx, const char *what)
{
	tell_loss(ctx, 0, what);
}

int sensor_audit_open(struct event_base *base, const struct sensor_audit_options *o,
		      const struct measure_sink *sink, struct sensor_audit **ret,
		      struct why *ret_why)
{
	struct sensor_audit *s = calloc(1, sizeof(*s));
	struct netlink_door_options door = {
		.name = "audit",
		.protocol = NETLINK_AUDIT,
		.groups = {AUDIT_NLGRP_READLOG},
		.receive_size = o->receive_size ? o->receive_size : 1u << 20,
		.datagram = on_datagram,
		.lost = on_lost,
		.ctx = s,
	};
	int r;

	if (!s)
		return -ENOMEM;
	s->o = *o;
	s->sink = *sink;
	s->second = evtimer_new(base, on_second, s);
	r = s->second ? netlink_door_open(base, &door, &s->door, ret_why) : -ENOMEM;
	if (r < 0) {
		sensor_audit_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

struct sensor_audit *sensor_audit_free(struct sensor_audit *s)
{
	if (!s)
		return NULL;
	netlink_door_free(s->door);
	if (s->second)
		event_free(s->second);
	free(s);
	return NULL;
}
