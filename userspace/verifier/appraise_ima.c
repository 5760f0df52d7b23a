/* SPDX-License-Identifier: Apache-2.0 */
#include "appraise_ima.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "imalog.h"
#include "jsonl.h"
#include "line.h"
#include "plumb/wire.h"

#define STATE_VERSION 2
#define OLD_STATE 1 /* did not keep whether the agent had begun */
#define DIGEST 20u /* of the templates in the list that nodes send */
#define MAX_WANTED 8192u /* entries of one evidence: its bound in bytes lets no more in */
#define WINDOW 4096u /* lines that are read at once */

/* An entry that is looked for in the lines. */
struct wanted {
	struct digest digest;
	uint64_t since_ns;
	const char *name;
	size_t name_size;
	bool met;
};

struct check {
	const struct appraise_ima_in *in;
	struct appraise_ima_state *state;
	struct why *why;
	struct wanted *wanted;
	uint32_t n;
	bool lost; /* the lines since last time say that something is missing */
	bool unbegun; /* they say that the agent is ready, and not that it began */
};

void appraise_ima_state_done(struct appraise_ima_state *s)
{
	free(s->owed);
	*s = (struct appraise_ima_state){.cursor = 0};
}

int appraise_ima_state_write(const struct appraise_ima_state *s, struct buf *ret)
{
	buf_put_u8(ret, STATE_VERSION);
	buf_put(ret, s->boot, sizeof(s->boot));
	buf_put_u64be(ret, s->boot_line);
	buf_put_u64be(ret, s->next_line);
	buf_put_u64be(ret, s->newest_ns);
	buf_put_u64be(ret, s->cursor);
	buf_put_u64be(ret, s->skip_to);
	buf_put_u8(ret, s->programs);
	buf_put_u8(ret, s->starting);
	buf_put_u32be(ret, s->n_owed);
	for (uint32_t i = 0; i < s->n_owed; i++) {
		buf_put(ret, s->owed[i].digest.bytes, DIGEST_SIZE);
		buf_put_u64be(ret, s->owed[i].since_ns);
		buf_put(ret, s->owed[i].name, APPRAISE_IMA_NAME);
	}
	return buf_status(ret);
}

static int read_owed(struct buf_reader *b, struct appraise_ima_owed *o)
{
	struct buf_view digest, name;

	if (buf_read_bytes(b, DIGEST_SIZE, &digest) < 0 || buf_read_u64be(b, &o->since_ns) < 0 ||
	    buf_read_bytes(b, APPRAISE_IMA_NAME, &name) < 0 ||
	    name.data[APPRAISE_IMA_NAME - 1] != 0)
		return -EBADMSG;
	memcpy(o->digest.bytes, digest.data, DIGEST_SIZE);
	memcpy(o->name, name.data, APPRAISE_IMA_NAME);
	return 0;
}

int appraise_ima_state_parse(const void *data, size_t size, struct appraise_ima_state *ret)
{
	struct appraise_ima_state s = {.cursor = 0};
	struct buf_reader b = buf_reader_of(data, size);
	uint8_t version, programs, starting = 1;
	struct buf_view boot;
	int r = 0;

	if (buf_read_u8(&b, &version) < 0 || version < OLD_STATE || version > STATE_VERSION ||
	    buf_read_bytes(&b, sizeof(s.boot), &boot) < 0 || boot.data[boot.size - 1] != 0 ||
	    buf_read_u64be(&b, &s.boot_line) < 0 || buf_read_u64be(&b, &s.next_line) < 0 ||
	    buf_read_u64be(&b, &s.newest_ns) < 0 || buf_read_u64be(&b, &s.cursor) < 0 ||
	    buf_read_u64be(&b, &s.skip_to) < 0 || buf_read_u8(&b, &programs) < 0 || programs > 1 ||
	    (version > OLD_STATE && buf_read_u8(&b, &starting) < 0) || starting > 1 ||
	    buf_read_u32be(&b, &s.n_owed) < 0 || s.n_owed > APPRAISE_IMA_MAX_OWED)
		return -EBADMSG;
	memcpy(s.boot, boot.data, boot.size);
	s.programs = programs;
	s.starting = starting;
	s.owed = s.n_owed ? calloc(s.n_owed, sizeof(*s.owed)) : NULL;
	if (s.n_owed && !s.owed)
		return -ENOMEM;
	for (uint32_t i = 0; i < s.n_owed && r >= 0; i++)
		r = read_owed(&b, &s.owed[i]);
	if (r >= 0 && buf_left(&b) > 0)
		r = -EBADMSG;
	if (r < 0)
		free(s.owed);
	else
		*ret = s;
	return r;
}

