/* SPDX-License-Identifier: Apache-2.0 */
#include "appraise_boot.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bootlog_reading.h"
#include "cleanup.h"
#include "judge.h"
#include "measurelog.h"

#define STATE_VERSION 2
#define OLD_STATE 1
#define N_VALUES 16u
#define SCOPE "host"
#define PREFIX "measured:"
#define ODDITIES "measured:oddities"
#define SECURE_BOOT "measured:secure_boot"

DEFINE_CLEANUP(struct bootlog_reading *, bootlog_reading_free);

struct look {
	const struct appraise_boot_in *in;
	struct appraise_boot_state *now;
	uint32_t n_ok, n_drift;
	struct buf keys; /* of the claims that were told, a NUL after each */
	struct judge_result judged;
};

int appraise_boot_state_write(const struct appraise_boot_state *s, struct buf *ret)
{
	buf_put_u8(ret, STATE_VERSION);
	buf_put(ret, s->log.bytes, DIGEST_SIZE);
	buf_put(ret, s->baseline.bytes, DIGEST_SIZE);
	buf_put_u32be(ret, s->finding);
	buf_put(ret, s->text, sizeof(s->text));
	buf_put_u8(ret, s->read);
	buf_put_u8(ret, s->good);
	for (size_t i = 0; i < N_VALUES; i++)
		buf_put(ret, s->values[i].bytes, DIGEST_SIZE);
	buf_put_u8(ret, s->judged);
	buf_put(ret, s->secure_boot, sizeof(s->secure_boot));
	for (size_t i = 0; i < N_VALUES; i++)
		buf_put(ret, s->held[i].bytes, DIGEST_SIZE);
	return buf_status(ret);
}

static int read_bytes(struct buf_reader *r, void *ret, size_t size)
{
	struct buf_view v;

	if (buf_read_bytes(r, size, &v) < 0)
		return -EBADMSG;
	memcpy(ret, v.data, size);
	return 0;
}

static int read_values(struct buf_reader *r, struct digest ret[N_VALUES])
{
	for (size_t i = 0; i < N_VALUES; i++)
		if (read_bytes(r, ret[i].bytes, DIGEST_SIZE) < 0)
			return -EBADMSG;
	return 0;
}

/* What this release keeps beside. */
static int read_more(struct buf_reader *r, struct appraise_boot_state *s)
{
	uint8_t judged;

	if (buf_read_u8(r, &judged) < 0 || judged > 1 ||
	    read_bytes(r, s->secure_boot, sizeof(s->secure_boot)) < 0 ||
	    s->secure_boot[sizeof(s->secure_boot) - 1] != 0)
		return -EBADMSG;
	s->judged = judged;
	return read_values(r, s->held);
}

int appraise_boot_state_parse(const void *data, size_t size, struct appraise_boot_state *ret)
{
	struct buf_reader r = buf_reader_of(data, size);
	struct appraise_boot_state s = {.finding = 0};
	uint8_t version, read, good;

	if (buf_read_u8(&r, &version) < 0 || version < OLD_STATE || version > STATE_VERSION ||
	    read_bytes(&r, s.log.bytes, DIGEST_SIZE) < 0 ||
	    read_bytes(&r, s.baseline.bytes, DIGEST_SIZE) < 0 ||
	    buf_read_u32be(&r, &s.finding) < 0 || read_bytes(&r, s.text, sizeof(s.text)) < 0 ||
	    buf_read_u8(&r, &read) < 0 || buf_read_u8(&r, &good) < 0 || read > 1 || good > 1 ||
	    s.text[sizeof(s.text) - 1] != 0)
		return -EBADMSG;
	s.old = version == OLD_STATE;
	if (read_values(&r, s.values) < 0 || (!s.old && read_more(&r, &s) < 0) || buf_left(&r) > 0)
		return -EBADMSG;
	s.read = read;
	s.good = good;
	*ret = s;
	return 0;
}

int appraise_boot_state_log(const void *data, size_t size, struct digest *ret)
{
	struct buf_reader r = buf_reader_of(data, size);
	uint8_t version;

	if (buf_read_u8(&r, &version) < 0 || version < OLD_STATE || version > STATE_VERSION)
		return -EBADMSG;
	return read_bytes(&r, ret->bytes, DIGEST_SIZE);
}

static void find(struct look *l, enum plumb_finding f, const char *text)
{
	l->now->finding = f;
	snprintf(l->now->text, sizeof(l->now->text), "%s", text);
}

/* Registers that are looked at and do not hold what they must. */
static uint32_t wrong(const struct look *l, const struct digest *values)
{
	const struct quote_pcrs *q = l->in->pcrs;
	uint32_t bits = 0;

	for (uint32_t i = 0; i < N_VALUES; i++)
		if ((q->mask & APPRAISE_BOOT_PCRS & 1u << i) &&
		    !digest_equal(&q->values[i], &values[i]))
			bits |= 1u << i;
	return bits;
}

