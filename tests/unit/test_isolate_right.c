/* SPDX-License-Identifier: Apache-2.0 */
/* The network of an isolated node where the agent has no right to the packet filter, or to a table of our name, now or later; or no disk for what it would remember. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fault_fsio.h"
#include "isolate_fixture.h"
#include "scratch.h"

#define NFT "PATH=$PATH:/usr/sbin; nft "
#define HAS(family) (system(NFT "list table " family " plumbline_isolation >/dev/null 2>&1") == 0)
#define NEITHER "\"inet\":false,\"bridge\":false,"
#define BOTH "\"inet\":true,\"bridge\":true,"

struct world {
	struct isolate_fixture x;
	struct fault_fsio disk;
};

static bool has_net;

/* Of this thread, and not of what it starts: root's programs have all there is. */
static void give_net_admin(bool on)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {{0}};
	const uint32_t bit = CAP_TO_MASK(CAP_NET_ADMIN);

	assert_int_equal(syscall(SYS_capget, &head, sets), 0);
	sets[0].effective =
		on ? sets[0].effective | (sets[0].permitted & bit) : sets[0].effective & ~bit;
	assert_int_equal(syscall(SYS_capset, &head, sets), 0);
}

static void start(struct world *w)
{
	isolate_fixture_start(&w->x, &w->disk.io, ISOLATE_NETWORK,
			      (struct isolate_parts){.keys = NULL});
}

static int make(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	isolate_fixture_open(&w->x);
	fault_fsio_init(&w->disk, -1, false, -ENOSPC);
	*state = w;
	return 0;
}

static int end(void **state)
{
	struct world *w = *state;

	isolate_fixture_stop(&w->x);
	give_net_admin(true);
	isolate_fixture_done(&w->x);
	free(w);
	return 0;
}

static void need(void)
{
	if (has_net)
		return;
	print_message("# no network namespace with nftables here\n");
	skip();
}

static void expect(const char *result, const char *begins)
{
	if (strncmp(result, begins, strlen(begins)) != 0)
		fail_msg("%s", result);
}

static void begin(struct world *w, const char *want)
{
	expect(isolate_fixture_begin(&w->x, ISOLATE_ALL_WAYS), want);
}

static void finish(struct world *w, const char *want)
{
	expect(isolate_fixture_finish(&w->x), want);
}

static bool has_file(const struct world *w)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/" ISOLATE_STATE_FILE, w->x.state);
	return access(path, F_OK) == 0;
}

static bool has_mark(const struct world *w, const char *mark)
{
	char command[256];

	snprintf(command, sizeof(command), "grep -q '%s' %s/" ISOLATE_STATE_FILE, mark, w->x.state);
	return system(command) == 0;
}

static bool is_free(void *ctx)
{
	return !isolate_is(((struct world *)ctx)->x.i);
}

static bool is_cut(void *ctx)
{
	(void)ctx;
	return HAS("inet") && HAS("bridge");
}

/* What could never be had is nothing that a release waits for, nor one after a start. */
static void test_never(void **state)
{
	struct world *w = *state;

	need();
	give_net_admin(false);
	start(w);
	for (int again = 0; again < 2; again++) {
		begin(w, "refused: cannot: network (");
		assert_true(has_mark(w, NEITHER));
		if (again) {
			isolate_fixture_stop(&w->x);
			start(w);
			assert_true(isolate_is(w->x.i));
		}
		finish(w, "done: network");
		assert_false(isolate_is(w->x.i) || has_file(w));
	}
}

/* What is in force and cannot be reached any more is not released, whoever starts anew: nobody could see whether it is there. */
static void test_lost(void **state)
{
	struct world *w = *state;

	need();
	start(w);
	begin(w, "done: network");
	assert_true(has_mark(w, BOTH));
	give_net_admin(false);
	finish(w, "refused: cannot: network (");
	assert_true(isolate_is(w->x.i));
	isolate_fixture_stop(&w->x);
	start(w);
	assert_true(isolate_is(w->x.i) && has_mark(w, BOTH));
	/* A file of before the marks does not say. */
	isolate_fixture_stop(&w->x);
	scratch_run(w->x.state, "sed -i 's/" BOTH "//' " ISOLATE_STATE_FILE);
	start(w);
	finish(w, "refused: cannot: network (");
	assert_true(isolate_is(w->x.i) && is_cut(w));
	give_net_admin(true);
	agent_fixture_until(&w->x.f, is_free, w, "it is free");
	assert_false(has_file(w) || HAS("inet") || HAS("bridge"));
}

