/* SPDX-License-Identifier: Apache-2.0 */
/*
 * incident_beside.h: what a ledger's directory has beside its lines, for the part that is cut out of it. In: a directory that root on the node has filled:
 * no link leads out of it, and nothing in it keeps an archive from being made. Out: files of another; what is left out is told, on stderr.
 */
#ifndef PLUMB_INCIDENT_BESIDE_H
#define PLUMB_INCIDENT_BESIDE_H

#include <stdint.h>
#include "buf.h"

/* Signatures over checkpoints within (first, last]. */
int incident_beside_notes(const char *from, const char *to, uint64_t first, uint64_t last);
/* All but lines, tiles, notes and IMA's lists (incident_ima.h), one floor deep. */
int incident_beside_copy(const char *from, const char *to);
/* A plain file, whole. 1; 0: there is none that can be taken, and it was told why. */
int incident_beside_read(const char *path, uint64_t max, struct buf *ret);
void incident_beside_left_out(const char *path, int error);	/* tells it; path may be anything */

#endif
