/* SPDX-License-Identifier: Apache-2.0 */
#include "loader_own.h"

#include <bpf/bpf.h>

static uint32_t program_id(int fd)
{
	struct bpf_prog_info info = {.id = 0};
	uint32_t size = sizeof(info);

	return fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size) < 0 ? 0 : info.id;
}

uint32_t loader_own_link(const struct bpf_link *link)
{
	struct bpf_link_info info = {.id = 0};
	uint32_t size = sizeof(info);
	int fd = link ? bpf_link__fd(link) : -1;

	return fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size) < 0 || info.prog_id == 0
		       ? 0
		       : info.id;
}

void loader_own_programs(const struct bpf_object *obj, struct claims_bpf_own *ret)
{
	struct bpf_program *prog;

	bpf_object__for_each_program(prog, obj)
	{
		uint32_t id = program_id(bpf_program__fd(prog));

		if (id && ret->n_progs < CLAIMS_BPF_MAX_OWN)
			ret->progs[ret->n_progs++] = id;
	}
}

int loader_own_maps(const struct bpf_object *obj, int (*put)(void *ctx, uint32_t id), void *ctx)
{
	struct bpf_map *map;
	int r = 0;

	bpf_object__for_each_map(map, obj)
	{
		struct bpf_map_info info = {.id = 0};
		uint32_t size = sizeof(info);
		int fd = bpf_map__fd(map);

		if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size) < 0 || info.id == 0)
			continue;
		r = put(ctx, info.id);
		if (r < 0)
			break;
	}
	return r;
}
