/* SPDX-License-Identifier: Apache-2.0 */
#include "nft_claims.h"

#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "claims.h"
#include "cleanup.h"
#include "digest.h"

#define TOLD_SIZE (NFT_READ_NAME_SIZE + 16) /* "inet:" and a name */
#define VALUE_SIZE 192

enum class { CLASS_TABLE = 1, CLASS_CHAIN = 2, CLASS_SET = 3, CLASS_RULE = 4 };

/*
 * Sorted, they are the canonical order, whatever the kernel's: its tables of names have random seeds. Names stand in as digests, since only
 * the same order each time matters. Rules keep their place in the chain.
 */
struct object {
	struct digest table, name, content; /* table: of family and name; name: of chain or set */
	uint32_t class, place; /* not in a digest */
};

struct set {
	struct nft_claims_set id;
	struct digest table, content;
	struct buf_view content_view;
	struct buf definition;
};

struct table {
	char name[TOLD_SIZE];
	struct digest id;
};

struct nft_claims {
	struct object *objects;
	struct set *sets;
	struct digest *elements; /* of the set that is being read */
	struct table *tables;
	uint32_t n_objects, n_sets, n_elements, n_tables;
	uint32_t room_objects, room_sets, room_elements, room_tables;
	char told[NFT_CLAIMS_MAX_TOLD][TOLD_SIZE];
	uint32_t n_told;
};

int nft_claims_open(struct nft_claims **ret)
{
	struct nft_claims *n = calloc(1, sizeof(*n));

	if (!n)
		return -ENOMEM;
	*ret = n;
	return 0;
}

void nft_claims_begin(struct nft_claims *n)
{
	for (uint32_t i = 0; i < n->n_sets; i++)
		buf_done(&n->sets[i].definition);
	n->n_objects = n->n_sets = n->n_elements = n->n_tables = 0;
}

struct nft_claims *nft_claims_free(struct nft_claims *n)
{
	if (!n)
		return NULL;
	nft_claims_begin(n);
	free(n->objects);
	free(n->sets);
	free(n->elements);
	free(n->tables);
	free(n);
	return NULL;
}

static int named_digest(uint8_t family, const char *name, struct digest *ret)
{
	const struct buf_view parts[] = {{&family, 1}, {(const uint8_t *)name, strlen(name)}};

	return digest_sha256_parts(parts, ARRAY_SIZE(parts), ret);
}

static int put_object(struct nft_claims *n, const struct object *o, const struct buf *canonical)
{
	int r = buf_status(canonical);

	if (r >= 0)
		r = net_claims_grow((void **)&n->objects, n->n_objects, &n->room_objects,
				    NFT_CLAIMS_MAX_OBJECTS, sizeof(*n->objects));
	if (r < 0)
		return r;
	n->objects[n->n_objects] = *o;
	n->objects[n->n_objects].place = n->n_objects;
	r = digest_sha256(canonical->data ? canonical->data : (const uint8_t *)"", canonical->size,
			  &n->objects[n->n_objects].content);
	n->n_objects += r >= 0;
	return r;
}

static void put_attributes(const struct nft_read_object *o, const uint16_t *types, size_t n,
			   struct buf *ret)
{
	for (size_t i = 0; i < n; i++) {
		if (o->at[types[i]].data)
			nft_read_put(ret, types[i], o->at[types[i]]);
	}
}

static int add_table(struct nft_claims *n, const struct nft_read_object *o, struct why *ret_why)
{
	static const uint16_t types[] = {NFTA_TABLE_NAME, NFTA_TABLE_FLAGS};
	CLEANUP(buf_done) struct buf b = {0};
	struct object object = {.class = CLASS_TABLE};
	char name[NFT_READ_NAME_SIZE];
	struct table *t;
	int r = nft_read_name(o, NFTA_TABLE_NAME, name, ret_why);

	if (r >= 0)
		r = named_digest(o->family, name, &object.table);
	if (r >= 0)
		r = net_claims_grow((void **)&n->tables, n->n_tables, &n->room_tables,
				    NFT_CLAIMS_MAX_OBJECTS, sizeof(*n->tables));
	if (r < 0)
		return r;
	t = &n->tables[n->n_tables];
	snprintf(t->name, sizeof(t->name), "%s:%s", nft_read_family(o->family), name);
	t->id = object.table;
	put_attributes(o, types, ARRAY_SIZE(types), &b);
	r = put_object(n, &object, &b);
	n->n_tables += r >= 0;
	return r;
}

