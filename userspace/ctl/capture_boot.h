/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capture_boot.h: what the firmware's log tells of this boot, as claims "measured:…", to be expected of the next. In: the log. Out: entries of a set.
 * The log is taken at its word here: whether it comes to the TPM's registers, the verifier sees.
 */
#ifndef PLUMB_CAPTURE_BOOT_H
#define PLUMB_CAPTURE_BOOT_H

#include "capture_set.h"
#include "fsio.h"
#include "why.h"

#define CAPTURE_BOOT_LOG "/sys/kernel/security/tpm0/binary_bios_measurements"
/* Those of which more than are listed may not be there; NULL at the end. */
extern const char *const capture_boot_closed[];

/* All but what cannot be told. -EBADMSG and the like: it is no log, with why; -ENOENT: there is none. */
int capture_boot(struct capture_set *set, const struct fsio *io, const char *path, struct why *ret_why);

#endif
