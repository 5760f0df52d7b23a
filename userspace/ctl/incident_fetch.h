/* SPDX-License-Identifier: Apache-2.0 */
/*
 * incident_fetch.h: what a verifier has on an incident: its signed statement, the node's ledger, lines of its own log with their proofs.
 * In: its answers (hostile). Out: files; an exit code of print.h, what is wrong was printed.
 */
#ifndef PLUMB_INCIDENT_FETCH_H
#define PLUMB_INCIDENT_FETCH_H

#include <stdint.h>
#include "client.h"

struct incident_fetch_in {
	const char *node, *incarnation;	/* incarnation NULL: the present one */
	uint64_t from_ns, to_ns;
	const char *dir;		/* statement.dsse, log/… */
	const char *ledger;		/* not there yet: the whole ledger */
};

int incident_fetch(struct client *c, const struct incident_fetch_in *in);

#endif
