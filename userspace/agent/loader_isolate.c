/* SPDX-License-Identifier: Apache-2.0 */
#include "loader_isolate.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

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

/* What is on the list stays there for every exec meanwhile. */
static int prune(const struct bpf_map *map, size_t round_at, uint32_t round)
{
	const size_t size = bpf_map__key_size(map);
	struct plumb_isolate_version value;
	uint8_t key[32], next[32] = {0};
	uint32_t has;
	int r = bpf_map__get_next_key(map, NULL, key, size);

	while (r == 0) {
		/* First, since one that is gone has none after it. */
		r = bpf_map__get_next_key(map, key, next, size);
		if (bpf_map__lookup_elem(map, key, size, &value, bpf_map__value_size(map), 0) ==
		    0) {
			memcpy(&has, (const uint8_t *)&value + round_at, sizeof(has));
			if (has != round)
				(void)bpf_map__delete_elem(map, key, size, 0);
		}
		memcpy(key, next, size);
	}
	return r == -ENOENT ? 0 : r;
}

int loader_isolate_change(struct plumb *skel, const struct loader_isolate_change *c)
{
	struct plumb_isolate_version version = c->version;

	version.round = c->round;
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
		return bpf_map__update_elem(skel->maps.isolate_digests, c->digest, 32, &c->round,
					    sizeof(c->round), BPF_ANY);
	case LOADER_ISOLATE_FILE:
		return bpf_map__update_elem(skel->maps.isolate_files, &c->file, sizeof(c->file),
					    &version, sizeof(version), BPF_ANY);
	case LOADER_ISOLATE_PRUNE_DIGESTS:
		return prune(skel->maps.isolate_digests, 0, c->round);
	case LOADER_ISOLATE_PRUNE_FILES:
		return prune(skel->maps.isolate_files,
			     offsetof(struct plumb_isolate_version, round), c->round);
	}
	return -EINVAL;
}
