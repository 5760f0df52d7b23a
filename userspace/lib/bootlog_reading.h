/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bootlog_reading.h: a boot log, read once: replayed in the SHA-256 bank, each event checked, and what it tells as claims "measured:…"
 * (docs/baseline.md). In: foreign bytes. Out: register values, what is odd, claims. The log is borrowed as long as the reading is. Pure.
 *
 * Nothing of it is to be believed before the registers agree with a quote.
 */
#ifndef PLUMB_BOOTLOG_READING_H
#define PLUMB_BOOTLOG_READING_H

#include "bootlog_replay.h"

struct bootlog_reading;

/* 0; -EBADMSG, -E2BIG: it is no log, with why; -EOPNOTSUPP: it has no SHA-256 bank; other < 0: could not be read. */
int bootlog_reading_open(const void *data, size_t size, struct bootlog_reading **ret, struct why *ret_why);
struct bootlog_reading *bootlog_reading_free(struct bootlog_reading *g);

const struct bootlog_pcrs *bootlog_reading_pcrs(const struct bootlog_reading *g);
/* "" or the first event that is not what it says it is. The claim "measured:oddities" lists all. */
const char *bootlog_reading_odd(const struct bootlog_reading *g);
/* What put returned, when < 0. */
int bootlog_reading_claims(const struct bootlog_reading *g, int (*put)(void *ctx, const char *key, const char *value), void *ctx);

#endif
