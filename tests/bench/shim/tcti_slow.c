/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tcti_slow.c: a TCTI that stands before another one and takes the time that a slow chip takes: 8 ms an extend, 400 ms a signature
 * (TPM2_Sign, TPM2_Quote, TPM2_Certify). In: "…/libtss2-tcti-slow.so:<the other TCTI's string>"; TCTI_SLOW_EXTEND_MS: other than 8. For
 * measurements and tests only.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <tss2/tss2_tcti.h>
#include <tss2/tss2_tctildr.h>

#define MAGIC 0x706c756d62736c6full
#define EXTEND_MS 8
#define SIGN_MS 400

enum { CC_CERTIFY = 0x148, CC_QUOTE = 0x158, CC_SIGN = 0x15d, CC_EXTEND = 0x182 };

struct slow {
	TSS2_TCTI_CONTEXT_COMMON_V2 common;
	TSS2_TCTI_CONTEXT *inner;
};

static void take(long ms)
{
	const struct timespec t = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&t, NULL);
}

static TSS2_RC transmit(TSS2_TCTI_CONTEXT *ctx, size_t size, uint8_t const *command)
{
	struct slow *s = (struct slow *)ctx;
	uint32_t code = size < 10 ? 0
				  : (uint32_t)command[6] << 24 | (uint32_t)command[7] << 16 |
					    (uint32_t)command[8] << 8 | command[9];

	if (code == CC_EXTEND)
		take(getenv("TCTI_SLOW_EXTEND_MS") ? atol(getenv("TCTI_SLOW_EXTEND_MS"))
						   : EXTEND_MS);
	else if (code == CC_SIGN || code == CC_QUOTE || code == CC_CERTIFY)
		take(SIGN_MS);
	return Tss2_Tcti_Transmit(s->inner, size, command);
}

static TSS2_RC receive(TSS2_TCTI_CONTEXT *ctx, size_t *size, uint8_t *response, int32_t timeout)
{
	return Tss2_Tcti_Receive(((struct slow *)ctx)->inner, size, response, timeout);
}

static void finalize(TSS2_TCTI_CONTEXT *ctx)
{
	Tss2_TctiLdr_Finalize(&((struct slow *)ctx)->inner);
}

static TSS2_RC cancel(TSS2_TCTI_CONTEXT *ctx)
{
	return Tss2_Tcti_Cancel(((struct slow *)ctx)->inner);
}

static TSS2_RC get_poll_handles(TSS2_TCTI_CONTEXT *ctx, TSS2_TCTI_POLL_HANDLE *handles, size_t *n)
{
	return Tss2_Tcti_GetPollHandles(((struct slow *)ctx)->inner, handles, n);
}

static TSS2_RC set_locality(TSS2_TCTI_CONTEXT *ctx, uint8_t locality)
{
	return Tss2_Tcti_SetLocality(((struct slow *)ctx)->inner, locality);
}

static TSS2_RC init(TSS2_TCTI_CONTEXT *ctx, size_t *size, const char *conf)
{
	struct slow *s = (struct slow *)ctx;

	if (!ctx) {
		*size = sizeof(*s);
		return TSS2_RC_SUCCESS;
	}
	memset(s, 0, sizeof(*s));
	s->common.v1.magic = MAGIC;
	s->common.v1.version = 2;
	s->common.v1.transmit = transmit;
	s->common.v1.receive = receive;
	s->common.v1.finalize = finalize;
	s->common.v1.cancel = cancel;
	s->common.v1.getPollHandles = get_poll_handles;
	s->common.v1.setLocality = set_locality;
	return Tss2_TctiLdr_Initialize(conf, &s->inner);
}

const TSS2_TCTI_INFO *Tss2_Tcti_Info(void);
const TSS2_TCTI_INFO *Tss2_Tcti_Info(void)
{
	static const TSS2_TCTI_INFO info = {
		.version = 2,
		.name = "tcti-slow",
		.description = "8 ms an extend, 400 ms a signature",
		.config_help = "the string of the TCTI behind it",
		.init = init,
	};

	return &info;
}
