/* SPDX-License-Identifier: Apache-2.0 */
/* The webhook over real TLS, on its own thread: answers by the store's last commit, bounds, who may ask, a renewed certificate, the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admission_server.h"
#include "api_fixture.h"
#include "cleanup.h"
#include "https_client.h"

static struct api_fixture f;
static struct api_fixture_person host, renewed, caller;
static struct bound_nodes *nodes;
static struct admission_desk *desk;
static struct admission_server *server;
static char cert_file[64], key_file[64], ca_file[64];
static const struct admission_rules rules = {.allow_degraded = true, .allow_silent = true};

static void write_file(const char *path, const struct buf *b, time_t t)
{
	const struct timespec times[2] = {{t, 0}, {t, 0}};
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0 && write(fd, b->data, b->size) == (ssize_t)b->size);
	assert_int_equal(futimens(fd, times), 0);
	close(fd);
}

static void certify(struct api_fixture_person *p, const char *name)
{
	static const char *const hosts[] = {"127.0.0.1"};
	const struct cert_request q = {.kind = CERT_SERVER,
				       .name = name,
				       .hosts = hosts,
				       .n_hosts = 1,
				       .not_before_s = f.utc_ns / 1000000000 - 60,
				       .life_s = 86400};

	*p = (struct api_fixture_person){.key = NULL};
	api_fixture_certify(&f, p, &q);
}

static void done(struct api_fixture_person *p)
{
	sign_key_free(p->key);
	buf_done(&p->cert_pem);
	buf_done(&p->key_pem);
}

static int setup(void **state)
{
	(void)state;
	api_fixture_open(&f);
	certify(&host, "plumb-verifier");
	certify(&renewed, "plumb-verifier");
	assert_int_equal(bound_nodes_open(&f.store, &nodes), 0);
	assert_int_equal(admission_desk_open(nodes, &rules, &desk), 0);
	snprintf(cert_file, sizeof(cert_file), "%s/w.crt", f.dir);
	snprintf(key_file, sizeof(key_file), "%s/w.key", f.dir);
	snprintf(ca_file, sizeof(ca_file), "%s/w.ca", f.dir);
	write_file(cert_file, &host.cert_pem, 1);
	write_file(key_file, &host.key_pem, 1);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	server = admission_server_free(server);
	desk = admission_desk_free(desk);
	nodes = bound_nodes_free(nodes);
	done(&host);
	done(&renewed);
	unlink(cert_file);
	unlink(key_file);
	unlink(ca_file);
	api_fixture_done(&f);
	return 0;
}

static int start(struct admission_server_options o, struct why *ret_why)
{
	o.desk = desk;
	o.listen = "127.0.0.1:0";
	o.cert_file = cert_file;
	o.key_file = key_file;
	return admission_server_open(&o, &server, ret_why);
}

static int open_client(struct https_client *c, const struct api_fixture_person *p)
{
	return https_client_open(c, admission_server_port(server), (char *)f.ca_pem.data,
				 p ? (char *)p->cert_pem.data : NULL,
				 p ? (char *)p->key_pem.data : NULL);
}

static void put(const char *name, enum plumb_containment containment)
{
	struct store_node n = {.version = 0};

	if (f.store.ops->node_get(f.store.ctx, "aa", &n) < 0)
		snprintf(n.id, sizeof(n.id), "aa");
	snprintf(n.kube_name, sizeof(n.kube_name), "%s", name);
	n.life = PLUMB_LIFE_ACTIVE;
	n.appraisal = PLUMB_APPRAISAL_TRUSTED;
	n.freshness = PLUMB_FRESHNESS_FRESH;
	n.containment = containment;
	assert_int_equal(f.store.ops->begin(f.store.ctx), 0);
	assert_int_equal(f.store.ops->node_put(f.store.ctx, &n), 0);
	assert_int_equal(f.store.ops->commit(f.store.ctx), 0);
	store_node_done(&n);
}

/* 1: allowed, 0: not, -1: no answer. */
static int bind_to(struct https_client *c, const char *node)
{
	struct buf answer = {0};
	char text[1024];
	int status, r = -1;

	snprintf(text, sizeof(text),
		 "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\",\"request\":"
		 "{\"uid\":\"u\",\"resource\":{\"group\":\"\",\"resource\":\"pods\"},"
		 "\"subResource\":\"binding\",\"operation\":\"CREATE\",\"namespace\":\"default\","
		 "\"object\":{\"target\":{\"name\":\"%s\"}}}}",
		 node);
	status = https_client_ask(c, "POST", "/admit?timeout=2s", text, strlen(text), &answer);
	if (status == 200)
		r = strstr((char *)answer.data, "\"allowed\":true") != NULL;
	buf_done(&answer);
	return r;
}

