/* SPDX-License-Identifier: Apache-2.0 */
#include "net_claims.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "claims.h"
#include "cleanup.h"
#include "route_read.h"

struct link_entry {
	struct route_read_link l;
	bool counts;
};

struct net_claims {
	struct link_entry *links;
	struct route_read_addr *addrs;
	char **routes; /* text of the default ones */
	uint32_t n_links, n_addrs, n_routes, room_links, room_addrs, room_routes;
	char told[NET_CLAIMS_MAX_TOLD][ROUTE_READ_NAME_SIZE]; /* interfaces that have claims */
	uint32_t n_told;
};

int net_claims_open(struct net_claims **ret)
{
	struct net_claims *n = calloc(1, sizeof(*n));

	if (!n)
		return -ENOMEM;
	*ret = n;
	return 0;
}

void net_claims_begin(struct net_claims *n)
{
	for (uint32_t i = 0; i < n->n_routes; i++)
		free(n->routes[i]);
	n->n_links = n->n_addrs = n->n_routes = 0;
}

struct net_claims *net_claims_free(struct net_claims *n)
{
	if (!n)
		return NULL;
	net_claims_begin(n);
	free(n->links);
	free(n->addrs);
	free(n->routes);
	free(n);
	return NULL;
}

int net_claims_grow(void **list, uint32_t n, uint32_t *room, uint32_t max, size_t size)
{
	uint32_t wanted = *room ? 2 * *room : 64;
	void *more;

	if (n < *room)
		return 0;
	if (n >= max)
		return -E2BIG;
	more = reallocarray(*list, wanted, size);
	if (!more)
		return -ENOMEM;
	*list = more;
	*room = wanted;
	return 0;
}

static bool is_plain_kind(const char *kind)
{
	static const char *const kinds[] = {"", "bond", "team", "vlan", "ipoib"};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strcmp(kind, kinds[i]) == 0)
			return true;
	}
	return false;
}

static struct link_entry *find_link(const struct net_claims *n, uint32_t index)
{
	for (uint32_t i = 0; index != 0 && i < n->n_links; i++) {
		if (n->links[i].l.index == index)
			return &n->links[i];
	}
	return NULL;
}

/* Counts, and so does what it is a port of, and so on; a circle ends where one already does. */
static void count_link(struct net_claims *n, struct link_entry *e)
{
	while (e && !e->counts) {
		e->counts = true;
		e = find_link(n, e->l.master);
	}
}

static void count_links(struct net_claims *n)
{
	for (uint32_t i = 0; i < n->n_links; i++)
		n->links[i].counts = false;
	for (uint32_t i = 0; i < n->n_links; i++) {
		if (is_plain_kind(n->links[i].l.kind))
			count_link(n, &n->links[i]);
	}
}

static int add_link(struct net_claims *n, struct buf_view body, struct why *ret_why)
{
	struct route_read_link l;
	int r = route_read_link(body, &l, ret_why);

	if (r < 0)
		return r;
	r = net_claims_grow((void **)&n->links, n->n_links, &n->room_links, NET_CLAIMS_MAX_LINKS,
			    sizeof(*n->links));
	if (r < 0)
		return why_set(ret_why, r, "more than %u interfaces", n->n_links);
	n->links[n->n_links++] = (struct link_entry){.l = l};
	return 0;
}

static int add_addr(struct net_claims *n, struct buf_view body, struct why *ret_why)
{
	struct route_read_addr a;
	int r = route_read_addr(body, &a, ret_why);

	if (r < 0 || a.passing)
		return r;
	r = net_claims_grow((void **)&n->addrs, n->n_addrs, &n->room_addrs, NET_CLAIMS_MAX_ADDRS,
			    sizeof(*n->addrs));
	if (r < 0)
		return why_set(ret_why, r, "more than %u addresses", n->n_addrs);
	n->addrs[n->n_addrs++] = a;
	return 0;
}

static const char *type_text(uint8_t type, char ret[16])
{
	static const char *const names[] = {"unspec",	"unicast",   "local",	  "broadcast",
					    "anycast",	"multicast", "blackhole", "unreachable",
					    "prohibit", "throw",     "nat",	  "xresolve"};

	if (type < ARRAY_SIZE(names))
		return names[type];
	snprintf(ret, 16, "type%u", type);
	return ret;
}

/* Names, not numbers of interfaces: those are other ones after each boot. */
static void put_hop(const struct net_claims *n, const struct route_read_route *route,
		    const struct route_read_hop *h, struct buf *ret)
{
	const struct link_entry *e = find_link(n, h->index);

	if (h->via[0])
		buf_printf(ret, " via %s", h->via);
	if (h->index)
		buf_printf(ret, " dev %s", e ? e->l.name : "?");
	if (route->n_hops > 1)
		buf_printf(ret, " weight %u", h->weight);
}

