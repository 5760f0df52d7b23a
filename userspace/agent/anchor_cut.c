/* SPDX-License-Identifier: Apache-2.0 */
#include "anchor_cut.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "ledger_dir.h"

#define MAX_FILE (256u << 20)

struct place {
	uint32_t reset, restart;
	struct digest value;
};

/* false: the record leaves the register as it was. */
static bool apply(struct place *p, const struct ledger_anchor *a)
{
	switch (a->kind) {
	case LEDGER_ANCHOR_EPOCH:
		*p = (struct place){a->epoch.reset_count, a->epoch.restart_count, a->epoch.found};
		return true;
	case LEDGER_ANCHOR_DONE:
		p->value = a->done.pcr;
		return true;
	case LEDGER_ANCHOR_FOREIGN:
		p->value = a->foreign.found;
		return true;
	default:
		return false;
	}
}

static int find_cut(struct buf_reader *b, const struct evidence_nonce *base, size_t *cut)
{
	struct place p = {0};
	struct ledger_anchor a;
	struct why why;
	int r;

	while ((r = ledger_dir_anchor_read(b, &a, &why)) == 1)
		if (apply(&p, &a) && base->has_base && p.reset == base->base_reset &&
		    p.restart == base->base_restart && digest_equal(&p.value, &base->base_pcr))
			*cut = b->at;
	return r;
}

int anchor_cut_read(const struct fsio *io, const char *ledger_dir,
		    const struct evidence_nonce *base, struct buf *ret)
{
	CLEANUP(buf_done) struct buf file = {0};
	const size_t magic = strlen(LEDGER_ANCHORS_MAGIC);
	char path[PATH_MAX];
	struct buf_reader b;
	size_t cut = magic;
	int r;

	if (snprintf(path, sizeof(path), "%s/anchors", ledger_dir) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	r = fsio_read_file(io, path, MAX_FILE, &file);
	if (r < 0)
		return r;
	if (file.size < magic)
		return -EBADMSG;
	b = buf_reader_of(file.data, file.size);
	b.at = magic;
	r = find_cut(&b, base, &cut);
	if (r < 0)
		return r;
	buf_put(ret, file.data + cut, file.size - cut);
	return buf_status(ret);
}
