/* SPDX-License-Identifier: Apache-2.0 */
/*
 * standing_state.h: the critical drift that the verifier has not got, on the disk, so that a restart of the agent does not forget it
 * (docs/ledger.md). In: the state, or a file. Out: JSON and back; the file in the state directory, replaced and removed durably.
 */
#ifndef PLUMB_STANDING_STATE_H
#define PLUMB_STANDING_STATE_H

#include "buf.h"
#include "fsio.h"
#include "why.h"
#include <stdbool.h>
#include <stdint.h>

#define STANDING_STATE_FILE "standing.json"
#define STANDING_STATE_MAX 4096u
#define STANDING_STATE_KEY \
	640u /* bytes of it with its NUL; what is no UTF-8 grows as it is written */

struct standing_state {
	uint8_t boot_id[16]; /* of the kernel that the times are of */
	uint64_t utc_ns; /* of the drift, for who reads the file */
	uint64_t since_ns, heard_ns; /* boot time: of the drift; of the verifier's last word */
	uint64_t size; /* of the ledger with it */
	bool waited; /* a start of this boot gave the verifier its time already */
	char key[STANDING_STATE_KEY];
};

int standing_state_write(const struct standing_state *s, struct buf *ret); /* LF at the end */
int standing_state_parse(const void *data, size_t size, struct standing_state *ret,
			 struct why *ret_why);

/* -ENOENT: there is none. -EBADMSG: something is there, and cannot be read, or is not ours. */
int standing_state_load(const struct fsio *io, const char *dir, struct standing_state *ret,
			struct why *ret_why);
int standing_state_keep(const struct fsio *io, const char *dir, const struct standing_state *s);
int standing_state_remove(const struct fsio *io,
			  const char *dir); /* one that is not there is removed */

#endif
