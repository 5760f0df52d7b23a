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
#include "loader_isolate.h"
#include "loader_kernel.h"
#include "loader_marks.h"
#include "loader_own.h"
#include "loader_ring.h"
#include "log.h"
#include "plumb.skel.h"

#define LOADER_MAX_PROGRAMS 96
#define LOADER_LOG_SIZE 65536
#define LOADER_BTF "/sys/kernel/btf/vmlinux"

#define LOADER_MAX_SLOTS 128
#define LOADER_ON_DEMAND "plumb_file_permission"

/* One program of the object. Those of one name but for what stands behind "__" do the same in other ways: one of them is used. */
struct slot {
	char name[64]; /* objects come and go while they are tried */
	uint32_t program;
	bool lsm, use, refused;
	bool has_forms; /* there is a program of this name with "__old" behind it */
};

struct loader {
	struct plumb *skel;
	struct loader_ring *ring;
	struct slot slots[LOADER_MAX_SLOTS];
	uint32_t n_slots;
	struct bpf_link *links[LOADER_MAX_PROGRAMS];
	uint32_t link_ids[LOADER_MAX_PROGRAMS]; /* 0: not attached */
	struct loader_program programs[LOADER_MAX_PROGRAMS];
	uint32_t n_programs;
	uint32_t n_cpus;
	uint64_t ksess;
	bool fetch_add;
	struct loader_options options;
};

static struct loader_program *program_of(struct loader *l, const struct slot *s)
{
	return &l->programs[s->program];
}

static bool is_flavour(const char *name)
{
	return strstr(name, "__") != NULL;
}

static bool is_old(const char *name)
{
	const char *flavour = strstr(name, "__");

	return flavour && strcmp(flavour, "__old") == 0;
}

static int add_program(struct loader *l, const char *name)
{
	struct loader_program *p;
	size_t n = strstr(name, "__") ? (size_t)(strstr(name, "__") - name) : strlen(name);

	for (uint32_t i = 0; i < l->n_programs; i++)
		if (strncmp(l->programs[i].name, name, n) == 0 && !l->programs[i].name[n])
			return (int)i;
	p = &l->programs[l->n_programs];
	if (l->n_programs == LOADER_MAX_PROGRAMS || n >= sizeof(p->name))
		return -E2BIG;
	memcpy(p->name, name, n);
	return (int)l->n_programs++;
}

static int list_slots(struct loader *l, struct plumb *skel)
{
	struct bpf_program *prog;

	bpf_object__for_each_program(prog, skel->obj)
	{
		const char *name = bpf_program__name(prog);
		int r;

		if (l->options.only && strncmp(name, l->options.only, strlen(l->options.only)) != 0)
			continue;
		r = l->n_slots == LOADER_MAX_SLOTS ? -E2BIG : add_program(l, name);
		if (r < 0)
			return r;
		l->slots[l->n_slots] = (struct slot){
			.program = (uint32_t)r,
			.lsm = strncmp(bpf_program__section_name(prog), "lsm", 3) == 0,
		};
		if (snprintf(l->slots[l->n_slots].name, sizeof(l->slots[0].name), "%s", name) >=
		    (int)sizeof(l->slots[0].name))
			return -E2BIG;
		l->n_slots++;
	}
	for (uint32_t i = 0; i < l->n_slots; i++)
		for (uint32_t k = 0; k < l->n_slots; k++)
			l->slots[i].has_forms |= l->slots[k].program == l->slots[i].program &&
						 is_old(l->slots[k].name);
	return 0;
}

/* The plain name first, else what stands in for it, in the order of the object. */
static uint32_t choose(struct loader *l)
{
	bool served[LOADER_MAX_PROGRAMS] = {false};
	uint32_t n = 0;

	for (int flavours = 0; flavours < 2; flavours++) {
		for (uint32_t i = 0; i < l->n_slots; i++) {
			struct slot *s = &l->slots[i];

			if (is_flavour(s->name) != (flavours == 1))
				continue;
			s->use = !s->refused && !served[s->program];
			if (!s->use)
				continue;
			served[s->program] = true;
			program_of(l, s)->absent_why[0] = '\0';
			n++;
		}
	}
	return n;
}

