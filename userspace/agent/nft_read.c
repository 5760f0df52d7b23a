/* SPDX-License-Identifier: Apache-2.0 */
#include "nft_read.h"

#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "cleanup.h"

#define ANY_ATTRIBUTE UINT16_MAX

int nft_read_object(struct buf_view body, struct nft_read_object *ret, struct why *ret_why)
{
	struct buf_reader rest = buf_reader_of(body.data, body.size);
	struct nft_read_object o = {0};
	struct netlink_read_attribute a;
	struct nfgenmsg h;
	int r;

	if (body.size < sizeof(h))
		return why_set(ret_why, -EBADMSG, "nf_tables: %zu bytes, a header has %zu",
			       body.size, sizeof(h));
	memcpy(&h, body.data, sizeof(h));
	rest.at = sizeof(h);
	o.family = h.nfgen_family;
	for (;;) {
		r = netlink_read_attribute(&rest, &a, ret_why);
		if (r < 0)
			return r;
		if (r == 0)
			break;
		if (a.type >= NFT_READ_ATTRIBUTES)
			continue;
		if (o.at[a.type].data)
			return why_set(ret_why, -EBADMSG, "nf_tables: attribute %u is there twice",
				       a.type);
		o.at[a.type] = a.data;
	}
	*ret = o;
	return 0;
}

int nft_read_gen(struct buf_view body, struct nft_read_gen *ret, struct why *ret_why)
{
	struct nft_read_object o;
	struct nft_read_gen g = {0};
	int r = nft_read_object(body, &o, ret_why);

	if (r < 0)
		return r;
	if (netlink_read_u32be(o.at[NFTA_GEN_ID], &g.id) < 0)
		return why_set(ret_why, -EBADMSG, "nf_tables: a generation without its number");
	if ((o.at[NFTA_GEN_PROC_PID].data &&
	     netlink_read_u32be(o.at[NFTA_GEN_PROC_PID], &g.pid) < 0) ||
	    (o.at[NFTA_GEN_PROC_NAME].data &&
	     netlink_read_text(o.at[NFTA_GEN_PROC_NAME], g.name, sizeof(g.name)) < 0))
		return why_set(ret_why, -EBADMSG,
			       "nf_tables: generation %u: who made it is unreadable", g.id);
	*ret = g;
	return 0;
}

int nft_read_name(const struct nft_read_object *o, uint16_t type, char ret[NFT_READ_NAME_SIZE],
		  struct why *ret_why)
{
	if (!o->at[type].data || netlink_read_text(o->at[type], ret, NFT_READ_NAME_SIZE) < 0 ||
	    ret[0] == '\0')
		return why_set(ret_why, -EBADMSG, "nf_tables: attribute %u is no name", type);
	return 0;
}

const char *nft_read_family(uint8_t family)
{
	switch (family) {
	case 1: /* NFPROTO_INET, which is no address family */
		return "inet";
	case AF_INET:
		return "ip";
	case 3: /* NFPROTO_ARP */
		return "arp";
	case 5: /* NFPROTO_NETDEV */
		return "netdev";
	case AF_BRIDGE:
		return "bridge";
	case AF_INET6:
		return "ip6";
	default:
		return "other";
	}
}

void nft_read_put(struct buf *b, uint16_t type, struct buf_view v)
{
	buf_put_u16be(b, type);
	buf_put_u32be(b, (uint32_t)v.size);
	if (v.size)
		buf_put(b, v.data, v.size);
}

/* The attribute of an expression that changes while packets pass; ANY_ATTRIBUTE: all of them do. */
static uint16_t moving_attribute(const char *expression)
{
	if (strcmp(expression, "counter") == 0 || strcmp(expression, "last") == 0)
		return ANY_ATTRIBUTE;
	return strcmp(expression, "quota") == 0 ? NFTA_QUOTA_CONSUMED : 0;
}

static struct buf_view named_or_content(const struct nft_read_sets *sets, struct buf_view v)
{
	char name[NFT_READ_NAME_SIZE];
	const struct buf_view *content;

