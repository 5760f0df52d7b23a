/* SPDX-License-Identifier: Apache-2.0 */
/*
 * isolate_all.h: gives isolate.h its ways beside the network, and the snapshot: what of the agent each of them needs. In: settings, the agent's
 * rooms. Out: see there.
 */
#ifndef PLUMB_ISOLATE_ALL_H
#define PLUMB_ISOLATE_ALL_H

#include "cgroups.h"
#include "hash_cache.h"
#include "isolate.h"
#include "redact.h"
#include "sensor_bpf.h"

struct isolate_all;

struct isolate_all_settings {		/* all borrowed */
	struct isolate *isolate;	/* as isolate_open() made it; NULL: none */
	const struct sign_key *const *operators;	/* who may release the node offline */
	uint32_t n_operators;
	const char *release_dir;	/* where such a release comes */
	const char *const *freeze;	/* cgroups; none: the pods' */
	uint32_t n_freeze;
	const char *exec_forbidden;	/* why programs are not held to the baseline; NULL: they may be */
	uint32_t standing;		/* enum isolate_way: by itself, on a critical drift without a verifier; 0: never */
	uint64_t standing_after_ms;
	const char *const *standing_keys;	/* how the keys of such drift begin */
	uint32_t n_standing_keys;
	const char *state_dir;
	const uint8_t *boot_id;		/* 16 bytes */
	const struct fsio *io;
	struct redact *redact;		/* of arguments in a snapshot; NULL: it has none */
};

struct isolate_all_parts {		/* all borrowed */
	const struct isolate_all_settings *settings;
	struct ledger_writer *writer;
	struct sensor_bpf *bpf;		/* NULL: no kernel programs */
	struct hash_cache *hashes;
	const struct cgroups *cgroups;
	struct proctab *proctab;
	const struct clock *clock;
	const char *node;
	void (*evidence)(void *ctx);
	void *ctx;
};

int isolate_all_go(struct event_base *base, const struct isolate_all_parts *p, struct isolate_all **ret, struct why *ret_why);
struct isolate_all *isolate_all_free(struct isolate_all *a);	/* before the rooms that it was given; what is isolated stays so, as far as it can */
void isolate_all_drift(struct isolate_all *a, const struct line *l);	/* as ledger_writer's drift; NULL: nothing */
void isolate_all_heard(struct isolate_all *a, uint64_t size);	/* the verifier accepted evidence of so many lines; NULL: nothing */
void isolate_all_judged(struct isolate_all *a);	/* another baseline judges; NULL: nothing */

#endif