static char *route_text(const struct net_claims *n, const struct route_read_route *route)
{
	CLEANUP(buf_done) struct buf b = {0};
	char type[16];

	buf_printf(&b, "%s table %u %s", route->to, route->table, type_text(route->type, type));
	for (uint32_t i = 0; i < route->n_hops; i++)
		put_hop(n, route, &route->hops[i], &b);
	if (route->more_hops)
		buf_puts(&b, " …");
	if (route->n_hops == 0 && route->next_hop_id)
		buf_printf(&b, " nhid %u", route->next_hop_id);
	if (route->src[0])
		buf_printf(&b, " src %s", route->src);
	if (route->metric)
		buf_printf(&b, " metric %u", route->metric);
	buf_printf(&b, " proto %u", route->protocol);
	return buf_take(&b);
}

static bool route_counts(const struct route_read_route *route)
{
	return route->prefix < NET_CLAIMS_WIDE && !route->cached;
}

static int add_route(struct net_claims *n, struct buf_view body, struct why *ret_why)
{
	struct route_read_route route;
	int r = route_read_route(body, &route, ret_why);

	if (r < 0 || !route_counts(&route))
		return r;
	r = net_claims_grow((void **)&n->routes, n->n_routes, &n->room_routes,
			    NET_CLAIMS_MAX_ROUTES, sizeof(*n->routes));
	if (r < 0)
		return why_set(ret_why, r, "more than %u default routes", n->n_routes);
	n->routes[n->n_routes] = route_text(n, &route);
	if (!n->routes[n->n_routes])
		return -ENOMEM;
	n->n_routes++;
	return 0;
}

int net_claims_add(struct net_claims *n, const struct netlink_read_message *m, struct why *ret_why)
{
	switch (m->type) {
	case RTM_NEWLINK:
		return add_link(n, m->body, ret_why);
	case RTM_NEWADDR:
		return add_addr(n, m->body, ret_why);
	case RTM_NEWROUTE:
		return add_route(n, m->body, ret_why);
	default:
		return 0;
	}
}

static int by_name(const void *a, const void *b)
{
	const struct link_entry *x = a, *y = b;

	return strcmp(x->l.name, y->l.name);
}

