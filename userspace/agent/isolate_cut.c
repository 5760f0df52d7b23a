/* SPDX-License-Identifier: Apache-2.0 */
#include "isolate_cut.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "nft_door.h"

#define MAX_HOST 254
enum { CUT_INET, CUT_BRIDGE, CUT_N };

/* A table of ours. */
struct table {
	const char *family;
	struct buf json; /* as it was put there last; empty: it is not */
	struct buf text; /* as the kernel told it right after */
};

struct isolate_cut {
	struct isolate_cut_options o;
	struct isolate_net own; /* of the settings */
	struct table tables[CUT_N];
};

int isolate_cut_open(const struct isolate_cut_options *o, struct isolate_cut **ret,
		     struct why *ret_why)
{
	struct isolate_cut *c = calloc(1, sizeof(*c));
	struct isolate_net_peer p;
	int r = 0;

	if (!c)
		return -ENOMEM;
	c->o = *o;
	c->tables[CUT_INET].family = ISOLATE_NET_INET;
	c->tables[CUT_BRIDGE].family = ISOLATE_NET_BRIDGE;
	for (uint32_t i = 0; r >= 0 && i < o->n_peers; i++) {
		r = isolate_net_peer(o->peers[i], &p, ret_why);
		if (r >= 0)
			r = isolate_net_add(&c->own, &p);
	}
	if (r < 0) {
		isolate_cut_free(c);
		return r;
	}
	*ret = c;
	return 0;
}

struct isolate_cut *isolate_cut_free(struct isolate_cut *c)
{
	if (!c)
		return NULL;
	for (uint32_t i = 0; i < CUT_N; i++) {
		buf_done(&c->tables[i].json);
		buf_done(&c->tables[i].text);
	}
	free(c);
	return NULL;
}

/* "https://HOST:PORT", HOST in brackets if it is of IPv6. */
static int split_url(const char *url, char host[MAX_HOST], char port[8])
{
	const char *at = strstr(url, "://"), *end, *colon;
	size_t n;

	at = at ? at + 3 : url;
	end = at + strcspn(at, "/?#");
	colon = *at == '[' ? memchr(at, ']', (size_t)(end - at)) : at;
	colon = colon ? memchr(colon, ':', (size_t)(end - colon)) : NULL;
	n = (size_t)((colon ? colon : end) - at);
	if (*at == '[') {
		at++;
		n -= 2;
	}
	if (n == 0 || n >= MAX_HOST)
		return -EINVAL;
	memcpy(host, at, n);
	host[n] = '\0';
	n = colon ? (size_t)(end - colon - 1) : 0;
	if (n > 5)
		return -EINVAL;
	memcpy(port, colon ? colon + 1 : "443", colon ? n : 3);
	port[colon ? n : 3] = '\0';
	return 0;
}

bool isolate_cut_add(struct isolate_state *s, const char *address)
{
	for (uint32_t i = 0; i < s->n_verifier; i++)
		if (strcmp(s->verifier[i], address) == 0)
			return false;
	if (s->n_verifier == ISOLATE_STATE_MAX_VERIFIER)
		return false;
	snprintf(s->verifier[s->n_verifier++], sizeof(s->verifier[0]), "%s", address);
	return true;
}

static void add_found(const struct addrinfo *a, struct isolate_state *s)
{
	struct isolate_net_peer p = {.prefix = 0};
	char text[ISOLATE_NET_TEXT];

	if (a->ai_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)a->ai_addr;

		memcpy(p.address, &in->sin_addr, 4);
		p.port = ntohs(in->sin_port);
		p.v4 = true;
	} else if (a->ai_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)a->ai_addr;

		memcpy(p.address, &in6->sin6_addr, 16);
		p.port = ntohs(in6->sin6_port);
	} else {
		return;
	}
	p.prefix = p.v4 ? 32 : 128;
	isolate_net_peer_text(&p, text);
	isolate_cut_add(s, text);
}

