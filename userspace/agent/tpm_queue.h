/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tpm_queue.h: the thread that talks to the TPM, one command at a time: extends first, then quotes, then signatures.
 * In: jobs from the loop's thread. Out: each job's `done` on the loop's thread, in the order of completion. At most
 * TPM_QUEUE_MAX jobs wait; beyond it submit is refused with -EAGAIN. -EBUSY from the chip is retried with back-off inside.
 */
#ifndef PLUMB_TPM_QUEUE_H
#define PLUMB_TPM_QUEUE_H

#include <event2/event.h>
#include "tpm_door.h"

#define TPM_QUEUE_MAX 64

struct tpm_queue;

enum tpm_job_kind { TPM_JOB_EXTEND = 1, TPM_JOB_QUOTE = 2, TPM_JOB_SIGN = 3, TPM_JOB_CALL = 4 };

struct tpm_job {
	enum tpm_job_kind kind;
	uint32_t pcr_index;		/* extend; the value after it is read in the same step */
	uint32_t pcr_mask;		/* quote */
	struct digest digest;		/* extend: the digest; quote: qualifying data; sign: what is signed */
	int (*call)(struct tpm *tpm, void *ctx);	/* TPM_JOB_CALL, on the TPM's thread */
	void (*done)(void *ctx, struct tpm_job *job);	/* on the loop's thread; job is freed after it */
	void *ctx;
	/* results */
	int result;			/* 0 or -errno */
	struct digest pcr_after;	/* extend */
	struct buf attest, sig;		/* quote, sign (TPMT_SIGNATURE) */
	struct quote_pcrs pcrs;		/* quote */
	uint64_t took_ns;
};

int tpm_queue_open(struct event_base *base, struct tpm *tpm, struct tpm_queue **ret);	/* tpm borrowed */
struct tpm_queue *tpm_queue_free(struct tpm_queue *q);		/* waits for the command in flight; waiting jobs end with -ECANCELED */
int tpm_queue_submit(struct tpm_queue *q, const struct tpm_job *job);	/* copied */
void tpm_queue_hold_extends(struct tpm_queue *q, bool hold);	/* between the last extend and the quote */

#endif
