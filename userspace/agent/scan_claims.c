/* SPDX-License-Identifier: Apache-2.0 */
#include "scan_claims.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "claims_binfmt.h"
#include "claims_boot.h"
#include "claims_host.h"
#include "claims_kernel.h"
#include "cleanup.h"
#include "log.h"

#define BUCKETS (2 * SCAN_CLAIMS_MAX)
#define NONE UINT32_MAX
#define SOON_MS 200

struct claim {
	char *key, *value;
	bool seen; /* since scan_claims_begin() of its prefix */
	uint32_t chain;
};

struct scan_claims {
	struct scan_claims_options o;
	struct measure_sink sink;
	char **sysctls;
	uint32_t n_sysctls;
	char *proc, *sys;
	struct event *timer, *soon;
	void (*who)(void *ctx, struct line *l);
	void *who_ctx;
	struct claim claims[SCAN_CLAIMS_MAX];
	uint32_t n, buckets[BUCKETS]; /* every key is looked up at every scan */
};

static uint32_t *bucket_of(struct scan_claims *s, const char *key)
{
	uint32_t h = 2166136261u;

	for (; *key; key++)
		h = (h ^ (uint8_t)*key) * 16777619u;
	return &s->buckets[h % BUCKETS];
}

static struct claim *find(struct scan_claims *s, const char *key)
{
	for (uint32_t i = *bucket_of(s, key); i != NONE; i = s->claims[i].chain)
		if (strcmp(s->claims[i].key, key) == 0)
			return &s->claims[i];
	return NULL;
}

static struct line claim_line(struct scan_claims *s, const char *key, const char *value)
{
	return (struct line){
		.utc_ns = clock_utc_ns(s->o.clock),
		.boot_ns = clock_boot_ns(s->o.clock),
		.src = "scan",
		.type = PLUMB_TYPE_CLAIM,
		.scope = "host",
		.key = key,
		.found = value,
	};
}

const char *scan_claims_value(struct scan_claims *s, const char *key)
{
	const struct claim *c = find(s, key);

	return c ? c->value : NULL;
}

int scan_claims_put(struct scan_claims *s, const char *key, const char *value)
{
	struct line l = claim_line(s, key, value);

	return scan_claims_take(s, &l);
}

/* 1: new, or other than before. */
static int remember(struct scan_claims *s, const char *key, const char *value)
{
	struct claim *c = find(s, key);
	char *copy;

	if (c) {
		c->seen = true;
		if (strcmp(c->value, value) == 0)
			return 0;
	} else if (s->n == SCAN_CLAIMS_MAX) {
		s->sink.lost(s->sink.ctx, "scan", 1, "a claim: too many of them");
		return -ENOSPC;
	}
	copy = strdup(value);
	if (!copy)
		return -ENOMEM;
	if (!c) {
		c = &s->claims[s->n];
		*c = (struct claim){.key = strdup(key), .seen = true, .chain = *bucket_of(s, key)};
		if (!c->key) {
			free(copy);
			return -ENOMEM;
		}
		*bucket_of(s, key) = s->n++;
	}
	free(c->value);
	c->value = copy;
	return 1;
}

int scan_claims_take(struct scan_claims *s, const struct line *l)
{
	int r = remember(s, l->key, l->found);

	if (r > 0)
		s->sink.measurement(s->sink.ctx, l);
	return r;
}

int scan_claims_note(struct scan_claims *s, const char *key, const char *value)
{
	return remember(s, key, value);
}

void scan_claims_begin(struct scan_claims *s, const char *prefix)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (strncmp(s->claims[i].key, prefix, strlen(prefix)) == 0)
			s->claims[i].seen = false;
}

int scan_claims_gone(struct scan_claims *s, const char *prefix)
{
	int told = 0;

	for (uint32_t i = 0; i < s->n; i++)
		if (!s->claims[i].seen && strncmp(s->claims[i].key, prefix, strlen(prefix)) == 0)
			told += scan_claims_put(s, s->claims[i].key, "absent") > 0;
	return told;
}

