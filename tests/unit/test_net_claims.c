/* SPDX-License-Identifier: Apache-2.0 */
/* test_net_claims.c: which interfaces, addresses and routes are claims, and what they say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../userspace/agent/net_claims.h"
#include "netlink_bytes.h"

#define CLAIMS_MAX 64

struct bench {
	struct net_claims *n;
	struct buf b;
	struct {
		char key[64], value[512];
	} claims[CLAIMS_MAX];
	uint32_t n_claims;
};

static int put(void *ctx, const char *key, const char *value)
{
	struct bench *b = ctx;
	uint32_t i = 0;

	while (i < b->n_claims && strcmp(b->claims[i].key, key) != 0)
		i++;
	assert_true(i < CLAIMS_MAX);
	if (i < b->n_claims && strcmp(b->claims[i].value, value) == 0)
		return 0;
	snprintf(b->claims[i].key, sizeof(b->claims[i].key), "%s", key);
	snprintf(b->claims[i].value, sizeof(b->claims[i].value), "%s", value);
	b->n_claims += i == b->n_claims;
	return 1;
}

static const char *found(const struct bench *b, const char *key)
{
	for (uint32_t i = 0; i < b->n_claims; i++) {
		if (strcmp(b->claims[i].key, key) == 0)
			return b->claims[i].value;
	}
	return "(no claim)";
}

static void link_bytes(struct buf *b, int index, const char *name, const char *kind,
		       uint32_t master)
{
	const struct ifinfomsg h = {.ifi_index = index, .ifi_flags = IFF_UP};
	const uint8_t mac[6] = {2, 0, 0, 0, 0, (uint8_t)index};
	size_t at = netlink_bytes_message(b, RTM_NEWLINK, &h, sizeof(h)), nest;

	netlink_bytes_text(b, IFLA_IFNAME, name);
	netlink_bytes_u32(b, IFLA_MTU, 1500);
	netlink_bytes_put(b, IFLA_ADDRESS, mac, sizeof(mac));
	if (master)
		netlink_bytes_u32(b, IFLA_MASTER, master);
	if (kind) {
		nest = netlink_bytes_nest(b, IFLA_LINKINFO);
		netlink_bytes_text(b, IFLA_INFO_KIND, kind);
		netlink_bytes_nest_end(b, nest);
	}
	netlink_bytes_message_end(b, at);
}

static void addr_bytes(struct buf *b, uint32_t index, const char *addr, uint8_t prefix,
		       uint8_t scope, uint32_t flags)
{
	uint8_t family = strchr(addr, ':') ? AF_INET6 : AF_INET, bytes[16];
	const struct ifaddrmsg h = {.ifa_family = family,
				    .ifa_prefixlen = prefix,
				    .ifa_scope = scope,
				    .ifa_index = index};
	size_t at = netlink_bytes_message(b, RTM_NEWADDR, &h, sizeof(h));

	assert_int_equal(inet_pton(family, addr, bytes), 1);
	netlink_bytes_put(b, IFA_ADDRESS, bytes, family == AF_INET ? 4 : 16);
	netlink_bytes_u32(b, IFA_FLAGS, flags);
	netlink_bytes_message_end(b, at);
}

static void route_bytes(struct buf *b, uint8_t prefix, const char *to, uint32_t dev,
			uint32_t metric)
{
	const struct rtmsg h = {.rtm_family = AF_INET,
				.rtm_dst_len = prefix,
				.rtm_table = RT_TABLE_MAIN,
				.rtm_protocol = RTPROT_STATIC,
				.rtm_type = RTN_UNICAST};
	size_t at = netlink_bytes_message(b, RTM_NEWROUTE, &h, sizeof(h));
	uint8_t bytes[4];

	assert_int_equal(inet_pton(AF_INET, to, bytes), 1);
	if (prefix)
		netlink_bytes_put(b, RTA_DST, bytes, 4);
	assert_int_equal(inet_pton(AF_INET, "10.0.0.1", bytes), 1);
	netlink_bytes_put(b, RTA_GATEWAY, bytes, 4);
	netlink_bytes_u32(b, RTA_OIF, dev);
	netlink_bytes_u32(b, RTA_PRIORITY, metric);
	netlink_bytes_message_end(b, at);
}

static int add_all(struct bench *b)
{
	struct buf_reader r = buf_reader_of(b->b.data, b->b.size);
	struct netlink_read_message m;
	struct why why = {""};
	int n = 0;

	net_claims_begin(b->n);
	while (n >= 0 && netlink_read_message(&r, &m, &why) > 0)
		n = net_claims_add(b->n, &m, &why);
	assert_true(n >= 0 || why.text[0] != '\0');
	return n;
}

static int tell(struct bench *b)
{
	const struct net_claims_sink sink = {put, b};

	return net_claims_tell(b->n, &sink);
}

static void begin(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	assert_int_equal(net_claims_open(&b->n), 0);
	*state = b;
}

static void end(struct bench *b)
{
	net_claims_free(b->n);
	buf_done(&b->b);
	free(b);
}

static void node(struct buf *b)
{
	link_bytes(b, 1, "eth0", NULL, 3);
	link_bytes(b, 2, "cali123", "veth", 4);
	link_bytes(b, 3, "br0", "bridge", 0);
	link_bytes(b, 4, "cni0", "bridge", 0);
	link_bytes(b, 5, "eth0.5", "vlan", 0);
	addr_bytes(b, 3, "10.0.0.9", 24, RT_SCOPE_UNIVERSE, 0);
	addr_bytes(b, 3, "fe80::1", 64, RT_SCOPE_LINK, 0);
	addr_bytes(b, 3, "2001:db8::9", 64, RT_SCOPE_UNIVERSE, 0);
	addr_bytes(b, 3, "2001:db8::99", 64, RT_SCOPE_UNIVERSE, IFA_F_TEMPORARY);
	addr_bytes(b, 4, "10.244.0.1", 24, RT_SCOPE_UNIVERSE, 0);
	route_bytes(b, 0, "0.0.0.0", 3, 100);
	route_bytes(b, 24, "10.244.1.0", 3, 0);
	route_bytes(b, 1, "128.0.0.0", 3, 0);
}

static void what_an_operator_would_write_down_is_told(void **state)
{
	struct bench *b;

	begin(state);
	b = *state;
	node(&b->b);
	assert_int_equal(add_all(b), 0);
	assert_int_equal(tell(b), 8);
	assert_string_equal(found(b, "net:links"), "br0 eth0 eth0.5");
	assert_string_equal(found(b, "net:link:eth0"),
			    "up mtu 1500 mac 02:00:00:00:00:01 master br0");
	assert_string_equal(found(b, "net:link:br0"),
			    "up mtu 1500 mac 02:00:00:00:00:03 kind bridge");
	assert_string_equal(found(b, "net:addr:br0"), "10.0.0.9/24 2001:db8::9/64");
	assert_string_equal(found(b, "net:addr:eth0"), "none");
	assert_string_equal(found(b, "net:link:cali123"), "(no claim)");
	assert_string_equal(found(b, "net:link:cni0"), "(no claim)");
	assert_string_equal(found(b, "net:addr:cni0"), "(no claim)");
	assert_string_equal(found(b, "net:routes"),
			    "0.0.0.0/0 table 254 unicast via 10.0.0.1 dev br0 metric 100 proto 4, "
			    "128.0.0.0/1 table 254 unicast via 10.0.0.1 dev br0 proto 4");
	end(b);
}

/* A pod came, another one went, and the kernel gave its list in another order. */
static void pods_come_and_go_unseen(void **state)
{
	struct bench *b;

	begin(state);
	b = *state;
	node(&b->b);
	assert_int_equal(add_all(b), 0);
	assert_true(tell(b) > 0);
	buf_clear(&b->b);
	link_bytes(&b->b, 5, "eth0.5", "vlan", 0);
	link_bytes(&b->b, 9, "cali999", "veth", 4);
	link_bytes(&b->b, 4, "cni0", "bridge", 0);
	link_bytes(&b->b, 3, "br0", "bridge", 0);
	link_bytes(&b->b, 1, "eth0", NULL, 3);
	addr_bytes(&b->b, 3, "2001:db8::9", 64, RT_SCOPE_UNIVERSE, 0);
	addr_bytes(&b->b, 3, "10.0.0.9", 24, RT_SCOPE_UNIVERSE, 0);
	route_bytes(&b->b, 1, "128.0.0.0", 3, 0);
	route_bytes(&b->b, 24, "10.244.2.0", 3, 0);
	route_bytes(&b->b, 0, "0.0.0.0", 3, 100);
	assert_int_equal(add_all(b), 0);
	assert_int_equal(tell(b), 0);
	end(b);
}

