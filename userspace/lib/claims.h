/* SPDX-License-Identifier: Apache-2.0 */
/*
 * claims.h: keys and canonical values of claims, so that comparing is comparing text (BORDER; docs/ledger.md).
 * In: facts. Out: "key" and "value" text. Pure.
 *
 *   file:<path>      "reg 0644 0:0 1234 sha256:<hex>" | "dir 0755 0:0" | "link 0:0 -> <target>" | "absent" | "unreadable <errno name>"
 *   exec:<path>      found "sha256:<hex>" | "unmeasured <why>"; its baseline key is "exec:sha256:<hex>"
 *   module:<name>    "loaded" | "loaded srcversion=<text>" | "absent"
 *   mount:<path>     "<fstype> <source> <root>" | "absent"
 *   sysctl:<name>    the text of /proc/sys, runs of blanks as one space, no LF
 *   boot:id boot:cmdline boot:release boot:lockdown    text as the kernel gives it
 *   cpu:microcode    "0x…" (different per CPU: sorted, comma between)
 *   sensor:tier      "full" | "reduced" | "observe" | "none"
 *   sensor:<name>    "attached" | "absent <why>"
 * What cannot be read is "unknown <why>": never equal to anything that a baseline expects.
 */
#ifndef PLUMB_CLAIMS_H
#define PLUMB_CLAIMS_H

#include <sys/stat.h>
#include <stdint.h>
#include "buf.h"
#include "digest.h"

/* Appends. digest NULL for a regular file that could not be hashed: "unreadable". target: for links. */
int claims_file_value(const struct stat *st, const struct digest *digest, const char *target, struct buf *ret);
int claims_absent(struct buf *ret);
int claims_unreadable(int error, struct buf *ret);	/* error: positive errno */
int claims_unknown(const char *why, struct buf *ret);
int claims_exec_value(const struct digest *digest, struct buf *ret);
/* Text from /proc or /sys: blanks folded, end trimmed, at most LINE_MAX_VALUE - 1 bytes (longer: "sha256:<hex> <size>"). */
int claims_text_value(const char *text, size_t size, struct buf *ret);

#endif
