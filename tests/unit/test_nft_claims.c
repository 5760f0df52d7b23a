/* SPDX-License-Identifier: Apache-2.0 */
/* test_nft_claims.c: the digest of a ruleset changes with what packets meet, and with nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../userspace/agent/nft_claims.h"
#include "netlink_bytes.h"

#define N(x) (NFNL_SUBSYS_NFTABLES << 8 | (x))

/* One table with a chain, a set without a name of its own, and two rules; each field is a way in which it may differ. */
struct variant {
	uint64_t handle, packets;
	uint32_t policy;
	uint16_t port; /* in the set */
	const char *set; /* the kernel's name for it */
	bool set_elements_turned, rules_turned;
	const char *chain;
};

static const struct variant plain = {1, 0, 1, 22, "__set0", false, false, "input"};

struct bench {
	char value[256], table[256];
	uint32_t others;
};

static int put(void *ctx, const char *key, const char *value)
{
	struct bench *b = ctx;

	if (strcmp(key, "net:nft_ruleset") == 0)
		snprintf(b->value, sizeof(b->value), "%s", value);
	else if (strcmp(key, "net:nft_table:inet:t") == 0)
		snprintf(b->table, sizeof(b->table), "%s", value);
	else
		b->others++;
	return 1;
}

static size_t begin(struct buf *b, uint8_t what)
{
	const struct nfgenmsg h = {.nfgen_family = 1};

	return netlink_bytes_message(b, N(what), &h, sizeof(h));
}

static void expression(struct buf *b, const char *name, uint16_t type, const void *data,
		       size_t size)
{
	size_t elem = netlink_bytes_nest(b, NFTA_LIST_ELEM), nest;

	netlink_bytes_text(b, NFTA_EXPR_NAME, name);
	nest = netlink_bytes_nest(b, NFTA_EXPR_DATA);
	netlink_bytes_put(b, type, data, size);
	netlink_bytes_nest_end(b, nest);
	netlink_bytes_nest_end(b, elem);
}

static void rule(struct buf *b, const struct variant *v, bool lookup)
{
	size_t at = begin(b, NFT_MSG_NEWRULE), nest;
	const uint32_t verdict = 1;

	netlink_bytes_text(b, NFTA_RULE_TABLE, "t");
	netlink_bytes_text(b, NFTA_RULE_CHAIN, v->chain);
	netlink_bytes_put(b, NFTA_RULE_HANDLE, &v->handle, 8);
	nest = netlink_bytes_nest(b, NFTA_RULE_EXPRESSIONS);
	if (lookup)
		expression(b, "lookup", NFTA_LOOKUP_SET, v->set, strlen(v->set) + 1);
	expression(b, "counter", NFTA_COUNTER_PACKETS, &v->packets, 8);
	expression(b, "quota", NFTA_QUOTA_CONSUMED, &v->packets, 8);
	expression(b, "immediate", NFTA_IMMEDIATE_DATA, &verdict, 4);
	netlink_bytes_nest_end(b, nest);
	netlink_bytes_message_end(b, at);
}

static void element(struct buf *b, uint16_t port)
{
	size_t elem = netlink_bytes_nest(b, NFTA_LIST_ELEM);
	size_t key = netlink_bytes_nest(b, NFTA_SET_ELEM_KEY);

	netlink_bytes_put(b, NFTA_DATA_VALUE, &port, sizeof(port));
	netlink_bytes_nest_end(b, key);
	netlink_bytes_nest_end(b, elem);
}

static void add(struct nft_claims *n, struct buf *b)
{
	struct buf_reader r = buf_reader_of(b->data, b->size);
	struct netlink_read_message m;
	struct why why = {""};

	while (netlink_read_message(&r, &m, &why) > 0) {
		assert_int_equal(nft_claims_add(n, &m, &why), 0);
		assert_int_equal(nft_claims_add_elements(n, &m, &why), 0);
	}
	buf_clear(b);
}

static void chain_and_set(struct buf *b, const struct variant *v)
{
	size_t at = begin(b, NFT_MSG_NEWCHAIN);

	netlink_bytes_text(b, NFTA_CHAIN_TABLE, "t");
	netlink_bytes_text(b, NFTA_CHAIN_NAME, v->chain);
	netlink_bytes_u32be(b, NFTA_CHAIN_POLICY, v->policy);
	netlink_bytes_put(b, NFTA_CHAIN_HANDLE, &v->handle, 8);
	netlink_bytes_message_end(b, at);
	at = begin(b, NFT_MSG_NEWSET);
	netlink_bytes_text(b, NFTA_SET_TABLE, "t");
	netlink_bytes_text(b, NFTA_SET_NAME, v->set);
	netlink_bytes_u32be(b, NFTA_SET_FLAGS, NFT_SET_ANONYMOUS | NFT_SET_CONSTANT);
	netlink_bytes_message_end(b, at);
}

static void elements(struct buf *b, const struct variant *v)
{
	size_t at = begin(b, NFT_MSG_NEWSETELEM), nest;

	netlink_bytes_text(b, NFTA_SET_ELEM_LIST_TABLE, "t");
	netlink_bytes_text(b, NFTA_SET_ELEM_LIST_SET, v->set);
	nest = netlink_bytes_nest(b, NFTA_SET_ELEM_LIST_ELEMENTS);
	element(b, v->set_elements_turned ? 80 : v->port);
	element(b, v->set_elements_turned ? v->port : 80);
	netlink_bytes_nest_end(b, nest);
	netlink_bytes_message_end(b, at);
}

