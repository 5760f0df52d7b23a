/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring.c: how many execs one core takes from the ring into the ledger: record checked, process and container known, line written, hashed,
 * in the tree, its bytes in the page cache. The rooms are those of plumbd; the ring is memory that lies as the kernel's does, filled with
 * a fork, an exec and an exit for each program, and nothing is waited for: fdatasync does nothing here.
 * In: a directory, rounds and, to judge by it, a baseline. Out: "name value" a line, one for each round.
 */
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "ledger_writer.h"
#include "ring_read.h"
#include "sensor_bpf.h"

#define RING_SIZE (8u << 20)
#define HEADER BPF_RINGBUF_HDR_SZ
#define KSESS 0x1234567890abcdefull
#define FIRST_PID 100000u
#define ANCESTORS 6u
#define SESSION_NS 1000000000ull
#define PROGRAM "/usr/bin/env"

/* Takes the place of the agent's: records come from memory. */
struct loader {
	struct ring_read read;
	uint8_t *ring;
	unsigned long size, at; /* written and read so far */
	int fd; /* never readable: the bench itself asks for the records */
	uint64_t kseq, n_execs;
};

static struct loader the_loader;

int loader_open(const struct loader_options *o, struct loader **ret, struct why *ret_why)
{
	(void)ret_why;
	the_loader.read.calls = (struct ring_calls){o->record, o->round, o->ctx};
	*ret = &the_loader;
	return 0;
}

struct loader *loader_free(struct loader *l)
{
	(void)l;
	return NULL;
}

int loader_fd(const struct loader *l)
{
	return l->fd;
}

int loader_consume(struct loader *l)
{
	return ring_read_all(&l->read);
}

uint64_t loader_ksess(const struct loader *l)
{
	(void)l;
	return KSESS;
}

void loader_silence(struct loader *l, const char *why)
{
	(void)l;
	(void)why;
}

void loader_rests(struct loader *l, bool yes)
{
	(void)l;
	(void)yes;
}

bool loader_is_attached(const struct loader *l, const char *name)
{
	(void)l;
	(void)name;
	return true;
}

uint32_t loader_n_cpus(const struct loader *l)
{
	(void)l;
	return 1;
}

int loader_counters(const struct loader *l, struct plumb_counters *ret, uint32_t n)
{
	(void)l;
	memset(ret, 0, n * sizeof(*ret));
	return 0;
}

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "ring: %s failed\n", what);
	exit(1);
}

static void *put(struct loader *l, uint16_t kind, uint32_t size)
{
	struct plumb_event *e = (void *)(l->ring + l->size + HEADER);

	memcpy(l->ring + l->size, (uint32_t[]){size, 0}, HEADER);
	memset(e, 0, size);
	*e = (struct plumb_event){.size = size,
				  .kind = kind,
				  .version = PLUMB_EVENT_VERSION,
				  .kseq = ++l->kseq,
				  .ksess = KSESS,
				  .boottime_ns = l->kseq};
	l->size += HEADER + (size + 7u) / 8 * 8;
	return e;
}

static struct plumb_task task_of(uint32_t pid, uint32_t ppid)
{
	static struct stat cgroup;
	static uint32_t mnt_ns;
	struct plumb_task t = {.pid = pid,
			       .tid = pid,
			       .ppid = ppid,
			       .start_ns = pid * SESSION_NS,
			       .parent_start_ns = ppid * SESSION_NS,
			       .comm = "program"};

	if (!cgroup.st_ino && stat("/sys/fs/cgroup", &cgroup) < 0)
		cgroup.st_ino = 1;
	if (!mnt_ns)
		mnt_ns = cgroups_host_mnt_ns();
	t.cgroup_id = cgroup.st_ino;
	t.mnt_ns = mnt_ns;
	return t;
}

static void put_exec(struct loader *l, const struct plumb_task *t)
{
	struct plumb_event_exec *e = put(l, PLUMB_KIND_EXEC, sizeof(*e));
	static struct stat st;

	must(st.st_ino || stat(PROGRAM, &st) == 0, PROGRAM);
	e->task = *t;
	e->file = (struct plumb_file){
		.ino = st.st_ino,
		.file_size = (uint64_t)st.st_size,
		.ctime_ns = (uint64_t)st.st_ctim.tv_sec * 1000000000 + (uint64_t)st.st_ctim.tv_nsec,
		.dev = major(st.st_dev) << 20 | minor(st.st_dev),
		.mode = st.st_mode,
	};
	e->path_size = e->name_size = sizeof(PROGRAM);
	memcpy(e->path, PROGRAM, sizeof(PROGRAM));
	memcpy(e->name, PROGRAM, sizeof(PROGRAM));
	l->n_execs++;
}

