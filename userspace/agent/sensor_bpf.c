/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor_bpf.h"

#include <errno.h>
#include <linux/bpf.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "code_lines.h"
#include "kseq.h"
#include "loader_kernel.h"
#include "log.h"
#include "record_line.h"
#include "rested_fd.h"

#define CANARY_MS 2000
#define EXEC_KEY_SIZE (PLUMB_PATH_MAX + 16)
#define TURNS_A_DRAIN 64
#define RECORDS_A_TURN 256 /* others on the loop want their turn; the ring stays readable */
/*
 * A program that is not known yet may be gone in a moment, with all that leads to its file: after one the ring is read again soon. Runs of
 * what is known can wait: on a busy node the wake-ups are most of what a run costs.
 */
#define REST_MS 2
#define KNOWN_REST_MS 20
#define QUIET_MS 250

struct cpu {
	struct kseq numbers;
	uint64_t received;
	uint64_t told_received;
	struct plumb_counters told;
};

struct sensor_bpf {
	struct sensor_bpf_options o;
	struct measure_sink sink;
	struct record_line_tables tables;
	struct code_lines *code;
	struct loader *loader;
	struct rested_fd *ring;
	struct event *counters_event;
	struct cpu *cpus;
	struct plumb_counters *now;
	uint32_t n_cpus;
	uint32_t this_turn;
	bool this_turn_new; /* more than runs, forks and exits */
	uint32_t canary_pid; /* 0: none is awaited */
	bool canary_seen, canary_checked;
	uint32_t pid; /* our own */
	uint64_t bad_records;
	uint64_t
		odd_numbers; /* since they were told: whoever edits the counts must not make a line of each record */
	union event_record record; /* the one at work */
	struct record_line_digest taken; /* of it; its memory is kept for the next */
};

static void tell_loss(struct sensor_bpf *s, uint64_t n, const char *what)
{
	if (n == 0)
		return;
	log_warning("sensor=bpf lost=%llu what=\"%s\"", (unsigned long long)n, what);
	s->sink.lost(s->sink.ctx, "bpf", n, what);
	if (s->o.exec_lost)
		s->o.exec_lost(s->o.peer_ctx, n);
}

static void tell_missing(struct sensor_bpf *s, struct cpu *cpu)
{
	tell_loss(s, kseq_lost(&cpu->numbers), "sequence gap");
}

/* Numbers of one CPU run without holes, if not always in order. */
static void check_sequence(struct sensor_bpf *s, const struct plumb_event *e)
{
	struct cpu *cpu;
	bool hole;

	if (e->cpu >= s->n_cpus || e->ksess != loader_ksess(s->loader)) {
		tell_loss(s, 1, "a record of another session or CPU");
		return;
	}
	cpu = &s->cpus[e->cpu];
	cpu->received++;
	s->odd_numbers += !kseq_see(&cpu->numbers, e->kseq, &hole);
	/* Whoever compares with us must not take for unseen what may only be late, or lost. */
	if (hole && s->o.exec_lost)
		s->o.exec_lost(s->o.peer_ctx, 1);
	tell_missing(s, cpu);
}

static void begin_line(struct sensor_bpf *s, const struct plumb_event *e,
		       const struct plumb_task *t, char scope[CGROUPS_SCOPE_SIZE], struct line *l)
{
	record_line_begin(&s->tables, e, t, scope, l);
}

static int take(struct sensor_bpf *s, const struct plumb_task *task, const char *path,
		const struct plumb_file *file, const struct plumb_hash *hash,
		struct record_line_digest *ret)
{
	int r = record_line_digest(&s->tables, task, path, file, hash, ret);

	if (r < 0)
		tell_loss(s, 1, "a digest could not be put into words: out of memory");
	return r;
}

/* The kernel asks LSM programs before each exec: that nobody was asked means that they are attached and do not fire. */
static void see_canary(struct sensor_bpf *s, const struct plumb_event_exec *e)
{
	if (!s->canary_pid || e->task.pid != s->canary_pid)
		return;
	s->canary_seen = true;
	s->canary_checked = e->hash.src != PLUMB_HASH_NONE || e->hash.error != 0;
}

/* Copied, not printed: it is done for every run. size is that of the path with its NUL. */
static const char *exec_key(const char *path, size_t size, bool cut, char ret[EXEC_KEY_SIZE])
{
	const char *before = cut ? "exec:..." : "exec:";

	memcpy(mempcpy(ret, before, strlen(before)), path, size);
	return ret;
}

