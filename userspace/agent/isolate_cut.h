/* SPDX-License-Identifier: Apache-2.0 */
/*
 * isolate_cut.h: cuts this node's network down to the verifier and the peers that the settings name, and watches that it stays so.
 * In: peers, the verifier's URL. Out: our nftables tables, put there and taken away; whether somebody changed it.
 */
#ifndef PLUMB_ISOLATE_CUT_H
#define PLUMB_ISOLATE_CUT_H

#include "isolate_net.h"
#include "isolate_state.h"
#include <stdbool.h>

struct isolate_cut;

struct isolate_cut_options {
	const char *const *peers; /* as isolate_net_peer() takes them; borrowed */
	uint32_t n_peers;
	const char *verifier; /* "https://HOST:PORT", NULL: none; borrowed */
	const char *proc; /* NULL: "/proc" */
	/* s->inet or s->bridge is ours from now on: to be kept before the table is made. NULL: nobody keeps it. */
	void (*marked)(void *ctx);
	void *ctx;
};

int isolate_cut_open(const struct isolate_cut_options *o, struct isolate_cut **ret,
		     struct why *ret_why); /* -EINVAL: a peer is none */
struct isolate_cut *isolate_cut_free(struct isolate_cut *c); /* what is cut stays so */
/*
 * Where the verifier is, added to s: a name is asked for, which may take seconds, and anybody may have answered. What s has from before stays.
 * -ENOENT: nothing is known then.
 */
int isolate_cut_find(struct isolate_cut *c, struct isolate_state *s, struct why *ret_why);
/* As isolate_net_peer() takes it. true: it was not there, and is; false: also when there is no room. */
bool isolate_cut_add(struct isolate_state *s, const char *address);
/* What isolate_cut_on() would make now is ours from now on, into s. 1: that is new. -errno: it would make none. */
int isolate_cut_mark(const struct isolate_cut *c, struct isolate_state *s, struct why *ret_why);
#define ISOLATE_CUT_PART \
	1 /* but for what bridges hand on between their ports: the kernel takes no rules for it, why says how */
/* 0, ISOLATE_CUT_PART. Not without the verifier's addresses, if there is one: nobody could tell the node anything any more. */
int isolate_cut_on(struct isolate_cut *c, struct isolate_state *s, struct why *ret_why);
/* A table that cannot be taken away is told, unless s says that it was never ours, or there is none. */
int isolate_cut_off(struct isolate_cut *c, struct isolate_state *s, struct why *ret_why);
/* 1: as it was left; 0: it was not ("removed", "changed": static), and is again; -errno: it is not, or nobody can tell. */
int isolate_cut_check(struct isolate_cut *c, struct isolate_state *s, const char **ret_found,
		      struct why *ret_why);

#endif
