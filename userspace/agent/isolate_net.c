/* SPDX-License-Identifier: Apache-2.0 */
#include "isolate_net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip_icmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jsonl.h"

#define PRIORITY 250 /* after all that others filter (0), secure (50) and rewrite (-100, 100) */

static int parse_number(const char *text, uint32_t min, uint32_t max, uint32_t *ret)
{
	unsigned long v;
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	v = strtoul(text, &end, 10);
	if (errno || *end || v < min || v > max)
		return -EINVAL;
	*ret = (uint32_t)v;
	return 0;
}

/* Takes what is behind the address off text: a prefix or a port. */
static int parse_behind(char *text, struct isolate_net_peer *p, char **ret_address)
{
	char *slash = strchr(text, '/'), *colon = strchr(text, ':'), *close = strchr(text, ']');
	uint32_t number = 0;
	int r = 0;

	*ret_address = text;
	if (*text == '[') {
		if (!close || close[1] != ':' || parse_number(close + 2, 1, 65535, &number) < 0)
			return -EINVAL;
		*close = '\0';
		*ret_address = text + 1;
		p->port = (uint16_t)number;
	} else if (slash) {
		r = parse_number(slash + 1, 1, 128, &number);
		*slash = '\0';
		p->prefix = (uint8_t)number;
	} else if (colon && !strchr(colon + 1, ':')) {
		r = parse_number(colon + 1, 1, 65535, &number);
		*colon = '\0';
		p->port = (uint16_t)number;
	}
	return r;
}

static void cut_host_bits(struct isolate_net_peer *p)
{
	for (uint32_t i = 0; i < 16; i++) {
		uint32_t bits = p->prefix > i * 8 ? p->prefix - i * 8 : 0;

		p->address[i] &= bits >= 8 ? 0xff : (uint8_t)(0xff00 >> bits);
	}
}

int isolate_net_peer(const char *text, struct isolate_net_peer *ret, struct why *ret_why)
{
	struct isolate_net_peer p = {.prefix = 0};
	char copy[ISOLATE_NET_TEXT], *address = copy;
	int r = strlen(text) < sizeof(copy) ? 0 : -EINVAL;

	if (r >= 0) {
		memcpy(copy, text, strlen(text) + 1);
		r = parse_behind(copy, &p, &address);
	}
	if (r >= 0 && *text != '[' && inet_pton(AF_INET, address, p.address) == 1)
		p.v4 = true;
	else if (r >= 0 && inet_pton(AF_INET6, address, p.address) != 1)
		r = -EINVAL;
	if (r >= 0 && p.v4 && p.prefix > 32)
		r = -EINVAL;
	if (r < 0)
		return why_set(ret_why, -EINVAL,
			       "\"%.60s\" is no ADDRESS, ADDRESS/PREFIX, ADDRESS:PORT or "
			       "[ADDRESS]:PORT",
			       text);
	if (p.prefix == 0)
		p.prefix = p.v4 ? 32 : 128;
	cut_host_bits(&p);
	*ret = p;
	return 0;
}

static void address_text(const struct isolate_net_peer *p, char ret[INET6_ADDRSTRLEN])
{
	(void)inet_ntop(p->v4 ? AF_INET : AF_INET6, p->address, ret, INET6_ADDRSTRLEN);
}

static bool is_whole(const struct isolate_net_peer *p)
{
	return p->prefix == (p->v4 ? 32 : 128);
}

void isolate_net_peer_text(const struct isolate_net_peer *p, char ret[ISOLATE_NET_TEXT])
{
	char address[INET6_ADDRSTRLEN];

	address_text(p, address);
	if (p->port)
		snprintf(ret, ISOLATE_NET_TEXT, p->v4 ? "%s:%u" : "[%s]:%u", address, p->port);
	else if (is_whole(p))
		snprintf(ret, ISOLATE_NET_TEXT, "%s", address);
	else
		snprintf(ret, ISOLATE_NET_TEXT, "%s/%u", address, p->prefix);
}

int isolate_net_add(struct isolate_net *n, const struct isolate_net_peer *p)
{
	for (uint32_t i = 0; i < n->n_peers; i++)
		if (memcmp(&n->peers[i], p, sizeof(*p)) == 0)
			return 0;
	if (n->n_peers == ISOLATE_NET_MAX_PEERS)
		return -E2BIG;
	n->peers[n->n_peers++] = *p;
	return 0;
}

