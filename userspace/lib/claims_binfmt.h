/* SPDX-License-Identifier: Apache-2.0 */
/*
 * claims_binfmt.h: which files the kernel runs by another program than themselves: what is registered in binfmt_misc, as claims.
 * In: /proc/sys/fs/binfmt_misc. Out: binfmt:<name> to put, and kernel:binfmt_misc "enabled" | "disabled" | "absent".
 */
#ifndef PLUMB_CLAIMS_BINFMT_H
#define PLUMB_CLAIMS_BINFMT_H

#include <stdbool.h>
#include "claims_source.h"

#define CLAIMS_BINFMT_MAX 256	/* registrations; beyond it the list is not whole */

/* *ret_whole: all registrations were put; those that were not are gone. The sum of what put returned, or the first error. */
int claims_binfmt(const struct claims_source *s, bool *ret_whole);
/* The text of one registration's file: "enabled /usr/bin/qemu flags F magic …", blanks folded, one line. Pure. -EBADMSG. */
int claims_binfmt_parse(const char *text, size_t size, struct buf *ret);

#endif
