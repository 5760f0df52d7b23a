/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "dsse.h"

#define TYPE "application/vnd.plumb.policy+json"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The public keys of tests/data/checkpoint, which signed the corpus. */
static const char ed25519[] = "-----BEGIN PUBLIC KEY-----\n"
			      "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"
			      "-----END PUBLIC KEY-----\n";
static const char p256[] = "-----BEGIN PUBLIC KEY-----\n"
			   "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYP7UuiVanTHJYet0xjVtaMBJuJI7\n"
			   "Yfps5mliLmDyn7Z5A/4QCLi8maQa6elWKLxk8vGyDC1+n1F3o8KU1EYimQ==\n"
			   "-----END PUBLIC KEY-----\n";

/* Whatever opens is the one document that these keys signed. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sign_key *keys[2];
	struct buf payload = {0}, type = {0}, shown = {0};
	struct why why;
	int r;

	if (!keys[0] && (sign_key_from_pem(ed25519, sizeof(ed25519) - 1, &keys[0], &why) < 0 ||
			 sign_key_from_pem(p256, sizeof(p256) - 1, &keys[1], &why) < 0))
		__builtin_trap();
	r = dsse_open(data, size, 4096, TYPE, (const struct sign_key *const *)keys, 2, &payload,
		      NULL, &why);
	if (r < 0 ? payload.size != 0
		  : payload.size != 7 || memcmp(payload.data, "{\"v\":1}", 7) != 0)
		__builtin_trap();
	if (dsse_peek(data, size, 4096, &shown, &type, &why) < 0 && r >= 0)
		__builtin_trap();
	buf_done(&payload);
	buf_done(&type);
	buf_done(&shown);
	return 0;
}