static int put_modules(struct scan_claims *s, const struct claims_source *host)
{
	bool whole = false;
	int r;

	scan_claims_begin(s, "module:");
	r = claims_host_modules(host, &whole);
	/* What could not be read is not gone. */
	return r < 0 || !whole ? r : r + scan_claims_gone(s, "module:");
}

static int put_binfmt(struct scan_claims *s, const struct claims_source *host)
{
	bool whole = false;
	int r;

	scan_claims_begin(s, "binfmt:");
	r = claims_binfmt(host, &whole);
	return r < 0 || !whole ? r : r + scan_claims_gone(s, "binfmt:");
}

void scan_claims_on_change(struct scan_claims *s, void (*who)(void *ctx, struct line *l), void *ctx)
{
	s->who = who;
	s->who_ctx = ctx;
}

static int put_found(void *ctx, const char *key, const char *value)
{
	struct scan_claims *s = ctx;
	const char *known = scan_claims_value(s, key);
	struct line l = claim_line(s, key, value);
	char before[LINE_MAX_VALUE];

	if (!s->who || !known || strcmp(known, value) == 0)
		return scan_claims_take(s, &l);
	snprintf(before, sizeof(before), "%s", known);
	l.before = before;
	s->who(s->who_ctx, &l);
	if (!l.has_actor)
		l.before = NULL;
	return scan_claims_take(s, &l);
}

struct claims_source scan_claims_source(struct scan_claims *s)
{
	return (struct claims_source){
		.proc = s->proc,
		.sys = s->sys,
		.root = s->o.root,
		.sysctls = s->o.sysctls ? (const char *const *)s->sysctls : NULL,
		.n_sysctls = s->n_sysctls,
		.put = put_found,
		.ctx = s,
	};
}

int scan_claims_now(struct scan_claims *s)
{
	const struct claims_source host = scan_claims_source(s);
	const int results[] = {
		claims_host_boot_id(&host),	claims_host_boot(&host),
		claims_host_sysctls(&host),	put_modules(s, &host),
		claims_host_microcode(&host),	claims_kernel_taint(&host),
		claims_kernel_livepatch(&host), claims_boot_ima(&host),
		put_binfmt(s, &host),
	};

	/* One that fails does not keep the others from being told. */
	return claims_source_sum(results, ARRAY_SIZE(results));
}

void scan_claims_tell_all(struct scan_claims *s)
{
	for (uint32_t i = 0; i < s->n; i++) {
		struct line l = claim_line(s, s->claims[i].key, s->claims[i].value);

		s->sink.measurement(s->sink.ctx, &l);
	}
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct scan_claims *s = ctx;
	int r = scan_claims_now(s);

	(void)fd;
	(void)what;
	if (r < 0) {
		log_error("scan=claims error=%s next=\"told as lost, tried again\"",
			  strerrorname_np(-r));
		s->sink.lost(s->sink.ctx, "scan", 1, "a scan of claims was not complete");
	}
}

static void on_soon(evutil_socket_t fd, short what, void *ctx)
{
	struct scan_claims *s = ctx;
	const struct claims_source host = scan_claims_source(s);

	(void)fd;
	(void)what;
	if (put_binfmt(s, &host) < 0)
		s->sink.lost(s->sink.ctx, "scan", 1, "binfmt_misc could not be read");
}

void scan_claims_binfmt_soon(void *ctx)
{
	struct scan_claims *s = ctx;
	const struct timeval tv = {.tv_usec = SOON_MS * 1000};

	event_add(s->soon, &tv);
}

static int take_options(struct scan_claims *s, const struct scan_claims_options *o,
			struct why *ret_why)
{
	uint32_t n = o->sysctls ? o->n_sysctls : 0;

