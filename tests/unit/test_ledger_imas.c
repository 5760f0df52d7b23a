/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ledger_imas.c: what IMA measured, by files alone: a list, the lines that sealed it and the registers that were quoted; and every way in which
 * they are not of one another, each with its line and its reason.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ima_signer.h"
#include "imas_fixture.h"
#include "jsonl.h"

#define BOOT "00112233-4455-6677-8899-aabbccddeeff"
#define NEXT "10112233-4455-6677-8899-aabbccddeeff"

static const uint8_t boot_id[16] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
				    0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};

static int set_up(void **state)
{
	struct imas_fixture *p;
	char name[64];

	imas_fixture_make(state);
	p = *state;
	assert_int_equal(ledger_ima_name(3, boot_id, p->list), 0);
	for (uint8_t i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "/usr/bin/%u", i);
		if (i % 10 == 9)
			ima_maker_violation(&p->ima, name);
		else
			ima_maker_file(&p->ima, name, i, NULL);
	}
	imas_fixture_put(p, p->list, p->ima.list.data, p->ima.list.size);
	return 0;
}

static struct ledger_ima_seal seal_of(const struct imas_fixture *p, const struct ima_maker *ima,
				      uint32_t entries)
{
	struct buf_view v = ima_maker_from(ima, 0, entries);
	struct ledger_ima_seal s = {.entries = entries, .bytes = v.size};

	memcpy(s.list, p->list, sizeof(s.list));
	assert_int_equal(digest_sha256(v.data, v.size, &s.sha256), 0);
	return s;
}

static void seal(struct imas_fixture *p, uint64_t line, uint32_t entries)
{
	struct ledger_ima_seal s = seal_of(p, &p->ima, entries);

	imas_fixture_seal(p, line, BOOT, &s);
}

static void quote(struct imas_fixture *p, uint64_t line, uint32_t at, uint64_t cursor)
{
	imas_fixture_quote(p, line, BOOT, 7, &p->ima.pcr[at], cursor);
}

static struct ledger_imas_one *finish(struct imas_fixture *p, enum ledger_boot_result want,
				      uint64_t line, const char *why)
{
	struct ledger_imas_one *o = p->m.lists;

	assert_int_equal(ledger_imas_finish(&p->m, &p->why), 0);
	assert_true(p->m.n > 0);
	o = &p->m.lists[p->m.n - 1];
	imas_fixture_expect(o, want, why);
	if ((!why[0] && o->why[0]) || (line && o->at_line != line))
		fail_msg("%s, line %" PRIu64 ": %s", ledger_boot_result_name(o->result), o->at_line,
			 o->why);
	return o;
}

static void a_list_is_proven_by_quotes(void **state)
{
	struct imas_fixture *p = *state;
	struct ledger_imas_one *o;

	quote(p, 5, 10, 10);
	seal(p, 6, 12); /* read on after it: it may be ahead */
	quote(p, 20, 30, 29);
	quote(p, 21, 30, 30); /* the same register again */
	seal(p, 22, 40);
	o = finish(p, LEDGER_BOOT_GOOD, 0, "");
	assert_int_equal(p->m.n, 1);
	assert_int_equal(o->n_quotes, 3);
	assert_int_equal(o->n_proven, 3);
	assert_int_equal(o->n_seals, 2);
	assert_int_equal(o->entries, 40);
	assert_int_equal(o->proven, 30);
	assert_int_equal(o->proven_bytes, p->ima.at[30]);
	assert_int_equal(o->bound_bytes, p->ima.list.size);
	assert_int_equal(o->tally.violations, 3);
	assert_int_equal(o->first_line, 5);
	assert_int_equal(o->last_line, 21);
}

/* The kernel puts an entry into its list first, then into the register. */
static void a_list_may_be_one_ahead_of_a_quote(void **state)
{
	struct imas_fixture *p = *state;

	quote(p, 5, 10, 11);
	seal(p, 6, 40);
	finish(p, LEDGER_BOOT_GOOD, 0, "");
	quote(p, 7, 10, 12);
	p->m.n = 0;
	finish(p, LEDGER_BOOT_BAD, 7,
	       "entries 10 to 11 stood in the list before the quote in line 7");
}