int isolate_cut_find(struct isolate_cut *c, struct isolate_state *s, struct why *ret_why)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
	struct addrinfo *found = NULL;
	char host[MAX_HOST], port[8];
	int r;

	if (!c->o.verifier)
		return 0;
	r = split_url(c->o.verifier, host, port);
	if (r < 0)
		return why_set(ret_why, r, "%.150s is no URL with a host", c->o.verifier);
	r = getaddrinfo(host, port, &hints, &found);
	hints.ai_flags = 0;
	if (r != 0)
		r = getaddrinfo(host, port, &hints, &found);
	if (r != 0)
		return s->n_verifier > 0 ? 0
					 : why_set(ret_why, -ENOENT, "the verifier's %.150s: %s",
						   host, gai_strerror(r));
	for (const struct addrinfo *a = found; a; a = a->ai_next)
		add_found(a, s);
	freeaddrinfo(found);
	return 0;
}

static int peers_of(const struct isolate_cut *c, const struct isolate_state *s,
		    struct isolate_net *ret, struct why *ret_why)
{
	struct isolate_net_peer p;
	char path[128];
	int r = 0;

	*ret = c->own;
	snprintf(path, sizeof(path), "%s/sys/net/netfilter/nf_conntrack_max",
		 c->o.proc ? c->o.proc : "/proc");
	ret->conntrack = access(path, F_OK) == 0;
	for (uint32_t i = 0; r >= 0 && i < s->n_verifier; i++) {
		r = isolate_net_peer(s->verifier[i], &p, ret_why);
		if (r >= 0)
			r = isolate_net_add(ret, &p);
	}
	return r;
}

static int apply(struct table *t, struct why *ret_why)
{
	int r = nft_door_run((const char *)t->json.data, ret_why);

	if (r < 0)
		return r;
	buf_clear(&t->text);
	r = nft_door_list(t->family, ISOLATE_NET_TABLE, &t->text, ret_why);
	/* It is there all the same; the next check puts it there again. */
	if (r < 0)
		buf_clear(&t->text);
	return 0;
}

static int make(const struct isolate_cut *c, const struct isolate_state *s, uint32_t which,
		struct buf *ret, struct why *ret_why)
{
	struct isolate_net n;
	int r;

	if (which == CUT_BRIDGE)
		return isolate_net_make_bridge(ret);
	if (c->o.verifier && s->n_verifier == 0)
		return why_set(ret_why, -ENOENT, "no address of the verifier is known");
	r = peers_of(c, s, &n, ret_why);
	return r < 0 ? r : isolate_net_make(&n, ret);
}

static enum isolate_table *mark_of(struct isolate_state *s, uint32_t which)
{
	return which == CUT_INET ? &s->inet : &s->bridge;
}

/* Asked first, since the mark is on the disk before the table is made, and not each second that it cannot be made. 1: it is new. */
static int mark(const struct isolate_cut *c, struct isolate_state *s, uint32_t which,
		struct why *ret_why)
{
	CLEANUP(buf_done) struct buf b = {0};
	int r;

	if (*mark_of(s, which) == ISOLATE_TABLE_OURS)
		return 0;
	r = make(c, s, which, &b, ret_why);
	if (r >= 0)
		r = nft_door_try((const char *)b.data, ret_why);
	if (r < 0)
		return r;
	*mark_of(s, which) = ISOLATE_TABLE_OURS;
	return 1;
}

int isolate_cut_mark(const struct isolate_cut *c, struct isolate_state *s, struct why *ret_why)
{
	int r = mark(c, s, CUT_INET, ret_why), bridge;

	if (r < 0)
		return r;
	bridge = mark(c, s, CUT_BRIDGE, NULL);
	return r > 0 || bridge > 0;
}

/* What is in force stays so when this fails. always: also if it is what was put there last. */
static int put(struct isolate_cut *c, const struct isolate_state *s, uint32_t which, bool always,
	       struct why *ret_why)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct table *t = &c->tables[which];
	struct buf old = t->json;
	int r = make(c, s, which, &b, ret_why);

	if (r < 0)
		return r;
	if (!always && b.size == old.size && memcmp(b.data, old.data, b.size) == 0)
		return 0;
	t->json = b;
	b = old;
	r = apply(t, ret_why);
	if (r < 0) {
		b = t->json;
		t->json = old;
	}
	return r;
}