/* One that could not be had when the order came, and can by now, is put there, and is ours from then on. */
static void test_later(void **state)
{
	struct world *w = *state;

	need();
	give_net_admin(false);
	start(w);
	begin(w, "refused: cannot: network (");
	assert_true(has_mark(w, NEITHER));
	give_net_admin(true);
	agent_fixture_until(&w->x.f, is_cut, w, "it is cut");
	assert_true(has_mark(w, BOTH));
	/* Whoever waits for it goes by lines: the first said that it cannot. */
	assert_int_equal(isolate_fixture_lines(&w->x, "\"what\":\"begun\"", "\"done\":[]"), 1);
	assert_int_equal(isolate_fixture_lines(&w->x, "\"what\":\"again\",\"number\":",
					       "\"order\":7,\"case\":\"12\",\"reason\":"
					       "\"exec:/tmp/x\",\"done\":[\"network\"],"
					       "\"cannot\":[],\"kept\":true"),
			 1);
	give_net_admin(false);
	finish(w, "refused: cannot: network (");
	give_net_admin(true);
	finish(w, "done: network");
	assert_false(has_file(w) || HAS("inet") || HAS("bridge"));
}

/* Wherever the disk stops: a file that says that nothing is ours is not left beside a table of ours. */
static void test_disk_full(void **state)
{
	struct world *w = *state;
	long left = 0;
	bool whole = false;

	need();
	for (; !whole; left++) {
		start(w);
		w->disk.left = left;
		begin(w, "done: network");
		whole = w->disk.left > 0;
		assert_true(is_cut(w));
		assert_true(!has_file(w) || has_mark(w, BOTH));
		w->disk.left = -1;
		finish(w, "done: network");
		isolate_fixture_stop(&w->x);
	}
	assert_true(left > 3);
}

static bool is_kept(void *ctx)
{
	return has_file(ctx);
}

static bool is_not_kept(void *ctx)
{
	return !has_file(ctx);
}

/* What a full disk did not take is there once it has room, before anybody gives the order again: that it is isolated, and that it is no more. */
static void test_disk_full_once(void **state)
{
	struct world *w = *state;

	need();
	start(w);
	w->disk.left = 0;
	begin(w, "done: network; not kept on the disk");
	assert_false(has_file(w));
	w->disk.left = -1;
	agent_fixture_until(&w->x.f, is_kept, w, "it is kept when there is room");
	assert_true(has_mark(w, BOTH));
	w->disk.left = 0;
	finish(w, "done: network; not kept on the disk");
	assert_true(has_file(w) && !isolate_is(w->x.i));
	w->disk.left = -1;
	agent_fixture_until(&w->x.f, is_not_kept, w, "it is removed when that can be");
	/* An order that comes before it is removed is not. */
	begin(w, "done: network");
	w->disk.left = 0;
	finish(w, "done: network; not kept on the disk");
	w->disk.left = -1;
	begin(w, "done: network");
	event_base_loop(w->x.f.base, EVLOOP_ONCE);
	assert_true(has_file(w) && isolate_is(w->x.i));
	finish(w, "done: network");
}

static bool is_owned(void)
{
	return system(NFT "list table bridge plumbline_isolation 2>/dev/null | grep -q 'flags "
			  "owner'") == 0;
}

/* Somebody else's, while the door to it is open, whose it was before; NULL: no table can be owned here. */
static FILE *own_bridge_table(bool ours)
{
	FILE *owner =
		has_net ? popen("PATH=$PATH:/usr/sbin; exec nft -i >/dev/null 2>&1", "w") : NULL;

	if (owner) {
		fprintf(owner, "%sadd table bridge plumbline_isolation { flags owner; }\n",
			ours ? "delete table bridge plumbline_isolation\n" : "");
		fflush(owner);
		for (int i = 0; i < 100 && !is_owned(); i++)
			usleep(50000);
		if (is_owned())
			return owner;
		pclose(owner);
	}
	print_message("# no network namespace with nftables here, or no table can be owned\n");
	return NULL;
}

