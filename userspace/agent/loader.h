/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loader.h: loads and attaches the kernel programs; the only room that sees libbpf, but for claims_bpf, which only lists.
 * In: the skeleton built from bpf/. Out: records of the ring buffer by callback on the loop's thread, counters, and
 * for each program whether it is attached or why not. One program that the kernel refuses does not stop the others.
 */
#ifndef PLUMB_LOADER_H
#define PLUMB_LOADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "claims_bpf.h"
#include "loader_isolate.h"
#include "plumb/event.h"
#include "why.h"

struct loader;

#define LOADER_NO_LSM "bpf is not in the kernel's lsm= list"	/* why LSM programs are absent */

struct loader_options {
	const char *only;	/* NULL: all; else only programs whose name begins so (tests) */
	/* One record of the ring; data is borrowed and 8-byte aligned. < 0 stops this round, the record counts as taken. */
	int (*record)(void *ctx, const void *data, size_t size);
	/* Before a round of records, all of which were begun by now; NULL: none. */
	void (*round)(void *ctx);
	void *ctx;
	bool exec_args;		/* exec records bear the arguments */
	const char *const *interpreters;	/* 64 at most, 15 bytes each; borrowed while it is opened */
	uint32_t n_interpreters;
	bool isolate;		/* what may run, and be loaded, can be held to a list: isolate.bpf.h */
	bool enforce;		/* what is done to this process is denied, where LSM programs are: guard.bpf.c */
};

struct loader_program {
	char name[64];		/* "plumb_exec", … */
	bool attached;
	bool lsm;		/* an LSM program: what makes the tier more than "observe" */
	bool stands_in;		/* attached in a lesser form ("plumb_exec__locked"): the kernel refuses the whole one */
	bool no_hook;		/* this kernel has no such hook; what it would tell does not exist there, or comes by another program */
	bool on_demand;		/* loaded, and attached only while it is needed: costs at every read and write (plumb_file_permission) */
	char absent_why[120];	/* "" when attached */
};

/*
 * -ENOTSUP: the kernel has no BTF; -EPERM: no permission to load anything; -ENOENT: no program is left to load. In each case
 * nothing stays loaded.
 */
int loader_open(const struct loader_options *o, struct loader **ret, struct why *ret_why);
struct loader *loader_free(struct loader *l);	/* detaches */

int loader_fd(const struct loader *l);		/* readable when records wait; level-triggered; borrowed */
int loader_consume(struct loader *l);		/* calls record for what waits; number of records, or -errno */
void loader_rests(struct loader *l, bool yes);	/* true: records wake nobody, for the ring is looked at again without that */
uint64_t loader_ring_moved(const struct loader *l);	/* how often somebody moved the reader's position in the ring; it was put back each time */
/* Are the links that we made still there? How many are gone by now; their programs are then not attached, and say so. */
int loader_check(struct loader *l);
uint64_t loader_ksess(const struct loader *l);
/* "full": all, in their whole form; "reduced": some LSM programs; "observe": no LSM program; "none": execs are not seen. Static. */
const char *loader_tier(const struct loader *l);
/* The LSM programs load and attach but never fire (no "bpf" in the kernel's lsm= list): they are detached, and absent for this reason. */
void loader_silence(struct loader *l, const char *why);
uint32_t loader_n_programs(const struct loader *l);
const struct loader_program *loader_program_at(const struct loader *l, uint32_t i);
void loader_own(const struct loader *l, struct claims_bpf_own *ret);	/* what the kernel calls our programs and links */
/* Attaches the program that is loaded for it, or detaches it. -ENOTSUP: there is none. */
int loader_on_demand(struct loader *l, bool on);
/* Marks the inode of fd, which may be O_PATH (PLUMB_MARK_*; 0: no more). 1: a file that somebody may have open for writing untold. -ENOTSUP: no LSM programs here. */
int loader_mark(const struct loader *l, int fd, uint32_t mark);
uint64_t loader_marks_failed(const struct loader *l);	/* marks that the programs had no memory for, so far */
int loader_guard_own(const struct loader *l, uint32_t type, uint64_t id);	/* one more of PLUMB_GUARD_OWN_*; maps, programs and links are known */
int loader_guard_door(const struct loader *l, uint64_t until_ns);	/* boot time until which nothing is denied; 0: shut */
/* -ENOTSUP: it was not asked for at the load. -E2BIG: the list is full. */
int loader_isolate(const struct loader *l, const struct loader_isolate_change *c);
bool loader_is_attached(const struct loader *l, const char *name);
uint32_t loader_n_cpus(const struct loader *l);
/* Fills ret[0 … n_cpus - 1]; n must be loader_n_cpus(). */
int loader_counters(const struct loader *l, struct plumb_counters *ret, uint32_t n);

#endif
