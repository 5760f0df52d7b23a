/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ima_maker.h: a kernel's list of IMA measurements as it grows, and the PCR 10 that it was extended into. Entries can be had one by one, so that
 * a test leaves one out, changes one or puts them elsewhere. In: what was measured. Out: bytes, values. Aborts on failure.
 */
#ifndef PLUMB_TESTS_IMA_MAKER_H
#define PLUMB_TESTS_IMA_MAKER_H

#include <stdbool.h>
#include "buf.h"
#include "digest.h"
#include "quote.h"

#define IMA_MAKER_MAX 65536u

struct ima_maker {
	struct buf list;
	uint32_t n;
	size_t at[IMA_MAKER_MAX + 1];	/* where entry i begins */
	struct digest pcr[IMA_MAKER_MAX + 1];	/* before entry i */
};

void ima_maker_open(struct ima_maker *m);
void ima_maker_done(struct ima_maker *m);
/* Template "ima-ng", or "ima-sig" when sig is not NULL; the file's SHA-256 is n, n, n… */
void ima_maker_file(struct ima_maker *m, const char *name, uint8_t n, const struct buf *sig);
void ima_maker_digest(struct ima_maker *m, const char *name, const struct digest *d, const struct buf *sig);
void ima_maker_aggregate(struct ima_maker *m, const struct quote_pcrs *pcrs);
void ima_maker_violation(struct ima_maker *m, const char *name);
/* Any template, its data as it is; pcr: 10, or one that PCR 10 does not have. */
void ima_maker_raw(struct ima_maker *m, uint32_t pcr, const char *template_name, const void *data, size_t size, bool violation);
void ima_maker_field(struct buf *data, const void *field, size_t size);	/* appended after its size */
struct buf_view ima_maker_from(const struct ima_maker *m, uint32_t from, uint32_t to);	/* borrowed until the next entry */

#endif
