/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sensor_nft.h: the nf_tables ruleset of the agent's network namespace, which has to be the host's.
 * In: notifications of nfnetlink group 7, which are hints alone, and dumps. Out: claims net:nft_ruleset and net:nft_table:<family>:<name> with
 * who changed it last; a gap in the numbers of transactions and a full buffer as losses, each answered by a dump.
 */
#ifndef PLUMB_SENSOR_NFT_H
#define PLUMB_SENSOR_NFT_H

#include <event2/event.h>
#include <stdbool.h>
#include "clock.h"
#include "measure.h"
#include "proctab.h"

struct sensor_nft;

struct sensor_nft_options {
	struct proctab *proctab;	/* borrowed */
	const struct clock *clock;	/* borrowed */
	uint32_t interval_ms;		/* between dumps that nobody asked for; 0: 60000 */
	uint32_t receive_size;		/* bytes of the socket's buffer; 0: 4 MiB */
	const char *proc, *sys;		/* NULL: /proc, /sys; borrowed */
	int (*claim)(void *ctx, const struct line *l);	/* 1 told, 0 known, -errno */
	void (*lost)(void *ctx, const char *src, uint64_t n, const char *what);	/* as struct measure_sink's */
	void (*attached)(void *ctx, bool attached, const char *absent_why);	/* at the start, and when it changes */
	void *ctx;
};

/*
 * The first dump is done inside. Asking the kernel would load its module, and with it code that this node has no need of: so a node
 * without nf_tables is left as it is, its ruleset is "none", and it is looked again on schedule and on sensor_nft_again(). -ENOMEM.
 */
int sensor_nft_open(struct event_base *base, const struct sensor_nft_options *o, struct sensor_nft **ret,
		    struct why *ret_why);
struct sensor_nft *sensor_nft_free(struct sensor_nft *s);
void sensor_nft_again(struct sensor_nft *s);	/* a module was loaded */

#endif
