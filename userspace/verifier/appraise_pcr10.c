/* SPDX-License-Identifier: Apache-2.0 */
#include "appraise_pcr10.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "imalog.h"
#include "plumb/wire.h"

#define STATE_VERSION 1
#define DIGEST 20u /* of the templates in the list that nodes send */
#define AGGREGATE_MASK 0x3ffu
#define GAP_NS (60ull * 1000000000)
#define NAME 160u

/* How the boot began, and what was told of it: once, until it is good again. */
enum {
	AFTER_KEXEC = 1 << 0, /* another boot, and the TPM was not reset */
	RESET_WITHIN = 1 << 1, /* the TPM was reset, and the boot went on */
	NO_TPM = 1 << 2, /* IMA began without it */
	WAITS = 1 << 3, /* the list was read before the quote, and may lack the newest */
	NO_AGGREGATE = 1 << 4, /* boot_aggregate could not be checked */
	TOLD_LIST = 1 << 8,
	TOLD_ABSENT = 1 << 9,
	TOLD_UNQUOTED = 1 << 10,
	TOLD_NO_TPM = 1 << 11,
	TOLD_AHEAD = 1 << 12,
	TOLD_BEHIND = 1 << 13,
	TOLD_AGGREGATE = 1 << 14,
	TOLD_OTHER_PCR = 1 << 15,
	TOLD_TEMPLATE = 1 << 16,
};
#define TOLD                                                                                \
	(TOLD_LIST | TOLD_ABSENT | TOLD_UNQUOTED | TOLD_NO_TPM | TOLD_AHEAD | TOLD_BEHIND | \
	 TOLD_AGGREGATE | TOLD_OTHER_PCR | TOLD_TEMPLATE)

/* Of one kind: how many, and the first by name. */
struct tally {
	uint64_t n;
	char first[NAME];
};

struct check {
	const struct appraise_pcr10_in *in;
	struct appraise_pcr10_state *s;
	struct why *why;
	struct digest quoted, pcr; /* pcr: as far as it was replayed */
	uint64_t number; /* of the next entry */
	bool met;
	uint64_t met_at; /* entries that the quoted value is of */
	bool has_first;
	struct imalog_entry first; /* entry 0 */
	struct tally altered, other_pcr, unknown, hidden, misnamed, violations, bad, strangers;
};

int appraise_pcr10_state_write(const struct appraise_pcr10_state *s, struct buf *ret)
{
	buf_put_u8(ret, STATE_VERSION);
	buf_put(ret, s->boot, sizeof(s->boot));
	buf_put_u32be(ret, s->reset);
	buf_put_u64be(ret, s->n);
	buf_put(ret, s->pcr.bytes, DIGEST_SIZE);
	buf_put_u64be(ret, s->before_n);
	buf_put(ret, s->before_pcr.bytes, DIGEST_SIZE);
	buf_put_u64be(ret, s->confirmed);
	buf_put_u64be(ret, s->seen);
	buf_put_u64be(ret, s->behind_bytes);
	buf_put_u64be(ret, s->behind_ns);
	buf_put_u64be(ret, s->last_ns);
	buf_put_u64be(ret, s->again_ns);
	buf_put_u32be(ret, s->flags);
	return buf_status(ret);
}

int appraise_pcr10_state_parse(const void *data, size_t size, struct appraise_pcr10_state *ret)
{
	struct appraise_pcr10_state s = {.n = 0};
	struct buf_reader b = buf_reader_of(data, size);
	struct buf_view boot, pcr, before;
	uint8_t version;

	if (buf_read_u8(&b, &version) < 0 || version != STATE_VERSION ||
	    buf_read_bytes(&b, sizeof(s.boot), &boot) < 0 || boot.data[boot.size - 1] != 0 ||
	    buf_read_u32be(&b, &s.reset) < 0 || buf_read_u64be(&b, &s.n) < 0 ||
	    buf_read_bytes(&b, DIGEST_SIZE, &pcr) < 0 || buf_read_u64be(&b, &s.before_n) < 0 ||
	    buf_read_bytes(&b, DIGEST_SIZE, &before) < 0 || buf_read_u64be(&b, &s.confirmed) < 0 ||
	    buf_read_u64be(&b, &s.seen) < 0 || buf_read_u64be(&b, &s.behind_bytes) < 0 ||
	    buf_read_u64be(&b, &s.behind_ns) < 0 || buf_read_u64be(&b, &s.last_ns) < 0 ||
	    buf_read_u64be(&b, &s.again_ns) < 0 || buf_read_u32be(&b, &s.flags) < 0 ||
	    buf_left(&b) > 0)
		return -EBADMSG;
	memcpy(s.boot, boot.data, boot.size);
	memcpy(s.pcr.bytes, pcr.data, DIGEST_SIZE);
	memcpy(s.before_pcr.bytes, before.data, DIGEST_SIZE);
	*ret = s;
	return 0;
}

