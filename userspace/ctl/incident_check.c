/* SPDX-License-Identifier: Apache-2.0 */
#include "incident_check.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "incident_files.h"
#include "incident_page.h"
#include "incident_vouch.h"
#include "jsonl.h"
#include "line.h"
#include "record.h"

#define MAX_RECORD 65536
#define MAX_PAGE (256u << 20)

DEFINE_CLEANUP(struct incident_timeline *, incident_timeline_free);

struct sealed {
	const struct digest *digest;
	uint64_t line;
	bool found;
};

struct checking {
	const struct incident_check_in *in;
	struct incident_report *r;
	struct record record;
	struct buf record_bytes;
	bool record_is_vouched;
	struct ledger_check_report *ledger;
	uint64_t covered; /* lines before this one are quoted or cosigned; 0: none is */
};

static void __attribute__((format(printf, 2, 3)))
say(struct incident_points *p, const char *format, ...)
{
	va_list ap;

	if (p->n < INCIDENT_CHECK_MAX) {
		va_start(ap, format);
		vsnprintf(p->text[p->n], sizeof(p->text[0]), format, ap);
		va_end(ap);
	}
	p->n++;
}

/* What only a verifier says is checked where the manifest says that one said it; the timeline is made of it wherever it lies. */
static void refuse_verifiers_files(struct checking *c)
{
	for (uint32_t i = 0; i < c->in->m->n_files; i++) {
		const char *name = c->in->m->files[i].name;

		if (strcmp(name, "statement.dsse") == 0 || strncmp(name, "log/", 4) == 0)
			say(&c->r->bad, "%.160s: it says that it is made of a directory alone",
			    name);
	}
}

static void check_signer(struct checking *c)
{
	struct digest id;
	char hex[DIGEST_HEX_SIZE];

	if (digest_sha256(c->in->m->key.data, c->in->m->key.size, &id) < 0)
		return;
	digest_hex(&id, hex);
	if (c->in->signer_is_trusted)
		say(&c->r->proven, "each of the %u files is what the operator's key signed",
		    c->in->m->n_files);
	else
		say(&c->r->stated,
		    "the archive was signed by key %.16s…, for which nobody vouches: "
		    "--operator-key "
		    "names the operator's",
		    hex);
}

/* < 0: could not check at all. */
static int open_record(struct checking *c, struct why *ret_why)
{
	const struct incident_manifest *m = c->in->m;
	int r = incident_files_read(c->in->dir, "ledger/record.json", MAX_RECORD, &c->record_bytes);

	if (r >= 0)
		r = record_parse(c->record_bytes.data, c->record_bytes.size, &c->record, ret_why);
	if (r < 0) {
		say(&c->r->bad, "ledger/record.json: %s",
		    ret_why->text[0] ? ret_why->text : strerror(-r));
		return r == -ENOMEM ? r : 0;
	}
	if (strcmp(c->record.node, m->node) != 0 || c->record.incarnation != m->incarnation ||
	    strcmp(c->record.label, m->label) != 0)
		say(&c->r->bad, "ledger/record.json is of another node, label or incarnation than "
				"the manifest says");
	return 1;
}

static size_t without_end(const struct buf *b)
{
	size_t size = b->size;

	while (size > 0 && b->data[size - 1] == '\n')
		size--;
	return size;
}

/* What says who the node is. The verifier's keys come and go, on the node and with the verifier at different times. */
static int node_part(const void *data, size_t size, struct buf *ret, struct why *ret_why)
{
	struct record r = {.node = ""};
	int e = record_parse(data, size, &r, ret_why);

	r.order_key.size = r.witness_key.size = 0;
	for (uint32_t i = 0; i < r.n_old_witnesses; i++)
		buf_done(&r.old_witnesses[i].key);
	r.n_old_witnesses = 0;
	for (uint32_t i = 0; i < r.n_baseline_keys; i++)
		buf_done(&r.baseline_keys[i]);
	r.n_baseline_keys = 0;
	if (e >= 0)
		e = record_write(&r, ret);
	record_done(&r);
	return e;
}

static bool is_same(const struct buf *a, const struct buf *b)
{
	size_t size = without_end(a);

	return size == without_end(b) && memcmp(a->data, b->data, size) == 0;
}