/* The list begins anew with each boot, and so does all that was left over. */
static void begin_boot(struct appraise_ima_state *s, const char *boot, uint64_t seq)
{
	struct appraise_ima_state anew = {.boot_line = seq, .next_line = s->next_line};

	snprintf(anew.boot, sizeof(anew.boot), "%s", boot);
	appraise_ima_state_done(s);
	*s = anew;
}

static void take_start(struct check *c, const json_t *o)
{
	struct appraise_ima_state *s = c->state;
	const char *covers = "", *phase = "";
	uint64_t n = 0;

	(void)jsonl_get_str(o, "phase", 32, &phase, NULL);
	/* That it began says since when nobody looked, or that is told: only then something may have been measured unseen. */
	if (!json_object_get(o, "phase"))
		s->starting = true;
	if (strcmp(phase, "ready") != 0) /* a start has other phases, and may have more */
		return;
	if (!s->starting) {
		c->unbegun = true;
		return;
	}
	s->starting = false;
	(void)jsonl_get_str(o, "ima_measures", 32, &covers, NULL);
	s->programs = jsonl_get_uint(o, "ima", INT64_MAX, &n, NULL) >= 0 &&
		      strcmp(covers, "programs") == 0;
	/* What came before it was told to somebody else, or to nobody: then there was a gap. */
	if (n > s->skip_to)
		s->skip_to = n;
	c->lost = false;
}

/* A quotation mark inside a text is written with a backslash, so these are the members themselves. */
static bool tells_something(const char *text, size_t size)
{
	static const char *const signs[] = {"\"type\":\"start\"", "\"type\":\"lost\"",
					    "\"type\":\"gap\"", "\"dropped_by\":{"};

	for (size_t i = 0; i < ARRAY_SIZE(signs); i++)
		if (memmem(text, size, signs[i], strlen(signs[i])))
			return true;
	return false;
}

/* Each boot has a start line, and the newest line has the time: most others need not be parsed again. */
static int look_at(void *ctx, uint64_t seq, const char *text, size_t size)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	struct check *c = ctx;
	struct appraise_ima_state *s = c->state;
	struct why why = {""};
	struct line l;
	int r;

	s->next_line = seq + 1;
	if (s->next_line < c->in->head && !tells_something(text, size))
		return 0;
	r = line_parse(text, size, &o, &l, &why);

	if (r < 0 || !l.boot)
		return r < 0 ? r : -EBADMSG;
	if (strcmp(s->boot, l.boot) != 0)
		begin_boot(s, l.boot, seq);
	s->newest_ns = l.boot_ns;
	c->lost |= l.type == PLUMB_TYPE_LOST || l.type == PLUMB_TYPE_GAP ||
		   (l.type == PLUMB_TYPE_COUNTERS && json_object_get(o, "dropped_by"));
	if (l.type == PLUMB_TYPE_START)
		take_start(c, o);
	return 0;
}

static int by_digest(const void *a, const void *b)
{
	return memcmp(((const struct wanted *)a)->digest.bytes,
		      ((const struct wanted *)b)->digest.bytes, DIGEST_SIZE);
}

/* What was measured instead of a file is in the list itself; a template's name alone does not make it that. */
static bool is_of_buffer(const struct imalog_entry *e)
{
	struct digest d;

	return e->buffer.size > 0 && digest_sha256(e->buffer.data, e->buffer.size, &d) >= 0 &&
	       memcmp(d.bytes, e->file.bytes.data, DIGEST_SIZE) == 0;
}

static bool is_first(const struct imalog_entry *e, uint64_t number)
{
	return number == 0 && e->name && strcmp(e->name, "boot_aggregate") == 0;
}

static bool is_compared(const struct appraise_ima_state *s, const struct imalog_entry *e,
			uint64_t number)
{
	return s->programs && number >= s->skip_to && number >= s->cursor && !e->violation &&
	       !e->verity && imalog_is_sha256(e) && !is_first(e, number) && !is_of_buffer(e);
}

