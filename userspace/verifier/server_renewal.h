/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server_renewal.h: the certificate that the verifier shows does not end while it serves: looked at each hour, issued anew in its last 30
 * days, shown from the next connection on. In: main's tick, on the loop. Out: server.crt, the certificate for who shows it, log lines.
 */
#ifndef PLUMB_SERVER_RENEWAL_H
#define PLUMB_SERVER_RENEWAL_H

#include "clock.h"
#include "verifier_setup.h"
#include <stdbool.h>

struct server_renewal { /* all borrowed; the keys' server_pem is replaced */
	const struct fsio *io;
	const struct clock *clock;
	const char *dir;
	const struct conf_list *hosts;
	struct verifier_keys *keys;
	int (*show)(void *ctx, const char *cert_pem, struct why *ret_why);
	void *ctx;
	/* Its own. */
	uint64_t next_ns; /* by the time since the boot */
	bool unshown;
};

void server_renewal_tick(struct server_renewal *s);

#endif
