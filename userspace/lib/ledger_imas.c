/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger_imas.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "ima_fold.h"

#define NAME 100

static void plain_boot(const char *boot, char ret[LEDGER_IMA_BOOT_SIZE])
{
	size_t n = 0;

	for (; boot && *boot && n + 1 < LEDGER_IMA_BOOT_SIZE; boot++)
		if (*boot != '-')
			ret[n++] = *boot;
	ret[n] = 0;
}

/* Doubles whenever the number is a power of two. NULL: no room, or no memory. */
static void *more_room(void *of, uint32_t n, size_t size)
{
	return (n & (n - 1)) == 0 ? realloc(of, (n ? n * 2ul : 1) * size) : of;
}

int ledger_imas_quote(struct ledger_imas *m, uint64_t line, const char *boot, uint32_t reset_count,
		      const struct quote_pcrs *pcrs, uint64_t cursor)
{
	struct ledger_imas_quote q = {.pcr = pcrs->values[IMA_FOLD_PCR],
				      .first_line = line,
				      .last_line = line,
				      .n = 1,
				      .cursor = cursor,
				      .cursor_line = line,
				      .reset_count = reset_count,
				      .quoted = pcrs->mask & 1u << IMA_FOLD_PCR};
	struct ledger_imas_quote *last = m->n_quotes ? &m->quotes[m->n_quotes - 1] : NULL;
	void *room;

	plain_boot(boot, q.boot);
	if (last && strcmp(last->boot, q.boot) == 0 && last->reset_count == reset_count &&
	    last->quoted == q.quoted && digest_equal(&last->pcr, &q.pcr)) {
		last->last_line = line;
		last->n++;
		if (cursor > last->cursor) {
			last->cursor = cursor;
			last->cursor_line = line;
		}
		return 0;
	}
	if (m->n_quotes == LEDGER_IMAS_MAX_MARKS) {
		m->more++;
		m->unread++;
		return 0;
	}
	room = more_room(m->quotes, m->n_quotes, sizeof(q));
	if (!room)
		return -ENOMEM;
	m->quotes = room;
	m->quotes[m->n_quotes++] = q;
	return 0;
}

int ledger_imas_line(struct ledger_imas *m, uint64_t line, const char *boot, const json_t *o,
		     struct why *ret_why)
{
	struct ledger_imas_seal s = {.line = line};
	char own[LEDGER_IMA_BOOT_SIZE];
	struct ledger_ima_file f;
	bool packed;
	void *room;

	if (ledger_ima_seal_read(o, &s.seal, ret_why) < 0)
		return 1;
	plain_boot(boot, own);
	if (ledger_ima_name_read(s.seal.list, &f, &packed) < 0 || strcmp(f.boot, own) != 0)
		return why_set(ret_why, 1, "\"list\" is of another boot");
	if (m->n_seals == LEDGER_IMAS_MAX_MARKS) {
		m->more++;
		m->unread++;
		return 0;
	}
	room = more_room(m->seals, m->n_seals, sizeof(s));
	if (!room)
		return -ENOMEM;
	m->seals = room;
	m->seals[m->n_seals++] = s;
	return 0;
}

void ledger_imas_done(struct ledger_imas *m)
{
	free(m->quotes);
	free(m->seals);
	m->quotes = NULL;
	m->seals = NULL;
	m->n_quotes = m->n_seals = 0;
}

/* The files that are there. unknown: they could not be listed. */
struct files {
	struct ledger_ima_file *files;
	uint32_t n;
	bool unknown;
};

static void files_done(struct files *f)
{
	free(f->files);
}

/* The newest of that name or, where it has none, of that boot; NULL: there is none. */
static const struct ledger_ima_file *find(const struct files *f, const char *boot, const char *list)
{
	for (uint32_t i = f->n; i-- > 0;)
		if (list[0] ? strcmp(f->files[i].name, list) == 0
			    : strcmp(f->files[i].boot, boot) == 0)
			return &f->files[i];
	return NULL;
}

/* What had no room and is not there could not have been checked either: as anywhere, that takes nothing from the lines. */
static struct ledger_imas_one *add_list(struct ledger_imas *m, const struct files *there,
					const char *boot, const char *list)
{
	struct ledger_imas_one *o;

	if (m->n == LEDGER_IMAS_MAX) {
		m->more++;
		m->unread += there->unknown || find(there, boot, list);
		return NULL;
	}
	o = &m->lists[m->n++];
	*o = (struct ledger_imas_one){.first_line = UINT64_MAX};
	snprintf(o->boot, sizeof(o->boot), "%s", boot);
	snprintf(o->list, sizeof(o->list), "%s", list);
	return o;
}

