/* SPDX-License-Identifier: Apache-2.0 */
/* Who they say they are: TLS that is none, certificates that are another's, a stranger's or too old. */
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "forge.h"

static void say_tcp(struct forge *f, const void *data, size_t size, struct forge_told *t)
{
	struct forge_answer a = {.status = 0};
	struct forge_conn c;

	if (forge_wire_tcp(&c, &f->wire) == 0) {
		forge_wire_send(&c, data, size);
		if (!forge_wire_gone(&c, 3000))
			a.late = true;
	}
	forge_told_set(t, &a);
	forge_wire_close(&c);
}

static void plain_http(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	static const char text[] = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";

	(void)n;
	say_tcp(f, text, sizeof(text) - 1, t);
}

static void garbage(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	char bytes[4096];

	(void)n;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 131 + 7);
	say_tcp(f, bytes, sizeof(bytes), t);
}

/* A handshake record, and in it what is none. */
static void broken_hello(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	char bytes[5 + 512] = {0x16, 3, 1, 2, 0};

	(void)n;
	memset(bytes + 5, 0xff, 512);
	say_tcp(f, bytes, sizeof(bytes), t);
}

static void record_too_large(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	static char bytes[70000] = {0x16, 3, 1, (char)0xff, (char)0xff};

	(void)n;
	say_tcp(f, bytes, sizeof(bytes), t);
}

static void old_tls(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	struct forge_wire w = f->wire;
	struct forge_answer a;

	(void)n;
	w.max_version = TLS1_1_VERSION;
	forge_wire_call(&w, NULL, "GET", WIRE_ROUTE_HEALTH, NULL, "", 0, &a);
	forge_told_set(t, &a);
	forge_answer_done(&a);
}

/* A request for a nonce by whoever holds that certificate. */
static void ask(struct forge *f, const struct api_fixture_person *p, struct forge_told *t)
{
	forge_post(f, p, WIRE_ROUTE_NONCE, WIRE_TYPE_JSON, "{}", 2, t);
}

static void nobody(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	(void)n;
	ask(f, NULL, t);
}

static void issue(const struct cert_request *q, const struct sign_key *ca, const char *ca_pem,
		  struct api_fixture_person *p)
{
	struct why why = {""};

	if (cert_issue(q, p->key, ca_pem, ca, &p->cert_pem, &why) < 0 ||
	    sign_key_private_pem(p->key, &p->key_pem) < 0)
		abort();
}

/* The node's own key and name, certified so. */
static void certified(struct forge *f, struct forge_node *n, const struct cert_request *q,
		      const struct sign_key *ca, const char *ca_pem, struct forge_told *t)
{
	struct api_fixture_person p = {.key = n->m.person.key};

	issue(q, ca, ca_pem, &p);
	ask(f, &p, t);
	buf_done(&p.cert_pem);
	buf_done(&p.key_pem);
}

static uint64_t now_s(void)
{
	return clock_utc_ns(clock_system()) / 1000000000;
}

static struct cert_request node_request(const struct forge_node *n)
{
	return (struct cert_request){
		.kind = CERT_NODE, .name = n->m.id, .not_before_s = now_s() - 60, .life_s = 3600};
}

static void expired(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	struct cert_request q = node_request(n);

	q.not_before_s -= 7200;
	certified(f, n, &q, f->ca, (char *)f->ca_pem.data, t);
}

static void post_nonce(struct forge_conn *c, struct forge_answer *ret)
{
	static const char text[] =
		"POST " WIRE_ROUTE_NONCE " HTTP/1.1\r\nHost: verifier\r\n"
		"Content-Type: " WIRE_TYPE_JSON "\r\nContent-Length: 2\r\n\r\n{}";

	forge_wire_send(c, text, sizeof(text) - 1);
	forge_wire_answer(c, FORGE_WIRE_PATIENCE_MS, ret);
}

/* It was good when the connection began, and for its first request. */
static void expired_since(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	struct api_fixture_person p = {.key = n->m.person.key};
	struct forge_answer a = {.status = 0};
	struct cert_request q = node_request(n);
	struct forge_conn c;

	q.life_s = 60 + 3;
	issue(&q, f->ca, (char *)f->ca_pem.data, &p);
	if (forge_wire_open(&c, &f->wire, &p) < 0) {
		a.late = true;
	} else {
		post_nonce(&c, &a);
		if (a.status == 200) {
			forge_answer_done(&a);
			while (now_s() < q.not_before_s + q.life_s)
				usleep(100000);
			post_nonce(&c, &a);
		} else {
			a.late = true;
		}
	}
	forge_told_set(t, &a);
	forge_answer_done(&a);
	forge_wire_close(&c);
	buf_done(&p.cert_pem);
	buf_done(&p.key_pem);
}

static void not_yet(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	struct cert_request q = node_request(n);

	q.not_before_s += 7200;
	certified(f, n, &q, f->ca, (char *)f->ca_pem.data, t);
}

