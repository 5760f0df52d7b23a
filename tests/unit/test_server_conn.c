/* SPDX-License-Identifier: Apache-2.0 */
/* Crowds of strangers and slow ones, and that nobody who is known suffers by them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <signal.h>

#include "clock.h"
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

/* Strangers: a handshake that never ends, headers, and a body that trickle. */
static void test_slow_strangers(void **state)
{
	struct client silent, headers, body, idle, known;

	(void)state;
	server_fixture_start((struct server_options){
		.grace_ms = 20, .request_ms = 400, .stall_ms = 300, .idle_ms = 60000});
	client_connect(&silent);
	client_begin(&headers, NULL, TLS1_3_VERSION);
	client_begin(&body, NULL, TLS1_3_VERSION);
	client_begin(&idle, NULL, TLS1_3_VERSION);
	client_begin(&known, &x->f.viewer, TLS1_3_VERSION);
	client_send(&headers, "GET /healthz HTTP/1.1\r\nX: ", 26);
	client_send(&body, "POST /v1/enrol HTTP/1.1\r\nContent-Length: 100000\r\n\r\n", 51);
	client_send(&known, "GET /healthz HTTP/1.1\r\nX: ", 26);
	/* A byte now and then does not help: the request's time is over. */
	for (int i = 0; i < SERVER_FIXTURE_PATIENCE && !(headers.gone && body.gone); i++) {
		if (i % 16 == 0) {
			client_send(&headers, "a", 1);
			client_send(&body, "a", 1);
			client_send(&known, "a", 1);
		}
		server_fixture_turn();
		client_read(&headers);
		client_read(&body);
		client_read(&known);
	}
	assert_true(headers.gone && body.gone);
	assert_true(client_wait_gone(&silent));
	assert_true(client_wait_gone(&idle));
	/* Whom we know may take its time. */
	assert_false(known.gone);
	client_send(&known, "\r\n\r\n", 4);
	assert_true(client_wait(&known, "\"ok\":true"));
	client_done(&silent);
	client_done(&headers);
	client_done(&body);
	client_done(&idle);
	client_done(&known);
}

/* One that was answered has the next request's time, not the first one's. */
static void test_idle_stranger(void **state)
{
	struct client c;

	(void)state;
	server_fixture_start(
		(struct server_options){.grace_ms = 1, .request_ms = 60000, .stall_ms = 1000});
	client_begin(&c, NULL, TLS1_3_VERSION);
	assert_true(client_stays(&c));
	assert_true(client_healthy(&c));
	client_send(&c, "GET /healthz HTTP/1.1\r\nX: ", 26);
	for (int i = 0; i < SERVER_FIXTURE_PATIENCE && !c.gone; i++) {
		if (i % 16 == 0)
			client_send(&c, "a", 1);
		server_fixture_turn();
		client_read(&c);
	}
	assert_true(c.gone);
	client_done(&c);
}

/* Nor when it was answered so early that it may still be about to show a certificate. */
static void test_early_stranger(void **state)
{
	struct client c;
	uint64_t until;

	(void)state;
	server_fixture_start(
		(struct server_options){.grace_ms = 2000, .request_ms = 2001, .stall_ms = 600000});
	until = clock_boot_ns(clock_system()) + 2500000000;
	client_begin(&c, NULL, TLS1_3_VERSION);
	assert_true(client_healthy(&c));
	while (clock_boot_ns(clock_system()) < until)
		assert_true(client_stays(&c));
	assert_true(client_healthy(&c));
	client_done(&c);
}

#define N 40