static void tell(const struct variant *v, struct bench *ret)
{
	const struct net_claims_sink sink = {put, ret};
	struct nft_claims *n;
	struct buf b = {0};
	size_t at;

	memset(ret, 0, sizeof(*ret));
	assert_int_equal(nft_claims_open(&n), 0);
	nft_claims_begin(n);
	at = begin(&b, NFT_MSG_NEWTABLE);
	netlink_bytes_text(&b, NFTA_TABLE_NAME, "t");
	netlink_bytes_u32be(&b, NFTA_TABLE_USE, (uint32_t)v->handle);
	netlink_bytes_message_end(&b, at);
	chain_and_set(&b, v);
	add(n, &b);
	assert_int_equal(nft_claims_n_sets(n), 1);
	assert_false(nft_claims_set_at(n, 0)->moving);
	elements(&b, v);
	add(n, &b);
	assert_int_equal(nft_claims_set_done(n, 0), 0);
	rule(&b, v, !v->rules_turned);
	rule(&b, v, v->rules_turned);
	add(n, &b);
	assert_int_equal(nft_claims_tell(n, &sink), 2);
	assert_int_equal(ret->others, 0);
	nft_claims_free(n);
	buf_done(&b);
}

static void what_packets_do_not_meet_changes_nothing(void **state)
{
	struct variant v = plain;
	struct bench first, b;

	(void)state;
	tell(&plain, &first);
	assert_memory_equal(first.value, "sha256:", 7);
	assert_non_null(strstr(first.value, " 1 tables 1 chains 2 rules 1 sets"));
	assert_memory_equal(first.table, "sha256:", 7);
	v.handle = 99;
	v.packets = 12345;
	v.set = "__set7"; /* as after a reload */
	v.set_elements_turned = true;
	tell(&v, &b);
	assert_string_equal(first.value, b.value);
	assert_string_equal(first.table, b.table);
}

static void what_they_meet_does(void **state)
{
	struct variant v[4] = {plain, plain, plain, plain};
	struct bench first, b;

	(void)state;
	v[0].policy = 0;
	v[1].port = 4444;
	v[2].rules_turned = true;
	v[3].chain = "output";
	tell(&plain, &first);
	for (size_t i = 0; i < 4; i++) {
		tell(&v[i], &b);
		assert_string_not_equal(first.value, b.value);
		assert_string_not_equal(first.table, b.table);
	}
}

static void without_tables_there_is_none(void **state)
{
	struct bench b = {0};
	const struct net_claims_sink sink = {put, &b};
	struct nft_claims *n;

	(void)state;
	assert_int_equal(nft_claims_open(&n), 0);
	nft_claims_begin(n);
	assert_int_equal(nft_claims_tell(n, &sink), 1);
	assert_string_equal(b.value, "none");
	nft_claims_free(n);
}

/* A rule cut anywhere is refused with a reason; nothing of it is kept. */
static void broken_rules_are_refused(void **state)
{
	struct nft_claims *n;
	struct buf b = {0};
	size_t whole;

	(void)state;
	assert_int_equal(nft_claims_open(&n), 0);
	nft_claims_begin(n);
	rule(&b, &plain, true);
	whole = b.size - 16;
	for (size_t size = 0; size < whole; size++) {
		const struct netlink_read_message m = {.type = N(NFT_MSG_NEWRULE),
						       .body = {b.data + 16, size}};
		struct why why = {""};
		int r = nft_claims_add(n, &m, &why);

		/* Where an attribute ends, with or without its padding, names and handle without expressions are a rule, too. */
		assert_true(r == 0 || (r == -EBADMSG && why.text[0]));
		assert_true(r < 0 || (size >= 22 && size <= 24) || size == 36);
	}
	/* An expression that is longer than what holds it. */
	b.data[16 + 4 + 8 + 12 + 12 + 4] = 0xff;
	{
		const struct netlink_read_message m = {.type = N(NFT_MSG_NEWRULE),
						       .body = {b.data + 16, whole}};

		assert_int_equal(nft_claims_add(n, &m, NULL), -EBADMSG);
	}
	nft_claims_free(n);
	buf_done(&b);
}

static void generations_are_read(void **state)
{
	struct nft_read_gen g;
	struct buf b = {0};
	size_t at = begin(&b, NFT_MSG_NEWGEN);
	struct buf_view body;

	(void)state;
	netlink_bytes_u32be(&b, NFTA_GEN_ID, 12);
	netlink_bytes_u32be(&b, NFTA_GEN_PROC_PID, 4711);
	netlink_bytes_text(&b, NFTA_GEN_PROC_NAME, "nft");
	netlink_bytes_message_end(&b, at);
	body = (struct buf_view){b.data + 16, b.size - 16};
	assert_int_equal(nft_read_gen(body, &g, NULL), 0);
	assert_int_equal(g.id, 12);
	assert_int_equal(g.pid, 4711);
	assert_string_equal(g.name, "nft");
	body.size = 4; /* without its number */
	assert_int_equal(nft_read_gen(body, &g, NULL), -EBADMSG);
	b.data[16 + 4] = 7; /* a number of three bytes */
	body.size = b.size - 16;
	assert_int_equal(nft_read_gen(body, &g, NULL), -EBADMSG);
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_packets_do_not_meet_changes_nothing),
		cmocka_unit_test(what_they_meet_does),
		cmocka_unit_test(without_tables_there_is_none),
		cmocka_unit_test(broken_rules_are_refused),
		cmocka_unit_test(generations_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
