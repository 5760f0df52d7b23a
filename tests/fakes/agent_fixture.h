/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent_fixture.h: the rooms that report needs, real ones, over a TPM in memory, a directory of its own and a fake_verifier.
 * In: what a test does. Out: rooms that are open, on one loop.
 */
#ifndef PLUMB_AGENT_FIXTURE_H
#define PLUMB_AGENT_FIXTURE_H

#include "baseline.h"
#include "fake_tpm.h"
#include "fake_verifier.h"
#include "identity.h"
#include "ledger_writer.h"
#include "tpm_queue.h"
#include "transport.h"

struct agent_fixture {
	char dir[64], ledger[96], state[96];
	struct event_base *base;
	struct fake_tpm *tpm;
	struct identity identity;
	struct tpm_queue *queue;
	struct ledger_writer *writer;
	struct transport *transport;
	struct fake_verifier verifier;
	struct sign_key *client_key;
	struct buf client_pem, client_cert;
	struct digest client_id;
	struct baseline *baseline;	/* unverified, of tests/data */
	unsigned int n_drift, n_again;	/* calls of the writer */
	void (*anchored)(void *ctx);	/* may be NULL */
	void (*drift)(void *ctx);
	void *ctx;
	uint64_t max_unsent;
};

void agent_fixture_init(struct agent_fixture *f);	/* directories, TPM, verifier, keys, transport; set what is to be set then */
void agent_fixture_start(struct agent_fixture *f);	/* identity and ledger */
void agent_fixture_stop(struct agent_fixture *f);	/* the process ends, without a word */
void agent_fixture_done(struct agent_fixture *f);
void agent_fixture_measure(struct agent_fixture *f, enum plumb_type type, const char *key, const char *found);
void agent_fixture_drift(struct agent_fixture *f, const char *path);	/* an exec that the baseline does not list */
/* Runs the loop until it is so, for twenty seconds at most: then the test fails. */
void agent_fixture_until(struct agent_fixture *f, bool (*fn)(void *ctx), void *ctx, const char *what);
uint32_t agent_fixture_count(const struct agent_fixture *f, const char *one, const char *two);	/* lines on the disk that have both */

#endif
