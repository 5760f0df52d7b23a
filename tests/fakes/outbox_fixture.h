/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outbox_fixture.h: an outbox of two lanes on a store of its own, and targets that write down what they were sent and answer when the test
 * says so. In: a clock that the test sets. Out: what was sent. Fails the test when it cannot be made.
 */
#ifndef PLUMB_OUTBOX_FIXTURE_H
#define PLUMB_OUTBOX_FIXTURE_H

#include "outbox.h"
#include "verifier_fixture.h"

#define OUTBOX_FIXTURE_SENT 512

struct outbox_target {
	struct outbox_lane *lane;
	char sent[OUTBOX_FIXTURE_SENT][16];
	uint32_t n;
	bool open; /* a send waits for its end */
	int refuses; /* send() itself fails so */
	uint32_t idles; /* how often there was nothing */
};

struct outbox_fixture {
	struct verifier_fixture f;
	struct outbox *o;
	struct outbox_target a, b; /* webhook:a, which may be idle; webhook:b */
	struct why why;
};

void outbox_fixture_open(struct outbox_fixture *w); /* all zeros before */
void outbox_fixture_restart(struct outbox_fixture *w); /* as a verifier's: the store stays */
int outbox_fixture_send(void *ctx, const struct store_message *m, struct why *ret_why); /* of a lane; ctx: the target */
void outbox_fixture_done(struct outbox_fixture *w);

#endif
