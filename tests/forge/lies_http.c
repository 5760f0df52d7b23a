/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP that is none, or too much of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "forge.h"

#define WAIT_MS 5000

/* Those bytes over TLS, with or without a node's certificate; the first answer. */
static void say(struct forge *f, const struct api_fixture_person *p, const void *data, size_t size,
		struct forge_told *t)
{
	struct forge_answer a = {.status = 0};
	struct forge_conn c;

	if (forge_wire_open(&c, &f->wire, p) == 0) {
		forge_wire_send(&c, data, size);
		forge_wire_answer(&c, WAIT_MS, &a);
	}
	forge_told_set(t, &a);
	forge_answer_done(&a);
	forge_wire_close(&c);
}

static void say_text(struct forge *f, const struct api_fixture_person *p, const char *text,
		     struct forge_told *t)
{
	say(f, p, text, strlen(text), t);
}

#define POST_EVIDENCE "POST /v1/evidence HTTP/1.1\r\nHost: x\r\n"

/* That many zeros as a body that is announced. */
static void large(struct forge *f, const struct api_fixture_person *p, const char *path,
		  size_t size, struct forge_told *t)
{
	char *body = calloc(1, size);

	if (!body)
		abort();
	forge_post(f, p, path, NULL, body, size, t);
	free(body);
}

static void large_evidence(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	large(f, &n->m.person, WIRE_ROUTE_EVIDENCE, WIRE_MAX_EVIDENCE_BODY + 1, t);
}

static void large_enrolment(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	(void)n;
	large(f, NULL, WIRE_ROUTE_ENROL, WIRE_MAX_JSON_BODY + 1, t);
}

static void large_nonce(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	large(f, &n->m.person, WIRE_ROUTE_NONCE, 5000, t);
}

static void large_get(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	struct forge_answer a;

	(void)n;
	forge_wire_call(&f->wire, &f->alice, "GET", WIRE_ROUTE_NODES, NULL, "xxxx", 4, &a);
	forge_told_set(t, &a);
	forge_answer_done(&a);
}

static void large_action(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	(void)n;
	large(f, &f->alice, WIRE_ROUTE_ACTIONS, WIRE_MAX_JSON_BODY + 1, t);
}

static void length_beyond_all(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	say_text(f, &n->m.person, POST_EVIDENCE "Content-Length: 99999999999999999999\r\n\r\n", t);
}

static void length_below_zero(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	say_text(f, &n->m.person, POST_EVIDENCE "Content-Length: -1\r\n\r\n", t);
}

static void length_no_number(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	say_text(f, &n->m.person, POST_EVIDENCE "Content-Length: 0x10\r\n\r\n", t);
}

static void length_of_gigabytes(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	say_text(f, &n->m.person, POST_EVIDENCE "Content-Length: 4294967297\r\n\r\n", t);
}

/* More comes than was said: the rest is no request. */
static void length_too_small(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	say_text(f, &n->m.person,
		 POST_EVIDENCE "Content-Length: 2\r\n\r\n{\"v\":1,\"kind\":\"evidence\"}\n", t);
}

static void no_length(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	say_text(f, &n->m.person, POST_EVIDENCE "\r\n", t);
}

/* Less comes, and then nothing: no answer, and nothing is believed. */
static void length_too_large(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	struct forge_answer a;
	struct forge_conn c;

	if (forge_wire_open(&c, &f->wire, &n->m.person) == 0)
		forge_wire_send(&c, POST_EVIDENCE "Content-Length: 4000\r\n\r\n{}", 62);
	forge_wire_answer(&c, 500, &a);
	forge_told_set(t, &a);
	forge_answer_done(&a);
	forge_wire_close(&c);
}

static void chunk(struct forge *f, struct forge_node *n, const char *size, struct forge_told *t)
{
	char text[512];

	snprintf(text, sizeof(text),
		 POST_EVIDENCE "Transfer-Encoding: chunked\r\n\r\n%s\r\nxxxx\r\n", size);
	say_text(f, &n->m.person, text, t);
}

static void chunk_of_16_digits(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	chunk(f, n, "ffffffffffffffff", t);
}

static void chunk_below_zero(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	chunk(f, n, "-4", t);
}

