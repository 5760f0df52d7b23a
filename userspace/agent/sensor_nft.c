/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor_nft.h"

#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "claims.h"
#include "cleanup.h"
#include "dump_turns.h"
#include "log.h"
#include "netlink_door.h"
#include "nft_claims.h"

#define TRIES 3 /* of a dump that changed while it was read, at once; then again later */
#define UNKNOWN_AFTER 5 /* readings in a row: until then the last known state stands */

struct sensor_nft {
	struct sensor_nft_options o;
	struct event_base *base;
	struct netlink_door *door; /* NULL: nf_tables is not there */
	struct dump_turns *turns;
	struct nft_claims *claims;
	bool built_in, gen_known;
	struct nft_read_gen last; /* that was told of; its maker until the next reading */
	uint32_t interrupted; /* readings in a row */
};

static void tell_status(struct sensor_nft *s, bool attached, const char *absent_why)
{
	s->o.attached(s->o.ctx, attached, absent_why);
}

static int put(void *ctx, const char *key, const char *value)
{
	struct sensor_nft *s = ctx;
	struct line l = {
		.utc_ns = clock_utc_ns(s->o.clock),
		.boot_ns = clock_boot_ns(s->o.clock),
		.src = "nftables",
		.type = PLUMB_TYPE_CLAIM,
		.scope = "host",
		.key = key,
		.found = value,
		.has_actor = s->last.pid != 0,
	};

	/* By the time of the reading it may be gone: then what the kernel said about it is all there is. */
	if (l.has_actor && proctab_actor(s->o.proctab, s->last.pid, 0, &l.actor) < 0)
		l.actor = (struct line_actor){
			.known = true, .pid = s->last.pid, .comm = s->last.name};
	return s->o.claim(s->o.ctx, &l);
}

/* A symbol that nf_tables exports; those of modules have the module's name in brackets behind them. */
static bool is_built_in(const char *proc)
{
	CLEANUP_FREE char *line = NULL;
	char path[4096];
	size_t room = 0;
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "%s/kallsyms", proc);
	f = fopen(path, "re");
	if (!f)
		return false;
	while (!found && getline(&line, &room, f) > 0) {
		const char *name = strstr(line, " nft_do_chain\n");

		found = name != NULL;
	}
	fclose(f);
	return found;
}

static bool is_there(const struct sensor_nft *s)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/module/nf_tables", s->o.sys ? s->o.sys : "/sys");
	return s->built_in || access(path, F_OK) == 0;
}

static void on_gen(struct sensor_nft *s, const struct nft_read_gen *g)
{
	uint32_t ahead = g->id - s->last.id;

	/* A reading may already have seen what the socket tells only now. */
	if (s->gen_known && ahead - 1 < UINT32_MAX / 2 && ahead > 1) {
		log_warning("sensor=nftables lost=%u what=\"transactions\" next=\"all is read "
			    "again\"",
			    ahead - 1);
		s->o.lost(s->o.ctx, "nftables", ahead - 1, "sequence gap");
	}
	if (!s->gen_known || ahead < UINT32_MAX / 2)
		s->last = *g;
	s->gen_known = true;
}

static void on_datagram(void *ctx, const void *data, size_t size)
{
	struct sensor_nft *s = ctx;
	struct buf_reader reader = buf_reader_of(data, size);
	struct netlink_read_message m;
	struct nft_read_gen g;
	struct why why = {""};
	int r;

	for (;;) {
		r = netlink_read_message(&reader, &m, &why);
		if (r == 0)
			return;
		if (r > 0 && m.type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN)) {
			r = nft_read_gen(m.body, &g, &why);
			if (r >= 0)
				on_gen(s, &g);
		}
		dump_turns_hint(s->turns);
		if (r < 0) {
			s->o.lost(s->o.ctx, "nftables", 1, why.text);
			return;
		}
	}
}

static void on_lost(void *ctx, const char *what)
{
	struct sensor_nft *s = ctx;

	log_warning("sensor=nftables lost=unknown what=\"%s\" next=\"all is read again\"", what);
	s->o.lost(s->o.ctx, "nftables", 0, what);
	dump_turns_hint(s->turns);
}

