/* SPDX-License-Identifier: Apache-2.0 */
/*
 * claims_host.h: facts about a running host as claims: the same text in the agent's scan and in a captured baseline.
 * In: /proc and /sys. Out: key and value to put; what cannot be read is "unknown <why>", never left out.
 */
#ifndef PLUMB_CLAIMS_HOST_H
#define PLUMB_CLAIMS_HOST_H

#include <stdbool.h>
#include <stdint.h>

struct claims_host {
	const char *proc, *sys;		/* NULL: /proc, /sys */
	const char *const *sysctls;	/* dotted names that claims_host_is_sysctl() takes; NULL: a built-in list */
	uint32_t n_sysctls;
	int (*put)(void *ctx, const char *key, const char *value);	/* 1 new, 0 known, -errno */
	void *ctx;
};

/* Each gives the sum of what put returned, or the first error. */
int claims_host_boot_id(const struct claims_host *s);	/* another one at each boot */
int claims_host_boot(const struct claims_host *s);	/* command line, release, lockdown */
int claims_host_sysctls(const struct claims_host *s);
/* Those that are loaded. ret_whole, which may be NULL, is set to true when the list could be read: only then others are not loaded. */
int claims_host_modules(const struct claims_host *s, bool *ret_whole);
int claims_host_microcode(const struct claims_host *s);

bool claims_host_is_sysctl(const char *name);	/* plain, relative, short */

#endif
