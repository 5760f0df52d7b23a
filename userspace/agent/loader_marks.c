/* SPDX-License-Identifier: Apache-2.0 */
#include "loader_marks.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>

#include "cleanup.h"
#include "plumb/event.h"

bool loader_marks_are_late(uint32_t had, uint32_t mark)
{
	return mark & PLUMB_MARK_FILE && (!(had & PLUMB_MARK_FILE) || had & PLUMB_MARK_WRITTEN);
}

int loader_marks_set(const struct bpf_map *inodes, int fd, uint32_t mark)
{
	struct plumb_inode value = {.mark = 0};
	int r, map = bpf_map__fd(inodes), late = 0;
	/* A mark of the guard leaves that of the watch as it is, and the other way round. */
	uint32_t other = mark & ~PLUMB_MARK_WATCHED ? PLUMB_MARK_WATCHED : ~PLUMB_MARK_WATCHED;

	if (map < 0)
		return -ENOTSUP;
	if (bpf_map_lookup_elem(map, &fd, &value) < 0)
		value.mark = 0;
	late = loader_marks_are_late(value.mark, mark);
	mark |= value.mark & other;
	value = (struct plumb_inode){.mark = mark};
	r = mark ? bpf_map_update_elem(map, &fd, &value, BPF_ANY) : bpf_map_delete_elem(map, &fd);
	return r < 0 ? -errno : late;
}

uint64_t loader_marks_sum(const struct bpf_map *failures, uint32_t n_cpus)
{
	CLEANUP_FREE uint64_t *n = calloc(n_cpus, sizeof(*n));
	uint32_t zero = 0;
	uint64_t sum = 0;

	if (!n ||
	    bpf_map__lookup_elem(failures, &zero, sizeof(zero), n, n_cpus * sizeof(*n), 0) < 0)
		return 0;
	for (uint32_t i = 0; i < n_cpus; i++)
		sum += n[i];
	return sum;
}
