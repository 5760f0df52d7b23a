/* SPDX-License-Identifier: Apache-2.0 */
/*
 * canary.h: a process of our own that does one small thing and ends, so that it can be seen whether the kernel programs tell of it.
 * In: what it does; it shares our memory meanwhile, so nothing is copied and nothing may be allocated. Out: its number and how it ended. Blocks for that.
 */
#ifndef PLUMB_CANARY_H
#define PLUMB_CANARY_H

#include <stdint.h>

/* deed NULL: nothing but begin and end. What it returns, 0 … 127, comes as *ret_result (NULL: not asked for). The number, or -errno. */
int canary_run(int (*deed)(void *arg), void *arg, int *ret_result);

#endif
