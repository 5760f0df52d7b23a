/* SPDX-License-Identifier: Apache-2.0 */
/* load.c: what the kernel takes for itself: modules in three ways, kexec in two, a BPF program. */
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/kexec.h>
#include <linux/module.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "deed.h"

#ifndef MODULE_INIT_COMPRESSED_FILE
#define MODULE_INIT_COMPRESSED_FILE 4 /* since 5.17 */
#endif

static int done(long r)
{
	return r < 0 ? -errno : 0;
}

static int finit(const char *path, int flags)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), r;

	if (fd < 0)
		return -errno;
	r = done(syscall(SYS_finit_module, fd, "", flags));
	close(fd);
	return r;
}

static int module_file(char **argv)
{
	return finit(argv[0], 0);
}

static int module_compressed(char **argv)
{
	return finit(argv[0], MODULE_INIT_COMPRESSED_FILE);
}

static int module_memory(char **argv)
{
	int fd = open(argv[0], O_RDONLY | O_CLOEXEC), r;
	struct stat st;
	void *image;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	image = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (image == MAP_FAILED)
		return -errno;
	r = done(syscall(SYS_init_module, image, (unsigned long)st.st_size, ""));
	munmap(image, (size_t)st.st_size);
	return r;
}

static int module_remove(char **argv)
{
	return done(syscall(SYS_delete_module, argv[0], O_NONBLOCK));
}

/* FILE NAME: there for a moment, on no list afterwards. */
static int module_flash(char **argv)
{
	int r = finit(argv[0], 0);

	return r < 0 ? r : done(syscall(SYS_delete_module, argv[1], 0));
}

/* The file is read before it is found to be no kernel: that is what is to be told. */
static int kexec_file(char **argv)
{
	int fd = open(argv[0], O_RDONLY | O_CLOEXEC), r;

	if (fd < 0)
		return -errno;
	r = done(syscall(SYS_kexec_file_load, fd, -1, 1UL, "", KEXEC_FILE_NO_INITRAMFS));
	close(fd);
	return r == -ENOEXEC ? 0 : r;
}

/* No segments: nothing is loaded, but the kernel asks whether it may. */
static int kexec_memory(char **argv)
{
	(void)argv;
	return done(syscall(SYS_kexec_load, 0UL, 0UL, NULL, KEXEC_ARCH_DEFAULT));
}

static int bpf_load(union bpf_attr *attr)
{
	static const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	static const char license[] = "GPL";
	const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};

	/* Kernels before 5.11 charge programs to it. */
	(void)setrlimit(RLIMIT_MEMLOCK, &unlimited);
	attr->insns = (uintptr_t)insns;
	attr->insn_cnt = 2;
	attr->license = (uintptr_t)license;
	memcpy(attr->prog_name, "deed", 5);
	return (int)syscall(SYS_bpf, BPF_PROG_LOAD, attr, sizeof(*attr));
}

static int bpf_program(char **argv)
{
	union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_SOCKET_FILTER};

	(void)argv;
	return done(bpf_load(&attr));
}

static int bpf_attach(char **argv)
{
	union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_RAW_TRACEPOINT}, open_it = {0};
	int fd = bpf_load(&attr);

	(void)argv;
	if (fd < 0)
		return -errno;
	open_it.raw_tracepoint.name = (uintptr_t) "sched_process_exit";
	open_it.raw_tracepoint.prog_fd = (uint32_t)fd;
	return done(syscall(SYS_bpf, BPF_RAW_TRACEPOINT_OPEN, &open_it, sizeof(open_it)));
}

/* CGROUP: a link is made with one program, and goes on with another. */
static int bpf_relink(char **argv)
{
	union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_CGROUP_SKB}, other = attr, make = {0},
		       change = {0};
	int first = bpf_load(&attr), second = bpf_load(&other),
	    cgroup = open(argv[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC), link;

	if (first < 0 || second < 0 || cgroup < 0)
		return -errno;
	make.link_create.prog_fd = (uint32_t)first;
	make.link_create.target_fd = (uint32_t)cgroup;
	make.link_create.attach_type = BPF_CGROUP_INET_EGRESS;
	link = (int)syscall(SYS_bpf, BPF_LINK_CREATE, &make, sizeof(make));
	if (link < 0)
		return -errno;
	change.link_update.link_fd = (uint32_t)link;
	change.link_update.new_prog_fd = (uint32_t)second;
	return done(syscall(SYS_bpf, BPF_LINK_UPDATE, &change, sizeof(change)));
}

/* No bpf(2) of the kind that attaches: a socket takes it. */
static int bpf_socket(char **argv)
{
	union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_SOCKET_FILTER};
	int fd = bpf_load(&attr), s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)argv;
	if (fd < 0 || s < 0)
		return -errno;
	return done(setsockopt(s, SOL_SOCKET, SO_ATTACH_BPF, &fd, sizeof(fd)));
}

int main(int argc, char **argv)
{
	static const struct deed deeds[] = {
		{"module_file", module_file, 1},     {"module_compressed", module_compressed, 1},
		{"module_memory", module_memory, 1}, {"module_remove", module_remove, 1},
		{"kexec_file", kexec_file, 1},	     {"kexec_memory", kexec_memory, 0},
		{"module_flash", module_flash, 2},   {"bpf_relink", bpf_relink, 1},
		{"bpf_socket", bpf_socket, 0},	     {"bpf_program", bpf_program, 0},
		{"bpf_attach", bpf_attach, 0},
	};

	return deed_main(deeds, sizeof(deeds) / sizeof(deeds[0]), argc, argv);
}