	if (v.size < 3 || memcmp(v.data, "__", 2) != 0 ||
	    netlink_read_text(v, name, sizeof(name)) < 0)
		return v;
	content = sets->find(sets->ctx, name);
	return content ? *content : v;
}

static int put_expression_data(struct buf *b, const char *name, struct buf_view data,
			       const struct nft_read_sets *sets, struct why *ret_why)
{
	struct buf_reader r = buf_reader_of(data.data, data.size);
	uint16_t moving = moving_attribute(name);
	struct netlink_read_attribute a;
	int n;

	if (moving == ANY_ATTRIBUTE)
		return 0;
	for (;;) {
		n = netlink_read_attribute(&r, &a, ret_why);
		if (n <= 0)
			return n;
		/* Number 0 is padding wherever it occurs. */
		if (a.type != 0 && a.type != moving)
			nft_read_put(b, a.type, named_or_content(sets, a.data));
	}
}

static int put_expression(struct buf *b, struct buf_view expression,
			  const struct nft_read_sets *sets, struct why *ret_why)
{
	struct buf_reader r = buf_reader_of(expression.data, expression.size);
	struct netlink_read_attribute a;
	struct buf_view data = {0};
	char name[NFT_READ_NAME_SIZE] = "";
	int n;

	for (;;) {
		n = netlink_read_attribute(&r, &a, ret_why);
		if (n < 0)
			return n;
		if (n == 0)
			break;
		if (a.type == NFTA_EXPR_DATA)
			data = a.data;
		if (a.type == NFTA_EXPR_NAME && netlink_read_text(a.data, name, sizeof(name)) < 0)
			return why_set(ret_why, -EBADMSG, "nf_tables: an expression's name");
	}
	if (name[0] == '\0')
		return why_set(ret_why, -EBADMSG, "nf_tables: an expression without name");
	nft_read_put(b, NFTA_EXPR_NAME, (struct buf_view){(uint8_t *)name, strlen(name)});
	return put_expression_data(b, name, data, sets, ret_why);
}

int nft_read_put_expressions(struct buf *b, struct buf_view list, const struct nft_read_sets *sets,
			     struct why *ret_why)
{
	struct buf_reader r = buf_reader_of(list.data, list.size);
	struct netlink_read_attribute a;
	int n;

	for (;;) {
		n = netlink_read_attribute(&r, &a, ret_why);
		if (n == 0)
			return buf_status(b);
		if (n > 0 && a.type == NFTA_LIST_ELEM)
			n = put_expression(b, a.data, sets, ret_why);
		if (n < 0)
			return n;
	}
}

/* Timeouts, expressions (counters) and comments are not what an element matches. */
static bool element_attribute_counts(uint16_t type)
{
	return type == NFTA_SET_ELEM_KEY || type == NFTA_SET_ELEM_DATA ||
	       type == NFTA_SET_ELEM_FLAGS || type == NFTA_SET_ELEM_KEY_END ||
	       type == NFTA_SET_ELEM_OBJREF;
}

static int put_element(struct buf *b, struct buf_view element, struct why *ret_why)
{
	struct buf_reader r = buf_reader_of(element.data, element.size);
	struct netlink_read_attribute a;
	int n;

	for (;;) {
		n = netlink_read_attribute(&r, &a, ret_why);
		if (n <= 0)
			return n < 0 ? n : buf_status(b);
		if (element_attribute_counts(a.type))
			nft_read_put(b, a.type, a.data);
	}
}

int nft_read_elements(struct buf_view list, int (*element)(void *ctx, const struct buf *canonical),
		      void *ctx, struct why *ret_why)
{
	struct buf_reader r = buf_reader_of(list.data, list.size);
	CLEANUP(buf_done) struct buf b = {0};
	struct netlink_read_attribute a;
	int n;

	for (;;) {
		n = netlink_read_attribute(&r, &a, ret_why);
		if (n <= 0)
			return n;
		if (a.type != NFTA_LIST_ELEM)
			continue;
		buf_clear(&b);
		n = put_element(&b, a.data, ret_why);
		if (n >= 0)
			n = element(ctx, &b);
		if (n < 0)
			return n;
	}
}
