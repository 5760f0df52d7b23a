/* SPDX-License-Identifier: Apache-2.0 */
/* The door to HTTP: which servers it takes, and what it makes of those that lie, cut, drown, stall or die. */
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
#include <time.h>

#include "cert.h"
#include "cleanup.h"
#include "fake_http.h"
#include "fetch.h"

enum reply { SAY, BIG, ENDLESS, CUT, SILENT, REDIRECT, CLOSE_AT_ONCE, JUNK, HOP };

struct world {
	struct event_base *base;
	struct fake_http *server;
	enum reply reply;
	int status;
	unsigned int asked;
	char last[4096]; /* head of the last request */
	char body[256];
	struct sign_key *ca_key, *other_key, *server_key;
	struct buf ca, other_ca, cert, chain, key;
	struct digest pin, other_pin;
};

static void on_request(void *ctx, const struct fake_http_request *q, struct fake_http_answer *a)
{
	struct world *w = ctx;

	w->asked++;
	snprintf(w->last, sizeof(w->last), "%s", q->head);
	snprintf(w->body, sizeof(w->body), "%s", q->body);
	switch (w->reply) {
	case SAY:
		fake_http_say(a, w->status, "hello");
		break;
	case BIG:
		buf_printf(&a->bytes, "HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n%0101d", 7);
		break;
	case ENDLESS: /* no length, chunk after chunk, and then the connection's end */
		buf_puts(&a->bytes, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
		for (int i = 0; i < 4096; i++)
			buf_printf(&a->bytes, "100\r\n%0256d\r\n", i);
		a->close = true;
		break;
	case CUT:
		buf_puts(&a->bytes, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
		a->close = true;
		break;
	case SILENT:
		a->silent = true;
		break;
	case REDIRECT:
		buf_puts(&a->bytes, "HTTP/1.1 307 Elsewhere\r\nLocation: /elsewhere\r\n"
				    "Content-Length: 0\r\n\r\n");
		break;
	case CLOSE_AT_ONCE:
		a->close = true;
		break;
	case JUNK:
		buf_puts(&a->bytes, "220 mail.example ESMTP\r\n");
		a->close = true;
		break;
	case HOP: /* an answer, and bytes that nobody asked for after it */
		fake_http_say(a, 200, "hello");
		buf_puts(&a->bytes, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nworld");
		break;
	}
}

static void make_ca(struct sign_key **key, struct buf *pem, struct digest *pin)
{
	const struct cert_request q = {.kind = CERT_CA,
				       .name = "test-ca",
				       .not_before_s = (uint64_t)time(NULL) - 60,
				       .life_s = 3600};

	assert_int_equal(sign_key_generate(SIGN_P256, key), 0);
	assert_int_equal(cert_issue(&q, *key, NULL, NULL, pem, NULL), 0);
	assert_int_equal(cert_fingerprint_pem((char *)pem->data, pem->size, pin, NULL), 0);
}

static void make_server(struct world *w, const char *host)
{
	const struct cert_request q = {.kind = CERT_SERVER,
				       .name = "test-server",
				       .hosts = &host,
				       .n_hosts = 1,
				       .not_before_s = (uint64_t)time(NULL) - 60,
				       .life_s = 3600};

	buf_clear(&w->cert);
	buf_clear(&w->chain);
	assert_int_equal(
		cert_issue(&q, w->server_key, (char *)w->ca.data, w->ca_key, &w->cert, NULL), 0);
	buf_put(&w->chain, w->cert.data, w->cert.size);
	buf_put(&w->chain, w->ca.data, w->ca.size);
}

static int make_world(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->base = event_base_new();
	w->status = 200;
	make_ca(&w->ca_key, &w->ca, &w->pin);
	make_ca(&w->other_key, &w->other_ca, &w->other_pin);
	assert_int_equal(sign_key_generate(SIGN_P256, &w->server_key), 0);
	assert_int_equal(sign_key_private_pem(w->server_key, &w->key), 0);
	make_server(w, "127.0.0.1");
	*state = w;
	return 0;
}

static int end_world(void **state)
{
	struct world *w = *state;

	fake_http_free(w->server);
	event_base_free(w->base);
	sign_key_free(w->ca_key);
	sign_key_free(w->other_key);
	sign_key_free(w->server_key);
	buf_done(&w->ca);
	buf_done(&w->other_ca);
	buf_done(&w->cert);
	buf_done(&w->chain);
	buf_done(&w->key);
	free(w);
	return 0;
}

static void serve(struct world *w, const char *chain)
{
	fake_http_free(w->server);
	w->server =
		fake_http_open(w->base, chain, chain ? (char *)w->key.data : NULL, on_request, w);
	assert_non_null(w->server);
}

static struct fetch *open_fetch(struct world *w, const char *ca, const struct digest *pin)
{
	const struct fetch_options o = {.base = w->base,
					.ca_pem = ca,
					.ca_pin = pin,
					.total_ms = 10000,
					.user_agent = "test/1"};
	struct fetch *f = NULL;

	assert_int_equal(fetch_open(&o, &f, NULL), 0);
	return f;
}

#define HTTP "http://127.0.0.1"
#define HTTPS "https://127.0.0.1"

static char *url_of(const struct world *w, const char *origin, char ret[64])
{
	snprintf(ret, 64, "%s:%d/x", origin, fake_http_port(w->server));
	return ret;
}

static int ask(struct world *w, struct fetch *f, const char *origin, struct buf *ret,
	       struct why *why)
{
	char url[64];
	const struct fetch_request q = {.method = "GET", .url = url_of(w, origin, url), .max = 100};

	buf_clear(ret);
	return fetch_wait(f, &q, ret, why);
}

static void expect_tls(struct world *w, const char *ca, const struct digest *pin, const char *url,
		       int result)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct fetch *f = open_fetch(w, ca, pin);
	unsigned int asked = w->asked;
	struct why why = {""};

	assert_int_equal(ask(w, f, url, &b, &why), result);
	if (result < 0) {
		assert_string_not_equal(why.text, "");
		/* Nothing was said to the wrong server. */
		assert_int_equal(w->asked, asked);
	} else {
		assert_string_equal((char *)b.data, "hello");
	}
	fetch_free(f);
}

static void test_only_the_server_of_that_ca_is_taken(void **state)
{
	struct world *w = *state;
	const char *ca = NULL, *other = NULL;

	ca = (char *)w->ca.data;
	other = (char *)w->other_ca.data;
	serve(w, (char *)w->chain.data);
	expect_tls(w, ca, NULL, HTTPS, 200);
	expect_tls(w, other, NULL, HTTPS, -EKEYREJECTED);
	expect_tls(w, NULL, NULL, HTTPS, -EKEYREJECTED); /* the system's CAs do not know it */
	expect_tls(w, NULL, &w->pin, HTTPS, 200);
	expect_tls(w, NULL, &w->other_pin, HTTPS, -EKEYREJECTED);
	/* The right CA, but a name that is not in the certificate. */
	expect_tls(w, ca, NULL, "https://localhost", -EKEYREJECTED);
	expect_tls(w, NULL, &w->pin, "https://localhost", -EKEYREJECTED);
}

/* A pin is no trust in what the server says: it must also have signed the server's certificate. */
static void test_a_pinned_ca_must_have_signed(void **state)
{
	CLEANUP(buf_done) struct buf mixed = {0};
	struct world *w = *state;
	struct digest leaf;

	buf_put(&mixed, w->cert.data, w->cert.size);
	buf_put(&mixed, w->other_ca.data, w->other_ca.size);
	serve(w, (char *)mixed.data);
	expect_tls(w, NULL, &w->other_pin, HTTPS, -EKEYREJECTED);
	/* The pin is of the server's own certificate, which is no CA. */
	assert_int_equal(cert_fingerprint_pem((char *)w->cert.data, w->cert.size, &leaf, NULL), 0);
	expect_tls(w, NULL, &leaf, HTTPS, -EKEYREJECTED);
	/* A server that does not send its CA. */
	serve(w, (char *)w->cert.data);
	expect_tls(w, NULL, &w->pin, HTTPS, -EKEYREJECTED);
	expect_tls(w, (char *)w->ca.data, NULL, HTTPS, 200);
}

static void test_no_certificate_is_no_ca(void **state)
{
	static const char *const texts[] = {"", "\n", "not PEM",
					    "-----BEGIN CERTIFICATE-----\nMIIB\n"
					    "-----END CERTIFICATE-----\n"};
	struct world *w = *state;
	struct fetch *f;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		const struct fetch_options o = {.base = w->base, .ca_pem = texts[i]};
		struct why why = {""};

		assert_int_equal(fetch_open(&o, &f, &why), -EINVAL);
		assert_non_null(strstr(why.text, "certificate"));
	}
}

static void test_tls_is_not_spoken_to_who_does_not(void **state)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct world *w = *state;
	struct fetch *f = open_fetch(w, (char *)w->ca.data, NULL);
	struct why why;

	serve(w, NULL);
	w->reply = JUNK;
	assert_true(ask(w, f, HTTPS, &b, &why) < 0);
	assert_int_equal(w->asked, 0);
	fetch_free(f);
}