static void handle_exec(struct sensor_bpf *s, const union event_record *r)
{
	const struct plumb_event_exec *e = &r->exec;
	bool cut = e->event.flags & PLUMB_EVENT_PATH_CUT;
	char key[EXEC_KEY_SIZE], scope[CGROUPS_SCOPE_SIZE];
	struct record_line_digest *taken = &s->taken;
	struct line l;

	proctab_exec(s->o.proctab, &e->task, e->path);
	if (s->o.exec_seen)
		s->o.exec_seen(s->o.peer_ctx, e->task.pid, e->task.start_ns, e->event.boottime_ns);
	see_canary(s, e);
	if (take(s, &e->task, cut ? NULL : e->path, &e->file, &e->hash, taken) < 0)
		return;
	begin_line(s, &e->event, &e->task, scope, &l);
	l.type = PLUMB_TYPE_EXEC;
	l.key = exec_key(e->path, e->path_size, cut, key);
	l.found = (const char *)taken->found.data;
	l.hash_src = taken->src;
	l.name = strcmp(e->name, e->path) != 0 && e->name[0] ? e->name : NULL;
	l.op = proctab_is_kernels(&l.actor) ? "usermodehelper" : NULL;
	if (s->o.layers)
		l.layer = overlay_layer_of(s->o.layers, e);
	l.args = e->event.flags & PLUMB_EVENT_ARGS ? &r->exec_args.args : NULL;
	l.args_missing = s->o.exec_args && !l.args;
	s->sink.measurement(s->sink.ctx, &l);
}

/* What an interpreter is given to run. Told before the exec of the interpreter, and also when that one fails. */
static void handle_script(struct sensor_bpf *s, const struct plumb_event_script *e)
{
	bool cut = e->event.flags & PLUMB_EVENT_PATH_CUT;
	char key[EXEC_KEY_SIZE], scope[CGROUPS_SCOPE_SIZE];
	struct record_line_digest *taken = &s->taken;
	struct line l;

	if (take(s, &e->task, cut ? NULL : e->path, &e->file, &e->hash, taken) < 0)
		return;
	begin_line(s, &e->event, &e->task, scope, &l);
	l.type = PLUMB_TYPE_EXEC;
	l.op = "script";
	l.key = exec_key(e->path, e->path_size, cut, key);
	l.found = (const char *)taken->found.data;
	l.hash_src = taken->src;
	s->sink.measurement(s->sink.ctx, &l);
}

static void handle_load(struct sensor_bpf *s, const struct plumb_event_load *e)
{
	static const char *const names[] = {
		[PLUMB_LOAD_OTHER] = "other",
		[PLUMB_LOAD_MODULE] = "module",
		[PLUMB_LOAD_MODULE_COMPRESSED] = "module",
		[PLUMB_LOAD_FIRMWARE] = "firmware",
		[PLUMB_LOAD_KEXEC_IMAGE] = "kexec",
		[PLUMB_LOAD_KEXEC_INITRAMFS] = "kexec-initramfs",
		[PLUMB_LOAD_POLICY] = "policy",
		[PLUMB_LOAD_X509] = "x509",
	};
	bool cut = e->event.flags & PLUMB_EVENT_PATH_CUT;
	char key[PLUMB_PATH_MAX + 32], scope[CGROUPS_SCOPE_SIZE];
	struct record_line_digest *taken = &s->taken;
	struct line l;

	if (e->from_memory)
		record_line_unmeasured(taken, "from memory");
	else if (take(s, &e->task, cut ? NULL : e->path, &e->file, &e->hash, taken) < 0)
		return;
	begin_line(s, &e->event, &e->task, scope, &l);
	snprintf(key, sizeof(key), "load:%s:%s%s", names[e->what], cut ? "..." : "",
		 e->from_memory ? "memory" : e->path);
	l.type = PLUMB_TYPE_LOAD;
	l.op = "load";
	l.scope = "host"; /* there is one kernel, whoever asks it */
	l.key = key;
	l.found = (const char *)taken->found.data;
	l.hash_src = taken->src;
	s->sink.measurement(s->sink.ctx, &l);
}

