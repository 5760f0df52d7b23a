/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor_uevent.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "log.h"
#include "netlink_door.h"

#define GROUP_KERNEL 1 /* 2 is what udev tells after it has worked on them */
#define PENDING_MAX 1024
#define TICK_MS 250
#define QUIET_NS (10000 * NS_PER_MS) /* without a divergence it is over */
#define CPUS_MAX 8192
#define NS_PER_MS 1000000ull
#define MODULE_PATH "/module/"

enum source { SOURCE_BPF = 1, SOURCE_UEVENT = 2 };

struct pending {
	enum source source;
	uint32_t came; /* the timer's tick of its arrival */
	uint64_t at_ns;
	char name[SENSOR_UEVENT_NAME_SIZE];
};

struct sensor_uevent {
	struct sensor_uevent_options o;
	struct measure_sink sink, tap;
	struct netlink_door *door;
	struct event *timer;
	struct pending pending[PENDING_MAX];
	uint32_t n_pending;
	bool compare;
	uint64_t window_ns;
	uint64_t silent_until_ns; /* nothing follows from a missing twin before this boot time */
	uint64_t diverged_ns; /* the last divergence; 0: it is over */
	uint32_t tick, patience; /* a load waits for so many ticks, and so turns of the loop */
	uint64_t dropped[CPUS_MAX]; /* as last told by the kernel programs */
};

/* The device path may hold anything that a name may; a module's name is a word. */
static int take_name(const char *path, struct sensor_uevent_event *e, struct why *ret_why)
{
	size_t n = strlen(path);

	if (n == 0 || n >= sizeof(e->name))
		return why_set(ret_why, -EBADMSG, "uevent: a module's name of %zu bytes", n);
	for (size_t i = 0; i < n; i++) {
		if (!isalnum((unsigned char)path[i]) && !strchr("_-.+", path[i]))
			return why_set(ret_why, -EBADMSG,
				       "uevent: byte %zu of a module's name is 0x%02x", i,
				       (unsigned char)path[i]);
	}
	memcpy(e->name, path, n + 1);
	return 0;
}

int sensor_uevent_parse(const void *data, size_t size, struct sensor_uevent_event *ret,
			struct why *ret_why)
{
	const char *text = data, *at, *action = NULL, *path = NULL;
	struct sensor_uevent_event e = {0};
	bool made_up = false;

	if (size == 0 || text[size - 1] != '\0')
		return why_set(ret_why, -EBADMSG, "uevent: %zu bytes that do not end with NUL",
			       size);
	at = strchr(text, '@');
	if (!at)
		return why_set(ret_why, -EBADMSG, "uevent: no action in its first line");
	for (const char *line = text + strlen(text) + 1; line < text + size;
	     line += strlen(line) + 1) {
		if (strncmp(line, "ACTION=", 7) == 0)
			action = line + 7;
		else if (strncmp(line, "DEVPATH=", 8) == 0)
			path = line + 8;
		else if (strncmp(line, "SYNTH_UUID=", 11) == 0)
			made_up = true;
	}
	if (!action || !path || strlen(action) != (size_t)(at - text) ||
	    strncmp(text, action, strlen(action)) != 0 || strcmp(at + 1, path) != 0)
		return why_set(ret_why, -EBADMSG,
			       "uevent: action or path are not those of its first line");
	/* What lies deeper ("/module/X/drivers/…") is not the module. */
	if (made_up || strncmp(path, MODULE_PATH, strlen(MODULE_PATH)) != 0 ||
	    strchr(path + strlen(MODULE_PATH), '/')) {
		*ret = e;
		return 0;
	}
	if (strcmp(action, "add") == 0)
		e.what = SENSOR_UEVENT_LOAD;
	else if (strcmp(action, "remove") == 0)
		e.what = SENSOR_UEVENT_UNLOAD;
	if (e.what != SENSOR_UEVENT_OTHER) {
		int r = take_name(path + strlen(MODULE_PATH), &e, ret_why);

		if (r < 0)
			return r;
	}
	*ret = e;
	return 0;
}

static void tell_module(struct sensor_uevent *s, const char *name, const char *op, uint64_t at_ns)
{
	char key[SENSOR_UEVENT_NAME_SIZE + 16];
	const struct line l = {
		.utc_ns = clock_utc_ns(s->o.clock),
		.boot_ns = at_ns,
		.src = "uevent",
		.type = PLUMB_TYPE_MODULE,
		.scope = "host",
		.key = key,
		.found = strcmp(op, "load") == 0 ? "loaded" : "absent",
		.op = op,
	};

	snprintf(key, sizeof(key), "module:%s", name);
	s->sink.measurement(s->sink.ctx, &l);
}

