/* SPDX-License-Identifier: Apache-2.0 */
/* test_surface_seen.c: who shares room with whom, what is told by its name whatever else there was, and that the sum is right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../../userspace/agent/surface.h"
#include "../../userspace/agent/surface_seen.h"
#include "../../userspace/agent/surface_words.h"
#include "../../userspace/lib/cleanup.h"
#include "../fakes/claims_fixture.h"

#define WINDOW 1000
#define POD_A "/kubepods/pod8dbc42f8-2f5c-4a11-9c4e-0123456789ab"
#define POD_B "/kubepods/pod11111111-2222-3333-4444-555555555555"
#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

struct table {
	struct surface_seen *s;
	struct surface_seen_deed out, gone;
	char key[128], folded[128], rest[128];
	uint64_t now, done, told; /* deeds, and those that were told of */
	uint32_t lines;
};

static struct table *table_of(void **state)
{
	struct table *t = *state;

	*t = (struct table){.s = surface_seen_free(t->s), .now = 1};
	assert_int_equal(surface_seen_open(WINDOW, &t->s), 0);
	return t;
}

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct table));
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	struct table *t = *state;

	surface_seen_free(t->s);
	free(t);
	return 0;
}

static int take(struct table *t, const char *unit, const char *what, uint32_t by, uint32_t times)
{
	struct surface_seen_deed d = {.unit = unit,
				      .key = t->key,
				      .folded = t->folded,
				      .rest = t->rest,
				      .found = "x",
				      .times = times};
	int r;

	snprintf(t->key, sizeof(t->key), "surface:%s:o by %u", what, by);
	snprintf(t->folded, sizeof(t->folded), "surface:%s:* by %u", what, by);
	snprintf(t->rest, sizeof(t->rest), "surface:%s:* by cgroup:%s", what, unit);
	r = surface_seen_take(t->s, &d, t->now, &t->out, &t->gone);
	t->done += times;
	t->told += t->gone.times + (r ? t->out.times : 0);
	t->lines += (t->gone.times > 0) + (uint32_t)r;
	assert_true(surface_seen_n(t->s) <= SURFACE_SEEN_MAX);
	return r;
}

static void told_by_name(struct table *t, const char *unit, const char *what, uint32_t by)
{
	assert_int_equal(take(t, unit, what, by, 1), 1);
	assert_string_equal(t->out.key, t->key);
	assert_string_equal(t->out.found, "x");
}

static void nothing_unsaid(struct table *t)
{
	while (surface_seen_due(t->s, true, t->now + 1, &t->out))
		t->told += t->out.times;
	assert_int_equal(t->told, t->done);
	/* What is not done again is forgotten, and then told anew. */
	assert_int_equal(surface_seen_due(t->s, false, t->now + 2 * WINDOW, &t->out), 0);
	assert_int_equal(surface_seen_n(t->s), 0);
}

static void a_flood_of_one_unit_hides_nobody(void **state)
{
	struct table *t = table_of(state);

	for (uint32_t i = 0; i < 5000; i++)
		take(t, "/a", "module-request", i, 1 + i % 3);
	assert_int_equal(t->lines, SURFACE_SEEN_SHARE + 1);
	assert_int_equal(t->gone.times, 0);
	told_by_name(t, "/b", "module-request", 9000);
	/* The same program as one of theirs is another all the same. */
	told_by_name(t, "/b", "module-request", 1);
	assert_int_equal(take(t, "/b", "module-request", 1, 1), 0);
	nothing_unsaid(t);
}

static void a_flood_of_one_kind_hides_no_other(void **state)
{
	struct table *t = table_of(state);

	for (uint32_t i = 0; i < 5000; i++)
		take(t, "/a", "module-request", i, 1);
	told_by_name(t, "/a", "cgroup", 9000);
	/* The second of that kind is said at once, with what it was; then it is counted. */
	assert_int_equal(take(t, "/a", "cgroup", 9001, 1), 1);
	assert_string_equal(t->out.key, "surface:cgroup:* by cgroup:/a");
	assert_string_equal(t->out.found, "several");
	assert_int_equal(take(t, "/a", "cgroup", 9002, 7), 0);
	assert_int_equal(take(t, "/a", "cgroup", 9000, 1), 0);
	told_by_name(t, "/a", "memory", 9000);
	t->now += WINDOW;
	assert_int_equal(take(t, "/a", "cgroup", 9003, 1), 1);
	assert_string_equal(t->out.key, "surface:cgroup:* by cgroup:/a");
	assert_int_equal(t->out.times, 8);
	nothing_unsaid(t);
}

static void fill(struct table *t, uint32_t n, uint32_t units)
{
	char unit[32];

	for (uint32_t i = 0; i < n; i++) {
		snprintf(unit, sizeof(unit), "/u%u", i % units);
		take(t, unit, "userns", i / units, 1);
	}
}

