/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admissions.c: how many reviews a second the webhook answers over TLS to CLIENTS connections that are kept, and how long one client waits
 * for an answer, while the verifier's main thread commits rows of nodes to SQLite all the time. In: a count. Out: "name value" a line.
 */
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "admission_server.h"
#include "api_fixture.h"
#include "fsio.h"
#include "https_client.h"

#define CLIENTS 4
#define NODES 1000
#define PADDING 3000 /* of a pod as they are: some kilobytes */

static struct api_fixture f;
static uint16_t port;
static _Atomic int running;

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "admissions: %s failed\n", what);
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

struct work {
	unsigned int n;
	double *took;
};

static size_t write_review(char *text, size_t room, unsigned int i)
{
	static char padding[PADDING + 1];

	memset(padding, 'x', PADDING);
	return (size_t)snprintf(
		text, room,
		"{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\",\"request\":{"
		"\"uid\":\"%08x-6393-11e8-b7cc-42010a800002\",\"resource\":{\"group\":\"\","
		"\"version\":\"v1\",\"resource\":\"pods\"},\"operation\":\"CREATE\",\"namespace\":"
		"\"default\",\"userInfo\":{\"username\":\"eve\"},\"object\":{\"metadata\":{"
		"\"annotations\":{\"a\":\"%s\"}},\"spec\":{\"nodeName\":\"node-%u\"}}}}",
		i, padding, i % NODES);
}

/* Every second node is held. */
static void *ask(void *ctx)
{
	struct work *w = ctx;
	struct https_client c;
	struct buf answer = {0};
	char text[PADDING + 1000];

	must(https_client_open(&c, port, (char *)f.ca_pem.data, NULL, NULL) == 0, "handshake");
	for (unsigned int i = 0; i < w->n; i++) {
		size_t size = write_review(text, sizeof(text), i);
		double t = now();

		must(https_client_ask(&c, "POST", "/admit", text, size, &answer) == 200, "answer");
		w->took[i] = now() - t;
		must((strstr((char *)answer.data, "\"allowed\":true") != NULL) == (i % 2 == 0),
		     "right answer");
	}
	https_client_done(&c);
	buf_done(&answer);
	atomic_fetch_sub(&running, 1);
	return NULL;
}

static void put(unsigned int i)
{
	struct store_node n = {.version = 0};
	char id[16];

	snprintf(id, sizeof(id), "%08x", i);
	if (f.store.ops->node_get(f.store.ctx, id, &n) < 0)
		snprintf(n.id, sizeof(n.id), "%s", id);
	snprintf(n.kube_name, sizeof(n.kube_name), "node-%u", i);
	n.life = PLUMB_LIFE_ACTIVE;
	n.appraisal = PLUMB_APPRAISAL_TRUSTED;
	n.freshness = PLUMB_FRESHNESS_FRESH;
	n.containment = i % 2 ? PLUMB_CONTAIN_HELD : PLUMB_CONTAIN_FREE;
	must(f.store.ops->node_put(f.store.ctx, &n) >= 0, "row");
	store_node_done(&n);
}

/* Seconds; the main thread commits meanwhile. */
static double run(unsigned int clients, unsigned int n, double *took)
{
	pthread_t threads[CLIENTS];
	struct work w[CLIENTS];
	double t = now();

	running = (int)clients;
	for (unsigned int i = 0; i < clients; i++) {
		w[i] = (struct work){n, took + i * n};
		must(pthread_create(&threads[i], NULL, ask, &w[i]) == 0, "thread");
	}
	for (unsigned int i = 0; atomic_load(&running) > 0; i++) {
		const struct timespec pause = {0, 5000000};

		must(f.store.ops->begin(f.store.ctx) >= 0, "begin");
		put(i % NODES);
		must(f.store.ops->commit(f.store.ctx) >= 0, "commit");
		nanosleep(&pause, NULL);
	}
	for (unsigned int i = 0; i < clients; i++)
		pthread_join(threads[i], NULL);
	return now() - t;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void measure(unsigned int n)
{
	double *took = calloc((size_t)n * CLIENTS, sizeof(*took)), seconds;

	must(took != NULL, "memory");
	run(1, n / 10 + 1, took); /* once, unmeasured */
	seconds = run(CLIENTS, n, took);
	printf("admissions_per_s %.3f\n", n * CLIENTS / seconds);
	run(1, n, took);
	qsort(took, n, sizeof(*took), compare);
	printf("admission_ms_p50 %.4f\n", took[n / 2] * 1e3);
	printf("admission_ms_p99 %.4f\n", took[n * 99 / 100] * 1e3);
	free(took);
}

int main(int argc, char **argv)
{
	static const char *const hosts[] = {"127.0.0.1"};
	const struct admission_rules rules = {
		.allow_degraded = true, .allow_silent = true, .dry_run = false};
	struct cert_request q = {.kind = CERT_SERVER,
				 .name = "plumb-verifier",
				 .hosts = hosts,
				 .n_hosts = 1,
				 .life_s = 86400};
	struct admission_server_options o = {.listen = "127.0.0.1:0"};
	struct api_fixture_person host = {.key = NULL};
	struct admission_server *server = NULL;
	struct bound_nodes *nodes = NULL;
	struct why why = {""};
	char cert_file[PATH_MAX], key_file[PATH_MAX];
	unsigned int n = argc == 2 ? (unsigned int)strtoul(argv[1], NULL, 10) : 0;

	must(n >= 100, "argument: a count of 100 or more");
	/* A line for each refusal is part of the work, and not of the answer. */
	must(freopen("/dev/null", "w", stderr) != NULL, "stderr");
	api_fixture_open(&f);
	q.not_before_s = f.utc_ns / 1000000000 - 60;
	api_fixture_certify(&f, &host, &q);
	must(f.store.ops->begin(f.store.ctx) >= 0, "begin");
	for (unsigned int i = 0; i < NODES; i++)
		put(i);
	must(f.store.ops->commit(f.store.ctx) >= 0, "commit");
	must(bound_nodes_open(&f.store, &nodes) >= 0, "nodes");
	must(admission_desk_open(nodes, &rules, &o.desk) >= 0, "desk");
	snprintf(cert_file, sizeof(cert_file), "%s/w.crt", f.dir);
	snprintf(key_file, sizeof(key_file), "%s/w.key", f.dir);
	must(fsio_replace_file(fsio_system(), cert_file, host.cert_pem.data, host.cert_pem.size,
			       0600) >= 0,
	     cert_file);
	must(fsio_replace_file(fsio_system(), key_file, host.key_pem.data, host.key_pem.size,
			       0600) >= 0,
	     key_file);
	o.cert_file = cert_file;
	o.key_file = key_file;
	must(admission_server_open(&o, &server, &why) >= 0, why.text);
	port = admission_server_port(server);
	measure(n);
	admission_server_free(server);
	admission_desk_free(o.desk);
	bound_nodes_free(nodes);
	sign_key_free(host.key);
	buf_done(&host.cert_pem);
	buf_done(&host.key_pem);
	unlink(cert_file);
	unlink(key_file);
	api_fixture_done(&f);
	return 0;
}
