/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of the log as an answer: whole, followed, by those who read slowly, vanish, or are revoked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "server_fixture.h"

static struct server_fixture *x;

static int setup(void **state)
{
	x = server_fixture_open();
	(void)state;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	server_fixture_close();
	return 0;
}

static void add_lines(int n)
{
	char member[1100];
	uint64_t seq;

	for (int i = 0; i < n; i++) {
		snprintf(member, sizeof(member), "\"filler\":\"%0999d\"", i);
		assert_int_equal(vlog_add(x->f.vlog, PLUMB_TYPE_ACTION, member, &seq), 0);
	}
	assert_int_equal(vlog_sync(x->f.vlog), 0);
}

static void test_events(void **state)
{
	struct client c;

	(void)state;
	server_fixture_start((struct server_options){0});
	add_lines(1000); /* four pieces */
	client_begin(&c, &x->f.viewer, TLS1_3_VERSION);
	client_ask(&c, "GET", "/v1/events", 0);
	assert_true(client_wait(&c, "\r\n0\r\n\r\n"));
	assert_true(client_has(&c, "0000999\""));
	/* The connection goes on. */
	assert_true(client_healthy(&c));
	client_done(&c);
}

static void test_follow(void **state)
{
	struct client c, gone, end;
	struct store_operator op = {.revoked = false};

	(void)state;
	server_fixture_start((struct server_options){0});
	client_begin(&c, &x->f.viewer, TLS1_3_VERSION);
	client_begin(&gone, &x->f.responder, TLS1_3_VERSION);
	client_ask(&c, "GET", "/v1/events?follow=1", 0);
	client_ask(&gone, "GET", "/v1/events?follow=1", 0);
	assert_true(client_wait(&c, "\"type\":\"transition\""));
	assert_true(client_wait(&gone, "\"type\":\"transition\""));
	client_done(&gone); /* it vanishes */
	add_lines(1);
	assert_true(client_wait(&c, "0000000\""));
	/* Revoked while it follows: cut, and without an end that looks like one. */
	assert_int_equal(x->f.store.ops->operator_get(x->f.store.ctx, &x->f.viewer.who.key_id, &op),
			 0);
	op.revoked = true;
	x->f.store.ops->begin(x->f.store.ctx);
	assert_int_equal(x->f.store.ops->operator_put(x->f.store.ctx, &op), 0);
	assert_int_equal(x->f.store.ops->commit(x->f.store.ctx), 0);
	store_operator_done(&op);
	buf_clear(&c.in);
	add_lines(2);
	assert_true(client_wait_gone(&c));
	assert_false(client_has(&c, "0000001\""));
	assert_false(client_has(&c, "0\r\n\r\n"));
	client_done(&c);
	client_begin(&end, NULL, TLS1_3_VERSION);
	assert_true(client_healthy(&end));
	client_done(&end);
}

/* Its certificate ends while it follows. */
static void test_follower_out_of_time(void **state)
{
	struct client c;

	(void)state;
	server_fixture_start((struct server_options){0});
	server_fixture_ends_soon(&x->f.viewer);
	client_begin(&c, &x->f.viewer, TLS1_3_VERSION);
	client_ask(&c, "GET", "/v1/events?follow=1", 0);
	assert_true(client_wait(&c, "\"type\":\"transition\""));
	server_fixture_pass_end(&x->f.viewer);
	buf_clear(&c.in);
	add_lines(1);
	assert_true(client_wait_gone(&c));
	assert_int_equal(c.in.size, 0);
	client_done(&c);
}

/* It reads nothing: the log goes on for the others, and it is cut off in time. */
static void test_slow_follower(void **state)
{
	struct client slow, good;
	const int small = 65536, large = 4 << 20;

	(void)state;
	server_fixture_start((struct server_options){.idle_ms = 700});
	client_begin(&good, &x->f.viewer, TLS1_3_VERSION);
	client_begin(&slow, &x->f.responder, TLS1_3_VERSION);
	setsockopt(slow.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	client_ask(&slow, "GET", "/v1/events?follow=1", 0);
	client_ask(&good, "GET", "/v1/events?follow=1", 0);
	for (int i = 0; i < 20; i++) {
		add_lines(400);
		assert_true(client_stays(&good));
	}
	buf_clear(&good.in);
	add_lines(1);
	assert_true(client_wait(&good, "0000000\""));
	for (int i = 0; i < 300; i++)
		server_fixture_turn();
	/* What the kernel had for it is all that still comes. */
	setsockopt(slow.fd, SOL_SOCKET, SO_RCVBUF, &large, sizeof(large));
	assert_true(client_wait_gone(&slow));
	assert_true(slow.in.size < 6u << 20);
	assert_false(good.gone);
	buf_clear(&good.in);
	add_lines(1);
	assert_true(client_wait(&good, "0000000\""));
	client_done(&slow);
	client_done(&good);
}

/* Whoever reads slowly but reads gets all of it, however long it takes. */
static void test_slow_reader(void **state)
{
	struct client c;
	struct timeval begun, now;
	char bytes[8192];

	(void)state;
	server_fixture_start((struct server_options){.idle_ms = 300});
	add_lines(3000);
	client_begin(&c, &x->f.viewer, TLS1_3_VERSION);
	client_ask(&c, "GET", "/v1/events", 0);
	gettimeofday(&begun, NULL);
	for (int i = 0; i < SERVER_FIXTURE_PATIENCE && !client_has(&c, "\r\n0\r\n\r\n") && !c.gone;
	     i++) {
		int n = SSL_read(c.ssl, bytes, sizeof(bytes));

		if (n > 0)
			buf_put(&c.in, bytes, (size_t)n);
		else if (SSL_get_error(c.ssl, n) != SSL_ERROR_WANT_READ)
			c.gone = true;
		server_fixture_turn();
	}
	gettimeofday(&now, NULL);
	assert_true(client_has(&c, "\r\n0\r\n\r\n"));
	assert_true((now.tv_sec - begun.tv_sec) * 1000 + (now.tv_usec - begun.tv_usec) / 1000 >
		    300); /* or it proved nothing */
	client_done(&c);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(test_events),	  EACH(test_follow),	  EACH(test_follower_out_of_time),
		EACH(test_slow_follower), EACH(test_slow_reader),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
