/* SPDX-License-Identifier: Apache-2.0 */
/* test_evidence_maker.c: IMA's list in evidence: from where the verifier wants it, and read on after the quote; or, for one of before, neither. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent_fixture.h"
#include "evidence_maker.h"
#include "ima_maker.h"

struct place {
	struct agent_fixture f;
	struct ima_list *list;
	struct ima_maker kernel;
	size_t written;
	struct anchor_cut cut;
	struct evidence_maker m;
	struct evidence_maker_bound b;
};

/* What the kernel appended since. */
static void grow(struct place *p, uint32_t n)
{
	char path[160], name[32];
	FILE *f;

	for (uint32_t i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "/bin/%u", p->kernel.n);
		ima_maker_file(&p->kernel, name, 7, NULL);
	}
	snprintf(path, sizeof(path), "%s/binary_runtime_measurements", p->f.dir);
	f = fopen(path, "ab");
	assert_non_null(f);
	assert_int_equal(
		fwrite(p->kernel.list.data + p->written, 1, p->kernel.list.size - p->written, f),
		p->kernel.list.size - p->written);
	p->written = p->kernel.list.size;
	fclose(f);
}

static void boot_of(struct place *p, char ret[37])
{
	const uint8_t *id = p->f.identity.now.boot_id;
	size_t n = 0;

	for (int i = 0; i < 16; i++)
		n += (size_t)snprintf(ret + n, 37 - n, "%s%02x",
				      i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", id[i]);
}

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));
	struct why why = {""};

	assert_non_null(p);
	agent_fixture_init(&p->f);
	agent_fixture_start(&p->f);
	grow(p, 5);
	assert_int_equal(ima_list_open(p->f.dir, IMA_LIST_OTHER, &p->list, &why), 0);
	p->m = (struct evidence_maker){.writer = p->f.writer,
				       .identity = &p->f.identity,
				       .clock = clock_system(),
				       .io = fsio_system(),
				       .ledger_dir = p->f.ledger,
				       .max_lines = 1000,
				       .max_bytes = 1 << 20,
				       .cut = &p->cut,
				       .ima = p->list};
	assert_int_equal(ledger_head(ledger_writer_ledger(p->f.writer), &p->b.head), 0);
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;

	ima_list_free(p->list);
	ima_maker_done(&p->kernel);
	agent_fixture_stop(&p->f);
	agent_fixture_done(&p->f);
	free(p);
	return 0;
}

/* Bound, then `meanwhile` more are measured while the TPM quotes. */
static void evidence(struct place *p, uint32_t meanwhile, struct evidence *ret)
{
	struct tpm_job job = {.kind = TPM_JOB_QUOTE};
	struct buf body = {0};
	struct why why = {""};

	p->b.nonce.size = p->b.head.size;
	job.pcrs.mask = 1u << p->f.identity.now.pcr_index;
	buf_puts(&job.attest, "attest");
	buf_puts(&job.sig, "sig");
	assert_int_equal(evidence_maker_bind(&p->m, &p->b), 0);
	grow(p, meanwhile);
	if (evidence_maker_evidence(&p->m, &p->b, &job, false, &body, &why) < 0)
		fail_msg("%s", why.text);
	if (evidence_parse(body.data, body.size, ret, &why) < 0)
		fail_msg("%s", why.text);
	buf_done(&body);
	buf_done(&job.attest);
	buf_done(&job.sig);
}

static void check(const struct place *p, struct evidence *e, uint64_t from, uint64_t cursor,
		  uint64_t end)
{
	const struct buf_view want = ima_maker_from(&p->kernel, (uint32_t)from, (uint32_t)end);

	assert_int_equal(e->ima_from, from);
	assert_int_equal(e->ima_cursor, cursor);
	assert_int_equal(e->ima_end, end);
	assert_int_equal(e->ima.size, want.size);
	if (want.size)
		assert_memory_equal(e->ima.data, want.data, want.size);
	evidence_done(e);
}

static void test_wanted(void **state)
{
	struct place *p = *state;
	struct evidence *e = calloc(1, sizeof(*e));

	assert_non_null(e);
	p->b.nonce.has_ima = true; /* nothing came yet */
	evidence(p, 3, e);
	assert_true(e->has_ima_end);
	check(p, e, 0, 5, 8);
	/* The quote had six. */
	boot_of(p, p->b.nonce.ima_boot);
	p->b.nonce.ima_from = 6;
	evidence(p, 0, e);
	check(p, e, 6, 8, 8);
	p->b.nonce.ima_from = 8;
	evidence(p, 0, e);
	check(p, e, 8, 8, 8);
	evidence(p, 2, e);
	check(p, e, 8, 8, 10);
	/* From the beginning, since the verifier says so, or has another boot's. */
	p->b.nonce.ima_from = 0;
	evidence(p, 0, e);
	check(p, e, 0, 10, 10);
	p->b.nonce.ima_from = 9;
	p->b.nonce.ima_boot[0] ^= 1;
	evidence(p, 1, e);
	check(p, e, 0, 10, 11);
	/* More than one evidence takes. */
	boot_of(p, p->b.nonce.ima_boot);
	grow(p, 4000);
	evidence(p, 1, e);
	assert_true(p->b.ima_more);
	assert_in_range(e->ima.size, WIRE_MAX_IMA - 200, WIRE_MAX_IMA);
	assert_int_equal(e->ima_from, 9);
	assert_int_equal(e->ima_cursor, e->ima_end);
	evidence_done(e);
	free(e);
}

/* A verifier of before says nothing: what was accepted is not sent again, and nothing is read after the quote. */
static void test_of_before(void **state)
{
	struct place *p = *state;
	struct evidence *e = calloc(1, sizeof(*e));

	assert_non_null(e);
	evidence(p, 3, e);
	assert_false(e->has_ima_end);
	check(p, e, 0, 5, 5);
	ima_list_taken(p->list, p->b.ima_end);
	evidence(p, 3, e);
	check(p, e, 5, 8, 8);
	free(e);
}

/* Half of what did not get through, never below what always must; for good only when the other end takes no more at all. */
static void test_less(void **state)
{
	struct evidence_maker m = {.max_bytes = 10 << 20, .most_bytes = 10 << 20};
	const struct why why = {"late"};

	(void)state;
	evidence_maker_less(&m, 0, false, &why);
	evidence_maker_less(&m, EVIDENCE_MAKER_MIN_BYTES, false, &why);
	assert_int_equal(m.max_bytes, 10 << 20);
	evidence_maker_less(&m, 6 << 20, false, &why);
	assert_int_equal(m.max_bytes, 3 << 20);
	/* Anchors and the like come beside the lines. */
	evidence_maker_less(&m, 5 << 20, false, &why);
	assert_int_equal(m.max_bytes, 3 << 19);
	evidence_maker_good(&m);
	assert_int_equal(m.max_bytes, 10 << 20);
	evidence_maker_less(&m, 8 << 20, true, &why);
	evidence_maker_less(&m, 4 << 20, false, &why);
	assert_int_equal(m.max_bytes, 2 << 20);
	evidence_maker_good(&m);
	assert_int_equal(m.max_bytes, 4 << 20);
	for (int i = 0; i < 20; i++)
		evidence_maker_less(&m, 16 << 20, true, &why);
	assert_in_range(m.max_bytes, EVIDENCE_MAKER_MIN_BYTES, 2 * EVIDENCE_MAKER_MIN_BYTES);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_wanted),
		TEST(test_of_before),
		cmocka_unit_test(test_less),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
