/* SPDX-License-Identifier: Apache-2.0 */
#include "loader_isolate.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>

#include "plumb.skel.h"

void loader_isolate_size(struct plumb *skel, bool wanted)
{
	skel->rodata->plumb_may_isolate = wanted;
	bpf_map__set_max_entries(skel->maps.isolate_digests,
				 wanted ? LOADER_ISOLATE_MAX_DIGESTS : 1);
	bpf_map__set_max_entries(skel->maps.isolate_files, wanted ? LOADER_ISOLATE_MAX_FILES : 1);
}

static void set(struct plumb *skel, bool on)
{
	__atomic_store_n(&skel->bss->plumb_isolated, on, __ATOMIC_SEQ_CST);
}

static void empty(const struct bpf_map *map)
{
	uint8_t key[32];

	while (bpf_map__get_next_key(map, NULL, key, bpf_map__key_size(map)) == 0 &&
	       bpf_map__delete_elem(map, key, bpf_map__key_size(map), 0) == 0)
		;
}

int loader_isolate_change(struct plumb *skel, const struct loader_isolate_change *c)
{
	uint32_t one = 1;

	switch (c->what) {
	case LOADER_ISOLATE_ON:
		set(skel, true);
		return 0;
	case LOADER_ISOLATE_OFF:
		set(skel, false);
		empty(skel->maps.isolate_digests);
		empty(skel->maps.isolate_files);
		return 0;
	case LOADER_ISOLATE_DIGEST:
		return bpf_map__update_elem(skel->maps.isolate_digests, c->digest, 32, &one,
					    sizeof(one), BPF_ANY);
	case LOADER_ISOLATE_FILE:
		return bpf_map__update_elem(skel->maps.isolate_files, &c->file, sizeof(c->file),
					    &c->version, sizeof(c->version), BPF_ANY);
	}
	return -EINVAL;
}
