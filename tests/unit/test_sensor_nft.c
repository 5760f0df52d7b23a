/* SPDX-License-Identifier: Apache-2.0 */
/* test_sensor_nft.c: the packet filter and the network of a namespace of the test's own, with buffers that are too small. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../userspace/agent/sensor_nft.h"
#include "../../userspace/agent/sensor_route.h"
#include "scratch.h"

#define PATIENCE_TURNS 600 /* of 50 ms: what comes, comes; only a failure takes so long */

struct bench {
	struct event_base *base;
	struct proctab *proctab;
	uint64_t gaps, full;
	uint32_t claims;
	bool attached;
	char absent[128], ruleset[256], addr[256], comm[32];
};

static int on_claim(void *ctx, const struct line *l)
{
	struct bench *b = ctx;

	b->claims++;
	if (strcmp(l->key, "net:nft_ruleset") == 0) {
		snprintf(b->ruleset, sizeof(b->ruleset), "%s", l->found);
		if (l->has_actor && l->actor.known && l->actor.comm)
			snprintf(b->comm, sizeof(b->comm), "%s", l->actor.comm);
	}
	if (strcmp(l->key, "net:addr:lo") == 0)
		snprintf(b->addr, sizeof(b->addr), "%s", l->found);
	return 1;
}

static void on_lost(void *ctx, const char *src, uint64_t n, const char *what)
{
	struct bench *b = ctx;

	(void)src;
	if (strcmp(what, "sequence gap") == 0)
		b->gaps += n;
	else
		b->full++;
}

static void on_attached(void *ctx, bool attached, const char *absent_why)
{
	struct bench *b = ctx;

	b->attached = attached;
	snprintf(b->absent, sizeof(b->absent), "%s", absent_why);
}

static void on_tick(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	++*(uint32_t *)ctx;
}

static bool has(const char *where, const char *text)
{
	return strstr(where, text) != NULL;
}

static bool until_has(struct bench *b, const char *where, const char *text)
{
	const struct timeval tick = {0, 50000};
	uint32_t turns = 0;
	struct event *e = event_new(b->base, -1, EV_PERSIST, on_tick, &turns);

	event_add(e, &tick);
	while (!has(where, text) && turns < PATIENCE_TURNS)
		event_base_loop(b->base, EVLOOP_ONCE);
	event_free(e);
	return has(where, text);
}

static bool until_counted(struct bench *b, const uint64_t *n)
{
	const struct timeval tick = {0, 50000};
	uint32_t turns = 0;
	struct event *e = event_new(b->base, -1, EV_PERSIST, on_tick, &turns);

	event_add(e, &tick);
	while (*n == 0 && turns < PATIENCE_TURNS)
		event_base_loop(b->base, EVLOOP_ONCE);
	event_free(e);
	return *n > 0;
}

static int begin(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	if (!b || proctab_open(0, NULL, &b->proctab) < 0)
		return -1;
	b->base = event_base_new();
	*state = b;
	return b->base ? 0 : -1;
}

static int end(void **state)
{
	struct bench *b = *state;

	event_base_free(b->base);
	proctab_free(b->proctab);
	free(b);
	return 0;
}

/* In a namespace of its own the test changes nothing of the machine's. */
static void need(const char *command)
{
	static bool own;
	char text[256];

	own = own || unshare(CLONE_NEWNET) == 0;
	snprintf(text, sizeof(text), "PATH=$PATH:/usr/sbin; %s >/dev/null 2>&1", command);
	if (!own || system(text) != 0) {
		print_message("# %s: %s\n", own ? "not here" : "no network namespace", command);
		skip();
	}
}

static void run(const char *command)
{
	char text[256];

	snprintf(text, sizeof(text), "PATH=$PATH:/usr/sbin; %s", command);
	assert_int_equal(system(text), 0);
}