static void tell_marked(const struct isolate_cut *c)
{
	if (c->o.marked)
		c->o.marked(c->o.ctx);
}

/* A kernel may have no rules for bridges; the rest is cut all the same. */
static int cut_bridges(struct isolate_cut *c, struct isolate_state *s, struct why *ret_why)
{
	struct why why = {""};
	int r = mark(c, s, CUT_BRIDGE, &why);

	if (r > 0)
		tell_marked(c);
	if (r >= 0)
		r = put(c, s, CUT_BRIDGE, true, &why);
	if (r >= 0)
		return 0;
	why_set(ret_why, r, "what bridges hand on is not cut: %.120s",
		why.text[0] ? why.text : strerror(-r));
	return ISOLATE_CUT_PART;
}

int isolate_cut_on(struct isolate_cut *c, struct isolate_state *s, struct why *ret_why)
{
	int r = isolate_cut_mark(c, s, ret_why);

	if (r > 0)
		tell_marked(c);
	if (r >= 0)
		r = put(c, s, CUT_INET, true, ret_why);
	return r < 0 ? r : cut_bridges(c, s, ret_why);
}

static int take_away(struct table *t, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf b = {0};
	int r = isolate_net_unmake(t->family, &b);

	if (r >= 0)
		r = nft_door_run((const char *)b.data, ret_why);
	/* Until it is gone it is ours. */
	if (r >= 0) {
		buf_clear(&t->json);
		buf_clear(&t->text);
	}
	return r;
}

/* Known, and not only that nobody could look: one that this process may not touch any more is in force still. */
static bool is_none(const struct table *t)
{
	CLEANUP(buf_done) struct buf left = {0};
	int r = nft_door_list(t->family, ISOLATE_NET_TABLE, &left, NULL);

	return r == -ENOENT || r == -EOPNOTSUPP;
}

static int off(struct isolate_cut *c, struct isolate_state *s, uint32_t which, struct why *ret_why)
{
	struct table *t = &c->tables[which];
	struct why why = {""};
	int r = take_away(t, &why);

	/* One that was never ours stays whoever's it is. */
	if (r < 0 && *mark_of(s, which) != ISOLATE_TABLE_NONE && !is_none(t))
		return why_set(ret_why, r, "%s", why.text[0] ? why.text : strerror(-r));
	*mark_of(s, which) = ISOLATE_TABLE_NONE;
	return 0;
}

int isolate_cut_off(struct isolate_cut *c, struct isolate_state *s, struct why *ret_why)
{
	int bridge = off(c, s, CUT_BRIDGE, ret_why), inet = off(c, s, CUT_INET, ret_why);

	return inet < 0 ? inet : bridge;
}

static int check(struct table *t, const char **ret_found, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf now = {0};
	int r = nft_door_list(t->family, ISOLATE_NET_TABLE, &now, ret_why);

	if (r >= 0 && t->text.size > 0 && now.size == t->text.size &&
	    memcmp(now.data, t->text.data, now.size) == 0)
		return 1;
	if (r < 0 && r != -ENOENT)
		return r;
	/* Nobody could tell what it was when it was put there. */
	if (r >= 0 && t->text.size == 0) {
		r = apply(t, ret_why);
		return r < 0 ? r : 1;
	}
	*ret_found = r == -ENOENT ? "removed" : "changed";
	return apply(t, ret_why);
}

int isolate_cut_check(struct isolate_cut *c, struct isolate_state *s, const char **ret_found,
		      struct why *ret_why)
{
	int all = 1, r;

	if (c->tables[CUT_INET].json.size == 0)
		return why_set(ret_why, -ENOENT, "it is not cut");
	for (uint32_t i = 0; i < CUT_N; i++) {
		/* What could not be put there may be by now: another's hold of the name ends with him. */
		if (c->tables[i].json.size == 0) {
			(void)cut_bridges(c, s, NULL);
			continue;
		}
		r = check(&c->tables[i], ret_found, ret_why);
		all = r < all ? r : all;
		/* What it is made of may be another by now: connections are followed, an address came. */
		r = r < 0 ? r : put(c, s, i, false, ret_why);
		all = r < 0 ? r : all;
	}
	return all;
}
