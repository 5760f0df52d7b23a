/* SPDX-License-Identifier: Apache-2.0 */
/* Input: the EK's TPM2B_PUBLIC, then the certificate, as it came from the chip. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "ekcert.h"

#define NOW 1735689600u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* The vendors' whole bundle makes one run slow; the chain is OpenSSL's work anyway. */
	static const char *const files[] = {"deploy/tpm-vendors/clouds/google.pem"};
	static struct ekcert_anchors *anchors;
	struct buf_reader in = buf_reader_of(data, size);
	struct ekcert_info info;
	struct buf_view public;
	struct why why;

	if (!anchors && ekcert_anchors_open(fsio_system(), files, 1, NULL, &anchors, &why) < 0)
		abort();
	if (buf_read_sized16be(&in, 1024, &public) < 0)
		return 0;
	ekcert_check(anchors, data + in.at, size - in.at, data, public.size + 2, NOW, &info, &why);
	return 0;
}
