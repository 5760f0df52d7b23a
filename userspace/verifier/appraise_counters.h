/* SPDX-License-Identifier: Apache-2.0 */
/*
 * appraise_counters.h: do the numbers of one node's kernel events add up: sessions, numbers in lines, counters lines?
 * In: parsed lines in order, the state they left. Out: a sentence for each thing that does not add up, and how many were dropped. Pure.
 */
#ifndef PLUMB_APPRAISE_COUNTERS_H
#define PLUMB_APPRAISE_COUNTERS_H

#include <stdbool.h>
#include <stdint.h>
#include "buf.h"
#include "line.h"
#include "why.h"

#define APPRAISE_COUNTERS_MAX_CPUS 4096u
#define APPRAISE_COUNTERS_LAG_NS (30ull * 1000000000)

struct appraise_counters_cpu {
	uint64_t kseq;			/* highest in a line */
	uint64_t attempts, dropped, received;	/* as the last counters line had them */
	uint64_t settled;		/* attempts that were all received or dropped: no later line may bear such a number */
	uint64_t due, due_since_ns;	/* attempts that still had to arrive, and since when (boot time); 0: none */
};

struct appraise_counters {
	uint64_t ksess;			/* the load of the kernel programs; 0: none seen */
	bool started;			/* a start since ksess was first seen: another load may follow */
	uint32_t n_cpus;
	struct appraise_counters_cpu *cpus;	/* owned */
};
void appraise_counters_done(struct appraise_counters *s);
int appraise_counters_write(const struct appraise_counters *s, struct buf *ret);
int appraise_counters_read(struct buf_reader *b, struct appraise_counters *ret);

/* ret_found: "" when all adds up. Both return 0, or < 0 when it could not be checked; -EBADMSG: a counters line without counters. */
int appraise_counters_line(struct appraise_counters *s, const struct line *l, struct why *ret_found);
int appraise_counters_counters(struct appraise_counters *s, const struct line *l, const json_t *o, uint64_t *ret_dropped,
			       struct why *ret_found, struct why *ret_why);

#endif
