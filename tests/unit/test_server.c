/* SPDX-License-Identifier: Apache-2.0 */
/* Real TLS clients on loopback, good and hostile: who is let in, how much each may send, requests of all shapes, the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "plumb/wire.h"
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

static void test_who(void **state)
{
	struct api_fixture_person ghost = {.key = NULL}, old = {.key = NULL}, early = {.key = NULL};
	const uint64_t now = x->f.utc_ns / 1000000000;
	const struct cert_request past = {.kind = CERT_OPERATOR,
					  .name = "alice",
					  .role = PLUMB_ROLE_APPROVER,
					  .not_before_s = now - 7200,
					  .life_s = 3600};
	const struct cert_request future = {.kind = CERT_OPERATOR,
					    .name = "alice",
					    .role = PLUMB_ROLE_APPROVER,
					    .not_before_s = now + 3600,
					    .life_s = 3600};
	struct api_fixture other;
	struct client c;

	(void)state;
	server_fixture_start((struct server_options){0});
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		client_begin(&c, NULL, version);
		assert_true(client_healthy(&c));
		client_ask(&c, "GET", "/v1/nodes", 0);
		assert_true(client_wait(&c, "HTTP/1.1 401"));
		client_done(&c);
		client_begin(&c, &x->f.viewer, version);
		client_ask(&c, "GET", "/v1/nodes", 0);
		assert_true(client_wait(&c, "\"label\":\"one\""));
		client_done(&c);
		client_begin(&c, &x->f.revoked, version);
		client_ask(&c, "GET", "/v1/nodes", 0);
		assert_true(client_wait(&c, "HTTP/1.1 403"));
		client_done(&c);
		client_begin(&c, &x->node.person, version);
		client_ask(&c, "POST", "/v1/nonce", 2);
		assert_true(client_wait(&c, "\"nonce\":"));
		client_done(&c);
	}
	client_begin(&c, NULL, TLS1_1_VERSION);
	assert_true(c.gone && !c.up);
	client_done(&c);
	/* A certificate that does not verify is worse than none: the same name, of another CA, or not of now. */
	api_fixture_open(&other);
	api_fixture_certify(&x->f, &old, &past);
	api_fixture_certify(&x->f, &early, &future);
	ghost = other.approver;
	for (int i = 0; i < 3; i++) {
		client_begin(&c, i == 0 ? &ghost : i == 1 ? &old : &early, TLS1_3_VERSION);
		if (!c.gone)
			client_ask(&c, "GET", "/healthz", 0);
		assert_true(client_wait_gone(&c));
		assert_int_equal(c.in.size, 0);
		client_done(&c);
	}
	/* A server's certificate is no client's. */
	client_begin(&c, &x->host, TLS1_3_VERSION);
	if (!c.gone)
		client_ask(&c, "GET", "/healthz", 0);
	assert_true(client_wait_gone(&c));
	client_done(&c);
	api_fixture_done(&other);
	sign_key_free(old.key);
	sign_key_free(early.key);
	buf_done(&old.cert_pem);
	buf_done(&old.key_pem);
	buf_done(&early.cert_pem);
	buf_done(&early.key_pem);
}

/* The joining node pins the CA: it is in the chain. */
static void test_chain(void **state)
{
	struct client c;
	STACK_OF(X509) * chain;

	(void)state;
	server_fixture_start((struct server_options){0});
	client_begin(&c, NULL, TLS1_3_VERSION);
	chain = SSL_get_peer_cert_chain(c.ssl);
	assert_int_equal(sk_X509_num(chain), 2);
	client_done(&c);
}

static bool shows(const struct client *c, const struct api_fixture_person *p)
{
	BIO *bio = BIO_new_mem_buf(p->cert_pem.data, (int)p->cert_pem.size);
	X509 *wanted = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	bool same = X509_cmp(SSL_get0_peer_certificate(c->ssl), wanted) == 0;

	X509_free(wanted);
	BIO_free(bio);
	return same && sk_X509_num(SSL_get_peer_cert_chain(c->ssl)) == 2;
}