static void test_answers_by_the_last_commit(void **state)
{
	struct admission_counts n;
	struct https_client c;
	struct why why = {""};

	(void)state;
	assert_int_equal(start((struct admission_server_options){0}, &why), 0);
	assert_int_equal(open_client(&c, NULL), 0);
	assert_int_equal(bind_to(&c, "n1"), 0); /* not bound: denied by these rules */
	put("n1", PLUMB_CONTAIN_FREE);
	assert_int_equal(bind_to(&c, "n1"), 1);
	for (int i = 0; i < 50; i++) {
		put("n1", i % 2 ? PLUMB_CONTAIN_FREE : PLUMB_CONTAIN_HELD);
		assert_int_equal(bind_to(&c, "n1"), i % 2);
	}
	https_client_done(&c);
	admission_desk_counts(desk, &n);
	assert_int_equal(n.asked[ADMISSION_BINDING], 52);
	assert_int_equal(n.refused, 26);
	assert_int_equal(n.broken, 0);
}

static void test_odd_requests(void **state)
{
	struct admission_counts n;
	struct buf answer = {0};
	struct https_client c;
	struct why why = {""};
	static char big[ADMISSION_MAX_BODY + 1];

	(void)state;
	assert_int_equal(start((struct admission_server_options){0}, &why), 0);
	assert_int_equal(open_client(&c, NULL), 0);
	assert_int_equal(https_client_ask(&c, "GET", "/healthz", "", 0, &answer), 200);
	assert_int_equal(https_client_ask(&c, "GET", "/admit", "", 0, &answer), 404);
	assert_int_equal(https_client_ask(&c, "POST", "/", "{}", 2, &answer), 404);
	assert_int_equal(https_client_ask(&c, "POST", "/admit", "", 0, &answer), 400);
	assert_int_equal(https_client_ask(&c, "POST", "/admit", "{}", 2, &answer), 400);
	assert_non_null(strstr((char *)answer.data, "\"error\":"));
	/* As large as it may be, and no JSON: it is read, and the connection goes on. */
	memset(big, ' ', sizeof(big));
	assert_int_equal(https_client_ask(&c, "POST", "/admit", big, ADMISSION_MAX_BODY, &answer),
			 400);
	assert_int_equal(https_client_ask(&c, "GET", "/healthz", "", 0, &answer), 200);
	https_client_done(&c);
	admission_desk_counts(desk, &n);
	assert_int_equal(n.broken, 3);
	/* One byte more is not read to its end. */
	assert_int_equal(open_client(&c, NULL), 0);
	assert_int_not_equal(https_client_ask(&c, "POST", "/admit", big, sizeof(big), &answer),
			     200);
	https_client_done(&c);
	admission_desk_counts(desk, &n);
	assert_int_equal(n.broken, 3);
	buf_done(&answer);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1 /* they take terabytes of addresses, and keep what was freed */
#else
#define SANITIZED 0
#endif

static size_t peak_kb(void)
{
	FILE *status = fopen("/proc/self/status", "re");
	unsigned long kb = 0;
	char line[256];

	assert_non_null(status);
	while (fgets(line, sizeof(line), status))
		if (sscanf(line, "VmHWM: %lu", &kb) == 1)
			break;
	fclose(status);
	return kb;
}

/* Three bytes for a value: with two gigabytes for it nothing else would be answered, nor run, any more. */
static void test_many_values(void **state)
{
	const struct rlimit little = {1u << 30, RLIM_INFINITY};
	struct rlimit before;
	struct buf answer = {0};
	struct https_client c;
	struct why why = {""};
	size_t size = ADMISSION_MAX_BODY / 3 * 3 + 1, kb;
	char *body;

	(void)state;
	put("n1", PLUMB_CONTAIN_FREE);
	assert_int_equal(start((struct admission_server_options){0}, &why), 0);
	assert_int_equal(open_client(&c, NULL), 0);
	body = malloc(size);
	assert_non_null(body);
	body[0] = '[';
	for (size_t i = 1; i < size; i += 3)
		memcpy(body + i, "{},", 3);
	body[size - 1] = ']';
	assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
	/* A sanitizer takes more than is measured here: with one, it is only whether it is refused. */
	if (!SANITIZED)
		assert_int_equal(setrlimit(RLIMIT_AS, &little), 0);
	kb = peak_kb();
	assert_int_equal(https_client_ask(&c, "POST", "/admit", body, size, &answer), 400);
	assert_int_equal(bind_to(&c, "n1"), 1);
	assert_true(SANITIZED || peak_kb() - kb < 256u << 10);
	assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
	https_client_done(&c);
	buf_done(&answer);
	free(body);
}

static void send_half(struct https_client *c)
{
	static const char half[] = "POST /admit HTTP/1.1\r\nContent-Length: 99\r\n\r\n{";

	assert_int_equal(https_client_send(c, half, sizeof(half) - 1), 0);
}

/* Connections that stay open hold nobody up, and the end does not wait for them. */
static void test_many(void **state)
{
	struct https_client c[40];
	struct why why = {""};

	(void)state;
	put("n1", PLUMB_CONTAIN_FREE);
	assert_int_equal(start((struct admission_server_options){0}, &why), 0);
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		assert_int_equal(open_client(&c[i], NULL), 0);
		if (i % 4 == 0)
			send_half(&c[i]);
	}
	assert_int_equal(bind_to(&c[39], "n1"), 1);
	server = admission_server_free(server);
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		assert_int_equal(bind_to(&c[i], "n1"), -1);
		https_client_done(&c[i]);
	}
}

