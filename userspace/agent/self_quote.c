/* SPDX-License-Identifier: Apache-2.0 */
#include "self_quote.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "quote.h"
#include "quote_line.h"

#define MAX_FAILURES 3 /* in a row; then the next one is made on schedule */

struct self_quote {
	struct tpm_queue *queue;
	struct ledger_writer *writer;
	struct commit *commit;
	const struct identity *identity;
	struct ima_keep *ima_keep;
	uint64_t ima_cursor; /* that the quote at hand is bound to */
	uint64_t baseline_version;
	void (*quoted)(void *ctx, uint64_t size);
	void *ctx;
	struct event *timer;
	bool wanted, in_flight;
	uint64_t want_size; /* lines that the quote must cover */
	struct checkpoint head;
	struct digest nonce, qualifying;
	uint32_t failures;
};

int self_quote_nonce(const struct checkpoint *c, struct digest *ret)
{
	char text[CHECKPOINT_MAX_TEXT];
	struct buf_view parts[2];
	size_t size;
	int r = checkpoint_text(c, text, &size);

	if (r < 0)
		return r;
	parts[0] = (struct buf_view){(const uint8_t *)SELF_QUOTE_DOMAIN, strlen(SELF_QUOTE_DOMAIN)};
	parts[1] = (struct buf_view){(const uint8_t *)text, size};
	return digest_sha256_parts(parts, 2, ret);
}

static int bind_quote(struct self_quote *s)
{
	char text[CHECKPOINT_MAX_TEXT];
	struct quote_binding b = {.node = s->identity->record.node,
				  .incarnation = s->identity->record.incarnation,
				  .checkpoint = text,
				  .boot_log = s->identity->boot_log,
				  .ima_cursor = ima_keep_read(s->ima_keep),
				  .baseline_version = s->baseline_version,
				  .last_order = ledger_writer_last_order(s->writer)};
	size_t size;
	int r = checkpoint_text(&s->head, text, &size);

	if (r >= 0)
		r = self_quote_nonce(&s->head, &s->nonce);
	b.nonce = (struct buf_view){s->nonce.bytes, DIGEST_SIZE};
	s->ima_cursor = b.ima_cursor;
	return r < 0 ? r : quote_qualifying_data(&b, &s->qualifying);
}

static int write_line(struct self_quote *s, const struct tpm_job *job)
{
	const struct quote_line q = {.nonce = s->nonce.bytes,
				     .head = &s->head,
				     .job = job,
				     .pcr_index = s->identity->now.pcr_index,
				     .boot_log = s->identity->boot_log,
				     .ima_cursor = s->ima_cursor,
				     .ima_keep = s->ima_keep,
				     .baseline_version = s->baseline_version,
				     .last_order = ledger_writer_last_order(s->writer)};

	return quote_line_write(s->writer, &q);
}

/* -ESTALE: the register or the counts are not what the anchors say: it would prove nothing. Otherwise as quote_check(). */
static int check(const struct self_quote *s, const struct tpm_job *job, struct why *ret_why)
{
	const struct buf *ak = &s->identity->record.ak_public;
	uint8_t index = s->identity->now.pcr_index;
	struct quote_info info;
	struct epoch_seen epoch;
	int r = quote_check(job->attest.data, job->attest.size, job->sig.data, job->sig.size,
			    ak->data, ak->size, &s->qualifying, &job->pcrs, &info, ret_why);

	if (r < 0)
		return r;
	commit_epoch(s->commit, &epoch);
	if (info.reset_count != epoch.reset_count || info.restart_count != epoch.restart_count ||
	    !digest_equal(&job->pcrs.values[index], commit_fold(s->commit)))
		return why_set(ret_why, -ESTALE,
			       "the PCR or the counts are not as the anchors say");
	return 0;
}

static void attempt(struct self_quote *s);

static void on_quoted(void *ctx, struct tpm_job *job)
{
	struct self_quote *s = ctx;
	struct why why = {""};
	int r = job->result;

	s->in_flight = false;
	if (r == -ECANCELED)
		return;
	if (r >= 0)
		r = check(s, job, &why);
	if (r >= 0)
		r = write_line(s, job);
	s->failures = r < 0 ? s->failures + 1 : 0;
	s->wanted = r < 0 && s->failures < MAX_FAILURES;
	if (r < 0)
		log_warning("quote=failed error=\"%s\" next=\"%s\"",
			    why.text[0] ? why.text : strerror(-r),
			    s->wanted ? "tried again" : "tried again on schedule");
	commit_hold(s->commit, false);
	if (r == -ESTALE)
		commit_look(s->commit);
	if (r >= 0 && s->quoted)
		s->quoted(s->ctx, s->head.size);
	if (s->wanted)
		attempt(s);
}

static void attempt(struct self_quote *s)
{
	struct tpm_job job = {.kind = TPM_JOB_QUOTE, .done = on_quoted, .ctx = s};

	if (!s->wanted || s->in_flight)
		return;
	commit_head(s->commit, &s->head);
	if (s->head.size == 0 || s->head.size < s->want_size || !commit_is_quiet(s->commit)) {
		commit_appended(s->commit, true);
		return;
	}
	if (bind_quote(s) < 0)
		return;
	job.pcr_mask = QUOTE_LINE_BOOT_PCRS | 1u << s->identity->now.pcr_index;
	job.digest = s->qualifying;
	commit_hold(s->commit, true);
	s->in_flight = tpm_queue_submit(s->queue, &job) >= 0;
	if (!s->in_flight)
		commit_hold(s->commit, false);
}

void self_quote_now(struct self_quote *s)
{
	s->wanted = true;
	s->failures = 0;
	s->want_size = ledger_writer_size(s->writer);
	attempt(s);
}

void self_quote_last(struct self_quote *s)
{
	event_del(s->timer);
	self_quote_now(s);
}

void self_quote_anchored(struct self_quote *s)
{
	attempt(s);
}

bool self_quote_is_idle(const struct self_quote *s)
{
	return !s->wanted && !s->in_flight;
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	self_quote_now(ctx);
}

int self_quote_open(struct event_base *base, const struct self_quote_options *o,
		    struct self_quote **ret)
{
	const struct timeval tv = {(time_t)(o->interval_ms / 1000),
				   (suseconds_t)(o->interval_ms % 1000 * 1000)};
	struct self_quote *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->queue = o->queue;
	s->writer = o->writer;
	s->commit = ledger_writer_commit(o->writer);
	s->identity = o->identity;
	s->ima_keep = o->ima_keep;
	s->baseline_version = o->baseline_version;
	s->quoted = o->quoted;
	s->ctx = o->ctx;
	s->timer = event_new(base, -1, EV_PERSIST, on_timer, s);
	if (!s->timer || (o->interval_ms && event_add(s->timer, &tv) < 0)) {
		self_quote_free(s);
		return -ENOMEM;
	}
	*ret = s;
	return 0;
}

struct self_quote *self_quote_free(struct self_quote *s)
{
	if (!s)
		return NULL;
	if (s->timer)
		event_free(s->timer);
	free(s);
	return NULL;
}
