/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence_maker.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "log.h"
#include "plumb/wire.h"

/* Entries from the first that the verifier wants. Without the list the evidence goes all the same: the verifier sees where its numbers stand still. */
static void read_ima(const struct evidence_maker *m, struct evidence_maker_bound *b)
{
	struct why why = {""};
	uint64_t from = 0, n = 0;
	struct buf_view v;
	int r = ima_list_next(m->ima, WIRE_MAX_IMA, &v, &from, &n, &why);

	b->ima = (struct buf_view){NULL, 0};
	b->ima_from = b->ima_end = b->ima_cursor;
	b->ima_more = false;
	if (r < 0) {
		log_warning("ima=unread error=\"%s\" next=\"evidence goes without it\"", why.text);
		return;
	}
	b->ima = v;
	b->ima_from = from;
	b->ima_end = from + n;
	b->ima_more = v.size > WIRE_MAX_IMA / 2;
}

static bool is_this_boot(const struct evidence_maker *m, const char *boot)
{
	uint8_t id[16];
	char hex[33];
	size_t n = 0;

	for (size_t i = 0; boot[i] && n < 32; i++)
		if (boot[i] != '-')
			hex[n++] = boot[i];
	return n == 32 && digest_bytes_from_hex(hex, 32, id, sizeof(id)) >= 0 &&
	       memcmp(id, m->identity->now.boot_id, sizeof(id)) == 0;
}

static void bind_ima(const struct evidence_maker *m, struct evidence_maker_bound *b)
{
	const struct evidence_nonce *n = &b->nonce;
	struct why why = {""};

	if (!m->ima)
		return;
	if (n->has_ima) {
		b->ima_cursor = is_this_boot(m, n->ima_boot) ? n->ima_from : 0;
		if (ima_list_seek(m->ima, b->ima_cursor, &why) < 0)
			log_warning("ima=unread error=\"%s\" next=\"evidence goes without it\"",
				    why.text);
	}
	read_ima(m, b);
	b->ima_cursor = b->ima_end;
}

int evidence_maker_bind(const struct evidence_maker *m, struct evidence_maker_bound *b)
{
	char text[CHECKPOINT_MAX_TEXT];
	struct quote_binding q = {.nonce = {b->nonce.nonce, WIRE_NONCE_SIZE},
				  .node = m->identity->record.node,
				  .incarnation = m->identity->record.incarnation,
				  .checkpoint = text,
				  .boot_log = m->identity->boot_log,
				  .baseline_version = b->baseline_version,
				  .last_order = b->last_order,
				  .client_key = m->client_key};
	size_t size;
	int r = checkpoint_text(&b->head, text, &size);

	bind_ima(m, b);
	q.ima_cursor = b->ima_cursor;
	return r < 0 ? r : quote_qualifying_data(&q, &b->qualifying);
}

int evidence_maker_check(const struct evidence_maker *m, const struct evidence_maker_bound *b,
			 const struct tpm_job *job, struct why *ret_why)
{
	const struct buf *ak = &m->identity->record.ak_public;
	const struct commit *commit = ledger_writer_commit(m->writer);
	struct quote_info info;
	struct epoch_seen epoch;
	int r = quote_check(job->attest.data, job->attest.size, job->sig.data, job->sig.size,
			    ak->data, ak->size, &b->qualifying, &job->pcrs, &info, ret_why);

	if (r < 0)
		return r;
	commit_epoch(commit, &epoch);
	if (info.reset_count != epoch.reset_count || info.restart_count != epoch.restart_count ||
	    !digest_equal(&job->pcrs.values[m->identity->now.pcr_index], commit_fold(commit)))
		return why_set(ret_why, -ESTALE,
			       "the PCR or the counts are not as the anchors say");
	return 0;
}

/* Beyond what fits one body is an error or a backlog, never a cut: ret_to says how far it went. */
static int read_lines(const struct evidence_maker *m, uint64_t from, uint64_t to, struct buf *ret,
		      uint64_t *ret_to)
{
	if (to < from)
		return -ERANGE;
	if (to - from > m->max_lines)
		to = from + m->max_lines;
	return ledger_writer_lines(m->writer, from, to, m->max_bytes, ret, ret_to);
}

int evidence_maker_reach(const struct evidence_maker *m, uint64_t from, uint64_t to,
			 uint64_t *ret_to)
{
	CLEANUP(buf_done) struct buf lines = {0};

	return read_lines(m, from, to, &lines, ret_to);
}

/* Whole, beside the lines, or with the next evidence: a proxy may take no more, and a log is there as long as the boot is. */
static bool sends_boot_log(const struct evidence_maker *m, const struct evidence_maker_bound *b,
			   size_t lines)
{
	const struct buf *log = &m->identity->boot_log_data;

	if (!b->nonce.asks_boot_log || log->size == 0 ||
	    digest_equal(&b->nonce.boot_log, &m->identity->boot_log))
		return false;
	if (lines + log->size / 3 * 4 < m->max_bytes)
		return true;
	log_warning("boot_log=unsent bytes=%zu next=\"it goes with evidence that has fewer lines\"",
		    log->size);
	return false;
}

