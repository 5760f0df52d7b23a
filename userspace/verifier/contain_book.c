/* SPDX-License-Identifier: Apache-2.0 */
#include "contain_book.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "jsonl.h"
#include "node.h"

#define BLOB "contain"
#define MAX_RECORD 4096

struct contain_book {
	const struct store *store;
	struct contain_entry **all; /* by id */
	struct contain_entry **names; /* by Kubernetes name, made when it is asked for */
	struct brakes_node *nodes; /* room for the brakes */
	uint32_t n, max, n_names;
	bool stale; /* names */
};

bool contain_book_wants(const struct contain_entry *e)
{
	return !(e->life == PLUMB_LIFE_RETIRED) && (e->containment == PLUMB_CONTAIN_HELD ||
						    e->containment == PLUMB_CONTAIN_QUARANTINED ||
						    e->containment == PLUMB_CONTAIN_REMEDIATING);
}

static uint32_t place_of(const struct contain_book *b, const char *id)
{
	uint32_t lo = 0, hi = b->n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (strcmp(b->all[mid]->id, id) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct contain_entry *contain_book_id(const struct contain_book *b, const char *id)
{
	uint32_t i = place_of(b, id);

	return i < b->n && strcmp(b->all[i]->id, id) == 0 ? b->all[i] : NULL;
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(struct contain_entry *const *)a)->kube_name,
		      (*(struct contain_entry *const *)b)->kube_name);
}

static void sort_names(struct contain_book *b)
{
	b->n_names = 0;
	for (uint32_t i = 0; i < b->n; i++)
		if (b->all[i]->kube_name[0] && b->all[i]->life != PLUMB_LIFE_RETIRED)
			b->names[b->n_names++] = b->all[i];
	if (b->n_names > 0)
		qsort(b->names, b->n_names, sizeof(*b->names), by_name);
	b->stale = false;
}

struct contain_entry *contain_book_name(struct contain_book *b, const char *kube_name)
{
	uint32_t lo = 0, hi;

	if (b->stale)
		sort_names(b);
	hi = b->n_names;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		int c = strcmp(b->names[mid]->kube_name, kube_name);

		if (c == 0)
			return b->names[mid];
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

uint32_t contain_book_n(const struct contain_book *b)
{
	return b->n;
}

struct contain_entry *contain_book_at(const struct contain_book *b, uint32_t i)
{
	return b->all[i];
}

static int grow(struct contain_book *b)
{
	uint32_t max = b->max ? b->max * 2 : 64;
	void *all = realloc(b->all, max * sizeof(*b->all)), *names, *nodes;

	if (!all)
		return -ENOMEM;
	b->all = all;
	names = realloc(b->names, max * sizeof(*b->names));
	if (!names)
		return -ENOMEM;
	b->names = names;
	nodes = realloc(b->nodes, max * sizeof(*b->nodes));
	if (!nodes)
		return -ENOMEM;
	b->nodes = nodes;
	b->max = max;
	return 0;
}

static void text(const json_t *o, const char *key, char *ret, size_t size)
{
	if (jsonl_get_text(o, key, ret, size, NULL) < 0)
		ret[0] = 0;
}

static bool flag(const json_t *o, const char *key)
{
	bool is = false;

	return jsonl_get_bool(o, key, &is, NULL) == 0 && is;
}

static uint64_t number(const json_t *o, const char *key)
{
	uint64_t n = 0;

	return jsonl_get_uint(o, key, INT64_MAX, &n, NULL) == 0 ? n : 0;
}

/* What releases before this one kept of it: "<name> <uid>". */
static void load_old(struct contain_book *b, struct contain_entry *e)
{
	CLEANUP(buf_done) struct buf old = {0};
	size_t size = strlen(e->kube_name);
	char setting[80];

	snprintf(setting, sizeof(setting), "kube_uid:%.64s", e->id);
	if (b->store->ops->setting_get(b->store->ctx, setting, &old) < 0 || size == 0 ||
	    old.size <= size + 1 || memcmp(old.data, e->kube_name, size) != 0 ||
	    old.data[size] != ' ')
		return;
	snprintf(e->uid, sizeof(e->uid), "%.*s", (int)(old.size - size - 1),
		 (char *)old.data + size + 1);
}

/* Of one that was contained before there was a record, nobody asks whether it may be. */
static int load(struct contain_book *b, struct contain_entry *e)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	CLEANUP(buf_done) struct buf record = {0};
	char held_back[32];
	int r = b->store->ops->blob_get(b->store->ctx, BLOB, e->id, &record);