static void chunk_no_number(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	chunk(f, n, "zz", t);
}

/* Until the server has had enough. */
static void chunks_forever(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	static char piece[65536 + 16];
	struct forge_answer a = {.status = 0};
	struct forge_conn c;
	int at = snprintf(piece, sizeof(piece), "10000\r\n");

	memset(piece + at, 'x', 65536);
	memcpy(piece + at + 65536, "\r\n", 2);
	if (forge_wire_open(&c, &f->wire, &n->m.person) == 0) {
		static const char head[] = POST_EVIDENCE "Transfer-Encoding: chunked\r\n\r\n";
		bool ok = forge_wire_send(&c, head, sizeof(head) - 1);

		for (int i = 0; i < 2048 && ok; i++)
			ok = forge_wire_send(&c, piece, (size_t)at + 65538);
		forge_wire_answer(&c, WAIT_MS, &a);
	}
	forge_told_set(t, &a);
	forge_answer_done(&a);
	forge_wire_close(&c);
}

static void length_and_chunks(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	say_text(f, &n->m.person,
		 POST_EVIDENCE "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		 t);
}

static void repeat(struct forge *f, struct forge_node *n, const char *line, int times,
		   struct forge_told *t)
{
	struct buf b = {0};

	buf_puts(&b, "GET /healthz HTTP/1.1\r\nHost: x\r\n");
	for (int i = 0; i < times; i++)
		buf_puts(&b, line);
	say(f, &n->m.person, b.data, b.size, t);
	buf_done(&b);
}

static void header_bomb(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	repeat(f, n, "X-A: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n", 20000,
	       t);
}

static void header_line(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	struct buf b = {0};

	for (int i = 0; i < 20000; i++)
		buf_puts(&b, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
	buf_puts(&b, "\r\n\r\n");
	repeat(f, n, (char *)b.data, 1, t);
	buf_done(&b);
}

static void long_path(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	static char text[12000];

	(void)n;
	memset(text, 'a', sizeof(text));
	memcpy(text, "GET /v1/nodes/", 14);
	strcpy(text + sizeof(text) - 32, " HTTP/1.1\r\nHost: x\r\n\r\n");
	say_text(f, &f->alice, text, t);
}

static void no_colon(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	say_text(f, &n->m.person, "GET /healthz HTTP/1.1\r\nno colon here\r\n\r\n", t);
}

static void no_http(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	say_text(f, &n->m.person, "HELO verifier\r\n\r\n", t);
}

static void binary(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	static const char junk[] = "\x00\x01\x02\xff\xfe\r\n\r\n\x00";

	say(f, &n->m.person, junk, sizeof(junk), t);
}

static void other_method(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	(void)n;
	say_text(f, &f->alice, "DELETE /v1/nodes HTTP/1.1\r\nHost: x\r\n\r\n", t);
}

static void connect_method(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	(void)n;
	say_text(f, &f->alice, "CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: x\r\n\r\n", t);
}

static void no_route(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	(void)n;
	forge_get(f, &f->alice, "/v1/nodes2", t);
}

static void other_type(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	forge_post(f, &n->m.person, WIRE_ROUTE_EVIDENCE, "text/html", "x", 1, t);
}

/* Thousands of requests without reading one answer: they stay in the kernel, and are answered when somebody reads. */
static void pipelined(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	static const char one[] = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
	struct forge_answer a = {.status = 0};
	struct forge_conn c;
	struct buf b = {0};
	int sent = 0, answered = 0;

	for (int i = 0; i < 100; i++)
		buf_puts(&b, one);
	if (forge_wire_open(&c, &f->wire, &n->m.person) == 0) {
		while (sent < 2000 && forge_wire_send(&c, b.data, b.size))
			sent += 100;
		do {
			forge_answer_done(&a);
			forge_wire_answer(&c, WAIT_MS, &a);
			answered += a.status == 200;
		} while (a.status == 200 && answered < sent);
	}
	forge_told_set(t, &a);
	snprintf(t->reason, sizeof(t->reason), "%d of %d answered", answered, sent);
	forge_answer_done(&a);
	forge_wire_close(&c);
	buf_done(&b);
}

/* Traversal: what a path names is looked up, and never a file. */
static void path(struct forge *f, const char *where, struct forge_told *t)
{
	forge_get(f, &f->alice, where, t);
}

static void up_in_baseline(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	(void)n;
	path(f, "/v1/baseline/../../ca.key", t);
}

static void up_encoded(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	(void)n;
	path(f, "/v1/baseline/..%2f..%2fca.key", t);
}

static void up_in_ledger(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	(void)n;
	path(f, "/v1/ledger/../../../etc/passwd", t);
}

static void up_in_nodes(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	(void)n;
	path(f, "/v1/nodes/%2e%2e%2f%2e%2e%2fverdict.key", t);
}

static void nul_in_path(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	(void)n;
	path(f, "/v1/nodes%00/one", t);
}

static void sql_in_path(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	(void)n;
	path(f, "/v1/nodes/x'%20OR%20'1'='1", t);
}

static void format_in_path(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	(void)n;
	path(f, "/v1/nodes/%25s%25n%25n", t);
}

static void since_beyond(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	(void)n;
	path(f, "/v1/events?since=9999999999", t);
}

static void since_no_number(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	(void)n;
	path(f, "/v1/events?since=-1", t);
}

static const struct forge_lie lies[] = {
	{"evidence of 16 MiB and a byte", "413", "", .tell = large_evidence},
	{"enrolment of 256 KiB and a byte", "413", "", .tell = large_enrolment},
	{"a nonce's request of 5,000 bytes", "413", "more than 4096 bytes", .tell = large_nonce},
	{"a body where none goes", "413", "more than 1 bytes", .tell = large_get},
	{"an action of 256 KiB and a byte", "413", "more than 262144 bytes", .tell = large_action},
	{"a length beyond 64 bits", "413", "", .tell = length_beyond_all},
	{"a length below zero", "400", "", .tell = length_below_zero},
	{"a length that is no number", "400", "", .tell = length_no_number},
	{"a length of four gigabytes", "413", "", .tell = length_of_gigabytes},
	{"a length that is too small", "400", "no header line", .tell = length_too_small},
	{"a length that is too large", "nothing", "", .tell = length_too_large},
	{"no length", "400", "no header line", .tell = no_length},
	{"a chunk of 2^64 bytes", "413", "", .tell = chunk_of_16_digits},
	{"a chunk below zero", "413", "", .tell = chunk_below_zero},
	{"a chunk whose size is no number", "413", "", .tell = chunk_no_number},
	{"chunks without end", "413", "", .tell = chunks_forever},
	{"a length and chunks", "400", "", .tell = length_and_chunks},
	{"20,000 headers", "400", "", .tell = header_bomb},
	{"a header of a megabyte", "400", "", .tell = header_line},
	{"a path of 12 KB", "404", "there is no such route", .tell = long_path},
	{"a header without a colon", "400", "", .tell = no_colon},
	{"no HTTP", "400", "", .tell = no_http},
	{"bytes of any kind", "400", "", .tell = binary},
	{"a method that changes things", "405", "not with this method", .tell = other_method},
	{"a proxy's method", "501", "", .tell = connect_method},
	{"a route that there is not", "404", "there is no such route", .tell = no_route},
	{"evidence of another type", "415", "application/vnd.plumb.evidence", .tell = other_type},
	{"2,000 requests before the first answer is read", "200", "2000 of 2000 answered",
	 .tell = pipelined},
	{"up from a baseline", "404", "there is no such baseline", .tell = up_in_baseline},
	{"up from a baseline, encoded", "404", "there is no such baseline", .tell = up_encoded},
	{"up from a ledger", "404", "there is no node", .tell = up_in_ledger},
	{"up from a node, encoded", "404", "there is no node", .tell = up_in_nodes},
	{"a NUL in a path", "404", "there is no such route", .tell = nul_in_path},
	{"SQL in a path", "404", "there is no node x' OR '1'='1", .tell = sql_in_path},
	{"a format in a path", "404", "there is no node %s%n%n", .tell = format_in_path},
	{"the log from beyond its end", "400", "since is beyond", .tell = since_beyond},
	{"the log from below zero", "400", "a value is malformed", .tell = since_no_number},
};
FORGE_TABLE(lies_http, "http", lies);