static void what_was_changed_is_named(void **state)
{
	struct imas_fixture *p = *state;

	quote(p, 5, 20, 20);
	seal(p, 6, 20);
	quote(p, 7, 40, 40);
	seal(p, 8, 40);
	p->ima.list.data[p->ima.at[27] + 60] ^= 1;
	imas_fixture_put(p, p->list, p->ima.list.data, p->ima.list.size);
	assert_int_equal(
		finish(p, LEDGER_BOOT_BAD, 8,
		       "entries 20 to 39 are not those that line 8 sealed; entry 27, /usr/bin/27, "
		       "has a digest of other data")
			->n_proven,
		1);
}

static void what_a_crash_left_behind_the_last_proof_says_nothing(void **state)
{
	struct imas_fixture *p = *state;

	quote(p, 5, 20, 20);
	seal(p, 6, 20);
	p->ima.list.data[p->ima.at[25] + 60] ^= 1;
	imas_fixture_put(p, p->list, p->ima.list.data, p->ima.list.size);
	assert_int_equal(finish(p, LEDGER_BOOT_GOOD, 0, "")->proven, 20);
	quote(p, 7, 22, 22); /* which is before it as well */
	p->m.n = 0;
	assert_int_equal(finish(p, LEDGER_BOOT_GOOD, 0, "")->proven, 22);
}

static void what_was_put_elsewhere_is_named(void **state)
{
	struct imas_fixture *p = *state;
	struct buf_view a = ima_maker_from(&p->ima, 24, 25), b = ima_maker_from(&p->ima, 25, 26);
	uint8_t *data = malloc(p->ima.list.size);

	assert_non_null(data);
	memcpy(data, p->ima.list.data, p->ima.list.size);
	memcpy(data + p->ima.at[24], b.data, b.size);
	memcpy(data + p->ima.at[24] + b.size, a.data, a.size);
	imas_fixture_put(p, p->list, data, p->ima.list.size);
	free(data);
	seal(p, 6, 20);
	quote(p, 7, 40, 40);
	seal(p, 8, 40);
	finish(p, LEDGER_BOOT_BAD, 8, "entries 20 to 39 are not those that line 8 sealed");
}

static void what_was_left_out_is_named(void **state)
{
	struct imas_fixture *p = *state;
	struct buf b = {0};

	buf_put(&b, p->ima.list.data, p->ima.at[12]);
	buf_put(&b, p->ima.list.data + p->ima.at[13], p->ima.list.size - p->ima.at[13]);
	imas_fixture_put(p, p->list, b.data, b.size);
	seal(p, 6, 20);
	quote(p, 7, 40, 40);
	seal(p, 8, 40);
	finish(p, LEDGER_BOOT_BAD, 6, "entries 0 to 19 are not those that line 6 sealed");
	buf_done(&b);
}

static void a_list_that_was_cut_is_named(void **state)
{
	struct imas_fixture *p = *state;

	quote(p, 5, 20, 20);
	seal(p, 6, 20);
	quote(p, 7, 40, 40);
	seal(p, 8, 40);
	imas_fixture_put(p, p->list, p->ima.list.data, p->ima.at[35]);
	finish(p, LEDGER_BOOT_BAD, 8, "line 8 sealed 40 entries, and 35 are there: it was cut");
	imas_fixture_put(p, p->list, p->ima.list.data, p->ima.at[35] + 7);
	p->m.n = 0;
	finish(p, LEDGER_BOOT_BAD, 8,
	       "35 are there: it was cut; IMA list: it ends within entry 35");
	imas_fixture_put(p, p->list, "", 0);
	p->m.n = 0;
	finish(p, LEDGER_BOOT_BAD, 6, "line 6 sealed 20 entries, and 0 are there");
}

