/* SPDX-License-Identifier: Apache-2.0 */
#include "nft_door.h"

#include <errno.h>
#include <linux/netlink.h>
#include <nftables/libnftables.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cleanup.h"

/* The library has a socket of its own, and ends this process where it gets none. */
static int has_socket(struct why *ret_why)
{
	CLEANUP_CLOSE int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	int r = fd >= 0 ? 0 : -errno;

	return r < 0 ? why_set(ret_why, r == -EPROTONOSUPPORT ? -EOPNOTSUPP : r,
			       "netlink of the packet filter: %s", strerror(-r))
		     : 0;
}

static int begin(unsigned int flags, struct nft_ctx **ret, struct why *ret_why)
{
	struct nft_ctx *ctx;
	int r = has_socket(ret_why);

	if (r < 0)
		return r;
	ctx = nft_ctx_new(NFT_CTX_DEFAULT);
	if (!ctx)
		return -ENOMEM;
	nft_ctx_output_set_flags(ctx, flags);
	if (nft_ctx_buffer_output(ctx) == 0 && nft_ctx_buffer_error(ctx) == 0) {
		*ret = ctx;
		return 0;
	}
	nft_ctx_free(ctx);
	return -ENOMEM;
}

/* The library tells in words alone. nfnetlink answers the first question with EINVAL where there is no nf_tables. */
static int error_of(const char *text)
{
	static const char first[] = "cache initialization failed: ";
	const char *at = strstr(text, first);

	if (at && strstr(at, strerror(EINVAL)))
		return -EOPNOTSUPP;
	return strstr(text, strerror(ENOENT)) ? -ENOENT : -EIO;
}

/* Asked for once: the library gives its text away. */
static int failed(struct nft_ctx *ctx, struct why *ret_why)
{
	const char *text = nft_ctx_get_error_buffer(ctx);

	text = text ? text : "";
	return why_set(ret_why, error_of(text), "%.*s", (int)strcspn(text, "\n"), text);
}

static int run(const char *json, bool dry, struct why *ret_why)
{
	struct nft_ctx *ctx;
	int r = begin(NFT_CTX_OUTPUT_JSON, &ctx, ret_why);

	if (r < 0)
		return r;
	nft_ctx_set_dry_run(ctx, dry);
	r = nft_run_cmd_from_buffer(ctx, json) == 0 ? 0 : failed(ctx, ret_why);
	nft_ctx_free(ctx);
	return r;
}

int nft_door_run(const char *json, struct why *ret_why)
{
	return run(json, false, ret_why);
}

/* The kernel gets all of it but the word that ends a transaction. */
int nft_door_try(const char *json, struct why *ret_why)
{
	return run(json, true, ret_why);
}

int nft_door_list(const char *family, const char *table, struct buf *ret, struct why *ret_why)
{
	struct nft_ctx *ctx;
	char command[128];
	int r = begin(NFT_CTX_OUTPUT_STATELESS | NFT_CTX_OUTPUT_NUMERIC_ALL, &ctx, ret_why);

	if (r < 0)
		return r;
	snprintf(command, sizeof(command), "list table %.16s %.64s", family, table);
	r = nft_run_cmd_from_buffer(ctx, command) == 0 ? 0 : failed(ctx, ret_why);
	if (r >= 0)
		buf_puts(ret, nft_ctx_get_output_buffer(ctx));
	nft_ctx_free(ctx);
	return r < 0 ? r : buf_status(ret);
}