uint64_t appraise_pcr10_wanted(const struct appraise_pcr10_state *s, uint64_t now_ns)
{
	return s->again_ns && now_ns >= s->again_ns ? 0 : s->n;
}

static bool is_zero(const struct digest *d)
{
	static const struct digest none;

	return digest_equal(d, &none);
}

static int tell_once(struct check *c, uint32_t flag, const char *text)
{
	if (c->s->flags & flag)
		return 0;
	c->s->flags |= flag;
	return c->in->found(c->in->ctx, PLUMB_FINDING_IMA_LIST, text);
}

/* For people: of foreign bytes what can be read. */
static void name_of(const struct imalog_entry *e, char ret[NAME])
{
	const char *name = e->name ? e->name : "";
	size_t n = e->name ? e->name_size : 0;

	n = n < NAME ? n : NAME - 1;
	for (size_t i = 0; i < n; i++)
		ret[i] = name[i] < 0x20 || name[i] > 0x7e ? '?' : name[i];
	ret[n] = 0;
}

static void count(struct tally *t, const struct imalog_entry *e)
{
	if (t->n++ == 0)
		name_of(e, t->first);
}

static int look_at_signature(struct check *c, const struct imalog_entry *e, const struct digest *d)
{
	enum ima_sig_verdict v = IMA_SIG_NONE;
	int r = c->in->sig && !e->violation ? ima_sig_check(c->in->sig, e, d, &v) : 0;

	if (r < 0)
		return r;
	if (v == IMA_SIG_BAD)
		count(&c->bad, e);
	if (v == IMA_SIG_STRANGER)
		count(&c->strangers, e);
	return 0;
}

static int replay_entry(struct check *c, const struct imalog_entry *e)
{
	struct ima_folded f;

	ima_fold_entry(e, &c->pcr, &f);
	if (c->number == 0) {
		c->first = *e;
		c->has_first = true;
	}
	if (!f.counted)
		count(&c->other_pcr, e);
	if (e->violation)
		count(&c->violations, e);
	else if (!f.genuine)
		count(&c->altered, e);
	if (e->template == IMALOG_OTHER)
		count(e->misnamed ? &c->hidden : &c->unknown, e);
	else if (e->misnamed)
		count(&c->misnamed, e);
	return look_at_signature(c, e, &f.data);
}

static void meet(struct check *c)
{
	if (c->met || memcmp(&c->pcr, &c->quoted, sizeof(c->pcr)) != 0)
		return;
	c->met = true;
	c->met_at = c->number;
}

/* From where the replay stands; what follows the quoted value is only read: it comes again, when a quote has it. */
static int replay(struct check *c)
{
	const struct appraise_pcr10_in *in = c->in;
	struct buf_reader b = buf_reader_of(in->entries.data, in->entries.size);
	struct imalog_entry e;
	int more, r = 0;

	meet(c);
	while ((more = imalog_next(&b, DIGEST, &e, c->why)) > 0) {
		if (!c->met)
			r = replay_entry(c, &e);
		if (r < 0)
			return r;
		c->number++;
		meet(c);
	}
	if (more < 0)
		return more;
	return c->number == in->end
		       ? 0
		       : why_set(c->why, -EBADMSG,
				 "IMA list: not the entries from %" PRIu64 " to %" PRIu64, in->from,
				 in->end);
}

