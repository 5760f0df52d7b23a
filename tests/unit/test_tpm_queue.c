/* SPDX-License-Identifier: Apache-2.0 */
/* The TPM's thread: what goes first, what is held, what is tried again, and what becomes of jobs when it is closed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <time.h>

#include "fake_tpm.h"
#include "tpm.h"
#include "tpm_queue.h"

/* What was done, in order: a letter a job. */
struct bench {
	struct event_base *base;
	struct fake_tpm *fake;
	struct tpm_queue *q;
	struct quote_pcrs pcrs;
	char order[256];
	unsigned int n, want;
	int results[256];
	struct digest pcr_after;
	size_t attest_size, sig_size;
	pthread_t loop, worker;
	sem_t gate, entered;
};

struct tag {
	struct bench *b;
	char letter;
};

static struct tag tags[256];

static int setup(void **state)
{
	static struct bench b;
	struct buf blobs = {0}, ak = {0}, event = {0};
	struct tpm *t;

	memset(&b, 0, sizeof(b));
	b.base = event_base_new();
	b.loop = pthread_self();
	sem_init(&b.gate, 0, 0);
	sem_init(&b.entered, 0, 0);
	if (!b.base || fake_tpm_open(&b.fake) < 0)
		return -1;
	t = fake_tpm_door(b.fake);
	if (t->ops->keys_open(t->ctx, &blobs, &ak, &event) < 0 ||
	    tpm_queue_open(b.base, t, &b.q) < 0)
		return -1;
	buf_done(&blobs);
	buf_done(&ak);
	buf_done(&event);
	for (unsigned int i = 0; i < 256; i++)
		tags[i] = (struct tag){&b, (char)i};
	*state = &b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	tpm_queue_free(b->q);
	fake_tpm_free(b->fake);
	event_base_free(b->base);
	sem_destroy(&b->gate);
	sem_destroy(&b->entered);
	return 0;
}

static void done(void *ctx, struct tpm_job *job)
{
	struct tag *t = ctx;
	struct bench *b = t->b;

	assert_true(pthread_equal(pthread_self(), b->loop));
	b->results[b->n] = job->result;
	b->order[b->n++] = t->letter;
	if (job->kind == TPM_JOB_EXTEND)
		b->pcr_after = job->pcr_after;
	b->pcrs = job->pcrs;
	b->attest_size = job->attest.size;
	b->sig_size = job->sig.size;
	if (b->n == b->want)
		event_base_loopbreak(b->base);
}

/* Keeps the thread busy until the test lets it go on. */
static int wait_at_gate(struct tpm *tpm, void *ctx)
{
	struct tag *t = ctx;

	(void)tpm;
	t->b->worker = pthread_self();
	sem_post(&t->b->entered);
	sem_wait(&t->b->gate);
	return 7;
}

static int submit(struct bench *b, enum tpm_job_kind kind, char letter)
{
	const struct tpm_job job = {
		.kind = kind,
		.pcr_index = 15,
		.pcr_mask = 1u << 15,
		.digest = {{(uint8_t)letter}},
		.call = kind == TPM_JOB_CALL ? wait_at_gate : NULL,
		.done = done,
		.ctx = &tags[(unsigned char)letter],
	};

	return tpm_queue_submit(b->q, &job);
}

static void block(struct bench *b)
{
	assert_int_equal(submit(b, TPM_JOB_CALL, '-'), 0);
	sem_wait(&b->entered);
}

static void run(struct bench *b, unsigned int want)
{
	const struct timeval limit = {20, 0};

	b->want = want;
	event_base_loopexit(b->base, &limit);
	if (b->n < want)
		event_base_dispatch(b->base);
	assert_int_equal(b->n, want);
}

