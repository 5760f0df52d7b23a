/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_tpm.h: a TPM in memory behind the TPM door: PCRs, P-256 keys of OpenSSL, real attests and signatures.
 * In: faults that the test switches on. Out: blobs that quote_check() and makecred_make() deal with as with a chip's.
 */
#ifndef PLUMB_TESTS_FAKE_TPM_H
#define PLUMB_TESTS_FAKE_TPM_H

#include <stdint.h>
#include "tpm_door.h"

/* Set by the test at any time, from its own thread. */
struct fake_tpm_faults {
	int fail;			/* every command ends so: -ENODEV gone, -EPERM locked out; 0: none */
	unsigned int busy;		/* the next so many commands end with -EBUSY */
	unsigned int busy_read;		/* the next so many reads of PCRs */
	uint32_t delay_us;		/* before every command */
};

struct fake_tpm_counts {
	unsigned int extends, quotes, signs, reads;	/* commands that were carried out */
};

struct fake_tpm;

int fake_tpm_open(struct fake_tpm **ret);
struct fake_tpm *fake_tpm_free(struct fake_tpm *f);
struct tpm *fake_tpm_door(struct fake_tpm *f);		/* borrowed; its close does nothing */
struct fake_tpm_faults *fake_tpm_faults(struct fake_tpm *f);
struct fake_tpm_counts fake_tpm_counts(struct fake_tpm *f);
struct quote_pcrs *fake_tpm_pcrs(struct fake_tpm *f);	/* all 24; to be set by the test too */
struct tpm_clock *fake_tpm_clock(struct fake_tpm *f);
void fake_tpm_reboot(struct fake_tpm *f);		/* PCRs to zero, reset count + 1; keys and their blobs stay good */

#endif