static void test_answers_are_bounded(void **state)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct world *w = *state;
	struct fetch *f = open_fetch(w, NULL, NULL);
	struct why why;

	serve(w, NULL);
	w->reply = BIG; /* 101 bytes, and 100 are allowed */
	assert_int_equal(ask(w, f, HTTP, &b, &why), -E2BIG);
	assert_non_null(strstr(why.text, "longer than 100 bytes"));
	assert_int_equal(b.size, 0);
	w->reply = ENDLESS;
	assert_int_equal(ask(w, f, HTTP, &b, &why), -E2BIG);
	w->reply = SAY;
	assert_int_equal(ask(w, f, HTTP, &b, &why), 200);
	fetch_free(f);
}

static void test_what_nobody_reads_may_be_long(void **state)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct world *w = *state;
	struct fetch *f = open_fetch(w, NULL, NULL);
	struct fetch_request q = {.method = "POST", .body = "x", .size = 1, .discard = true};
	char url[64];

	serve(w, NULL);
	url_of(w, HTTP, url);
	q.url = url;
	w->reply = BIG;
	assert_int_equal(fetch_wait(f, &q, &b, NULL), 200);
	assert_int_equal(b.size, 0);
	assert_string_equal(w->body, "x");
	fetch_free(f);
}

