/* SPDX-License-Identifier: Apache-2.0 */
/* The border: anchor records and notes byte for byte, and their broken twins; segments packed and read again. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cleanup.h"
#include "ledger_dir.h"
#include "ledger_read.h"
#include "ledger_replay.h"
#include "ledger_zst.h"

/* Made by hand from docs/ledger.md; the check is `printf … | sha256sum`. */
static const uint8_t extend_example[] = {
	0,    0,    0,	  46,	0,    2,    0,	  0,	0,    0,    0,	  0,	1,
	0x2c, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
	0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
	0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0xf3, 0x5d, 0x10, 0xc2};

static struct ledger_anchor an_extend(void)
{
	struct ledger_anchor a = {.kind = LEDGER_ANCHOR_EXTEND, .extend.size = 300};

	memset(a.extend.root.bytes, 0x11, DIGEST_SIZE);
	return a;
}

static void test_example(void **state)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct ledger_anchor a = an_extend(), back;
	struct buf_reader r;
	struct why why = {""};

	(void)state;
	assert_int_equal(ledger_dir_anchor_write(&a, &b), 0);
	assert_int_equal(b.size, sizeof(extend_example));
	assert_memory_equal(b.data, extend_example, b.size);
	r = buf_reader_of(extend_example, sizeof(extend_example));
	assert_int_equal(ledger_dir_anchor_read(&r, &back, &why), 1);
	assert_int_equal(back.kind, LEDGER_ANCHOR_EXTEND);
	assert_int_equal(back.extend.size, 300);
	assert_true(digest_equal(&back.extend.root, &a.extend.root));
	assert_int_equal(ledger_dir_anchor_read(&r, &back, &why), 0);
}

/* The anchors of the example directory are written again as the same bytes. */
static void test_example_file(void **state)
{
	CLEANUP(buf_done) struct buf file = {0}, again = {0};
	struct buf_reader r;
	struct ledger_anchor a;
	struct why why = {""};
	int kinds[5] = {0};

	(void)state;
	assert_int_equal(fsio_read_file(fsio_system(), "tests/data/ledger/anchors", 65536, &file),
			 0);
	buf_puts(&again, LEDGER_ANCHORS_MAGIC);
	r = buf_reader_of(file.data + again.size, file.size - again.size);
	while (ledger_dir_anchor_read(&r, &a, &why) > 0) {
		kinds[a.kind]++;
		assert_int_equal(ledger_dir_anchor_write(&a, &again), 0);
	}
	assert_int_equal(kinds[LEDGER_ANCHOR_EPOCH], 2);
	assert_int_equal(kinds[LEDGER_ANCHOR_EXTEND], 7);
	assert_int_equal(kinds[LEDGER_ANCHOR_DONE], 7);
	assert_int_equal(again.size, file.size);
	assert_memory_equal(again.data, file.data, file.size);
}

static int read_twice(const struct buf *b, int *ret_second)
{
	struct buf_reader r = buf_reader_of(b->data, b->size);
	struct ledger_anchor a;
	struct why why = {""};
	int first = ledger_dir_anchor_read(&r, &a, &why);

	*ret_second = first > 0 ? ledger_dir_anchor_read(&r, &a, &why) : 0;
	return first;
}

/* At the very end a damaged record is a torn one; with another behind it somebody changed it. */
static void test_twins(void **state)
{
	CLEANUP(buf_done) struct buf one = {0}, two = {0};
	struct ledger_anchor a = an_extend();
	int second;

	(void)state;
	assert_int_equal(ledger_dir_anchor_write(&a, &one), 0);
	for (size_t size = 1; size < one.size; size++) {
		struct buf cut = {.data = one.data, .size = size};

		assert_int_equal(read_twice(&cut, &second), -ENODATA);
	}
	assert_int_equal(ledger_dir_anchor_write(&a, &two), 0);
	assert_int_equal(ledger_dir_anchor_write(&a, &two), 0);
	for (size_t bit = 0; bit < 8 * one.size; bit++) {
		int r;

		two.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		r = read_twice(&two, &second);
		two.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		/* A size that points behind the end looks torn; what follows is lost to the reader either way. */
		assert_true(r == -EBADMSG || (r == -ENODATA && bit < 32));
	}
	assert_int_equal(read_twice(&two, &second), 1);
	assert_int_equal(second, 1);
}

static void test_zeros(void **state)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct ledger_anchor a = an_extend();
	uint8_t zeros[100] = {0};
	int second;

	(void)state;
	assert_int_equal(ledger_dir_anchor_write(&a, &b), 0);
	buf_put(&b, zeros, sizeof(zeros));
	assert_int_equal(read_twice(&b, &second), 1);
	assert_int_equal(second, -ENODATA);
	b.data[b.size - 1] = 1;
	assert_int_equal(read_twice(&b, &second), 1);
	assert_int_equal(second, -EBADMSG);
}