static void test_priority(void **state)
{
	struct bench *b = *state;

	block(b);
	assert_int_equal(submit(b, TPM_JOB_SIGN, 's'), 0);
	assert_int_equal(submit(b, TPM_JOB_QUOTE, 'q'), 0);
	assert_int_equal(submit(b, TPM_JOB_EXTEND, 'e'), 0);
	assert_int_equal(submit(b, TPM_JOB_SIGN, 't'), 0);
	assert_int_equal(submit(b, TPM_JOB_EXTEND, 'f'), 0);
	sem_post(&b->gate);
	run(b, 6);
	assert_string_equal(b->order, "-efqst");
	assert_int_equal(b->results[0], 7);
	for (unsigned int i = 1; i < 6; i++)
		assert_int_equal(b->results[i], 0);
	assert_false(pthread_equal(b->worker, b->loop));
}

static void test_results(void **state)
{
	struct bench *b = *state;

	assert_int_equal(submit(b, TPM_JOB_EXTEND, 'e'), 0);
	run(b, 1);
	assert_memory_equal(&b->pcr_after, &fake_tpm_pcrs(b->fake)->values[15], 32);
	assert_int_equal(submit(b, TPM_JOB_QUOTE, 'q'), 0);
	run(b, 2);
	assert_int_equal(b->pcrs.mask, 1u << 15);
	assert_true(b->attest_size > 100 && b->sig_size == 72);
	assert_int_equal(submit(b, TPM_JOB_SIGN, 's'), 0);
	run(b, 3);
	assert_true(b->attest_size == 0 && b->sig_size == 72);
}

static void test_hold(void **state)
{
	struct bench *b = *state;

	tpm_queue_hold_extends(b->q, true);
	assert_int_equal(submit(b, TPM_JOB_EXTEND, 'e'), 0);
	assert_int_equal(submit(b, TPM_JOB_QUOTE, 'q'), 0);
	run(b, 1);
	assert_string_equal(b->order, "q");
	assert_int_equal(fake_tpm_counts(b->fake).extends, 0);
	tpm_queue_hold_extends(b->q, false);
	run(b, 2);
	assert_string_equal(b->order, "qe");
}

static void test_bound(void **state)
{
	struct bench *b = *state;
	struct tpm_job wrong = {.kind = 9};

	block(b);
	for (unsigned int i = 0; i < TPM_QUEUE_MAX; i++)
		assert_int_equal(submit(b, TPM_JOB_EXTEND, 'e'), 0);
	assert_int_equal(submit(b, TPM_JOB_EXTEND, 'x'), -EAGAIN);
	assert_int_equal(submit(b, TPM_JOB_QUOTE, 'x'), -EAGAIN);
	sem_post(&b->gate);
	run(b, TPM_QUEUE_MAX + 1);
	assert_null(memchr(b->order, 'x', b->n));
	assert_int_equal(fake_tpm_counts(b->fake).extends, TPM_QUEUE_MAX);
	assert_int_equal(submit(b, TPM_JOB_EXTEND, 'y'), 0);
	run(b, TPM_QUEUE_MAX + 2);
	assert_int_equal(tpm_queue_submit(b->q, &wrong), -EINVAL);
	wrong.kind = TPM_JOB_CALL;
	assert_int_equal(tpm_queue_submit(b->q, &wrong), -EINVAL);
}

static void test_cancel(void **state)
{
	struct bench *b = *state;

	tpm_queue_hold_extends(b->q, true);
	block(b);
	assert_int_equal(submit(b, TPM_JOB_SIGN, 's'), 0);
	assert_int_equal(submit(b, TPM_JOB_EXTEND, 'e'), 0);
	sem_post(&b->gate);
	/* The command in flight is waited for and keeps its result; what waits is told so. Nothing is lost in silence. */
	b->q = tpm_queue_free(b->q);
	assert_int_equal(b->n, 3);
	assert_int_equal(b->order[0], '-');
	assert_int_equal(b->results[0], 7);
	for (unsigned int i = 1; i < 3; i++)
		if (b->order[i] == 'e')
			assert_int_equal(b->results[i], -ECANCELED);
	assert_int_equal(fake_tpm_counts(b->fake).extends, 0);
}