/* {"COMMAND":{"table":{…}}} */
static void put_table(struct jsonl *j, const char *command, const char *family)
{
	jsonl_object(j, NULL);
	jsonl_object(j, command);
	jsonl_object(j, "table");
	jsonl_str(j, "family", family);
	jsonl_str(j, "name", ISOLATE_NET_TABLE);
	jsonl_close(j);
	jsonl_close(j);
	jsonl_close(j);
}

static void put_chain(struct jsonl *j, const char *family, const char *hook)
{
	jsonl_object(j, NULL);
	jsonl_object(j, "add");
	jsonl_object(j, "chain");
	jsonl_str(j, "family", family);
	jsonl_str(j, "table", ISOLATE_NET_TABLE);
	jsonl_str(j, "name", hook);
	jsonl_str(j, "type", "filter");
	jsonl_str(j, "hook", hook);
	jsonl_int(j, "prio", PRIORITY);
	jsonl_str(j, "policy", "drop");
	jsonl_close(j);
	jsonl_close(j);
	jsonl_close(j);
}

static void rule_begin(struct jsonl *j, const char *chain)
{
	jsonl_object(j, NULL);
	jsonl_object(j, "add");
	jsonl_object(j, "rule");
	jsonl_str(j, "family", ISOLATE_NET_INET);
	jsonl_str(j, "table", ISOLATE_NET_TABLE);
	jsonl_str(j, "chain", chain);
	jsonl_array(j, "expr");
}

static void rule_accept(struct jsonl *j)
{
	jsonl_object(j, NULL);
	jsonl_null(j, "accept");
	jsonl_close(j);
	jsonl_close(j);
	jsonl_close(j);
	jsonl_close(j);
	jsonl_close(j);
}

static void match_begin(struct jsonl *j)
{
	jsonl_object(j, NULL);
	jsonl_object(j, "match");
	jsonl_str(j, "op", "==");
	jsonl_object(j, "left");
}

static void match_end(struct jsonl *j)
{
	jsonl_close(j);
	jsonl_close(j);
}

static void match_payload(struct jsonl *j, const char *protocol, const char *field)
{
	match_begin(j);
	jsonl_object(j, "payload");
	jsonl_str(j, "protocol", protocol);
	jsonl_str(j, "field", field);
	jsonl_close(j);
	jsonl_close(j);
}

static void put_peer_address(struct jsonl *j, const struct isolate_net_peer *p)
{
	char address[INET6_ADDRSTRLEN];

	address_text(p, address);
	if (is_whole(p)) {
		jsonl_str(j, "right", address);
		return;
	}
	jsonl_object(j, "right");
	jsonl_object(j, "prefix");
	jsonl_str(j, "addr", address);
	jsonl_uint(j, "len", p->prefix);
	jsonl_close(j);
	jsonl_close(j);
}

/* The loopback device, and not packets that say so. */
static void put_loopback(struct jsonl *j, const char *chain, const char *key)
{
	rule_begin(j, chain);
	match_begin(j);
	jsonl_object(j, "meta");
	jsonl_str(j, "key", key);
	jsonl_close(j);
	jsonl_close(j);
	jsonl_str(j, "right", "lo");
	match_end(j);
	rule_accept(j);
}

/* Without neighbours' addresses there is no IPv6 to anybody; from this link alone (hop limit 255). ARP is not met here. */
static void put_neighbours(struct jsonl *j, const char *chain)
{
	rule_begin(j, chain);
	match_payload(j, "icmpv6", "type");
	jsonl_object(j, "right");
	jsonl_array(j, "range");
	jsonl_str(j, NULL, "nd-router-solicit");
	jsonl_str(j, NULL, "nd-neighbor-advert");
	jsonl_close(j);
	jsonl_close(j);
	match_end(j);
	match_payload(j, "ip6", "hoplimit");
	jsonl_uint(j, "right", 255);
	match_end(j);
	rule_accept(j);
}

static void match_type(struct jsonl *j, const char *protocol, const char *type)
{
	match_payload(j, protocol, "type");
	jsonl_str(j, "right", type);
	match_end(j);
}

/* That a packet was too big is told by routers, which are nobody's peers: a path narrower than the link would swallow all that is longer. */
static void put_too_big(struct jsonl *j, const char *chain)
{
	rule_begin(j, chain);
	match_type(j, "icmp", "destination-unreachable");
	match_payload(j, "icmp", "code");
	jsonl_uint(j, "right", ICMP_FRAG_NEEDED);
	match_end(j);
	rule_accept(j);
	rule_begin(j, chain);
	match_type(j, "icmpv6", "packet-too-big");
	rule_accept(j);
}