/* The server ends it; not that the client has waited for long enough. */
static bool is_ended(struct https_client *c)
{
	size_t n;
	char byte;
	int r;

	ERR_clear_error();
	r = SSL_read_ex(c->ssl, &byte, 1, &n);
	return r != 1 && SSL_get_error(c->ssl, r) != SSL_ERROR_WANT_READ;
}

static void test_idle(void **state)
{
	struct https_client idle, half;
	struct why why = {""};

	(void)state;
	put("n1", PLUMB_CONTAIN_FREE);
	assert_int_equal(start((struct admission_server_options){.idle_ms = 3000}, &why), 0);
	assert_int_equal(open_client(&idle, NULL), 0);
	assert_int_equal(bind_to(&idle, "n1"), 1);
	assert_int_equal(open_client(&half, NULL), 0);
	send_half(&half);
	assert_true(is_ended(&idle));
	assert_true(is_ended(&half));
	https_client_done(&half);
	https_client_done(&idle);
	assert_int_equal(open_client(&idle, NULL), 0);
	assert_int_equal(bind_to(&idle, "n1"), 1);
	https_client_done(&idle);
}

static void test_who_may_ask(void **state)
{
	struct admission_server_options o = {.client_ca_file = ca_file};
	struct api_fixture other;
	struct https_client c;
	struct why why = {""};
	const struct cert_request q = {.kind = CERT_OPERATOR,
				       .name = "api-server",
				       .role = PLUMB_ROLE_VIEWER,
				       .not_before_s = f.utc_ns / 1000000000 - 60,
				       .life_s = 3600};

	(void)state;
	assert_int_equal(start(o, &why), -ENOENT);
	write_file(ca_file, &(struct buf){.data = (uint8_t *)"none", .size = 4}, 1);
	assert_int_equal(start(o, &why), -EINVAL);
	assert_non_null(strstr(why.text, "admission_client_ca"));
	api_fixture_open(&other);
	caller = (struct api_fixture_person){.key = NULL};
	api_fixture_certify(&other, &caller, &q);
	write_file(ca_file, &other.ca_pem, 1);
	put("n1", PLUMB_CONTAIN_FREE);
	assert_int_equal(start(o, &why), 0);
	/* TLS 1.3 says only with the first read that the server did not like it. */
	assert_true(open_client(&c, NULL) < 0 || bind_to(&c, "n1") < 0);
	https_client_done(&c);
	assert_true(open_client(&c, &host) < 0 || bind_to(&c, "n1") < 0);
	https_client_done(&c);
	assert_int_equal(open_client(&c, &caller), 0);
	assert_int_equal(bind_to(&c, "n1"), 1);
	https_client_done(&c);
	done(&caller);
	api_fixture_done(&other);
}

