/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_imalog.c: IMA lists; the first byte is the size of their template digests. */
#include <errno.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "../../userspace/lib/ima_fold.h"
#include "mutate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Each entry's digest is what the kernel would have put there, so that it is genuine whatever it says. */
size_t mutate_mend(uint8_t *data, size_t size, size_t max)
{
	size_t digest_size = size ? data[0] % 65 : 0;
	struct buf_reader r = buf_reader_of(data + 1, size ? size - 1 : 0);
	struct imalog_entry e;

	(void)max;
	if (digest_size != SHA_DIGEST_LENGTH && digest_size != SHA256_DIGEST_LENGTH)
		return size;
	while (imalog_next(&r, digest_size, &e, NULL) > 0) {
		uint8_t *to = data + (e.template_digest.data - data);

		if (e.violation || e.template == IMALOG_IMA)
			continue;
		if (digest_size == SHA_DIGEST_LENGTH)
			SHA1(e.data.data, e.data.size, to);
		else
			SHA256(e.data.data, e.data.size, to);
	}
	return size;
}

static void check(const struct imalog_entry *e)
{
	if (e->pcr > 23 || e->data.size > IMALOG_MAX_DATA)
		abort();
	if (e->template == IMALOG_OTHER) {
		if (e->name || e->file.bytes.size || e->signature.size)
			abort();
		return;
	}
	if ((e->file.bytes.size == 0) != !e->file.algorithm[0])
		abort();
	if (e->name && memchr(e->name, '\0', e->name_size))
		abort();
	if (e->name && e->template != IMALOG_IMA && e->name[e->name_size] != '\0')
		abort();
}

/* What the kernel's digest is of is what was handed out: only then it is genuine, and whoever replays comes to some value. */
static void replay(const struct imalog_entry *e, size_t digest_size)
{
	struct digest pcr = {{0}};
	struct ima_folded d;

	ima_fold_entry(e, &pcr, &d);
	if ((e->violation && d.genuine) || (d.genuine && digest_size != 20 && digest_size != 32) ||
	    d.counted != (e->pcr == IMA_FOLD_PCR))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct imalog_entry e;
	struct buf_reader r;
	struct why why = {""};
	uint64_t n = 0, whole = 0;
	size_t end = 0, digest_size;
	int more;

	if (size == 0)
		return 0;
	digest_size = data[0] % 65;
	r = buf_reader_of(data + 1, size - 1);
	for (more = 1; more > 0; n += more > 0) {
		size_t at = r.at;

		more = imalog_next(&r, digest_size, &e, &why);
		if (more > 0)
			check(&e);
		if (more > 0)
			replay(&e, digest_size);
		if (more > 0 ? r.at <= at : r.at != at)
			abort();
	}
	if (more != 0 && (more != -EBADMSG || !why.text[0]))
		abort();
	if (imalog_whole(data + 1, size - 1, digest_size, size, &end, &whole, &why) == 0 &&
	    (end != r.at || whole != n))
		abort();
	return 0;
}
