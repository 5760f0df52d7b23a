/* SPDX-License-Identifier: Apache-2.0 */
/* test_loader_own.c: a program that comes and goes takes one place among what the guard takes for the agent's own. Skipped where none can be loaded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "loader_own.h"
#include "plumb.skel.h"
#include "plumb/event.h"

static struct plumb *load(void)
{
	struct plumb *skel = plumb__open();
	struct bpf_program *prog;

	if (!skel)
		return NULL;
	bpf_object__for_each_program(prog, skel->obj)
		bpf_program__set_autoload(prog, prog == skel->progs.plumb_fork);
	if (plumb__load(skel) == 0)
		return skel;
	plumb__destroy(skel);
	return NULL;
}

static uint32_t count(const struct bpf_map *map)
{
	struct plumb_guard_own key;
	uint32_t n = 0;

	for (const void *at = NULL; bpf_map__get_next_key(map, at, &key, sizeof(key)) == 0; n++)
		at = &key;
	return n;
}

static void test_comes_and_goes(void **state)
{
	struct plumb *skel = load();
	struct bpf_map *map;
	struct bpf_link *link;
	uint32_t id = 0;

	(void)state;
	if (!skel)
		skip();
	map = skel->maps.guard_own;
	for (uint32_t i = 0; i < bpf_map__max_entries(map) + 8; i++) {
		const struct plumb_guard_own key = {.type = PLUMB_GUARD_OWN_LINK};
		struct plumb_guard_own now = key;
		uint32_t yes = 0;

		link = bpf_program__attach(skel->progs.plumb_fork);
		if (!link && i == 0) {
			plumb__destroy(skel);
			skip();
		}
		assert_non_null(link);
		loader_own_move(map, link, &id);
		assert_int_not_equal(id, 0);
		now.id = id;
		assert_int_equal(bpf_map__lookup_elem(map, &now, sizeof(now), &yes, sizeof(yes), 0),
				 0);
		assert_int_equal(count(map), 1);
		bpf_link__destroy(link);
		loader_own_move(map, NULL, &id);
		assert_int_equal(id, 0);
		assert_int_equal(count(map), 0);
	}
	plumb__destroy(skel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_comes_and_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