static struct slot *slot_named(struct loader *l, const char *name)
{
	for (uint32_t i = 0; i < l->n_slots; i++)
		if (strcmp(l->slots[i].name, name) == 0)
			return &l->slots[i];
	return NULL;
}

static bool used(struct loader *l, const char *name)
{
	const struct slot *s = slot_named(l, name);

	return s && s->use;
}

/* only NULL: all that are in use; logs NULL: nobody reads them. */
static void configure(struct loader *l, struct plumb *skel, const struct slot *only, char *logs)
{
	bool lsm = false;
	struct bpf_program *prog;

	bpf_object__for_each_program(prog, skel->obj)
	{
		struct slot *s = slot_named(l, bpf_program__name(prog));
		bool load = s && (only ? s == only : s->use);

		bpf_program__set_autoload(prog, load);
		if (load && !l->fetch_add)
			loader_kernel_make_plain(prog);
		lsm |= load && s->lsm;
		if (load && logs)
			bpf_program__set_log_buf(prog,
						 logs + (size_t)(s - l->slots) * LOADER_LOG_SIZE,
						 LOADER_LOG_SIZE);
	}
	/* A kernel without BPF LSM has no such map either. */
	bpf_map__set_autocreate(skel->maps.inodes, lsm);
	skel->rodata->plumb_ksess = l->ksess;
	skel->rodata->plumb_fetch_add = l->fetch_add;
	skel->rodata->plumb_exec_args = l->options.exec_args;
	skel->rodata->plumb_guard_tgid = (uint32_t)getpid();
	skel->rodata->plumb_guard_enforce = l->options.enforce;
	loader_isolate_size(skel, l->options.isolate);
	loader_kernel_letters(l->options.interpreters, l->options.n_interpreters,
			      skel->rodata->plumb_interpreter_letters);
	/* Whoever may not read by address (lockdown=confidentiality) is refused the exec program that does. */
	skel->rodata->plumb_may_probe = used(l, "plumb_exec") || !slot_named(l, "plumb_exec");
	/* Digests can be kept only where all that opens for writing, or cuts, is seen. */
	skel->rodata->plumb_hash_keep =
		used(l, "plumb_file_open") &&
		(used(l, "plumb_inode_setattr") || used(l, "plumb_inode_setattr__old"));
}

static void refuse(struct loader *l, struct slot *s, int error, const char *log)
{
	s->refused = true;
	/* Since 6.12 the kernel says so at the load; before, such a program loads and never fires. */
	if (s->lsm && error == EINVAL && !log[0] && !loader_kernel_lists_bpf())
		snprintf(program_of(l, s)->absent_why, sizeof(program_of(l, s)->absent_why), "%s",
			 LOADER_NO_LSM);
	else
		loader_kernel_why(error, log, program_of(l, s)->absent_why,
				  sizeof(program_of(l, s)->absent_why));
}

/* Tries one program alone. 0 or -errno, and then it is refused. */
static int try_slot(struct loader *l, struct slot *s)
{
	struct plumb *skel = plumb__open();
	int r = skel ? -ENOMEM : -errno;
	CLEANUP_FREE char *logs = skel ? calloc(l->n_slots, LOADER_LOG_SIZE) : NULL;

	if (logs) {
		configure(l, skel, s, logs);
		r = plumb__load(skel);
	}
	plumb__destroy(skel);
	if (logs && r < 0)
		refuse(l, s, -r, logs + (size_t)(s - l->slots) * LOADER_LOG_SIZE);
	return r;
}

/*
 * Of a hook whose arguments have moved there is one program for each form, the older one called "…__old"; both would load. false:
 * this one is of the other form.
 */