static void begin_boot(struct check *c)
{
	struct appraise_pcr10_state *s = c->s;
	const struct appraise_pcr10_in *in = c->in;

	if (strcmp(s->boot, in->boot) != 0) {
		struct appraise_pcr10_state anew = {.reset = in->reset};

		if (s->boot[0] && s->reset == in->reset)
			anew.flags = AFTER_KEXEC;
		snprintf(anew.boot, sizeof(anew.boot), "%s", in->boot);
		*s = anew;
	} else if (s->reset != in->reset) {
		s->reset = in->reset;
		s->flags |= RESET_WITHIN;
	}
}

/* What may explain it, and proves nothing. */
static const char *circumstance(const struct check *c)
{
	if (c->s->flags & RESET_WITHIN)
		return "; the TPM was reset while the kernel went on, as after hibernation: what "
		       "it held of the list is gone";
	if (c->s->flags & AFTER_KEXEC)
		return "; the TPM was not reset before this boot, as after kexec: the list of the "
		       "kernel before is gone, and what it measured is not proven";
	return "";
}

static int tell_absent(struct check *c)
{
	char text[320];

	snprintf(text, sizeof(text), "PCR 10 was extended, and no list of IMA's came%s",
		 circumstance(c));
	return tell_once(c, TOLD_ABSENT, text);
}

static int tell_unmet(struct check *c)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "none of entries %" PRIu64 " to %" PRIu64
		 " leads to the PCR 10 that was quoted: one was left out, changed, added or put "
		 "elsewhere since entry %" PRIu64 ", or the newest were never sent%s",
		 c->s->confirmed, c->in->end, c->s->confirmed, circumstance(c));
	if (c->s->again_ns == 0)
		c->s->again_ns = c->in->now_ns + APPRAISE_PCR10_AGAIN_NS;
	return tell_once(c, TOLD_LIST, text);
}

/* Where the replay may begin: where it ended, where the last evidence began, or at the beginning. */
static int choose_start(struct check *c, bool *ret_good)
{
	struct appraise_pcr10_state *s = c->s;
	const uint64_t from = c->in->from;
	char text[160];

	c->number = from;
	*ret_good = true;
	if (from == s->n) {
		c->pcr = s->pcr;
	} else if (from == 0) {
		memset(&c->pcr, 0, sizeof(c->pcr));
		s->again_ns = 0;
	} else if (from == s->before_n) {
		c->pcr = s->before_pcr;
	} else {
		*ret_good = false;
		if (from > s->n)
			snprintf(text, sizeof(text),
				 "entries %" PRIu64 " to %" PRIu64
				 " were never sent: what follows cannot be replayed",
				 s->n, from);
		else
			snprintf(text, sizeof(text),
				 "entries were sent anew from %" PRIu64
				 " on, where no replay stood: they cannot be replayed",
				 from);
		return tell_once(c, TOLD_LIST, text);
	}
	s->before_n = from;
	s->before_pcr = c->pcr;
	return 0;
}

bool appraise_pcr10_aggregate_is_unknown(const struct appraise_pcr10_state *s)
{
	return s->flags & NO_AGGREGATE;
}

bool appraise_pcr10_stands(const struct appraise_pcr10_state *s)
{
	return s->flags & TOLD;
}

static bool was_extended(const struct quote_pcrs *pcrs)
{
	for (uint32_t i = 0; i < 10; i++)
		if (!is_zero(&pcrs->values[i]))
			return true;
	return false;
}

/*
 * 1: it is of the registers as they are quoted, or as the kernel found them: systemd goes on extending some of them. 0: of others.
 * -EAGAIN: nobody knows what they were.
 */
