/* SPDX-License-Identifier: Apache-2.0 */
#include "appraise_counters.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

void appraise_counters_done(struct appraise_counters *s)
{
	free(s->cpus);
	*s = (struct appraise_counters){.ksess = 0};
}

int appraise_counters_write(const struct appraise_counters *s, struct buf *ret)
{
	buf_put_u64be(ret, s->ksess);
	buf_put_u8(ret, s->started);
	buf_put_u32be(ret, s->n_cpus);
	for (uint32_t i = 0; i < s->n_cpus; i++) {
		const struct appraise_counters_cpu *c = &s->cpus[i];
		const uint64_t all[] = {c->kseq,    c->attempts, c->dropped,	 c->received,
					c->settled, c->due,	 c->due_since_ns};

		for (size_t k = 0; k < ARRAY_SIZE(all); k++)
			buf_put_u64be(ret, all[k]);
	}
	return buf_status(ret);
}

static int read_cpu(struct buf_reader *b, struct appraise_counters_cpu *c)
{
	uint64_t *const all[] = {&c->kseq,    &c->attempts, &c->dropped,     &c->received,
				 &c->settled, &c->due,	    &c->due_since_ns};
	int r = 0;

	for (size_t k = 0; k < ARRAY_SIZE(all) && r >= 0; k++)
		r = buf_read_u64be(b, all[k]);
	return r;
}

int appraise_counters_read(struct buf_reader *b, struct appraise_counters *ret)
{
	struct appraise_counters s = {.ksess = 0};
	uint8_t started;
	uint32_t n;
	int r = 0;

	if (buf_read_u64be(b, &s.ksess) < 0 || buf_read_u8(b, &started) < 0 || started > 1 ||
	    buf_read_u32be(b, &n) < 0 || n > APPRAISE_COUNTERS_MAX_CPUS)
		return -EBADMSG;
	s.started = started;
	s.n_cpus = n;
	s.cpus = n > 0 ? calloc(n, sizeof(*s.cpus)) : NULL;
	if (n > 0 && !s.cpus)
		return -ENOMEM;
	for (uint32_t i = 0; i < n && r >= 0; i++)
		r = read_cpu(b, &s.cpus[i]);
	if (r < 0) {
		free(s.cpus);
		return r;
	}
	*ret = s;
	return 0;
}

/* The first thing that does not add up is told: what follows is often only its echo. */
#define SAY(found, ...)                                 \
	do {                                            \
		if (!(found)->text[0])                  \
			why_set(found, 0, __VA_ARGS__); \
	} while (0)

/* Numbers begin anew with each load of the programs, and only a start of the agent may load them. */
static int session(struct appraise_counters *s, uint64_t ksess, uint32_t cpu, struct why *found,
		   struct appraise_counters_cpu **ret)
{
	struct appraise_counters_cpu *more;

	if (ksess != s->ksess) {
		if (s->ksess != 0 && !s->started)
			SAY(found,
			    "kernel programs were loaded anew (session %016" PRIx64
			    " after %016" PRIx64 ") without a start of the agent",
			    ksess, s->ksess);
		s->ksess = ksess;
		s->started = false;
		s->n_cpus = 0;
	}
	if (cpu >= APPRAISE_COUNTERS_MAX_CPUS) {
		SAY(found, "CPU %u is none", cpu);
		*ret = NULL;
		return 0;
	}
	if (cpu >= s->n_cpus) {
		more = realloc(s->cpus, (cpu + 1) * sizeof(*more));
		if (!more)
			return -ENOMEM;
		memset(more + s->n_cpus, 0, (cpu + 1 - s->n_cpus) * sizeof(*more));
		s->cpus = more;
		s->n_cpus = cpu + 1;
	}
	*ret = &s->cpus[cpu];
	return 0;
}

int appraise_counters_line(struct appraise_counters *s, const struct line *l, struct why *ret_found)
{
	struct appraise_counters_cpu *c;
	int r;

	ret_found->text[0] = 0;
	if (!l->has_kernel)
		return 0;
	r = session(s, l->ksess, l->cpu, ret_found, &c);
	if (r < 0 || !c)
		return r;
	/* Neighbours may swap places on their way through the ring, so smaller is not wrong as such. */
	if (l->kseq == c->kseq)
		SAY(ret_found, "event %" PRIu64 " of CPU %u was told twice", l->kseq, l->cpu);
	else if (l->kseq <= c->settled)
		SAY(ret_found,
		    "event %" PRIu64 " of CPU %u comes after all up to %" PRIu64 " had arrived",
		    l->kseq, l->cpu, c->settled);
	if (l->kseq > c->kseq)
		c->kseq = l->kseq;
	return 0;
}

/* What was attempted must come to be received or dropped, if not at once. A jammed ring never delivers it. */
static void check_arrival(struct appraise_counters_cpu *c, const struct appraise_counters_cpu *now,
			  const struct line *l, uint32_t cpu, struct why *found)
{
	uint64_t arrived = now->received + now->dropped;

	if (arrived >= now->attempts) {
		c->settled = now->attempts;
		c->due = 0;
	} else if (c->due == 0 || arrived >= c->due) {
		c->due = now->attempts;
		c->due_since_ns = l->boot_ns;
	} else if (l->boot_ns - c->due_since_ns > APPRAISE_COUNTERS_LAG_NS) {
		SAY(found,
		    "CPU %u: %" PRIu64 " of %" PRIu64 " events were neither received nor dropped",
		    cpu, c->due - arrived, c->due);
		c->due = now->attempts;
		c->due_since_ns = l->boot_ns;
	}
}

int appraise_counters_counters(struct appraise_counters *s, const struct line *l, const json_t *o,
			       uint64_t *ret_dropped, struct why *ret_found, struct why *ret_why)
{
	struct appraise_counters_cpu *c, now = {.kseq = 0};
	uint8_t bytes[8];
	uint64_t ksess = 0;
	uint32_t cpu;
	int r = jsonl_get_hex(o, "session", bytes, sizeof(bytes), ret_why);

	ret_found->text[0] = 0;
	if (r >= 0)
		r = jsonl_get_u32(o, "on_cpu", &cpu, ret_why);
	if (r >= 0)
		r = jsonl_get_uint(o, "attempts", INT64_MAX, &now.attempts, ret_why);
	if (r >= 0)
		r = jsonl_get_uint(o, "dropped", INT64_MAX, &now.dropped, ret_why);
	if (r >= 0)
		r = jsonl_get_uint(o, "received", INT64_MAX, &now.received, ret_why);
	if (r < 0)
		return -EBADMSG;
	for (int i = 0; i < 8; i++)
		ksess = ksess << 8 | bytes[i];
	r = session(s, ksess, cpu, ret_found, &c);
	if (r < 0 || !c)
		return r;
	if (now.attempts < c->attempts || now.dropped < c->dropped || now.received < c->received)
		SAY(ret_found, "counters of CPU %u went back", (uint32_t)cpu);
	if (now.received + now.dropped > now.attempts)
		SAY(ret_found, "CPU %u: more arrived than was attempted", (uint32_t)cpu);
	if (c->kseq > now.attempts)
		SAY(ret_found,
		    "CPU %u counted %" PRIu64 " events, and event %" PRIu64 " was told before",
		    (uint32_t)cpu, now.attempts, c->kseq);
	check_arrival(c, &now, l, (uint32_t)cpu, ret_found);
	if (now.dropped > c->dropped)
		*ret_dropped = now.dropped - c->dropped;
	c->attempts = now.attempts;
	c->dropped = now.dropped;
	c->received = now.received;
	return 0;
}
