/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loader_marks.h: marks of inodes in the kernel's map, for those who watch files and for the guard, who may mean the same inode; sees libbpf,
 * for loader alone. In: descriptors. Out: the map.
 */
#ifndef PLUMB_LOADER_MARKS_H
#define PLUMB_LOADER_MARKS_H

#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stdint.h>

/* A watched file is marked that somebody may have open for writing untold; had: the mark that it has had. */
bool loader_marks_are_late(uint32_t had, uint32_t mark);
/* As loader_mark(). */
int loader_marks_set(const struct bpf_map *inodes, int fd, uint32_t mark);
uint64_t loader_marks_sum(const struct bpf_map *failures, uint32_t n_cpus);	/* of a per-CPU count; 0 when it cannot be read */

#endif