static int is_aggregate(const struct check *c, const uint8_t *bytes)
{
	struct quote_pcrs before = {.mask = AGGREGATE_MASK};
	struct digest want;
	int r = ima_fold_aggregate(c->in->pcrs, &want);

	if (r < 0 || memcmp(want.bytes, bytes, DIGEST_SIZE) == 0)
		return r < 0 ? r : 1;
	if (!c->in->at_boot)
		return was_extended(c->in->pcrs) ? -EAGAIN : 0;
	memcpy(before.values, c->in->at_boot, 10 * sizeof(before.values[0]));
	r = ima_fold_aggregate(&before, &want);
	return r < 0 ? r : memcmp(want.bytes, bytes, DIGEST_SIZE) == 0;
}

/* The first is what firmware and boot loader left in the TPM when IMA began. */
static int check_aggregate(struct check *c)
{
	const struct imalog_entry *e = &c->first;
	int r;

	if (!c->has_first)
		return 0;
	if (!e->name || e->name_size != strlen("boot_aggregate") ||
	    memcmp(e->name, "boot_aggregate", e->name_size) != 0)
		return tell_once(c, TOLD_AGGREGATE, "the first entry is not boot_aggregate");
	if (!imalog_is_sha256(e))
		return tell_once(c, TOLD_AGGREGATE,
				 "boot_aggregate is not of the SHA-256 bank, and could not be "
				 "checked: no other is quoted");
	if ((c->in->pcrs->mask & AGGREGATE_MASK) != AGGREGATE_MASK)
		return tell_once(c, TOLD_AGGREGATE,
				 "boot_aggregate could not be checked: PCR 0 to 9 are not quoted");
	r = is_aggregate(c, e->file.bytes.data);
	c->s->flags &= ~(uint32_t)NO_AGGREGATE;
	if (r == -EAGAIN)
		c->s->flags |= NO_AGGREGATE;
	if (r != 0)
		return r == -EAGAIN || r > 0 ? 0 : r;
	return tell_once(
		c, TOLD_AGGREGATE,
		"boot_aggregate is not the digest of the quoted PCR 0 to 9, nor of what they were "
		"when the kernel began: the list is of another boot, or somebody extended them "
		"since");
}

/* flag 0: of those that may hide what was measured each is told, also after somebody settled the case of the first. */
static int tell_tally(struct check *c, const struct tally *t, uint32_t flag, enum plumb_finding f,
		      const char *what)
{
	char text[NAME + 200];

	if (t->n == 0)
		return 0;
	snprintf(text, sizeof(text),
		 "%" PRIu64 " of the entries to %" PRIu64 " %s; the first is %s", t->n,
		 c->met ? c->met_at : c->in->end, what, t->first[0] ? t->first : "nameless");
	return flag ? tell_once(c, flag, text) : c->in->found(c->in->ctx, f, text);
}

static int tell_entries(struct check *c)
{
	int r = check_aggregate(c);

	if (r >= 0)
		r = tell_tally(c, &c->altered, 0, PLUMB_FINDING_IMA_LIST,
			       "bear a template digest that is not of their data");
	if (r >= 0)
		r = tell_tally(c, &c->other_pcr, TOLD_OTHER_PCR, PLUMB_FINDING_IMA_LIST,
			       "are of another PCR than 10, which nobody replays");
	if (r >= 0)
		r = tell_tally(c, &c->unknown, TOLD_TEMPLATE, PLUMB_FINDING_IMA_LIST,
			       "have a template that is not known: what they measured was not "
			       "looked at");
	if (r >= 0)
		r = tell_tally(c, &c->hidden, 0, PLUMB_FINDING_IMA_LIST,
			       "have a template that is not known, and hold a digest or a "
			       "signature: what they measured was not looked at");
	if (r >= 0)
		r = tell_tally(c, &c->misnamed, 0, PLUMB_FINDING_IMA_LIST,
			       "bear the name of a template that their data are not of: it hides "
			       "a digest or a signature");
	if (r >= 0)
		r = tell_tally(c, &c->violations, 0, PLUMB_FINDING_IMA_VIOLATION,
			       "are violations: a file was written while IMA measured it");
	if (r >= 0)
		r = tell_tally(c, &c->bad, 0, PLUMB_FINDING_IMA_SIGNATURE,
			       "have a signature that is false");
	if (r >= 0)
		r = tell_tally(c, &c->strangers, 0, PLUMB_FINDING_IMA_SIGNATURE,
			       "have a signature of a key that was not given");
	return r;
}

