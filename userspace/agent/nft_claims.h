/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nft_claims.h: the nf_tables ruleset as claims: one digest for all, and one for each table. Pure.
 * In: the messages of dumps (tables, chains, sets, each set's elements, rules, in this order). Out: claims to put.
 *
 * A digest is over what packets meet: table and chain with hook, priority, policy and type, rules in their order, sets with their elements.
 * Left out is what changes by itself or by number alone: handles, counters, comments, used-up quotas; elements that packets add (sets with
 * timeouts or "dynamic"); named objects and flow tables; the old iptables' own tables. The claims of tables are there because on a Kubernetes
 * node some belong to kube-proxy or the network plugin and change with each service: a baseline lists those that are the operator's.
 */
#ifndef PLUMB_NFT_CLAIMS_H
#define PLUMB_NFT_CLAIMS_H

#include <stdint.h>
#include "net_claims.h"
#include "netlink_read.h"
#include "nft_read.h"

#define NFT_CLAIMS_MAX_OBJECTS (1u << 19)	/* tables, chains and rules; elements of one set */
#define NFT_CLAIMS_MAX_SETS 16384
#define NFT_CLAIMS_MAX_TOLD 128			/* tables with a claim of their own */

struct nft_claims;

int nft_claims_open(struct nft_claims **ret);
struct nft_claims *nft_claims_free(struct nft_claims *n);

void nft_claims_begin(struct nft_claims *n);
/* NEWTABLE, NEWCHAIN, NEWSET, NEWRULE; others are left out. Rules after sets are done. -EBADMSG, -E2BIG, -ENOMEM. */
int nft_claims_add(struct nft_claims *n, const struct netlink_read_message *m, struct why *ret_why);

struct nft_claims_set {
	uint8_t family;
	bool moving;		/* its elements come and go with packets: they are not asked for */
	char table[NFT_READ_NAME_SIZE], name[NFT_READ_NAME_SIZE];
};

uint32_t nft_claims_n_sets(const struct nft_claims *n);
const struct nft_claims_set *nft_claims_set_at(const struct nft_claims *n, uint32_t i);	/* borrowed */
int nft_claims_add_elements(struct nft_claims *n, const struct netlink_read_message *m, struct why *ret_why);
int nft_claims_set_done(struct nft_claims *n, uint32_t i);	/* elements since the last one are its */

int nft_claims_tell(struct nft_claims *n, const struct net_claims_sink *sink);	/* sum of what put returned, or -errno */
/* "none": there is no nf_tables in this kernel; or "unknown …". Of all that was told. */
int nft_claims_tell_text(struct nft_claims *n, const char *value, const struct net_claims_sink *sink);

#endif