/* Quotes of a boot are held against its newest list: a list was begun anew where the one before was no longer what it had been. */
static const struct ledger_imas_one *list_of(const struct ledger_imas *m, const char *boot)
{
	for (uint32_t i = m->n; i-- > 0;)
		if (strcmp(m->lists[i].boot, boot) == 0)
			return &m->lists[i];
	return NULL;
}

static bool is_of(const struct ledger_imas *m, const struct ledger_imas_quote *q,
		  const struct ledger_imas_one *o)
{
	return strcmp(q->boot, o->boot) == 0 && list_of(m, o->boot) == o;
}

/* By name: the oldest first. */
static int by_list(const void *a, const void *b)
{
	const struct ledger_imas_one *x = a, *y = b;
	int r = strcmp(x->list, y->list);

	return r ? r : x->first_line < y->first_line ? -1 : 1;
}

static void collect_seals(struct ledger_imas *m, const struct files *there)
{
	for (uint32_t i = m->n_seals; i-- > 0;) {
		const char *list = m->seals[i].seal.list;
		bool known = i + 1 < m->n_seals && strcmp(list, m->seals[i + 1].seal.list) == 0;

		m->seals[i].held = false;
		for (uint32_t k = 0; k < m->n && !known; k++)
			known = strcmp(m->lists[k].list, list) == 0;
		if (!known)
			add_list(m, there, (const char[]){0}, list);
	}
	for (uint32_t i = 0; i < m->n; i++)
		plain_boot(m->lists[i].list + 21, m->lists[i].boot);
	if (m->n > 1)
		qsort(m->lists, m->n, sizeof(*m->lists), by_list);
}

/* No line that is here sealed it: its lines were pruned, or are in another part; or nothing was kept. */
static struct ledger_imas_one *add_unsealed(struct ledger_imas *m, const struct files *there,
					    const char *boot)
{
	const struct ledger_ima_file *f = find(there, boot, "");
	struct ledger_imas_one *o;

	for (uint32_t i = 0; i < m->n_seals && m->n == LEDGER_IMAS_MAX; i++)
		if (strncmp(m->seals[i].seal.list + 21, boot, LEDGER_IMA_BOOT_SIZE - 1) == 0)
			return NULL; /* one did, and had no room */
	o = add_list(m, there, boot, f ? f->name : "");
	m->unread += o && there->unknown;
	return o;
}

static void collect_quotes(struct ledger_imas *m, const struct files *there)
{
	uint32_t n_sealed = m->n;

	for (uint32_t i = m->n_quotes; i-- > 0;) {
		struct ledger_imas_quote *q = &m->quotes[i];
		const struct ledger_imas_one *known = list_of(m, q->boot);
		struct ledger_imas_one *o = known ? &m->lists[known - m->lists] : NULL;

		q->met = false;
		if (!o && (i + 1 == m->n_quotes || strcmp(q->boot, m->quotes[i + 1].boot) != 0))
			o = add_unsealed(m, there, q->boot);
		if (!o)
			continue;
		o->first_line = q->first_line < o->first_line ? q->first_line : o->first_line;
		o->last_line = q->last_line > o->last_line ? q->last_line : o->last_line;
		o->n_quotes += q->n;
	}
	if (m->n - n_sealed > 1)
		qsort(m->lists + n_sealed, m->n - n_sealed, sizeof(*m->lists), by_list);
}

/* The newest get the room: those are the ones that are kept. */
static void collect(struct ledger_imas *m)
{
	CLEANUP(files_done) struct files there = {NULL, 0, false};

	there.unknown = ledger_ima_list(m->dir, &there.files, &there.n) < 0;
	collect_seals(m, &there);
	collect_quotes(m, &there);
}

/* One reading of one list. */
struct reading {
	struct ledger_imas *m;
	struct ledger_imas_one *o;
	struct ledger_ima_reader *in;
	struct ledger_imas_quote **wanted; /* sorted by their registers */
	uint32_t n_wanted;
	struct ledger_imas_seal **seals; /* sorted by their entries */
	uint32_t n_seals, at_seal;
	struct ledger_imas_seal *broken; /* the first that is not what is there */
	uint64_t held; /* entries that the seal before it has */
	struct digest pcr;
	struct ledger_imas_tally tally;
	uint64_t altered; /* the first entry whose digest is not of its data */
	uint64_t sealed_line; /* the last line that sealed all that there was then; 0: none */
	bool moved; /* the register did not begin with this list, or not only once */
	char name[NAME]; /* of that one */
	struct why broke; /* why the reading ended before the end */
};

