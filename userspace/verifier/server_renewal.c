/* SPDX-License-Identifier: Apache-2.0 */
#include "server_renewal.h"

#include <errno.h>
#include <string.h>

#include "log.h"

#define HOUR_NS (3600 * 1000000000ull)

static int show(struct server_renewal *s, struct why *ret_why)
{
	int r = s->show(s->ctx, (char *)s->keys->server_pem.data, ret_why);

	if (r < 0)
		return r;
	s->unshown = false;
	log_notice("server_certificate=renewed");
	return 0;
}

static void look(struct server_renewal *s, struct why *ret_why, uint64_t *ret_hours)
{
	int r = verifier_setup_renew(s->io, s->dir, s->hosts, clock_utc_ns(s->clock) / 1000000000,
				     s->keys, ret_why);

	if (r == -ENODATA) {
		log_warning("server_certificate=ending error=\"%s\" next=\"nobody is let in when "
			    "it is over: name hosts, and start again\"",
			    ret_why->text);
		*ret_hours = 24;
		return;
	}
	s->unshown |= r > 0;
	if (r >= 0 && s->unshown)
		r = show(s, ret_why);
	if (r < 0)
		log_error("server_certificate=old error=\"%s\" next=\"tried again in an hour\"",
			  ret_why->text[0] ? ret_why->text : strerror(-r));
}

void server_renewal_tick(struct server_renewal *s)
{
	uint64_t now_ns = clock_boot_ns(s->clock), hours = 1;
	struct why why = {""};

	if (now_ns < s->next_ns)
		return;
	look(s, &why, &hours);
	s->next_ns = now_ns + hours * HOUR_NS;
}