/* Names and types as far as an older agent knows them; a number is as good for judging. */
static void handle_bpf(struct sensor_bpf *s, const struct plumb_event_bpf *e)
{
	char key[96], found[64], scope[CGROUPS_SCOPE_SIZE];
	const char *type = loader_kernel_type_name(e->prog_type, e->op == PLUMB_BPF_ATTACH);
	char number[16];
	struct line l;

	if (e->task.pid == s->pid) /* the agent's own programs are claims */
		return;
	snprintf(number, sizeof(number), "%u", e->prog_type);
	begin_line(s, &e->event, &e->task, scope, &l);
	if (e->op == PLUMB_BPF_LOAD) {
		snprintf(key, sizeof(key), "bpf:load:%s:%s", type ? type : number, e->name);
		snprintf(found, sizeof(found), "loaded insns=%u", e->n_insns);
	} else {
		snprintf(key, sizeof(key), "bpf:attach:%s",
			 e->command == BPF_RAW_TRACEPOINT_OPEN ? "raw_tracepoint"
			 : e->command == BPF_LINK_UPDATE       ? "link_update"
			 : type				       ? type
							       : number);
		snprintf(found, sizeof(found), "attached");
	}
	l.type = PLUMB_TYPE_BPF;
	l.op = e->op == PLUMB_BPF_LOAD ? "load" : "attach";
	l.scope = "host";
	l.key = key;
	l.found = found;
	s->sink.measurement(s->sink.ctx, &l);
}

static void handle_module(struct sensor_bpf *s, const struct plumb_event_module *e)
{
	char key[sizeof(e->name) + 16], scope[CGROUPS_SCOPE_SIZE];
	struct line l;

	begin_line(s, &e->event, &e->task, scope, &l);
	snprintf(key, sizeof(key), "module:%s", e->name);
	l.type = PLUMB_TYPE_MODULE;
	l.scope = "host"; /* there is one kernel, whoever asks it */
	l.key = key;
	l.found = "loaded";
	l.op = "load";
	s->sink.measurement(s->sink.ctx, &l);
}

/* A sound record of a kind that this agent does not know is kept, unjudged: a newer program may run under an older agent. */
static void handle_unknown(struct sensor_bpf *s, const struct plumb_event *e)
{
	char key[32], found[64];
	struct line l = {
		.boot_ns = e->boottime_ns,
		.src = "bpf",
		.has_kernel = true,
		.ksess = e->ksess,
		.cpu = e->cpu,
		.kseq = e->kseq,
		.type = PLUMB_TYPE_UNKNOWN,
		.type_name = "unknown",
		.scope = "host",
		.key = key,
		.found = found,
	};

	snprintf(key, sizeof(key), "event:%u", e->kind);
	snprintf(found, sizeof(found), "unknown kind %u version %u", e->kind, e->version);
	s->sink.measurement(s->sink.ctx, &l);
}

static void handle(struct sensor_bpf *s, const union event_record *r)
{
	switch (r->event.kind) {
	case PLUMB_KIND_EXEC:
		handle_exec(s, r);
		break;
	case PLUMB_KIND_FORK:
		proctab_fork(s->o.proctab, &r->fork.parent, r->fork.child_pid,
			     r->fork.child_start_ns);
		if (r->fork.parent.pid == s->pid && s->o.marked)
			s->o.marked(s->o.marked_ctx, r);
		break;
	case PLUMB_KIND_EXIT:
		proctab_exit(s->o.proctab, r->exit.task.pid, r->exit.task.start_ns);
		break;
	case PLUMB_KIND_MODULE:
		handle_module(s, &r->module);
		break;
	case PLUMB_KIND_SCRIPT:
		handle_script(s, &r->script);
		break;
	case PLUMB_KIND_LOAD:
		handle_load(s, &r->load);
		break;
	case PLUMB_KIND_BPF:
		handle_bpf(s, &r->bpf);
		break;
	case PLUMB_KIND_CODE:
		code_lines_take(s->code, &r->code);
		break;
	case PLUMB_KIND_FILE:
	case PLUMB_KIND_MOUNT:
	case PLUMB_KIND_SURFACE:
	case PLUMB_KIND_GUARD:
		if (s->o.marked)
			s->o.marked(s->o.marked_ctx, r);
		break;
	default:
		handle_unknown(s, &r->event);
		break;
	}
}

