/* SPDX-License-Identifier: Apache-2.0 */
/*
 * isolate_exec.h: what may still run on an isolated node: programs that the baseline lists for the host, and the agent's own; no kernel module, no
 * kernel to boot, no BPF program. In: the baseline that judges. Out: the lists of isolate.bpf.h, by digest at once; where the kernel takes no
 * digests, and of overlays, by versions of files, which are read a piece at a time on the loop. Not read yet is not let run.
 */
#ifndef PLUMB_ISOLATE_EXEC_H
#define PLUMB_ISOLATE_EXEC_H

#include <event2/event.h>
#include "baseline.h"
#include "hash_cache.h"
#include "isolate_state.h"
#include "loader.h"

#define ISOLATE_EXEC_SLICE (8u << 20)	/* bytes of files that are read in one turn, and the rest of the file that passes it */

struct isolate_exec;

struct isolate_exec_options {
	struct loader *loader;		/* borrowed; NULL: there are no kernel programs */
	struct hash_cache *hashes;	/* borrowed */
	const struct baseline *(*baseline)(void *ctx);	/* that judges now; NULL: none */
	void *ctx;
	const char *forbidden;		/* why it is not to be done; NULL: it may */
	/* The door to the kernel, for tests; NULL: loader_isolate(), loader_program_at(). */
	int (*change)(void *ctx, const struct loader_isolate_change *c);
	const struct loader_program *(*program)(void *ctx, uint32_t i);
};

int isolate_exec_open(struct event_base *base, const struct isolate_exec_options *o, struct isolate_exec **ret);
struct isolate_exec *isolate_exec_free(struct isolate_exec *e);

/* -ENOTSUP: not here, or not all of it; -ENOENT: no baseline lists programs, and nothing could run any more. Again: by the baseline of now. */
int isolate_exec_begin(void *e, struct isolate_state *s, struct why *ret_why);
int isolate_exec_end(void *e, const struct isolate_state *s, struct why *ret_why);
void isolate_exec_again(struct isolate_exec *e);	/* another baseline judges; NULL: nothing */

#endif
