/* SPDX-License-Identifier: Apache-2.0 */
/*
 * claims_modules.h: modules that one of the kernel's lists has and another has not, as the claim kernel:hidden_modules.
 * In: /proc/modules, /sys/module, /proc/kallsyms, a piece at a time: the last has 100,000 lines and more. Out: one claim to put.
 *
 * kallsyms goes through the same list in the kernel as /proc/modules, by other code: it shows what a hook on /proc/modules leaves out, and not
 * what was taken off the list. /sys/module is a list of its own. A module that left all three is not found.
 */
#ifndef PLUMB_CLAIMS_MODULES_H
#define PLUMB_CLAIMS_MODULES_H

#include "claims_names.h"
#include "claims_source.h"

struct claims_modules;

/* Looks twice when the first look finds something: a module that is loaded or goes away meanwhile is in some lists and not in others. */
int claims_modules_open(const struct claims_source *s, struct claims_modules **ret);	/* s: its strings are borrowed */
struct claims_modules *claims_modules_free(struct claims_modules *m);
int claims_modules_step(struct claims_modules *m, int *ret_put);	/* 1: there is more to do; 0: done, *ret_put is what put returned */
int claims_modules_all(const struct claims_source *s);	/* all steps at once */

/* Names in brackets at the ends of kallsyms' lines. Text in pieces: what is left of a line stays in *rest. Pure. */
struct claims_modules_rest {
	char line[1024];
	size_t n;
};
int claims_modules_symbols(struct claims_modules_rest *rest, const char *text, size_t size, struct claims_names *ret);

#endif
