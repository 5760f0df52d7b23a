/* SPDX-License-Identifier: Apache-2.0 */
#include "scan_slow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "claims_boot.h"
#include "claims_cpu.h"
#include "claims_kernel.h"
#include "claims_modules.h"
#include "claims_runtime.h"
#include "log.h"
#include "scan_disks.h"
#include "scan_maps.h"
#include "scan_mntns.h"
#include "scan_running.h"

struct scan_slow {
	struct scan_slow_options o;
	struct measure_sink sink;
	struct claims_source source;
	struct event *slice_event, *pass_event;
	uint32_t job, n_passes;
	bool running, again, asked;
	/* of the job that runs */
	struct claims_modules *modules;
	struct claims_runtime *runtime;
	struct claims_bpf *bpf;
	struct scan_mntns *mntns;
	struct scan_running *running_now;
	struct scan_maps *maps;
	struct scan_disks *disks; /* it knows what it told, from pass to pass */
	struct record_line_tables tables;
};

/* Each does a piece: 1: there is more, 0: done, -errno. */
static int do_boot(struct scan_slow *s)
{
	const int results[] = {claims_boot_secure(&s->source), claims_boot_firmware(&s->source)};

	return claims_source_sum(results, 2) < 0 ? claims_source_sum(results, 2) : 0;
}

static int do_cpu(struct scan_slow *s)
{
	const int results[] = {claims_cpu_flags(&s->source), claims_cpu_mitigations(&s->source)};

	return claims_source_sum(results, 2) < 0 ? claims_source_sum(results, 2) : 0;
}

static int do_probes(struct scan_slow *s)
{
	int r = claims_kernel_probes(&s->source);

	return r < 0 ? r : 0;
}

static int do_ftrace(struct scan_slow *s)
{
	int r = claims_kernel_ftrace(&s->source);

	return r < 0 ? r : 0;
}

static int do_runtime(struct scan_slow *s)
{
	int put = 0, r = s->runtime ? 0 : claims_runtime_open(&s->source, &s->runtime);

	if (r >= 0)
		r = claims_runtime_step(s->runtime, &put);
	if (r != 1)
		s->runtime = claims_runtime_free(s->runtime);
	return r == 0 && put < 0 ? put : r;
}

static int do_modules(struct scan_slow *s)
{
	int put = 0, r = s->modules ? 0 : claims_modules_open(&s->source, &s->modules);

	if (r >= 0)
		r = claims_modules_step(s->modules, &put);
	if (r != 1)
		s->modules = claims_modules_free(s->modules);
	return r == 0 && put < 0 ? put : r;
}

static int begin_bpf(struct scan_slow *s)
{
	struct claims_bpf_own own = {.n_progs = 0};

	if (s->o.own)
		s->o.own(s->o.ctx, &own);
	scan_claims_begin(s->o.claims, "bpf:prog:");
	scan_claims_begin(s->o.claims, "bpf:link:");
	return claims_bpf_open(&s->source, &own, &s->bpf);
}

static int do_bpf(struct scan_slow *s)
{
	int put = 0, r = s->bpf ? 0 : begin_bpf(s);

	if (r >= 0)
		r = claims_bpf_step(s->bpf, &put);
	/* What could not be read is not gone. */
	if (r == 0 && put >= 0 && claims_bpf_is_whole(s->bpf)) {
		scan_claims_gone(s->o.claims, "bpf:prog:");
		scan_claims_gone(s->o.claims, "bpf:link:");
	}
	if (r != 1)
		s->bpf = claims_bpf_free(s->bpf);
	return r == 0 && put < 0 ? put : r;
}

static int begin_mntns(struct scan_slow *s)
{
	scan_claims_begin(s->o.claims, "mountns:");
	return scan_mntns_open(&s->source, s->o.files, &s->mntns);
}

static int do_mntns(struct scan_slow *s)
{
	int put = 0, r = s->mntns ? 0 : begin_mntns(s);

	if (r >= 0)
		r = scan_mntns_step(s->mntns, &put);
	if (r == 0 && put >= 0 && scan_mntns_is_whole(s->mntns))
		scan_claims_gone(s->o.claims, "mountns:");
	if (r != 1)
		s->mntns = scan_mntns_free(s->mntns);
	return r == 0 && put < 0 ? put : r;
}

/* Once: what runs later is seen as it begins. */
static int do_running(struct scan_slow *s)
{
	int put = 0, r = 0;

	if (s->n_passes > 0 || !s->o.hashes)
		return 0;
	if (!s->running_now)
		r = scan_running_open(&s->source, s->o.hashes, &s->running_now);
	if (r >= 0)
		r = scan_running_step(s->running_now, &put);
	if (r != 1)
		s->running_now = scan_running_free(s->running_now);
	return r;
}

static int do_maps(struct scan_slow *s)
{
	int put = 0, r = 0;

	if (!s->o.maps)
		return 0;
	if (!s->maps)
		r = scan_maps_open(&s->source, &s->tables, &s->sink, &s->maps);
	if (r >= 0)
		r = scan_maps_step(s->maps, &put);
	if (r != 1)
		s->maps = scan_maps_free(s->maps);
	return r == 0 && put < 0 ? put : r;
}

static bool on_disk(void *ctx, const struct scan_disks_found *f)
{
	struct scan_slow *s = ctx;

	return surface_open_disk(s->o.surface, f->pid, f->start_ns, f->dev, f->mode);
}

