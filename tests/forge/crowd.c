/* SPDX-License-Identifier: Apache-2.0 */
/* Connections by the thousand that say nothing, not enough, or too slowly: the honest are served beside them, and memory has a bound. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "forge.h"

#define PER_ADDRESS 60u /* below what one address may have */

struct crowd {
	struct forge *f;
	struct forge_conn *c;
	uint32_t n, max;
};

/* 127.1.0.1 and so on: one address alone would be cut off long before. */
static struct forge_wire wire_of(const struct forge *f, uint32_t i)
{
	struct forge_wire w = f->wire;
	uint32_t a = i / PER_ADDRESS;

	w.from = htonl(0x7f010001u + (a / 250 << 8) + a % 250);
	return w;
}

static void gather(struct crowd *w, struct forge *f, uint32_t max)
{
	*w = (struct crowd){.f = f, .max = max, .c = calloc(max, sizeof(*w->c))};
	if (!w->c)
		abort();
}

static void disperse(struct crowd *w)
{
	for (uint32_t i = 0; i < w->n; i++)
		forge_wire_close(&w->c[i]);
	free(w->c);
}

/* Still open, as far as the other end has told. */
static uint32_t alive(struct crowd *w)
{
	uint32_t n = 0;
	char bytes[4096];
	ssize_t r;

	for (uint32_t i = 0; i < w->n; i++) {
		do {
			r = recv(w->c[i].fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		} while (r > 0);
		n += r > 0 || (r < 0 && (errno == EAGAIN || errno == EWOULDBLOCK));
	}
	return n;
}

/* How many descriptors a crowd may have here: both ends were raised as far as they may be. */
static uint32_t allowed(uint32_t wanted)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return 256;
	l.rlim_cur = l.rlim_max;
	setrlimit(RLIMIT_NOFILE, &l);
	return l.rlim_cur > wanted + 64 ? wanted
	       : l.rlim_cur > 128	? (uint32_t)l.rlim_cur - 64
					: 64;
}

/* Beside that crowd evidence is accepted, soon, and memory is below a bound: KiB a connection, and what it has anyway. */
static void judge(struct crowd *w, const char *what, long before, long most_kib)
{
	long now = forge_memory(w->f, "VmRSS"), hwm = forge_memory(w->f, "VmHWM");
	struct timespec a, b;
	char said[256], wrong[512] = "";
	long ms;

	clock_gettime(CLOCK_MONOTONIC, &a);
	if (!forge_is_served(w->f, wrong, sizeof(wrong)))
		;
	else if (now <= 0)
		snprintf(wrong, sizeof(wrong), "the verifier is not there any more");
	else if (now - before > (w->f->sanitized ? most_kib * 6 + (1 << 20) : most_kib))
		snprintf(wrong, sizeof(wrong), "more than %ld KiB more", most_kib);
	clock_gettime(CLOCK_MONOTONIC, &b);
	ms = (b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000;
	if (!wrong[0] && ms > 5000)
		snprintf(wrong, sizeof(wrong), "the honest waited for %ld ms", ms);
	snprintf(said, sizeof(said),
		 "%u came, %u are left, evidence in %ld ms, %ld KiB, then %ld, at most %ld", w->n,
		 alive(w), ms, before, now, hwm);
	forge_result(w->f, what, "served", said, wrong[0] ? wrong : NULL);
}

static void silent(struct forge *f, uint32_t n)
{
	long before = forge_memory(f, "VmRSS");
	struct crowd w;

	gather(&w, f, n);
	while (w.n < n) {
		struct forge_wire from = wire_of(f, w.n);

		if (forge_wire_tcp(&w.c[w.n], &from) < 0)
			break;
		w.n++;
	}
	sleep(1);
	judge(&w, "crowd: connections that say nothing", before, 40l * n + 16384);
	disperse(&w);
}

static void greeted(struct forge *f, uint32_t n)
{
	long before = forge_memory(f, "VmRSS");
	struct crowd w;

	gather(&w, f, n);
	while (w.n < n) {
		struct forge_wire from = wire_of(f, w.n);

		forge_wire_open(&w.c[w.n], &from, NULL);
		w.n++;
	}
	judge(&w, "crowd: TLS without a request", before, 80l * n + 16384);
	disperse(&w);
}

/* Half of an enrolment each, and then nothing. */
static void half(struct forge *f, uint32_t n, size_t size)
{
	static const char head[] =
		"POST /v1/enrol HTTP/1.1\r\nHost: x\r\nContent-Length: 262144\r\n\r\n";
	long before = forge_memory(f, "VmRSS");
	char *body = calloc(1, size);
	struct crowd w;

	if (!body)
		abort();
	gather(&w, f, n);
	while (w.n < n) {
		struct forge_wire from = wire_of(f, w.n);
		struct forge_conn *c = &w.c[w.n++];
		const struct timeval soon = {0, 200000};

		if (forge_wire_open(c, &from, NULL) < 0)
			continue;
		setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof(soon));
		if (forge_wire_send(c, head, sizeof(head) - 1))
			forge_wire_send(c, body, size);
	}
	judge(&w, "crowd: half-sent enrolments", before, 380l << 10);
	disperse(&w);
	free(body);
}

