/* SPDX-License-Identifier: Apache-2.0 */
#include "remedy_book.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "contain.h"
#include "jsonl.h"
#include "line.h"

#define MAX_RECORD 4096

int remedy_book_put(const struct store *s, const char *node, const struct remedy_record *k)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct jsonl j;

	jsonl_begin(&j, &b);
	jsonl_uint(&j, "v", 1);
	jsonl_uint(&j, "plan", k->m.plan);
	jsonl_uint(&j, "auto", k->m.itself);
	jsonl_uint(&j, "seen", k->m.seen);
	jsonl_uint(&j, "step", (uint64_t)k->m.step);
	jsonl_str(&j, "phase", remedy_phase_name(k->m.phase));
	jsonl_uint(&j, "since", k->m.since_ns);
	jsonl_uint(&j, "until", k->m.until_ns);
	jsonl_uint(&j, "began", k->began_ns);
	jsonl_uint(&j, "case", k->case_id);
	jsonl_str(&j, "rule", k->rule);
	jsonl_str(&j, "by", k->by);
	jsonl_str(&j, "why", k->why);
	jsonl_str(&j, "boot", k->boot);
	jsonl_uint(&j, "incarnation", k->incarnation);
	jsonl_uint(&j, "order", k->order);
	jsonl_uint(&j, "taken", k->taken_ns);
	jsonl_uint(&j, "read", k->read);
	jsonl_uint(&j, "read_incarnation", k->read_incarnation);
	jsonl_bool(&j, "isolated", k->isolated);
	jsonl_bool(&j, "snapshot", k->snapshot);
	jsonl_end(&j);
	return buf_status(&b) < 0
		       ? buf_status(&b)
		       : s->ops->blob_put(s->ctx, REMEDY_BOOK_BLOB, node, b.data, b.size);
}

static int read_move(const json_t *o, struct remedy *m, struct why *ret_why)
{
	uint64_t step = 0;
	char phase[16];
	int r = jsonl_get_u32(o, "plan", &m->plan, ret_why);

	if (r >= 0)
		r = jsonl_get_u32(o, "auto", &m->itself, ret_why);
	if (r >= 0)
		r = jsonl_get_u32(o, "seen", &m->seen, ret_why);
	if (r >= 0)
		r = jsonl_get_uint(o, "step", REMEDY_OVER, &step, ret_why);
	if (r >= 0)
		r = jsonl_get_text(o, "phase", phase, sizeof(phase), ret_why);
	if (r >= 0)
		r = jsonl_get_uint(o, "since", INT64_MAX, &m->since_ns, ret_why);
	if (r >= 0)
		r = jsonl_get_uint(o, "until", INT64_MAX, &m->until_ns, ret_why);
	if (r < 0)
		return r;
	m->step = (enum remedy_step)step;
	m->phase = remedy_phase_from_name(phase);
	return step < REMEDY_ISOLATE || !m->phase
		       ? why_set(ret_why, -EBADMSG, "a step or phase that there is not")
		       : 0;
}

static int read_record(const json_t *o, struct remedy_record *k, struct why *ret_why)
{
	const struct {
		const char *key;
		uint64_t *ret;
	} numbers[] = {
		{"began", &k->began_ns},
		{"case", &k->case_id},
		{"incarnation", &k->incarnation},
		{"order", &k->order},
		{"taken", &k->taken_ns},
		{"read", &k->read},
		{"read_incarnation", &k->read_incarnation},
	};
	const struct {
		const char *key;
		char *ret;
		size_t size;
	} texts[] = {{"rule", k->rule, sizeof(k->rule)},
		     {"by", k->by, sizeof(k->by)},
		     {"why", k->why, sizeof(k->why)},
		     {"boot", k->boot, sizeof(k->boot)}};
	int r = jsonl_get_version(o, 1, ret_why);

	if (r >= 0)
		r = read_move(o, &k->m, ret_why);
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(numbers); i++)
		r = jsonl_get_uint(o, numbers[i].key, INT64_MAX, numbers[i].ret, ret_why);
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(texts); i++)
		r = jsonl_get_text(o, texts[i].key, texts[i].ret, texts[i].size, ret_why);
	if (r >= 0)
		r = jsonl_get_bool(o, "isolated", &k->isolated, ret_why);
	if (r >= 0)
		r = jsonl_get_bool(o, "snapshot", &k->snapshot, ret_why);
	return r;
}

