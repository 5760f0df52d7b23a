/* SPDX-License-Identifier: Apache-2.0 */
/* test_sensor_uevent.c: uevents of modules, and loads that only one of two sources saw. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../userspace/agent/sensor_uevent.h"
#include "scratch.h"

#define LOAD "add@/module/dummy\0ACTION=add\0DEVPATH=/module/dummy\0SUBSYSTEM=module\0SEQNUM=7"
#define UNLOAD "remove@/module/dummy\0ACTION=remove\0DEVPATH=/module/dummy\0SEQNUM=8"

static int parse(const char *data, size_t size, struct sensor_uevent_event *ret)
{
	struct why why = {""};
	int r = sensor_uevent_parse(data, size, ret, &why);

	assert_true(r == 0 || why.text[0] != '\0');
	return r;
}

static void uevents_are_read(void **state)
{
	static const char synthetic[] =
		"add@/module/dummy\0ACTION=add\0DEVPATH=/module/dummy\0SYNTH_UUID=0";
	static const char deeper[] = "add@/module/dummy/x\0ACTION=add\0DEVPATH=/module/dummy/x";
	static const char bound[] = "bind@/module/dummy\0ACTION=bind\0DEVPATH=/module/dummy";
	struct sensor_uevent_event e;

	(void)state;
	assert_int_equal(parse(LOAD, sizeof(LOAD), &e), 0);
	assert_int_equal(e.what, SENSOR_UEVENT_LOAD);
	assert_string_equal(e.name, "dummy");
	assert_int_equal(parse(UNLOAD, sizeof(UNLOAD), &e), 0);
	assert_int_equal(e.what, SENSOR_UEVENT_UNLOAD);
	/* Whoever may write into /sys can have these sent: they are no loads. */
	assert_int_equal(parse(synthetic, sizeof(synthetic), &e), 0);
	assert_int_equal(e.what, SENSOR_UEVENT_OTHER);
	assert_int_equal(parse(deeper, sizeof(deeper), &e), 0);
	assert_int_equal(e.what, SENSOR_UEVENT_OTHER);
	assert_int_equal(parse(bound, sizeof(bound), &e), 0);
	assert_int_equal(e.what, SENSOR_UEVENT_OTHER);
}

static void broken_uevents_are_refused(void **state)
{
	static const char other[] = "add@/module/dummy\0ACTION=add\0DEVPATH=/module/other";
	static const char turned[] = "add@/module/dummy\0ACTION=remove\0DEVPATH=/module/dummy";
	static const char blank[] = "add@/module/a b\0ACTION=add\0DEVPATH=/module/a b";
	static const char none[] = "add@/module/\0ACTION=add\0DEVPATH=/module/";
	char name[80], text[300];
	struct sensor_uevent_event e;
	int n;

	(void)state;
	for (size_t size = 0; size < sizeof(LOAD) - sizeof("SUBSYSTEM=module\0SEQNUM=7"); size++)
		assert_int_equal(parse(LOAD, size, &e), -EBADMSG);
	assert_int_equal(parse(LOAD, sizeof(LOAD) - 1, &e), -EBADMSG); /* does not end with NUL */
	assert_int_equal(parse(other, sizeof(other), &e), -EBADMSG);
	assert_int_equal(parse(turned, sizeof(turned), &e), -EBADMSG);
	assert_int_equal(parse(blank, sizeof(blank), &e), -EBADMSG);
	assert_int_equal(parse(none, sizeof(none), &e), -EBADMSG);
	memset(name, 'x', sizeof(name));
	name[SENSOR_UEVENT_NAME_SIZE] = '\0';
	n = snprintf(text, sizeof(text), "add@/module/%s%cACTION=add%cDEVPATH=/module/%s", name, 0,
		     0, name);
	assert_int_equal(parse(text, (size_t)n + 1, &e), -EBADMSG);
}

struct bench {
	struct event_base *base;
	struct sensor_uevent *s;
	char sys[SCRATCH_SIZE];
	uint32_t loads, unloads, divergences, lost, others;
	char last[128];
};

static void on_line(void *ctx, const struct line *l)
{
	struct bench *b = ctx;

	if (strcmp(l->key, "sensor:module_divergence") == 0) {
		b->divergences++;
		snprintf(b->last, sizeof(b->last), "%s", l->found);
	} else if (strcmp(l->src, "uevent") != 0) {
		b->others++;
	} else if (strcmp(l->key, "module:dummy") == 0 && strcmp(l->op, "load") == 0) {
		assert_string_equal(l->found, "loaded");
		b->loads++;
	} else if (strcmp(l->key, "module:dummy") == 0) {
		assert_string_equal(l->found, "absent");
		b->unloads++;
	}
}

static void on_lost(void *ctx, const char *src, uint64_t n, const char *what)
{
	(void)src;
	(void)n;
	(void)what;
	((struct bench *)ctx)->lost++;
}

static void on_counters(void *ctx, uint64_t ksess, uint32_t cpu, const struct plumb_counters *c,
			uint64_t received)
{
	(void)ctx;
	(void)ksess;
	(void)cpu;
	(void)c;
	(void)received;
}

static uint64_t fixed(void *ctx)
{
	return *(uint64_t *)ctx;
}

static uint64_t now = 1000000000000ull;
static const struct clock still = {fixed, fixed, &now};

static void begin(struct bench *b)
{
	const struct measure_sink sink = {b, on_line, on_counters, on_lost};
	struct sensor_uevent_options o = {.clock = &still, .window_ms = 250};
	struct why why = {""};

	memset(b, 0, sizeof(*b));
	scratch_open(b->sys, "uevent");
	o.sys = b->sys;
	b->base = event_base_new();
	if (sensor_uevent_open(b->base, &o, &sink, &b->s, &why) < 0) {
		print_message("# %s\n", why.text);
		event_base_free(b->base);
		scratch_done(b->sys);
		skip();
	}
	sensor_uevent_compare(b->s, true);
	now += 10000000000ull; /* past the silence of the beginning */
}