static int add_chain(struct nft_claims *n, const struct nft_read_object *o, struct why *ret_why)
{
	static const uint16_t types[] = {NFTA_CHAIN_TABLE,  NFTA_CHAIN_NAME, NFTA_CHAIN_HOOK,
					 NFTA_CHAIN_POLICY, NFTA_CHAIN_TYPE, NFTA_CHAIN_FLAGS};
	CLEANUP(buf_done) struct buf b = {0};
	struct object object = {.class = CLASS_CHAIN};
	char table[NFT_READ_NAME_SIZE], name[NFT_READ_NAME_SIZE];
	int r = nft_read_name(o, NFTA_CHAIN_TABLE, table, ret_why);

	if (r >= 0)
		r = nft_read_name(o, NFTA_CHAIN_NAME, name, ret_why);
	if (r >= 0)
		r = named_digest(o->family, table, &object.table);
	if (r >= 0)
		r = named_digest(o->family, name, &object.name);
	if (r < 0)
		return r;
	put_attributes(o, types, ARRAY_SIZE(types), &b);
	return put_object(n, &object, &b);
}

/* Without its name, which goes in where it is not one of the kernel's making. */
static int add_set(struct nft_claims *n, const struct nft_read_object *o, struct why *ret_why)
{
	static const uint16_t types[] = {NFTA_SET_TABLE,    NFTA_SET_FLAGS,	NFTA_SET_KEY_TYPE,
					 NFTA_SET_KEY_LEN,  NFTA_SET_DATA_TYPE, NFTA_SET_DATA_LEN,
					 NFTA_SET_OBJ_TYPE, NFTA_SET_TIMEOUT};
	struct set s = {.id.family = o->family};
	uint32_t flags = 0;
	int r = nft_read_name(o, NFTA_SET_TABLE, s.id.table, ret_why);

	if (r >= 0)
		r = nft_read_name(o, NFTA_SET_NAME, s.id.name, ret_why);
	if (r >= 0 && o->at[NFTA_SET_FLAGS].data &&
	    netlink_read_u32be(o->at[NFTA_SET_FLAGS], &flags) < 0)
		r = why_set(ret_why, -EBADMSG, "nf_tables: flags of a set");
	if (r >= 0)
		r = named_digest(o->family, s.id.table, &s.table);
	if (r >= 0)
		r = net_claims_grow((void **)&n->sets, n->n_sets, &n->room_sets,
				    NFT_CLAIMS_MAX_SETS, sizeof(*n->sets));
	if (r < 0)
		return r;
	s.id.moving = flags & (NFT_SET_TIMEOUT | NFT_SET_EVAL);
	put_attributes(o, types, ARRAY_SIZE(types), &s.definition);
	if (!(flags & NFT_SET_ANONYMOUS))
		nft_read_put(&s.definition, NFTA_SET_NAME, o->at[NFTA_SET_NAME]);
	n->sets[n->n_sets++] = s;
	return 0;
}

uint32_t nft_claims_n_sets(const struct nft_claims *n)
{
	return n->n_sets;
}

const struct nft_claims_set *nft_claims_set_at(const struct nft_claims *n, uint32_t i)
{
	return &n->sets[i].id;
}

static int add_element(void *ctx, const struct buf *canonical)
{
	struct nft_claims *n = ctx;
	int r = net_claims_grow((void **)&n->elements, n->n_elements, &n->room_elements,
				NFT_CLAIMS_MAX_OBJECTS, sizeof(*n->elements));

	if (r < 0)
		return r;
	r = digest_sha256(canonical->data ? canonical->data : (const uint8_t *)"", canonical->size,
			  &n->elements[n->n_elements]);
	n->n_elements += r >= 0;
	return r;
}