/* An entry that stood in the list before this quote was made is in it: but for one that the kernel was just about to extend. */
static int on_met(struct check *c)
{
	struct appraise_pcr10_state *s = c->s;
	char text[160];
	int r = 0;

	s->n = s->confirmed = c->met_at;
	s->pcr = c->quoted;
	s->behind_bytes = s->behind_ns = s->again_ns = 0;
	s->flags &= ~(uint32_t)(WAITS | TOLD_LIST | TOLD_BEHIND | TOLD_ABSENT);
	if (c->met_at + 1 >= s->seen) {
		s->flags &= ~(uint32_t)TOLD_AHEAD;
	} else {
		snprintf(text, sizeof(text),
			 "entries %" PRIu64 " to %" PRIu64
			 " stood in the list, and PCR 10 was never extended with them",
			 c->met_at, s->seen);
		r = tell_once(c, TOLD_AHEAD, text);
	}
	return r;
}

static int on_unmet(struct check *c)
{
	struct appraise_pcr10_state *s = c->s;
	const struct appraise_pcr10_in *in = c->in;
	const uint64_t gap = in->now_ns > s->last_ns ? in->now_ns - s->last_ns : 0;

	s->n = in->end;
	s->pcr = c->pcr;
	if (in->entries.size > WIRE_MAX_IMA / 2) { /* as much as one evidence takes: more follows */
		s->behind_bytes += in->entries.size;
		s->behind_ns += s->last_ns == 0 ? 0 : gap < GAP_NS ? gap : GAP_NS;
		if (s->behind_bytes <= APPRAISE_PCR10_MAX_BEHIND &&
		    s->behind_ns <= APPRAISE_PCR10_MAX_BEHIND_NS)
			return 0;
		return tell_once(c, TOLD_BEHIND,
				 "entries come and come, and none of them leads to the PCR 10 that "
				 "was quoted");
	}
	if (!in->after_quote && !(s->flags & WAITS)) {
		s->flags |= WAITS;
		return 0;
	}
	return tell_unmet(c);
}

/* The TPM's driver came after IMA, which goes on without it then: nothing proves the list. */
static int on_no_tpm(struct check *c)
{
	char text[160];
	int r;

	c->s->flags |= NO_TPM;
	c->met = true;
	c->number = c->in->from;
	r = replay(c);
	if (r < 0)
		return r;
	c->s->n = c->in->end;
	snprintf(text, sizeof(text),
		 "%" PRIu64 " entries, and PCR 10 was extended with none: IMA began without this "
		 "TPM, and nothing proves the list",
		 c->in->end);
	return c->in->end > 1 ? tell_once(c, TOLD_NO_TPM, text) : 0;
}

static int check_list(struct check *c)
{
	bool good;
	int r = choose_start(c, &good);

	if (r < 0 || !good)
		return r;
	r = replay(c);
	if (r >= 0)
		r = tell_entries(c);
	if (r >= 0)
		r = c->met ? on_met(c) : on_unmet(c);
	return r;
}

int appraise_pcr10(const struct appraise_pcr10_in *in, struct appraise_pcr10_state *state,
		   struct why *ret_why)
{
	struct check c = {.in = in, .s = state, .why = ret_why};
	char text[96];
	int r;

	begin_boot(&c);
	c.quoted = in->pcrs->values[IMA_FOLD_PCR];
	if (!(in->pcrs->mask & 1u << IMA_FOLD_PCR)) {
		snprintf(text, sizeof(text), "%" PRIu64 " entries came, and no quote has PCR 10",
			 in->end);
		return in->end > 0 ? tell_once(&c, TOLD_UNQUOTED, text) : 0;
	}
	if (in->end == 0)
		return is_zero(&c.quoted) ? 0 : tell_absent(&c);
	if (is_zero(&c.quoted) && (state->n == 0 || state->flags & NO_TPM))
		r = on_no_tpm(&c);
	else
		r = check_list(&c);
	state->seen = in->end;
	state->last_ns = in->now_ns;
	return r;
}