static int want_entries(struct check *c)
{
	const struct appraise_ima_in *in = c->in;
	struct buf_reader r = buf_reader_of(in->entries.data, in->entries.size);
	struct imalog_entry e;
	uint64_t number = in->from;
	int n;

	while ((n = imalog_next(&r, DIGEST, &e, c->why)) > 0) {
		struct wanted *w = &c->wanted[c->n];

		if (number++ >= in->cursor)
			break;
		if (!is_compared(c->state, &e, number - 1))
			continue;
		if (c->n == MAX_WANTED)
			return why_set(c->why, -EBADMSG, "IMA list: more than %u entries",
				       MAX_WANTED);
		memcpy(w->digest.bytes, e.file.bytes.data, DIGEST_SIZE);
		*w = (struct wanted){w->digest, c->state->newest_ns, e.name, e.name_size, false};
		c->n++;
	}
	if (n < 0)
		return n;
	return n == 0 && number == in->cursor
		       ? 0
		       : why_set(c->why, -EBADMSG,
				 "IMA list: not the entries from %" PRIu64 " to %" PRIu64, in->from,
				 in->cursor);
}

static void want_owed(struct check *c)
{
	for (uint32_t i = 0; i < c->state->n_owed; i++) {
		const struct appraise_ima_owed *o = &c->state->owed[i];

		c->wanted[c->n++] = (struct wanted){o->digest, o->since_ns, o->name,
						    strnlen(o->name, sizeof(o->name)), false};
	}
}

/* A line without a digest is one all the same: then the path must do. */
static void meet_unmeasured(struct check *c, const char *text, size_t size)
{
	static const char sign[] = "\"key\":\"exec:", unmeasured[] = "\"found\":\"unmeasured";
	const char *at = memmem(text, size, sign, sizeof(sign) - 1), *end;

	if (!at || !memmem(text, size, unmeasured, sizeof(unmeasured) - 1))
		return;
	at += sizeof(sign) - 1;
	end = memchr(at, '"', (size_t)(text + size - at));
	for (uint32_t i = 0; end && i < c->n; i++)
		c->wanted[i].met |= c->wanted[i].name_size == (size_t)(end - at) &&
				    memcmp(c->wanted[i].name, at, (size_t)(end - at)) == 0;
}

/* In the lines of programs, of what they map and of what the kernel takes: that a file was written with these bytes does not tell that it ran. */
static bool is_of_content(const char *text, size_t size)
{
	static const char type[] = "\"type\":\"file\"", key[] = "\"key\":\"file:";

	return memmem(text, size, type, sizeof(type) - 1) ||
	       memmem(text, size, key, sizeof(key) - 1);
}

static int meet(void *ctx, uint64_t seq, const char *text, size_t size)
{
	static const char sign[] = "\"found\":\"sha256:";
	const size_t n = sizeof(sign) - 1;
	struct check *c = ctx;
	const char *at = memmem(text, size, sign, n);
	struct wanted key = {.met = false}, *w;

	(void)seq;
	if (is_of_content(text, size))
		return 0;
	if (!at)
		meet_unmeasured(c, text, size);
	if (!at || (size_t)(text + size - at) < n + 64 ||
	    digest_bytes_from_hex(at + n, 64, key.digest.bytes, DIGEST_SIZE) < 0)
		return 0;
	w = bsearch(&key, c->wanted, c->n, sizeof(*w), by_digest);
	if (!w)
		return 0;
	/* The same file may have been measured on several file systems. */
	for (struct wanted *k = w; k >= c->wanted && by_digest(k, w) == 0; k--)
		k->met = true;
	for (struct wanted *k = w; k < c->wanted + c->n && by_digest(k, w) == 0; k++)
		k->met = true;
	return 0;
}

/* For people: of foreign bytes what can be read. */
static void name_of(const struct wanted *w, char ret[APPRAISE_IMA_NAME])
{
	size_t n = w->name_size < APPRAISE_IMA_NAME ? w->name_size : APPRAISE_IMA_NAME - 1;

	memset(ret, 0, APPRAISE_IMA_NAME);
	for (size_t i = 0; i < n; i++)
		ret[i] = w->name[i] < 0x20 || w->name[i] > 0x7e ? '?' : w->name[i];
}

static int tell(struct check *c, const struct wanted *w)
{
	char hex[DIGEST_HEX_SIZE], name[APPRAISE_IMA_NAME], text[APPRAISE_IMA_NAME + 160];

	digest_hex(&w->digest, hex);
	name_of(w, name);
	snprintf(text, sizeof(text), "%s sha256:%s is in IMA's list and in no line", name, hex);
	return c->in->found(c->in->ctx, text);
}

