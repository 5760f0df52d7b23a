/* SPDX-License-Identifier: Apache-2.0 */
#include "sensors_net.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "log.h"
#include "sensor_audit.h"
#include "sensor_nft.h"
#include "sensor_route.h"
#include "sensor_uevent.h"

struct sensors_net {
	struct sensors_net_options o;
	struct measure_sink sink;
	struct sensor_uevent *uevent;
	struct sensor_route *route;
	struct sensor_nft *nft;
	struct sensor_audit *audit;
};

static int on_claim(void *ctx, const struct line *l)
{
	return scan_claims_take(((struct sensors_net *)ctx)->o.claims, l);
}

static void on_lost(void *ctx, const char *src, uint64_t n, const char *what)
{
	struct sensors_net *s = ctx;

	s->sink.lost(s->sink.ctx, src, n, what);
}

static void tell_sensor(struct scan_claims *claims, const char *name, int r, const char *why)
{
	if (r < 0 && scan_claims_sensor(claims, name, false, why) > 0)
		log_warning("sensor=%s absent=\"%s\" next=\"goes on without it; it is a claim in "
			    "the ledger\"",
			    name, why);
	else if (r >= 0)
		scan_claims_sensor(claims, name, true, "");
}

static void on_nft_attached(void *ctx, bool attached, const char *absent_why)
{
	struct sensors_net *s = ctx;

	tell_sensor(s->o.claims, "nftables", attached ? 0 : -ENOTSUP, absent_why);
}

static void on_module(void *ctx)
{
	struct sensors_net *s = ctx;

	if (s->nft)
		sensor_nft_again(s->nft);
}

static int open_uevent(struct sensors_net *s, struct event_base *base, struct why *ret_why)
{
	const struct sensor_uevent_options o = {.clock = s->o.clock,
						.receive_size = s->o.receive_size,
						.loaded = on_module,
						.ctx = s};

	return sensor_uevent_open(base, &o, &s->sink, &s->uevent, ret_why);
}

static int open_route(struct sensors_net *s, struct event_base *base, struct why *ret_why)
{
	const struct sensor_route_options o = {.clock = s->o.clock,
					       .interval_ms = s->o.interval_ms,
					       .receive_size = s->o.receive_size,
					       .claim = on_claim,
					       .lost = on_lost,
					       .ctx = s};

	return sensor_route_open(base, &o, &s->route, ret_why);
}

/* It says itself whether it is attached. */
static int open_nft(struct sensors_net *s, struct event_base *base, struct why *ret_why)
{
	const struct sensor_nft_options o = {.proctab = s->o.proctab,
					     .clock = s->o.clock,
					     .interval_ms = s->o.interval_ms,
					     .receive_size = s->o.receive_size,
					     .claim = on_claim,
					     .lost = on_lost,
					     .attached = on_nft_attached,
					     .ctx = s};

	return sensor_nft_open(base, &o, &s->nft, ret_why);
}

static int open_audit(struct sensors_net *s, struct event_base *base, struct why *ret_why)
{
	const struct sensor_audit_options o = {.proctab = s->o.proctab,
					       .clock = s->o.clock,
					       .receive_size = s->o.receive_size,
					       .exec = s->o.audit_exec,
					       .ctx = s->o.audit_ctx};

	return sensor_audit_open(base, &o, &s->sink, &s->audit, ret_why);
}

struct sensors_net *sensors_net_open(struct event_base *base, const struct sensors_net_options *o,
				     const struct measure_sink *sink)
{
	static const char *const names[] = {"uevent", "rtnetlink", "nftables", "audit"};
	int (*const open[])(struct sensors_net *, struct event_base *,
			    struct why *) = {open_uevent, open_route, open_nft, open_audit};
	struct sensors_net *s = calloc(1, sizeof(*s));

	if (s) {
		s->o = *o;
		s->sink = *sink;
	}
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct why why = {"out of memory"};
		int r = s ? open[i](s, base, &why) : -ENOMEM;

		if (r < 0 || open[i] != open_nft)
			tell_sensor(o->claims, names[i], r, why.text);
	}
	return s;
}

struct sensors_net *sensors_net_free(struct sensors_net *s)
{
	if (!s)
		return NULL;
	sensor_audit_free(s->audit);
	sensor_nft_free(s->nft);
	sensor_route_free(s->route);
	sensor_uevent_free(s->uevent);
	free(s);
	return NULL;
}

const struct measure_sink *sensors_net_tap(struct sensors_net *s, const struct measure_sink *sink)
{
	return s && s->uevent ? sensor_uevent_tap(s->uevent) : sink;
}

/* A kernel may have refused the one program that tells of modules. */
void sensors_net_bpf(struct sensors_net *s, const struct sensor_bpf *bpf)
{
	const struct loader *l = bpf ? sensor_bpf_loader(bpf) : NULL;
	bool there = false;

	for (uint32_t i = 0; l && i < loader_n_programs(l); i++) {
		const struct loader_program *p = loader_program_at(l, i);

		there |= p->attached && strcmp(p->name, "plumb_module") == 0;
	}
	if (s && s->uevent)
		sensor_uevent_compare(s->uevent, there);
}