static bool shows(const struct api_fixture_person *p)
{
	struct https_client c;
	struct digest shown;
	struct sign_key *key = NULL;
	X509 *cert;

	assert_int_equal(open_client(&c, NULL), 0);
	cert = SSL_get1_peer_certificate(c.ssl);
	assert_int_equal(sign_key_from_evp(X509_get0_pubkey(cert), &key), 0);
	assert_int_equal(sign_key_id(key, &shown), 0);
	sign_key_free(key);
	X509_free(cert);
	https_client_done(&c);
	return digest_equal(&shown, &p->who.key_id);
}

static void test_renewed_certificate(void **state)
{
	struct admission_server_options o = {.look_ms = 20};
	struct why why = {""};

	(void)state;
	assert_int_equal(unlink(cert_file), 0);
	assert_int_equal(start(o, &why), -ENOENT);
	write_file(cert_file, &host.cert_pem, 1);
	write_file(key_file, &renewed.key_pem, 1);
	assert_int_equal(start(o, &why), -EKEYREJECTED);
	write_file(key_file, &host.key_pem, 1);
	assert_int_equal(start(o, &why), 0);
	assert_true(shows(&host));
	/* Half of the pair: the old one is shown until the other half is there. */
	write_file(cert_file, &renewed.cert_pem, 2);
	usleep(200000);
	assert_true(shows(&host));
	write_file(key_file, &renewed.key_pem, 2);
	for (int i = 0; i < 500 && !shows(&renewed); i++)
		usleep(10000);
	assert_true(shows(&renewed));
}

static void test_refusals_to_start(void **state)
{
	struct admission_server_options o = {.listen = "127.0.0.1"};
	struct admission_server *s = NULL;
	struct why why = {""};
	char taken[32];

	(void)state;
	o.desk = desk;
	o.cert_file = cert_file;
	o.key_file = key_file;
	assert_int_equal(admission_server_open(&o, &s, &why), -EINVAL);
	assert_non_null(strstr(why.text, "admission_listen: "));
	assert_int_equal(start((struct admission_server_options){0}, &why), 0);
	snprintf(taken, sizeof(taken), "127.0.0.1:%u", admission_server_port(server));
	o.listen = taken;
	assert_int_equal(admission_server_open(&o, &s, &why), -EADDRINUSE);
	assert_null(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_answers_by_the_last_commit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_odd_requests, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_values, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_idle, setup, teardown),
		cmocka_unit_test_setup_teardown(test_who_may_ask, setup, teardown),
		cmocka_unit_test_setup_teardown(test_renewed_certificate, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refusals_to_start, setup, teardown),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
