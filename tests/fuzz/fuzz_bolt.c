/* SPDX-License-Identifier: Apache-2.0 */
/* A database of somebody else's, looked into as containerd_state does. */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bolt.h"
#include "bolt_maker.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const keys[] = {"v1", "k8s.io", "containers", "1", "image"};
	uint8_t meta[BOLT_MAKER_PAGE] = {0};
	struct bolt *b = NULL;
	struct buf v = {0};
	int fd = memfd_create("bolt", MFD_CLOEXEC);

	/* Pages alone, behind a good meta page: its checksum would keep the fuzzer out. */
	bolt_maker_meta(meta, 2, size / BOLT_MAKER_PAGE + 3, 8);
	if (fd < 0 || pwrite(fd, meta, sizeof(meta), 0) != sizeof(meta) ||
	    pwrite(fd, data, size, 2 * BOLT_MAKER_PAGE) != (ssize_t)size ||
	    ftruncate(fd, (off_t)(size + 4 * BOLT_MAKER_PAGE)) < 0)
		abort();
	if (bolt_open(fd, &b) == 0 && bolt_get(b, keys, 5, &v) == 0 && v.size > BOLT_MAX_VALUE)
		abort();
	bolt_free(b);
	buf_done(&v);
	close(fd);
	return 0;
}
