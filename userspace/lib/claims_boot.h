/* SPDX-License-Identifier: Apache-2.0 */
/*
 * claims_boot.h: how the machine was booted, as claims: Secure Boot and shim's lists, firmware, IMA's policy.
 * In: efivars, DMI and securityfs below /sys. Out: key and value to put.
 */
#ifndef PLUMB_CLAIMS_BOOT_H
#define PLUMB_CLAIMS_BOOT_H

#include "claims_source.h"

/* Each gives the sum of what put returned, or the first error. */
int claims_boot_secure(const struct claims_source *s);		/* boot:secure_boot, boot:mok_state, boot:mok_list */
int claims_boot_firmware(const struct claims_source *s);	/* firmware:* */
int claims_boot_ima(const struct claims_source *s);		/* ima:policy */

#endif