static int do_disks(struct scan_slow *s)
{
	const struct scan_disks_options o = {
		.proctab = s->tables.proctab, .found = on_disk, .ctx = s};
	int r = 0;

	if (!s->o.maps || !s->o.surface)
		return 0;
	if (!s->disks)
		r = scan_disks_open(&o, &s->disks);
	if (r >= 0)
		r = scan_disks_step(s->disks);
	if (r == 0)
		r = scan_claims_sensor(s->o.claims, "open_disks", !scan_disks_blind(s->disks),
				       scan_disks_blind(s->disks));
	else if (r == 1)
		return r;
	return r < 0 ? r : 0;
}

static const struct {
	const char *name;
	int (*run)(struct scan_slow *s);
} jobs[] = {
	{"boot", do_boot},
	{"cpu", do_cpu},
	{"probes", do_probes},
	{"ftrace", do_ftrace},
	{"bpf", do_bpf},
	{"mount namespaces", do_mntns},
	{"runtime", do_runtime},
	{"modules", do_modules},
	{"running programs", do_running},
	{"executable maps", do_maps},
	{"open disks", do_disks},
};

static const struct timeval at_once = {0, 0};

static struct timeval after_ns(uint64_t ns)
{
	return (struct timeval){.tv_sec = (time_t)(ns / 1000000000),
				.tv_usec = (suseconds_t)(ns % 1000000000 / 1000)};
}

static void tell_failed(struct scan_slow *s, int r)
{
	log_error("scan=\"%s\" error=%s next=\"told as lost, tried again in the next pass\"",
		  jobs[s->job].name, strerrorname_np(-r));
	s->sink.lost(s->sink.ctx, "scan", 1, "a scan of claims was not complete");
}

/* One that fails does not keep the others from being told. true: the pass is done. */
static bool slice(struct scan_slow *s, uint64_t until_ns)
{
	do {
		int r = jobs[s->job].run(s);

		if (r < 0)
			tell_failed(s, r);
		if (r != 1 && ++s->job == sizeof(jobs) / sizeof(jobs[0]))
			return true;
	} while (clock_boot_ns(s->o.clock) < until_ns);
	return false;
}

static void begin(struct scan_slow *s)
{
	s->job = 0;
	s->running = true;
	event_add(s->slice_event, &at_once);
}

static void end(struct scan_slow *s)
{
	bool asked = s->asked && !s->again;

	s->running = false;
	s->n_passes++;
	if (s->again) {
		s->again = false;
		begin(s);
	}
	if (!asked)
		return;
	s->asked = false;
	if (s->o.done)
		s->o.done(s->o.ctx);
}

static void on_slice(evutil_socket_t fd, short what, void *ctx)
{
	struct scan_slow *s = ctx;
	uint64_t from = clock_boot_ns(s->o.clock), took;
	struct timeval tv;

	(void)fd;
	(void)what;
	if (slice(s, from + s->o.slice_ms * 1000000ull)) {
		end(s);
		return;
	}
	/* Three times as long a rest as the work took: a quarter of one core at most, and the loop is free for events in between. */
	took = clock_boot_ns(s->o.clock) - from;
	tv = after_ns(3 * took);
	event_add(s->slice_event, &tv);
}

void scan_slow_now(struct scan_slow *s)
{
	s->asked = true;
	if (s->running)
		s->again = true;
	else
		begin(s);
}

static void on_pass(evutil_socket_t fd, short what, void *ctx)
{
	struct scan_slow *s = ctx;

	(void)fd;
	(void)what;
	if (!s->running)
		begin(s);
}

int scan_slow_open(struct event_base *base, const struct scan_slow_options *o,
		   const struct measure_sink *sink, struct scan_slow **ret)
{
	struct scan_slow *s = calloc(1, sizeof(*s));
	struct timeval tv;

	if (!s)
		return -ENOMEM;
	s->o = *o;
	s->sink = *sink;
	s->source = scan_claims_source(o->claims);
	if (o->maps)
		s->tables = *o->maps;
	s->o.interval_ms = o->interval_ms ? o->interval_ms : 600000;
	s->o.slice_ms = o->slice_ms ? o->slice_ms : 5;
	tv = after_ns(s->o.interval_ms * 1000000ull);
	s->slice_event = evtimer_new(base, on_slice, s);
	s->pass_event = event_new(base, -1, EV_PERSIST, on_pass, s);
	if (!s->slice_event || !s->pass_event || event_add(s->pass_event, &tv) < 0) {
		scan_slow_free(s);
		return -ENOMEM;
	}
	begin(s);
	*ret = s;
	return 0;
}

struct scan_slow *scan_slow_free(struct scan_slow *s)
{
	if (!s)
		return NULL;
	if (s->slice_event)
		event_free(s->slice_event);
	if (s->pass_event)
		event_free(s->pass_event);
	claims_modules_free(s->modules);
	claims_runtime_free(s->runtime);
	claims_bpf_free(s->bpf);
	scan_mntns_free(s->mntns);
	scan_running_free(s->running_now);
	scan_maps_free(s->maps);
	scan_disks_free(s->disks);
	free(s);
	return NULL;
}

uint32_t scan_slow_n_passes(const struct scan_slow *s)
{
	return s->n_passes;
}
