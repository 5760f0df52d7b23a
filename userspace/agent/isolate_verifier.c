/* SPDX-License-Identifier: Apache-2.0 */
#include "isolate_verifier.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "log.h"

void isolate_verifier_load(struct isolate_verifier *v)
{
	struct isolate_proven *p = &v->proven;
	const char *url = v->url ? v->url : "";
	struct why why = {""};
	int r = isolate_proven_load(v->io, v->state_dir, p, &why);

	if (r < 0 && r != -ENOENT)
		log_warning("isolation addresses=unread error=\"%s\" next=\"the verifier's name is "
			    "asked for\"",
			    why.text[0] ? why.text : strerror(-r));
	/* Another verifier's are none of this one's. */
	if (r < 0 || strcmp(p->verifier, url) != 0)
		*p = (struct isolate_proven){.n = 0};
	snprintf(p->verifier, sizeof(p->verifier), "%s", url);
}

int isolate_verifier_begin(struct isolate_verifier *v, struct isolate_state *s, struct why *ret_why)
{
	int r = 0;

	for (uint32_t i = 0; i < v->proven.n; i++)
		isolate_cut_add(s, v->proven.address[i]);
	if (s->n_verifier == 0)
		r = isolate_cut_find(v->cut, s, ret_why);
	v->looked_ns = clock_boot_ns(v->clock);
	v->at = 0;
	v->asked = false;
	return r;
}

bool isolate_verifier_heard(struct isolate_verifier *v, struct isolate_state *s,
			    const char *address)
{
	v->heard_ns = clock_boot_ns(v->clock);
	v->asked = false;
	if (isolate_proven_add(&v->proven, address) &&
	    isolate_proven_keep(v->io, v->state_dir, &v->proven) < 0)
		log_warning("isolation addresses=unkept next=\"a restart does not know where the "
			    "verifier was\"");
	return s && isolate_cut_add(s, address);
}

/* n: of the addresses; what was found after them comes next, and then the name. */
static void move_on(struct isolate_verifier *v, uint32_t n)
{
	v->at = v->at < n ? v->at + 1 : 0;
	v->asked = false;
}

bool isolate_verifier_look(struct isolate_verifier *v, struct isolate_state *s)
{
	uint32_t n = s->n_verifier;
	uint64_t wait_ms = n == 0 ? ISOLATE_VERIFIER_NONE_MS : ISOLATE_VERIFIER_SILENT_MS;
	uint64_t last = v->looked_ns > v->heard_ns ? v->looked_ns : v->heard_ns;

	if (clock_boot_ns(v->clock) - last < wait_ms * UINT64_C(1000000))
		return false;
	(void)isolate_cut_find(v->cut, s, NULL);
	v->looked_ns = clock_boot_ns(v->clock);
	/* Whoever is there answers, and it is of no use. Evidence may be due less often than this. */
	if (v->asked)
		move_on(v, n);
	if (s->n_verifier == n)
		return false;
	log_warning("isolation verifier=\"looked up\" address=%s addresses=%u next=\"let through "
		    "beside those from before\"",
		    s->verifier[n], s->n_verifier);
	return true;
}

const char *isolate_verifier_at(struct isolate_verifier *v, const struct isolate_state *s,
				bool failed)
{
	if (failed)
		move_on(v, s->n_verifier);
	v->asked = true;
	return v->at < s->n_verifier ? s->verifier[v->at] : NULL;
}