static void what_changed_is_told_and_nothing_else(void **state)
{
	struct bench *b;

	begin(state);
	b = *state;
	node(&b->b);
	addr_bytes(&b->b, 1, "192.0.2.66", 24, RT_SCOPE_UNIVERSE, 0);
	assert_int_equal(add_all(b), 0);
	assert_true(tell(b) > 0);
	buf_clear(&b->b);
	node(&b->b);
	assert_int_equal(add_all(b), 0);
	assert_int_equal(tell(b), 1);
	assert_string_equal(found(b, "net:addr:eth0"), "none");
	buf_clear(&b->b);
	link_bytes(&b->b, 1, "eth0", NULL, 0);
	assert_int_equal(add_all(b), 0);
	assert_true(tell(b) > 0);
	assert_string_equal(found(b, "net:link:br0"), "absent");
	assert_string_equal(found(b, "net:addr:br0"), "absent");
	assert_string_equal(found(b, "net:routes"), "none");
	end(b);
}

static void what_could_not_be_read_is_unknown(void **state)
{
	const struct net_claims_sink sink = {put, NULL};
	struct net_claims_sink with_ctx = sink;
	struct bench *b;

	begin(state);
	b = *state;
	with_ctx.ctx = b;
	node(&b->b);
	assert_int_equal(add_all(b), 0);
	assert_true(tell(b) > 0);
	assert_int_equal(net_claims_unknown(b->n, "no memory", &with_ctx), 8);
	for (uint32_t i = 0; i < b->n_claims; i++)
		assert_string_equal(b->claims[i].value, "unknown no memory");
	end(b);
}