int remedy_book_get(const struct store *s, const char *node, struct remedy_record *ret,
		    struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	CLEANUP(buf_done) struct buf b = {0};
	struct remedy_record k = {.case_id = 0};
	int r = s->ops->blob_get(s->ctx, REMEDY_BOOK_BLOB, node, &b);

	if (r < 0)
		return r;
	r = jsonl_parse(b.data, b.size, MAX_RECORD, &o, ret_why);
	if (r >= 0)
		r = read_record(o, &k, ret_why);
	if (r < 0) /* there is one, and it lacks a part */
		return r == -ENOENT ? -EBADMSG : r;
	*ret = k;
	return 0;
}

int remedy_book_remove(const struct store *s, const char *node)
{
	return s->ops->blob_remove(s->ctx, REMEDY_BOOK_BLOB, node);
}

struct look {
	const struct store_node *n;
	struct remedy_record *k;
};

static void on_isolation(const json_t *o, struct remedy_record *k)
{
	bool done = json_array_size(json_object_get(o, "done")) > 0;
	char what[16];

	if (jsonl_get_text(o, "what", what, sizeof(what), NULL) < 0)
		return;
	/* One by which every way failed is written, too: that cut off nothing. What was in force before stays so. */
	if (strcmp(what, "begun") == 0 || strcmp(what, "again") == 0)
		k->isolated |= done;
	/* All of it is put there anew at a start. */
	if (strcmp(what, "kept") == 0)
		k->isolated = done;
	/* What cannot be undone goes on, until a later line says that it was. */
	if (strcmp(what, "released") == 0)
		k->isolated = json_array_size(json_object_get(o, "cannot")) > 0;
}

/* One without a digest says why there is none: that is no snapshot. */
static void on_snapshot(const json_t *o, struct remedy_record *k)
{
	k->snapshot |= json_is_string(json_object_get(o, "sha256"));
}

/* That very one, and a scan to its end: a later one that was taken says nothing of one that it refused, or that ran out before it was heard of. */
static void on_order(const json_t *o, const struct store_node *n, struct remedy_record *k)
{
	const char *result = json_string_value(json_object_get(o, "result"));
	uint64_t number;

	if (k->order && !k->taken_ns && result && strcmp(result, "done") == 0 &&
	    jsonl_get_uint(o, "number", INT64_MAX, &number, NULL) == 0 && number == k->order)
		k->taken_ns = n->last_evidence_ns;
}

/* A quick look first: of all lines these are few. */
static int on_line(void *ctx, uint64_t seq, const char *text, size_t size)
{
	static const char *const types[] = {"\"type\":\"isolation\"", "\"type\":\"snapshot\"",
					    "\"type\":\"order\""};
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	struct look *l = ctx;
	bool ours = false;
	struct why why;
	struct line line;

	(void)seq;
	for (size_t i = 0; i < ARRAY_SIZE(types) && !ours; i++)
		ours = memmem(text, size, types[i], strlen(types[i])) != NULL;
	if (!ours || line_parse(text, size, &o, &line, &why) < 0)
		return 0;
	if (line.type == PLUMB_TYPE_ISOLATION)
		on_isolation(o, l->k);
	else if (line.type == PLUMB_TYPE_SNAPSHOT)
		on_snapshot(o, l->k);
	else if (line.type == PLUMB_TYPE_ORDER)
		on_order(o, l->n, l->k);
	return 0;
}

int remedy_book_read(const struct store *s, const struct store_node *n, struct remedy_record *k)
{
	struct look l = {n, k};
	int r;

	if (k->read_incarnation != n->incarnation) {
		k->read_incarnation = n->incarnation;
		k->read = 0;
		k->isolated = false;
	}
	if (!n->has_base || n->base_size <= k->read)
		return 0;
	r = s->ops->lines_each(s->ctx, n->id, n->incarnation, k->read, n->base_size, on_line, &l);
	if (r < 0)
		return r;
	k->read = n->base_size;
	return 1;
}

#define BIT(f) (1u << (f))
#define BOOT                                                              \
	(BIT(PLUMB_FINDING_BOOT_LOG) | BIT(PLUMB_FINDING_BOOT_MISMATCH) | \
	 BIT(PLUMB_FINDING_BOOT_EVENT))