/* Another certificate while it serves: for new connections; those that are there go on. */
static void test_another_certificate(void **state)
{
	static const char *const hosts[] = {"127.0.0.1"};
	const struct cert_request q = {.kind = CERT_SERVER,
				       .name = "plumb-verifier",
				       .hosts = hosts,
				       .n_hosts = 1,
				       .not_before_s = x->f.utc_ns / 1000000000 - 60,
				       .life_s = 2 * 86400};
	struct api_fixture_person next = x->host, other = {.key = NULL};
	struct client before, after;
	struct why why = {""};

	(void)state;
	server_fixture_start((struct server_options){0});
	client_begin(&before, &x->f.viewer, TLS1_3_VERSION);
	assert_true(shows(&before, &x->host));
	next.cert_pem = next.key_pem = (struct buf){0};
	api_fixture_certify(&x->f, &next, &q); /* of the same key */
	api_fixture_certify(&x->f, &other, &q);
	/* One of another key, and what is none: nothing changes. */
	assert_int_equal(server_show(x->server, (char *)other.cert_pem.data, &why), -EKEYREJECTED);
	assert_int_equal(server_show(x->server, "x", &why), -EKEYREJECTED);
	client_begin(&after, NULL, TLS1_3_VERSION);
	assert_true(shows(&after, &x->host));
	client_done(&after);
	assert_int_equal(server_show(x->server, (char *)next.cert_pem.data, &why), 0);
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		client_begin(&after, &x->f.viewer, version);
		assert_true(shows(&after, &next));
		assert_true(client_healthy(&after));
		client_done(&after);
	}
	assert_true(client_healthy(&before));
	client_done(&before);
	sign_key_free(other.key);
	buf_done(&other.cert_pem);
	buf_done(&other.key_pem);
	buf_done(&next.cert_pem);
	buf_done(&next.key_pem);
}

static void test_sizes(void **state)
{
	struct client c;
	char *head = calloc(1, 40000);

	(void)state;
	server_fixture_start((struct server_options){0});
	/* A stranger's body: what enrolment needs. One that is announced longer is refused before it is sent. */
	client_begin(&c, NULL, TLS1_3_VERSION);
	client_ask(&c, "POST", "/v1/enrol", WIRE_MAX_JSON_BODY);
	assert_true(client_wait(&c, "HTTP/1.1 400"));
	buf_clear(&c.in);
	client_send(&c, "POST /v1/enrol HTTP/1.1\r\nContent-Length: 262145\r\n\r\n", 52);
	assert_true(client_wait(&c, "HTTP/1.1 413"));
	client_done(&c);
	/* A node's: evidence. */
	client_begin(&c, &x->node.person, TLS1_3_VERSION);
	client_ask(&c, "POST", "/v1/evidence", WIRE_MAX_JSON_BODY + 1);
	assert_true(client_wait(&c, "HTTP/1.1 400"));
	buf_clear(&c.in);
	client_ask(&c, "POST", "/v1/evidence", WIRE_MAX_EVIDENCE_BODY);
	assert_true(client_wait(&c, "HTTP/1.1 400"));
	buf_clear(&c.in);
	client_send(&c, "POST /v1/evidence HTTP/1.1\r\nContent-Length: 16777217\r\n\r\n", 57);
	assert_true(client_wait(&c, "HTTP/1.1 413"));
	client_done(&c);
	/* An operator's: baselines. */
	client_begin(&c, &x->f.viewer, TLS1_3_VERSION);
	client_ask(&c, "POST", "/v1/baselines", WIRE_MAX_EVIDENCE_BODY + 1);
	assert_true(client_wait(&c, "HTTP/1.1 403"));
	client_done(&c);
	/* Headers without end, of a stranger and of an operator. */
	for (int i = 0; i < 2; i++) {
		client_begin(&c, i ? &x->f.viewer : NULL, TLS1_3_VERSION);
		snprintf(head, 64, "GET /healthz HTTP/1.1\r\nX: ");
		memset(head + strlen(head), 'a', 30000);
		client_send(&c, head, strlen(head));
		client_send(&c, "\r\n\r\n", 4);
		client_wait(&c, "HTTP/1.1 4");
		assert_false(client_has(&c, "HTTP/1.1 200"));
		client_done(&c);
	}
	/* In chunks without an announced end. */
	client_begin(&c, NULL, TLS1_3_VERSION);
	client_send(&c, "POST /v1/enrol HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 56);
	memset(head, 'x', 16384);
	for (int i = 0; i < 40 && !client_has(&c, "413") && !c.gone; i++) {
		client_send(&c, "4000\r\n", 6);
		client_send(&c, head, 16384);
		client_send(&c, "\r\n", 2);
		client_read(&c);
	}
	assert_true(c.gone || client_wait(&c, "HTTP/1.1 413"));
	client_done(&c);
	client_begin(&c, NULL, TLS1_3_VERSION);
	assert_true(client_healthy(&c));
	client_done(&c);
	free(head);
}

static void test_odd_requests(void **state)
{
	static const struct {
		const char *text, *answer;
	} odd[] = {
		{"DELETE /v1/nodes HTTP/1.1\r\n\r\n", "HTTP/1.1 405"},
		{"PUT /healthz HTTP/1.1\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 405"},
		{"GET /v1/nodes%00x HTTP/1.1\r\n\r\n", "HTTP/1.1 404"},
		{"GET /healthz%00 HTTP/1.1\r\n\r\n", "HTTP/1.1 404"},
		{"GET /%68ealthz HTTP/1.1\r\n\r\n", "HTTP/1.1 200"},
		{"GET /v1/../healthz HTTP/1.1\r\n\r\n", "HTTP/1.1 404"},
		{"GET http://x/healthz HTTP/1.1\r\n\r\n", "HTTP/1.1 200"},
		{"GET /healthz HTTP/1.0\r\n\r\n", "HTTP/1.0 200"},
		{"POST /v1/enrol HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 400"},
		{"POST /v1/enrol HTTP/1.1\r\nContent-Length: 5x\r\n\r\n", "HTTP/1.1 400"},
		{"nonsense\r\n\r\n", "400"},
	};
	struct client c;

	(void)state;
	server_fixture_start((struct server_options){0});
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		client_begin(&c, NULL, TLS1_3_VERSION);
		client_send(&c, odd[i].text, strlen(odd[i].text));
		if (!client_wait(&c, odd[i].answer))
			fail_msg("%s: %.300s", odd[i].text, c.in.size ? (char *)c.in.data : "");
		client_done(&c);
	}
}