static void when_all_is_full_whoever_is_new_is_told(void **state)
{
	struct table *t = table_of(state);

	fill(t, 20000, 8);
	assert_true(surface_seen_n(t->s) == SURFACE_SEEN_MAX);
	take(t, "/u3", "userns", 2, 4); /* counted: it is known */
	for (uint32_t i = 0; i < SURFACE_SEEN_SHARE / 2; i++)
		told_by_name(t, "/b", "block", i);
	told_by_name(t, "/b", "cgroup", 0);
	for (uint32_t i = 0; i < 8; i++) {
		char unit[32];

		snprintf(unit, sizeof(unit), "/u%u", i);
		told_by_name(t, unit, "cgroup", 0);
	}
	nothing_unsaid(t);
}

/* Of one that has to go its count is told, and by whom it was, before it is forgotten. */
static void who_makes_room_is_told_first(void **state)
{
	struct table *t = table_of(state);

	for (uint32_t i = 0; i < 2; i++, t->now++)
		told_by_name(t, "/old", "userns", i);
	assert_int_equal(take(t, "/old", "userns", 0, 5), 0);
	fill(t, SURFACE_SEEN_MAX - 2, SURFACE_SEEN_MAX - 2);
	assert_int_equal(surface_seen_n(t->s), SURFACE_SEEN_MAX);
	told_by_name(t, "/b", "cgroup", 0);
	assert_string_equal(t->gone.key, "surface:userns:o by 0");
	assert_int_equal(t->gone.times, 5);
	nothing_unsaid(t);
}

/* Many who do much: each line more is a program that is new, and none is told once for each time. */
static void many_units_do_not_drive_each_other_out(void **state)
{
	static const uint32_t units[] = {8, 9, 40, 300};
	uint32_t lines;

	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		struct table *t = table_of(state);

		fill(t, units[i] * 300, units[i]);
		lines = t->lines;
		fill(t, units[i] * 300, units[i]);
		fill(t, units[i] * 300, units[i]);
		if (t->lines > lines + SURFACE_SEEN_MAX)
			fail_msg("%u units: %u lines, then %u more", units[i], lines,
				 t->lines - lines);
		nothing_unsaid(t);
	}
}

/* Whatever comes: the sum is right, and who did something of a kind that is new for him is told. */
static void the_sum_is_right(void **state)
{
	static const char *const what[] = {"cgroup", "userns", "memory", "block", "clock"};
	struct table *t = table_of(state);
	char unit[32];
	uint32_t x = 1;

	for (uint32_t i = 0; i < 60000; i++) {
		x = x * 1664525 + 1013904223;
		snprintf(unit, sizeof(unit), "/u%u", (x >> 8) % (i < 30000 ? 20 : 2000));
		t->now += (x >> 28) == 0;
		take(t, unit, what[(x >> 20) % 5], (x >> 12) % 200, 1 + (x >> 29));
		if (x >> 22 == 7)
			while (surface_seen_due(t->s, false, t->now, &t->out))
				t->told += t->out.times;
	}
	nothing_unsaid(t);
}

/* Which of one "what" are told by their names however many others there are: those for which a rule has one. */
static void names_of_the_kernels_own_are_fixed(void **state)
{
	static const struct {
		uint32_t magic;
		const char *leaf, *above;
		bool fixed;
	} rows[] = {
		{0x62656572, "uevent_helper", "kernel", true},
		{0x62656572, "x", "kernel", false},
		{0x9fa0, "sysrq-trigger", "", true},
		{0x73636673, "lockdown", "", true},
		{0x73636673, "policy", "ima", false},
		{0xf97cff8c, "enforce", "", true},
		{0x0027e0eb, "release_agent", "deep", false},
		{0x74726163, "kprobe_events", "", false},
	};
	const struct surface_facts f = {0};
	struct surface_words w;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct plumb_event_surface e = {.what = PLUMB_SURFACE_OPEN,
						.fs_magic = rows[i].magic};

		snprintf(e.names[0], PLUMB_SURFACE_NAME, "%s", rows[i].leaf);
		snprintf(e.names[1], PLUMB_SURFACE_NAME, "%s", rows[i].above);
		surface_words(&e, &f, &w);
		assert_int_equal(w.is_fixed, rows[i].fixed);
	}
	for (uint16_t i = 0; i < 2; i++) {
		struct plumb_event_surface e = {.what = PLUMB_SURFACE_LOCKDOWN,
						.number = i ? PLUMB_REASON_DEV_MEM : 0};

		assert_true(surface_words(&e, &f, &w));
		assert_int_equal(w.is_fixed, i);
	}
}

/* A node with two pods. */
struct node {
	struct claims_fixture f;
	struct event_base *base;
	struct cgroups *cgroups;
	struct proctab *proctab;
	struct scan_claims *claims;
	struct surface *s;
	uint32_t lines;
	char key[2500], found[256];
};