static bool is_our_form(const struct btf *btf, const struct slot *s, const char *section)
{
	return !s->has_forms || is_old(s->name) == loader_kernel_hook_is_old(btf, section);
}

/*
 * Hooks that this kernel does not have are known without a trial; and where one LSM program is not permitted none is. The rest is
 * tried by loading all at once, for a trial of each costs a second or more on a slow machine.
 */
static int refuse_known(struct loader *l, struct plumb *skel)
{
	struct btf *btf = btf__load_vmlinux_btf();
	struct slot *first_lsm = NULL;
	struct bpf_program *prog;
	int r;

	if (!btf)
		return -errno;
	bpf_object__for_each_program(prog, skel->obj)
	{
		struct slot *s = slot_named(l, bpf_program__name(prog));

		if (!s)
			continue;
		if (!loader_kernel_has_hook(btf, bpf_program__section_name(prog))) {
			refuse(l, s, ESRCH, "");
			program_of(l, s)->no_hook = true;
		} else if (!is_our_form(btf, s, bpf_program__section_name(prog))) {
			refuse(l, s, ESRCH, "");
		} else if (s->lsm && !first_lsm) {
			first_lsm = s;
		}
	}
	btf__free(btf);
	r = first_lsm ? try_slot(l, first_lsm) : 0;
	/* Since 6.12 none loads where "bpf" is not in lsm=, and the verifier does not say why. */
	if (r != -EPERM && (r != -EINVAL || loader_kernel_lists_bpf()))
		return 0;
	for (uint32_t i = 0; i < l->n_slots; i++)
		if (l->slots[i].lsm && !l->slots[i].refused)
			refuse(l, &l->slots[i], -r, "");
	return 0;
}

/* Whose log says something is who was refused. Without one, each is tried alone. Number refused, or -errno. */
static int find_refused(struct loader *l, int error, char *logs)
{
	int n = 0;

	for (uint32_t i = 0; i < l->n_slots; i++) {
		char *log = logs + (size_t)i * LOADER_LOG_SIZE;

		log[LOADER_LOG_SIZE - 1] = '\0';
		if (!l->slots[i].use || !log[0])
			continue;
		refuse(l, &l->slots[i], error, log);
		n++;
	}
	for (uint32_t i = 0; n == 0 && i < l->n_slots; i++)
		if (l->slots[i].use)
			n -= try_slot(l, &l->slots[i]) < 0 ? -1 : 0;
	return n;
}

/* Loads as many of the programs together as the kernel takes. */
static int load_all(struct loader *l, struct why *ret_why)
{
	CLEANUP_FREE char *logs = NULL;
	int r = refuse_known(l, l->skel);

	if (r < 0)
		return why_set(ret_why, r, "%s: %s", LOADER_BTF, strerror(-r));
	logs = calloc(l->n_slots, LOADER_LOG_SIZE);
	if (!logs)
		return -ENOMEM;
	/* Each turn refuses one at least. */
	for (uint32_t turn = 0; turn <= l->n_slots && choose(l) > 0; turn++) {
		memset(logs, 0, (size_t)l->n_slots * LOADER_LOG_SIZE);
		configure(l, l->skel, NULL, logs);
		r = plumb__load(l->skel);
		if (r >= 0)
			return 0;
		plumb__destroy(l->skel);
		l->skel = NULL;
		if (find_refused(l, -r, logs) <= 0)
			return why_set(ret_why, r, "kernel programs cannot be loaded together: %s",
				       strerror(-r));
		l->skel = plumb__open();
		if (!l->skel)
			return -errno;
	}
	if (l->n_programs == 0)
		return why_set(ret_why, -ENOENT, "no kernel program is asked for");
	return why_set(ret_why,
		       strcmp(l->programs[0].absent_why, strerror(EPERM)) == 0 ? -EPERM : -ENOENT,
		       "the kernel takes none of the programs: %s: %s", l->programs[0].name,
		       l->programs[0].absent_why);
}

