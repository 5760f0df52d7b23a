/* SPDX-License-Identifier: Apache-2.0 */
/*
 * measure.h: what every sensor and scan hands downstream. In: a struct line with its measurement part filled (type, src, boot_ns,
 * kernel numbers, scope, key, found, op, other, before, hash_src, name, actor). Out: calls of the sink, on the loop's thread.
 * All strings are borrowed for the length of the call.
 */
#ifndef PLUMB_MEASURE_H
#define PLUMB_MEASURE_H

#include <stdint.h>
#include "line.h"
#include "plumb/event.h"

struct measure_sink {
	void *ctx;
	void (*measurement)(void *ctx, const struct line *l);
	/* Counters of one CPU of the kernel programs, and how many records of it have arrived. Called when they changed. */
	void (*counters)(void *ctx, uint64_t ksess, uint32_t cpu, const struct plumb_counters *c, uint64_t received);
	/* n events of a source are known to be lost; 0: some, and nobody knows how many ("fanotify" queue overflow, "proc_connector" ENOBUFS, "bpf" sequence gap). */
	void (*lost)(void *ctx, const char *src, uint64_t n, const char *what);
};

#endif