static void put_registers(struct buf *b, uint32_t bits)
{
	const char *between = "";

	for (uint32_t i = 0; i < N_VALUES; i++) {
		if (!(bits & 1u << i))
			continue;
		buf_printf(b, "%s%u", between, i);
		between = ", ";
	}
}

/* Of a machine that measures nothing there is nothing to say; of one that does and has no log, nothing good. */
static int without_log(struct look *l)
{
	static const struct digest zeros[N_VALUES];
	CLEANUP(buf_done) struct buf b = {0};
	uint32_t extended = wrong(l, zeros);

	if (!extended)
		return 0;
	buf_puts(&b, "PCR ");
	put_registers(&b, extended);
	buf_puts(&b, " were extended, and the node has no log of it");
	if (buf_status(&b) < 0)
		return buf_status(&b);
	find(l, PLUMB_FINDING_BOOT_LOG, (const char *)b.data);
	return 0;
}

/*
 * Registers that user space extended after the firmware, boot loader and kernel did: what systemd measures there, its own log says, and each
 * digest is made anew. What is left is explained by nothing. why: of the first that is left.
 */
static int explain(struct look *l, uint32_t *bits, struct why *ret_why)
{
	struct buf_view m = {NULL, 0};
	int r = *bits && l->in->measured ? l->in->measured(l->in->ctx, &m) : -ENOENT;

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	for (uint32_t i = 0; i < N_VALUES; i++) {
		struct why why = {""};

		if (!(*bits & 1u << i))
			continue;
		r = measurelog_leads(m.data, m.size, i, &l->now->values[i], &l->in->pcrs->values[i],
				     &why);
		if (r < 0)
			return r;
		if (r > 0)
			*bits &= ~(1u << i);
		else if (!ret_why->text[0])
			*ret_why = why;
	}
	return 0;
}

static int mismatch(struct look *l, uint32_t bits, const struct buf_view *log,
		    const struct why *user)
{
	uint32_t first = (uint32_t)__builtin_ctz(bits);
	CLEANUP(buf_done) struct buf b = {0};
	struct why why = {""};
	int r = bootlog_replay_explain(log->data, log->size, 0, first,
				       l->in->pcrs->values[first].bytes, &why);

	if (r < 0)
		return r == -EBADMSG ? -EIO : r;
	buf_puts(&b, why.text);
	if (bits & (bits - 1)) {
		buf_puts(&b, "; nor do PCR ");
		put_registers(&b, bits & (bits - 1));
	}
	if (user->text[0])
		buf_printf(&b, "; %s", user->text);
	if (buf_status(&b) < 0)
		return buf_status(&b);
	find(l, PLUMB_FINDING_BOOT_MISMATCH, (const char *)b.data);
	return 0;
}

static int judge(struct look *l, const char *key, const char *found)
{
	struct appraise_drift_item i = {
		.seq = l->in->seq,
		.utc_ns = l->in->utc_ns,
		.type = PLUMB_TYPE_CLAIM,
		.scope = SCOPE,
		.key = key,
		.found = found,
		.expected = l->judged.expected,
	};
	int r = judge_measurement(l->in->baseline, PLUMB_TYPE_CLAIM, SCOPE, key, found, &l->judged);

	if (r < 0)
		return r;
	i.judgement = l->judged.judgement;
	l->n_ok += i.judgement == PLUMB_JUDGE_OK;
	l->n_drift += i.judgement == PLUMB_JUDGE_DRIFT;
	return l->in->item(l->in->ctx, &i);
}

static int on_claim(void *ctx, const char *key, const char *value)
{
	struct look *l = ctx;

	buf_put(&l->keys, key, strlen(key) + 1);
	if (strcmp(key, SECURE_BOOT) == 0)
		snprintf(l->now->secure_boot, sizeof(l->now->secure_boot), "%s", value);
	return buf_status(&l->keys) < 0 ? buf_status(&l->keys) : judge(l, key, value);
}

/* What the baseline lists and this boot did not have. */
static int on_listed(void *ctx, const char *scope, const char *key, const char *expected)
{
	struct look *l = ctx;
	const char *k = (const char *)l->keys.data, *end = k + l->keys.size;

	(void)expected;
	if (strcmp(scope, SCOPE) != 0 || strncmp(key, PREFIX, strlen(PREFIX)) != 0)
		return 0;
	for (; k < end; k += strlen(k) + 1)
		if (strcmp(k, key) == 0)
			return 0;
	return judge(l, key, "absent");
}