/* Whoever changes list and lines alike does not change what the TPM signed. */
static void a_list_that_the_register_never_had_is_named(void **state)
{
	struct imas_fixture *p = *state;
	struct ima_maker other;

	ima_maker_open(&other);
	for (uint8_t i = 0; i < 40; i++)
		ima_maker_file(&other, "/usr/bin/other", i, NULL);
	quote(p, 5, 20, 20);
	imas_fixture_put(p, p->list, other.list.data, other.list.size);
	ima_maker_done(&p->ima);
	p->ima = other;
	seal(p, 6, 40);
	finish(p, LEDGER_BOOT_BAD, 5,
	       "none of its 40 entries leads to the PCR 10 that line 5 quoted");
}

/* A crash between the quote and the reading after it, or after the reading and before the line. */
static void what_was_not_read_on_is_not_proven(void **state)
{
	struct imas_fixture *p = *state;

	seal(p, 4, 20);
	quote(p, 5, 30, 20);
	imas_fixture_put(p, p->list, p->ima.list.data, p->ima.at[25]);
	finish(p, LEDGER_BOOT_UNPROVEN, 0,
	       "the PCR 10 of line 5 is not reached, and the list was not read on");
	imas_fixture_put(p, p->list, p->ima.list.data, p->ima.at[31] + 9);
	p->m.n = 0;
	finish(p, LEDGER_BOOT_GOOD, 0, "");
}

static void what_is_absent_proves_nothing(void **state)
{
	struct imas_fixture *p = *state;
	struct digest zero = {{0}};

	/* Its lines were pruned: the register proves it all the same. */
	quote(p, 5, 20, 20);
	assert_int_equal(finish(p, LEDGER_BOOT_GOOD, 0, "")->n_seals, 0);
	scratch_run(p->dir, "rm ima/*");
	p->m.n = 0;
	finish(p, LEDGER_BOOT_UNPROVEN, 0, "no list was kept");
	seal(p, 6, 20);
	p->m.n = 0;
	finish(p, LEDGER_BOOT_UNPROVEN, 0, "it is absent");
	ledger_imas_done(&p->m);
	p->m.n = 0;
	imas_fixture_quote(p, 5, BOOT, 7, &zero, 0);
	finish(p, LEDGER_BOOT_NOTHING, 0, "IMA measured nothing");
	/* There is a list, and the register never moved. */
	seal(p, 6, 20);
	imas_fixture_put(p, p->list, p->ima.list.data, p->ima.list.size);
	p->m.quotes[0].cursor = 20;
	p->m.n = 0;
	finish(p, LEDGER_BOOT_UNPROVEN, 0, "IMA began without this TPM");
}

static void a_packed_list_is_read(void **state)
{
	struct imas_fixture *p = *state;

	scratch_run(p->dir, "zstd -q --rm ima/*.list");
	quote(p, 5, 40, 40);
	seal(p, 6, 40);
	finish(p, LEDGER_BOOT_GOOD, 0, "");
	scratch_run(p->dir, "truncate -s -5 ima/*.zst");
	p->m.n = 0;
	finish(p, LEDGER_BOOT_BAD, 6, "line 6 sealed 40 entries, and 0 are there: it was cut");
}

static void epochs(struct imas_fixture *p, struct ledger_epochs *e, uint32_t before, uint32_t own,
		   uint32_t later)
{
	uint8_t id[16];

	ledger_epochs_done(e);
	memcpy(id, boot_id, sizeof(id));
	assert_int_equal(ledger_epochs_add(e, id, before), 0);
	assert_int_equal(ledger_epochs_add(e, id, before), 0);
	id[0] = 0x10;
	assert_int_equal(ledger_epochs_add(e, id, own), 0);
	assert_int_equal(ledger_epochs_add(e, id, later), 0);
	p->m.n = 0;
}

