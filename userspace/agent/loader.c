/* SPDX-License-Identifier: Apache-2.0 */
#include "loader.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cleanup.h"
#include "log.h"
#include "plumb.skel.h"

#define LOADER_MAX_PROGRAMS 64
#define LOADER_LOG_SIZE 65536
#define LOADER_BTF "/sys/kernel/btf/vmlinux"

struct loader {
	struct plumb *skel;
	struct ring_buffer *ring;
	struct bpf_link *links[LOADER_MAX_PROGRAMS];
	struct loader_program programs[LOADER_MAX_PROGRAMS];
	bool denying
		[LOADER_MAX_PROGRAMS]; /* an LSM program: what makes the tier more than "observe" */
	uint32_t n_programs;
	uint32_t n_cpus;
	uint64_t ksess;
	struct loader_options options;
};

/* libbpf's own chatter is for whoever debugs the kernel programs. */
__attribute__((format(printf, 2, 0))) static int print_debug(enum libbpf_print_level level,
							     const char *format, va_list args)
{
	char text[512];

	if (level == LIBBPF_DEBUG) /* every relocation: thousands of lines */
		return 0;
	vsnprintf(text, sizeof(text), format, args);
	text[strcspn(text, "\n")] = '\0';
	log_debug("libbpf text=\"%s\"", text);
	return 0;
}

static bool wanted(const struct loader_options *o, const char *name)
{
	return !o->only || strncmp(name, o->only, strlen(o->only)) == 0;
}

/* The verifier's last words that say something: the line before its statistics, else the name of the error. */
static void absent_because(struct loader_program *p, int error, const char *log)
{
	const char *best = NULL;

	for (const char *at = log; *at;) {
		size_t n = strcspn(at, "\n");

		if (n > 0 && strncmp(at, "processed ", 10) != 0 && *at != '-' && *at != ';')
			best = at;
		at += n + (at[n] == '\n');
	}
	if (best && error != EPERM)
		snprintf(p->absent_why, sizeof(p->absent_why), "%s: %.*s", strerrorname_np(error),
			 (int)strcspn(best, "\n"), best);
	else
		snprintf(p->absent_why, sizeof(p->absent_why), "%s",
			 error == ESRCH ? "this kernel has no such hook" : strerror(error));
}

/* Tries one program alone: one that the kernel refuses would fail the whole object. 0 or -errno. */
static int try_program(const char *name, struct loader_program *p)
{
	CLEANUP_FREE char *log = calloc(1, LOADER_LOG_SIZE);
	struct bpf_program *prog;
	struct plumb *skel;
	int r;

	if (!log)
		return -ENOMEM;
	skel = plumb__open();
	if (!skel)
		return -errno;
	bpf_object__for_each_program(prog, skel->obj)
	{
		bool this_one = strcmp(bpf_program__name(prog), name) == 0;

		bpf_program__set_autoload(prog, this_one);
		if (this_one)
			bpf_program__set_log_buf(prog, log, LOADER_LOG_SIZE);
	}
	r = plumb__load(skel);
	plumb__destroy(skel);
	log[LOADER_LOG_SIZE - 1] = '\0';
	if (r < 0)
		absent_because(p, -r, log);
	return r;
}

static int probe_all(struct loader *l, struct why *ret_why)
{
	struct bpf_program *prog;
	uint32_t survivors = 0;
	int first = 0;

	bpf_object__for_each_program(prog, l->skel->obj)
	{
		const char *name = bpf_program__name(prog);
		struct loader_program *p;
		int r;

		if (!wanted(&l->options, name) || l->n_programs == LOADER_MAX_PROGRAMS) {
			bpf_program__set_autoload(prog, false);
			continue;
		}
		p = &l->programs[l->n_programs];
		p->name = name;
		l->denying[l->n_programs] = strncmp(bpf_program__section_name(prog), "lsm", 3) == 0;
		r = try_program(name, p);
		bpf_program__set_autoload(prog, r >= 0);
		if (r >= 0)
			survivors++;
		else if (!first)
			first = r;
		l->n_programs++;
	}
	if (survivors > 0)
		return 0;
	if (l->n_programs == 0)
		return why_set(ret_why, -ENOENT, "no kernel program is asked for");
	return why_set(ret_why, first == -EPERM ? -EPERM : -ENOENT,
		       "the kernel takes none of the programs: %s: %s", l->programs[0].name,
		       l->programs[0].absent_why);
}

static int attach_all(struct loader *l, struct why *ret_why)
{
	struct bpf_program *prog;
	uint32_t attached = 0;

	bpf_object__for_each_program(prog, l->skel->obj)
	{
		for (uint32_t i = 0; i < l->n_programs; i++) {
			struct loader_program *p = &l->programs[i];

			if (p->absent_why[0] != '\0' ||
			    strcmp(p->name, bpf_program__name(prog)) != 0)
				continue;
			l->links[i] = bpf_program__attach(prog);
			p->attached = l->links[i] != NULL;
			if (p->attached)
				attached++;
			else
				snprintf(p->absent_why, sizeof(p->absent_why), "attach: %s",
					 strerror(errno));
		}
	}
	if (attached == 0)
		return why_set(ret_why, -ENOENT, "no kernel program could be attached: %s: %s",
			       l->programs[0].name, l->programs[0].absent_why);
	return 0;
}

