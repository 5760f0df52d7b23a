/* SPDX-License-Identifier: Apache-2.0 */
#include "bootlog_replay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "digest.h"
#include "digest_bank.h"

#define LOCALITY "StartupLocality"
#define LOCALITY_SIZE (sizeof(LOCALITY) + 1)

struct bootlog_replay {
	uint32_t bank;
	bool located; /* a StartupLocality came */
	struct digest_bank *hash;
	struct bootlog_pcrs pcrs;
};

DEFINE_CLEANUP(struct bootlog_replay *, bootlog_replay_free);

int bootlog_replay_open(const struct bootlog *b, uint32_t bank, struct bootlog_replay **ret)
{
	struct bootlog_replay *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	p->bank = bank;
	p->pcrs.alg = b->banks[bank].alg;
	p->pcrs.size = b->banks[bank].size;
	r = digest_bank_open(p->pcrs.alg, &p->hash);
	if (r < 0) {
		bootlog_replay_free(p);
		return r;
	}
	*ret = p;
	return 0;
}

struct bootlog_replay *bootlog_replay_free(struct bootlog_replay *p)
{
	if (p)
		digest_bank_free(p->hash);
	free(p);
	return NULL;
}

/* TPM2_Startup's locality, which the register started with. Anything else that is not extended carries no weight. */
static int take_locality(struct bootlog_replay *p, const struct bootlog_event *e,
			 struct why *ret_why)
{
	uint8_t locality;

	if (e->data.size < sizeof(LOCALITY) ||
	    memcmp(e->data.data, LOCALITY, sizeof(LOCALITY)) != 0)
		return 0;
	if (e->pcr != 0 || e->data.size != LOCALITY_SIZE)
		return bootlog_fault(e, ret_why, "StartupLocality of PCR %u with %zu bytes", e->pcr,
				     e->data.size);
	if (p->located)
		return bootlog_fault(e, ret_why, "a second StartupLocality");
	if (p->pcrs.n[0] > 0)
		return bootlog_fault(e, ret_why, "StartupLocality after PCR 0 was extended");
	locality = e->data.data[sizeof(LOCALITY)];
	if (locality != 0 && locality != 3 && locality != 4)
		return bootlog_fault(e, ret_why, "StartupLocality %u", locality);
	p->located = true;
	p->pcrs.values[0][p->pcrs.size - 1] = locality;
	return 0;
}

int bootlog_replay_event(struct bootlog_replay *p, const struct bootlog_event *e,
			 struct why *ret_why)
{
	struct bootlog_pcrs *k = &p->pcrs;
	struct buf_view parts[2];
	int r;

	if (e->type == BOOTLOG_NO_ACTION)
		return take_locality(p, e, ret_why);
	parts[0] = (struct buf_view){k->values[e->pcr], k->size};
	parts[1] = (struct buf_view){e->digests[p->bank], k->size};
	r = digest_bank_parts(p->hash, parts, 2, k->values[e->pcr]);
	if (r < 0)
		return why_set(ret_why, r, "boot log: a digest could not be made");
	k->mask |= 1u << e->pcr;
	if (k->n[e->pcr]++ == 0)
		k->first[e->pcr] = e->number;
	k->last[e->pcr] = e->number;
	return 0;
}

const struct bootlog_pcrs *bootlog_replay_pcrs(const struct bootlog_replay *p)
{
	return &p->pcrs;
}

static int replay_bank(struct bootlog b, uint32_t bank, struct bootlog_pcrs *ret,
		       struct why *ret_why)
{
	CLEANUP(bootlog_replay_free_p) struct bootlog_replay *p = NULL;
	struct bootlog_event e;
	int r = bootlog_replay_open(&b, bank, &p);

	if (r < 0)
		return r;
	while ((r = bootlog_next(&b, &e, ret_why)) > 0) {
		r = bootlog_replay_event(p, &e, ret_why);
		if (r < 0)
			return r;
	}
	if (r >= 0)
		*ret = p->pcrs;
	return r;
}

int bootlog_replay_all(const void *data, size_t size, unsigned int flags, struct bootlog_pcrs *ret,
		       uint32_t *ret_n, struct why *ret_why)
{
	struct bootlog b;
	uint32_t n = 0;
	int r = bootlog_open(data, size, flags, &b, ret_why);

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < b.n_banks; i++) {
		r = replay_bank(b, i, &ret[n], ret_why);
		if (r == -EOPNOTSUPP)
			continue;
		if (r < 0)
			return r;
		n++;
	}
	*ret_n = n;
	return 0;
}

static int tell(const struct bootlog_pcrs *k, uint32_t pcr, const uint8_t value[32], uint32_t met,
		struct why *ret)
{
	static const uint8_t zeros[32];
	char hex[65];

	digest_bytes_hex(value, 32, hex);
	if (k->n[pcr] == 0)
		return why_set(ret, 0, "PCR %u: no event is of it, and the quote has %s", pcr, hex);
	if (met)
		return why_set(ret, 0,
			       "PCR %u: the quote has what it was after event %u, and events up to "
			       "%u say that they were measured, too",
			       pcr, met, k->last[pcr]);
	if (memcmp(value, zeros, 32) == 0)
		return why_set(
			ret, 0,
			"PCR %u: events %u to %u say that they were measured, and nothing was", pcr,
			k->first[pcr], k->last[pcr]);
	return why_set(ret, 0, "PCR %u: its %u events, %u to %u, do not come to the quote's %s",
		       pcr, k->n[pcr], k->first[pcr], k->last[pcr], hex);
}

int bootlog_replay_explain(const void *data, size_t size, unsigned int flags, uint32_t pcr,
			   const uint8_t value[32], struct why *ret)
{
	CLEANUP(bootlog_replay_free_p) struct bootlog_replay *p = NULL;
	struct bootlog_event e;
	struct bootlog b;
	uint32_t met = 0;
	int bank, r = bootlog_open(data, size, flags, &b, ret);

	if (r < 0)
		return r;
	bank = bootlog_bank(&b, BOOTLOG_SHA256);
	r = bank < 0 ? bank : bootlog_replay_open(&b, (uint32_t)bank, &p);
	while (r >= 0 && (r = bootlog_next(&b, &e, ret)) > 0) {
		r = bootlog_replay_event(p, &e, ret);
		if (r >= 0 && e.pcr == pcr && memcmp(p->pcrs.values[pcr], value, 32) == 0)
			met = e.number;
	}
	return r < 0 ? r : tell(&p->pcrs, pcr, value, met, ret);
}