/* The quotes of the kernel before are gone (pruned, or not in this part): anchors still have its epoch. */
static void kexec_is_known_by_epochs(struct imas_fixture *p)
{
	struct ledger_imas_quote earlier = p->m.quotes[0];
	struct ledger_imas_seal seal = p->m.seals[0];
	struct ledger_epochs e = {.n = 0};

	p->m.epochs = &e;
	p->m.quotes[0] = p->m.quotes[1];
	p->m.seals[0] = p->m.seals[1];
	p->m.n_quotes = p->m.n_seals = 1;
	epochs(p, &e, 7, 8, 8);
	finish(p, LEDGER_BOOT_BAD, 11, "none of its 10 entries leads to");
	epochs(p, &e, 8, 8, 8);
	finish(p, LEDGER_BOOT_UNPROVEN, 0, "was started by kexec, or resumed from a disk");
	/* Or it was resumed. */
	epochs(p, &e, 6, 7, 8);
	finish(p, LEDGER_BOOT_UNPROVEN, 0, "was started by kexec, or resumed from a disk");
	ledger_epochs_done(&e);
	p->m.epochs = NULL;
	p->m.quotes[0] = earlier;
	p->m.seals[0] = seal;
	p->m.n_quotes = p->m.n_seals = 2;
}

/* The list begins anew, and the register goes on; or the new kernel got the old one's list, and goes on with it. */
static void kexec_goes_on(void **state)
{
	struct imas_fixture *p = *state;
	char other[LEDGER_IMA_NAME_SIZE];
	uint8_t id[16];
	struct ima_maker next;
	struct ledger_ima_seal s;

	memcpy(id, boot_id, sizeof(id));
	id[0] = 0x10;
	assert_int_equal(ledger_ima_name(9, id, other), 0);
	ima_maker_open(&next);
	next.pcr[0] = p->ima.pcr[40];
	for (uint8_t i = 0; i < 10; i++)
		ima_maker_file(&next, "/usr/bin/next", i, NULL);
	quote(p, 5, 40, 40);
	seal(p, 6, 40);
	imas_fixture_put(p, other, next.list.data, next.list.size);
	memcpy(p->list, other, sizeof(other));
	s = seal_of(p, &next, 10);
	imas_fixture_quote(p, 11, NEXT, 7, &next.pcr[10], 10);
	imas_fixture_seal(p, 12, NEXT, &s);
	assert_true(finish(p, LEDGER_BOOT_GOOD, 0, "")->continued);
	assert_int_equal(p->m.n, 2);
	assert_int_equal(p->m.lists[0].result, LEDGER_BOOT_GOOD);
	/* The old kernel measured more than was read of it: nobody can tell what. */
	p->m.quotes[1].pcr.bytes[0] ^= 1;
	p->m.n = 0;
	finish(p, LEDGER_BOOT_UNPROVEN, 0, "was started by kexec, or resumed from a disk");
	/* After another start of the TPM that is no excuse. */
	p->m.quotes[1].reset_count = 8;
	p->m.n = 0;
	finish(p, LEDGER_BOOT_BAD, 11, "none of its 10 entries leads to");
	kexec_is_known_by_epochs(p);
	/* The list was handed on. */
	imas_fixture_put(p, other, p->ima.list.data, p->ima.list.size);
	p->m.quotes[1].pcr = p->ima.pcr[30];
	p->m.quotes[1].reset_count = 7;
	p->m.n_seals--;
	s = seal_of(p, &p->ima, 40);
	imas_fixture_seal(p, 12, NEXT, &s);
	p->m.n = 0;
	assert_false(finish(p, LEDGER_BOOT_GOOD, 0, "")->continued);
	ima_maker_done(&next);
}

static void lines_are_strict(void **state)
{
	struct imas_fixture *p = *state;
	struct ledger_ima_seal s = seal_of(p, &p->ima, 4);
	json_t *o = json_object();

	assert_int_equal(ledger_imas_line(&p->m, 4, BOOT, o, &p->why), 1);
	json_object_set_new(o, "list", json_string("../../etc/passwd"));
	json_object_set_new(o, "entries", json_integer(4));
	json_object_set_new(o, "bytes", json_integer(4));
	json_object_set_new(o, "sha256", json_string("aa"));
	assert_int_equal(ledger_imas_line(&p->m, 4, BOOT, o, &p->why), 1);
	assert_non_null(strstr(p->why.text, "no name of a list"));
	json_object_set_new(o, "list", json_string(s.list));
	assert_int_equal(ledger_imas_line(&p->m, 4, BOOT, o, &p->why), 1);
	assert_non_null(strstr(p->why.text, "sha256"));
	json_object_set_new(o, "sha256",
			    json_string("00000000000000000000000000000000"
					"00000000000000000000000000000000"));
	assert_int_equal(ledger_imas_line(&p->m, 4, NEXT, o, &p->why), 1);
	assert_string_equal(p->why.text, "\"list\" is of another boot");
	assert_int_equal(ledger_imas_line(&p->m, 4, BOOT, o, &p->why), 0);
	json_object_set_new(o, "bytes", json_integer(LEDGER_IMA_MAX_BYTES + 1ll));
	assert_int_equal(ledger_imas_line(&p->m, 4, BOOT, o, &p->why), 1);
	json_decref(o);
}