int nft_claims_add_elements(struct nft_claims *n, const struct netlink_read_message *m,
			    struct why *ret_why)
{
	struct nft_read_object o;
	int r;

	if (m->type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM))
		return 0;
	r = nft_read_object(m->body, &o, ret_why);
	if (r < 0 || !o.at[NFTA_SET_ELEM_LIST_ELEMENTS].data)
		return r;
	return nft_read_elements(o.at[NFTA_SET_ELEM_LIST_ELEMENTS], add_element, n, ret_why);
}

static int by_digest(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct digest));
}

int nft_claims_set_done(struct nft_claims *n, uint32_t i)
{
	struct object object = {.class = CLASS_SET};
	struct set *s = &n->sets[i];
	int r;

	if (n->n_elements)
		qsort(n->elements, n->n_elements, sizeof(*n->elements), by_digest);
	if (n->n_elements)
		buf_put(&s->definition, n->elements, n->n_elements * sizeof(*n->elements));
	n->n_elements = 0;
	object.table = s->table;
	/* Sets without names of their own come in the order of what they hold. */
	r = buf_status(&s->definition);
	if (r >= 0)
		r = digest_sha256(s->definition.data, s->definition.size, &s->content);
	object.name = s->content;
	s->content_view = (struct buf_view){s->content.bytes, sizeof(s->content.bytes)};
	return r < 0 ? r : put_object(n, &object, &s->definition);
}

struct in_table {
	struct nft_claims *n;
	const struct digest *table;
};

static const struct buf_view *find_set(void *ctx, const char *name)
{
	struct in_table *t = ctx;

	for (uint32_t i = 0; i < t->n->n_sets; i++) {
		struct set *s = &t->n->sets[i];

		if (s->content_view.data && strcmp(s->id.name, name) == 0 &&
		    memcmp(&s->table, t->table, sizeof(*t->table)) == 0) {
			/* The list may have moved since. */
			s->content_view.data = s->content.bytes;
			return &s->content_view;
		}
	}
	return NULL;
}

static int add_rule(struct nft_claims *n, const struct nft_read_object *o, struct why *ret_why)
{
	static const uint16_t types[] = {NFTA_RULE_TABLE, NFTA_RULE_CHAIN, NFTA_RULE_COMPAT};
	CLEANUP(buf_done) struct buf b = {0};
	struct object object = {.class = CLASS_RULE};
	struct in_table in = {n, &object.table};
	const struct nft_read_sets sets = {find_set, &in};
	char table[NFT_READ_NAME_SIZE], chain[NFT_READ_NAME_SIZE];
	int r = nft_read_name(o, NFTA_RULE_TABLE, table, ret_why);

	if (r >= 0)
		r = nft_read_name(o, NFTA_RULE_CHAIN, chain, ret_why);
	if (r >= 0)
		r = named_digest(o->family, table, &object.table);
	if (r >= 0)
		r = named_digest(o->family, chain, &object.name);
	if (r < 0)
		return r;
	put_attributes(o, types, ARRAY_SIZE(types), &b);
	if (o->at[NFTA_RULE_EXPRESSIONS].data)
		r = nft_read_put_expressions(&b, o->at[NFTA_RULE_EXPRESSIONS], &sets, ret_why);
	return r < 0 ? r : put_object(n, &object, &b);
}

int nft_claims_add(struct nft_claims *n, const struct netlink_read_message *m, struct why *ret_why)
{
	struct nft_read_object o;
	int r;

	if (m->type >> 8 != NFNL_SUBSYS_NFTABLES)
		return 0;
	r = nft_read_object(m->body, &o, ret_why);
	if (r < 0)
		return r;
	switch (m->type & 0xff) {
	case NFT_MSG_NEWTABLE:
		return add_table(n, &o, ret_why);
	case NFT_MSG_NEWCHAIN:
		return add_chain(n, &o, ret_why);
	case NFT_MSG_NEWSET:
		return add_set(n, &o, ret_why);
	case NFT_MSG_NEWRULE:
		return add_rule(n, &o, ret_why);
	default:
		return 0;
	}
}

