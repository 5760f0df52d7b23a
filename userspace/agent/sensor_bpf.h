/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sensor_bpf.h: checks every record of the kernel programs and makes measurements of them.
 * In: records through loader. Out: exec and module lines, per-CPU counters and losses to the sink; the process table is kept.
 * A start-up canary proves that exec events do arrive: attached programs are no proof.
 */
#ifndef PLUMB_SENSOR_BPF_H
#define PLUMB_SENSOR_BPF_H

#include <event2/event.h>
#include <stdbool.h>
#include "clock.h"
#include "event_check.h"
#include "hash_cache.h"
#include "images.h"
#include "loader.h"
#include "measure.h"
#include "overlay_layer.h"
#include "proctab.h"

struct sensor_bpf;

struct sensor_bpf_options {
	struct proctab *proctab;	/* borrowed */
	struct hash_cache *hash_cache;	/* borrowed */
	struct cgroups *cgroups;	/* borrowed, may be NULL */
	struct images *images;		/* borrowed, may be NULL: containers stay what they are */
	struct overlay_layer *layers;	/* borrowed, may be NULL: no line says which layer a file is of */
	const struct clock *clock;	/* borrowed */
	const char *canary;		/* program that is run once; NULL: /bin/true; "": no canary */
	bool exec_args;			/* arguments of programs are taken, too */
	uint32_t counters_ms;		/* how often counters are read; 0: 1000 */
	/* Whoever compares the execs with another source's; may be NULL. lost: some were, or may come late. */
	void (*exec_seen)(void *ctx, uint32_t pid, uint64_t start_ns, uint64_t boot_ns);
	void (*exec_lost)(void *ctx, uint64_t n);
	void *peer_ctx;
	/*
	 * Records of marked inodes (file, mount), of what is done to the agent (guard), and of the agent's own forks, on the loop's thread; NULL: nobody marks any. Borrowed for
	 * the call.
	 */
	void (*marked)(void *ctx, const union event_record *r);
	void *marked_ctx;
	struct {
		const char *const *interpreters;	/* names up to their first digit, whose scripts are told; borrowed */
		uint32_t n_interpreters;
		void (*binfmt)(void *ctx);	/* binfmt_misc is being changed: the claims of it are to be read soon; may be NULL */
		void *ctx;
	} code;
	bool isolate;			/* programs can be held to a list: loader.h's isolate */
	bool enforce;			/* what is done to the agent itself is denied */
};

/*
 * Loads, attaches, scans /proc and waits for the canary (2 s at most): the sink is already called from inside this function.
 * Failing canary: -ENODATA. Otherwise as loader_open().
 */
int sensor_bpf_open(struct event_base *base, const struct sensor_bpf_options *o, const struct measure_sink *sink,
		    struct sensor_bpf **ret, struct why *ret_why);	/* base borrowed; options and sink copied */
struct sensor_bpf *sensor_bpf_free(struct sensor_bpf *s);
struct loader *sensor_bpf_loader(const struct sensor_bpf *s);	/* borrowed: tier, programs, ksess, marks */
/* Takes what waits in the ring, now; not from inside a record's callback. False: more waits. */
bool sensor_bpf_drain(struct sensor_bpf *s);
uint64_t sensor_bpf_received(const struct sensor_bpf *s, uint32_t cpu);	/* records of that CPU, so far */
void sensor_bpf_flush(struct sensor_bpf *s);	/* and reads the counters */

#endif