/* Of all families, unless data says which. */
static int ask(struct netlink_door *door, const struct netlink_door_question *question,
	       uint8_t what, struct why *ret_why)
{
	const struct nfgenmsg h = {.nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0};
	struct netlink_door_question q = *question;

	q.type = NFNL_SUBSYS_NFTABLES << 8 | what;
	if (!q.data) {
		q.data = &h;
		q.size = sizeof(h);
	}
	return netlink_door_ask(door, &q, ret_why);
}

static int on_gen_answer(void *ctx, const struct netlink_read_message *m, struct why *ret_why)
{
	return m->type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN)
		       ? nft_read_gen(m->body, ctx, ret_why)
		       : 0;
}

static int ask_gen(struct netlink_door *door, uint32_t *ret, struct why *ret_why)
{
	struct nft_read_gen g = {0};
	struct netlink_door_question q = {.flags = NLM_F_ACK, .message = on_gen_answer, .ctx = &g};
	int r = ask(door, &q, NFT_MSG_GETGEN, ret_why);

	if (r < 0)
		return r;
	*ret = g.id;
	return 0;
}

static int on_object(void *ctx, const struct netlink_read_message *m, struct why *ret_why)
{
	return nft_claims_add(ctx, m, ret_why);
}

static int on_elements(void *ctx, const struct netlink_read_message *m, struct why *ret_why)
{
	return nft_claims_add_elements(ctx, m, ret_why);
}

static void put_text(struct buf *b, uint16_t type, const char *text)
{
	static const uint8_t zeros[4];
	const struct nlattr a = {.nla_len = (uint16_t)(sizeof(a) + strlen(text) + 1),
				 .nla_type = type};

	buf_put(b, &a, sizeof(a));
	buf_put(b, text, strlen(text) + 1);
	buf_put(b, zeros, NLA_ALIGN(a.nla_len) - a.nla_len);
}

static int ask_elements(struct sensor_nft *s, struct netlink_door *door, uint32_t i,
			struct why *ret_why)
{
	const struct nft_claims_set *set = nft_claims_set_at(s->claims, i);
	const struct nfgenmsg h = {.nfgen_family = set->family, .version = NFNETLINK_V0};
	CLEANUP(buf_done) struct buf b = {0};
	struct netlink_door_question q = {
		.flags = NLM_F_DUMP, .message = on_elements, .ctx = s->claims};
	int r = 0;

	if (!set->moving) {
		buf_put(&b, &h, sizeof(h));
		put_text(&b, NFTA_SET_ELEM_LIST_TABLE, set->table);
		put_text(&b, NFTA_SET_ELEM_LIST_SET, set->name);
		q.data = b.data;
		q.size = b.size;
		r = buf_status(&b);
		if (r >= 0)
			r = ask(door, &q, NFT_MSG_GETSETELEM, ret_why);
	}
	return r < 0 ? r : nft_claims_set_done(s->claims, i);
}

static int ask_all(struct sensor_nft *s, struct netlink_door *door, struct why *ret_why)
{
	static const uint8_t dumps[] = {NFT_MSG_GETTABLE, NFT_MSG_GETCHAIN, NFT_MSG_GETSET,
					NFT_MSG_GETRULE};
	uint32_t before = 0, after = 0;
	int r = ask_gen(door, &before, ret_why);

	nft_claims_begin(s->claims);
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(dumps); i++) {
		struct netlink_door_question q = {
			.flags = NLM_F_DUMP, .message = on_object, .ctx = s->claims};

		r = ask(door, &q, dumps[i], ret_why);
		if (dumps[i] != NFT_MSG_GETSET)
			continue;
		for (uint32_t n = 0; r >= 0 && n < nft_claims_n_sets(s->claims); n++)
			r = ask_elements(s, door, n, ret_why);
	}
	if (r >= 0)
		r = ask_gen(door, &after, ret_why);
	/* The kernel marks what changed within one dump; only this tells what changed between two. */
	if (r >= 0 && before != after)
		r = why_set(ret_why, -EAGAIN, "nf_tables: it changed while it was read");
	if (r >= 0 && !s->gen_known) {
		s->last.id = after;
		s->gen_known = true;
	}
	/* A set that went between the dumps. */
	return r == -ENOENT ? -EAGAIN : r;
}

