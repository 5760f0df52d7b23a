/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_verifier.h: a verifier over TLS on the test's own loop that takes evidence as the real one does, as far as a node can tell, and is down,
 * slow, wrong or full when a test says so. In: what the node sends. Out: counts, and the lines that it has.
 */
#ifndef PLUMB_FAKE_VERIFIER_H
#define PLUMB_FAKE_VERIFIER_H

#include <event2/event.h>
#include <stdbool.h>
#include "digest.h"
#include "evidence.h"
#include "fake_http.h"
#include "record.h"
#include "sign.h"

/* How it answers the next `faults` requests to a path that begins with `fault_path`. */
enum fake_verifier_fault {
	FAKE_VERIFIER_GOOD = 0,
	FAKE_VERIFIER_STATUS,		/* of `status`, with error and cure */
	FAKE_VERIFIER_EMPTY,		/* of `status`, without a body */
	FAKE_VERIFIER_GARBAGE,		/* 200, and no answer */
	FAKE_VERIFIER_SILENT,		/* never answered */
	FAKE_VERIFIER_CLOSE,		/* the connection ends in the request */
	FAKE_VERIFIER_TAKEN,		/* taken, and the connection ends before the answer */
};

struct fake_verifier {
	struct event_base *base;
	struct fake_http *http;
	struct sign_key *ca_key, *server_key, *order_key;
	struct buf ca, chain, server_pem;
	char url[64];
	enum fake_verifier_fault fault;
	int status;
	unsigned int faults;
	const char *fault_path;
	/* evidence */
	const struct record *record;		/* borrowed; the quote is checked by it */
	struct digest client_key, boot_log;
	uint8_t nonce[WIRE_NONCE_SIZE];
	uint64_t life_ms;			/* of nonces; 10000 */
	bool has_nonce;
	struct buf lines;			/* as they came, each once, in order */
	uint64_t size, confirmed;
	bool has_base, says_base_size;
	struct digest base_pcr;
	uint32_t base_reset, base_restart;
	size_t max_body;			/* beyond it 413 */
	enum plumb_result give;			/* instead of accepted; 0: none */
	struct buf certificate;			/* in the next accepted answers */
	struct buf order;			/* envelope, while the node says that it has not seen number */
	uint64_t order_number;
	struct buf document;
	unsigned int n_nonce, n_evidence, n_drift, n_accepted, n_signed, n_overlap, n_baseline;
	size_t largest;				/* body */
	bool leaving;				/* in the last accepted evidence */
	uint64_t last_order, baseline_version;	/* in it */
	struct digest bound_boot_log;		/* in it */
	bool asks_boot_log;			/* and holds the log that came last */
	struct digest held_boot_log;
	unsigned int n_boot_logs;
	/* other paths, before anything else; true: answered */
	bool (*other)(void *ctx, const struct fake_http_request *q, struct fake_http_answer *a);
	void *ctx;
};

void fake_verifier_open(struct fake_verifier *v, struct event_base *base);
void fake_verifier_done(struct fake_verifier *v);
void fake_verifier_stop(struct fake_verifier *v);	/* nobody listens */
void fake_verifier_start(struct fake_verifier *v);	/* at the same port as before, when there was one */
void fake_verifier_fail(struct fake_verifier *v, const char *path, enum fake_verifier_fault fault, int status, unsigned int n);
/* A certificate by its CA for this public key. */
void fake_verifier_issue(struct fake_verifier *v, const char *node, const struct sign_key *key, uint64_t life_s, struct buf *ret);
void fake_verifier_expect_whole(const struct fake_verifier *v, const char *ledger_dir);	/* its lines are the ledger's first ones */

#endif
