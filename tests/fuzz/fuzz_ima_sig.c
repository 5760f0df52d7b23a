/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_ima_sig.c: signatures in an entry of IMA's list, of the file's attribute and PKCS #7, against two keys. The first byte says which it is; 32 bytes
 * are the file's digest. Nobody signed these with the keys here, so none may be good.
 */
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "ima_pkcs7.h"
#include "ima_sig.h"
#include "ima_signer.h"
#include "scratch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct ima_sig *keys(void)
{
	static struct ima_sig *s;
	char dir[SCRATCH_SIZE], path[128];
	const char *paths[] = {path};
	struct ima_signer rsa, ec;
	struct buf pem = {0};
	struct why why;

	if (s)
		return s;
	ima_signer_open(&rsa, "RSA");
	ima_signer_open(&ec, "P-256");
	ima_signer_pem(&rsa, true, &pem);
	ima_signer_pem(&ec, false, &pem);
	scratch_open(dir, "fuzz");
	snprintf(path, sizeof(path), "%s/keys", dir);
	if (fsio_replace_file(fsio_system(), path, pem.data, pem.size, 0600) < 0 ||
	    ima_sig_open(fsio_system(), paths, 1, &s, &why) < 0)
		abort();
	scratch_done(dir);
	buf_done(&pem);
	ima_signer_done(&rsa);
	ima_signer_done(&ec);
	return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct imalog_entry e = {.pcr = 10};
	enum ima_sig_verdict v = IMA_SIG_NONE, again = IMA_SIG_NONE;
	struct digest d;

	if (size < 33)
		return 0;
	memcpy(e.file.algorithm, "sha256", 7);
	e.file.bytes = (struct buf_view){data + 1, 32};
	e.unsigned_file = e.file;
	e.verity = data[0] & 2;
	if (data[0] & 1)
		e.modsig = (struct buf_view){data + 33, size - 33};
	else
		e.signature = (struct buf_view){data + 33, size - 33};
	if (digest_sha256(data, size, &d) < 0 || ima_sig_check(keys(), &e, &d, &v) < 0 ||
	    ima_sig_check(keys(), &e, &d, &again) < 0 || v != again || v == IMA_SIG_GOOD)
		abort();
	return 0;
}
