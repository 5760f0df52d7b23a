/* SPDX-License-Identifier: Apache-2.0 */
#include "standing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

struct standing {
	struct standing_options o;
	struct event *timer;
	uint64_t
		since_ns; /* boot time of the first such drift that the verifier has not got; 0: none */
	uint64_t size; /* of the ledger with it */
	uint64_t heard_ns; /* of the last word of the verifier, or of the start */
	char key[STANDING_REASON - 64];
};

static bool is_critical(const struct standing *s, const char *key)
{
	for (uint32_t i = 0; i < s->o.n_keys; i++)
		if (strncmp(key, s->o.keys[i], strlen(s->o.keys[i])) == 0)
			return true;
	return false;
}

/* Boot time counts a suspend, during which nobody could be reached: then the verifier gets the same time once more. */
static void arm(struct standing *s)
{
	uint64_t now = clock_boot_ns(s->o.clock), until = s->o.after_ms * 1000000;
	uint64_t from = s->since_ns > s->heard_ns ? s->since_ns : s->heard_ns, left;
	struct timeval tv;

	left = now - from >= until ? 0 : until - (now - from);
	tv = (struct timeval){(time_t)(left / 1000000000),
			      (suseconds_t)(left % 1000000000 / 1000 + 1000)};
	event_add(s->timer, &tv);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct standing *s = ctx;
	char reason[STANDING_REASON];
	uint64_t now = clock_boot_ns(s->o.clock), until = s->o.after_ms * 1000000;

	(void)fd;
	(void)what;
	if (!s->since_ns)
		return;
	if (now - s->since_ns < until || now - s->heard_ns < until) {
		arm(s);
		return;
	}
	s->since_ns = 0;
	snprintf(reason, sizeof(reason), "%s, and no verifier for %llu s", s->key,
		 (unsigned long long)((now - s->heard_ns) / 1000000000));
	log_warning("standing order=carried_out reason=\"%s\"", reason);
	s->o.act(s->o.ctx, reason);
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
	s->size = size;
	snprintf(s->key, sizeof(s->key), "%.*s", (int)sizeof(s->key) - 1, l->key);
	arm(s);
}

void standing_heard(struct standing *s, uint64_t size)
{
	if (!s)
		return;
	s->heard_ns = clock_boot_ns(s->o.clock);
	/* Evidence may have been on its way when the drift came. */
	if (size < s->size)
		return;
	s->since_ns = 0;
	event_del(s->timer);
}