static void test_half_an_answer_is_none(void **state)
{
	static const enum reply bad[] = {CUT, CLOSE_AT_ONCE, JUNK};
	CLEANUP(buf_done) struct buf b = {0};
	struct world *w = *state;
	struct fetch *f = open_fetch(w, NULL, NULL);
	struct why why;

	serve(w, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		w->reply = bad[i];
		assert_int_equal(ask(w, f, HTTP, &b, &why), -EIO);
		assert_int_equal(b.size, 0);
	}
	/* Bytes after an answer are not taken for the next one. */
	w->reply = HOP;
	assert_int_equal(ask(w, f, HTTP, &b, &why), 200);
	w->reply = SAY;
	assert_int_equal(ask(w, f, HTTP, &b, &why), 200);
	assert_string_equal((char *)b.data, "hello");
	fetch_free(f);
}

static void test_who_does_not_answer_is_left(void **state)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct world *w = *state;
	const struct fetch_options o = {.base = w->base, .total_ms = 200};
	struct fetch *f = NULL;
	struct why why;

	serve(w, NULL);
	assert_int_equal(fetch_open(&o, &f, NULL), 0);
	w->reply = SILENT;
	assert_int_equal(ask(w, f, HTTP, &b, &why), -ETIMEDOUT);
	w->reply = SAY;
	assert_int_equal(ask(w, f, HTTP, &b, &why), 200);
	fetch_free(f);
}

static void test_redirects_are_not_followed(void **state)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct world *w = *state;
	struct fetch *f = open_fetch(w, NULL, NULL);
	struct why why;

	serve(w, NULL);
	w->reply = REDIRECT;
	assert_int_equal(ask(w, f, HTTP, &b, &why), 307);
	assert_int_equal(w->asked, 1);
	fetch_free(f);
}

