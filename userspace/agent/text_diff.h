/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text_diff.h: which lines of a text are other than before. In: two texts, foreign bytes. Out: hunks without context, as `diff -U0` writes
 * them, bounded; or why there are none. Pure. Myers' greedy way with a bound of edits: memory and time do not depend on who wrote the texts.
 */
#ifndef PLUMB_TEXT_DIFF_H
#define PLUMB_TEXT_DIFF_H

#include <stdbool.h>
#include <stddef.h>
#include "buf.h"

#define TEXT_DIFF_MAX_SIZE (64u << 10)	/* bytes of a text */
#define TEXT_DIFF_MAX_LINES 4096	/* of a text */
#define TEXT_DIFF_MAX_EDITS 48		/* lines that went or came */
#define TEXT_DIFF_MAX_LINE 160		/* bytes of a line that are written; of a longer one the beginning, and "…" */

/* May change how a line is written, not what is compared. line has no LF. Appends to ret. */
struct text_diff_writer {
	void (*write)(void *ctx, const char *line, size_t size, struct buf *ret);
	void *ctx;
};

bool text_diff_is_text(const char *data, size_t size);	/* UTF-8 without control characters but tab, CR, LF and FF */

/*
 * Appends "@@ -3 +3 @@" and "-" and "+" lines with LF between. Nothing: they are equal. -EFBIG: more bytes or lines than that; -EILSEQ: one
 * is no text; -EOVERFLOW: too different. w NULL: lines are written as they are.
 */
int text_diff(const struct buf_view *before, const struct buf_view *now, const struct text_diff_writer *w, struct buf *ret);

#endif