static void test_per_address(void **state)
{
	struct client strangers[N], known[3];
	int gone = 0;

	(void)state;
	server_fixture_start((struct server_options){
		.max_per_address = 8, .grace_ms = 50, .request_ms = 600000, .stall_ms = 600000});
	client_begin(&known[0], &x->f.viewer, TLS1_3_VERSION);
	for (int i = 0; i < N; i++)
		client_begin(&strangers[i], NULL, TLS1_3_VERSION);
	client_begin(&known[1], &x->node.person, TLS1_3_VERSION);
	for (int i = 0; i < SERVER_FIXTURE_PATIENCE && gone < N - 8; i++) {
		server_fixture_turn();
		gone = 0;
		for (int k = 0; k < N; k++) {
			client_read(&strangers[k]);
			gone += strangers[k].gone;
		}
	}
	assert_int_equal(gone, N - 8);
	/* The oldest went, the newest stay; and nobody who is known, before or after. */
	assert_true(strangers[0].gone);
	assert_true(client_healthy(&strangers[N - 1]));
	client_begin(&known[2], &x->f.approver, TLS1_3_VERSION);
	for (int i = 0; i < 3; i++)
		assert_true(client_healthy(&known[i]));
	for (int i = 0; i < N; i++)
		client_done(&strangers[i]);
	for (int i = 0; i < 3; i++)
		client_done(&known[i]);
}

/* Nodes behind one address begin all at once: none of them is taken for a crowd of strangers. */
static void test_herd(void **state)
{
	struct client herd[N];

	(void)state;
	server_fixture_start((struct server_options){.max_per_address = 4, .grace_ms = 60000});
	for (int i = 0; i < N; i++)
		client_connect(&herd[i]);
	for (int i = 0; i < N; i++) {
		SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

		client_use(ctx, i % 2 ? &x->f.viewer : &x->f.approver);
		herd[i].ctx = ctx;
		herd[i].ssl = SSL_new(ctx);
		SSL_set_fd(herd[i].ssl, herd[i].fd);
	}
	for (int turns = 0, up = 0; turns < SERVER_FIXTURE_PATIENCE && up < N; turns++) {
		up = 0;
		for (int i = 0; i < N; i++) {
			herd[i].up = herd[i].up || SSL_connect(herd[i].ssl) == 1;
			up += herd[i].up;
		}
		server_fixture_turn();
	}
	for (int i = 0; i < N; i++) {
		assert_true(client_healthy(&herd[i]));
		client_done(&herd[i]);
	}
}

static void test_in_all(void **state)
{
	struct client strangers[N], known;

	(void)state;
	server_fixture_start((struct server_options){.max_connections = 16,
						     .max_per_address = 1000,
						     .grace_ms = 600000,
						     .stall_ms = 600000});
	client_begin(&known, &x->f.viewer, TLS1_3_VERSION);
	for (int i = 0; i < N; i++)
		client_begin(&strangers[i], NULL, TLS1_3_VERSION);
	assert_true(client_wait_gone(&strangers[0]));
	assert_true(client_wait_gone(&strangers[N - 17]));
	assert_true(client_healthy(&strangers[N - 1]));
	assert_true(client_healthy(&known));
	for (int i = 0; i < N; i++)
		client_done(&strangers[i]);
	client_done(&known);
}

/* One certificate takes its own places, and nobody else's. */
static void test_per_certificate(void **state)
{
	struct client nodes[12], operator_;
	int gone = 0;

	(void)state;
	server_fixture_start((struct server_options){0});
	client_begin(&operator_, &x->f.viewer, TLS1_3_VERSION);
	for (int i = 0; i < 12; i++)
		client_begin(&nodes[i], &x->node.person, TLS1_3_VERSION);
	for (int i = 0; i < 12; i++) {
		client_stays(&nodes[i]);
		gone += nodes[i].gone;
	}
	assert_int_equal(gone, 4);
	assert_true(nodes[0].gone);
	assert_true(client_healthy(&nodes[11]));
	assert_true(client_healthy(&operator_));
	for (int i = 0; i < 12; i++)
		client_done(&nodes[i]);
	client_done(&operator_);
}

/* Bytes of requests that never end have a bound of their own, in all: who holds most of them gives a connection up. */
static void half(struct client *c, const struct api_fixture_person *p, size_t size, const char *how)
{
	char head[256], *body = calloc(1, size);

	client_begin(c, p, TLS1_3_VERSION);
	snprintf(head, sizeof(head), "POST /v1/evidence HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n", how);
	client_send(c, head, strlen(head));
	client_send(c, body, size);
	free(body);
}

