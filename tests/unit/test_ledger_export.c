/* SPDX-License-Identifier: Apache-2.0 */
/* What is exported from tests/data/ledger is what others read: notes that verify, a proof that proves, records that replay. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cleanup.h"
#include "jsonl.h"
#include "ledger_check.h"
#include "ledger_export.h"
#include "ledger_vouch.h"
#include "merkle.h"

#define DATA "tests/data/ledger"
#define DASH "\xe2\x80\x94 "

static struct ledger_vouch *vouch;

static int setup(void **state)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct why why = {""};
	int r = fsio_read_file(fsio_system(), DATA "/record.json", 65536, &b);

	(void)state;
	return r < 0 ? r : ledger_vouch_open(b.data, b.size, &vouch, &why);
}

static int teardown(void **state)
{
	(void)state;
	vouch = ledger_vouch_free(vouch);
	return 0;
}

/* One signed note, both signatures good; gives what is behind it. */
static const char *take_note(const char *at, struct checkpoint *ret)
{
	const char *end = strstr(at, "\n\n");
	enum ledger_vouch_who who;
	uint64_t time_s;
	struct why why = {""};

	assert_non_null(end);
	assert_int_equal(checkpoint_parse(at, (size_t)(end + 1 - at), ret, &why), 0);
	at = end + 2;
	for (int i = 1; i <= 2; i++) {
		assert_memory_equal(at, DASH, strlen(DASH));
		at += strlen(DASH);
		end = strchr(at, '\n');
		assert_non_null(end);
		assert_int_equal(
			ledger_vouch_note(vouch, ret, at, (size_t)(end - at), &who, &time_s, &why),
			0);
		assert_int_equal(who, i);
		at = end + 1;
	}
	return at;
}

static void test_notes(void **state)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct checkpoint c;
	struct why why = {""};
	const char *at;

	(void)state;
	assert_int_equal(ledger_export_notes(fsio_system(), DATA, &b, &why), 0);
	at = take_note((char *)b.data, &c);
	assert_int_equal(c.size, 7);
	assert_int_equal(*at, '\n');
	at = take_note(at + 1, &c);
	assert_int_equal(c.size, 14);
	assert_string_equal(at, "\n");
}

struct line_hash {
	uint64_t seq;
	struct digest leaf;
};

static int hash_line(void *ctx, uint64_t seq, const char *line, size_t size)
{
	struct line_hash *h = ctx;

	return seq == h->seq ? merkle_leaf(line, size, &h->leaf) : 0;
}

static void test_proof(void **state)
{
	struct why why = {""};

	(void)state;
	for (uint64_t seq = 0; seq < 14; seq++) {
		CLEANUP(buf_done) struct buf b = {0};
		struct line_hash h = {.seq = seq};
		struct digest proof[MERKLE_MAX_LEVELS];
		struct checkpoint c;
		char head[64];
		const char *at;
		uint32_t n = 0;

		assert_int_equal(ledger_export_proof(fsio_system(), DATA, seq, &b, &why), 0);
		assert_int_equal(ledger_check_each(fsio_system(), DATA, 0, hash_line, &h, &why), 0);
		snprintf(head, sizeof(head), "c2sp.org/tlog-proof@v1\nindex %d\n", (int)seq);
		assert_memory_equal(b.data, head, strlen(head));
		for (at = (char *)b.data + strlen(head); *at != '\n'; at += 45, n++) {
			CLEANUP(buf_done) struct buf hash = {0};

			assert_int_equal(digest_from_base64(at, 44, &hash), 0);
			assert_int_equal(at[44], '\n');
			memcpy(proof[n].bytes, hash.data, DIGEST_SIZE);
		}
		assert_string_equal(take_note(at + 1, &c), "");
		assert_int_equal(c.size, 14);
		assert_int_equal(merkle_check_inclusion(seq, 14, &h.leaf, proof, n, &c.root), 0);
		h.leaf.bytes[0] ^= 1;
		assert_int_equal(merkle_check_inclusion(seq, 14, &h.leaf, proof, n, &c.root),
				 -EBADMSG);
	}
}

static void test_no_proof(void **state)
{
	CLEANUP(buf_done) struct buf b = {0};
	const char *dir = "/tmp/plumb-test-export";
	struct why why = {""};

	(void)state;
	assert_int_equal(ledger_export_proof(fsio_system(), DATA, 14, &b, &why), -ENOENT);
	assert_non_null(strstr(why.text, "no signed checkpoint covers line 14"));
	assert_int_equal(
		system("rm -rf /tmp/plumb-test-export && cp -r " DATA " /tmp/plumb-test-export"),
		0);
	assert_int_equal(system("printf X | dd of=/tmp/plumb-test-export/tiles/0/000000000000 bs=1 "
				"seek=100 conv=notrunc status=none"),
			 0);
	assert_int_equal(ledger_export_proof(fsio_system(), dir, 9, &b, &why), -EBADMSG);
	assert_int_equal(system("rm -r /tmp/plumb-test-export/tiles"), 0);
	assert_int_equal(ledger_export_proof(fsio_system(), dir, 9, &b, &why), -ENODATA);
	assert_int_equal(system("rm /tmp/plumb-test-export/notes"), 0);
	assert_int_equal(ledger_export_notes(fsio_system(), dir, &b, &why), -ENOENT);
	assert_int_equal(b.size, 0);
	assert_int_equal(system("rm -rf /tmp/plumb-test-export"), 0);
	assert_true(ledger_export_notes(fsio_system(), dir, &b, &why) < 0);
}

/* The digests fold to the PCR that the last quote covers; each digest is that of its note's text. */
static void test_cel(void **state)
{
	CLEANUP(jsonl_decref_p) json_t *all = NULL;
	CLEANUP(buf_done) struct buf b = {0};
	struct why why = {""};
	json_t *record;
	size_t i;

	(void)state;
	assert_int_equal(ledger_export_cel(fsio_system(), DATA, &b, &why), 0);
	all = json_loadb((char *)b.data, b.size, 0, NULL);
	assert_int_equal(json_array_size(all), 7);
	json_array_foreach (all, i, record) {
		json_t *digest = json_array_get(json_object_get(record, "digests"), 0);
		const char *note = json_string_value(
			json_object_get(json_object_get(record, "content"), "note"));
		const char *end = strstr(note, "\n\n");
		size_t size = end ? (size_t)(end + 1 - note) : strlen(note);
		struct digest want, found;

		assert_int_equal(json_integer_value(json_object_get(record, "recnum")), i);
		assert_int_equal(json_integer_value(json_object_get(record, "pcr")), 15);
		assert_string_equal(json_string_value(json_object_get(digest, "hashAlg")),
				    "sha256");
		assert_int_equal(
			digest_from_hex(json_string_value(json_object_get(digest, "digest")),
					&found),
			0);
		assert_int_equal(digest_sha256(note, size, &want), 0);
		assert_true(digest_equal(&want, &found));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_notes),
		cmocka_unit_test(test_proof),
		cmocka_unit_test(test_no_proof),
		cmocka_unit_test(test_cel),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