static int on_record(void *ctx, const void *data, size_t size)
{
	struct sensor_bpf *s = ctx;
	struct why why = {""};
	int r;

	r = event_check(data, size, &s->record, &why);
	if (r == -EBADMSG) {
		s->bad_records++;
		log_error("sensor=bpf bad_record=%llu why=\"%s\"",
			  (unsigned long long)s->bad_records, why.text);
		tell_loss(s, 1, why.text);
	} else {
		check_sequence(s, &s->record.event);
		s->this_turn_new |= s->record.event.kind > PLUMB_KIND_EXIT;
		if (r == -ENOTSUP)
			handle_unknown(s, &s->record.event);
		else
			handle(s, &s->record);
	}
	return ++s->this_turn >= RECORDS_A_TURN ? -EAGAIN : 0;
}

static void on_round(void *ctx)
{
	const struct sensor_bpf *s = ctx;

	hash_cache_hear(s->o.hash_cache);
}

static int take_turn(struct sensor_bpf *s)
{
	int r;

	s->this_turn = 0;
	r = loader_consume(s->loader);
	return r == -EAGAIN ? (int)s->this_turn : r;
}

static enum rested_fd_turn on_ring(void *ctx)
{
	struct sensor_bpf *s = ctx;
	uint64_t missed = hash_cache_n_missed(s->o.hash_cache);
	int r;

	s->this_turn_new = false;
	r = take_turn(s);
	if (r < 0)
		tell_loss(s, 1, "the ring cannot be read");
	if (r <= 0)
		return RESTED_FD_NOTHING;
	if (r >= RECORDS_A_TURN)
		return RESTED_FD_MORE;
	return s->this_turn_new || hash_cache_n_missed(s->o.hash_cache) != missed ? RESTED_FD_ALL
										  : RESTED_FD_KNOWN;
}

static void on_rest(void *ctx, bool yes)
{
	struct sensor_bpf *s = ctx;

	loader_rests(s->loader, yes);
}

static void tell_counters(struct sensor_bpf *s)
{
	int r = loader_counters(s->loader, s->now, s->n_cpus);

	tell_loss(s, s->odd_numbers, "a sequence number came twice or went back");
	s->odd_numbers = 0;
	if (r < 0) {
		log_error("sensor=bpf counters=%s next=\"told as lost\"", strerrorname_np(-r));
		s->sink.lost(s->sink.ctx, "bpf", 0, "the counters cannot be read");
		return;
	}
	for (uint32_t i = 0; i < s->n_cpus; i++) {
		struct cpu *cpu = &s->cpus[i];

		kseq_tick(&cpu->numbers);
		tell_missing(s, cpu);
		if (memcmp(&cpu->told, &s->now[i], sizeof(cpu->told)) == 0 &&
		    cpu->told_received == cpu->received)
			continue;
		/* Drops behind the last record make no hole yet; the next record of this CPU will show the same ones. */
		if (s->now[i].dropped > cpu->told.dropped && s->o.exec_lost)
			s->o.exec_lost(s->o.peer_ctx, s->now[i].dropped - cpu->told.dropped);
		cpu->told = s->now[i];
		cpu->told_received = cpu->received;
		s->sink.counters(s->sink.ctx, loader_ksess(s->loader), i, &s->now[i],
				 cpu->received);
	}
}

static void on_counters(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	tell_counters(ctx);
}

static uint64_t monotonic_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static int await_canary(struct sensor_bpf *s)
{
	uint64_t until = monotonic_ms() + CANARY_MS;

	while (!s->canary_seen && monotonic_ms() < until) {
		struct pollfd p = {.fd = loader_fd(s->loader), .events = POLLIN};

		if (poll(&p, 1, 50) < 0 && errno != EINTR)
			return -errno;
		if (take_turn(s) < 0)
			return -EIO;
	}
	return s->canary_seen ? 0 : -ENODATA;
}

/* Runs before the loop does, so waiting is allowed here. */
static int run_canary(struct sensor_bpf *s, struct why *ret_why)
{
	const char *path = s->o.canary ? s->o.canary : "/bin/true";
	char *argv[] = {(char *)path, NULL};
	pid_t pid;
	int r;

	if (path[0] == '\0')
		return 0;
	r = posix_spawn(&pid, path, NULL, NULL, argv, environ);
	if (r != 0)
		return why_set(ret_why, -r, "canary %s cannot be run: %s", path, strerror(r));
	s->canary_pid = (uint32_t)pid;
	r = await_canary(s);
	s->canary_pid = 0;
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (r < 0)
		return why_set(ret_why, r, "programs are attached, but the exec of %s was not seen",
			       path);
	if (!s->canary_checked)
		loader_silence(s->loader, LOADER_NO_LSM);
	return 0;
}

