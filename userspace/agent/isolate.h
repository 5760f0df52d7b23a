/* SPDX-License-Identifier: Apache-2.0 */
/*
 * isolate.h: this node is isolated, or is no more: on an order of the verifier, of an operator who signed it offline, or by itself. In: what the
 * settings arm, causes. Out: network, execs and cgroups as the ways under it do it; the state on the disk, first; `isolation` lines that say what
 * was done and what could not be. What an order did outlives the agent's restart and the node's, until a release.
 */
#ifndef PLUMB_ISOLATE_H
#define PLUMB_ISOLATE_H

#include "clock.h"
#include "fsio.h"
#include "isolate_cut.h"
#include "isolate_state.h"
#include "ledger_writer.h"
#include "sign.h"
#include <event2/event.h>
#include <stdbool.h>

#define ISOLATE_CHECK_MS 1000
#define ISOLATE_TOLD_AGAIN_MS 60000 /* what is put back more often than that is counted meanwhile */
#define ISOLATE_RESULT 320 /* bytes of a result, NUL included */

struct isolate;

/* One of the ways beside the network. */
struct isolate_means {
	int (*begin)(void *ctx, struct isolate_state *s,
		     struct why *ret_why); /* may note in s what is to be undone */
	int (*end)(void *ctx, const struct isolate_state *s, struct why *ret_why);
	void *ctx;
};

struct isolate_options { /* all borrowed */
	const struct fsio *io;
	const struct clock *clock;
	const char *state_dir;
	uint32_t
		armed; /* enum isolate_way that an order may use; 0: it is noted, and nothing is done */
	struct isolate_cut_options cut;
};

/* Early, before anything else of the agent: an isolation that is in force is put there again, as far as the network goes. -EINVAL: a peer is none. */
int isolate_open(const struct isolate_options *o, struct isolate **ret, struct why *ret_why);
void isolate_stop(
	struct isolate *i); /* what isolate_go() began, before its base goes; NULL: nothing */
struct isolate *isolate_free(struct isolate *i); /* what is isolated stays so */

struct isolate_parts {
	struct ledger_writer *writer; /* borrowed, as all here */
	const char *node;
	const struct sign_key *const *keys; /* of operators who may release it */
	uint32_t n_keys;
	const char *door; /* directory of release_door.h; NULL: none */
	struct isolate_means exec, freeze; /* without begin: not there */
	int (*snapshot)(void *ctx, uint64_t number); /* for responders: NULL: none */
	void (*evidence)(void *ctx); /* is wanted now; NULL: nobody wants it */
	void *evidence_ctx;
	void *ctx; /* of snapshot */
};

/* The rest of what is in force, a line that says so, and the watch over it. */
int isolate_go(struct isolate *i, struct event_base *base, const struct isolate_parts *parts,
	       struct why *ret_why);

struct isolate_cause {
	const char *by; /* "verifier", "operator", "standing" */
	uint64_t order; /* 0: none */
	const char *case_id, *reason;
	const char *key; /* operator: id of his key; else NULL */
};

bool isolate_is(const struct isolate *i);
/* "done: network", "in part: …; cannot: …", "refused: cannot …", "noted: …". The line is written by then. */
void isolate_begin(struct isolate *i, const struct isolate_cause *cause, uint32_t ways,
		   char ret_result[ISOLATE_RESULT]);
void isolate_end(struct isolate *i, const struct isolate_cause *cause,
		 char ret_result[ISOLATE_RESULT]);
void isolate_judged(struct isolate *i); /* another baseline: what wanted one is tried again */
/* The verifier, by its TLS key, accepted evidence at this "ADDRESS:PORT". */
void isolate_heard(struct isolate *i, const char *address);
/* Where it is to be connected to; NULL: by its name. failed: it did not answer where that was said last. */
const char *isolate_where(struct isolate *i, bool failed);
uint32_t isolate_may(
	const struct isolate *i); /* the ways that are armed, or in force; NULL: none */

#endif
