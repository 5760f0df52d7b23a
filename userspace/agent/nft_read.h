/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nft_read.h: one message of nf_tables, and what its expressions say, without what changes by itself. Pure.
 * In: a message's body (after the netlink header). Out: attributes by number, borrowed; canonical bytes of a rule or an element.
 */
#ifndef PLUMB_NFT_READ_H
#define PLUMB_NFT_READ_H

#include <stdbool.h>
#include <stdint.h>
#include "netlink_read.h"

#define NFT_READ_NAME_SIZE 257		/* NFT_NAME_MAXLEN and NUL */
#define NFT_READ_ATTRIBUTES 32

struct nft_read_object {
	uint8_t family;
	struct buf_view at[NFT_READ_ATTRIBUTES];	/* by number; data NULL: not there. Numbers beyond are left out */
};

struct nft_read_gen {
	uint32_t id, pid;		/* pid 0: not said */
	char name[32];			/* of the process; "" */
};

int nft_read_object(struct buf_view body, struct nft_read_object *ret, struct why *ret_why);
int nft_read_gen(struct buf_view body, struct nft_read_gen *ret, struct why *ret_why);
/* A name that must be there. */
int nft_read_name(const struct nft_read_object *o, uint16_t type, char ret[NFT_READ_NAME_SIZE], struct why *ret_why);
const char *nft_read_family(uint8_t family);	/* "inet", "ip", …; static */

/*
 * What a set without a name of its own has in it ("__set0": another number after each reload): bytes that stand for the name.
 * NULL: there is no such set, the name stays.
 */
struct nft_read_sets {
	const struct buf_view *(*find)(void *ctx, const char *name);
	void *ctx;
};

/*
 * Appends: each attribute as u16 number, u32 size, bytes. Of a rule's expressions without counters, what a quota has used up, and
 * the time of last use. -EBADMSG, -E2BIG, -ENOMEM.
 */
void nft_read_put(struct buf *b, uint16_t type, struct buf_view v);
int nft_read_put_expressions(struct buf *b, struct buf_view list, const struct nft_read_sets *sets, struct why *ret_why);
/* Each element of a NEWSETELEM's list, as canonical bytes, to element. */
int nft_read_elements(struct buf_view list, int (*element)(void *ctx, const struct buf *canonical), void *ctx, struct why *ret_why);

#endif