static void reading_done(struct reading *g)
{
	ledger_ima_free(g->in);
	free(g->wanted);
	free(g->seals);
}

static int by_pcr(const void *a, const void *b)
{
	const struct ledger_imas_quote *const *x = a, *const *y = b;

	return memcmp((*x)->pcr.bytes, (*y)->pcr.bytes, DIGEST_SIZE);
}

static int by_entries(const void *a, const void *b)
{
	const struct ledger_imas_seal *const *x = a, *const *y = b;

	return (*x)->seal.entries < (*y)->seal.entries	 ? -1
	       : (*x)->seal.entries > (*y)->seal.entries ? 1
	       : (*x)->line < (*y)->line		 ? -1
							 : 1;
}

/* The register has this value now: of several quotes each that has it is met, here or further on. */
static void meet(struct reading *g)
{
	struct ledger_imas_one *o = g->o;
	uint32_t lo = 0, hi = g->n_wanted;

	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;

		if (memcmp(g->wanted[mid]->pcr.bytes, g->pcr.bytes, DIGEST_SIZE) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < g->n_wanted && digest_equal(&g->wanted[lo]->pcr, &g->pcr); lo++) {
		g->wanted[lo]->met = true;
		g->wanted[lo]->met_at = ledger_ima_count(g->in);
		o->proven = ledger_ima_count(g->in);
		o->proven_bytes = ledger_ima_bytes(g->in);
		o->tally = g->tally;
	}
}

/* Lines that sealed as many entries as were read. */
static int hold(struct reading *g)
{
	uint64_t n = ledger_ima_count(g->in);
	struct digest is;
	int r = 0;

	while (!g->broken && g->at_seal < g->n_seals && g->seals[g->at_seal]->seal.entries == n) {
		struct ledger_imas_seal *s = g->seals[g->at_seal];

		r = ledger_ima_digest(g->in, &is);
		if (r < 0)
			return r;
		if (s->seal.bytes != ledger_ima_bytes(g->in) ||
		    !digest_equal(&is, &s->seal.sha256)) {
			g->broken = s;
			return 0;
		}
		s->held = true;
		g->held = n;
		g->at_seal++;
	}
	return 0;
}

static int count(struct reading *g, const struct imalog_entry *e, const struct ima_folded *f)
{
	bool is_signed = e->signature.size > 0 || e->modsig.size > 0;
	enum ima_sig_verdict v = is_signed ? IMA_SIG_STRANGER : IMA_SIG_NONE;
	int r = is_signed && g->m->sig ? ima_sig_check(g->m->sig, e, &f->data, &v) : 0;

	g->tally.violations += e->violation;
	g->tally.other_pcr += !f->counted;
	g->tally.unknown += e->template == IMALOG_OTHER;
	g->tally.sig_good += v == IMA_SIG_GOOD;
	g->tally.sig_bad += v == IMA_SIG_BAD;
	g->tally.sig_unchecked += v == IMA_SIG_STRANGER;
	if (!f->genuine && !e->violation && g->tally.altered++ == 0) {
		g->altered = ledger_ima_count(g->in) - 1;
		snprintf(g->name, sizeof(g->name), "%.*s", (int)e->name_size,
			 e->name ? e->name : "nameless");
	}
	return r;
}

/* < 0: ours; what is wrong with the file is in broke. */
static int read_all(struct reading *g)
{
	struct imalog_entry e;
	struct ima_folded f;
	int r = hold(g), more = 1;

	meet(g);
	while (r >= 0 && more > 0) {
		more = ledger_ima_next(g->in, &e, &g->broke);
		if (more <= 0)
			break;
		ima_fold_entry(&e, &g->pcr, &f);
		r = count(g, &e, &f);
		if (r >= 0)
			r = hold(g);
		meet(g);
	}
	g->o->entries = ledger_ima_count(g->in);
	g->o->bytes = ledger_ima_bytes(g->in);
	if (r < 0)
		return r;
	return more == 0 || more == -EBADMSG || more == -EFBIG || more == -ENODATA ? 0 : more;
}