static void signatures_are_held_against_keys(void **state)
{
	struct imas_fixture *p = *state;
	struct ima_signer own, other;
	struct buf pem = {0}, sig = {0};
	char path[PATH_MAX];
	const char *paths[] = {path};
	struct digest d;
	struct ima_sig *keys = NULL;
	struct ledger_imas_one *o;

	ima_signer_open(&own, "P-256");
	ima_signer_open(&other, "P-256");
	ima_signer_pem(&own, false, &pem);
	snprintf(path, sizeof(path), "%s/key.pem", p->dir);
	assert_int_equal(fsio_replace_file(fsio_system(), path, pem.data, pem.size, 0600), 0);
	for (int i = 0; i < 3; i++) {
		memset(d.bytes, i, DIGEST_SIZE);
		buf_clear(&sig);
		ima_signer_xattr(i == 1 ? &other : &own, 3, 2, &d, &sig);
		if (i == 2)
			d.bytes[0] ^= 1;
		ima_maker_digest(&p->ima, "/usr/bin/signed", &d, &sig);
	}
	imas_fixture_put(p, p->list, p->ima.list.data, p->ima.list.size);
	quote(p, 5, 43, 43);
	seal(p, 6, 43);
	o = finish(p, LEDGER_BOOT_GOOD, 0, "");
	assert_int_equal(o->tally.sig_unchecked, 3);
	assert_int_equal(ima_sig_open(fsio_system(), paths, 1, &keys, &p->why), 0);
	p->m.sig = keys;
	p->m.n = 0;
	o = finish(p, LEDGER_BOOT_GOOD, 0, "");
	assert_int_equal(o->tally.sig_good, 1);
	assert_int_equal(o->tally.sig_bad, 1);
	assert_int_equal(o->tally.sig_unchecked, 1);
	ima_sig_free(keys);
	buf_done(&pem);
	buf_done(&sig);
	ima_signer_done(&own);
	ima_signer_done(&other);
}