/* What has no line is owed at first, then told; what was lost meanwhile explains it. */
static int settle(struct check *c)
{
	struct appraise_ima_state *s = c->state;
	struct appraise_ima_owed *owed = calloc(APPRAISE_IMA_MAX_OWED, sizeof(*owed));
	uint32_t n = 0, more = 0;
	char text[96];
	int r = owed ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < c->n && r >= 0; i++) {
		const struct wanted *w = &c->wanted[i];

		if (w->met || c->lost)
			continue;
		if (s->newest_ns - w->since_ns >= APPRAISE_IMA_LAG_NS) {
			r = tell(c, w);
		} else if (n == APPRAISE_IMA_MAX_OWED) {
			more++;
		} else {
			owed[n].digest = w->digest;
			owed[n].since_ns = w->since_ns;
			name_of(w, owed[n].name);
			n++;
		}
	}
	if (r >= 0 && more > 0) {
		snprintf(text, sizeof(text),
			 "%u entries of IMA's list came too fast to be compared", more);
		r = c->in->found(c->in->ctx, text);
	}
	free(r < 0 ? owed : s->owed);
	if (r < 0)
		return r;
	s->owed = owed;
	s->n_owed = n;
	return 0;
}

static bool all_met(const struct check *c)
{
	for (uint32_t i = 0; i < c->n; i++)
		if (!c->wanted[i].met)
			return false;
	return true;
}

/* From the newest line back: what ran now was told now, and a node may have told millions of lines since it booted. */
static int meet_lines(struct check *c)
{
	const uint64_t first = c->state->boot_line;
	uint64_t to = c->in->head, from;
	int r = 0;

	while (r >= 0 && to > first && !all_met(c)) {
		from = to - first > WINDOW ? to - WINDOW : first;
		r = c->in->lines(c->in->ctx, from, to, meet, c);
		to = from;
	}
	return r;
}

/* What a start says of the list keeps entries from being compared: it holds for a start, and for no more entries than there are. */
static int check_start(struct check *c)
{
	const struct appraise_ima_in *in = c->in;
	struct appraise_ima_state *s = c->state;
	char text[160];
	int r = 0;

	if (c->unbegun)
		r = in->found(in->ctx,
			      "the agent says that it is ready, and it did not begin: what it "
			      "says of IMA's list is not believed");
	/* As much as one evidence takes: more follows. */
	if (r < 0 || !s->programs || s->skip_to <= s->cursor || in->entries.size > WIRE_MAX_IMA / 2)
		return r;
	snprintf(text, sizeof(text),
		 "%" PRIu64 " entries stood in IMA's list when the agent was ready, it says, and "
		 "the list has %" PRIu64,
		 s->skip_to, s->cursor);
	s->skip_to = s->cursor;
	return in->found(in->ctx, text);
}

static int compare(struct check *c)
{
	const struct appraise_ima_in *in = c->in;
	struct appraise_ima_state *s = c->state;
	char text[128];
	int r = 0;

	if (in->cursor > in->from && in->from > s->cursor) {
		snprintf(text, sizeof(text),
			 "entries %" PRIu64 " to %" PRIu64 " of IMA's list were never sent",
			 s->cursor, in->from);
		r = in->found(in->ctx, text);
	}
	if (r >= 0)
		r = want_entries(c);
	if (r < 0)
		return r;
	want_owed(c);
	if (c->n > 0) {
		qsort(c->wanted, c->n, sizeof(*c->wanted), by_digest);
		r = meet_lines(c);
	}
	if (r >= 0)
		r = settle(c);
	if (in->cursor > s->cursor)
		s->cursor = in->cursor;
	return r < 0 ? r : check_start(c);
}

int appraise_ima(const struct appraise_ima_in *in, struct appraise_ima_state *state,
		 struct why *ret_why)
{
	struct check c = {.in = in, .state = state, .why = ret_why};
	int r = 0;

	if (in->head > state->next_line)
		r = in->lines(in->ctx, state->next_line, in->head, look_at, &c);
	/* Stored lines were read before: it is not the evidence's fault when one cannot be now. */
	if (r < 0)
		return r == -EBADMSG ? -EIO : r;
	c.wanted = calloc(MAX_WANTED + APPRAISE_IMA_MAX_OWED, sizeof(*c.wanted));
	if (!c.wanted)
		return -ENOMEM;
	r = compare(&c);
	free(c.wanted);
	return r;
}
