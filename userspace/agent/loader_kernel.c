/* SPDX-License-Identifier: Apache-2.0 */
#include "loader_kernel.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "log.h"
#include "plumb/event.h"

#define ATOMIC 0xc0 /* BPF_ATOMIC; older headers call it BPF_XADD */
#define FETCH_ADD 0x01 /* BPF_ADD | BPF_FETCH */
#define LSM_LIST "/sys/kernel/security/lsm"

/* libbpf's own chatter is for whoever debugs the kernel programs. */
int loader_kernel_print(enum libbpf_print_level level, const char *format, va_list args)
{
	char text[512];

	if (level == LIBBPF_DEBUG) /* every relocation: thousands of lines */
		return 0;
	vsnprintf(text, sizeof(text), format, args);
	text[strcspn(text, "\n")] = '\0';
	log_debug("libbpf text=\"%s\"", text);
	return 0;
}

static int lsm_function(const struct btf *btf, const char *section)
{
	const char *hook = strchr(section, '/');
	char name[128];

	if (strncmp(section, "lsm", 3) != 0 || !hook)
		return -ENOENT;
	snprintf(name, sizeof(name), "bpf_lsm_%s", hook + 1);
	return btf__find_by_name_kind(btf, name, BTF_KIND_FUNC);
}

bool loader_kernel_has_hook(const struct btf *btf, const char *section)
{
	char name[128];

	if (strncmp(section, "lsm", 3) == 0)
		return lsm_function(btf, section) > 0;
	if (strncmp(section, "tp_btf/", 7) == 0) {
		snprintf(name, sizeof(name), "btf_trace_%s", section + 7);
		return btf__find_by_name_kind(btf, name, BTF_KIND_TYPEDEF) > 0;
	}
	return true;
}

bool loader_kernel_hook_is_old(const struct btf *btf, const char *section)
{
	int id = lsm_function(btf, section);
	const struct btf_type *t = id > 0 ? btf__type_by_id(btf, (__u32)id) : NULL;

	t = t ? btf__type_by_id(btf, t->type) : NULL;
	if (!t || !btf_is_func_proto(t) || btf_vlen(t) == 0)
		return false;
	t = btf__type_by_id(btf, btf_params(t)[0].type);
	while (t && (btf_is_ptr(t) || btf_is_mod(t)))
		t = btf__type_by_id(btf, t->type);
	return t && btf_is_struct(t) &&
	       strcmp(btf__name_by_offset(btf, t->name_off), "dentry") == 0;
}

bool loader_kernel_lists_bpf(void)
{
	CLEANUP_FREE char *line = NULL;
	FILE *f = fopen(LSM_LIST, "re");
	bool listed = true; /* who cannot look says nothing */
	size_t room = 0;

	if (f && getline(&line, &room, f) > 0)
		listed = strstr(line, "bpf") != NULL;
	if (f)
		fclose(f);
	return listed;
}

/*
 * Does the kernel know the atomic add that gives back the old value? Where it does not, the programs' own (bpf/maps.bpf.h) is made the
 * plain one, which is the same instruction without a flag.
 */
bool loader_kernel_fetch_add(void)
{
	const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1},
		{.code = BPF_STX | BPF_MEM | BPF_DW,
		 .dst_reg = BPF_REG_10,
		 .src_reg = BPF_REG_0,
		 .off = -8},
		{.code = BPF_STX | ATOMIC | BPF_DW,
		 .dst_reg = BPF_REG_10,
		 .src_reg = BPF_REG_0,
		 .off = -8,
		 .imm = FETCH_ADD},
		{.code = BPF_JMP | BPF_EXIT},
	};
	CLEANUP_CLOSE int fd = bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, "plumb_try", "GPL", insns,
					     ARRAY_SIZE(insns), NULL);

	return fd >= 0;
}

void loader_kernel_make_plain(struct bpf_program *prog)
{
	struct bpf_insn *insns = (struct bpf_insn *)(uintptr_t)bpf_program__insns(prog);

	for (size_t i = 0; i < bpf_program__insn_cnt(prog); i++) {
		if (insns[i].code == (BPF_STX | ATOMIC | BPF_DW) && insns[i].imm == FETCH_ADD)
			insns[i].imm = BPF_ADD;
	}
}