static int by_place(const void *a, const void *b)
{
	const struct object *x = a, *y = b;
	int r = memcmp(&x->table, &y->table, sizeof(x->table));

	if (r == 0)
		r = x->class != y->class ? (x->class < y->class ? -1 : 1)
					 : memcmp(&x->name, &y->name, sizeof(x->name));
	return r != 0 ? r : x->place < y->place ? -1 : x->place > y->place;
}

/* table NULL: of all of them. */
static int value_of(const struct nft_claims *n, const struct digest *table, char ret[VALUE_SIZE])
{
	uint32_t count[CLASS_RULE + 1] = {0};
	char hex[DIGEST_HEX_SIZE];
	struct digest_stream *s;
	struct digest d;
	int r = digest_stream_open(&s);

	for (uint32_t i = 0; r >= 0 && i < n->n_objects; i++) {
		const struct object *o = &n->objects[i];
		const uint8_t class = (uint8_t)o->class;

		if (table && memcmp(&o->table, table, sizeof(*table)) != 0)
			continue;
		count[class]++;
		r = digest_stream_add(s, &class, 1);
		if (r >= 0)
			r = digest_stream_add(s, o, offsetof(struct object, class));
	}
	if (r >= 0)
		r = digest_stream_end(s, &d);
	digest_stream_free(s);
	if (r < 0)
		return r;
	digest_hex(&d, hex);
	snprintf(ret, VALUE_SIZE, "sha256:%s %u tables %u chains %u rules %u sets", hex,
		 count[CLASS_TABLE], count[CLASS_CHAIN], count[CLASS_RULE], count[CLASS_SET]);
	return 0;
}

static int put_named(const struct net_claims_sink *sink, const char *table, const char *value)
{
	char key[TOLD_SIZE + 16];

	snprintf(key, sizeof(key), "net:nft_table:%s", table);
	return sink->put(sink->ctx, key, value);
}

static bool has_table(const struct nft_claims *n, const char *name)
{
	for (uint32_t i = 0; i < n->n_tables; i++) {
		if (strcmp(n->tables[i].name, name) == 0)
			return true;
	}
	return false;
}

static int tell_tables(struct nft_claims *n, const struct net_claims_sink *sink)
{
	char value[VALUE_SIZE];
	int r = 0, told = 0;

	for (uint32_t i = 0; r >= 0 && i < n->n_told; i++) {
		if (!has_table(n, n->told[i]))
			r = put_named(sink, n->told[i], "absent");
		told += r > 0;
	}
	n->n_told = 0;
	for (uint32_t i = 0; r >= 0 && i < n->n_tables && n->n_told < NFT_CLAIMS_MAX_TOLD; i++) {
		memcpy(n->told[n->n_told++], n->tables[i].name, TOLD_SIZE);
		r = value_of(n, &n->tables[i].id, value);
		if (r >= 0)
			r = put_named(sink, n->tables[i].name, value);
		told += r > 0;
	}
	return r < 0 ? r : told;
}

int nft_claims_tell(struct nft_claims *n, const struct net_claims_sink *sink)
{
	char value[VALUE_SIZE] = "none";
	int r = 0, told;

	if (n->n_objects)
		qsort(n->objects, n->n_objects, sizeof(*n->objects), by_place);
	if (n->n_tables)
		r = value_of(n, NULL, value);
	if (r < 0)
		return r;
	told = tell_tables(n, sink);
	if (told < 0)
		return told;
	r = sink->put(sink->ctx, "net:nft_ruleset", value);
	return r < 0 ? r : told + r;
}

int nft_claims_tell_text(struct nft_claims *n, const char *value,
			 const struct net_claims_sink *sink)
{
	int r = sink->put(sink->ctx, "net:nft_ruleset", value), told = r > 0;
	const char *of_table = strcmp(value, "none") == 0 ? "absent" : value;

	for (uint32_t i = 0; r >= 0 && i < n->n_told; i++) {
		r = put_named(sink, n->told[i], of_table);
		told += r > 0;
	}
	return r < 0 ? r : told;
}
