/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "tpm.h"

struct slow {
	struct tpm door;
	struct tpm *inner;
	uint64_t extend_us, sign_us;
};

static void wait_us(uint64_t us)
{
	struct timespec left = {(time_t)(us / 1000000), (long)(us % 1000000) * 1000};

	while (nanosleep(&left, &left) != 0 && errno == EINTR)
		;
}

static int read_clock(void *ctx, struct tpm_clock *ret)
{
	struct slow *s = ctx;

	return s->inner->ops->read_clock(s->inner->ctx, ret);
}

static int pcr_read(void *ctx, uint32_t mask, struct quote_pcrs *ret)
{
	struct slow *s = ctx;

	return s->inner->ops->pcr_read(s->inner->ctx, mask, ret);
}

static int pcr_extend(void *ctx, uint32_t index, const struct digest *digest)
{
	struct slow *s = ctx;

	wait_us(s->extend_us);
	return s->inner->ops->pcr_extend(s->inner->ctx, index, digest);
}

static int ek_public(void *ctx, struct buf *ret_public, struct buf *ret_cert)
{
	struct slow *s = ctx;

	return s->inner->ops->ek_public(s->inner->ctx, ret_public, ret_cert);
}

static int keys_open(void *ctx, struct buf *blobs, struct buf *ret_ak_public,
		     struct buf *ret_event_public)
{
	struct slow *s = ctx;

	return s->inner->ops->keys_open(s->inner->ctx, blobs, ret_ak_public, ret_event_public);
}

static int certify_event(void *ctx, const struct digest *qualifying, struct buf *ret_attest,
			 struct buf *ret_sig)
{
	struct slow *s = ctx;

	wait_us(s->sign_us);
	return s->inner->ops->certify_event(s->inner->ctx, qualifying, ret_attest, ret_sig);
}

static int activate(void *ctx, const void *blob, size_t blob_size, const void *secret,
		    size_t secret_size, struct buf *ret)
{
	struct slow *s = ctx;

	return s->inner->ops->activate(s->inner->ctx, blob, blob_size, secret, secret_size, ret);
}

static int quote(void *ctx, uint32_t mask, const struct digest *qualifying, struct buf *ret_attest,
		 struct buf *ret_sig, struct quote_pcrs *ret_pcrs)
{
	struct slow *s = ctx;

	wait_us(s->sign_us);
	return s->inner->ops->quote(s->inner->ctx, mask, qualifying, ret_attest, ret_sig, ret_pcrs);
}

static int sign_event(void *ctx, const struct digest *digest, struct buf *ret_sig)
{
	struct slow *s = ctx;

	wait_us(s->sign_us);
	return s->inner->ops->sign_event(s->inner->ctx, digest, ret_sig);
}

static void close_slow(void *ctx)
{
	struct slow *s = ctx;

	s->inner->ops->close(s->inner->ctx);
	free(s);
}

static const struct tpm_ops ops = {
	.read_clock = read_clock,
	.pcr_read = pcr_read,
	.pcr_extend = pcr_extend,
	.ek_public = ek_public,
	.keys_open = keys_open,
	.certify_event = certify_event,
	.activate = activate,
	.quote = quote,
	.sign_event = sign_event,
	.close = close_slow,
};

int tpm_slow_open(struct tpm *inner, uint64_t extend_us, uint64_t sign_us, struct tpm **ret)
{
	struct slow *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	*s = (struct slow){{&ops, s}, inner, extend_us, sign_us};
	*ret = &s->door;
	return 0;
}
