/* SPDX-License-Identifier: Apache-2.0 */
/*
 * claims_host.h: facts about a running host as claims: the same text in the agent's scan and in a captured baseline.
 * In: /proc and /sys. Out: key and value to put; what cannot be read is "unknown <why>", never left out.
 */
#ifndef PLUMB_CLAIMS_HOST_H
#define PLUMB_CLAIMS_HOST_H

#include <stdbool.h>
#include "claims_source.h"

/* Each gives the sum of what put returned, or the first error. */
int claims_host_boot_id(const struct claims_source *s);	/* another one at each boot */
int claims_host_boot(const struct claims_source *s);	/* command line, release, lockdown, security modules */
int claims_host_sysctls(const struct claims_source *s);
int claims_host_sysctl(const struct claims_source *s, const char *name);	/* one: whether or not it is among them */
bool claims_host_has_sysctl(const struct claims_source *s, const char *name);	/* among them */
/* Those that are loaded. ret_whole, which may be NULL, is set to true when the list could be read: only then others are not loaded. */
int claims_host_modules(const struct claims_source *s, bool *ret_whole);
int claims_host_microcode(const struct claims_source *s);

bool claims_host_is_sysctl(const char *name);	/* plain, relative, short */

#endif