static void put_peer(struct jsonl *j, const char *chain, const struct isolate_net_peer *p, bool out,
		     const char *transport)
{
	rule_begin(j, chain);
	match_payload(j, p->v4 ? "ip" : "ip6", out ? "daddr" : "saddr");
	put_peer_address(j, p);
	match_end(j);
	if (transport) {
		match_payload(j, transport, out ? "dport" : "sport");
		jsonl_uint(j, "right", p->port);
		match_end(j);
	}
	rule_accept(j);
}

static void match_connection(struct jsonl *j, const char *key, const char *direction)
{
	match_begin(j);
	jsonl_object(j, "ct");
	jsonl_str(j, "key", key);
	if (direction)
		jsonl_str(j, "dir", direction);
	jsonl_close(j);
	jsonl_close(j);
}

/*
 * What this node began with the peer's address, whatever address it has by now, and the answers. By direction: of what others begin with us
 * the first address is our own, which may well lie among the peers'.
 */
static void put_rewritten(struct jsonl *j, const char *chain, const struct isolate_net_peer *p,
			  bool out, const char *transport)
{
	rule_begin(j, chain);
	match_connection(j, "direction", NULL);
	jsonl_str(j, "right", out ? "original" : "reply");
	match_end(j);
	if (transport) {
		match_begin(j);
		jsonl_object(j, "meta");
		jsonl_str(j, "key", "l4proto");
		jsonl_close(j);
		jsonl_close(j);
		jsonl_str(j, "right", transport);
		match_end(j);
	}
	match_connection(j, p->v4 ? "ip daddr" : "ip6 daddr", "original");
	put_peer_address(j, p);
	match_end(j);
	if (transport) {
		match_connection(j, "proto-dst", "original");
		jsonl_uint(j, "right", p->port);
		match_end(j);
	}
	rule_accept(j);
}

static void put_peers(struct jsonl *j, const struct isolate_net *n, const char *chain, bool out)
{
	static const char *const transports[] = {"tcp", "udp"};

	for (uint32_t i = 0; i < n->n_peers; i++) {
		const struct isolate_net_peer *p = &n->peers[i];

		for (uint32_t t = 0; t < (p->port ? 2u : 1u); t++) {
			put_peer(j, chain, p, out, p->port ? transports[t] : NULL);
			if (n->conntrack)
				put_rewritten(j, chain, p, out, p->port ? transports[t] : NULL);
		}
	}
}

/* Added first, so that there is one to be deleted; all in one transaction. */
static void begin(struct jsonl *j, const char *family, struct buf *ret)
{
	jsonl_begin(j, ret);
	jsonl_array(j, "nftables");
	put_table(j, "add", family);
	put_table(j, "delete", family);
}

int isolate_net_make(const struct isolate_net *n, struct buf *ret)
{
	struct jsonl j;

	begin(&j, ISOLATE_NET_INET, ret);
	put_table(&j, "add", ISOLATE_NET_INET);
	put_chain(&j, ISOLATE_NET_INET, "input");
	put_chain(&j, ISOLATE_NET_INET, "output");
	put_chain(&j, ISOLATE_NET_INET, "forward");
	put_loopback(&j, "input", "iif");
	put_loopback(&j, "output", "oif");
	put_neighbours(&j, "input");
	put_neighbours(&j, "output");
	put_too_big(&j, "input");
	put_peers(&j, n, "input", false);
	put_peers(&j, n, "output", true);
	jsonl_close(&j);
	jsonl_end(&j);
	return buf_status(ret);
}

/* No peer is let through: the inet table lets none through to what is forwarded, either. What the node itself says and hears by a bridge is not handed on. */
int isolate_net_make_bridge(struct buf *ret)
{
	struct jsonl j;

	begin(&j, ISOLATE_NET_BRIDGE, ret);
	put_table(&j, "add", ISOLATE_NET_BRIDGE);
	put_chain(&j, ISOLATE_NET_BRIDGE, "forward");
	jsonl_close(&j);
	jsonl_end(&j);
	return buf_status(ret);
}

int isolate_net_unmake(const char *family, struct buf *ret)
{
	struct jsonl j;

	begin(&j, family, ret);
	jsonl_close(&j);
	jsonl_end(&j);
	return buf_status(ret);
}