static int check_record_copy(struct checking *c, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf copy = {0}, a = {0}, b = {0};
	const char *file = c->in->record;
	int r = file ? fsio_read_file(fsio_system(), file, MAX_RECORD, &copy) : 0;

	if (r < 0)
		return why_set(ret_why, r, "%.200s: %s", file, strerror(-r));
	if (!file)
		return 0;
	c->record_is_vouched = is_same(&copy, &c->record_bytes);
	if (c->record_is_vouched)
		return 0;
	r = node_part(c->record_bytes.data, c->record_bytes.size, &a, ret_why);
	if (r >= 0)
		r = node_part(copy.data, copy.size, &b, ret_why);
	if (r == -ENOMEM)
		return r;
	if (r < 0 || !is_same(&a, &b)) {
		say(&c->r->bad, "ledger/record.json is not %.200s", file);
		return 0;
	}
	c->record_is_vouched = true;
	say(&c->r->stated,
	    "the verifier's keys in ledger/record.json are not those of %.160s: "
	    "one of the two is from before they were changed",
	    file);
	return 0;
}

static int check_verifier(struct checking *c, struct why *ret_why)
{
	struct incident_vouch_report v = {.statement = 0};
	const struct incident_vouch_in in = {
		.dir = c->in->dir,
		.m = c->in->m,
		.record = &c->record,
		.keys = c->in->keys,
		.n_keys = c->in->n_keys,
		.record_bytes = {c->record_bytes.data, without_end(&c->record_bytes)},
	};
	int r = incident_vouch(&in, &v, ret_why);

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < v.n_bad; i++)
		say(&c->r->bad, "%s", v.bad[i]);
	for (uint32_t i = 0; i < v.n_stated; i++)
		say(&c->r->stated, "%s", v.stated[i]);
	for (uint32_t i = 0; i < v.n_proven; i++)
		say(&c->r->proven, "%s", v.proven[i]);
	c->record_is_vouched |= v.record_is_vouched;
	return 0;
}

static void say_record(struct checking *c)
{
	if (c->record_is_vouched)
		say(&c->r->proven, "the node's keys are those of the enrolment record that %s",
		    c->in->record ? "was kept elsewhere" : "the verifier stated");
	else
		say(&c->r->stated, "the node's keys, and what they signed: nobody vouches for "
				   "ledger/record.json: --verifier-key or --record");
}

static void say_coverage(struct checking *c, const struct ledger_check_report *l)
{
	const struct incident_manifest *m = c->in->m;
	uint64_t covered = l->quoted_size > l->cosigned_size ? l->quoted_size : l->cosigned_size;

	/* Their roots were compared with nothing, and no archive is made with such ones. */
	if (l->cosigned_size > m->last || l->signed_size > m->last) {
		say(&c->r->bad, "ledger/notes: signatures over lines that are not here");
		return;
	}
	c->covered = covered;
	if (l->quoted_size > m->first)
		say(&c->r->proven,
		    "lines %" PRIu64 " to %" PRIu64
		    " are what the node's TPM quoted: place and content, and none is missing",
		    m->first, (l->quoted_size < m->last ? l->quoted_size : m->last) - 1);
	if (l->cosigned_size > m->first)
		say(&c->r->proven, "lines %" PRIu64 " to %" PRIu64 " were cosigned by the verifier",
		    m->first, (l->cosigned_size < m->last ? l->cosigned_size : m->last) - 1);
	if (covered < m->end)
		say(&c->r->stated,
		    "lines %" PRIu64 " to %" PRIu64
		    " are only stated by the node: no quote and no cosignature covers them",
		    covered > m->first ? covered : m->first, m->end - 1);
}

/* What was booted: a log that leads to what was quoted. That there is none leaves the boot open, and the lines as they are. */
static void say_boots(struct checking *c, const struct ledger_check_report *l)
{
	for (uint32_t i = 0; i < l->boots.n; i++) {
		const struct ledger_boots_one *b = &l->boots.boots[i];
		char hex[DIGEST_HEX_SIZE];

		digest_hex(&b->log, hex);
		if (b->result == LEDGER_BOOT_GOOD)
			say(&c->r->proven,
			    "its boot: log %.12s… leads to what was quoted; Secure Boot %s, kernel "
			    "%s",
			    hex, b->secure_boot[0] ? b->secure_boot : "not told",
			    b->kernel[0] ? b->kernel : "not told");
		else if (b->result == LEDGER_BOOT_UNPROVEN)
			say(&c->r->stated, "its boot: %s", b->why);
	}
}

/* What IMA measured, where the archive has its list. */
static void say_imas(struct checking *c, const struct ledger_check_report *l)
{
	for (uint32_t i = 0; i < l->imas.n; i++) {
		const struct ledger_imas_one *o = &l->imas.lists[i];

		if (o->present && o->result == LEDGER_BOOT_GOOD)
			say(&c->r->proven,
			    "what IMA measured in boot %.8s: %" PRIu64 " entries, %" PRIu64
			    " violations, are what the node's TPM quoted",
			    o->boot, o->proven, o->tally.violations);
		else if (o->present && o->result == LEDGER_BOOT_UNPROVEN)
			say(&c->r->stated, "what IMA measured in boot %.8s: %s", o->boot, o->why);
	}
}

