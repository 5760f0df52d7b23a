/* SPDX-License-Identifier: Apache-2.0 */
/* A layer, from whoever made it, read twice as two layers: whatever is in it, each path that comes out is found again. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive_reader.h"
#include "image_tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int find_again(void *ctx, const char *path, const struct image_tree_file *f)
{
	struct image_tree_file again;

	if (path[0] != '/' || strstr(path, "/../") || image_tree_find(ctx, path, 0, &again) != 0 ||
	    again.mode != f->mode)
		abort();
	return 0;
}

static void add_layer(struct image_tree *t, int fd)
{
	struct digest zero = {{0}};
	struct archive_reader *r = NULL;
	struct archive_reader_entry e;
	struct why why;
	int n = 0;

	image_tree_layer(t);
	if (lseek(fd, 0, SEEK_SET) < 0 || archive_reader_open(fd, ARCHIVE_READER_TAR, &r, &why) < 0)
		return;
	while (n++ < 1000 && archive_reader_next(r, &e, &why) > 0)
		if (image_tree_add(t, &e, &zero, &why) < 0 && !why.text[0])
			abort();
	archive_reader_free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct image_tree *t = NULL;
	int fd = memfd_create("layer", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size || image_tree_open(&t) < 0)
		abort();
	add_layer(t, fd);
	add_layer(t, fd);
	image_tree_each(t, "/", 0, find_again, t);
	image_tree_free(t);
	close(fd);
	return 0;
}