/* A record with a good check and impossible contents. */
static void refused(uint16_t kind, size_t body_size, uint8_t fill)
{
	CLEANUP(buf_done) struct buf b = {0}, body = {0};
	struct digest d;
	int second;

	buf_put_u16be(&body, kind);
	for (size_t i = 0; i < body_size; i++)
		buf_put_u8(&body, fill);
	assert_int_equal(digest_sha256(body.data, body.size, &d), 0);
	buf_put(&body, d.bytes, 4);
	buf_put_sized(&b, body.data, body.size);
	assert_int_equal(read_twice(&b, &second), -EBADMSG);
}

static void test_malformed(void **state)
{
	struct ledger_anchor a = {.kind = (enum ledger_anchor_kind)9};
	CLEANUP(buf_done) struct buf b = {0};

	(void)state;
	refused(0, 32, 1);
	refused(5, 32, 1);
	refused(LEDGER_ANCHOR_DONE, 31, 1);
	refused(LEDGER_ANCHOR_DONE, 33, 1);
	refused(LEDGER_ANCHOR_EXTEND, 39, 1);
	refused(LEDGER_ANCHOR_FOREIGN, 63, 1);
	refused(LEDGER_ANCHOR_FOREIGN, 65, 1);
	refused(LEDGER_ANCHOR_EPOCH, 58, 0); /* base 0 */
	refused(LEDGER_ANCHOR_EPOCH, 58, 5);
	refused(LEDGER_ANCHOR_DONE, 2000, 1); /* over LEDGER_MAX_ANCHOR */
	assert_int_equal(ledger_dir_anchor_write(&a, &b), -EINVAL);
}

static void test_notes(void **state)
{
	static const char line[] = "\xe2\x80\x94 plumb.example/witness AAAAAA==";
	static const char want[] =
		"300 ERERERERERERERERERERERERERERERERERERERERERE= plumb.example/witness AAAAAA==";
	CLEANUP(buf_done) struct buf b = {0};
	struct ledger_anchor a = an_extend();
	struct ledger_note n;
	char twin[128];

	(void)state;
	assert_int_equal(ledger_dir_note_write(300, &a.extend.root, line, strlen(line), &b), 0);
	assert_int_equal(b.size, strlen(want) + 1);
	assert_memory_equal(b.data, want, strlen(want));
	assert_int_equal(ledger_dir_note_read(want, strlen(want), &n, NULL), 0);
	assert_int_equal(n.size, 300);
	assert_true(digest_equal(&n.root, &a.extend.root));
	assert_int_equal(n.line_size, strlen("plumb.example/witness AAAAAA=="));
	/* No dash, an LF inside. */
	assert_int_equal(ledger_dir_note_write(300, &a.extend.root, line + 4, 8, &b), -EINVAL);
	assert_int_equal(ledger_dir_note_write(300, &a.extend.root, "\xe2\x80\x94 a\nb", 7, &b),
			 -EINVAL);
	for (size_t size = 0; size < 49; size++)
		assert_int_equal(ledger_dir_note_read(want, size, &n, NULL), -EBADMSG);
	snprintf(twin, sizeof(twin), "%s", want);
	twin[3] = '-';
	assert_int_equal(ledger_dir_note_read(twin, strlen(twin), &n, NULL), -EBADMSG);
	snprintf(twin, sizeof(twin), "0%s", want);
	assert_int_equal(ledger_dir_note_read(twin, strlen(twin), &n, NULL), -EBADMSG);
	snprintf(twin, sizeof(twin), "99999999999999999999%s", want + 3);
	assert_int_equal(ledger_dir_note_read(twin, strlen(twin), &n, NULL), -EBADMSG);
}

static void test_header(void **state)
{
	static const char good[] =
		"{\"plumb\":\"segment\",\"v\":1,\"origin\":\"o\",\"first\":2,\"frontier\":["
		"\"ERERERERERERERERERERERERERERERERERERERERERE=\"]}";
	static const struct {
		const char *from, *to;
	} twins[] = {
		{"segment", "segmenu"},
		{"\"v\":1", "\"v\":2"},
		{"\"first\":2", "\"first\":3"},
		{"\"first\":2", "\"first\":-2"},
		{"\"o\"", "7"},
		{"RERE=", "RERE"},
		{"ERER", ""},
		{"[\"", "[7,\""},
		{"]}", "]}}"},
		{"\"first\":2", "\"first\":2,\"first\":2"},
	};
	struct ledger_read_segment s;
	char text[512];

	(void)state;
	assert_int_equal(ledger_read_header(good, strlen(good), &s, NULL), 0);
	assert_int_equal(s.first, 2);
	assert_int_equal(s.frontier.n_hashes, 1);
	for (size_t i = 0; i < ARRAY_SIZE(twins); i++) {
		const char *at = strstr(good, twins[i].from);

		assert_non_null(at);
		snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - good), good, twins[i].to,
			 at + strlen(twins[i].from));
		assert_true(ledger_read_header(text, strlen(text), &s, NULL) < 0);
	}
	for (size_t size = 0; size < strlen(good); size++)
		assert_true(ledger_read_header(good, size, &s, NULL) < 0);
}