/* One that is bad was said to be so. Of one that is good the check says nothing of what lies behind its last proof. */
static bool is_a_list(struct checking *c, const struct incident_file *f)
{
	static const char folder[] = "ledger/" LEDGER_IMA_DIR "/";

	if (strncmp(f->name, folder, strlen(folder)) != 0)
		return false;
	for (uint32_t i = 0; i < c->ledger->imas.n; i++) {
		const struct ledger_imas_one *o = &c->ledger->imas.lists[i];

		if (!o->present || strcmp(f->name + strlen(folder), o->list) != 0)
			continue;
		if (o->result == LEDGER_BOOT_GOOD && f->size > o->bound_bytes)
			say(&c->r->stated,
			    "%.160s: what is behind byte %" PRIu64 " is neither sealed nor quoted",
			    f->name, o->bound_bytes);
		return true;
	}
	return false;
}

/* Bound by name to a quote that holds; what systemd measured counts where it leads to what was found in a register. */
static bool is_of_a_proven_boot(const struct checking *c, const char *name)
{
	static const char folder[] = "ledger/" LEDGER_BOOT_DIR "/";
	enum ledger_boot_file what;
	struct digest d;

	if (strncmp(name, folder, strlen(folder)) != 0 ||
	    ledger_boot_name(name + strlen(folder), &what, &d) < 0)
		return false;
	if (what == LEDGER_BOOT_MEASURED)
		return ledger_boot_led(&c->ledger->boots.files, &d);
	for (uint32_t i = 0; i < c->ledger->boots.n; i++)
		if (c->ledger->boots.boots[i].result == LEDGER_BOOT_GOOD &&
		    digest_equal(&c->ledger->boots.boots[i].log, &d))
			return true;
	return false;
}

static int check_ledger(struct checking *c, struct why *ret_why)
{
	struct ledger_check_report *l = c->ledger;
	const struct incident_manifest *m = c->in->m;
	char dir[PATH_MAX];
	int r = 0;

	if (snprintf(dir, sizeof(dir), "%s/ledger", c->in->dir) >= (int)sizeof(dir))
		r = -ENAMETOOLONG;
	if (r >= 0)
		r = ledger_check_part(fsio_system(), dir, c->in->record, l, ret_why);
	if (r == -ENOENT || r == -EBADMSG || r == -EKEYREJECTED) {
		say(&c->r->bad, "ledger: %s", ret_why->text);
		return 0;
	}
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < l->n_problems && i < LEDGER_CHECK_MAX_PROBLEMS; i++)
		say(&c->r->bad, "ledger: %s", l->problems[i].text);
	for (uint32_t i = 0; i < l->n_unchecked; i++)
		say(&c->r->stated, "ledger: %s", l->unchecked[i]);
	if (l->first_seq != m->first || l->first_seq + l->n_lines != m->last)
		say(&c->r->bad,
		    "ledger: has lines %" PRIu64 " to %" PRIu64
		    ", and the manifest says other ones",
		    l->first_seq, l->first_seq + l->n_lines - 1);
	else if (l->n_problems == 0)
		say_coverage(c, l);
	say_boots(c, l);
	say_imas(c, l);
	return 0;
}

static void compare_page(struct checking *c, const char *name, const struct buf *made)
{
	CLEANUP(buf_done) struct buf is = {0};

	if (incident_files_read(c->in->dir, name, MAX_PAGE, &is) < 0)
		say(&c->r->bad, "%s is missing", name);
	else if (is.size != made->size || memcmp(is.data, made->data, is.size) != 0)
		say(&c->r->bad, "%s does not say what the other files say", name);
	else
		say(&c->r->proven, "%s is made of these files, and of nothing else", name);
}

static int check_pages(struct checking *c, struct why *ret_why)
{
	CLEANUP(incident_timeline_free_p) struct incident_timeline *t = NULL;
	CLEANUP(buf_done) struct buf text = {0}, html = {0};
	int r;

	if (strcmp(c->in->m->tool, c->in->tool) != 0) {
		say(&c->r->stated,
		    "timeline.txt and timeline.html are by %.60s, and not made again here",
		    c->in->m->tool);
		return 0;
	}
	r = incident_timeline_open(c->in->dir, c->in->m, &t, ret_why);
	if (r == -EBADMSG || r == -ENOENT) {
		say(&c->r->bad, "timeline: %s", ret_why->text);
		return 0;
	}
	if (r >= 0)
		r = incident_page_text(t, &text);
	if (r >= 0)
		r = incident_page_html(t, &html);
	if (r < 0)
		return r;
	compare_page(c, "timeline.txt", &text);
	compare_page(c, "timeline.html", &html);
	return 0;
}

