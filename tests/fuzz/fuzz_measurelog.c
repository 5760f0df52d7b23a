/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_measurelog.c: logs of what systemd measures. A record that counts has the digest of its text; what a log leads to is what these make. */
#include <stdlib.h>
#include <string.h>

#include "measurelog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct measurelog_record *m, struct digest *value)
{
	struct digest d;
	struct buf_view parts[] = {{value->bytes, DIGEST_SIZE}, {d.bytes, DIGEST_SIZE}};

	if (m->has_pcr && m->pcr >= MEASURELOG_N_PCRS)
		abort();
	if (!m->is_made)
		return;
	if (!m->has_pcr || m->kind == MEASURELOG_OTHER || m->kind == MEASURELOG_VOLUME_KEY ||
	    !m->text[0] || strchr(m->text, '\n') ||
	    digest_sha256(m->text, strlen(m->text), &d) < 0 || !digest_equal(&d, &m->digest))
		abort();
	if (m->pcr == 15 && digest_sha256_parts(parts, 2, value) < 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct digest zero;
	struct digest value = zero;
	struct measurelog_record record;
	struct measurelog m;
	struct why why;
	bool all = true;

	if (measurelog_open(data, size, &m, &why) < 0)
		return 0;
	while (measurelog_next(&m, &record, &why) > 0) {
		check(&record, &value);
		all = all && (!record.has_pcr || record.pcr != 15 || record.is_made);
	}
	if (all && measurelog_leads(data, size, 15, &zero, &value, &why) != 1)
		abort();
	return 0;
}