/* One after the other on one connection, and all at once. */
static void test_keep_alive(void **state)
{
	static const char twice[] = "GET /healthz HTTP/1.1\r\n\r\nGET /v1/nodes HTTP/1.1\r\n\r\n"
				    "GET /none HTTP/1.1\r\n\r\n";
	struct client c;

	(void)state;
	server_fixture_start((struct server_options){0});
	client_begin(&c, &x->f.viewer, TLS1_3_VERSION);
	for (int i = 0; i < 5; i++)
		assert_true(client_healthy(&c));
	buf_clear(&c.in);
	client_send(&c, twice, sizeof(twice) - 1);
	assert_true(client_wait(&c, "HTTP/1.1 404"));
	assert_true(strstr((char *)c.in.data, "\"ok\":true") <
		    strstr((char *)c.in.data, "\"nodes\":"));
	assert_true(client_healthy(&c));
	client_done(&c);
}

/* Who sends request after request and reads no answer is not read any more, instead of kept in memory. */
static void test_pipeline_without_end(void **state)
{
	struct client c;
	struct buf many = {0};
	int sent = 0;

	(void)state;
	server_fixture_start((struct server_options){0});
	client_begin(&c, &x->node.person, TLS1_3_VERSION);
	for (int i = 0; i < 2000; i++)
		buf_puts(&many, "GET /v1/nodes HTTP/1.1\r\nHost: x\r\n\r\n");
	while (sent < 1000 && client_send(&c, (char *)many.data, many.size))
		sent++;
	assert_true(sent < 1000); /* 70 MB would have been taken */
	client_done(&c);
	buf_done(&many);
	client_begin(&c, NULL, TLS1_3_VERSION);
	assert_true(client_healthy(&c));
	client_done(&c);
}

/* Open ones of all kinds when it stops, the loop goes before them or after. */
static void test_stop(void **state)
{
	struct client c[6];

	(void)state;
	for (int round = 0; round < 2; round++) {
		server_fixture_start((struct server_options){0});
		client_connect(&c[0]);
		client_begin(&c[1], NULL, TLS1_3_VERSION);
		client_begin(&c[2], &x->f.viewer, TLS1_2_VERSION);
		client_begin(&c[3], &x->f.viewer, TLS1_3_VERSION);
		client_begin(&c[4], &x->f.responder, TLS1_3_VERSION);
		client_begin(&c[5], &x->node.person, TLS1_3_VERSION);
		client_ask(&c[3], "GET", "/v1/events?follow=1", 0);
		assert_true(client_wait(&c[3], "HTTP/1.1 200"));
		client_send(&c[4], "GET /v1/no", 10);
		client_send(&c[5], "POST /v1/evidence HTTP/1.1\r\nContent-Length: 9\r\n\r\n12", 52);
		if (round == 1)
			client_done(&c[2]);
		x->server = server_free(x->server);
		if (round == 1)
			server_fixture_turn();
		for (int i = 0; i < 6; i++)
			if (!(round == 1 && i == 2))
				client_done(&c[i]);
	}
}

