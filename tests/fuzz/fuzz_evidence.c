/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "evidence.h"
#include "mends.h"
#include "mutate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

size_t mutate_mend(uint8_t *data, size_t size, size_t max)
{
	return mend_evidence(data, size, max);
}

static void same(const struct buf *a, const struct buf *b)
{
	if (a->size != b->size || memcmp(a->data, b->data, a->size) != 0)
		__builtin_trap();
}

/* With a blank in it, it is in no form that we write, and read by the parser of JSON: both readers find the same. */
static void try_other_reader(const uint8_t *data, size_t size, int r, const struct evidence *e)
{
	static struct evidence other;
	struct buf twin = {0}, a = {0}, b = {0};
	struct why why;

	if (size == 0 || data[0] != '{' || size == WIRE_MAX_EVIDENCE_BODY)
		return;
	buf_puts(&twin, "{ ");
	buf_put(&twin, data + 1, size - 1);
	if ((evidence_parse(twin.data, twin.size, &other, &why) < 0) != (r < 0))
		__builtin_trap();
	if (r >= 0) {
		if (evidence_write(e, &a) < 0 || evidence_write(&other, &b) < 0 ||
		    e->ima_from != other.ima_from || e->ima_end != other.ima_end ||
		    e->has_ima_end != other.has_ima_end)
			__builtin_trap();
		same(&a, &b);
		evidence_done(&other);
	}
	buf_done(&twin);
	buf_done(&a);
	buf_done(&b);
}

static void try_evidence(const uint8_t *data, size_t size)
{
	static struct evidence e, back;
	struct buf once = {0}, twice = {0};
	struct why why;
	int r = evidence_parse(data, size, &e, &why);

	try_other_reader(data, size, r, &e);
	if (r < 0)
		return;
	/* The lines are the body's end, and as many as it says. */
	if (e.lines.data + e.lines.size != data + size || e.from + e.n_lines != e.checkpoint.size ||
	    (e.n_lines == 0) != (e.lines.size == 0))
		__builtin_trap();
	if (evidence_write(&e, &once) < 0 ||
	    evidence_parse(once.data, once.size, &back, &why) < 0 ||
	    evidence_write(&back, &twice) < 0)
		__builtin_trap();
	same(&once, &twice);
	evidence_done(&e);
	evidence_done(&back);
	buf_done(&once);
	buf_done(&twice);
}

static void try_answer(const uint8_t *data, size_t size)
{
	static struct evidence_answer a, back;
	struct buf once = {0}, twice = {0};
	struct why why;

	if (evidence_answer_parse(data, size, &a, &why) < 0)
		return;
	if (evidence_answer_write(&a, &once) < 0 ||
	    evidence_answer_parse(once.data, once.size, &back, &why) < 0 ||
	    evidence_answer_write(&back, &twice) < 0)
		__builtin_trap();
	same(&once, &twice);
	evidence_answer_done(&a);
	evidence_answer_done(&back);
	buf_done(&once);
	buf_done(&twice);
}

static void try_nonce(const uint8_t *data, size_t size)
{
	struct evidence_nonce n, back;
	struct buf once = {0}, twice = {0};
	struct why why;

	if (evidence_nonce_parse(data, size, &n, &why) < 0)
		return;
	if (evidence_nonce_write(&n, &once) < 0 ||
	    evidence_nonce_parse(once.data, once.size, &back, &why) < 0 ||
	    evidence_nonce_write(&back, &twice) < 0)
		__builtin_trap();
	same(&once, &twice);
	buf_done(&once);
	buf_done(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_evidence(data, size);
	try_answer(data, size);
	try_nonce(data, size);
	return 0;
}