static void put_divergence(struct sensor_uevent *s, const char *found, uint64_t at_ns)
{
	const struct line l = {
		.utc_ns = clock_utc_ns(s->o.clock),
		.boot_ns = at_ns,
		.src = "uevent",
		.type = PLUMB_TYPE_CLAIM,
		.scope = "host",
		.key = "sensor:module_divergence",
		.found = found,
	};

	s->sink.measurement(s->sink.ctx, &l);
}

static void tell_divergence(struct sensor_uevent *s, const struct pending *p, const char *more)
{
	char found[SENSOR_UEVENT_NAME_SIZE + 96];

	snprintf(found, sizeof(found), "only %s saw module %s%s",
		 p->source == SOURCE_BPF ? "bpf" : "uevent", p->name, more);
	log_warning("sensor=uevent divergence=\"%s\"", found);
	put_divergence(s, found, p->at_ns);
	s->diverged_ns = clock_boot_ns(s->o.clock);
}

/* The drift was one of that load, and the state is good again. */
static void tell_over(struct sensor_uevent *s)
{
	uint64_t now = clock_boot_ns(s->o.clock);

	if (s->diverged_ns == 0 || now - s->diverged_ns < QUIET_NS)
		return;
	s->diverged_ns = 0;
	put_divergence(s, "absent", now);
}

static void silence(struct sensor_uevent *s)
{
	s->silent_until_ns = clock_boot_ns(s->o.clock) + 2 * s->window_ns;
}

static void tell_loss(struct sensor_uevent *s, uint64_t n, const char *what)
{
	log_warning("sensor=uevent lost=%llu what=\"%s\"", (unsigned long long)n, what);
	s->sink.lost(s->sink.ctx, "uevent", n, what);
	silence(s);
}

static void pending_remove(struct sensor_uevent *s, uint32_t i)
{
	s->n_pending--;
	memmove(&s->pending[i], &s->pending[i + 1], (s->n_pending - i) * sizeof(s->pending[0]));
}

/* True when it was the twin of one that waits. The same name may be loaded twice: the earliest goes. */
static bool takes_twin(struct sensor_uevent *s, enum source source, const char *name)
{
	for (uint32_t i = 0; i < s->n_pending; i++) {
		if (s->pending[i].source != source && strcmp(s->pending[i].name, name) == 0) {
			pending_remove(s, i);
			return true;
		}
	}
	return false;
}

static void note(struct sensor_uevent *s, enum source source, const char *name, uint64_t at_ns)
{
	struct pending *p;

	if (takes_twin(s, source, name))
		return;
	if (s->n_pending == PENDING_MAX) {
		tell_loss(s, 1, "too many module loads to compare");
		if (source == SOURCE_UEVENT)
			tell_module(s, name, "load", at_ns);
		return;
	}
	p = &s->pending[s->n_pending++];
	*p = (struct pending){.source = source, .came = s->tick, .at_ns = at_ns};
	snprintf(p->name, sizeof(p->name), "%s", name);
}

/* "live", "coming", "going"; "" when the module is not there. */
static void read_state(const struct sensor_uevent *s, const char *name, char ret[16])
{
	char path[256];
	CLEANUP_CLOSE int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/module/%s/initstate", s->o.sys ? s->o.sys : "/sys", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, ret, 15);
	ret[n > 0 ? n : 0] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
}

/*
 * Only uevents saw it: the programs were evaded or jammed. Only the programs saw it: the kernel tells of a module when its init is over and went
 * well, so one that is not in /sys failed to start, or hid itself; which one, this does not say. True: it may still come.
 */
static bool overdue(struct sensor_uevent *s, const struct pending *p)
{
	bool silent = p->at_ns < s->silent_until_ns;
	char state[16];

	if (p->source == SOURCE_UEVENT) {
		/* Whoever lost what: nobody else has told it. */
		tell_module(s, p->name, "load", p->at_ns);
		if (!silent)
			tell_divergence(s, p, "");
		return false;
	}
	read_state(s, p->name, state);
	if (strcmp(state, "coming") == 0)
		return true;
	if (!silent)
		tell_divergence(
			s, p, state[0] ? "" : ", which is not there: it failed to start, or hides");
	return false;
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct sensor_uevent *s = ctx;
	uint32_t i = 0;

	(void)fd;
	(void)what;
	s->tick++;
	tell_over(s);
	while (i < s->n_pending) {
		struct pending p = s->pending[i];

		if (s->tick - p.came <= s->patience || overdue(s, &p))
			i++;
		else
			pending_remove(s, i);
	}
}