	s->o = *o;
	s->proc = strdup(o->proc ? o->proc : "/proc");
	s->sys = strdup(o->sys ? o->sys : "/sys");
	s->sysctls = calloc(n + 1, sizeof(*s->sysctls));
	if (!s->proc || !s->sys || !s->sysctls)
		return -ENOMEM;
	for (; s->n_sysctls < n; s->n_sysctls++) {
		const char *name = o->sysctls[s->n_sysctls];

		if (!claims_host_is_sysctl(name))
			return why_set(ret_why, -EINVAL, "sysctl \"%s\": not a name", name);
		s->sysctls[s->n_sysctls] = strdup(name);
		if (!s->sysctls[s->n_sysctls])
			return -ENOMEM;
	}
	return 0;
}

int scan_claims_open(struct event_base *base, const struct scan_claims_options *o,
		     const struct measure_sink *sink, struct scan_claims **ret, struct why *ret_why)
{
	uint32_t every = o->interval_ms ? o->interval_ms : 60000;
	struct timeval tv = {.tv_sec = every / 1000, .tv_usec = every % 1000 * 1000};
	struct scan_claims *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->sink = *sink;
	for (uint32_t i = 0; i < BUCKETS; i++)
		s->buckets[i] = NONE;
	r = take_options(s, o, ret_why);
	if (r < 0)
		goto fail;
	r = scan_claims_now(s);
	if (r < 0) {
		why_set(ret_why, r, "first scan of claims: %s", strerror(-r));
		goto fail;
	}
	s->timer = event_new(base, -1, EV_PERSIST, on_timer, s);
	s->soon = evtimer_new(base, on_soon, s);
	if (!s->timer || !s->soon || event_add(s->timer, &tv) < 0) {
		r = -ENOMEM;
		goto fail;
	}
	*ret = s;
	return 0;
fail:
	scan_claims_free(s);
	return r;
}

struct scan_claims *scan_claims_free(struct scan_claims *s)
{
	if (!s)
		return NULL;
	if (s->timer)
		event_free(s->timer);
	if (s->soon)
		event_free(s->soon);
	for (uint32_t i = 0; i < s->n; i++) {
		free(s->claims[i].key);
		free(s->claims[i].value);
	}
	for (uint32_t i = 0; i < s->n_sysctls; i++)
		free(s->sysctls[i]);
	free(s->sysctls);
	free(s->proc);
	free(s->sys);
	free(s);
	return NULL;
}

int scan_claims_sensor(struct scan_claims *s, const char *name, bool attached,
		       const char *absent_why)
{
	char key[128], value[320];

	snprintf(key, sizeof(key), "sensor:%s", name);
	if (attached)
		snprintf(value, sizeof(value), "attached");
	else
		snprintf(value, sizeof(value), "absent %s", absent_why ? absent_why : "unknown");
	return scan_claims_put(s, key, value);
}

void scan_claims_tell_sensor(struct scan_claims *s, const char *name, int r, const char *why)
{
	if (r < 0)
		log_warning("sensor=%s absent=\"%s\" next=\"goes on without it; it is a claim in "
			    "the ledger\"",
			    name, why);
	scan_claims_sensor(s, name, r >= 0, r < 0 ? why : "");
}

int scan_claims_bpf(struct scan_claims *s, const struct sensor_bpf *bpf, const char *absent_why)
{
	const struct loader *l = bpf ? sensor_bpf_loader(bpf) : NULL;
	int r;

	r = scan_claims_put(s, "sensor:tier", l ? loader_tier(l) : "none");
	if (r < 0 || !l)
		return r < 0 ? r : scan_claims_sensor(s, "bpf", false, absent_why);
	r = scan_claims_sensor(s, "bpf", true, NULL);
	for (uint32_t i = 0; r >= 0 && i < loader_n_programs(l); i++) {
		const struct loader_program *p = loader_program_at(l, i);

		if (p->on_demand) /* whoever demands it tells */
			continue;
		if (p->attached && p->stands_in) {
			char key[128];

			snprintf(key, sizeof(key), "sensor:%s", p->name);
			r = scan_claims_put(s, key, "attached in a lesser form");
		} else {
			r = scan_claims_sensor(s, p->name, p->attached, p->absent_why);
		}
	}
	return r < 0 ? r : 1;
}