static int choose(struct reading *g)
{
	struct ledger_imas *m = g->m;

	g->wanted = calloc(m->n_quotes + 1ul, sizeof(void *));
	g->seals = calloc(m->n_seals + 1ul, sizeof(void *));
	if (!g->wanted || !g->seals)
		return -ENOMEM;
	for (uint32_t i = 0; i < m->n_quotes; i++)
		if (m->quotes[i].quoted && is_of(m, &m->quotes[i], g->o))
			g->wanted[g->n_wanted++] = &m->quotes[i];
	for (uint32_t i = 0; i < m->n_seals; i++)
		if (strcmp(m->seals[i].seal.list, g->o->list) == 0)
			g->seals[g->n_seals++] = &m->seals[i];
	qsort(g->wanted, g->n_wanted, sizeof(void *), by_pcr);
	qsort(g->seals, g->n_seals, sizeof(void *), by_entries);
	return 0;
}

static void say(struct ledger_imas_one *o, enum ledger_boot_result result, uint64_t line,
		const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The first thing that is wrong is told; bad outweighs what is only not proven. */
static void say(struct ledger_imas_one *o, enum ledger_boot_result result, uint64_t line,
		const char *format, ...)
{
	va_list ap;

	if (o->result == LEDGER_BOOT_BAD ||
	    (o->why[0] && (result != LEDGER_BOOT_BAD || o->result == result)))
		return;
	va_start(ap, format);
	vsnprintf(o->why, sizeof(o->why), format, ap);
	va_end(ap);
	o->result = result;
	o->at_line = line;
}

static void judge_seals(struct reading *g)
{
	const struct ledger_imas_seal *s = g->broken;
	/* Behind the last entry that is sealed or quoted anything may lie: a power cut leaves zeros there. */
	bool named = g->tally.altered > 0 && g->altered >= g->held &&
		     g->altered < (s ? s->seal.entries : g->o->proven);
	char more[NAME + 80] = "";

	if (named)
		snprintf(more, sizeof(more), "; entry %" PRIu64 ", %s, has a digest of other data",
			 g->altered, g->name);
	if (s)
		say(g->o, LEDGER_BOOT_BAD, s->line,
		    "entries %" PRIu64 " to %" PRIu64 " are not those that line %" PRIu64
		    " sealed%s",
		    g->held, s->seal.entries - 1, s->line, more);
	else if (g->at_seal < g->n_seals) {
		s = g->seals[g->at_seal];
		say(g->o, LEDGER_BOOT_BAD, s->line,
		    "line %" PRIu64 " sealed %" PRIu64 " entries, and %" PRIu64
		    " are there: it was cut%s%.100s",
		    s->line, s->seal.entries, g->o->entries, g->broke.text[0] ? "; " : "",
		    g->broke.text);
	} else if (named)
		say(g->o, LEDGER_BOOT_BAD, g->sealed_line,
		    "entry %" PRIu64 ", %s, has a digest of other data", g->altered, g->name);
}

/* The register began anew while this kernel ran: it was resumed from a disk. */
static bool was_reset(const struct reading *g)
{
	for (uint32_t i = 1; i < g->n_wanted; i++)
		if (g->wanted[i]->reset_count != g->wanted[0]->reset_count)
			return true;
	return false;
}

/* By kexec: an earlier kernel's quotes have the same count. The last of them; NULL: none. */
static const struct ledger_imas_quote *before(const struct ledger_imas *m,
					      const struct ledger_imas_one *o)
{
	const struct ledger_imas_quote *first = NULL, *last = NULL;

	for (uint32_t i = 0; i < m->n_quotes && !first; i++) {
		if (strcmp(m->quotes[i].boot, o->boot) == 0)
			first = &m->quotes[i];
		else
			last = &m->quotes[i];
	}
	return first && last && first->reset_count == last->reset_count ? last : NULL;
}

static void judge_quote(struct reading *g, const struct ledger_imas_quote *q)
{
	static const struct digest none;
	struct ledger_imas_one *o = g->o;

	if (q->met && q->met_at + 1 >= q->cursor) {
		o->n_proven += q->n;
		return;
	}
	if (digest_equal(&q->pcr, &none))
		say(o, LEDGER_BOOT_UNPROVEN, 0,
		    "PCR 10 was extended with none of it: IMA began without this TPM");
	else if (q->met)
		say(o, LEDGER_BOOT_BAD, q->cursor_line,
		    "entries %" PRIu64 " to %" PRIu64 " stood in the list before the quote in line "
		    "%" PRIu64 ", and PCR 10 was never extended with them",
		    q->met_at, q->cursor - 1, q->cursor_line);
	else if (g->moved)
		say(o, LEDGER_BOOT_UNPROVEN, 0,
		    "it does not lead to the PCR 10 of line %" PRIu64
		    ": the kernel was started by kexec, or resumed from a disk",
		    q->first_line);
	else if (g->sealed_line > q->first_line)
		say(o, LEDGER_BOOT_BAD, q->first_line,
		    "none of its %" PRIu64 " entries leads to the PCR 10 that line %" PRIu64
		    " quoted",
		    o->entries, q->first_line);
	else
		say(o, LEDGER_BOOT_UNPROVEN, 0,
		    "the PCR 10 of line %" PRIu64 " is not reached, and the list was not read on "
		    "after it",
		    q->first_line);
}

static void judge(struct reading *g)
{
	struct ledger_imas_one *o = g->o;

	g->moved = was_reset(g) || before(g->m, o) ||
		   (g->m->epochs && ledger_epochs_moved(g->m->epochs, o->boot));
	for (uint32_t i = 0; i < g->n_seals; i++) {
		const struct ledger_imas_seal *s = g->seals[i];

		o->n_seals += s->held;
		if (!s->seal.full && s->line > g->sealed_line)
			g->sealed_line = s->line;
	}
	judge_seals(g);
	for (uint32_t i = 0; i < g->m->n_quotes; i++) {
		const struct ledger_imas_quote *q = &g->m->quotes[i];

		if (q->quoted && is_of(g->m, q, o))
			judge_quote(g, q);
	}
	if (g->n_wanted == 0)
		say(o, LEDGER_BOOT_UNPROVEN, 0, "no quote that holds has its PCR 10");
	if (o->n_proven == 0)
		o->tally = g->tally;
	o->bound_bytes = o->proven_bytes;
	for (uint32_t i = 0; i < g->n_seals; i++)
		if (g->seals[i]->held && g->seals[i]->seal.bytes > o->bound_bytes)
			o->bound_bytes = g->seals[i]->seal.bytes;
}

static void judge_absent(const struct ledger_imas *m, struct ledger_imas_one *o)
{
	static const struct digest zero;
	bool nothing = !o->list[0];

	for (uint32_t i = 0; i < m->n_quotes; i++)
		if (strcmp(m->quotes[i].boot, o->boot) == 0)
			nothing &= m->quotes[i].quoted && digest_equal(&m->quotes[i].pcr, &zero);
	if (nothing)
		say(o, LEDGER_BOOT_NOTHING, 0, "IMA measured nothing");
	else
		say(o, LEDGER_BOOT_UNPROVEN, 0, o->list[0] ? "it is absent" : "no list was kept");
}

static int check_from(struct ledger_imas *m, struct ledger_imas_one *o, const struct digest *start,
		      struct digest *ret_end, bool *ret_met)
{
	CLEANUP(reading_done) struct reading g = {.m = m, .o = o, .pcr = *start};
	int r = ledger_ima_open(m->io, m->dir, o->list, &g.in);

	if (r >= 0)
		r = choose(&g);
	if (r >= 0)
		r = read_all(&g);
	if (r < 0)
		return r;
	*ret_end = g.pcr;
	*ret_met = false;
	for (uint32_t i = 0; i < g.n_wanted; i++)
		*ret_met |= g.wanted[i]->met;
	o->present = true;
	judge(&g);
	return 0;
}

static int check_one(struct ledger_imas *m, struct ledger_imas_one *o, struct digest *ends)
{
	static const struct digest zero;
	const struct ledger_imas_quote *q = before(m, o);
	const struct ledger_imas_one before_it = *o, *earlier = q ? list_of(m, q->boot) : NULL;
	struct digest end;
	bool met = false;
	int r = o->list[0] ? check_from(m, o, &zero, &end, &met) : -ENOENT;

	if (r == -ENOENT) {
		judge_absent(m, o);
		return 0;
	}
	if (r >= 0 && !met && o->result != LEDGER_BOOT_BAD && earlier && earlier->present) {
		/* The list began anew, and the register did not. */
		*o = before_it;
		r = check_from(m, o, &ends[earlier - m->lists], &end, &met);
		o->continued = met;
	}
	if (r >= 0)
		ends[o - m->lists] = end;
	return r;
}

int ledger_imas_finish(struct ledger_imas *m, struct why *ret_why)
{
	CLEANUP_FREE struct digest *ends = calloc(LEDGER_IMAS_MAX, sizeof(*ends));
	int r = 0;

	if (!ends)
		return why_set(ret_why, -ENOMEM, "no memory");
	collect(m);
	for (uint32_t i = 0; i < m->n && r >= 0; i++) {
		r = check_one(m, &m->lists[i], ends);
		if (r < 0)
			why_set(ret_why, r, "ima/%s: %s", m->lists[i].list,
				r == -EBADMSG ? "it is no plain file" : strerror(-r));
	}
	return r < 0 ? r : 0;
}
