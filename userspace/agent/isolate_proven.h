/* SPDX-License-Identifier: Apache-2.0 */
/*
 * isolate_proven.h: the addresses at which the verifier of this node was, by its TLS key and by what it said, on the disk, so that a restart knows
 * them (docs/ledger.md). In: addresses, or a file. Out: JSON and back; the file in the state directory, replaced durably.
 */
#ifndef PLUMB_ISOLATE_PROVEN_H
#define PLUMB_ISOLATE_PROVEN_H

#include "buf.h"
#include "fsio.h"
#include "why.h"
#include <stdbool.h>
#include <stdint.h>

#define ISOLATE_PROVEN_FILE "verifier-addresses.json"
#define ISOLATE_PROVEN_MAX 4096u
#define ISOLATE_PROVEN_N 4u
#define ISOLATE_PROVEN_URL 512u /* bytes with the NUL */

struct isolate_proven {
	char verifier[ISOLATE_PROVEN_URL]; /* whose they are: its URL */
	char address[ISOLATE_PROVEN_N]
		    [64]; /* as isolate_net_peer() takes them; the last one heard first */
	uint32_t n;
};

/* It was there just now. true: that is new, and the one that was heard longest ago made room. */
bool isolate_proven_add(struct isolate_proven *p, const char *address);

int isolate_proven_write(const struct isolate_proven *p, struct buf *ret); /* LF at the end */
int isolate_proven_parse(const void *data, size_t size, struct isolate_proven *ret,
			 struct why *ret_why);

/* -ENOENT: there is none. -EBADMSG: something is there, and cannot be read, or is not ours. */
int isolate_proven_load(const struct fsio *io, const char *dir, struct isolate_proven *ret,
			struct why *ret_why);
int isolate_proven_keep(const struct fsio *io, const char *dir, const struct isolate_proven *p);

#endif