/* A node's snapshot of itself is sealed by a line that has its digest. Where the first one is not covered, no later one is. */
static int on_snapshot(void *ctx, uint64_t seq, const char *text, size_t size)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	struct sealed *s = ctx;
	const char *type;
	struct digest d;

	if (!memmem(text, size, "\"snapshot\"", strlen("\"snapshot\"")) ||
	    jsonl_parse(text, size, LINE_MAX_SIZE, &o, NULL) < 0 ||
	    jsonl_get_str(o, "type", 32, &type, NULL) < 0 || strcmp(type, "snapshot") != 0 ||
	    jsonl_get_hex(o, "sha256", d.bytes, DIGEST_SIZE, NULL) < 0 ||
	    !digest_equal(&d, s->digest))
		return 0;
	s->line = seq;
	s->found = true;
	return 1;
}

static void check_snapshot(struct checking *c, const struct incident_file *f)
{
	struct sealed s = {.digest = &f->sha256};
	char dir[PATH_MAX];
	struct why why;

	if (snprintf(dir, sizeof(dir), "%s/ledger", c->in->dir) < (int)sizeof(dir))
		ledger_check_each(fsio_system(), dir, 0, on_snapshot, &s, &why);
	if (s.found && s.line < c->covered)
		say(&c->r->proven, "%.160s is what line %" PRIu64 " sealed", f->name, s.line);
	else if (s.found)
		say(&c->r->stated,
		    "%.160s: no line of the span has its digest but line %" PRIu64
		    ", which no quote and no cosignature covers",
		    f->name, s.line);
	else
		say(&c->r->stated, "%.160s: no line of the span has its digest", f->name);
}

/* Whatever nothing here looks at is said to be only stated. */
static void check_others(struct checking *c)
{
	static const char *const known[] = {
		"timeline.txt",	      "timeline.html",	 "statement.dsse",
		"log/note",	      "log/lines.jsonl", "log/proofs.jsonl",
		"ledger/record.json", "ledger/anchors",	 "ledger/notes"};
	char segment[64];

	snprintf(segment, sizeof(segment), "ledger/events-%020" PRIu64 ".jsonl", c->in->m->first);
	for (uint32_t i = 0; i < c->in->m->n_files; i++) {
		const char *name = c->in->m->files[i].name;
		bool is_snapshot = strncmp(name, "snapshots/", 10) == 0;
		bool is_known = strcmp(name, segment) == 0;

		for (size_t k = 0; k < ARRAY_SIZE(known); k++)
			is_known |= strcmp(name, known[k]) == 0;
		is_known |= is_of_a_proven_boot(c, name) || is_a_list(c, &c->in->m->files[i]);
		if (is_snapshot)
			check_snapshot(c, &c->in->m->files[i]);
		else if (!is_known)
			say(&c->r->stated, "%.160s: nothing here proves it", name);
	}
}

int incident_check(const struct incident_check_in *in, struct incident_report *ret,
		   struct why *ret_why)
{
	CLEANUP_FREE struct ledger_check_report *ledger = calloc(1, sizeof(*ledger));
	struct checking c = {.in = in, .r = ret, .ledger = ledger};
	int r;

	memset(ret, 0, sizeof(*ret));
	ret_why->text[0] = 0;
	if (!ledger)
		return why_set(ret_why, -ENOMEM, "no memory");
	check_signer(&c);
	r = open_record(&c, ret_why);
	if (r > 0)
		r = check_record_copy(&c, ret_why);
	if (r >= 0 && ret->bad.n == 0 && in->m->verifier)
		r = check_verifier(&c, ret_why);
	if (r >= 0 && ret->bad.n == 0)
		say_record(&c);
	if (!in->m->verifier)
		refuse_verifiers_files(&c);
	if (r >= 0)
		r = check_ledger(&c, ret_why);
	if (r >= 0)
		r = check_pages(&c, ret_why);
	if (r >= 0)
		check_others(&c);
	buf_done(&c.record_bytes);
	record_done(&c.record);
	if (r < 0 && !ret_why->text[0])
		why_set(ret_why, r, "%s", strerror(-r));
	return r < 0 ? r : 0;
}

enum ledger_check_result incident_check_result(const struct incident_report *r)
{
	return r->bad.n > 0	 ? LEDGER_CHECK_BAD
	       : r->stated.n > 0 ? LEDGER_CHECK_UNPROVEN
				 : LEDGER_CHECK_GOOD;
}
