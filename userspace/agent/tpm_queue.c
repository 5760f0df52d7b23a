/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm_queue.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#include "cleanup.h"

#define N_KINDS (TPM_JOB_CALL + 1)
#define MAX_TRIES 12 /* with the waits below about six seconds */
#define FIRST_WAIT_NS 10000000L
#define LONGEST_WAIT_NS 1000000000L

struct item {
	struct item *next;
	struct tpm_job job;
	bool extended; /* the extend was done, only the value after it is missing */
};

struct list {
	struct item *first, **end;
};

struct tpm_queue {
	struct tpm *tpm;
	struct event *wake;
	int wake_fd;
	pthread_t thread;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t changed;
	struct list waiting[N_KINDS]; /* by kind, the most urgent first */
	unsigned int n_waiting;
	struct list finished;
	bool hold, stop;
};

static void push(struct list *l, struct item *i)
{
	i->next = NULL;
	*l->end = i;
	l->end = &i->next;
}

static struct item *pop(struct list *l)
{
	struct item *i = l->first;

	if (!i)
		return NULL;
	l->first = i->next;
	if (!l->first)
		l->end = &l->first;
	return i;
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* The value after an extend is read in the same step; a busy chip in between must not extend twice. */
static int run_extend(struct tpm *tpm, struct item *i)
{
	struct tpm_job *j = &i->job;
	struct quote_pcrs pcrs = {0};
	int r;

	if (j->pcr_index >= QUOTE_N_PCRS)
		return -EINVAL;
	if (!i->extended) {
		r = tpm->ops->pcr_extend(tpm->ctx, j->pcr_index, &j->digest);
		if (r < 0)
			return r;
		i->extended = true;
	}
	r = tpm->ops->pcr_read(tpm->ctx, 1u << j->pcr_index, &pcrs);
	if (r < 0)
		return r;
	j->pcr_after = pcrs.values[j->pcr_index];
	return 0;
}

static int run_once(struct tpm *tpm, struct item *i)
{
	struct tpm_job *j = &i->job;

	buf_done(&j->attest);
	buf_done(&j->sig);
	switch (j->kind) {
	case TPM_JOB_EXTEND:
		return run_extend(tpm, i);
	case TPM_JOB_QUOTE:
		return tpm->ops->quote(tpm->ctx, j->pcr_mask, &j->digest, &j->attest, &j->sig,
				       &j->pcrs);
	case TPM_JOB_SIGN:
		return tpm->ops->sign_event(tpm->ctx, &j->digest, &j->sig);
	case TPM_JOB_CALL:
		return j->call(tpm, j->ctx);
	}
	return -EINVAL;
}

/* False when the queue is being closed. */
static bool wait_ns(struct tpm_queue *q, int64_t ns)
{
	int64_t end = now_ns() + ns;
	const struct timespec until = {end / 1000000000, end % 1000000000};
	bool stop;

	pthread_mutex_lock(&q->lock);
	while (!q->stop && pthread_cond_timedwait(&q->changed, &q->lock, &until) != ETIMEDOUT)
		;
	stop = q->stop;
	pthread_mutex_unlock(&q->lock);
	return !stop;
}

static void run(struct tpm_queue *q, struct item *i)
{
	int64_t start = now_ns(), wait = FIRST_WAIT_NS;

	for (unsigned int tries = 1;; tries++) {
		i->job.result = run_once(q->tpm, i);
		if (i->job.result != -EBUSY || tries == MAX_TRIES || !wait_ns(q, wait))
			break;
		wait = wait * 2 < LONGEST_WAIT_NS ? wait * 2 : LONGEST_WAIT_NS;
	}
	i->job.took_ns = (uint64_t)(now_ns() - start);
}

/* With the lock held: the next to run, NULL: none. */
static struct item *next(struct tpm_queue *q)
{
	struct item *i;

