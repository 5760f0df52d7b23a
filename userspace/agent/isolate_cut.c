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
#define FAMILY "inet"

struct isolate_cut {
	struct isolate_cut_options o;
	struct isolate_net own; /* of the settings */
	struct buf json; /* as it was put there last; empty: it is not */
	struct buf text; /* as the kernel told it right after */
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
	buf_done(&c->json);
	buf_done(&c->text);
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

static void add_found(const struct addrinfo *a, struct isolate_state *s)
{
	struct isolate_net_peer p = {.prefix = 0};

	if (s->n_verifier == ISOLATE_STATE_MAX_VERIFIER)
		return;
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
	isolate_net_peer_text(&p, s->verifier[s->n_verifier++]);
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
	s->n_verifier = 0;
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

static int apply(struct isolate_cut *c, struct why *ret_why)
{
	int r = nft_door_run((const char *)c->json.data, ret_why);

	if (r < 0)
		return r;
	buf_clear(&c->text);
	r = nft_door_list(FAMILY, ISOLATE_NET_TABLE, &c->text, ret_why);
	/* It is there all the same; the next check puts it there again. */
	if (r < 0)
		buf_clear(&c->text);
	return 0;
}

int isolate_cut_on(struct isolate_cut *c, const struct isolate_state *s, struct why *ret_why)
{
	struct isolate_net n;
	int r;

	if (c->o.verifier && s->n_verifier == 0)
		return why_set(ret_why, -ENOENT, "no address of the verifier is known");
	r = peers_of(c, s, &n, ret_why);
	buf_clear(&c->json);
	if (r >= 0)
		r = isolate_net_make(&n, &c->json);
	if (r >= 0)
		r = apply(c, ret_why);
	if (r < 0)
		buf_clear(&c->json);
	return r;
}

int isolate_cut_off(struct isolate_cut *c, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf b = {0};
	int r = isolate_net_unmake(&b);

	buf_clear(&c->json);
	buf_clear(&c->text);
	return r < 0 ? r : nft_door_run((const char *)b.data, ret_why);
}

int isolate_cut_check(struct isolate_cut *c, const char **ret_found, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf now = {0};
	int r;

	if (c->json.size == 0)
		return why_set(ret_why, -ENOENT, "it is not cut");
	r = nft_door_list(FAMILY, ISOLATE_NET_TABLE, &now, ret_why);
	if (r >= 0 && c->text.size > 0 && now.size == c->text.size &&
	    memcmp(now.data, c->text.data, now.size) == 0)
		return 1;
	if (r < 0 && r != -ENOENT)
		return r;
	/* Nobody could tell what it was when it was put there. */
	if (r >= 0 && c->text.size == 0) {
		r = apply(c, ret_why);
		return r < 0 ? r : 1;
	}
	*ret_found = r == -ENOENT ? "removed" : "changed";
	return apply(c, ret_why);
}