static bool is_listed(const struct look *l, const char *key)
{
	return l->in->baseline && baseline_has_scope(l->in->baseline, SCOPE) &&
	       baseline_expected(l->in->baseline, SCOPE, key);
}

/* Odd events are the firmware's own on many machines: where the baseline lists them, its judgement counts. */
static int tell_claims(struct look *l, const struct bootlog_reading *g)
{
	const char *odd = bootlog_reading_odd(g);
	int r = bootlog_reading_claims(g, on_claim, l);

	if (r >= 0 && l->in->baseline)
		r = baseline_each(l->in->baseline, on_listed, l);
	if (r == 0 && odd[0] && !is_listed(l, ODDITIES))
		find(l, PLUMB_FINDING_BOOT_EVENT, odd);
	l->now->good = l->now->finding == 0 && l->n_ok > 0 && l->n_drift == 0;
	l->now->judged = l->n_ok > 0;
	l->now->baseline = l->in->document;
	return r;
}

static void keep_values(struct appraise_boot_state *s, const struct bootlog_pcrs *k)
{
	for (size_t i = 0; i < N_VALUES; i++)
		memcpy(s->values[i].bytes, k->values[i], DIGEST_SIZE);
	s->read = true;
}

/* One that is no log, or without SHA-256, is as none: it says nothing that a register proves. */
static int read_log(struct look *l, const struct buf_view *log)
{
	CLEANUP(bootlog_reading_free_p) struct bootlog_reading *g = NULL;
	struct why why = {""}, user = {""};
	uint32_t bits;
	int r = bootlog_reading_open(log->data, log->size, &g, &why);

	if (r == -EBADMSG || r == -E2BIG || r == -EOPNOTSUPP) {
		find(l, PLUMB_FINDING_BOOT_LOG, why.text);
		return 0;
	}
	if (r < 0)
		return r;
	keep_values(l->now, bootlog_reading_pcrs(g));
	memcpy(l->now->held, l->in->pcrs->values, sizeof(l->now->held));
	bits = wrong(l, l->now->values);
	r = explain(l, &bits, &user);
	if (r < 0)
		return r;
	return bits ? mismatch(l, bits, log, &user) : tell_claims(l, g);
}

/* The same log and baseline as last time, and registers that still agree: what stood then stands. */
static bool is_settled(const struct look *l, const struct appraise_boot_state *before)
{
	if (before->old || !digest_equal(&before->log, &l->in->bound))
		return false;
	/* Bytes that are no log stay none. */
	if (!before->read)
		return true;
	return digest_equal(&before->baseline, &l->in->document) &&
	       before->finding != PLUMB_FINDING_BOOT_MISMATCH && wrong(l, before->held) == 0;
}

/* Whoever quotes chooses what he quotes: of a register that he left out the log may say anything. */
static int without_register(struct look *l, uint32_t missing)
{
	CLEANUP(buf_done) struct buf b = {0};

	buf_puts(&b, "PCR ");
	put_registers(&b, missing);
	buf_puts(&b, " are not quoted, and nothing else proves what the log says of them");
	if (buf_status(&b) < 0)
		return buf_status(&b);
	find(l, PLUMB_FINDING_BOOT_MISMATCH, (const char *)b.data);
	return 0;
}

static int look(struct look *l, const struct appraise_boot_state *before)
{
	static const struct digest none;
	const uint32_t missing = APPRAISE_BOOT_PCRS & ~l->in->pcrs->mask;
	struct buf_view log;
	int r;

	if (digest_equal(&l->in->bound, &none))
		return without_log(l);
	if (missing)
		return without_register(l, missing);
	if (is_settled(l, before)) {
		*l->now = *before;
		return 0;
	}
	r = l->in->log(l->in->ctx, &log);
	if (r == -ENOENT) {
		find(l, PLUMB_FINDING_BOOT_LOG, "the node's log was not sent yet");
		return 0;
	}
	if (r < 0)
		return r;
	l->now->log = l->in->bound;
	return read_log(l, &log);
}

int appraise_boot(const struct appraise_boot_in *in, struct appraise_boot_state *state)
{
	static const char *const expected[] = {
		"a log of what was measured at boot",
		"a log that comes to the quoted registers",
		"events that are what they say they are",
	};
	struct appraise_boot_state now = {.finding = 0};
	struct look l = {.in = in, .now = &now};
	int r = look(&l, state);

	buf_done(&l.keys);
	if (r == 0 && now.finding &&
	    (now.finding != state->finding || strcmp(now.text, state->text) != 0))
		r = in->found(in->ctx, (enum plumb_finding)now.finding,
			      expected[now.finding - PLUMB_FINDING_BOOT_LOG], now.text);
	if (r == 0)
		*state = now;
	return r;
}
