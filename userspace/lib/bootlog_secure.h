/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bootlog_secure.h: Secure Boot as PCR 7 tells it: was it on, by which keys, and by whose authority did programs run?
 * In: events of PCR 7 whose data is what was measured. Out: claims. Pure.
 */
#ifndef PLUMB_BOOTLOG_SECURE_H
#define PLUMB_BOOTLOG_SECURE_H

#include "bootlog.h"
#include "bootlog_cover.h"

struct bootlog_secure;

int bootlog_secure_open(struct bootlog_secure **ret);
struct bootlog_secure *bootlog_secure_free(struct bootlog_secure *s);
/* Borrows the event's bytes. */
void bootlog_secure_event(struct bootlog_secure *s, const struct bootlog_event *e, uint32_t bank, const struct bootlog_covered *covered);
/* odd: something in PCR 7 is not as it says; then nothing is known. What put returned, when < 0. */
int bootlog_secure_claims(const struct bootlog_secure *s, bool odd, int (*put)(void *ctx, const char *key, const char *value), void *ctx);

#endif