/* It grows while the machine runs; what explains this start is as it was then. */
static bool sends_measure_log(const struct evidence_maker *m, const struct evidence_maker_bound *b,
			      size_t bytes)
{
	const struct buf *log = &m->identity->measure_log_data;

	return b->nonce.asks_measure_log && log->size > 0 &&
	       !digest_equal(&b->nonce.measure_log, &m->identity->now.measure_log) &&
	       bytes + log->size / 3 * 4 < m->max_bytes;
}

static void fill(const struct evidence_maker *m, const struct evidence_maker_bound *b,
		 const struct checkpoint *head, uint64_t from, struct evidence *e)
{
	const struct record *rec = &m->identity->record;

	*e = (struct evidence){.incarnation = rec->incarnation,
			       .checkpoint = *head,
			       .from = from,
			       .n_lines = head->size - from,
			       .baseline_version = b->baseline_version,
			       .last_order = b->last_order,
			       .judge_version = PLUMB_JUDGE_VERSION};
	memcpy(e->node, rec->node, sizeof(e->node));
	snprintf(e->agent_version, sizeof(e->agent_version), "%s", PLUMB_VERSION);
	e->sent_ns = clock_utc_ns(m->clock);
}

/* All lines [from, head->size), or nothing. */
static int add_lines(const struct evidence_maker *m, struct evidence *e, struct buf *lines)
{
	uint64_t to = e->from;
	int r = read_lines(m, e->from, e->checkpoint.size, lines, &to);

	if (r >= 0 && to != e->checkpoint.size)
		r = -E2BIG;
	e->lines = (struct buf_view){lines->data, lines->size};
	return r;
}

int evidence_maker_provisional(const struct evidence_maker *m, const struct evidence_maker_bound *b,
			       const struct checkpoint *head, uint64_t from, const struct buf *note,
			       struct buf *ret)
{
	CLEANUP(buf_done) struct buf lines = {0};
	struct evidence e;
	int r;

	fill(m, b, head, from, &e);
	e.provisional = true;
	r = add_lines(m, &e, &lines);
	if (r < 0)
		return r;
	if (note) {
		if (note->size >= sizeof(e.notes[0]))
			return -E2BIG;
		memcpy(e.notes[0], note->data, note->size);
		e.n_notes = 1;
	}
	return evidence_write(&e, ret);
}

int evidence_maker_evidence(const struct evidence_maker *m, struct evidence_maker_bound *b,
			    const struct tpm_job *job, bool leaving, struct buf *ret,
			    struct why *ret_why)
{
	CLEANUP(buf_done) struct buf lines = {0};
	struct evidence e;
	int r;

	fill(m, b, &b->head, b->nonce.size, &e);
	r = add_lines(m, &e, &lines);
	if (r < 0)
		return r;
	memcpy(e.nonce, b->nonce.nonce, sizeof(e.nonce));
	e.pcr_index = m->identity->now.pcr_index;
	e.pcrs = job->pcrs;
	e.boot_log = m->identity->boot_log;
	e.leaving = leaving;
	/* What the quoted register has, the list has by now. */
	if (m->ima && b->nonce.has_ima)
		read_ima(m, b);
	e.ima_cursor = b->ima_cursor;
	e.ima_from = b->ima_from;
	e.ima_end = b->ima_end;
	e.has_ima_end = b->nonce.has_ima;
	buf_put(&e.ima, b->ima.data, b->ima.size);
	if (sends_boot_log(m, b, lines.size))
		buf_put(&e.boot_log_data, m->identity->boot_log_data.data,
			m->identity->boot_log_data.size);
	if (sends_measure_log(m, b, lines.size + e.boot_log_data.size / 3 * 4))
		buf_put(&e.measure_log, m->identity->measure_log_data.data,
			m->identity->measure_log_data.size);
	buf_put(&e.attest, job->attest.data, job->attest.size);
	buf_put(&e.sig, job->sig.data, job->sig.size);
	r = anchor_cut_read(m->io, m->ledger_dir, &b->nonce, m->cut, &e.anchors);
	if (r >= 0 && e.anchors.size > WIRE_MAX_ANCHORS)
		r = why_set(ret_why, -E2BIG,
			    "%zu bytes of anchors since the last accepted evidence, and the wire "
			    "takes %u: enrol this node anew",
			    e.anchors.size, WIRE_MAX_ANCHORS);
	if (r >= 0)
		r = buf_status(&e.attest);
	if (r >= 0)
		r = buf_status(&e.sig);
	if (r >= 0)
		r = buf_status(&e.ima);
	if (r >= 0)
		r = buf_status(&e.boot_log_data);
	if (r >= 0)
		r = buf_status(&e.measure_log);
	if (r >= 0)
		r = evidence_write(&e, ret);
	evidence_done(&e);
	return r;
}

void evidence_maker_less(struct evidence_maker *m, size_t size, bool lasting, const struct why *why)
{
	size_t had = size < m->max_bytes ? size : m->max_bytes;

	if (size <= EVIDENCE_MAKER_MIN_BYTES && !lasting)
		return;
	if (had / 2 >= EVIDENCE_MAKER_MIN_BYTES)
		m->max_bytes = had / 2;
	if (lasting)
		m->most_bytes = m->max_bytes;
	log_warning("verifier=takes_less error=\"%s\" next=\"sent in pieces of %zu bytes\"",
		    why->text, m->max_bytes);
}

void evidence_maker_good(struct evidence_maker *m)
{
	m->max_bytes = m->most_bytes;
}
