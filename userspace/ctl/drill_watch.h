/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drill_watch.h: waits for what becomes of a drill's deed, with times: its line in the ledger, its case at the verifier, the quote that covers it, the
 * node's state. In: the verifier's answers (hostile), a ledger directory that is written to. Out: milliseconds. Polls.
 */
#ifndef PLUMB_DRILL_WATCH_H
#define PLUMB_DRILL_WATCH_H

#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include "client.h"

#define DRILL_EVERY_MS 50

/* Monotonic. */
uint64_t drill_watch_now_ms(void);

/* The newest segment of a ledger, from where it ended on. */
struct drill_tail {
	const char *dir;
	uint64_t first, at;
};
int drill_watch_tail(const char *dir, struct drill_tail *ret);		/* at its end; -errno */
/* 1: a line with this key came; 0: not yet; -errno. */
int drill_watch_line(struct drill_tail *t, const char *key);

struct drill_view {			/* of the node, in one answer */
	char state[24], cause[128];
	uint64_t n_cases, ids[16];	/* open ones of the key; ids: the first of them */
	bool provisional;		/* one of them is not covered by a quote */
	bool contained;			/* held or quarantined */
	bool asks;			/* an open one of the key is armed to hold or quarantine */
	bool others_ask;		/* and one of another key is, whose grace is over */
	char rule[65];			/* of the first */
};
/* An exit code of print.h. key NULL: no cases are looked for. */
int drill_watch_look(struct client *c, const char *node, const char *key, struct drill_view *ret);

#endif