/* Another CA of the same name. */
static void foreign(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	const struct cert_request ca = {.kind = CERT_CA,
					.name = "plumb-verifier-ca",
					.not_before_s = now_s() - 60,
					.life_s = 3600};
	struct cert_request q = node_request(n);
	struct sign_key *key = NULL;
	struct buf pem = {0};

	if (sign_key_generate(SIGN_P256, &key) < 0 ||
	    cert_issue(&ca, key, NULL, NULL, &pem, NULL) < 0)
		abort();
	certified(f, n, &q, key, (char *)pem.data, t);
	sign_key_free(key);
	buf_done(&pem);
}

static void own_authority(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	struct cert_request q = node_request(n);

	q.kind = CERT_CA;
	certified(f, n, &q, NULL, NULL, t);
}

static void of_a_server(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	static const char *const hosts[] = {"127.0.0.1"};
	struct cert_request q = node_request(n);

	q.kind = CERT_SERVER;
	q.hosts = hosts;
	q.n_hosts = 1;
	certified(f, n, &q, f->ca, (char *)f->ca_pem.data, t);
}

static void of_an_unknown_node(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	struct cert_request q = node_request(n);

	q.name = "00000000000000000000000000000000000000000000000000000000000000ab";
	certified(f, n, &q, f->ca, (char *)f->ca_pem.data, t);
}

/* Whoever got hold of the CA's key still does not have the node's. */
static void another_key(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	struct cert_request q = node_request(n);
	struct api_fixture_person p = {.key = NULL};

	if (sign_key_generate(SIGN_P256, &p.key) < 0 ||
	    cert_issue(&q, p.key, (char *)f->ca_pem.data, f->ca, &p.cert_pem, NULL) < 0 ||
	    sign_key_private_pem(p.key, &p.key_pem) < 0)
		abort();
	ask(f, &p, t);
	sign_key_free(p.key);
	buf_done(&p.cert_pem);
	buf_done(&p.key_pem);
}

static void of_an_unknown_operator(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	struct cert_request q = node_request(n);
	struct api_fixture_person p = {.key = n->m.person.key};

	q.kind = CERT_OPERATOR;
	q.name = "alice";
	q.role = PLUMB_ROLE_APPROVER;
	if (cert_issue(&q, p.key, (char *)f->ca_pem.data, f->ca, &p.cert_pem, NULL) < 0 ||
	    sign_key_private_pem(p.key, &p.key_pem) < 0)
		abort();
	forge_get(f, &p, WIRE_ROUTE_NODES, t);
	buf_done(&p.cert_pem);
	buf_done(&p.key_pem);
}

/* The other's certificate for one's own evidence. */
static void certificate_of_two(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	struct api_fixture_person own = n->m.person;

	n->m.person = f->two.m.person;
	forge_node_evidence(n, t);
	n->m.person = own;
}

/* Renegotiation and early data are off; a second hello on the same connection is one too many. */
static void second_hello(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	static const char hello[] = {0x16, 3, 1, 0, 4, 1, 0, 0, 0};
	struct forge_answer a = {.status = 0};
	struct forge_conn c;

	if (forge_wire_open(&c, &f->wire, &n->m.person) == 0) {
		if (write(c.fd, hello, sizeof(hello)) != sizeof(hello))
			abort();
		a.late = !forge_wire_gone(&c, 3000);
	}
	forge_told_set(t, &a);
	forge_wire_close(&c);
}

static const struct forge_lie lies[] = {
	{"HTTP without TLS", "closed", "", .tell = plain_http},
	{"garbage before TLS", "closed", "", .tell = garbage},
	{"a hello that is none", "closed", "", .tell = broken_hello},
	{"a record of 65,535 bytes", "closed", "", .tell = record_too_large},
	{"plain bytes in a connection that is up", "closed", "", .tell = second_hello},
	{"TLS 1.1", "closed", "", .tell = old_tls},
	{"no certificate", "401", "this takes a client certificate", .tell = nobody},
	{"a certificate that expired", "closed", "", .tell = expired},
	{"a certificate that expired while its connection was open", "closed", "",
	 .tell = expired_since},
	{"a certificate that is not good yet", "closed", "", .tell = not_yet},
	{"a certificate by another CA of the same name", "closed", "", .tell = foreign},
	{"a certificate that it signed itself", "closed", "", .tell = own_authority},
	{"a server's certificate", "closed", "", .tell = of_a_server},
	{"a certificate of a node that is not known", "403", "is not known",
	 .tell = of_an_unknown_node},
	{"a certificate of the node's name for another key", "403", "is not the one it has now",
	 .tell = another_key},
	{"a certificate of an operator's name for another key", "403",
	 "operator alice is not known", .tell = of_an_unknown_operator},
	{"evidence under another node's certificate", "403", "it is another node's",
	 .tell = certificate_of_two},
};
FORGE_TABLE(lies_tls, "tls", lies);
