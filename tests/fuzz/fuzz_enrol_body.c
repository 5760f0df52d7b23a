/* SPDX-License-Identifier: Apache-2.0 */
/* Any body: what is taken keeps its bounds, is text without NUL, and a label that may stand in a command. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "enrol_body.h"
#include "plumb/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void want(int holds)
{
	if (!holds)
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct enrol_body b;
	struct buf kube_token = {0};
	char session[ENROL_BODY_SESSION_HEX + 1];
	struct digest proof;
	struct why why;

	if (enrol_body_parse(data, size, &b, &why) >= 0) {
		want(memchr(b.token, 0, sizeof(b.token)) && memchr(b.label, 0, sizeof(b.label)));
		want(memchr(b.csr, 0, sizeof(b.csr)) && memchr(b.agent, 0, sizeof(b.agent)));
		want(b.label[0] && !strpbrk(b.label, " \n\"'/;$"));
		want(b.ek_public.size <= 4096 && b.ek_cert.size <= 8192);
		enrol_body_done(&b);
	}
	if (enrol_body_parse_proof(data, size, session, &proof, &kube_token, &why) >= 0)
		want(strlen(session) == ENROL_BODY_SESSION_HEX &&
		     strspn(session, "0123456789abcdef") == ENROL_BODY_SESSION_HEX);
	want(kube_token.size <= WIRE_MAX_KUBE_TOKEN &&
	     (kube_token.size == 0 || !strpbrk((char *)kube_token.data, " \n\"'/;$\\")));
	enrol_body_wipe(&kube_token);
	return 0;
}
