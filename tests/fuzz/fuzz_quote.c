/* SPDX-License-Identifier: Apache-2.0 */
/* Input: the AK's TPM2B_PUBLIC, then attest and signature as TPM2Bs. */
#include <stddef.h>
#include <stdint.h>

#include "quote.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf_reader in = buf_reader_of(data, size);
	struct buf_view ak, attest, sig;
	struct digest qualifying;
	struct quote_pcrs pcrs = {.mask = (1u << 0) | (1u << 7) | (1u << 10) | (1u << 15)};
	struct quote_info info;
	struct buf der = {.max = 1024};
	struct why why;

	for (unsigned int i = 0; i < DIGEST_SIZE; i++)
		qualifying.bytes[i] = (uint8_t)i;
	if (buf_read_sized16be(&in, 8192, &ak) < 0 || buf_read_sized16be(&in, 8192, &attest) < 0 ||
	    buf_read_sized16be(&in, 8192, &sig) < 0)
		return 0;
	/* With its length before it again. */
	quote_check(attest.data, attest.size, sig.data, sig.size, ak.data - 2, ak.size + 2,
		    &qualifying, &pcrs, &info, &why);
	quote_check_certify(attest.data, attest.size, sig.data, sig.size, ak.data - 2, ak.size + 2,
			    ak.data - 2, ak.size + 2, &qualifying, &info, &why);
	quote_signature_der(sig.data, sig.size, &der, &why);
	buf_done(&der);
	return 0;
}
