/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "cosign.h"

#define IMAGE "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The public keys of tests/data/checkpoint, which signed the corpus. */
static const char ed25519[] = "-----BEGIN PUBLIC KEY-----\n"
			      "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"
			      "-----END PUBLIC KEY-----\n";
static const char p256[] = "-----BEGIN PUBLIC KEY-----\n"
			   "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYP7UuiVanTHJYet0xjVtaMBJuJI7\n"
			   "Yfps5mliLmDyn7Z5A/4QCLi8maQa6elWKLxk8vGyDC1+n1F3o8KU1EYimQ==\n"
			   "-----END PUBLIC KEY-----\n";

static void check_list(const struct cosign_list *l)
{
	if (l->n > COSIGN_MAX_ITEMS)
		__builtin_trap();
	for (uint32_t i = 0; i < l->n; i++)
		if (!image_layout_is_digest(l->items[i].digest) ||
		    l->items[i].sig_size > COSIGN_MAX_SIGNATURE)
			__builtin_trap();
}

/* The first two bytes say how long the signature is that comes before what was signed. */
static void payload(const uint8_t *data, size_t size, const struct sign_key *const *keys)
{
	struct cosign_item item = {.sig_size = 0};
	struct why why;
	uint32_t key = 9;

	if (size < 2)
		return;
	item.sig_size = data[0] * 256u + data[1];
	if (item.sig_size > COSIGN_MAX_SIGNATURE || item.sig_size > size - 2)
		return;
	memcpy(item.sig, data + 2, item.sig_size);
	data += 2 + item.sig_size;
	size -= 2 + item.sig_size;
	if (cosign_check_payload(data, size, &item, IMAGE, keys, 2, &key, &why) >= 0 &&
	    (key > 1 || !memmem(data, size, IMAGE, sizeof(IMAGE) - 1)))
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sign_key *keys[2];
	static struct cosign_list l;
	const struct sign_key *const *known = (const struct sign_key *const *)keys;
	struct why why;
	uint32_t key = 9;

	if (!keys[0] && (sign_key_from_pem(ed25519, sizeof(ed25519) - 1, &keys[0], &why) < 0 ||
			 sign_key_from_pem(p256, sizeof(p256) - 1, &keys[1], &why) < 0))
		__builtin_trap();
	if (size == 0)
		return 0;
	l.n = 0;
	switch (data[0] % 8) {
	case 0:
		cosign_of_tag(data + 1, size - 1, &l, &why);
		break;
	case 1:
		cosign_of_referrers(data + 1, size - 1, &l, &why);
		break;
	case 2:
		cosign_of_bundle_manifest(data + 1, size - 1, &l, &why);
		break;
	case 3:
		payload(data + 1, size - 1, known);
		break;
	default:
		if (cosign_check_bundle(data + 1, size - 1, IMAGE, known, 2, &key, &why) >= 0 &&
		    key > 1)
			__builtin_trap();
		break;
	}
	check_list(&l);
	return 0;
}