static void test_no_address(void **state)
{
	struct server_options o = {.base = x->f.base,
				   .cert_pem = (char *)x->host.cert_pem.data,
				   .key_pem = (char *)x->host.key_pem.data,
				   .ca_pem = (char *)x->f.ca_pem.data,
				   .api = &x->f.api};
	static const char *const bad[] = {"",
					  "here",
					  ":8443",
					  "127.0.0.1",
					  "127.0.0.1:",
					  "127.0.0.1:65536",
					  "127.0.0.1:1x",
					  "127.0.0.1:-1",
					  "::1",
					  "::1:8443",
					  "[::1]",
					  "[::1:8443",
					  "localhost:8443"};
	struct server *second = NULL;
	struct why why = {""};
	char listen[32];

	(void)state;
	server_fixture_start((struct server_options){0});
	snprintf(listen, sizeof(listen), "127.0.0.1:%u", server_port(x->server));
	o.listen = listen;
	assert_int_equal(server_open(&o, &second, &why), -EADDRINUSE);
	assert_non_null(strstr(why.text, listen));
	assert_non_null(strstr(why.text, "--listen="));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		o.listen = bad[i];
		assert_int_equal(server_open(&o, &second, &why), -EINVAL);
		assert_non_null(strstr(why.text, "ADDRESS:PORT"));
	}
	o.listen = "203.0.113.1:0";
	assert_int_equal(server_open(&o, &second, &why), -EADDRINUSE);
	assert_non_null(strstr(why.text, "does not have that address"));
	o.listen = "127.0.0.1:0";
	o.key_pem = (char *)x->f.viewer.key_pem.data;
	assert_int_equal(server_open(&o, &second, &why), -EKEYREJECTED);
	assert_null(second);
}

/* A ledger of some 16 MiB: more than the kernel holds for who does not read. */
static void fill_ledger(void)
{
	static char line[60000];
	struct store_node n;
	struct digest leaf;

	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	assert_int_equal(merkle_leaf(line, sizeof(line) - 1, &leaf), 0);
	api_fixture_row(&x->f, x->node.id, &n);
	assert_int_equal(x->f.store.ops->begin(x->f.store.ctx), 0);
	for (uint64_t i = 0; i < 280; i++) {
		assert_int_equal(x->f.store.ops->lines_put(x->f.store.ctx, n.id, n.incarnation, i,
							   line, sizeof(line), 1),
				 0);
		assert_int_equal(merkle_add(&n.frontier, &leaf), 0);
	}
	assert_int_equal(x->f.store.ops->node_put(x->f.store.ctx, &n), 0);
	assert_int_equal(x->f.store.ops->commit(x->f.store.ctx), 0);
	store_node_done(&n);
}

static void ask_ledger(struct client *c, const struct api_fixture_person *p)
{
	client_begin(c, p, TLS1_3_VERSION);
	client_ask(c, "GET", "/v1/ledger/one", 0);
	for (int i = 0; i < 50; i++)
		server_fixture_turn();
}

/* Who does not read what he asked for holds no more than so much memory, and not what others may have. */
static void test_unread(void **state)
{
	struct client slow, more, other, third, node;

	(void)state;
	fill_ledger();
	server_fixture_start((struct server_options){.max_unsent = 40u << 20});
	ask_ledger(&slow, &x->f.viewer);
	ask_ledger(&more, &x->f.viewer);
	assert_true(client_wait(&more, "HTTP/1.1 503"));
	assert_true(client_wait(&more, "Retry-After: "));
	assert_true(client_wait(&more, "not read yet"));
	/* Small ones are for everybody, also on that connection. */
	buf_clear(&more.in);
	client_ask(&more, "GET", "/v1/nodes", 0);
	assert_true(client_wait(&more, "\"label\":\"one\""));
	ask_ledger(&other, &x->f.approver);
	ask_ledger(&third, &x->f.responder);
	assert_true(client_wait(&third, "HTTP/1.1 503"));
	client_begin(&node, &x->node.person, TLS1_3_VERSION);
	client_ask(&node, "POST", "/v1/nonce", 2);
	assert_true(client_wait(&node, "\"nonce\":"));
	/* One that is read, and one whose reader is gone, make room. */
	other.in.max = 32u << 20;
	for (int i = 0; other.in.size < 280 * 60000 && i < SERVER_FIXTURE_PATIENCE; i++) {
		server_fixture_turn();
		client_read(&other);
	}
	assert_true(other.in.size > 280 * 60000);
	client_done(&slow);
	for (int i = 0; i < 50; i++)
		server_fixture_turn();
	client_done(&more);
	ask_ledger(&more, &x->f.viewer);
	buf_clear(&third.in);
	client_ask(&third, "GET", "/v1/ledger/one", 0);
	assert_true(client_wait(&third, "HTTP/1.1 200"));
	assert_true(client_wait(&more, "HTTP/1.1 200"));
	client_done(&third);
	client_done(&other);
	client_done(&node);
	/* The server goes before this one does. */
	server_free(x->server);
	x->server = NULL;
	client_done(&more);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(test_who),
		EACH(test_chain),
		EACH(test_another_certificate),
		EACH(test_sizes),
		EACH(test_odd_requests),
		EACH(test_keep_alive),
		EACH(test_pipeline_without_end),
		EACH(test_stop),
		EACH(test_no_address),
		EACH(test_unread),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