	if (r == -ENOENT) {
		e->let = contain_book_wants(e);
		load_old(b, e);
		return 0;
	}
	if (r < 0)
		return r;
	r = jsonl_parse(record.data, record.size, MAX_RECORD, &o, NULL);
	if (r < 0)
		return r;
	e->let = flag(o, "let");
	e->unsure = flag(o, "unsure");
	e->cordoned = flag(o, "cordoned");
	e->control_plane = flag(o, "control_plane");
	text(o, "held_back", held_back, sizeof(held_back));
	e->held_back = brakes_from_name(held_back);
	e->since_ns = number(o, "since");
	e->lifted_ns = number(o, "lifted");
	e->drain_until_ns = number(o, "drain_until");
	e->cleared_ns = number(o, "cleared");
	text(o, "uid", e->uid, sizeof(e->uid));
	text(o, "zone", e->zone, sizeof(e->zone));
	e->zone_open = flag(o, "zone_open");
	text(o, "seen_boot", e->seen_boot, sizeof(e->seen_boot));
	text(o, "good_boot", e->good_boot, sizeof(e->good_boot));
	return 0;
}

static void forget_object(struct contain_entry *e)
{
	e->uid[0] = e->zone[0] = e->seen_boot[0] = e->good_boot[0] = 0;
	e->cordoned = e->control_plane = e->is_own = e->zone_open = false;
	e->facts = (struct kube_facts){.taints = 0};
}

static void take_row(struct contain_book *b, struct contain_entry *e, const struct store_node *n)
{
	b->stale |= strcmp(e->kube_name, n->kube_name) != 0 || e->life != n->life;
	memcpy(e->label, n->label, sizeof(e->label));
	memcpy(e->kube_name, n->kube_name, sizeof(e->kube_name));
	e->life = n->life;
	e->containment = n->containment;
}

struct contain_entry *contain_book_of(struct contain_book *b, const struct store_node *n)
{
	struct contain_entry *e = contain_book_id(b, n->id);
	uint32_t at = place_of(b, n->id);

	if (e) {
		if (strcmp(e->kube_name, n->kube_name) != 0)
			forget_object(e);
		take_row(b, e, n);
		return e;
	}
	e = calloc(1, sizeof(*e));
	if (!e || (b->n == b->max && grow(b) < 0)) {
		free(e);
		return NULL;
	}
	memcpy(e->id, n->id, sizeof(e->id));
	/* What is shown there is not known: it differs from anything. */
	e->want_label = e->want_verdict = e->want_condition = UINT32_MAX;
	take_row(b, e, n);
	if (load(b, e) < 0) {
		free(e);
		return NULL;
	}
	memmove(&b->all[at + 1], &b->all[at], (b->n - at) * sizeof(*b->all));
	b->all[at] = e;
	b->n++;
	b->stale = true;
	return e;
}

static int on_row(void *ctx, const struct store_node *n)
{
	return contain_book_of(ctx, n) ? 0 : -ENOMEM;
}

int contain_book_refresh(struct contain_book *b)
{
	int r = b->store->ops->node_each(b->store->ctx, on_row, b);

	return r < 0 ? r : 0;
}

int contain_book_put(struct contain_book *b, const struct contain_entry *e)
{
	CLEANUP(buf_done) struct buf record = {0};
	struct jsonl j;

	jsonl_begin(&j, &record);
	jsonl_uint(&j, "v", 1);
	jsonl_bool(&j, "let", e->let);
	jsonl_bool(&j, "unsure", e->unsure);
	jsonl_bool(&j, "cordoned", e->cordoned);
	jsonl_bool(&j, "control_plane", e->control_plane);
	jsonl_str(&j, "held_back", brakes_name(e->held_back));
	jsonl_uint(&j, "since", e->since_ns);
	jsonl_uint(&j, "lifted", e->lifted_ns);
	jsonl_uint(&j, "drain_until", e->drain_until_ns);
	jsonl_uint(&j, "cleared", e->cleared_ns);
	jsonl_str(&j, "uid", e->uid);
	jsonl_str(&j, "zone", e->zone);
	jsonl_bool(&j, "zone_open", e->zone_open);
	jsonl_str(&j, "seen_boot", e->seen_boot);
	jsonl_str(&j, "good_boot", e->good_boot);
	jsonl_end(&j);
	if (buf_status(&record) < 0)
		return buf_status(&record);
	return b->store->ops->blob_put(b->store->ctx, BLOB, e->id, record.data, record.size);
}

int contain_book_save(struct contain_book *b, const struct contain_entry *e)
{
	const struct store *s = b->store;
	int r = s->ops->begin(s->ctx);

	if (r < 0)
		return r;
	r = contain_book_put(b, e);
	if (r >= 0)
		return s->ops->commit(s->ctx);
	s->ops->rollback(s->ctx);
	return r;
}

static void move(uint64_t *at, int64_t by_ns)
{
	if (*at == 0)
		return;
	if (by_ns < 0 && *at <= (uint64_t)-by_ns)
		*at = 1;
	else
		*at += (uint64_t)by_ns;
}

/* Whether anything of it is kept otherwise from here on. */
static bool move_one(struct contain_entry *e, int64_t by_ns, uint64_t latest_ns)
{
	uint64_t since = e->since_ns, lifted = e->lifted_ns, drain = e->drain_until_ns,
		 cleared = e->cleared_ns;

	move(&e->since_ns, by_ns);
	move(&e->lifted_ns, by_ns);
	move(&e->drain_until_ns, by_ns);
	move(&e->cleared_ns, by_ns);
	move(&e->before.lifted_ns, by_ns);
	move(&e->before.drain_until_ns, by_ns);
	if (e->drain_until_ns > latest_ns) {
		if (e->cleared_ns == e->drain_until_ns)
			e->cleared_ns = latest_ns;
		e->drain_until_ns = latest_ns;
	}
	return since != e->since_ns || lifted != e->lifted_ns || drain != e->drain_until_ns ||
	       cleared != e->cleared_ns;
}