static void test_connections_are_kept_and_made_anew(void **state)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct world *w = *state;
	struct fetch *f = open_fetch(w, (char *)w->ca.data, NULL);
	struct why why;
	char url[64];

	serve(w, (char *)w->chain.data);
	url_of(w, HTTPS, url);
	for (int i = 0; i < 3; i++)
		assert_int_equal(ask(w, f, HTTPS, &b, &why), 200);
	assert_int_equal(fake_http_connections(w->server), 1);
	fake_http_drop(w->server);
	assert_int_equal(ask(w, f, HTTPS, &b, &why), 200);
	assert_int_equal(fake_http_connections(w->server), 2);
	w->server = fake_http_free(w->server);
	{
		struct fetch_request q = {.method = "GET", .url = url, .max = 100};

		assert_int_equal(fetch_wait(f, &q, &b, &why), -ECONNREFUSED);
		assert_non_null(strstr(why.text, "127.0.0.1"));
	}
	fetch_free(f);
}

static int on_streamed(void *ctx, const void *data, size_t size)
{
	*(size_t *)ctx += size;
	(void)data;
	return 0;
}

static int on_enough(void *ctx, const void *data, size_t size)
{
	on_streamed(ctx, data, size);
	return -ECANCELED;
}

static void test_a_stream_is_handed_on_as_it_comes(void **state)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct world *w = *state;
	struct fetch *f = open_fetch(w, NULL, NULL);
	size_t got = 0;
	char url[64];
	struct fetch_request q = {.method = "GET",
				  .url = url,
				  .stream = true,
				  .data = on_streamed,
				  .stream_ctx = &got};

	serve(w, NULL);
	url_of(w, HTTP, url);
	w->reply = ENDLESS;
	/* Its last chunk never came, so it was no whole answer. */
	assert_int_equal(fetch_wait(f, &q, &b, NULL), -EIO);
	assert_int_equal(got, 4096 * 256);
	assert_int_equal(b.size, 0);
	/* Whoever takes it ends it, too. */
	got = 0;
	q.data = on_enough;
	assert_int_equal(fetch_wait(f, &q, &b, NULL), -ECANCELED);
	assert_in_range(got, 1, 65536);
	fetch_free(f);
}

static void test_no_line_is_smuggled_in(void **state)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct world *w = *state;
	struct fetch *f = open_fetch(w, NULL, NULL);
	char url[64], bad_url[96];

	serve(w, NULL);
	url_of(w, HTTP, url);
	snprintf(bad_url, sizeof(bad_url), "%s HTTP/1.1\r\nHost: other", url);
	{
		const struct fetch_request bad[] = {
			{.method = "GET", .url = url, .headers = {"A: b\r\nC: d"}, .n_headers = 1},
			{.method = "GET", .url = url, .headers = {"A: b\n"}, .n_headers = 1},
			{.method = "GET", .url = url, .headers = {"A: b\x7f"}, .n_headers = 1},
			{.method = "GET", .url = url, .type = "text/x\r\nC: d"},
			{.method = "GET", .url = bad_url},
			{.method = "GET /y HTTP/1.1\r\n", .url = url},
			{.method = "", .url = url},
			{.method = "GET", .url = url, .n_headers = FETCH_MAX_HEADERS + 1},
		};

		for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
			assert_int_equal(fetch_wait(f, &bad[i], &b, NULL), -EINVAL);
	}
	assert_int_equal(w->asked, 0);
	fetch_free(f);
}