static void test_retry(void **state)
{
	struct bench *b = *state;

	fake_tpm_faults(b->fake)->busy = 3;
	assert_int_equal(submit(b, TPM_JOB_QUOTE, 'q'), 0);
	run(b, 1);
	assert_int_equal(b->results[0], 0);
	assert_int_equal(fake_tpm_counts(b->fake).quotes, 1);
	/* The extend is done and only its value could not be read: it must not be done again. */
	fake_tpm_faults(b->fake)->busy_read = 2;
	assert_int_equal(submit(b, TPM_JOB_EXTEND, 'e'), 0);
	run(b, 2);
	assert_int_equal(b->results[1], 0);
	assert_int_equal(fake_tpm_counts(b->fake).extends, 1);
	assert_memory_equal(&b->pcr_after, &fake_tpm_pcrs(b->fake)->values[15], 32);
}

/* Busy for ever: closing does not wait for all the tries. */
static void test_cancel_retry(void **state)
{
	struct bench *b = *state;

	fake_tpm_faults(b->fake)->busy = 1000000;
	assert_int_equal(submit(b, TPM_JOB_SIGN, 's'), 0);
	b->q = tpm_queue_free(b->q);
	assert_int_equal(b->n, 1);
	assert_true(b->results[0] == -EBUSY || b->results[0] == -ECANCELED);
}

static void test_errors(void **state)
{
	struct bench *b = *state;

	fake_tpm_faults(b->fake)->fail = -EPERM;
	assert_int_equal(submit(b, TPM_JOB_QUOTE, 'q'), 0);
	run(b, 1);
	assert_int_equal(b->results[0], -EPERM);
	fake_tpm_faults(b->fake)->fail = -ENODEV;
	assert_int_equal(submit(b, TPM_JOB_EXTEND, 'e'), 0);
	run(b, 2);
	assert_int_equal(b->results[1], -ENODEV);
	fake_tpm_faults(b->fake)->fail = 0;
	assert_int_equal(submit(b, TPM_JOB_EXTEND, 'e'), 0);
	run(b, 3);
	assert_int_equal(b->results[2], 0);
	assert_int_equal(fake_tpm_counts(b->fake).extends, 1);
}

static void again(void *ctx, struct tpm_job *job)
{
	struct tag *t = ctx;

	/* From within a done, as commit does it. */
	assert_int_equal(submit(t->b, TPM_JOB_EXTEND, 'n'), 0);
	done(ctx, job);
}

static void test_submit_in_done(void **state)
{
	struct bench *b = *state;
	struct tpm_job job = {
		.kind = TPM_JOB_EXTEND, .pcr_index = 15, .done = again, .ctx = &tags['a']};

	assert_int_equal(tpm_queue_submit(b->q, &job), 0);
	run(b, 2);
	assert_string_equal(b->order, "an");
}

static void test_slow(void **state)
{
	struct bench *b = *state;
	struct tpm *slow = NULL;
	struct timespec start, end;
	struct quote_pcrs pcrs;
	struct digest d = {{1}};

	assert_int_equal(tpm_slow_open(fake_tpm_door(b->fake), 20000, 0, &slow), 0);
	clock_gettime(CLOCK_MONOTONIC, &start);
	assert_int_equal(slow->ops->pcr_extend(slow->ctx, 15, &d), 0);
	clock_gettime(CLOCK_MONOTONIC, &end);
	assert_true((end.tv_sec - start.tv_sec) * 1000000000L + end.tv_nsec - start.tv_nsec >=
		    20000000);
	assert_int_equal(slow->ops->pcr_read(slow->ctx, 1u << 15, &pcrs), 0);
	assert_memory_equal(&pcrs.values[15], &fake_tpm_pcrs(b->fake)->values[15], 32);
	assert_null(tpm_free(slow));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_priority),	 TEST(test_results), TEST(test_hold),
		TEST(test_bound),	 TEST(test_cancel),  TEST(test_retry),
		TEST(test_cancel_retry), TEST(test_errors),  TEST(test_submit_in_done),
		TEST(test_slow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