void sensor_uevent_take(struct sensor_uevent *s, const void *data, size_t size)
{
	uint64_t now = clock_boot_ns(s->o.clock);
	struct sensor_uevent_event e;
	struct why why = {""};
	int r = sensor_uevent_parse(data, size, &e, &why);

	if (r < 0) {
		tell_loss(s, 1, why.text);
	} else if (e.what == SENSOR_UEVENT_UNLOAD) {
		tell_module(s, e.name, "unload", now);
	} else if (e.what == SENSOR_UEVENT_LOAD) {
		if (s->compare)
			note(s, SOURCE_UEVENT, e.name, now);
		else
			tell_module(s, e.name, "load", now);
		if (s->o.loaded)
			s->o.loaded(s->o.ctx);
	}
}

static void on_datagram(void *ctx, const void *data, size_t size)
{
	sensor_uevent_take(ctx, data, size);
}

/*
 * SEQNUM is no way to count: numbers go to uevents of all network namespaces, and those of their devices are told in their own alone.
 * So a full buffer is the one sign of loss.
 */
static void on_lost(void *ctx, const char *what)
{
	tell_loss(ctx, 0, what);
}

static void tap_measurement(void *ctx, const struct line *l)
{
	struct sensor_uevent *s = ctx;

	if (s->compare && l->type == PLUMB_TYPE_MODULE && l->op && strcmp(l->op, "load") == 0 &&
	    strncmp(l->key, "module:", 7) == 0)
		note(s, SOURCE_BPF, l->key + 7, l->boot_ns);
	s->sink.measurement(s->sink.ctx, l);
}

static void tap_counters(void *ctx, uint64_t ksess, uint32_t cpu, const struct plumb_counters *c,
			 uint64_t received)
{
	struct sensor_uevent *s = ctx;

	if (cpu >= CPUS_MAX || c->dropped != s->dropped[cpu])
		silence(s);
	if (cpu < CPUS_MAX)
		s->dropped[cpu] = c->dropped;
	s->sink.counters(s->sink.ctx, ksess, cpu, c, received);
}

static void tap_lost(void *ctx, const char *src, uint64_t n, const char *what)
{
	struct sensor_uevent *s = ctx;

	silence(s);
	s->sink.lost(s->sink.ctx, src, n, what);
}

const struct measure_sink *sensor_uevent_tap(struct sensor_uevent *s)
{
	return &s->tap;
}

void sensor_uevent_compare(struct sensor_uevent *s, bool other_source_is_there)
{
	/* What was loaded while the other one began may have been told by one of them alone. */
	if (other_source_is_there && !s->compare)
		silence(s);
	s->compare = other_source_is_there;
}

int sensor_uevent_open(struct event_base *base, const struct sensor_uevent_options *o,
		       const struct measure_sink *sink, struct sensor_uevent **ret,
		       struct why *ret_why)
{
	const struct timeval every = {0, TICK_MS * 1000};
	struct sensor_uevent *s = calloc(1, sizeof(*s));
	struct netlink_door_options door = {
		.name = "uevents",
		.protocol = NETLINK_KOBJECT_UEVENT,
		.groups = {GROUP_KERNEL},
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
	s->tap = (struct measure_sink){s, tap_measurement, tap_counters, tap_lost};
	s->window_ns = (o->window_ms ? o->window_ms : 2000) * NS_PER_MS;
	s->patience = (uint32_t)(s->window_ns / NS_PER_MS / TICK_MS) + 1;
	r = netlink_door_open(base, &door, &s->door, ret_why);
	if (r >= 0) {
		s->timer = event_new(base, -1, EV_PERSIST, on_timer, s);
		if (!s->timer || event_add(s->timer, &every) < 0)
			r = -ENOMEM;
	}
	if (r < 0) {
		sensor_uevent_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

struct sensor_uevent *sensor_uevent_free(struct sensor_uevent *s)
{
	if (!s)
		return NULL;
	netlink_door_free(s->door);
	if (s->timer)
		event_free(s->timer);
	free(s);
	return NULL;
}
