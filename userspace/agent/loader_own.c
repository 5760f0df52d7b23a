/* SPDX-License-Identifier: Apache-2.0 */
#include "loader_own.h"

#include <bpf/bpf.h>
#include <string.h>

#include "log.h"
#include "plumb/event.h"

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

static uint32_t map_id(const struct bpf_map *map)
{
	struct bpf_map_info info = {.id = 0};
	uint32_t size = sizeof(info);
	int fd = bpf_map__fd(map);

	return fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size) < 0 ? 0 : info.id;
}

int loader_own_put(const struct bpf_map *guard_own, uint32_t type, uint64_t id)
{
	const struct plumb_guard_own key = {.type = type, .id = id};
	const uint32_t yes = 1;

	return bpf_map__update_elem(guard_own, &key, sizeof(key), &yes, sizeof(yes), BPF_ANY);
}

void loader_own_move(const struct bpf_map *guard_own, const struct bpf_link *link, uint32_t *id)
{
	const struct plumb_guard_own before = {.type = PLUMB_GUARD_OWN_LINK, .id = *id};
	int r;

	if (*id)
		bpf_map__delete_elem(guard_own, &before, sizeof(before), 0);
	*id = loader_own_link(link);
	r = *id ? loader_own_put(guard_own, PLUMB_GUARD_OWN_LINK, *id) : 0;
	if (r < 0)
		log_warning("link=%u guard=unmarked error=\"%s\"", *id, strerror(-r));
}

int loader_own_guard(const struct bpf_map *guard_own, const struct bpf_object *obj,
		     struct bpf_link *const *links, uint32_t n_links, struct why *ret_why)
{
	struct claims_bpf_own own = {.n_progs = 0};
	struct bpf_map *map;
	int r = 0;

	loader_own_programs(obj, &own);
	for (uint32_t i = 0; r >= 0 && i < own.n_progs; i++)
		r = loader_own_put(guard_own, PLUMB_GUARD_OWN_PROG, own.progs[i]);
	for (uint32_t i = 0; r >= 0 && i < n_links; i++)
		if (loader_own_link(links[i]))
			r = loader_own_put(guard_own, PLUMB_GUARD_OWN_LINK,
					   loader_own_link(links[i]));
	bpf_object__for_each_map(map, obj)
	{
		if (r >= 0 && map_id(map))
			r = loader_own_put(guard_own, PLUMB_GUARD_OWN_MAP, map_id(map));
	}
	return r < 0 ? why_set(ret_why, r, "the guard's own: %s", strerror(-r)) : 0;
}
