/* SPDX-License-Identifier: Apache-2.0 */
/* Anchors read through a window are what they are when all of them lie in memory. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ledger_anchors.h"
#include "mends.h"
#include "mutate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

size_t mutate_mend(uint8_t *data, size_t size, size_t max)
{
	(void)max;
	return mend_anchors(data, size, NULL);
}

static int count(void *ctx, const struct ledger_anchor *a, uint64_t end)
{
	(void)a;
	(void)end;
	++*(uint32_t *)ctx;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf_reader all = buf_reader_of(data, size);
	int fd = memfd_create("anchors", MFD_CLOEXEC), r, want;
	struct ledger_anchors_end end;
	uint32_t n = 0, n_all = 0;
	struct ledger_anchor a;
	struct why why;

	if (fd < 0 || fsio_write_all(fsio_system(), fd, data, size, 0) < 0)
		abort();
	(void)ledger_anchors_magic(fsio_system(), fd);
	r = ledger_anchors_walk(fsio_system(), fd, 0, count, &n, &end, &why);
	close(fd);
	while ((want = ledger_dir_anchor_read(&all, &a, &why)) == 1)
		n_all++;
	if (n != n_all || end.at != all.at || (want == -EBADMSG) != (r == -EBADMSG) ||
	    (r == 0 && end.size != size))
		abort();
	return 0;
}