static int by_addr(const void *a, const void *b)
{
	const struct route_read_addr *x = a, *y = b;

	return x->index != y->index ? (x->index < y->index ? -1 : 1) : strcmp(x->text, y->text);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Folded to a digest when it is long. */
static int put_text(const struct net_claims_sink *sink, const char *key, struct buf *text)
{
	CLEANUP(buf_done) struct buf value = {0};
	int r = buf_status(text);

	if (r < 0)
		return r;
	if (text->size == 0)
		buf_puts(text, "none");
	r = claims_text_value((const char *)text->data, text->size, &value);
	return r < 0 ? r : sink->put(sink->ctx, key, (const char *)value.data);
}

static int put_named(const struct net_claims_sink *sink, const char *what, const char *name,
		     const char *value)
{
	char key[ROUTE_READ_NAME_SIZE + 16];

	snprintf(key, sizeof(key), "net:%s:%s", what, name);
	return sink->put(sink->ctx, key, value);
}

static int put_link(const struct net_claims *n, const struct link_entry *e,
		    const struct net_claims_sink *sink)
{
	const struct link_entry *master = find_link(n, e->l.master);
	CLEANUP(buf_done) struct buf b = {0};

	buf_printf(&b, "%s mtu %u", e->l.up ? "up" : "down", e->l.mtu);
	if (e->l.mac[0])
		buf_printf(&b, " mac %s", e->l.mac);
	if (e->l.kind[0])
		buf_printf(&b, " kind %s", e->l.kind);
	if (e->l.master)
		buf_printf(&b, " master %s", master ? master->l.name : "?");
	buf_printf(&b, "%s%s", e->l.promisc ? " promisc" : "", e->l.xdp ? " xdp" : "");
	return buf_status(&b) < 0 ? buf_status(&b)
				  : put_named(sink, "link", e->l.name, (const char *)b.data);
}

static int put_addrs(const struct net_claims *n, const struct link_entry *e,
		     const struct net_claims_sink *sink)
{
	CLEANUP(buf_done) struct buf b = {0};
	char key[ROUTE_READ_NAME_SIZE + 16];

	for (uint32_t i = 0; i < n->n_addrs; i++) {
		if (n->addrs[i].index == e->l.index)
			buf_printf(&b, "%s%s", b.size ? " " : "", n->addrs[i].text);
	}
	snprintf(key, sizeof(key), "net:addr:%s", e->l.name);
	return put_text(sink, key, &b);
}

static const struct link_entry *counted_by_name(const struct net_claims *n, const char *name)
{
	for (uint32_t i = 0; i < n->n_links; i++) {
		if (n->links[i].counts && strcmp(n->links[i].l.name, name) == 0)
			return &n->links[i];
	}
	return NULL;
}

/* Those that had claims and are gone, or count no longer. */
static int put_gone(struct net_claims *n, const struct net_claims_sink *sink)
{
	int told = 0, r = 0;

	for (uint32_t i = 0; r >= 0 && i < n->n_told; i++) {
		if (counted_by_name(n, n->told[i]))
			continue;
		r = put_named(sink, "link", n->told[i], "absent");
		told += r > 0;
		if (r >= 0)
			r = put_named(sink, "addr", n->told[i], "absent");
		told += r > 0;
	}
	return r < 0 ? r : told;
}

static int put_links(struct net_claims *n, const struct net_claims_sink *sink)
{
	CLEANUP(buf_done) struct buf names = {0};
	int told = put_gone(n, sink), r = told;

	n->n_told = 0;
	for (uint32_t i = 0; r >= 0 && i < n->n_links; i++) {
		const struct link_entry *e = &n->links[i];

		if (!e->counts)
			continue;
		buf_printf(&names, "%s%s", names.size ? " " : "", e->l.name);
		if (n->n_told == NET_CLAIMS_MAX_TOLD)
			continue;
		memcpy(n->told[n->n_told++], e->l.name, sizeof(e->l.name));
		r = put_link(n, e, sink);
		told += r > 0;
		if (r >= 0)
			r = put_addrs(n, e, sink);
		told += r > 0;
	}
	if (r >= 0)
		r = put_text(sink, "net:links", &names);
	return r < 0 ? r : told + (r > 0);
}

static int put_routes(const struct net_claims *n, const struct net_claims_sink *sink)
{
	CLEANUP(buf_done) struct buf b = {0};

	for (uint32_t i = 0; i < n->n_routes; i++)
		buf_printf(&b, "%s%s", i ? ", " : "", n->routes[i]);
	return put_text(sink, "net:routes", &b);
}

int net_claims_tell(struct net_claims *n, const struct net_claims_sink *sink)
{
	int links, routes;

	count_links(n);
	if (n->n_links)
		qsort(n->links, n->n_links, sizeof(*n->links), by_name);
	if (n->n_addrs)
		qsort(n->addrs, n->n_addrs, sizeof(*n->addrs), by_addr);
	if (n->n_routes)
		qsort(n->routes, n->n_routes, sizeof(*n->routes), by_text);
	links = put_links(n, sink);
	routes = put_routes(n, sink);
	return links < 0 ? links : routes < 0 ? routes : links + routes;
}

int net_claims_unknown(struct net_claims *n, const char *why, const struct net_claims_sink *sink)
{
	CLEANUP(buf_done) struct buf b = {.max = 512};
	const char *text;
	int r, told;

	r = claims_unknown(why, &b);
	if (r < 0)
		return r;
	text = (const char *)b.data;
	r = sink->put(sink->ctx, "net:links", text);
	told = r > 0;
	if (r >= 0)
		r = sink->put(sink->ctx, "net:routes", text);
	told += r > 0;
	for (uint32_t i = 0; r >= 0 && i < n->n_told; i++) {
		r = put_named(sink, "link", n->told[i], text);
		told += r > 0;
		if (r >= 0)
			r = put_named(sink, "addr", n->told[i], text);
		told += r > 0;
	}
	return r < 0 ? r : told;
}

bool net_claims_concerns(const struct net_claims *n, const struct netlink_read_message *m)
{
	const struct link_entry *e;
	struct route_read_route route;
	struct route_read_link l;
	struct route_read_addr a;

	if (m->type == RTM_NEWLINK || m->type == RTM_DELLINK) {
		/* A bridge tells of its ports once more, in messages of a family of its own. */
		if (m->body.size > 0 && m->body.data[0] == AF_BRIDGE)
			return false;
		if (route_read_link(m->body, &l, NULL) < 0 || is_plain_kind(l.kind))
			return true;
		e = find_link(n, l.index);
		return e && e->counts;
	}
	if (m->type == RTM_NEWADDR || m->type == RTM_DELADDR) {
		if (route_read_addr(m->body, &a, NULL) < 0)
			return true;
		e = find_link(n, a.index);
		return !a.passing && e && e->counts;
	}
	if (m->type == RTM_NEWROUTE || m->type == RTM_DELROUTE)
		return route_read_route(m->body, &route, NULL) < 0 || route_counts(&route);
	return false;
}
