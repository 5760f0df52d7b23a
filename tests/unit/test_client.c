/* SPDX-License-Identifier: Apache-2.0 */
/* plumbctl's way to a verifier, with the door to HTTP replaced: what is wrong before it is asked, and what it may answer. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cert.h"
#include "client.h"
#include "clock.h"
#include "dsse.h"
#include "fetch.h"
#include "fsio.h"
#include "jsonl.h"
#include "plumb/wire.h"
#include "print.h"
#include "selection.h"

struct bench {
	char dir[64], path[96];
	struct sign_key *ca, *key;
	struct buf ca_pem;
	struct client *c;
	char *out, *err; /* what was printed */
};

/* The door. Each route has a status and a body, given to a stream in pieces of `piece` bytes. */
static struct {
	const char *path, *body;
	int status;
} routes[8];
static uint32_t n_routes;
static size_t piece;
static char asked[8][512];
static uint32_t n_asked;
static struct buf posted;

int fetch_open(const struct fetch_options *o, struct fetch **ret, struct why *ret_why)
{
	(void)ret_why;
	assert_non_null(o->ca_pem);
	assert_non_null(o->cert_pem);
	*ret = malloc(1);
	return *ret ? 0 : -ENOMEM;
}

struct fetch *fetch_free(struct fetch *f)
{
	free(f);
	return NULL;
}

uint32_t fetch_retry_after_s(const struct fetch *f)
{
	(void)f;
	return 0;
}

int fetch_peer(const struct fetch *f, char *ret, size_t room)
{
	(void)f;
	(void)ret;
	(void)room;
	return -ENOENT;
}

int fetch_set_cert(struct fetch *f, const char *cert_pem)
{
	(void)f;
	(void)cert_pem;
	return -EIO;
}

int fetch_start(struct fetch *f, const struct fetch_request *q)
{
	(void)f;
	(void)q;
	return -EIO;
}

static int stream(const struct fetch_request *q, const char *body, int status)
{
	size_t size = strlen(body), n;

	for (size_t at = 0; at < size; at += n) {
		int r;

		n = piece && piece < size - at ? piece : size - at;
		r = q->data(q->stream_ctx, body + at, n);
		if (r < 0)
			return r;
	}
	return status;
}

int fetch_wait(struct fetch *f, const struct fetch_request *q, struct buf *ret, struct why *ret_why)
{
	const char *path = strstr(q->url, "/v1/");

	(void)f;
	assert_non_null(path);
	snprintf(asked[n_asked++ % 8], sizeof(asked[0]), "%s", path);
	if (q->body) {
		buf_clear(&posted);
		buf_put(&posted, q->body, q->size);
	}
	for (uint32_t i = 0; i < n_routes; i++) {
		if (strncmp(path, routes[i].path, strlen(routes[i].path)) != 0)
			continue;
		if (routes[i].status < 0)
			return why_set(ret_why, routes[i].status, "%s", routes[i].body);
		if (q->stream)
			return stream(q, routes[i].body, routes[i].status);
		buf_puts(ret, routes[i].body);
		return routes[i].status;
	}
	return why_set(ret_why, -ECONNREFUSED, "%s: nobody is there", q->url);
}

static void answers(const char *path, int status, const char *body)
{
	routes[n_routes].path = path;
	routes[n_routes].status = status;
	routes[n_routes++].body = body;
}

static void put(struct bench *b, const char *name, const void *data, size_t size)
{
	char path[192];

	snprintf(path, sizeof(path), "%s/%s", b->dir, name);
	assert_int_equal(fsio_replace_file(fsio_system(), path, data, size, 0600), 0);
}

static void put_text(struct bench *b, const char *name, const char *text)
{
	put(b, name, text, strlen(text));
}