static void end(struct bench *b)
{
	sensor_uevent_free(b->s);
	event_base_free(b->base);
	scratch_done(b->sys);
}

static void bpf_saw(struct bench *b, const char *op)
{
	const struct measure_sink *tap = sensor_uevent_tap(b->s);
	const struct line l = {.src = "bpf",
			       .type = PLUMB_TYPE_MODULE,
			       .boot_ns = now,
			       .key = "module:dummy",
			       .found = "loaded",
			       .op = op};

	tap->measurement(tap->ctx, &l);
}

static void on_turn(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	++*(uint32_t *)ctx;
}

/* Longer than any load waits, counted in turns like those of the sensor's own timer: however slow the machine is, both have as many. */
static void wait_out(struct bench *b)
{
	const struct timeval tv = {0, 250000};
	uint32_t turns = 0;
	struct event *e = event_new(b->base, -1, EV_PERSIST, on_turn, &turns);

	event_add(e, &tv);
	while (turns < 5)
		event_base_loop(b->base, EVLOOP_ONCE);
	event_free(e);
}

static void a_load_that_both_saw_is_told_once(void **state)
{
	struct bench b;

	(void)state;
	begin(&b);
	bpf_saw(&b, "load");
	sensor_uevent_take(b.s, LOAD, sizeof(LOAD));
	sensor_uevent_take(b.s, LOAD, sizeof(LOAD)); /* and once more, the other way round */
	bpf_saw(&b, "load");
	wait_out(&b);
	assert_int_equal(b.others, 2);
	assert_int_equal(b.loads, 0);
	assert_int_equal(b.divergences, 0);
	sensor_uevent_take(b.s, UNLOAD, sizeof(UNLOAD));
	assert_int_equal(b.unloads, 1);
	end(&b);
}

static void one_that_only_uevents_saw_is_told_twice(void **state)
{
	struct bench b;

	(void)state;
	begin(&b);
	sensor_uevent_take(b.s, LOAD, sizeof(LOAD));
	assert_int_equal(b.loads, 0); /* not yet */
	wait_out(&b);
	assert_int_equal(b.loads, 1);
	assert_int_equal(b.divergences, 1);
	assert_string_equal(b.last, "only uevent saw module dummy");
	now += 9000000000ull;
	wait_out(&b);
	assert_int_equal(b.divergences, 1);
	now += 2000000000ull;
	wait_out(&b);
	assert_int_equal(b.divergences, 2);
	assert_string_equal(b.last, "absent");
	end(&b);
}

static void one_that_only_the_programs_saw_is_told(void **state)
{
	struct bench b;

	(void)state;
	begin(&b);
	bpf_saw(&b, "load");
	wait_out(&b);
	assert_int_equal(b.divergences, 1);
	assert_string_equal(
		b.last,
		"only bpf saw module dummy, which is not there: it failed to start, or hides");
	scratch_run(b.sys, "mkdir -p module/dummy && echo live >module/dummy/initstate");
	bpf_saw(&b, "load");
	wait_out(&b);
	assert_int_equal(b.divergences, 2);
	assert_string_equal(b.last, "only bpf saw module dummy");
	end(&b);
}

/* The kernel tells of it when its init is over. */
static void one_that_starts_slowly_is_waited_for(void **state)
{
	struct bench b;

	(void)state;
	begin(&b);
	scratch_run(b.sys, "mkdir -p module/dummy && echo coming >module/dummy/initstate");
	bpf_saw(&b, "load");
	wait_out(&b);
	assert_int_equal(b.divergences, 0);
	sensor_uevent_take(b.s, LOAD, sizeof(LOAD));
	scratch_run(b.sys, "echo live >module/dummy/initstate");
	wait_out(&b);
	assert_int_equal(b.divergences, 0);
	end(&b);
}

static void a_loss_on_either_side_silences(void **state)
{
	struct plumb_counters c = {.dropped = 1};
	struct bench b;

	(void)state;
	begin(&b);
	bpf_saw(&b, "load");
	sensor_uevent_take(b.s, "x", 1); /* could not be read: what it was nobody knows */
	assert_int_equal(b.lost, 1);
	wait_out(&b);
	assert_int_equal(b.divergences, 0);
	now += 10000000000ull;
	sensor_uevent_take(b.s, LOAD, sizeof(LOAD));
	sensor_uevent_tap(b.s)->counters(sensor_uevent_tap(b.s)->ctx, 1, 0, &c, 0);
	wait_out(&b);
	assert_int_equal(b.divergences, 0);
	assert_int_equal(b.loads, 1); /* the load itself is told all the same */
	end(&b);
}

static void alone_it_tells_each(void **state)
{
	struct bench b;

	(void)state;
	begin(&b);
	sensor_uevent_compare(b.s, false);
	sensor_uevent_take(b.s, LOAD, sizeof(LOAD));
	assert_int_equal(b.loads, 1);
	wait_out(&b);
	assert_int_equal(b.divergences, 0);
	end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(uevents_are_read),
		cmocka_unit_test(broken_uevents_are_refused),
		cmocka_unit_test(a_load_that_both_saw_is_told_once),
		cmocka_unit_test(one_that_only_uevents_saw_is_told_twice),
		cmocka_unit_test(one_that_only_the_programs_saw_is_told),
		cmocka_unit_test(one_that_starts_slowly_is_waited_for),
		cmocka_unit_test(a_loss_on_either_side_silences),
		cmocka_unit_test(alone_it_tells_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
