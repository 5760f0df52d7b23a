/* SPDX-License-Identifier: Apache-2.0 */
/*
 * isolate_state.h: that this node is isolated, on the disk: in force until it is released, whatever starts anew meanwhile (docs/ledger.md).
 * In: the state, or a file. Out: JSON and back; the file in the state directory, replaced and removed durably.
 */
#ifndef PLUMB_ISOLATE_STATE_H
#define PLUMB_ISOLATE_STATE_H

#include "buf.h"
#include "fsio.h"
#include "jsonl.h"
#include "why.h"
#include <stdint.h>

#define ISOLATE_STATE_FILE "isolation.json"
#define ISOLATE_STATE_MAX 65536u
#define ISOLATE_STATE_MAX_VERIFIER 16u
#define ISOLATE_STATE_MAX_FROZEN 64u
#define ISOLATE_STATE_MAX_CGROUP 256u /* bytes of a path, NUL included */

/* What an order, or the agent by itself, may do: bits. */
enum isolate_way { ISOLATE_NETWORK = 1, ISOLATE_EXEC = 2, ISOLATE_FREEZE = 4 };
#define ISOLATE_N_WAYS 3u
#define ISOLATE_ALL_WAYS 7u

/* Whether a table with our name is ours. */
enum isolate_table {
	ISOLATE_TABLE_NONE, /* another's, if there is one */
	ISOLATE_TABLE_OURS, /* made, or about to be */
	ISOLATE_TABLE_UNKNOWN, /* the file does not say */
};

struct isolate_state {
	uint64_t
		number; /* drawn at random: an operator's release names it, and is good for nothing else */
	uint64_t since_ns; /* UTC */
	uint32_t ways; /* that it is isolated by, or is to be */
	char by[16]; /* "verifier", "standing", "unreadable": the file was */
	uint64_t order; /* the verifier's; 0: none */
	bool releasing; /* it was released, and `ways` is what could not be undone: that is tried again */
	char case_id[64], reason[256];
	char verifier
		[ISOLATE_STATE_MAX_VERIFIER]
		[64]; /* its addresses, as isolate_net_peer() takes them: names may not be found any more */
	uint32_t n_verifier;
	enum isolate_table inet, bridge; /* of these families */
	char frozen[ISOLATE_STATE_MAX_FROZEN]
		   [ISOLATE_STATE_MAX_CGROUP]; /* cgroups that were not before */
	uint32_t n_frozen;
};

const char *isolate_state_way(uint32_t bit); /* "network", "exec", "freeze"; NULL: none. Static */
uint32_t isolate_state_way_of(const char *name); /* 0: none */
void isolate_state_ways(struct jsonl *j, const char *key,
			uint32_t ways); /* an array of their names */

int isolate_state_write(const struct isolate_state *s,
			struct buf *ret); /* one JSON object, LF at the end */
int isolate_state_parse(const void *data, size_t size, struct isolate_state *ret,
			struct why *ret_why);
int isolate_state_number(uint64_t *ret); /* a new one */

/* -ENOENT: it is not isolated. -EBADMSG: something is there, and cannot be read, or is not ours. */
int isolate_state_load(const struct fsio *io, const char *dir, struct isolate_state *ret,
		       struct why *ret_why);
int isolate_state_keep(const struct fsio *io, const char *dir, const struct isolate_state *s);
int isolate_state_remove(const struct fsio *io,
			 const char *dir); /* one that is not there is removed */

#endif