static void put_cert(struct bench *b, const char *name, enum cert_kind kind, int64_t not_before_s)
{
	const struct cert_request q = {.kind = kind,
				       .name = "alice",
				       .role = PLUMB_ROLE_APPROVER,
				       .not_before_s = (uint64_t)not_before_s,
				       .life_s = 3600};
	struct buf pem = {0};
	struct why why;

	assert_int_equal(cert_issue(&q, b->key, (char *)b->ca_pem.data, b->ca, &pem, &why), 0);
	put(b, name, pem.data, pem.size);
	buf_done(&pem);
}

static int64_t now_s(void)
{
	return (int64_t)(clock_utc_ns(clock_system()) / 1000000000);
}

static int setup(void **state)
{
	const struct cert_request ca = {.kind = CERT_CA,
					.name = "plumb-ca",
					.not_before_s = (uint64_t)now_s() - 60,
					.life_s = 86400};
	struct bench *b = calloc(1, sizeof(*b));
	struct buf pem = {0};
	struct why why;

	assert_non_null(b);
	strcpy(b->dir, "/tmp/plumb-test-client-XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	assert_int_equal(sign_key_generate(SIGN_P256, &b->ca), 0);
	assert_int_equal(sign_key_generate(SIGN_P256, &b->key), 0);
	assert_int_equal(cert_issue(&ca, b->ca, NULL, NULL, &b->ca_pem, &why), 0);
	put(b, "ca.crt", b->ca_pem.data, b->ca_pem.size);
	put_cert(b, "a.crt", CERT_OPERATOR, now_s() - 60);
	assert_int_equal(sign_key_private_pem(b->key, &pem), 0);
	put(b, "a.key", pem.data, pem.size);
	buf_done(&pem);
	put_text(b, "c.yaml",
		 "server: https://127.0.0.1:1/\nca: ca.crt\ncert: a.crt\nkey: a.key\n");
	snprintf(b->path, sizeof(b->path), "%s/c.yaml", b->dir);
	n_routes = n_asked = 0;
	piece = 0;
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;
	char command[96];

	client_free(b->c);
	sign_key_free(b->ca);
	sign_key_free(b->key);
	buf_done(&b->ca_pem);
	buf_done(&posted);
	snprintf(command, sizeof(command), "rm -r %s", b->dir);
	assert_int_equal(system(command), 0);
	free(b->err);
	free(b);
	return 0;
}

/* What goes to standard error until heard(). */
static FILE *held;
static size_t held_size;

static void listen_to(struct bench *b)
{
	free(b->err);
	b->err = NULL;
	held = stderr;
	stderr = open_memstream(&b->err, &held_size);
	assert_non_null(stderr);
}

static void heard(struct bench *b, const char *text)
{
	fclose(stderr);
	stderr = held;
	if (!strstr(b->err, text))
		print_error("%s\n", b->err);
	assert_non_null(strstr(b->err, text));
	for (const char *p = b->err; *p; p++)
		assert_true(*p == '\n' || (unsigned char)*p >= 0x20);
}

static void fails(struct bench *b, int code, const char *text)
{
	struct client *c = NULL;

	listen_to(b);
	assert_int_equal(client_open(b->path, &c), code);
	heard(b, text);
	assert_null(c);
}

static void opened(struct bench *b)
{
	assert_int_equal(client_open(b->path, &b->c), PRINT_GOOD);
}

static void test_configurations(void **state)
{
	struct bench *b = *state;

	put_text(b, "c.yaml", "server: https://x\nca: ca.crt\ncert: a.crt\n");
	fails(b, PRINT_USAGE, "server, ca, cert and key are all needed");
	put_text(b, "c.yaml", "server: http://x\nca: ca.crt\ncert: a.crt\nkey: a.key\n");
	fails(b, PRINT_USAGE, "no https://");
	put_text(b, "c.yaml", "server: https://\nca: ca.crt\ncert: a.crt\nkey: a.key\n");
	fails(b, PRINT_USAGE, "no https://");
	put_text(b, "c.yaml", "servers: https://x\n");
	fails(b, PRINT_USAGE, "c.yaml:1: unknown key");
	put_text(b, "c.yaml", "server: https://x\nca: none\ncert: a.crt\nkey: a.key\n");
	fails(b, PRINT_UNKNOWN, "none: No such file or directory (ca in ");
	put_text(b, "c.yaml", "server: https://x\nca: a.key\ncert: a.crt\nkey: a.key\n");
	fails(b, PRINT_UNKNOWN, "no certificate");
	put_text(b, "c.yaml", "server: https://x\nca: ca.crt\ncert: ca.crt\nkey: a.key\n");
	fails(b, PRINT_UNKNOWN, "no operator's certificate");
	put_text(b, "c.yaml", "server: https://x\nca: ca.crt\ncert: a.crt\nkey: a.crt\n");
	fails(b, PRINT_UNKNOWN, "a.crt: ");
	snprintf(b->path, sizeof(b->path), "%s/nothing.yaml", b->dir);
	fails(b, PRINT_UNKNOWN, "cure:  copy plumbctl.yaml");
}

static void test_certificates(void **state)
{
	struct bench *b = *state;
	struct sign_key *other = NULL;
	struct buf pem = {0};

	put_cert(b, "a.crt", CERT_OPERATOR, now_s() - 7200);
	fails(b, PRINT_UNKNOWN, "the certificate of alice ended 20");
	put_cert(b, "a.crt", CERT_NODE, now_s() - 60);
	fails(b, PRINT_UNKNOWN, "no operator's certificate");
	put_cert(b, "a.crt", CERT_OPERATOR, now_s() - 60);
	assert_int_equal(sign_key_generate(SIGN_P256, &other), 0);
	assert_int_equal(sign_key_private_pem(other, &pem), 0);
	put(b, "a.key", pem.data, pem.size);
	fails(b, PRINT_UNKNOWN, "not the key of the certificate");
	buf_clear(&pem);
	assert_int_equal(sign_key_public_pem(b->key, &pem), 0);
	put(b, "a.key", pem.data, pem.size);
	fails(b, PRINT_UNKNOWN, "no private part");
	sign_key_free(other);
	buf_done(&pem);
}

static void get_fails(struct bench *b, int code, const char *text)
{
	json_t *o = NULL;

	listen_to(b);
	assert_int_equal(client_get_json(b->c, WIRE_ROUTE_NODES, &o), code);
	heard(b, text);
	assert_null(o);
	n_routes = 0;
}

static void test_what_it_may_answer(void **state)
{
	struct bench *b = *state;
	json_t *o = NULL;

	opened(b);
	answers("/v1/nodes", 403, "{\"error\":\"no\\u001b[2J\",\"cure\":\"ask\\u202e\"}");
	get_fails(b, PRINT_NOT_GOOD, "error: no\\x1b[2J\ncure:  ask\\u{202e}\n");
	answers("/v1/nodes", 403, "<html>\033[2J");
	get_fails(b, PRINT_NOT_GOOD, "HTTP 403");
	answers("/v1/nodes", 500, "{\"error\":\"disk\"}");
	get_fails(b, PRINT_UNKNOWN, "disk");
	answers("/v1/nodes", 302, "");
	get_fails(b, PRINT_NOT_GOOD, "HTTP 302");
	answers("/v1/nodes", 200, "");
	get_fails(b, PRINT_UNKNOWN, "cannot be read");
	answers("/v1/nodes", 200, "{\"nodes\":[]} x");
	get_fails(b, PRINT_UNKNOWN, "cannot be read");
	answers("/v1/nodes", -EKEYREJECTED, "https://x: tlsv1 alert unknown ca");
	get_fails(b, PRINT_UNKNOWN, "plumb-verifier operator list");
	answers("/v1/nodes", -EKEYREJECTED, "https://x: self-signed certificate");
	get_fails(b, PRINT_UNKNOWN, "must be the ca.crt of this very verifier");
	get_fails(b, PRINT_UNKNOWN, "is plumb-verifier running there");
	answers("/v1/nodes", 200, "{\"nodes\":[]}");
	assert_int_equal(client_get_json(b->c, WIRE_ROUTE_NODES, &o), PRINT_GOOD);
	json_decref(o);
}

static void test_names_are_escaped(void **state)
{
	struct bench *b = *state;
	json_t *o = NULL;

	opened(b);
	answers("/v1/nodes/", 200, "{}");
	assert_int_equal(client_get_node(b->c, "../a b?c#\n\xc3\xa9", &o), PRINT_GOOD);
	assert_string_equal(asked[0], "/v1/nodes/..%2fa%20b%3fc%23%0a%c3%a9");
	json_decref(o);
	listen_to(b);
	assert_int_equal(client_get_node(b->c, "", &o), PRINT_USAGE);
	heard(b, "empty name");
}

static void test_an_act_is_signed(void **state)
{
	const uint64_t cases[] = {7, 9};
	const struct client_action act = {.action = "acknowledge",
					  .node = "one",
					  .reason = "be\"cause",
					  .cases = cases,
					  .n_cases = 2};
	struct bench *b = *state;
	struct buf payload = {0};
	struct why why;
	json_t *o = NULL;

	opened(b);
	answers("/v1/actions", 200, "{\"ok\":false,\"text\":\"\"}");
	listen_to(b);
	assert_int_equal(client_act(b->c, &act, false), PRINT_UNKNOWN);
	heard(b, "does not say that it was done");
	assert_int_equal(dsse_open(posted.data, posted.size, 65536, WIRE_DSSE_ACTION,
				   (const struct sign_key *const *)&b->key, 1, &payload, NULL,
				   &why),
			 0);
	assert_int_equal(jsonl_parse(payload.data, payload.size, 65536, &o, &why), 0);
	assert_string_equal(client_text(o, "reason"), "be\"cause");
	assert_int_equal(json_array_size(json_object_get(o, "cases")), 2);
	json_decref(o);
	buf_done(&payload);
}

struct lines {
	char text[256];
	int stop_at, n;
};

static int on_line(void *ctx, const char *line, size_t size)
{
	struct lines *l = ctx;

	snprintf(l->text + strlen(l->text), sizeof(l->text) - strlen(l->text), "%.*s|", (int)size,
		 line);
	return ++l->n == l->stop_at ? PRINT_NOT_GOOD : 0;
}

static void test_events(void **state)
{
	struct bench *b = *state;

	opened(b);
	for (piece = 1; piece < 12; piece++) {
		struct lines l = {.stop_at = 0};

		n_routes = 0;
		answers("/v1/events", 200, "one\n\ntwo\nthree\n");
		assert_int_equal(client_events(b->c, 5, true, on_line, &l), PRINT_GOOD);
		assert_string_equal(l.text, "one|two|three|");
	}
	assert_string_equal(asked[0], "/v1/events?since=5&follow=1");
	for (piece = 1; piece < 12; piece++) {
		struct lines l = {.stop_at = 2};

		assert_int_equal(client_events(b->c, 0, false, on_line, &l), PRINT_NOT_GOOD);
		assert_string_equal(l.text, "one|two|");
	}
}

static void events_fail(struct bench *b, int code, const char *text)
{
	struct lines l = {.stop_at = 0};

	listen_to(b);
	assert_int_equal(client_events(b->c, 0, false, on_line, &l), code);
	heard(b, text);
	n_routes = 0;
}

static void test_events_that_end_badly(void **state)
{
	struct bench *b = *state;
	char *longer = malloc((2u << 20) + 1);

	assert_non_null(longer);
	opened(b);
	answers("/v1/events", 200, "one\ntwo");
	events_fail(b, CLIENT_LOST, "cut short");
	answers("/v1/events", 403, "{\"error\":\"not you\"}");
	events_fail(b, PRINT_NOT_GOOD, "not you");
	answers("/v1/events", -EIO, "reset by peer");
	events_fail(b, CLIENT_LOST, "reset by peer");
	answers("/v1/events", -EKEYREJECTED, "self-signed");
	events_fail(b, PRINT_UNKNOWN, "self-signed");
	memset(longer, 'x', 2u << 20);
	longer[2u << 20] = 0;
	piece = 65536;
	answers("/v1/events", 200, longer);
	events_fail(b, PRINT_UNKNOWN, "too long");
	free(longer);
}

#define NODES                                                                                    \
	"{\"nodes\":[{\"id\":\"n1\",\"open_cases\":2},{\"id\":\"n2\",\"open_cases\":1},{\"id\":" \
	"\"n3\",\"open_cases\":0},7]}"
#define N1                                                                                     \
	"{\"label\":\"one\",\"cases\":[{\"id\":1,\"closed\":null},{\"id\":2,\"closed\":null}," \
	"{\"id\":3,\"closed\":\"2026\"},null,{}]}"
#define N2 "{\"label\":\"two\",\"cases\":[{\"id\":4,\"closed\":null},{\"id\":1,\"closed\":null}]}"
#define GROUPS                                                                                   \
	"{\"groups\":[{\"group\":\"big\",\"key\":\"b\",\"cases\":[1],\"more\":true},{\"group\":" \
	"\"k|a\",\"key\":\"k\",\"cases\":[1,4]},{\"group\":\"k|b\","                             \
	"\"key\":\"k\",\"cases\":[2]},{\"group\":\"gone\",\"key\":\"x\",\"cases\":[3,-1,\"4\"]}]}"

static void routes_of_nodes(void)
{
	answers("/v1/nodes/n1", 200, N1);
	answers("/v1/nodes/n2", 200, N2);
	answers("/v1/nodes", 200, NODES);
	answers("/v1/drift/summary", 200, GROUPS);
}

static int on_selected(void *ctx, const json_t *node, const json_t *const *cases, size_t n)
{
	char *text = ctx;

	sprintf(text + strlen(text), "%s:", client_text(node, "label"));
	for (size_t i = 0; i < n; i++)
		sprintf(text + strlen(text), " %d", (int)client_number(cases[i], "id"));
	strcat(text, ";");
	return PRINT_GOOD;
}

static void selects(struct bench *b, const char *node, int n, const char *const *words,
		    const char *expected)
{
	struct selection *s = NULL;
	char text[256] = "";

	assert_int_equal(selection_open(b->c, node, n, (char **)words, &s), PRINT_GOOD);
	assert_int_equal(selection_each(s, on_selected, text), PRINT_GOOD);
	assert_string_equal(text, expected);
	selection_free(s);
}

static void selects_not(struct bench *b, const char *node, const char *word, const char *text)
{
	const char *const words[] = {word};
	struct selection *s = NULL;

	listen_to(b);
	assert_int_equal(selection_open(b->c, node, 1, (char **)words, &s), PRINT_NOT_GOOD);
	heard(b, text);
	assert_null(s);
}

static void test_selection(void **state)
{
	struct bench *b = *state;

	opened(b);
	routes_of_nodes();
	selects(b, NULL, 1, (const char *[]){"2"}, "one: 2;");
	selects(b, NULL, 3, (const char *[]){"#4", "2", "4"}, "one: 2;two: 4;");
	/* One number stands for one case, though a second node claims it. */
	selects(b, NULL, 1, (const char *[]){"k|a"}, "one: 1;two: 4;");
	selects(b, NULL, 2, (const char *[]){"k", "1"}, "one: 1 2;two: 4;");
	selects(b, "n2", 1, (const char *[]){"1"}, "two: 1;");
	selects_not(b, NULL, "3", "case 3 is not open on any node");
	selects_not(b, NULL, "gone", "case 3 is not open");
	selects_not(b, "n2", "2", "case 2 is not open on n2");
	selects_not(b, NULL, "nosuch", "no open group nosuch");
	selects_not(b, NULL, "99999999999999999999", "no open group");
	selects_not(b, NULL, "0", "case 0 is not open");
	selects_not(b, NULL, "big", "more cases than the verifier lists");
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_configurations),	       T(test_certificates),	 T(test_what_it_may_answer),
		T(test_names_are_escaped),     T(test_an_act_is_signed), T(test_events),
		T(test_events_that_end_badly), T(test_selection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