static int attach_all(struct loader *l, struct why *ret_why)
{
	struct bpf_program *prog;
	uint32_t attached = 0;

	bpf_object__for_each_program(prog, l->skel->obj)
	{
		struct slot *s = slot_named(l, bpf_program__name(prog));
		struct loader_program *p;

		if (!s || !s->use)
			continue;
		p = program_of(l, s);
		p->lsm = s->lsm;
		p->stands_in = is_flavour(s->name) && !is_old(s->name);
		p->on_demand = strcmp(p->name, LOADER_ON_DEMAND) == 0;
		if (p->on_demand)
			continue;
		l->links[s->program] = loader_kernel_attach(prog);
		p->attached = l->links[s->program] != NULL;
		l->link_ids[s->program] = loader_own_link(l->links[s->program]);
		if (p->attached)
			attached++;
		else
			snprintf(p->absent_why, sizeof(p->absent_why), "attach: %s",
				 strerror(errno));
	}
	if (attached == 0)
		return why_set(ret_why, -ENOENT, "no kernel program could be attached: %s: %s",
			       l->programs[0].name, l->programs[0].absent_why);
	return 0;
}

void loader_silence(struct loader *l, const char *why)
{
	for (uint32_t i = 0; i < l->n_programs; i++) {
		struct loader_program *p = &l->programs[i];

		if (!(p->attached || p->on_demand) || !p->lsm)
			continue;
		bpf_link__destroy(l->links[i]);
		l->links[i] = NULL;
		loader_own_move(l->skel->maps.guard_own, NULL, &l->link_ids[i]);
		p->attached = p->on_demand = false;
		snprintf(p->absent_why, sizeof(p->absent_why), "%s", why);
	}
}

static int loader_start(struct loader *l, struct why *ret_why)
{
	const struct ring_calls calls = {l->options.record, l->options.round, l->options.ctx};
	int r;

	l->skel = plumb__open();
	if (!l->skel)
		return why_set(ret_why, -errno, "kernel programs cannot be opened: %s",
			       strerror(errno));
	if (RAND_bytes((unsigned char *)&l->ksess, sizeof(l->ksess)) != 1)
		return why_set(ret_why, -EIO, "no random number for the session");
	l->fetch_add = loader_kernel_fetch_add();
	r = list_slots(l, l->skel);
	if (r >= 0)
		r = load_all(l, ret_why);
	if (r >= 0)
		r = loader_kernel_interpreters(l->skel->maps.interpreters, l->options.interpreters,
					       l->options.n_interpreters, ret_why);
	if (r < 0)
		return r;
	/* The reader first: nothing that fires right after the attachment finds a ring without one. */
	r = loader_ring_open(l->skel->maps.ring, &calls, &l->ring, ret_why);
	r = r < 0 ? r : attach_all(l, ret_why);
	return r < 0 ? r
		     : loader_own_guard(l->skel->maps.guard_own, l->skel->obj, l->links,
					l->n_programs, ret_why);
}

int loader_open(const struct loader_options *o, struct loader **ret, struct why *ret_why)
{
	struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
	struct loader *l;
	int r;

	if (access(LOADER_BTF, R_OK) < 0)
		return why_set(ret_why, -ENOTSUP, "%s: %s: the kernel must have BTF", LOADER_BTF,
			       strerror(errno));
	libbpf_set_print(loader_kernel_print);
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
	loader_ring_free(l->ring);
	plumb__destroy(l->skel);
	free(l);
	return NULL;
}

int loader_fd(const struct loader *l)
{
	return loader_ring_fd(l->ring);
}

int loader_consume(struct loader *l)
{
	return loader_ring_consume(l->ring);
}

void loader_rests(struct loader *l, bool yes)
{
	__atomic_store_n(&l->skel->bss->plumb_reader_rests, yes, __ATOMIC_SEQ_CST);
}

uint64_t loader_ring_moved(const struct loader *l)
{
	return loader_ring_n_moved(l->ring);
}