/* A byte now and then. */
static void slow(struct forge *f, uint32_t n)
{
	static const char head[] =
		"POST /v1/enrol HTTP/1.1\r\nHost: x\r\nContent-Length: 4000\r\n\r\n";
	long before = forge_memory(f, "VmRSS");
	struct crowd w;

	gather(&w, f, n);
	while (w.n < n) {
		struct forge_wire from = wire_of(f, w.n);

		forge_wire_open(&w.c[w.n++], &from, NULL);
	}
	for (size_t i = 0; i < (f->small ? 5 : 30); i++) {
		for (uint32_t k = 0; k < w.n; k++)
			forge_wire_send(&w.c[k], head + i, 1);
		usleep(50000);
	}
	judge(&w, "crowd: a byte now and then", before, 80l * n + 16384);
	disperse(&w);
}

/* A certificate that opens connection after connection takes its own place. */
static void own(struct forge *f, uint32_t n)
{
	long before = forge_memory(f, "VmRSS");
	struct crowd w;
	char wrong[64] = "";

	gather(&w, f, n);
	while (w.n < n)
		forge_wire_open(&w.c[w.n++], &f->wire, &f->two.m.person);
	usleep(300000);
	snprintf(wrong, sizeof(wrong), "%u of its connections are open", alive(&w));
	forge_result(f, "crowd: one node's connections", "bounded", wrong,
		     alive(&w) <= 8 ? NULL : "more than 8");
	judge(&w, "crowd: one node's connections", before, 32768);
	disperse(&w);
}

/* Bodies of that size announced by one certificate on each connection that it may have, all but the last byte sent. */
static void large(struct forge *f, const char *what, const struct api_fixture_person *p,
		  const char *path, uint32_t n, size_t size, long most_kib)
{
	long before = forge_memory(f, "VmRSS");
	char *piece = calloc(1, 1 << 20), head[256];
	struct crowd w;

	if (!piece)
		abort();
	snprintf(head, sizeof(head), "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n",
		 path, size);
	gather(&w, f, n);
	while (w.n < n) {
		struct forge_conn *c = &w.c[w.n++];
		const struct timeval soon = {1, 0};
		size_t left = size - 1;
		bool ok;

		if (forge_wire_open(c, &f->wire, p) < 0)
			continue;
		setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof(soon));
		ok = forge_wire_send(c, head, strlen(head));
		while (ok && left > 0) {
			size_t some = left > 1 << 20 ? 1 << 20 : left;

			ok = forge_wire_send(c, piece, some);
			left -= some;
		}
	}
	judge(&w, what, before, most_kib);
	disperse(&w);
	free(piece);
}

void crowd_run(struct forge *f)
{
	uint32_t n = allowed(f->connections);
	char why[128];

	if (n < f->connections) {
		snprintf(why, sizeof(why), "the limit of open files lets in %u of %u", n,
			 f->connections);
		forge_skip(f, "crowd: all connections at once", why);
	}
	silent(f, n);
	greeted(f, f->small ? 100 : 2000);
	slow(f, f->small ? 50 : 200);
	half(f, f->small ? 50 : 2000, 250000);
	own(f, f->small ? 30 : 500);
	large(f, "crowd: one node's bodies of 16 MiB", &f->two.m.person, WIRE_ROUTE_EVIDENCE,
	      f->small ? 2 : 8, WIRE_MAX_EVIDENCE_BODY, 200l << 10);
	if (!f->small)
		large(f, "crowd: an operator's bodies of 128 MiB", &f->victor, WIRE_ROUTE_BASELINES,
		      16, WIRE_MAX_BASELINE_BODY, 400l << 10);
}