static void test_the_request_is_what_was_said(void **state)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct world *w = *state;
	struct fetch *f = open_fetch(w, NULL, NULL);
	char url[64];
	struct fetch_request q = {.method = "PATCH",
				  .url = url,
				  .type = "application/json-patch+json",
				  .headers = {"Authorization: Bearer abc", "X-Two: 2"},
				  .n_headers = 2,
				  .body = "[{}]",
				  .size = 4,
				  .max = 4096};

	serve(w, NULL);
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/a/../b?c=d", fake_http_port(w->server));
	assert_int_equal(fetch_wait(f, &q, &b, NULL), 200);
	unsetenv("http_proxy");
	assert_memory_equal(w->last, "PATCH /a/../b?c=d HTTP/1.1\r\n", 28);
	assert_non_null(strstr(w->last, "\r\nContent-Type: application/json-patch+json\r\n"));
	assert_non_null(strstr(w->last, "\r\nAuthorization: Bearer abc\r\n"));
	assert_non_null(strstr(w->last, "\r\nX-Two: 2\r\n"));
	assert_non_null(strstr(w->last, "\r\nUser-Agent: test/1\r\n"));
	assert_null(strstr(w->last, "Expect:"));
	assert_null(strstr(w->last, "Accept-Encoding"));
	assert_string_equal(w->body, "[{}]");
	fetch_free(f);
}

static void test_errors_have_no_secrets(void **state)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct world *w = *state;
	struct fetch *f = open_fetch(w, NULL, NULL);
	struct fetch_request q = {.method = "GET",
				  .url = "http://me:geheim@127.0.0.1:1/path?token=geheim#x",
				  .max = 9};
	struct why why = {""};

	assert_int_equal(fetch_wait(f, &q, &b, &why), -ECONNREFUSED);
	assert_non_null(strstr(why.text, "http://127.0.0.1:1/path:"));
	assert_null(strstr(why.text, "geheim"));
	q.shown = "the hook";
	assert_int_equal(fetch_wait(f, &q, &b, &why), -ECONNREFUSED);
	assert_memory_equal(why.text, "the hook: ", 10);
	assert_null(strstr(why.text, "path"));
	q.url = "gopher://127.0.0.1:1/x";
	q.shown = NULL;
	assert_int_equal(fetch_wait(f, &q, &b, &why), -EIO);
	fetch_free(f);
}

struct ended {
	int r, n;
};

static void on_ended(void *ctx, int r, int status, const struct buf *body, const struct why *why)
{
	struct ended *e = ctx;

	(void)status;
	(void)body;
	(void)why;
	e->r = r;
	e->n++;
}

static void test_those_in_flight_end_when_it_is_freed(void **state)
{
	struct ended e[FETCH_MAX_IN_FLIGHT] = {{0, 0}};
	struct world *w = *state;
	struct fetch *f = open_fetch(w, NULL, NULL);
	char url[64];
	struct fetch_request q = {.method = "GET", .url = url, .max = 9, .done = on_ended};

	serve(w, NULL);
	w->reply = SILENT;
	url_of(w, HTTP, url);
	for (size_t i = 0; i < FETCH_MAX_IN_FLIGHT; i++) {
		q.ctx = &e[i];
		assert_int_equal(fetch_start(f, &q), 0);
		assert_int_equal(e[i].n, 0);
	}
	assert_int_equal(fetch_start(f, &q), -EAGAIN);
	while (w->asked < 3)
		event_base_loop(w->base, EVLOOP_ONCE);
	fetch_free(f);
	for (size_t i = 0; i < FETCH_MAX_IN_FLIGHT; i++) {
		assert_int_equal(e[i].n, 1);
		assert_int_equal(e[i].r, -ECANCELED);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, make_world, end_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_only_the_server_of_that_ca_is_taken),
		T(test_a_pinned_ca_must_have_signed),
		T(test_no_certificate_is_no_ca),
		T(test_tls_is_not_spoken_to_who_does_not),
		T(test_answers_are_bounded),
		T(test_what_nobody_reads_may_be_long),
		T(test_half_an_answer_is_none),
		T(test_who_does_not_answer_is_left),
		T(test_redirects_are_not_followed),
		T(test_connections_are_kept_and_made_anew),
		T(test_a_stream_is_handed_on_as_it_comes),
		T(test_no_line_is_smuggled_in),
		T(test_the_request_is_what_was_said),
		T(test_errors_have_no_secrets),
		T(test_those_in_flight_end_when_it_is_freed),
	};

	signal(SIGPIPE, SIG_IGN); /* the fake server's */
	return cmocka_run_group_tests_name("fetch", tests, NULL, NULL);
}