/* The kernel does not take the rules for bridges, here since the table is another's: the rest is cut and the line says what is not; tried again. */
static void test_in_part(void **state)
{
	struct world *w = *state;
	FILE *owner = own_bridge_table(false);

	if (!owner)
		skip();
	start(w);
	begin(w, "in part: network; cannot: network (what bridges hand on is not cut: ");
	assert_int_equal(isolate_fixture_lines(
				 &w->x, "\"done\":[\"network\"],\"cannot\":[{\"way\":\"network\"",
				 "what bridges hand on is not cut"),
			 1);
	assert_true(HAS("inet"));
	/* While it is there the node is not free of it. */
	assert_int_not_equal(system(NFT "delete table bridge plumbline_isolation 2>/dev/null"), 0);
	pclose(owner);
	agent_fixture_until(&w->x.f, is_cut, w, "it is put there when it can be");
	assert_int_equal(
		system(NFT "list table bridge plumbline_isolation | grep -q 'policy drop'"), 0);
	finish(w, "done: network");
	assert_false(HAS("bridge"));
}

/* Another's table of that name is not ours to take away, and keeps nothing of this node: the release is whole, and stays. */
static void test_beside_another(void **state)
{
	struct world *w = *state;
	FILE *owner = own_bridge_table(false);

	if (!owner)
		skip();
	start(w);
	begin(w, "in part: network; ");
	assert_true(HAS("inet") && has_mark(w, "\"inet\":true,\"bridge\":false,"));
	/* Nor after a start. */
	isolate_fixture_stop(&w->x);
	start(w);
	finish(w, "done: network");
	assert_false(isolate_is(w->x.i));
	for (int i = 0; i < 25; i++) {
		event_base_loop(w->x.f.base, EVLOOP_NONBLOCK);
		usleep(100000);
	}
	assert_false(HAS("inet"));
	pclose(owner);
}

/* A start while it is being released knows that the table was ours: what cannot be taken away is told, and tried until it is gone. */
static void test_over_restarts(void **state)
{
	struct world *w = *state;
	FILE *owner;

	need();
	start(w);
	begin(w, "done: network");
	assert_true(has_mark(w, BOTH));
	owner = own_bridge_table(true);
	if (!owner)
		skip();
	finish(w, "refused: cannot: network (");
	assert_true(has_mark(w, "\"inet\":false,\"bridge\":true,\"releasing\":true"));
	isolate_fixture_stop(&w->x);
	start(w);
	assert_true(isolate_is(w->x.i));
	/* A file of before the mark does not say: no reason to call it done. */
	isolate_fixture_stop(&w->x);
	scratch_run(w->x.state, "sed -i 's/\"bridge\":true,//' " ISOLATE_STATE_FILE);
	start(w);
	assert_true(isolate_is(w->x.i));
	assert_int_equal(isolate_fixture_lines(&w->x, "\"what\":\"released\"", ""), 1);
	pclose(owner);
	agent_fixture_until(&w->x.f, is_free, w, "it is free");
	assert_int_equal(isolate_fixture_lines(&w->x, "\"what\":\"released\"",
					       "\"done\":[\"network\"],\"cannot\":[]"),
			 1);
}

static bool is_told(void *ctx)
{
	struct world *w = ctx;

	return isolate_fixture_lines(&w->x, "\"what\":\"again\"", "") == 2;
}

static void cannot_once(struct world *w)
{
	give_net_admin(false);
	begin(w, "refused: cannot: network (");
	give_net_admin(true);
	agent_fixture_until(&w->x.f, is_told, w, "it is told");
}

/* Ordered again, it cannot be put there anew once; what stands is whole, and the line that says so knows it. */
static void test_once(void **state)
{
	struct world *w = *state;

	need();
	start(w);
	begin(w, "done: network");
	cannot_once(w);
	assert_int_equal(isolate_fixture_lines(&w->x, "\"what\":\"again\"",
					       "\"done\":[\"network\"],\"cannot\":[]"),
			 1);
	finish(w, "done: network");
}

/* And where what stands is a part of it the line says which. */
static void test_once_in_part(void **state)
{
	struct world *w = *state;
	FILE *owner = own_bridge_table(false);

	if (!owner)
		skip();
	start(w);
	begin(w, "in part: network; ");
	cannot_once(w);
	assert_int_equal(isolate_fixture_lines(&w->x, "\"what\":\"again\"",
					       "what bridges hand on is not cut"),
			 1);
	pclose(owner);
	finish(w, "done: network");
}

static int own_net(void **state)
{
	(void)state;
	has_net = isolate_fixture_own_net();
	return 0;
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, make, end)
	const struct CMUnitTest tests[] = {
		T(test_never),		T(test_lost),		T(test_later),
		T(test_disk_full),	T(test_disk_full_once), T(test_in_part),
		T(test_beside_another), T(test_over_restarts),	T(test_once),
		T(test_once_in_part),
	};

	return cmocka_run_group_tests(tests, own_net, NULL);
}