/* Each byte of each length turned: refused with a reason, or read; and never a claim less. */
static void broken_messages_are_refused(void **state)
{
	static const uint16_t types[] = {RTM_NEWLINK, RTM_NEWADDR, RTM_NEWROUTE};
	struct bench *b;

	begin(state);
	b = *state;
	for (size_t i = 0; i < 3; i++) {
		struct netlink_read_message m = {.type = types[i]};
		struct why why = {""};
		size_t whole;

		buf_clear(&b->b);
		if (i == 0)
			link_bytes(&b->b, 1, "eth0", "vlan", 3);
		else if (i == 1)
			addr_bytes(&b->b, 1, "10.0.0.9", 24, 0, 0);
		else
			route_bytes(&b->b, 1, "128.0.0.0", 1, 7);
		whole = b->b.size - 16;
		m.body = (struct buf_view){b->b.data + 16, whole};
		net_claims_begin(b->n);
		assert_int_equal(net_claims_add(b->n, &m, &why), 0);
		/* The first header, then the first attribute's head. */
		for (m.body.size = 0; m.body.size < 8; m.body.size++)
			assert_int_equal(net_claims_add(b->n, &m, &why), -EBADMSG);
		for (m.body.size = 17; m.body.size < 20; m.body.size++)
			assert_int_equal(net_claims_add(b->n, &m, &why), -EBADMSG);
		m.body.size = whole - 1;
		assert_int_equal(net_claims_add(b->n, &m, &why), -EBADMSG);
		assert_true(net_claims_concerns(b->n, &m)); /* in doubt */
	}
	end(b);
}

static void only_what_counts_makes_a_reading_due(void **state)
{
	struct netlink_read_message m;
	struct buf_reader r;
	struct bench *b;
	bool due[6];

	begin(state);
	b = *state;
	node(&b->b);
	assert_int_equal(add_all(b), 0);
	assert_true(tell(b) > 0);
	buf_clear(&b->b);
	link_bytes(&b->b, 77, "cali777", "veth", 4);
	link_bytes(&b->b, 78, "eth9", NULL, 0);
	addr_bytes(&b->b, 4, "10.244.9.9", 32, 0, 0);
	addr_bytes(&b->b, 1, "10.244.9.9", 32, 0, 0);
	route_bytes(&b->b, 24, "10.244.3.0", 3, 0);
	route_bytes(&b->b, 0, "0.0.0.0", 3, 0);
	r = buf_reader_of(b->b.data, b->b.size);
	for (int i = 0; i < 6; i++) {
		assert_int_equal(netlink_read_message(&r, &m, NULL), 1);
		due[i] = net_claims_concerns(b->n, &m);
	}
	assert_false(due[0]);
	assert_true(due[1]);
	assert_false(due[2]);
	assert_true(due[3]);
	assert_false(due[4]);
	assert_true(due[5]);
	end(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_an_operator_would_write_down_is_told),
		cmocka_unit_test(pods_come_and_go_unseen),
		cmocka_unit_test(what_changed_is_told_and_nothing_else),
		cmocka_unit_test(what_could_not_be_read_is_unknown),
		cmocka_unit_test(broken_messages_are_refused),
		cmocka_unit_test(only_what_counts_makes_a_reading_due),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
