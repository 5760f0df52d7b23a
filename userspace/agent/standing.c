/* SPDX-License-Identifier: Apache-2.0 */
#include "standing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "standing_state.h"

#define NS_PER_MS 1000000u
/* A start gives the verifier so long at least, once a boot: it could not be reached while the agent did not run. */
#define START_NS 60000000000u
#define UNREADABLE STANDING_STATE_FILE " cannot be read" /* in place of a drift's key */

struct standing {
	struct standing_options o;
	struct event *timer;
	uint64_t
		since_ns; /* boot time of the first such drift that the verifier has not got; 0: none */
	uint64_t size; /* of the ledger with it */
	uint64_t heard_ns; /* of the last word of the verifier, or of the start */
	uint64_t not_before_ns; /* boot time; of a drift that was found at the start */
	uint64_t utc_ns; /* of the drift, for who reads the file */
	bool waited; /* as standing_state.h has it */
	char key[STANDING_REASON - 64];
};

static bool is_critical(const struct standing *s, const char *key)
{
	for (uint32_t i = 0; i < s->o.n_keys; i++)
		if (strncmp(key, s->o.keys[i], strlen(s->o.keys[i])) == 0)
			return true;
	return false;
}

static uint64_t due_ns(const struct standing *s)
{
	uint64_t from = s->since_ns > s->heard_ns ? s->since_ns : s->heard_ns;
	uint64_t due = from + s->o.after_ms * NS_PER_MS;

	return due > s->not_before_ns ? due : s->not_before_ns;
}

/* Boot time counts a suspend, during which nobody could be reached: then the verifier gets the same time once more. */
static void arm(struct standing *s)
{
	uint64_t now = clock_boot_ns(s->o.clock), due = due_ns(s), left;
	struct timeval tv;

	left = now >= due ? 0 : due - now;
	tv = (struct timeval){(time_t)(left / 1000000000),
			      (suseconds_t)(left % 1000000000 / 1000 + 1000)};
	event_add(s->timer, &tv);
}

static void keep(const struct standing *s)
{
	struct standing_state k = {.utc_ns = s->utc_ns,
				   .since_ns = s->since_ns,
				   .heard_ns = s->heard_ns,
				   .size = s->size,
				   .waited = s->waited};
	int r;

	memcpy(k.boot_id, s->o.boot_id, sizeof(k.boot_id));
	snprintf(k.key, sizeof(k.key), "%s", s->key);
	r = standing_state_keep(s->o.io, s->o.state_dir, &k);
	if (r < 0)
		log_error("standing file=%s error=\"%s\" next=\"a restart forgets it\"",
			  STANDING_STATE_FILE, strerror(-r));
}

static void forget(struct standing *s)
{
	int r = standing_state_remove(s->o.io, s->o.state_dir);

	s->since_ns = 0;
	s->not_before_ns = 0;
	s->waited = false;
	if (r < 0)
		log_error("standing file=%s error=\"%s\" next=\"a restart takes it for one that is "
			  "not known yet\"",
			  STANDING_STATE_FILE, strerror(-r));
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct standing *s = ctx;
	char reason[STANDING_REASON];
	uint64_t now = clock_boot_ns(s->o.clock);

	(void)fd;
	(void)what;
	if (!s->since_ns)
		return;
	if (now < due_ns(s)) {
		arm(s);
		return;
	}
	snprintf(reason, sizeof(reason), "%s, and no verifier for %llu s", s->key,
		 (unsigned long long)((now - s->heard_ns) / 1000000000));
	log_warning("standing order=carried_out reason=\"%s\"", reason);
	s->o.act(s->o.ctx, reason);
	/* Not before: what is done is kept by then. */
	forget(s);
}

/* Times of another boot, or of later than now, say nothing here: it counts anew from now, as what cannot be read does. */
static void count(struct standing *s, const struct standing_state *k)
{
	uint64_t now = clock_boot_ns(s->o.clock), start = s->o.after_ms * NS_PER_MS;
	bool same = memcmp(k->boot_id, s->o.boot_id, sizeof(k->boot_id)) == 0 && k->since_ns &&
		    k->since_ns <= now && k->heard_ns <= now;

	s->since_ns = same ? k->since_ns : now;
	s->heard_ns = same ? k->heard_ns : now;
	if (!same || !k->waited)
		s->not_before_ns = now + (start < START_NS ? start : START_NS);
	s->waited = same;
}

static void load(struct standing *s)
{
	struct standing_state k = {.size = s->o.size};
	struct why why = {""};
	int r = standing_state_load(s->o.io, s->o.state_dir, &k, &why);

	if (r == -ENOENT)
		return;
	if (r < 0) {
		log_error("standing file=refused error=\"%s\" next=\"it is taken for a drift of "
			  "now\"",
			  why.text);
		snprintf(k.key, sizeof(k.key), UNREADABLE);
		k.utc_ns = clock_utc_ns(s->o.clock);
	} else if (!is_critical(s, k.key) && strcmp(k.key, UNREADABLE) != 0) {
		forget(s); /* the settings call it so no more */
		return;
	}
	/* A ledger that was begun anew never grows to what an old one had. */
	s->utc_ns = k.utc_ns;
	s->size = k.size < s->o.size ? k.size : s->o.size;
	snprintf(s->key, sizeof(s->key), "%.*s", (int)sizeof(s->key) - 1, k.key);
	count(s, &k);
	log_warning("standing order=kept drift=\"%s\" next=\"it is carried out unless the verifier "
		    "is heard\"",
		    s->key);
	keep(s);
	arm(s);
}

int standing_open(struct event_base *base, const struct standing_options *o, struct standing **ret)
{
	struct standing *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->o = *o;
	s->heard_ns = clock_boot_ns(o->clock);
	s->timer = evtimer_new(base, on_timer, s);
	if (!s->timer) {
		free(s);
		return -ENOMEM;
	}
	load(s);
	*ret = s;
	return 0;
}

struct standing *standing_free(struct standing *s)
{
	if (!s)
		return NULL;
	event_free(s->timer);
	free(s);
	return NULL;
}

void standing_drift(struct standing *s, const struct line *l, uint64_t size)
{
	if (!s || s->since_ns || !l->key || !is_critical(s, l->key))
		return;
	s->since_ns = clock_boot_ns(s->o.clock);
	s->utc_ns = clock_utc_ns(s->o.clock);
	s->size = size;
	snprintf(s->key, sizeof(s->key), "%.*s", (int)sizeof(s->key) - 1, l->key);
	keep(s);
	arm(s);
}

void standing_heard(struct standing *s, uint64_t size)
{
	if (!s)
		return;
	s->heard_ns = clock_boot_ns(s->o.clock);
	if (!s->since_ns)
		return;
	/* Evidence may have been on its way when the drift came. */
	if (size < s->size) {
		keep(s);
		return;
	}
	forget(s);
	event_del(s->timer);
}
