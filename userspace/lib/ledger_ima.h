/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger_ima.h: IMA's lists that lie beside a ledger (BORDER; docs/ledger.md), a file a boot: ima/<line it began at, 20 digits>-<boot id, 32 hex
 * digits>.list, or the same with .zst; entries as the kernel gave them, from the first on; and the `ima` line that seals what is there.
 * In: a directory, foreign bytes. Out: names, entries one after the other, the digest of all before.
 */
#ifndef PLUMB_LEDGER_IMA_H
#define PLUMB_LEDGER_IMA_H

#include <jansson.h>
#include <limits.h>
#include <stdbool.h>
#include "digest.h"
#include "fsio.h"
#include "imalog.h"
#include "why.h"

#define LEDGER_IMA_DIR "ima"
#define LEDGER_IMA_BOOT_SIZE 33		/* 32 hex digits, NUL */
#define LEDGER_IMA_NAME_SIZE 59		/* without .zst; NUL */
#define LEDGER_IMA_DIGEST 20u		/* of the templates in the kernel's list, whatever banks there are */
#define LEDGER_IMA_MAX_BYTES (128u << 20)	/* of one list; some 1,100,000 entries */
#define LEDGER_IMA_MAX_ALL (256u << 20)	/* of all files, as they lie there */
#define LEDGER_IMA_MAX_FILES 64u	/* that an agent keeps; a reader takes sixteen times as many */

struct ledger_ima_file {
	char name[LEDGER_IMA_NAME_SIZE];
	char boot[LEDGER_IMA_BOOT_SIZE];
	uint64_t start;			/* lines that the ledger had when it was made */
	bool plain, packed;		/* the plain one counts */
	uint64_t size;			/* on the disk, both */
};
int ledger_ima_name(uint64_t start, const uint8_t boot_id[16], char ret[LEDGER_IMA_NAME_SIZE]);
/* -ENOENT: no name of such a file. packed: with .zst. */
int ledger_ima_name_read(const char *name, struct ledger_ima_file *ret, bool *ret_packed);
int ledger_ima_path(const char *dir, const char *name, char ret[PATH_MAX]);	/* of the plain one; name "": of the directory */
/* All that are there, the oldest first; caller frees. -E2BIG: more than a reader takes. */
int ledger_ima_list(const char *dir, struct ledger_ima_file **ret, uint32_t *ret_n);
/* Those of boots whose lines are all before `first` go, but never the newest. */
int ledger_ima_prune(const struct fsio *io, const char *dir, uint64_t first);

/* What an `ima` line says: the first `entries` of a list are `bytes` long, and have this digest. */
struct ledger_ima_seal {
	char list[LEDGER_IMA_NAME_SIZE];
	uint64_t entries, bytes;
	struct digest sha256;
	bool full;			/* no more is kept of it */
};
int ledger_ima_seal_write(const struct ledger_ima_seal *s, struct buf *ret);	/* members without braces */
int ledger_ima_seal_read(const json_t *line, struct ledger_ima_seal *ret, struct why *ret_why);

/* SHA-256 of what came so far, again and again. */
struct ledger_ima_sum;
int ledger_ima_sum_open(struct ledger_ima_sum **ret);
int ledger_ima_sum_add(struct ledger_ima_sum *s, const void *data, size_t size);
int ledger_ima_sum_now(const struct ledger_ima_sum *s, struct digest *ret);
struct ledger_ima_sum *ledger_ima_sum_free(struct ledger_ima_sum *s);

struct ledger_ima_reader;
/* name: without .zst. -ENOENT: neither is there. */
int ledger_ima_open(const struct fsio *io, const char *dir, const char *name, struct ledger_ima_reader **ret);
/* 1: an entry, borrowed until the next call; 0: the end; -ENODATA: it ends within an entry; -EBADMSG, -EFBIG: it is no list, with why. */
int ledger_ima_next(struct ledger_ima_reader *r, struct imalog_entry *ret, struct why *ret_why);
uint64_t ledger_ima_count(const struct ledger_ima_reader *r);	/* entries that were given */
uint64_t ledger_ima_bytes(const struct ledger_ima_reader *r);	/* of these */
int ledger_ima_digest(const struct ledger_ima_reader *r, struct digest *ret);	/* of these */
struct buf_view ledger_ima_last(const struct ledger_ima_reader *r);	/* the last one as it is; borrowed as the entry */
struct ledger_ima_reader *ledger_ima_free(struct ledger_ima_reader *r);

#endif
