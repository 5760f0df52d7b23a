/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/evp.h>
#include <stddef.h>
#include <stdint.h>

#include "makecred.h"
#include "quote.h"
#include "tpm_public.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t name[34] = {0, 0x0b};
	struct buf blob = {.max = 1024}, sealed = {.max = 1024};
	struct tpm_public p;
	EVP_PKEY *pkey;
	struct why why;
	int r;

	if (tpm_public_parse(data, size, &p, &why) >= 0) {
		if (p.area.size + 2 != size)
			__builtin_trap();
		if (tpm_public_evp(&p, &pkey, &why) >= 0)
			EVP_PKEY_free(pkey);
	}
	quote_check_ak(data, size, &why);
	quote_check_event_key(data, size, &why);
	r = quote_check_ek(data, size, &why);
	/* What passes for an EK can have a credential made for it. */
	if (makecred_make(data, size, name, sizeof(name), name, 32, &blob, &sealed, &why) < 0 &&
	    r >= 0)
		__builtin_trap();
	buf_done(&blob);
	buf_done(&sealed);
	return 0;
}