uint64_t loader_ksess(const struct loader *l)
{
	return l->ksess;
}

const char *loader_tier(const struct loader *l)
{
	bool exec = false, lsm = false, whole = true;

	for (uint32_t i = 0; i < l->n_programs; i++) {
		const struct loader_program *p = &l->programs[i];

		exec |= p->attached && strcmp(p->name, "plumb_exec") == 0;
		lsm |= p->attached && p->lsm;
		whole &= p->attached ? !p->stands_in : (p->no_hook || p->on_demand);
	}
	if (!exec)
		return "none";
	if (!lsm)
		return "observe";
	return whole ? "full" : "reduced";
}

uint32_t loader_n_programs(const struct loader *l)
{
	return l->n_programs;
}

const struct loader_program *loader_program_at(const struct loader *l, uint32_t i)
{
	return i < l->n_programs ? &l->programs[i] : NULL;
}

/* One whose number cannot be had is not called ours: it is then told as somebody's. */
void loader_own(const struct loader *l, struct claims_bpf_own *ret)
{
	*ret = (struct claims_bpf_own){.n_progs = 0};
	loader_own_programs(l->skel->obj, ret);
	for (uint32_t i = 0; i < l->n_programs; i++)
		if (l->link_ids[i] && ret->n_links < CLAIMS_BPF_MAX_OWN)
			ret->links[ret->n_links++] = l->link_ids[i];
}

int loader_check(struct loader *l)
{
	int gone = 0;

	for (uint32_t i = 0; i < l->n_programs; i++) {
		struct loader_program *p = &l->programs[i];

		if (!p->attached || loader_own_link(l->links[i]) == l->link_ids[i])
			continue;
		/* Its descriptor may be another's by now, and is not closed. */
		bpf_link__disconnect(l->links[i]);
		bpf_link__destroy(l->links[i]);
		l->links[i] = NULL;
		loader_own_move(l->skel->maps.guard_own, NULL, &l->link_ids[i]);
		p->attached = false;
		snprintf(p->absent_why, sizeof(p->absent_why), "somebody took its link away");
		gone++;
	}
	return gone;
}

bool loader_is_attached(const struct loader *l, const char *name)
{
	for (uint32_t i = 0; i < l->n_programs; i++)
		if (strcmp(l->programs[i].name, name) == 0)
			return l->programs[i].attached;
	return false;
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

int loader_on_demand(struct loader *l, bool on)
{
	uint32_t i = 0;

	while (i < l->n_programs && !l->programs[i].on_demand)
		i++;
	if (i == l->n_programs)
		return -ENOTSUP;
	if (on == l->programs[i].attached)
		return 0;
	bpf_link__destroy(l->links[i]);
	l->links[i] = on ? bpf_program__attach(l->skel->progs.plumb_file_permission) : NULL;
	if (on && !l->links[i])
		return -errno;
	l->programs[i].attached = on;
	loader_own_move(l->skel->maps.guard_own, l->links[i], &l->link_ids[i]);
	return 0;
}

int loader_guard_own(const struct loader *l, uint32_t type, uint64_t id)
{
	return loader_own_put(l->skel->maps.guard_own, type, id);
}

int loader_guard_door(const struct loader *l, uint64_t until_ns)
{
	uint32_t zero = 0;

	return bpf_map__update_elem(l->skel->maps.guard_door, &zero, sizeof(zero), &until_ns,
				    sizeof(until_ns), BPF_ANY);
}

int loader_mark(const struct loader *l, int fd, uint32_t mark)
{
	return loader_marks_set(l->skel->maps.inodes, fd, mark);
}

int loader_isolate(const struct loader *l, const struct loader_isolate_change *c)
{
	return l->options.isolate ? loader_isolate_change(l->skel, c) : -ENOTSUP;
}

uint64_t loader_marks_failed(const struct loader *l)
{
	return loader_marks_sum(l->skel->maps.mark_failures, l->n_cpus);
}
