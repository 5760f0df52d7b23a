/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mends.h: what targets do in their mutate_mend(), where several have inputs of one form. In: a changed input. Out: one in which sizes, counts and
 * digests fit again, as far as it can still be read; else as it came.
 */
#ifndef PLUMB_MENDS_H
#define PLUMB_MENDS_H

#include <stddef.h>
#include <stdint.h>

/* The header says how many lines follow, how far its checkpoint goes, and which boot log it has. */
size_t mend_evidence(uint8_t *data, size_t size, size_t max);
/* Each record has its check; with an origin, what the PCR holds after each extend is what it comes to. */
size_t mend_anchors(uint8_t *data, size_t size, const char *origin);

#endif