static void on_line(void *ctx, const struct line *l)
{
	struct node *n = ctx;

	if (l->type != PLUMB_TYPE_SURFACE)
		return;
	n->lines++;
	snprintf(n->key, sizeof(n->key), "%s", l->key);
	snprintf(n->found, sizeof(n->found), "%s", l->found);
}

static void on_lost(void *ctx, const char *src, uint64_t n, const char *what)
{
	(void)ctx;
	(void)src;
	(void)n;
	(void)what;
}

static void open_node(struct node *n)
{
	const struct measure_sink sink = {n, on_line, NULL, on_lost};
	struct scan_claims_options claims = {.clock = clock_system()};
	struct surface_options o = {.clock = clock_system()};
	char top[SCRATCH_SIZE + 16];
	struct why why = {""};

	claims_fixture_open(&n->f);
	scratch_run(n->f.top, "mkdir -p cg%s/" ID " cg%s", POD_A, POD_B);
	snprintf(top, sizeof(top), "%s/cg", n->f.top);
	n->base = event_base_new();
	assert_int_equal(cgroups_open(top, &n->cgroups, &why), 0);
	assert_int_equal(proctab_open(0, n->cgroups, &n->proctab), 0);
	o.proc = claims.proc = n->f.proc;
	o.sys = claims.sys = n->f.sys;
	assert_true(scan_claims_open(n->base, &claims, &sink, &n->claims, &why) >= 0);
	o.claims = n->claims;
	o.proctab = n->proctab;
	assert_int_equal(surface_open(n->base, &o, &sink, &n->s), 0);
}

static void close_node(struct node *n)
{
	surface_free(n->s);
	scan_claims_free(n->claims);
	proctab_free(n->proctab);
	cgroups_free(n->cgroups);
	event_base_free(n->base);
	claims_fixture_done(&n->f);
}

/* A program of that name, in that cgroup. */
static struct plumb_task program(struct node *n, const char *cgroup, uint32_t pid, const char *exe)
{
	struct plumb_task t = {.pid = pid, .tid = pid, .ppid = 1, .start_ns = pid * 1000ull};
	char path[SCRATCH_SIZE + 200];
	struct stat st;

	snprintf(path, sizeof(path), "%s/cg%s", n->f.top, cgroup);
	assert_int_equal(stat(path, &st), 0);
	t.cgroup_id = st.st_ino;
	proctab_exec(n->proctab, &t, exe);
	return t;
}

static void does(struct node *n, struct plumb_task t, uint16_t what)
{
	union event_record r = {
		.surface = {.event = {.kind = PLUMB_KIND_SURFACE}, .task = t, .what = what}};

	r.surface.fs_magic = 0x0027e0eb;
	if (what == PLUMB_SURFACE_OPEN)
		snprintf(r.surface.names[0], PLUMB_SURFACE_NAME, "release_agent");
	else
		snprintf(r.surface.text, sizeof(r.surface.text), "net-pf-9");
	surface_take(n->s, &r);
}

/* One program under many names, and then the way out: in the pod itself, in a cgroup it made below, and next door. */
static void an_escape_is_told_whatever_was_done_before(void **state)
{
	struct node *n = calloc(1, sizeof(*n));
	char exe[32];

	(void)state;
	assert_non_null(n);
	open_node(n);
	for (uint32_t i = 0; i < 2048; i++) {
		snprintf(exe, sizeof(exe), "/tmp/x%u", i / 2);
		does(n, program(n, POD_A "/" ID, 10000 + i, exe),
		     i % 2 ? PLUMB_SURFACE_USERNS : PLUMB_SURFACE_REQUEST);
	}
	assert_int_equal(n->lines, SURFACE_SEEN_SHARE + 2);
	does(n, program(n, POD_A, 20000, "/bin/sh"), PLUMB_SURFACE_OPEN);
	assert_int_equal(n->lines, SURFACE_SEEN_SHARE + 3);
	assert_string_equal(n->key, "surface:cgroup:release_agent by /bin/sh");
	assert_string_equal(n->found, "opened for writing");
	does(n, program(n, POD_B, 20001, "/bin/sh"), PLUMB_SURFACE_OPEN);
	assert_int_equal(n->lines, SURFACE_SEEN_SHARE + 4);
	assert_string_equal(n->key, "surface:cgroup:release_agent by /bin/sh");
	does(n, program(n, POD_A "/" ID, 20002, "/bin/zsh"), PLUMB_SURFACE_OPEN);
	assert_string_equal(n->key, "surface:cgroup:release_agent by cgroup:" POD_A);
	close_node(n);
	free(n);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_flood_of_one_unit_hides_nobody),
		T(a_flood_of_one_kind_hides_no_other),
		T(when_all_is_full_whoever_is_new_is_told),
		T(who_makes_room_is_told_first),
		T(many_units_do_not_drive_each_other_out),
		T(the_sum_is_right),
		cmocka_unit_test(names_of_the_kernels_own_are_fixed),
		cmocka_unit_test(an_escape_is_told_whatever_was_done_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
