/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_nft.c: nf_tables dumps and notifications, message by message, and the claims that follow from what could be read. */
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "../../userspace/agent/nft_claims.h"
#include "line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int put(void *ctx, const char *key, const char *value)
{
	(void)ctx;
	if (strncmp(key, "net:nft_", 8) != 0 || strlen(value) >= LINE_MAX_VALUE || value[0] == '\0')
		abort();
	return 1;
}

static int take(struct nft_claims *n, const struct netlink_read_message *m, struct why *why)
{
	struct nft_read_gen g;
	uint32_t before = nft_claims_n_sets(n);
	int r;

	if (m->type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN))
		return nft_read_gen(m->body, &g, why);
	r = nft_claims_add(n, m, why);
	if (r >= 0)
		r = nft_claims_add_elements(n, m, why);
	if (r >= 0 && nft_claims_n_sets(n) > before)
		r = nft_claims_set_done(n, before);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct net_claims_sink sink = {put, NULL};
	struct buf_reader r = buf_reader_of(data, size);
	struct netlink_read_message m;
	struct nft_claims *n;
	struct why why = {""};
	int k = 0;

	if (nft_claims_open(&n) < 0)
		return 0;
	nft_claims_begin(n);
	while (k >= 0 && netlink_read_message(&r, &m, &why) > 0) {
		why.text[0] = '\0';
		k = take(n, &m, &why);
		if (k < 0 && k != -ENOMEM && why.text[0] == '\0')
			abort();
	}
	if (nft_claims_tell(n, &sink) < 1)
		abort();
	nft_claims_free(n);
	return 0;
}