static struct sensor_nft *open_nft(struct bench *b, const char *dir, uint32_t receive_size)
{
	const struct sensor_nft_options o = {.proctab = b->proctab,
					     .clock = clock_system(),
					     .receive_size = receive_size,
					     .proc = dir,
					     .sys = dir,
					     .claim = on_claim,
					     .lost = on_lost,
					     .attached = on_attached,
					     .ctx = b};
	struct sensor_nft *s;
	struct why why = {""};

	assert_int_equal(sensor_nft_open(b->base, &o, &s, &why), 0);
	return s;
}

static void missed_transactions_are_counted_and_made_good(void **state)
{
	struct bench *b = *state;
	struct sensor_nft *s;

	need("nft flush ruleset");
	s = open_nft(b, NULL, 1);
	assert_true(b->attached);
	assert_string_equal(b->ruleset, "none");
	/* Nobody reads meanwhile. */
	for (int i = 0; i < 30; i++)
		run("nft add table ip t; nft delete table ip t");
	run("nft add table ip last");
	assert_true(until_counted(b, &b->full));
	assert_true(until_has(b, b->ruleset, " 1 tables 0 chains"));
	run("nft add chain ip last c");
	assert_true(until_counted(b, &b->gaps));
	assert_in_range(b->gaps, 10, 61);
	assert_true(until_has(b, b->ruleset, " 1 tables 1 chains"));
	assert_string_equal(b->comm, "nft");
	run("nft flush ruleset");
	sensor_nft_free(s);
}

static void what_is_not_loaded_is_not_asked(void **state)
{
	struct bench *b = *state;
	struct sensor_nft *s;
	char dir[SCRATCH_SIZE];

	need("nft flush ruleset");
	scratch_open(dir, "nft");
	/* As a module it has its name behind its symbols, and no directory once it is gone. */
	scratch_run(dir, "printf 'ffff T other\\nffff T nft_do_chain\\t[nf_tables]\\n' >kallsyms");
	s = open_nft(b, dir, 0);
	assert_false(b->attached);
	assert_true(b->absent[0] != '\0');
	assert_string_equal(b->ruleset, "none");
	run("nft add table ip t");
	scratch_run(dir, "mkdir -p module/nf_tables");
	sensor_nft_again(s);
	assert_true(until_has(b, b->ruleset, " 1 tables"));
	assert_true(b->attached);
	run("nft flush ruleset");
	assert_true(until_has(b, b->ruleset, "none"));
	sensor_nft_free(s);
	scratch_run(dir, "rmdir module/nf_tables && printf 'ffff T nft_do_chain\\n' >kallsyms");
	s = open_nft(b, dir, 0);
	assert_true(b->attached); /* built into the kernel */
	sensor_nft_free(s);
	scratch_done(dir);
}

static void a_full_buffer_is_made_good_by_a_dump(void **state)
{
	struct bench *b = *state;
	struct sensor_route_options o = {.clock = clock_system(),
					 .receive_size = 1,
					 .claim = on_claim,
					 .lost = on_lost,
					 .ctx = b};
	struct sensor_route *s;
	struct why why = {""};

	need("ip link set lo up");
	assert_int_equal(sensor_route_open(b->base, &o, &s, &why), 0);
	assert_true(has(b->addr, "127.0.0.1/8"));
	for (int i = 0; i < 30; i++)
		run("ip addr add 198.51.100.1/32 dev lo; ip addr del 198.51.100.1/32 dev lo");
	run("ip addr add 203.0.113.9/24 dev lo");
	assert_true(until_counted(b, &b->full));
	assert_true(until_has(b, b->addr, "203.0.113.9/24"));
	assert_false(has(b->addr, "198.51.100.1"));
	sensor_route_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(missed_transactions_are_counted_and_made_good,
						begin, end),
		cmocka_unit_test_setup_teardown(what_is_not_loaded_is_not_asked, begin, end),
		cmocka_unit_test_setup_teardown(a_full_buffer_is_made_good_by_a_dump, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