#define LENGTH "Content-Length: 200000"

static void test_waiting(void **state)
{
	struct client few, many[3], strangers[4], known;
	int gone = 0;

	(void)state;
	server_fixture_start((struct server_options){.max_waiting = 400000, .stall_ms = 600000});
	half(&few, &x->f.viewer, 80000, LENGTH);
	for (int i = 0; i < 3; i++)
		half(&many[i], &x->node.person, 100000, LENGTH);
	assert_true(client_stays(&few));
	assert_true(client_stays(&many[0]));
	/* Too much: not the one who has little, but the oldest of the one who has most. */
	client_begin(&known, &x->f.approver, TLS1_3_VERSION);
	client_ask(&known, "POST", "/v1/actions", 60000);
	assert_true(client_wait(&known, "HTTP/1.1 4"));
	assert_true(client_wait_gone(&many[0]));
	assert_true(client_stays(&many[1]) && client_stays(&many[2]));
	assert_true(client_stays(&few));
	/* What was answered waits no more. */
	for (int i = 0; i < 20; i++) {
		buf_clear(&known.in);
		client_ask(&known, "POST", "/v1/actions", 60000);
		assert_true(client_wait(&known, "HTTP/1.1 4"));
	}
	assert_true(client_stays(&many[1]) && client_stays(&few));
	/* Strangers who have more than half of it together are looked at first. */
	for (int i = 0; i < 4; i++)
		half(&strangers[i], NULL, 100000, LENGTH);
	for (int i = 0; i < 4; i++) {
		client_stays(&strangers[i]);
		gone += strangers[i].gone;
	}
	assert_true(gone >= 1 && strangers[0].gone && !strangers[3].gone);
	assert_true(client_stays(&few));
	assert_true(client_healthy(&known));
	for (int i = 0; i < 4; i++)
		client_done(&strangers[i]);
	for (int i = 0; i < 3; i++)
		client_done(&many[i]);
	client_done(&few);
	client_done(&known);
}

/* Chunks are taken out of the buffer one by one, and wait elsewhere. */
static void test_waiting_chunks(void **state)
{
	static char chunk[10000];
	struct client c;

	(void)state;
	snprintf(chunk, sizeof(chunk), "%x\r\n", (unsigned int)sizeof(chunk) - 8);
	memset(chunk + 6, 'x', sizeof(chunk) - 8);
	memcpy(chunk + sizeof(chunk) - 2, "\r\n", 2);
	server_fixture_start((struct server_options){.max_waiting = 400000, .stall_ms = 600000});
	half(&c, &x->node.person, 0, "Transfer-Encoding: chunked");
	for (int i = 0; i < 60 && !c.gone; i++) {
		client_send(&c, chunk, sizeof(chunk));
		client_read(&c);
		assert_true(i > 30 || !c.gone);
	}
	assert_true(client_wait_gone(&c));
	client_done(&c);
}

/* A certificate that ends ends its connections, too: at the next request, which is not answered. */
static void test_out_of_time(void **state)
{
	struct client c, other;

	(void)state;
	server_fixture_start((struct server_options){.idle_ms = 60000});
	server_fixture_ends_soon(&x->f.viewer);
	client_begin(&c, &x->f.viewer, TLS1_3_VERSION);
	client_begin(&other, &x->f.approver, TLS1_3_VERSION);
	assert_true(client_healthy(&c));
	server_fixture_pass_end(&x->f.viewer);
	buf_clear(&c.in);
	client_ask(&c, "GET", "/healthz", 0);
	assert_true(client_wait_gone(&c));
	assert_int_equal(c.in.size, 0);
	assert_true(client_healthy(&other));
	client_done(&c);
	client_done(&other);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(test_slow_strangers),  EACH(test_idle_stranger), EACH(test_early_stranger),
		EACH(test_per_address),	    EACH(test_herd),	      EACH(test_in_all),
		EACH(test_per_certificate), EACH(test_waiting),	      EACH(test_waiting_chunks),
		EACH(test_out_of_time),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