static int on_sample(void *ctx, void *data, size_t size)
{
	struct loader *l = ctx;

	return l->options.record(l->options.ctx, data, size);
}

static int loader_start(struct loader *l, struct why *ret_why)
{
	int r;

	l->skel = plumb__open();
	if (!l->skel)
		return why_set(ret_why, -errno, "kernel programs cannot be opened: %s",
			       strerror(errno));
	r = probe_all(l, ret_why);
	if (r < 0)
		return r;
	if (RAND_bytes((unsigned char *)&l->ksess, sizeof(l->ksess)) != 1)
		return why_set(ret_why, -EIO, "no random number for the session");
	l->skel->rodata->plumb_ksess = l->ksess;
	r = plumb__load(l->skel);
	if (r < 0)
		return why_set(ret_why, r, "kernel programs cannot be loaded together: %s",
			       strerror(-r));
	/* The reader first: nothing that fires right after the attachment finds a ring without one. */
	l->ring = ring_buffer__new(bpf_map__fd(l->skel->maps.ring), on_sample, l, NULL);
	if (!l->ring)
		return why_set(ret_why, -errno, "ring buffer: %s", strerror(errno));
	return attach_all(l, ret_why);
}

int loader_open(const struct loader_options *o, struct loader **ret, struct why *ret_why)
{
	struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
	struct loader *l;
	int r;

	if (access(LOADER_BTF, R_OK) < 0)
		return why_set(ret_why, -ENOTSUP, "%s: %s: the kernel must have BTF", LOADER_BTF,
			       strerror(errno));
	libbpf_set_print(print_debug);
	/* Kernels before 5.11 charge maps to it. Failing is told by the load itself. */
	(void)setrlimit(RLIMIT_MEMLOCK, &unlimited);
	r = libbpf_num_possible_cpus();
	if (r < 1)
		return why_set(ret_why, -EIO, "number of CPUs is unknown");
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->options = *o;
	l->n_cpus = (uint32_t)r;
	r = loader_start(l, ret_why);
	if (r < 0) {
		loader_free(l);
		return r;
	}
	*ret = l;
	return 0;
}

struct loader *loader_free(struct loader *l)
{
	if (!l)
		return NULL;
	for (uint32_t i = 0; i < l->n_programs; i++)
		bpf_link__destroy(l->links[i]);
	ring_buffer__free(l->ring);
	plumb__destroy(l->skel);
	free(l);
	return NULL;
}

int loader_fd(const struct loader *l)
{
	return ring_buffer__epoll_fd(l->ring);
}

int loader_consume(struct loader *l)
{
	return ring_buffer__consume(l->ring);
}

uint64_t loader_ksess(const struct loader *l)
{
	return l->ksess;
}

const char *loader_tier(const struct loader *l)
{
	uint32_t denying = 0, denying_attached = 0, observing = 0;

	for (uint32_t i = 0; i < l->n_programs; i++) {
		denying += l->denying[i];
		denying_attached += l->denying[i] && l->programs[i].attached;
		observing +=
			strcmp(l->programs[i].name, "plumb_exec") == 0 && l->programs[i].attached;
	}
	if (observing == 0)
		return "none";
	if (denying_attached == 0)
		return "observe";
	return denying_attached == denying ? "full" : "reduced";
}

uint32_t loader_n_programs(const struct loader *l)
{
	return l->n_programs;
}

const struct loader_program *loader_program_at(const struct loader *l, uint32_t i)
{
	return i < l->n_programs ? &l->programs[i] : NULL;
}

static uint32_t id_of(int fd, bool is_link)
{
	struct bpf_prog_info prog = {.id = 0};
	struct bpf_link_info link = {.id = 0};
	uint32_t size = is_link ? sizeof(link) : sizeof(prog);

	if (fd < 0 ||
	    bpf_obj_get_info_by_fd(fd, is_link ? (void *)&link : (void *)&prog, &size) < 0)
		return 0;
	return is_link ? link.id : prog.id;
}

/* One whose number cannot be had is not called ours: it is then told as somebody's. */
void loader_own(const struct loader *l, struct claims_bpf_own *ret)
{
	struct bpf_program *prog;

	*ret = (struct claims_bpf_own){.n_progs = 0};
	bpf_object__for_each_program(prog, l->skel->obj)
	{
		uint32_t id = id_of(bpf_program__fd(prog), false);

		if (id && ret->n_progs < CLAIMS_BPF_MAX_OWN)
			ret->progs[ret->n_progs++] = id;
	}
	for (uint32_t i = 0; i < l->n_programs; i++) {
		uint32_t id = l->links[i] ? id_of(bpf_link__fd(l->links[i]), true) : 0;

		if (id && ret->n_links < CLAIMS_BPF_MAX_OWN)
			ret->links[ret->n_links++] = id;
	}
}

uint32_t loader_n_cpus(const struct loader *l)
{
	return l->n_cpus;
}

int loader_counters(const struct loader *l, struct plumb_counters *ret, uint32_t n)
{
	uint32_t zero = 0;

	if (n != l->n_cpus)
		return -EINVAL;
	/* sizeof(struct plumb_counters) is a multiple of 8, so the per-CPU values lie without gaps. */
	return bpf_map__lookup_elem(l->skel->maps.counters, &zero, sizeof(zero), ret,
				    n * sizeof(*ret), 0);
}
