/* SPDX-License-Identifier: Apache-2.0 */
#include "exec_pair.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "audit_match.h"
#include "corroborate.h"
#include "sensor_netlink.h"

struct exec_pair {
	struct exec_pair_options o;
	struct event_base *base;
	struct measure_sink sink;
	struct corroborate *corroborate;
	struct audit_match *audit;
	struct sensor_netlink *netlink;
	struct sensor_bpf *bpf;
	struct plumb_counters *counters; /* of all CPUs, as read last */
	uint64_t dropped; /* on all of them */
};

void exec_pair_seen(void *ctx, uint32_t pid, uint64_t start_ns, uint64_t boot_ns)
{
	struct exec_pair *p = ctx;

	corroborate_seen(p->corroborate, CORROBORATE_BPF, pid, start_ns, boot_ns);
	audit_match_bpf(p->audit, pid, boot_ns);
}

void exec_pair_lost(void *ctx, uint64_t n)
{
	struct exec_pair *p = ctx;

	(void)n; /* that source tells it itself */
	corroborate_lost(p->corroborate);
	audit_match_lost(p->audit);
}

void exec_pair_audited(void *ctx, uint32_t pid, uint64_t utc_ns)
{
	struct exec_pair *p = ctx;

	if (p && p->bpf)
		audit_match_exec(p->audit, pid, utc_ns);
}

static void on_exec(void *ctx, uint32_t pid, uint64_t at_ns)
{
	struct exec_pair *p = ctx;

	corroborate_seen(p->corroborate, CORROBORATE_CONNECTOR, pid, 0, at_ns);
}

static void on_lost(void *ctx)
{
	corroborate_lost(((struct exec_pair *)ctx)->corroborate);
}

static void on_tick(void *ctx)
{
	struct exec_pair *p = ctx;

	corroborate_tick(p->corroborate);
	audit_match_tick(p->audit);
}

/* What was dropped last makes no hole yet in the numbers of what came. */
static void look_at_drops(struct exec_pair *p)
{
	const struct loader *l = sensor_bpf_loader(p->bpf);
	uint64_t dropped = 0;

	if (loader_counters(l, p->counters, loader_n_cpus(l)) < 0)
		return;
	for (uint32_t i = 0; i < loader_n_cpus(l); i++)
		dropped += p->counters[i].dropped;
	if (dropped != p->dropped)
		exec_pair_lost(p, 0);
	p->dropped = dropped;
}

static bool on_empty(void *ctx, enum corroborate_source source)
{
	struct exec_pair *p = ctx;

	if (source == CORROBORATE_CONNECTOR)
		return sensor_netlink_drain(p->netlink);
	if (!p->bpf || !sensor_bpf_drain(p->bpf))
		return false;
	look_at_drops(p);
	return true;
}

static bool on_audit_empty(void *ctx)
{
	return on_empty(ctx, CORROBORATE_BPF);
}

static void on_audit_state(void *ctx, bool compared, const char *why)
{
	(void)scan_claims_sensor(((struct exec_pair *)ctx)->o.claims, "audit_exec", compared, why);
}

static int open_connector(struct exec_pair *p, bool compare, struct why *ret_why)
{
	const struct sensor_netlink_options o = {
		.proctab = p->o.proctab,
		.clock = p->o.clock,
		.exec = compare ? on_exec : NULL,
		.lost = compare ? on_lost : NULL,
		.tick = compare ? on_tick : NULL,
		.ctx = p,
	};

	p->netlink = sensor_netlink_free(p->netlink);
	return sensor_netlink_open(p->base, &o, &p->sink, &p->netlink, ret_why);
}

int exec_pair_open(struct event_base *base, const struct exec_pair_options *o,
		   const struct measure_sink *sink, struct exec_pair **ret, struct why *ret_why)
{
	struct exec_pair *p = calloc(1, sizeof(*p));
	const struct corroborate_options c = {
		.proctab = o->proctab, .clock = o->clock, .empty = on_empty, .ctx = p};
	struct audit_match_options audit = {.proctab = o->proctab,
					    .clock = o->clock,
					    .empty = on_audit_empty,
					    .state = on_audit_state,
					    .ctx = p};
	int r;

	if (!p)
		return -ENOMEM;
	p->o = *o;
	p->base = base;
	p->sink = *sink;
	r = corroborate_open(&c, sink, &p->corroborate);
	if (r >= 0)
		r = audit_match_open(&audit, sink, &p->audit);
	if (r >= 0)
		r = open_connector(p, true, ret_why);
	if (r < 0) {
		on_audit_state(p, false,
			       "it is compared beside the process connector, which is absent");
		exec_pair_free(p);
		return r;
	}
	*ret = p;
	return 0;
}

struct exec_pair *exec_pair_free(struct exec_pair *p)
{
	if (!p)
		return NULL;
	sensor_netlink_free(p->netlink);
	audit_match_free(p->audit);
	corroborate_free(p->corroborate);
	free(p->counters);
	free(p);
	return NULL;
}

/*
 * The lesser form (lockdown=confidentiality) tells an exec when the kernel has decided for it. It can fail after that, and the process dies; the
 * connector tells those alone that went well.
 */
static bool tells_early(const struct loader *l)
{
	for (uint32_t i = 0; i < loader_n_programs(l); i++) {
		const struct loader_program *p = loader_program_at(l, i);

		if (strcmp(p->name, "plumb_exec") == 0)
			return p->stands_in;
	}
	return false;
}

int exec_pair_bpf(struct exec_pair *p, struct sensor_bpf *bpf, struct why *ret_why)
{
	p->bpf = bpf;
	if (!bpf) {
		on_audit_state(p, false, "there are no kernel programs to compare with");
		return open_connector(p, false, ret_why);
	}
	if (tells_early(sensor_bpf_loader(bpf)))
		corroborate_early(p->corroborate);
	p->counters = calloc(loader_n_cpus(sensor_bpf_loader(bpf)), sizeof(*p->counters));
	return p->counters ? 0 : -ENOMEM;
}
