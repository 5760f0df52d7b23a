/* SPDX-License-Identifier: Apache-2.0 */
/*
 * enrol_client.h: makes this node known to its verifier: EK, AK, event key, a client key; activates the credential; keeps what it got.
 * In: identity's keys, a join token. Out: record.json in the ledger's directory, client key, certificate and CA in the state directory.
 * Blocks with a loop of its own: nothing is measured before a node knows which ledger it writes.
 */
#ifndef PLUMB_ENROL_CLIENT_H
#define PLUMB_ENROL_CLIENT_H

#include "clock.h"
#include "fsio.h"
#include "record.h"
#include "tpm_door.h"
#include "why.h"
#include <stdbool.h>

#define ENROL_CLIENT_KEY "client.key" /* PEM files in the state directory, 0600 */
#define ENROL_CLIENT_CERT "client.crt"
#define ENROL_CLIENT_CA "ca.crt"

struct enrol_client_options { /* all borrowed */
	const struct fsio *io;
	const struct clock *clock;
	const char *state_dir;
	const char *url;
	const char *
		token_file; /* its text's first line is the join token; NULL: an approver must act, and ca_file is wanted */
	const char *ca_file; /* the verifier's CA; NULL: pinned by the token, or, when its file is gone, ENROL_CLIENT_CA of an enrolment before */
	const char *label; /* NULL: host name */
	const char *kube_token_file; /* token of the pod that this agent is, read each time: Kubernetes makes it anew; NULL: it is in none */
	const struct record *own; /* node, keys and certificate of the event key */
	struct tpm *tpm;
	bool (*stopped)(void *ctx); /* asked while it waits; true: -EINTR */
	void *ctx;
};

/*
 * Tries again with back-off while the verifier is away or an approver must act, and logs which. 0: *ret_record is the verifier's record
 * (checked: our keys, our id). -EKEYREJECTED: refused for good (why says by what, and the cure); -EINTR.
 */
int enrol_client_run(const struct enrol_client_options *o, struct record *ret_record,
		     struct why *ret_why);

#endif