	for (unsigned int kind = TPM_JOB_EXTEND; kind < N_KINDS; kind++) {
		if (kind == TPM_JOB_EXTEND && q->hold)
			continue;
		i = pop(&q->waiting[kind]);
		if (i) {
			q->n_waiting--;
			return i;
		}
	}
	return NULL;
}

static void *work(void *arg)
{
	static const uint64_t one = 1;
	struct tpm_queue *q = arg;
	struct item *i;

	pthread_mutex_lock(&q->lock);
	for (;;) {
		i = q->stop ? NULL : next(q);
		if (!i && q->stop)
			break;
		if (!i) {
			pthread_cond_wait(&q->changed, &q->lock);
			continue;
		}
		pthread_mutex_unlock(&q->lock);
		run(q, i);
		pthread_mutex_lock(&q->lock);
		push(&q->finished, i);
		/* An eventfd takes eight bytes or none; none means that the loop is awake anyway. */
		if (write(q->wake_fd, &one, sizeof(one)) < 0)
			continue;
	}
	pthread_mutex_unlock(&q->lock);
	return NULL;
}

static void finish(struct item *i)
{
	if (i->job.done)
		i->job.done(i->job.ctx, &i->job);
	buf_done(&i->job.attest);
	buf_done(&i->job.sig);
	free(i);
}

/* One at a time, since a done may submit, hold, or close a file of its own. */
static void deliver(struct tpm_queue *q)
{
	struct item *i;

	do {
		pthread_mutex_lock(&q->lock);
		i = pop(&q->finished);
		pthread_mutex_unlock(&q->lock);
		if (i)
			finish(i);
	} while (i);
}

static void woken(evutil_socket_t fd, short what, void *arg)
{
	uint64_t n;

	(void)what;
	if (read(fd, &n, sizeof(n)) < 0 && errno != EAGAIN)
		return;
	deliver(arg);
}

static int init_sync(struct tpm_queue *q)
{
	pthread_condattr_t attr;
	int r = pthread_mutex_init(&q->lock, NULL);

	if (r != 0)
		return -r;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	r = pthread_cond_init(&q->changed, &attr);
	pthread_condattr_destroy(&attr);
	if (r != 0)
		pthread_mutex_destroy(&q->lock);
	return -r;
}

static int init_wake(struct tpm_queue *q, struct event_base *base)
{
	q->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (q->wake_fd < 0)
		return -errno;
	q->wake = event_new(base, q->wake_fd, EV_READ | EV_PERSIST, woken, q);
	if (!q->wake || event_add(q->wake, NULL) != 0) {
		if (q->wake)
			event_free(q->wake);
		close(q->wake_fd);
		return -ENOMEM;
	}
	return 0;
}

int tpm_queue_open(struct event_base *base, struct tpm *tpm, struct tpm_queue **ret)
{
	struct tpm_queue *q = calloc(1, sizeof(*q));
	int r;

	if (!q)
		return -ENOMEM;
	q->tpm = tpm;
	for (unsigned int kind = 0; kind < N_KINDS; kind++)
		q->waiting[kind].end = &q->waiting[kind].first;
	q->finished.end = &q->finished.first;
	r = init_sync(q);
	if (r < 0)
		goto fail;
	r = init_wake(q, base);
	if (r < 0)
		goto fail_sync;
	r = -pthread_create(&q->thread, NULL, work, q);
	if (r < 0)
		goto fail_wake;
	*ret = q;
	return 0;
fail_wake:
	event_free(q->wake);
	close(q->wake_fd);
fail_sync:
	pthread_cond_destroy(&q->changed);
	pthread_mutex_destroy(&q->lock);
fail:
	free(q);
	return r;
}

struct tpm_queue *tpm_queue_free(struct tpm_queue *q)
{
	struct item *i;

	if (!q)
		return NULL;
	pthread_mutex_lock(&q->lock);
	q->stop = true;
	pthread_cond_broadcast(&q->changed);
	pthread_mutex_unlock(&q->lock);
	pthread_join(q->thread, NULL);
	deliver(q);
	for (unsigned int kind = 0; kind < N_KINDS; kind++) {
		for (i = pop(&q->waiting[kind]); i; i = pop(&q->waiting[kind])) {
			i->job.result = -ECANCELED;
			finish(i);
		}
	}
	event_free(q->wake);
	close(q->wake_fd);
	pthread_cond_destroy(&q->changed);
	pthread_mutex_destroy(&q->lock);
	free(q);
	return NULL;
}

int tpm_queue_submit(struct tpm_queue *q, const struct tpm_job *job)
{
	struct item *i;
	int r = 0;

	if (job->kind < TPM_JOB_EXTEND || job->kind > TPM_JOB_CALL ||
	    (job->kind == TPM_JOB_CALL && !job->call))
		return -EINVAL;
	i = calloc(1, sizeof(*i));
	if (!i)
		return -ENOMEM;
	i->job = *job;
	memset(&i->job.attest, 0, sizeof(i->job.attest));
	memset(&i->job.sig, 0, sizeof(i->job.sig));
	pthread_mutex_lock(&q->lock);
	if (q->stop) {
		r = -ECANCELED;
	} else if (q->n_waiting >= TPM_QUEUE_MAX) {
		r = -EAGAIN;
	} else {
		push(&q->waiting[job->kind], i);
		q->n_waiting++;
		pthread_cond_broadcast(&q->changed);
	}
	pthread_mutex_unlock(&q->lock);
	if (r < 0)
		free(i);
	return r;
}

void tpm_queue_hold_extends(struct tpm_queue *q, bool hold)
{
	pthread_mutex_lock(&q->lock);
	q->hold = hold;
	pthread_cond_broadcast(&q->changed);
	pthread_mutex_unlock(&q->lock);
}
