/* SPDX-License-Identifier: Apache-2.0 */
#include "deeds_drain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kube_pods.h"
#include "log.h"

#define SECOND 1000000000ull

struct deeds_drain {
	struct deeds_drain_options o;
	struct kube_evict *evict;
	char id[65]; /* of the node at hand; "": none */
	bool force; /* that round deletes */
	uint64_t until_ns; /* its time, when the round began */
};

static bool is_draining(const struct contain_entry *e)
{
	return e->let && !e->unsure && e->containment == PLUMB_CONTAIN_QUARANTINED &&
	       e->life != PLUMB_LIFE_RETIRED && e->kube_name[0] && e->drain_until_ns > 0;
}

/*
 * Its name may be another machine's by now, and pods are listed by name: the object that the last look found is its own, and nothing was told of
 * another one since.
 */
static bool is_own(const struct contain_entry *e)
{
	return e->is_own && e->uid[0] && (!e->facts.uid[0] || strcmp(e->facts.uid, e->uid) == 0);
}

static void save(struct deeds_drain *d, const struct contain_entry *e)
{
	if (contain_book_save(d->o.book, e) < 0)
		log_warning("node=%s drained=unsaved", e->id);
}

static void on_round(void *ctx, int r, const struct kube_evict_round *round, const struct why *why)
{
	struct deeds_drain *d = ctx;
	struct contain_entry *e = contain_book_id(d->o.book, d->id);
	uint64_t now = clock_utc_ns(d->o.clock);

	d->id[0] = 0;
	/* From its end on, however long it took; 0: its time was over meanwhile, and it is asked at once. */
	if (e && e->asked_ns)
		e->asked_ns = clock_boot_ns(d->o.clock);
	if (r == -ECANCELED || !e || !is_draining(e) || !is_own(e))
		return;
	if (r < 0) {
		log_warning("node=%s kube_name=%s evicted=no error=\"%s\" next=\"again in %d s%s\"",
			    e->id, e->kube_name, why->text, DEEDS_DRAIN_S,
			    d->force ? "" : ", until its time is over");
		return;
	}
	if (round->asked + round->kept > 0)
		log_info("node=%s kube_name=%s evicted=%u kept=%u%s%s", e->id, e->kube_name,
			 round->asked, round->kept, round->kept ? " why=" : "",
			 round->kept ? why->text : "");
	if (d->force && round->kept == 0 && round->asked < KUBE_PODS_MAX) {
		e->cleared_ns = d->until_ns;
		save(d, e);
	}
	if (d->force)
		return;
	/* None was left that could have been asked: its time is over now. */
	if (round->asked + round->kept == 0 && e->drain_until_ns > now) {
		e->drain_until_ns = now;
		save(d, e);
		d->o.over(d->o.ctx, e);
	}
}

static void begin(struct deeds_drain *d, struct contain_entry *e, bool force)
{
	struct why why = {""};
	int r = kube_evict_start(d->evict, e->kube_name, force, on_round, d, &why);

	if (r < 0) {
		log_warning("node=%s kube_name=%s evicted=no error=\"%s\"", e->id, e->kube_name,
			    why.text);
		return;
	}
	d->force = force;
	d->until_ns = e->drain_until_ns;
	memcpy(d->id, e->id, sizeof(d->id));
}

/* NoExecute's turn comes once; what tolerates that is deleted, if it is to be, until all of it was. */
static bool wants_round(struct deeds_drain *d, struct contain_entry *e, bool over)
{
	if (over && !e->over) {
		e->over = true;
		e->asked_ns = 0;
		d->o.over(d->o.ctx, e);
	}
	return is_own(e) && (!over || (d->o.force && e->cleared_ns != e->drain_until_ns));
}

/* One round at a time: of those who are due, who was asked longest ago, so that one with many pods keeps it from nobody. */
void deeds_drain_tick(struct deeds_drain *d)
{
	uint64_t utc = clock_utc_ns(d->o.clock), boot = clock_boot_ns(d->o.clock);
	struct contain_entry *next = NULL;

	for (uint32_t i = 0; i < contain_book_n(d->o.book); i++) {
		struct contain_entry *e = contain_book_at(d->o.book, i);
		bool over = e->drain_until_ns <= utc;

		if (!is_draining(e)) {
			e->asked_ns = 0;
			e->over = false;
			continue;
		}
		if (wants_round(d, e, over) &&
		    (!e->asked_ns || boot >= e->asked_ns + DEEDS_DRAIN_S * SECOND) &&
		    (!next || e->asked_ns < next->asked_ns))
			next = e;
	}
	if (!next || d->id[0])
		return;
	next->asked_ns = boot;
	begin(d, next, next->drain_until_ns <= utc);
}

int deeds_drain_open(const struct deeds_drain_options *o, struct deeds_drain **ret,
		     struct why *ret_why)
{
	struct deeds_drain *d = calloc(1, sizeof(*d));
	int r = d ? kube_evict_open(o->kube, &d->evict, ret_why) : -ENOMEM;

	if (r < 0) {
		free(d);
		return r;
	}
	d->o = *o;
	*ret = d;
	return 0;
}

struct deeds_drain *deeds_drain_free(struct deeds_drain *d)
{
	if (!d)
		return NULL;
	kube_evict_free(d->evict);
	free(d);
	return NULL;
}
