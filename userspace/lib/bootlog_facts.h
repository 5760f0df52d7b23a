/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bootlog_facts.h: what was started, as PCR 0, 4, 8, 9 and 14 tell it: firmware, loaders, kernel, command line, initrd, shim's lists.
 * In: events, with what their digests are over. Out: claims. Pure.
 *
 * Programs are told by their place in PCR 4, whatever the log calls them; a kernel and an initrd that GRUB read by the name that the log gives
 * them beside PCR 9, and that the measured command line has. Command lines are what was measured in PCR 8, also where the log calls them otherwise.
 */
#ifndef PLUMB_BOOTLOG_FACTS_H
#define PLUMB_BOOTLOG_FACTS_H

#include "bootlog.h"
#include "bootlog_cover.h"

struct bootlog_facts;

int bootlog_facts_open(struct bootlog_facts **ret);
struct bootlog_facts *bootlog_facts_free(struct bootlog_facts *f);
/* Borrows the event's bytes. */
void bootlog_facts_event(struct bootlog_facts *f, const struct bootlog_event *e, uint32_t bank, const struct bootlog_covered *covered);
/* What put returned, when < 0. */
int bootlog_facts_claims(const struct bootlog_facts *f, int (*put)(void *ctx, const char *key, const char *value), void *ctx);

#endif
