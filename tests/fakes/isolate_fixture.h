/* SPDX-License-Identifier: Apache-2.0 */
/*
 * isolate_fixture.h: isolate over agent_fixture's rooms, with what it remembers in a directory of its own. In: what is armed, a cause. Out:
 * results, lines on the disk.
 */
#ifndef PLUMB_ISOLATE_FIXTURE_H
#define PLUMB_ISOLATE_FIXTURE_H

#include "agent_fixture.h"
#include "isolate.h"

struct isolate_fixture {
	struct agent_fixture f;
	struct isolate *i;
	char state[96];
	const struct clock *clock;	/* NULL: the system's */
	const char *verifier;		/* NULL: "https://192.0.2.9:8443" */
	char result[ISOLATE_RESULT];	/* of the last word */
};

/* This process is in a network namespace of its own from here on; false: none with nftables can be had. */
bool isolate_fixture_own_net(void);
void isolate_fixture_open(struct isolate_fixture *w);	/* all zeros before; isolate_fixture_start() is the test's */
void isolate_fixture_done(struct isolate_fixture *w);
/* The writer and the node are filled in. */
void isolate_fixture_start(struct isolate_fixture *w, const struct fsio *io, uint32_t armed, struct isolate_parts parts);
void isolate_fixture_stop(struct isolate_fixture *w);
/* Orders 7 and 8 of a verifier; what came of it. */
const char *isolate_fixture_begin(struct isolate_fixture *w, uint32_t ways);
const char *isolate_fixture_finish(struct isolate_fixture *w);
uint32_t isolate_fixture_lines(struct isolate_fixture *w, const char *one, const char *two);	/* that have both */

#endif