/* Of the first cgroup v2 that is mounted; whoever is in no group of it is in its root. */
static int open_cgroup(void)
{
	CLEANUP_FREE char *line = NULL;
	FILE *f = fopen("/proc/self/mounts", "re");
	size_t room = 0;
	int fd = -1;

	errno = ENOENT;
	while (f && fd < 0 && getline(&line, &room, f) > 0) {
		char *point = strchr(line, ' '), *type = point ? strchr(point + 1, ' ') : NULL;

		if (!type || strncmp(type, " cgroup2 ", 9) != 0)
			continue;
		*type = '\0';
		fd = open(point + 1, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (f)
		fclose(f);
	return fd;
}

struct bpf_link *loader_kernel_attach(struct bpf_program *prog)
{
	CLEANUP_CLOSE int cgroup = -1;

	if (strncmp(bpf_program__section_name(prog), "cgroup/", 7) != 0)
		return bpf_program__attach(prog);
	cgroup = open_cgroup();
	return cgroup < 0 ? NULL : bpf_program__attach_cgroup(prog, cgroup);
}

/* The verifier's last words that say something: the line before its statistics, else the name of the error. */
void loader_kernel_why(int error, const char *log, char *ret, size_t size)
{
	const char *best = NULL;

	for (const char *at = log; *at;) {
		size_t n = strcspn(at, "\n");

		if (n > 0 && strncmp(at, "processed ", 10) != 0 && *at != '-' && *at != ';')
			best = at;
		at += n + (at[n] == '\n');
	}
	if (best && error != EPERM)
		snprintf(ret, size, "%s: %.*s", strerrorname_np(error), (int)strcspn(best, "\n"),
			 best);
	else
		snprintf(ret, size, "%s",
			 error == ESRCH ? "this kernel has no such hook" : strerror(error));
}

void loader_kernel_letters(const char *const *names, uint32_t n, uint32_t ret[32])
{
	memset(ret, 0, 32 * sizeof(*ret));
	for (uint32_t i = 0; i < n; i++)
		if (names[i][0])
			ret[names[i][0] & 31] |= 1u << (names[i][1] & 31);
	if (n > 0)
		ret['l' & 31] |= 1u << ('d' & 31); /* ld.so, which runs any of them */
}

static int put_interpreter(struct bpf_map *map, const char *name, uint32_t how, struct why *ret_why)
{
	char key[PLUMB_CODE_NAME] = "";

	if (strlen(name) >= sizeof(key))
		return why_set(ret_why, -E2BIG, "interpreter \"%s\": longer than %zu bytes", name,
			       sizeof(key) - 1);
	memcpy(key, name, strlen(name));
	if (bpf_map__update_elem(map, key, sizeof(key), &how, sizeof(how), BPF_ANY) < 0)
		return why_set(ret_why, -errno, "interpreter \"%s\": %s", name, strerror(errno));
	return 0;
}

int loader_kernel_interpreters(struct bpf_map *map, const char *const *names, uint32_t n,
			       struct why *ret_why)
{
	/* Up to the first digit, and as much as the kernel programs compare. */
	static const char *const loaders[] = {
		"ld-",	     "ld-linux.so.", "ld-linux-x",   "ld-linux-aarch",
		"ld-musl-i", "ld-musl-x",    "ld-musl-aarch"};
	int r = 0;

	for (uint32_t i = 0; r >= 0 && i < n; i++)
		r = put_interpreter(map, names[i], strcmp(names[i], "busybox") == 0, ret_why);
	for (size_t i = 0; r >= 0 && n > 0 && i < ARRAY_SIZE(loaders); i++)
		r = put_interpreter(map, loaders[i], 2, ret_why);
	return r;
}

const char *loader_kernel_type_name(uint32_t type, bool attach)
{
	return attach ? libbpf_bpf_attach_type_str((enum bpf_attach_type)type)
		      : libbpf_bpf_prog_type_str((enum bpf_prog_type)type);
}