/* Of a node's open cases. */
struct cases_seen {
	uint64_t since_ns;
	uint32_t standing; /* findings of the newest evidence, bits */
	bool file; /* open, of a file */
	bool again; /* what holds it was found since */
	bool unhealed; /* what holds it is a state that was not good again: to settle it would be to forget it */
};

/* What was found once and goes on is not found again: a log that explains the registers no more may also be sent no more. */
static bool is_still_bad(const struct store_case *c, uint32_t standing)
{
	switch (c->finding) {
	case PLUMB_FINDING_NONE:
		return !terms_type_is_deed(c->type);
	case PLUMB_FINDING_BOOT_LOG:
	case PLUMB_FINDING_BOOT_MISMATCH:
	case PLUMB_FINDING_BOOT_EVENT:
		return standing & BOOT;
	case PLUMB_FINDING_IMA_LIST:
		return standing & BIT(PLUMB_FINDING_IMA_LIST);
	case PLUMB_FINDING_BASELINE:
	case PLUMB_FINDING_JUDGE_SKEW:
		/* A row does not say whether they are over: that closes the case, or a person does. */
		return true;
	default:
		return false;
	}
}

static int on_case(void *ctx, const struct store_case *c)
{
	struct cases_seen *s = ctx;
	bool holds = c->armed && c->action >= PLUMB_ACTION_HOLD;

	s->file |= strncmp(c->key, "file:", 5) == 0;
	s->again |= holds && c->last_ns > s->since_ns;
	s->unhealed |= holds && is_still_bad(c, s->standing);
	return 0;
}

static bool is_another(const struct store_node *n, const struct remedy_record *k)
{
	return n->boot_id[0] && strcmp(n->boot_id, k->boot) != 0;
}

/* It was carried out to its end, and evidence came after that which says so. */
static bool has_looked(const struct store_node *n, const struct remedy_record *k)
{
	return k->m.phase == REMEDY_RUNS && k->taken_ns && n->last_evidence_ns > k->taken_ns &&
	       n->freshness == PLUMB_FRESHNESS_FRESH && !n->forked;
}

int remedy_book_seen(const struct store *s, const struct store_node *n,
		     const struct remedy_record *k, bool *ret_worse)
{
	struct cases_seen c = {.since_ns = k->m.since_ns, .standing = n->findings};
	int r = 0;

	*ret_worse = false;
	if (k->m.step == REMEDY_FILES || k->m.step == REMEDY_ATTEST || k->m.step == REMEDY_RELEASE)
		r = s->ops->case_each(s->ctx, n->id, true, on_case, &c);
	if (r < 0)
		return r;
	*ret_worse = k->m.step == REMEDY_ATTEST && k->m.phase == REMEDY_RUNS && c.again;
	/* The brakes may hold a release back for long: what was found meanwhile nobody attested. */
	if (k->m.step == REMEDY_RELEASE && remedy_goes_itself(&k->m))
		*ret_worse = c.again || c.unhealed;
	switch (k->m.step) {
	case REMEDY_ISOLATE:
		return k->isolated;
	case REMEDY_SNAPSHOT:
		return k->snapshot;
	case REMEDY_FILES:
		return !c.file;
	case REMEDY_KEYS: /* who waits for an approver has only asked */
		return n->incarnation > k->incarnation && n->life != PLUMB_LIFE_PROVISIONING;
	case REMEDY_REBOOT:
		return is_another(n, k);
	case REMEDY_PROVISION:
		return n->incarnation > k->incarnation && is_another(n, k);
	case REMEDY_ATTEST:
		return has_looked(n, k) && !c.again && !c.unhealed;
	default:
		return 0;
	}
}

int remedy_book_braked(const struct store *s, const struct store_node *n)
{
	CLEANUP(buf_done) struct buf b = {0};
	int r;

	if (contain_book_held(s, n) != BRAKES_OPEN)
		return 1;
	r = s->ops->setting_get(s->ctx, CONTAIN_PAUSE, &b);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	return b.size > 0 && b.data[0];
}

const char *remedy_book_step(const struct remedy_record *k)
{
	const char *name = policy_remedy_name((enum policy_remedy_step)k->m.step);

	return name ? name : "over";
}
