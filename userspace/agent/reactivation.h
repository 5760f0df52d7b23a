/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reactivation.h: a client certificate that is over, or that the verifier takes no more, is had anew without a person: the TPM opens a
 * credential for the same EK and AK, and the same client key gets another certificate. In: time, and that a certificate was refused. Out: renewal.
 * The ledger, its incarnation and all that is measured go on meanwhile.
 */
#ifndef PLUMB_REACTIVATION_H
#define PLUMB_REACTIVATION_H

#include "clock.h"
#include "record.h"
#include "renewal.h"
#include "tpm_queue.h"

struct reactivation;

struct reactivation_options {		/* all borrowed */
	const char *url, *ca_pem, *key_pem;
	const struct record *record;
	const struct clock *clock;
	struct tpm_queue *queue;
	struct renewal renewal;		/* copied; of the certificate in use */
	uint32_t every_ms;		/* how often it looks; 0: 5 s */
};

int reactivation_open(struct event_base *base, const struct reactivation_options *o, struct reactivation **ret, struct why *ret_why);
struct reactivation *reactivation_free(struct reactivation *a);	/* after the TPM's queue */
void reactivation_renew(struct reactivation *a, const struct buf *pem);	/* one that came with an answer to evidence */
/* Of transport: TLS did not take the certificate: this node's clock may be behind, and the certificate over by the verifier's. */
void reactivation_refused(struct reactivation *a);

#endif