static int start(struct sensor_bpf *s, struct event_base *base, struct why *ret_why)
{
	uint32_t every = s->o.counters_ms ? s->o.counters_ms : 1000;
	struct timeval tv = {.tv_sec = every / 1000, .tv_usec = every % 1000 * 1000};
	struct loader_options lo = {.record = on_record,
				    .round = on_round,
				    .ctx = s,
				    .exec_args = s->o.exec_args,
				    .enforce = s->o.enforce,
				    .isolate = s->o.isolate,
				    .interpreters = s->o.code.interpreters,
				    .n_interpreters = s->o.code.n_interpreters};
	const struct code_lines_options code = {.tables = s->tables,
						.interpreters = s->o.code.interpreters,
						.n_interpreters = s->o.code.n_interpreters,
						.binfmt = s->o.code.binfmt,
						.ctx = s->o.code.ctx};
	/* Forks and exits wake nobody (maps_end_quiet), so it is looked at without being asked, too. */
	struct rested_fd_options ring = {.rest_ms = REST_MS,
					 .known_rest_ms = KNOWN_REST_MS,
					 .quiet_ms = QUIET_MS,
					 .turn = on_ring,
					 .rests = on_rest,
					 .ctx = s};
	int r;

	r = code_lines_open(&code, &s->sink, &s->code);
	if (r < 0)
		return r;
	r = loader_open(&lo, &s->loader, ret_why);
	if (r < 0)
		return r;
	if (!loader_is_attached(s->loader, "plumb_file_open"))
		code_lines_look_for_scripts(s->code);
	s->n_cpus = loader_n_cpus(s->loader);
	s->cpus = calloc(s->n_cpus, sizeof(*s->cpus));
	s->now = calloc(s->n_cpus, sizeof(*s->now));
	if (!s->cpus || !s->now)
		return -ENOMEM;
	/* After attaching: who starts during the scan is in one of the two. */
	r = proctab_scan(s->o.proctab, "/proc");
	if (r < 0)
		return why_set(ret_why, r, "/proc cannot be read: %s", strerror(-r));
	r = run_canary(s, ret_why);
	if (r < 0)
		return r;
	ring.fd = loader_fd(s->loader);
	r = rested_fd_open(base, &ring, &s->ring);
	if (r < 0)
		return r;
	s->counters_event = event_new(base, -1, EV_PERSIST, on_counters, s);
	if (!s->counters_event || event_add(s->counters_event, &tv) < 0)
		return -ENOMEM;
	return 0;
}

int sensor_bpf_open(struct event_base *base, const struct sensor_bpf_options *o,
		    const struct measure_sink *sink, struct sensor_bpf **ret, struct why *ret_why)
{
	struct sensor_bpf *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->o = *o;
	s->sink = *sink;
	s->tables = (struct record_line_tables){o->proctab, o->hash_cache, o->images, o->clock};
	r = start(s, base, ret_why);
	if (r < 0) {
		sensor_bpf_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

struct sensor_bpf *sensor_bpf_free(struct sensor_bpf *s)
{
	if (!s)
		return NULL;
	rested_fd_free(s->ring);
	if (s->counters_event)
		event_free(s->counters_event);
	loader_free(s->loader);
	code_lines_free(s->code);
	record_line_digest_done(&s->taken);
	free(s->cpus);
	free(s->now);
	free(s);
	return NULL;
}

struct loader *sensor_bpf_loader(const struct sensor_bpf *s)
{
	return s->loader;
}

bool sensor_bpf_drain(struct sensor_bpf *s)
{
	/* Bounded: on a busy node the ring may never be empty. */
	for (int i = 0; i < TURNS_A_DRAIN; i++)
		if (take_turn(s) < RECORDS_A_TURN)
			return true;
	return false;
}

uint64_t sensor_bpf_received(const struct sensor_bpf *s, uint32_t cpu)
{
	return cpu < s->n_cpus ? s->cpus[cpu].received : 0;
}

void sensor_bpf_flush(struct sensor_bpf *s)
{
	sensor_bpf_drain(s);
	tell_counters(s);
}
