/* SPDX-License-Identifier: Apache-2.0 */
/* BPF programs and links of the running kernel: one that this test loads is found under a key without numbers; what is its own is counted only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "claims_bpf.h"

struct seen {
	char keys[1024][256], own[64], progs[64], links[64];
	uint32_t n;
};

static int put(void *ctx, const char *key, const char *value)
{
	struct seen *s = ctx;

	if (strcmp(key, "bpf:own") == 0)
		snprintf(s->own, sizeof(s->own), "%s", value);
	else if (strcmp(key, "bpf:progs") == 0)
		snprintf(s->progs, sizeof(s->progs), "%s", value);
	else if (strcmp(key, "bpf:links") == 0)
		snprintf(s->links, sizeof(s->links), "%s", value);
	else if (s->n < 1024)
		snprintf(s->keys[s->n++], sizeof(s->keys[0]), "%s=%s", key, value);
	return 1;
}

static uint32_t count(const struct seen *s, const char *begin)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->n; i++)
		n += strncmp(s->keys[i], begin, strlen(begin)) == 0;
	return n;
}

static struct seen *list(const struct claims_bpf_own *own)
{
	struct seen *s = calloc(1, sizeof(*s));
	const struct claims_source source = {.put = put, .ctx = s};
	struct claims_bpf *c;
	int r, told = 0;

	assert_int_equal(claims_bpf_open(&source, own, &c), 0);
	do
		r = claims_bpf_step(c, &told);
	while (r == 1);
	assert_int_equal(r, 0);
	assert_true(told >= 3);
	assert_int_equal(claims_bpf_is_whole(c),
			 strcmp(s->progs, "listed") == 0 && strcmp(s->links, "listed") == 0);
	claims_bpf_free(c);
	return s;
}

static uint32_t id_of(int fd)
{
	struct bpf_prog_info info = {.id = 0};
	uint32_t size = sizeof(info);

	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &size), 0);
	return info.id;
}

static int load(const char *name)
{
	const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 1},
		{.code = BPF_JMP | BPF_EXIT}};
	int fd;

	libbpf_set_print(NULL);
	fd = bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, name, "GPL", insns, 2, NULL);
	if (fd < 0)
		skip();
	return fd;
}

static void test_foreign(void **state)
{
	struct bpf_prog_info info = {.id = 0};
	uint32_t size = sizeof(info);
	char want[128];
	struct seen *s;
	int n, fd = load("plumb_foreign"), again = load("plumb_foreign");

	(void)state;
	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &size), 0);
	n = sprintf(want, "bpf:prog:socket_filter:plumb_foreign:");
	for (size_t i = 0; i < sizeof(info.tag); i++)
		n += sprintf(want + n, "%02x", info.tag[i]);
	strcpy(want + n, "=loaded");
	s = list(NULL);
	assert_string_equal(s->progs, "listed");
	assert_string_equal(s->own, "0 0");
	/* Two of a kind have one key. */
	assert_int_equal(count(s, "bpf:prog:socket_filter:plumb_foreign:"), 2);
	for (uint32_t i = 0; i < s->n; i++)
		if (strstr(s->keys[i], "plumb_foreign"))
			assert_string_equal(s->keys[i], want);
	free(s);
	close(fd);
	close(again);
	s = list(NULL);
	assert_int_equal(count(s, "bpf:prog:socket_filter:plumb_foreign:"), 0);
	free(s);
}

static void test_own(void **state)
{
	struct claims_bpf_own own = {.n_progs = 1};
	struct seen *s;
	int fd = load("plumb_own"), other = load("plumb_other");

	(void)state;
	own.progs[0] = id_of(fd);
	s = list(&own);
	assert_string_equal(s->own, "1 0");
	assert_int_equal(count(s, "bpf:prog:socket_filter:plumb_own:"), 0);
	assert_int_equal(count(s, "bpf:prog:socket_filter:plumb_other:"), 1);
	free(s);
	close(fd);
	close(other);
	/* What was ours and is gone is not counted: somebody took it away. */
	s = list(&own);
	assert_string_equal(s->own, "0 0");
	free(s);
}

/* Who may not look knows nothing: neither that there is none nor how many are ours. */
static void test_not_permitted(void **state)
{
	struct seen *s;

	(void)state;
	if (geteuid() != 0 || seteuid(65534) != 0)
		skip();
	s = list(NULL);
	assert_int_equal(seteuid(0), 0);
	assert_string_equal(s->progs, "unknown EPERM");
	assert_string_equal(s->links, "unknown EPERM");
	assert_memory_equal(s->own, "unknown ", 8);
	assert_int_equal(s->n, 0);
	free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_foreign),
		cmocka_unit_test(test_own),
		cmocka_unit_test(test_not_permitted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
