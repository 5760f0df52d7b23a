/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bootlog_text.h: bytes that were measured, as the text of a claim: what is printed is what was measured, but for runs of blanks.
 * In: foreign bytes. Out: printable ASCII, a run of blanks as one space; anything else as "sha256:<hex> <size>". Pure.
 */
#ifndef PLUMB_BOOTLOG_TEXT_H
#define PLUMB_BOOTLOG_TEXT_H

#include "buf.h"

#define BOOTLOG_TEXT_MAX 3500u

int bootlog_text(const void *data, size_t size, struct buf *ret);	/* appends */
int bootlog_text_utf16(const void *data, size_t size, struct buf *ret);	/* little-endian, a NUL at the end or none */

#endif
