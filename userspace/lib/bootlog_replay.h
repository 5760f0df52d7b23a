/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bootlog_replay.h: folds a boot log's events into what the TPM's registers must hold, in one bank or in all.
 * In: a log, or its events one by one. Out: values, and which events made them. SHA-1 is replayed too, and is worth nothing by itself. Pure.
 *
 * A register starts at zero, PCR 0 at the locality that a StartupLocality event tells; EV_NO_ACTION is in no register.
 */
#ifndef PLUMB_BOOTLOG_REPLAY_H
#define PLUMB_BOOTLOG_REPLAY_H

#include "bootlog.h"

struct bootlog_pcrs {			/* one bank */
	uint16_t alg, size;
	uint32_t mask;			/* registers that some event extended */
	uint8_t values[BOOTLOG_N_PCRS][BOOTLOG_MAX_DIGEST];
	uint32_t n[BOOTLOG_N_PCRS], first[BOOTLOG_N_PCRS], last[BOOTLOG_N_PCRS];	/* events of each: how many, their numbers */
};

struct bootlog_replay;
/* bank: index in b->banks. -EOPNOTSUPP: of an algorithm that OpenSSL does not have here. */
int bootlog_replay_open(const struct bootlog *b, uint32_t bank, struct bootlog_replay **ret);
struct bootlog_replay *bootlog_replay_free(struct bootlog_replay *p);
int bootlog_replay_event(struct bootlog_replay *p, const struct bootlog_event *e, struct why *ret_why);
const struct bootlog_pcrs *bootlog_replay_pcrs(const struct bootlog_replay *p);	/* borrowed */

/* The whole log, in each bank that can be replayed: at most BOOTLOG_MAX_BANKS of ret are filled. */
int bootlog_replay_all(const void *data, size_t size, unsigned int flags, struct bootlog_pcrs *ret, uint32_t *ret_n, struct why *ret_why);

/*
 * Why a register is not as the log says, when it is not: value is of the SHA-256 bank. "PCR 8: …" with the events it is about. Appends.
 * Events are looked through anew, so it is for what was already found not to agree.
 */
int bootlog_replay_explain(const void *data, size_t size, unsigned int flags, uint32_t pcr, const uint8_t value[32], struct why *ret);

#endif
