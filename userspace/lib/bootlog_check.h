/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bootlog_check.h: is each event of a boot log what it says it is? Types and data of events are in no register, so whoever cannot change what was
 * measured can still name it otherwise: what is odd is listed, by digest. In: events one by one, with what their digests are over. Out: text. Pure.
 *
 * In PCR 0 to 7: types that are known; one separator each, that reports no error; the digests of separators and of well-known actions have their type.
 * PCR 4: programs after its separator. PCR 7: SecureBoot, PK, KEK, db, dbx in this order and once, then the separator, then authorities alone.
 * Everywhere: data is what was measured where its type says so; in PCR 8, always.
 */
#ifndef PLUMB_BOOTLOG_CHECK_H
#define PLUMB_BOOTLOG_CHECK_H

#include "bootlog.h"
#include "bootlog_cover.h"

struct bootlog_check;

int bootlog_check_open(struct bootlog_check **ret);
struct bootlog_check *bootlog_check_free(struct bootlog_check *c);
/* 0 or -errno: could not check. What is odd is no error. */
int bootlog_check_event(struct bootlog_check *c, const struct bootlog_event *e, uint32_t bank, const struct bootlog_covered *covered);
int bootlog_check_end(struct bootlog_check *c);

/* After the end. Bits of the registers; "" or the first oddity with its event; all of them, "; " between: borrowed. */
uint32_t bootlog_check_pcrs(const struct bootlog_check *c);
const char *bootlog_check_first(const struct bootlog_check *c);
struct buf_view bootlog_check_all(const struct bootlog_check *c);

#endif
