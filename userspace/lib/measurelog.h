/* SPDX-License-Identifier: Apache-2.0 */
/*
 * measurelog.h: reads the log of what systemd measures from user space (/run/log/systemd/tpm2-measure.log: a JSON text sequence, RFC 7464, of
 * records near to TCG CEL), and says whether its records lead a register from one value to another. In: foreign bytes. Out: records. Pure.
 *
 * Anybody who is root can write that file, so a record counts only where its digest was made anew from its own text, and the text is of a kind that
 * systemd measures there. So no record can stand for a checkpoint of a ledger, for a program, or for anything else that a digest may be of.
 */
#ifndef PLUMB_MEASURELOG_H
#define PLUMB_MEASURELOG_H

#include <stdbool.h>
#include <stdint.h>
#include "buf.h"
#include "digest.h"
#include "why.h"

#define MEASURELOG_MAX (256u << 10)	/* bytes of a log */
#define MEASURELOG_MAX_RECORD 16384u
#define MEASURELOG_MAX_TEXT 4096u
#define MEASURELOG_N_PCRS 24u

enum measurelog_kind {
	MEASURELOG_OTHER = 0,		/* an unknown kind: its text may be anything */
	MEASURELOG_PHASE, MEASURELOG_FILESYSTEM, MEASURELOG_MACHINE_ID, MEASURELOG_NVPCR_INIT, MEASURELOG_NVPCR_SEPARATOR,
	MEASURELOG_OS_SEPARATOR,
	MEASURELOG_VOLUME_KEY,		/* an HMAC with the volume's key: cannot be made anew */
};

struct measurelog_record {
	uint32_t number;		/* counted from 1 */
	bool has_pcr;			/* else it is of an NV index, which is in no register */
	uint32_t pcr;
	bool has_digest;		/* of SHA-256 */
	struct digest digest;
	enum measurelog_kind kind;
	bool is_made;			/* the digest was made anew from the text, which is what its kind must be */
	char text[MEASURELOG_MAX_TEXT];
};

struct measurelog {			/* plain; a place in the log */
	struct buf_reader r;
	uint32_t n;
};

/* 0; -E2BIG with why. */
int measurelog_open(const void *data, size_t size, struct measurelog *ret, struct why *ret_why);
/* 1: a record; 0: the end; -EBADMSG: it is none, with why; other < 0: could not be read. */
int measurelog_next(struct measurelog *m, struct measurelog_record *ret, struct why *ret_why);

/*
 * 1: records of this register, from the first one on, lead from `from` to `to`, and each of them counts. 0: they do not, and why says which one
 * stands in the way. < 0: could not check. The log may be longer than what the register has: it is written after the register.
 */
int measurelog_leads(const void *data, size_t size, uint32_t pcr, const struct digest *from, const struct digest *to, struct why *ret_why);

#endif