/* As a shell that runs one program after the other, with a few processes above it. */
static void fill(struct loader *l, uint32_t pid)
{
	const size_t a_program = sizeof(struct plumb_event_fork) + sizeof(struct plumb_event_exec) +
				 sizeof(struct plumb_event_exit) + 3 * (HEADER + 8);
	uint32_t shell = FIRST_PID + ANCESTORS - 1;
	struct plumb_task parent, t;

	l->size = l->at = l->n_execs = 0;
	for (uint32_t i = 0; pid == 0 && i < ANCESTORS; i++) {
		t = task_of(FIRST_PID + i, i ? FIRST_PID + i - 1 : 0);
		put_exec(l, &t);
	}
	parent = task_of(shell, shell - 1);
	for (t = parent; pid && l->size + a_program < RING_SIZE; pid++) {
		struct plumb_event_fork *fork = put(l, PLUMB_KIND_FORK, sizeof(*fork));
		struct plumb_event_exit *end;

		fork->parent = parent;
		fork->child_pid = t.pid = t.tid = pid;
		fork->child_start_ns = t.start_ns = pid * SESSION_NS;
		t.ppid = shell;
		t.parent_start_ns = parent.start_ns;
		put_exec(l, &t);
		end = put(l, PLUMB_KIND_EXIT, sizeof(*end));
		end->task = t;
	}
}

static int no_sync(void *ctx, int fd)
{
	(void)ctx;
	(void)fd;
	return 0;
}

static int no_sync_dir(void *ctx, const char *path)
{
	(void)ctx;
	(void)path;
	return 0;
}

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

struct bench {
	struct event_base *base;
	struct sensor_bpf *sensor;
	struct ledger_writer *writer;
	uint32_t pid;
};

/* What waits in the ring, and the loop between turns, as in plumbd. */
static double one_round(struct bench *b)
{
	uint64_t from, before = ledger_writer_size(b->writer);

	fill(&the_loader, b->pid);
	b->pid += (uint32_t)the_loader.n_execs;
	from = cpu_ns();
	while (the_loader.at < the_loader.size) {
		sensor_bpf_drain(b->sensor);
		event_base_loop(b->base, EVLOOP_NONBLOCK);
	}
	must(ledger_sync(ledger_writer_ledger(b->writer)) == 0, "the ledger's write");
	from = cpu_ns() - from;
	must(ledger_writer_size(b->writer) - before >= the_loader.n_execs, "a line for each exec");
	return 1e9 * (double)the_loader.n_execs / (double)from;
}

static void open_all(struct bench *b, const char *dir, const struct fsio *io,
		     const struct baseline *baseline)
{
	const struct ledger_writer_options wo = {
		.io = io,
		.clock = clock_system(),
		.dir = dir,
		.origin = "bench/node/0/0",
		.baseline = baseline,
		.segment_size = 512u << 20, /* none is closed, so none is packed */
		.exec_all = true};
	struct sensor_bpf_options so = {.clock = clock_system(), .canary = ""};
	struct why why = {""};

	b->base = event_base_new();
	must(cgroups_open(NULL, &so.cgroups, &why) != -ENOMEM, "cgroups");
	must(proctab_open(0, so.cgroups, &so.proctab) == 0, "the table of processes");
	must(hash_cache_open(0, 0, &so.hash_cache) == 0, "the digests");
	must(ledger_writer_open(b->base, &wo, &b->writer, &why) == 0, why.text);
	must(sensor_bpf_open(b->base, &so, ledger_writer_sink(b->writer), &b->sensor, &why) == 0,
	     why.text);
}

int main(int argc, char **argv)
{
	struct fsio_ops ops = *fsio_system()->ops;
	const struct fsio io = {&ops, NULL};
	struct baseline *baseline = NULL;
	struct bench b = {.pid = FIRST_PID + ANCESTORS};
	struct why why = {""};

	must(argc >= 3, "ring DIRECTORY ROUNDS [BASELINE]");
	ops.sync = no_sync;
	ops.sync_dir = no_sync_dir;
	if (argc > 3)
		must(baseline_open(&io, argv[3], NULL, 0, 0, &baseline, &why) == 0, why.text);
	the_loader.ring = malloc(RING_SIZE);
	the_loader.fd = eventfd(0, EFD_CLOEXEC);
	must(the_loader.ring && the_loader.fd >= 0, "memory");
	the_loader.read = (struct ring_read){.data = the_loader.ring,
					     .size = RING_SIZE,
					     .consumer = &the_loader.at,
					     .producer = &the_loader.size};
	open_all(&b, argv[1], &io, baseline);
	fill(&the_loader, 0);
	sensor_bpf_drain(b.sensor);
	for (long i = strtol(argv[2], NULL, 10); i >= 0; i--) {
		double rate = one_round(&b);

		/* The first one finds nothing warm. */
		if (i > 0)
			printf("%s %.0f\n",
			       baseline ? "ring_to_ledger_judged_per_s" : "ring_to_ledger_per_s",
			       rate);
		fflush(stdout);
	}
	sensor_bpf_free(b.sensor);
	ledger_writer_free(b.writer);
	baseline_free(baseline);
	free(the_loader.ring);
	return 0;
}