static int dump(struct sensor_nft *s, struct why *ret_why)
{
	const struct netlink_door_options o = {.name = "nf_tables", .protocol = NETLINK_NETFILTER};
	int r = -EAGAIN;

	for (int i = 0; r == -EAGAIN && i < TRIES; i++) {
		struct netlink_door *door;

		r = netlink_door_open(NULL, &o, &door, ret_why);
		if (r < 0)
			return r;
		r = ask_all(s, door, ret_why);
		netlink_door_free(door);
	}
	return r;
}

/* 1: it listens now, or did before; 0: there is nothing to listen to. */
static int join_group(struct sensor_nft *s, struct why *ret_why)
{
	const struct netlink_door_options o = {
		.name = "nf_tables",
		.protocol = NETLINK_NETFILTER,
		.groups = {NFNLGRP_NFTABLES},
		.receive_size = s->o.receive_size,
		.datagram = on_datagram,
		.lost = on_lost,
		.ctx = s,
	};
	int r;

	if (!is_there(s)) {
		s->door = netlink_door_free(s->door);
		tell_status(s, false, "the kernel has no nf_tables loaded");
		return 0;
	}
	if (s->door)
		return 1;
	r = netlink_door_open(s->base, &o, &s->door, ret_why);
	tell_status(s, r >= 0, r < 0 ? ret_why->text : "");
	return r < 0 ? r : 1;
}

static int tell_unknown(struct sensor_nft *s, int r, const char *why,
			const struct net_claims_sink *sink)
{
	CLEANUP(buf_done) struct buf b = {.max = 512};

	log_warning("sensor=nftables error=%s why=\"%s\" next=\"its claims are unknown, tried "
		    "again\"",
		    strerrorname_np(-r), why);
	if (claims_unknown(why, &b) >= 0)
		(void)nft_claims_tell_text(s->claims, (const char *)b.data, sink);
	return r;
}

static int read_state(void *ctx)
{
	struct sensor_nft *s = ctx;
	const struct net_claims_sink sink = {put, s};
	struct why why = {"out of memory"};
	int r = join_group(s, &why);

	if (r == 0)
		return nft_claims_tell_text(s->claims, "none", &sink);
	if (r > 0)
		r = dump(s, &why);
	s->interrupted = r == -EAGAIN ? s->interrupted + 1 : 0;
	if (r == -EAGAIN && s->interrupted < UNKNOWN_AFTER)
		return r;
	r = r < 0 ? tell_unknown(s, r, why.text, &sink) : nft_claims_tell(s->claims, &sink);
	s->last.pid = 0; /* what comes after this was made by somebody else */
	return r;
}

void sensor_nft_again(struct sensor_nft *s)
{
	if (!s->door)
		dump_turns_hint(s->turns);
}

int sensor_nft_open(struct event_base *base, const struct sensor_nft_options *o,
		    struct sensor_nft **ret, struct why *ret_why)
{
	struct sensor_nft *s = calloc(1, sizeof(*s));
	struct dump_turns_options turns = {
		.clock = o->clock, .interval_ms = o->interval_ms, .read = read_state, .ctx = s};
	int r;

	if (!s)
		return why_set(ret_why, -ENOMEM, "out of memory");
	s->o = *o;
	s->base = base;
	if (!is_there(s))
		s->built_in = is_built_in(o->proc ? o->proc : "/proc");
	r = nft_claims_open(&s->claims);
	if (r >= 0)
		r = dump_turns_open(base, &turns, &s->turns);
	if (r < 0) {
		sensor_nft_free(s);
		return why_set(ret_why, r, "out of memory");
	}
	(void)dump_turns_now(s->turns); /* a failure is in the claims */
	*ret = s;
	return 0;
}

struct sensor_nft *sensor_nft_free(struct sensor_nft *s)
{
	if (!s)
		return NULL;
	netlink_door_free(s->door);
	dump_turns_free(s->turns);
	nft_claims_free(s->claims);
	free(s);
	return NULL;
}