/* Real lists of each template, and one of each kind that the kernel can be told to make. */
static void every_template_is_replayed(void **state)
{
	static const struct {
		const char *name;
		uint64_t n;
		int ret; /* some have a byte behind the last entry, or a name without NUL */
	} real[] = {{"ibmtss_imatest.log", 17, 0},
		    {"ibmtss_sha1.log", 362, 0},
		    {"tpm2-tss_sml-ima-sha1.bin", 12, -ENODATA},
		    {"tpm2-tss_sml-ima-ng-sha1.bin", 6, -ENODATA},
		    {"tpm2-tss_sml-ima-ng-sha1-invalidated.bin", 0, -ENODATA}};
	static const char *const made[] = {"ima-ngv2",	"ima-sigv2", "ima-buf",	 "ima-modsig",
					   "d-ng|n-ng", "d|n|sig",   "made-here"};
	struct imas_fixture *p = *state;

	for (size_t i = 0; i < 5; i++) {
		struct buf b = {0};
		struct ledger_ima_reader *in = NULL;
		struct imalog_entry e;
		char path[128];
		int r;

		snprintf(path, sizeof(path), "tests/data/ima/%s", real[i].name);
		assert_int_equal(fsio_read_file(fsio_system(), path, 1 << 20, &b), 0);
		imas_fixture_put(p, p->list, b.data, b.size);
		assert_int_equal(ledger_ima_open(fsio_system(), p->dir, p->list, &in), 0);
		while ((r = ledger_ima_next(in, &e, &p->why)) > 0)
			;
		assert_int_equal(r, real[i].ret);
		assert_int_equal(ledger_ima_count(in), real[i].n);
		ledger_ima_free(in);
		buf_done(&b);
	}
	for (size_t i = 0; i < 7; i++) {
		struct buf b = {0};
		const bool old = made[i][0] == 'd' && made[i][1] == '|';
		const bool v2 = strstr(made[i], "v2") != NULL;
		char digest[64] = "ima:sha256:";

		ima_maker_field(&b, v2 ? digest : digest + 4, v2 ? 44 : 40);
		if (old) {
			buf_clear(&b);
			ima_maker_field(&b, digest, 20);
		}
		ima_maker_field(&b, "/a", 3);
		if (strstr(made[i], "sig") || strstr(made[i], "buf"))
			ima_maker_field(&b, "x", 1);
		if (strstr(made[i], "modsig")) {
			ima_maker_field(&b, digest + 4, 40);
			ima_maker_field(&b, "y", 1);
		}
		ima_maker_raw(&p->ima, 10, made[i], b.data, b.size, false);
		buf_done(&b);
	}
	imas_fixture_put(p, p->list, p->ima.list.data, p->ima.list.size);
	quote(p, 5, p->ima.n, p->ima.n);
	seal(p, 6, p->ima.n);
	assert_int_equal(finish(p, LEDGER_BOOT_GOOD, 0, "")->tally.unknown, 1);
}

static void old_lists_go_with_their_lines(void **state)
{
	struct imas_fixture *p = *state;
	struct ledger_ima_file *files = NULL;
	char name[LEDGER_IMA_NAME_SIZE];
	uint32_t n = 0;
	uint8_t id[16] = {1};

	assert_int_equal(ledger_ima_name(50, id, name), 0);
	imas_fixture_put(p, name, "", 0);
	id[0] = 2;
	assert_int_equal(ledger_ima_name(100, id, name), 0);
	imas_fixture_put(p, name, "", 0);
	imas_fixture_put(p, "00000000000000000001-no.list", "", 0);
	scratch_run(p->dir, "zstd -q --rm ima/00000000000000000003*.list; "
			    "zstd -q ima/00000000000000000050*.list");
	assert_int_equal(ledger_ima_list(p->dir, &files, &n), 0);
	assert_int_equal(n, 3);
	assert_true(files[0].packed && !files[0].plain && files[1].packed && files[1].plain &&
		    files[2].plain);
	assert_int_equal(files[2].start, 100);
	free(files);
	assert_int_equal(ledger_ima_prune(fsio_system(), p->dir, 49), 0);
	assert_int_equal(ledger_ima_list(p->dir, &files, &n), 0);
	assert_int_equal(n, 3);
	free(files);
	assert_int_equal(ledger_ima_prune(fsio_system(), p->dir, 50), 0);
	assert_int_equal(ledger_ima_list(p->dir, &files, &n), 0);
	assert_int_equal(n, 2);
	free(files);
	assert_int_equal(ledger_ima_prune(fsio_system(), p->dir, 1000), 0);
	assert_int_equal(ledger_ima_list(p->dir, &files, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(files[0].start, 100);
	free(files);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, imas_fixture_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_list_is_proven_by_quotes),
		T(a_list_may_be_one_ahead_of_a_quote),
		T(what_was_changed_is_named),
		T(what_a_crash_left_behind_the_last_proof_says_nothing),
		T(what_was_put_elsewhere_is_named),
		T(what_was_left_out_is_named),
		T(a_list_that_was_cut_is_named),
		T(a_list_that_the_register_never_had_is_named),
		T(what_was_not_read_on_is_not_proven),
		T(what_is_absent_proves_nothing),
		T(a_packed_list_is_read),
		T(kexec_goes_on),
		T(lines_are_strict),
		T(signatures_are_held_against_keys),
		T(every_template_is_replayed),
		T(old_lists_go_with_their_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