int contain_book_move(struct contain_book *b, int64_t by_ns, uint64_t latest_ns)
{
	int r = b->store->ops->begin(b->store->ctx);

	if (r < 0)
		return r;
	for (uint32_t i = 0; r >= 0 && i < b->n; i++) {
		struct contain_entry e = *b->all[i];

		if (move_one(&e, by_ns, latest_ns))
			r = contain_book_put(b, &e);
	}
	if (r >= 0)
		r = b->store->ops->commit(b->store->ctx);
	else
		b->store->ops->rollback(b->store->ctx);
	for (uint32_t i = 0; r >= 0 && i < b->n; i++)
		move_one(b->all[i], by_ns, latest_ns);
	return r;
}

static bool counts(const struct contain_entry *e)
{
	return !node_is_gone(e->life) && e->life != PLUMB_LIFE_PROVISIONING;
}

void contain_book_counts(const struct contain_book *b, uint32_t *ret_nodes, uint32_t *ret_let)
{
	*ret_nodes = *ret_let = 0;
	for (uint32_t i = 0; i < b->n; i++) {
		*ret_nodes += counts(b->all[i]);
		*ret_let += counts(b->all[i]) && b->all[i]->let && contain_book_wants(b->all[i]);
	}
}

/*
 * Of an object that nobody has told of yet (a start, an API that is away) the worse is taken: it is Ready, and no other is. What its zone is now is asked
 * only of one that is not known to be its own: two machines that were taken over could say that they are a zone, and shield each other.
 */
static struct brakes_node brakes_node_of(const struct contain_entry *o, bool is_candidate)
{
	bool known = o->facts.uid[0] != 0;

	return (struct brakes_node){
		.zone = o->uid[0] ? o->zone : o->facts.zone,
		.control_plane = known ? o->facts.control_plane : o->control_plane,
		.ready = known ? o->facts.ready : is_candidate,
		.contained = o->let && contain_book_wants(o),
	};
}

enum brakes_why contain_book_judge(struct contain_book *b, const struct brakes_settings *s,
				   const struct contain_entry *e)
{
	uint32_t n = 0, at = UINT32_MAX;

	for (uint32_t i = 0; i < b->n; i++) {
		const struct contain_entry *o = b->all[i];

		if (o != e && !counts(o))
			continue;
		if (o == e)
			at = n;
		b->nodes[n++] = brakes_node_of(o, o == e);
	}
	return brakes_judge(s, b->nodes, n, at);
}

static enum brakes_why read_one(const struct store *store, const struct store_node *n,
				bool *ret_let)
{
	struct contain_book b = {.store = store};
	struct contain_entry *e = calloc(1, sizeof(*e));
	enum brakes_why why = BRAKES_OPEN;

	*ret_let = false;
	if (!e)
		return BRAKES_OPEN;
	memcpy(e->id, n->id, sizeof(e->id));
	take_row(&b, e, n);
	if (contain_book_wants(e) && load(&b, e) >= 0) {
		why = e->held_back;
		*ret_let = e->let;
	}
	free(e);
	return why;
}

enum brakes_why contain_book_held(const struct store *store, const struct store_node *n)
{
	bool let;

	return read_one(store, n, &let);
}

bool contain_book_is_left(const struct store *store, const struct store_node *n)
{
	bool let;

	return read_one(store, n, &let) != BRAKES_OPEN && !let;
}

void contain_book_check(struct contain_book *b, struct contain_entry *e)
{
	struct store_node n = {.incarnation = 0};
	int r;

	if (!e->lifting)
		return;
	r = b->store->ops->node_get(b->store->ctx, e->id, &n);
	if (r >= 0)
		e->lifting = !contain_book_of(b, &n);
	store_node_done(&n);
	if (r < 0 || e->lifting || !contain_book_wants(e))
		return;
	e->let = true;
	e->held_back = e->before.held_back;
	e->lifted_ns = e->before.lifted_ns;
	e->drain_until_ns = e->before.drain_until_ns;
	e->lifting = contain_book_save(b, e) < 0;
}

int contain_book_open(const struct store *store, struct contain_book **ret)
{
	struct contain_book *b = calloc(1, sizeof(*b));
	int r;

	if (!b)
		return -ENOMEM;
	b->store = store;
	r = contain_book_refresh(b);
	if (r < 0) {
		contain_book_free(b);
		return r;
	}
	*ret = b;
	return 0;
}

struct contain_book *contain_book_free(struct contain_book *b)
{
	if (!b)
		return NULL;
	for (uint32_t i = 0; i < b->n; i++)
		free(b->all[i]);
	free(b->all);
	free(b->names);
	free(b->nodes);
	free(b);
	return NULL;
}