static int unpack(const char *path, struct buf *ret)
{
	struct ledger_zst_reader *z = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC),
	    r = ledger_zst_reader_open(fsio_system(), fd, &z);
	char chunk[5000];
	size_t n = 1;

	while (r >= 0 && n > 0) {
		r = ledger_zst_reader_read(z, chunk, sizeof(chunk), &n);
		if (r >= 0)
			buf_put(ret, chunk, n);
	}
	ledger_zst_reader_free(z);
	close(fd);
	return r;
}

static void put(const char *path, const void *data, size_t size)
{
	assert_int_equal(fsio_replace_file(fsio_system(), path, data, size, 0600), 0);
}

static void test_packed(void **state)
{
	CLEANUP(buf_done) struct buf plain = {0}, packed = {0}, back = {0};
	char dir[] = "/tmp/plumb-test-zst-XXXXXX", path[64], zst[80];
	struct ledger_zst_job *j = NULL;
	int r, steps = 0;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/x", dir);
	snprintf(zst, sizeof(zst), "%s.zst", path);
	for (uint32_t i = 0; i < 200000; i++)
		buf_put_u32be(&plain, i * 2654435761u);
	put(path, plain.data, plain.size);
	assert_int_equal(ledger_zst_begin(fsio_system(), dir, path, &j), 0);
	do {
		r = ledger_zst_step(j, 100000);
		steps++;
	} while (r == 0);
	assert_int_equal(r, 1);
	assert_true(steps > 3);
	ledger_zst_free(j);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(unpack(zst, &back), 0);
	assert_int_equal(back.size, plain.size);
	assert_memory_equal(back.data, plain.data, plain.size);
	/* Broken twins: cut short, one bit turned, longer, another frame behind it, nothing. */
	assert_int_equal(fsio_read_file(fsio_system(), zst, 1 << 24, &packed), 0);
	put(zst, packed.data, packed.size - 1);
	assert_int_equal(unpack(zst, &back), -EBADMSG);
	put(zst, packed.data, packed.size / 2);
	assert_int_equal(unpack(zst, &back), -EBADMSG);
	packed.data[packed.size / 2] ^= 1;
	put(zst, packed.data, packed.size);
	assert_int_equal(unpack(zst, &back), -EBADMSG);
	packed.data[packed.size / 2] ^= 1;
	buf_put(&packed, packed.data, 100);
	put(zst, packed.data, packed.size);
	assert_int_equal(unpack(zst, &back), -EBADMSG);
	put(zst, "", 0);
	assert_int_equal(unpack(zst, &back), -EBADMSG);
	/* Given up half way: the plain file stays, nothing else does. */
	unlink(zst);
	put(path, plain.data, plain.size);
	assert_int_equal(ledger_zst_begin(fsio_system(), dir, path, &j), 0);
	assert_int_equal(ledger_zst_step(j, 1000), 0);
	ledger_zst_free(j);
	assert_int_equal(access(path, F_OK), 0);
	unlink(path);
	assert_int_equal(rmdir(dir), 0);
}

/* A few bytes that unpack to more than a segment may have. */
static void test_bomb(void **state)
{
	CLEANUP_FREE char *chunk = malloc(1 << 20);
	struct ledger_zst_reader *z = NULL;
	const char *path = "/tmp/plumb-test-bomb.zst";
	size_t n = 1;
	int fd, r;

	(void)state;
	assert_int_equal(
		system("head -c 1200000000 /dev/zero | zstd -q -f -o /tmp/plumb-test-bomb.zst"), 0);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(ledger_zst_reader_open(fsio_system(), fd, &z), 0);
	do
		r = ledger_zst_reader_read(z, chunk, 1 << 20, &n);
	while (r >= 0 && n > 0);
	assert_int_equal(r, -EFBIG);
	ledger_zst_reader_free(z);
	close(fd);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_example),	  cmocka_unit_test(test_example_file),
		cmocka_unit_test(test_twins),	  cmocka_unit_test(test_zeros),
		cmocka_unit_test(test_malformed), cmocka_unit_test(test_notes),
		cmocka_unit_test(test_header),	  cmocka_unit_test(test_packed),
		cmocka_unit_test(test_bomb),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
