/* SPDX-License-Identifier: Apache-2.0 */
/* test_measurelog.c: what systemd says that it measured: a real register is reached by its record, and nothing is believed that cannot be made anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "measurelog.h"

#define HEAD                                                                                  \
	"\x1e{\"pcr\":%u,\"digests\":[{\"hashAlg\":\"sha256\",\"digest\":\"%s\"}],\"content_" \
	"type\":\"systemd\",\"content\":{"
#define TAIL                                                                                      \
	"\"bootId\":\"189c18dd7ba245f38cf49d9ac154b525\",\"timestamp\":1515761,\"eventType\":\"%" \
	"s\"}}\n"

static void put(struct buf *b, uint32_t pcr, const char *kind, const char *text)
{
	char hex[DIGEST_HEX_SIZE];
	struct digest d;

	assert_int_equal(digest_sha256(text, strlen(text), &d), 0);
	digest_hex(&d, hex);
	buf_printf(b, HEAD "\"string\":\"%s\"," TAIL, pcr, hex, text, kind);
}

static struct digest fold(struct digest from, const char *text)
{
	struct digest d;
	struct buf_view parts[] = {{from.bytes, DIGEST_SIZE}, {d.bytes, DIGEST_SIZE}};

	assert_int_equal(digest_sha256(text, strlen(text), &d), 0);
	assert_int_equal(digest_sha256_parts(parts, 2, &from), 0);
	return from;
}

static int leads(const struct buf *b, uint32_t pcr, struct digest from, struct digest to,
		 const char *why_has)
{
	struct why why = {""};
	int r = measurelog_leads(b->data, b->size, pcr, &from, &to, &why);

	if (why_has && !strstr(why.text, why_has))
		fail_msg("%s", why.text);
	return r;
}

/* PCR 7 of a machine before and after its initrd, and the record that systemd logged for it. */
static void a_real_register_is_reached(void **state)
{
	static const char record[] = "\x1e{\"pcr\":7,\"digests\":[{\"hashAlg\":\"sha256\","
				     "\"digest\":\"ff5b9d73dad709633ae76adf444012b57"
				     "e913a12ed7403c3931145862f35f841\"}],\"content_type\":"
				     "\"systemd\",\"content\":{\"string\":\"os-separator\","
				     "\"bootId\":\"189c18dd7ba245f38cf49d9ac154b525\","
				     "\"timestamp\":1515761,\"eventType\":\"os-separator\"}}\n";
	struct digest before, after;
	struct buf b = {0};

	(void)state;
	buf_puts(&b, record);
	assert_int_equal(
		digest_from_hex("b5710bf57d25623e4019027da116821fa99f5c81e9e38b87671cc574f9281439",
				&before),
		0);
	assert_int_equal(
		digest_from_hex("03f359c6155efb9c42dd82c470c66f3579ea5721690787e6b1d3b0ac199ff501",
				&after),
		0);
	assert_int_equal(leads(&b, 7, before, after, NULL), 1);
	assert_int_equal(leads(&b, 7, after, before, "has 1 records of PCR 7"), 0);
	assert_int_equal(leads(&b, 6, before, after, "has 0 records of PCR 6"), 0);
	assert_int_equal(leads(&b, 7, before, before, NULL), 1);
	buf_done(&b);
}

static void records_of_a_register_go_in_their_order(void **state)
{
	static const char fs[] = "file-system:/:ext4:1::2:3:root",
			  id[] = "machine-id:0123456789abcdef0123456789abcdef";
	struct digest zero = {{0}}, one, two;
	struct buf b = {0};

	(void)state;
	put(&b, 11, "phase", "enter-initrd");
	put(&b, 15, "machine-id", id);
	buf_puts(&b, "\x1e{\"nv_index_handle\":30474752,\"digests\":[],\"content_type\":"
		     "\"systemd\",\"content\":{}}\n");
	put(&b, 15, "filesystem", fs);
	one = fold(zero, id);
	two = fold(one, fs);
	assert_int_equal(leads(&b, 15, zero, two, NULL), 1);
	/* The log is written after the register, and may be ahead of a quote. */
	assert_int_equal(leads(&b, 15, zero, one, NULL), 1);
	assert_int_equal(leads(&b, 15, one, two, NULL), 0);
	assert_int_equal(leads(&b, 11, zero, fold(zero, "enter-initrd"), NULL), 1);
	assert_int_equal(leads(&b, 11, zero, two, NULL), 0);
	buf_done(&b);
}

/* Root can write it: each of these would explain a register by what was never measured by systemd. */
static void what_cannot_be_made_anew_leads_nowhere(void **state)
{
	static const struct {
		uint32_t pcr;
		const char *kind, *text, *why;
	} rows[] = {
		{15, "volume-key", "cryptsetup:root:5e47a9db", "of a volume's key"},
		{15, "machine-id", "machine-id:0123", "not of a text which belongs there"},
		{15, "machine-id", "x", "not of a text"},
		{15, "phase", "ready", "PCR 15 (phase) has a digest"},
		{11, "phase", "a\\nb", "not of a text"},
		{11, "phase", "log.example/node/aa/1", "not of a text"},
		{11, "filesystem", "file-system:/", "not of a text"},
		{15, "filesystem", "file-system:", "not of a text"},
		{15, "filesystem", "file-system:a\\u0007", "not of a text"},
		{7, "os-separator", "os-separator2", "not of a text"},
		{10, "os-separator", "os-separator", "not of a text"},
		{7, "dm-verity", "verity:x", "(an unknown kind)"},
		{9, "nvpcr-separator", "nvpcr-separators", "not of a text"},
	};
	struct digest zero = {{0}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf b = {0};

		put(&b, rows[i].pcr, rows[i].kind, rows[i].text);
		assert_int_equal(
			leads(&b, rows[i].pcr, zero, fold(zero, rows[i].text), rows[i].why), 0);
		buf_done(&b);
	}
}

/* A text that is what its kind must be, and a digest that is of another. */
static void a_digest_of_something_else_leads_nowhere(void **state)
{
	struct digest zero = {{0}}, d, to;
	struct buf b = {0};
	char hex[DIGEST_HEX_SIZE];

	(void)state;
	assert_int_equal(digest_sha256("a checkpoint", 12, &d), 0);
	digest_hex(&d, hex);
	to = fold(zero, "a checkpoint");
	buf_printf(&b, HEAD "\"string\":\"os-separator\"," TAIL, 7, hex, "os-separator");
	assert_int_equal(leads(&b, 7, zero, to, "record 1 of PCR 7 (os-separator)"), 0);
	/* Nor where another says the type. */
	buf_clear(&b);
	buf_printf(&b,
		   "\x1e{\"pcr\":7,\"digests\":[{\"hashAlg\":\"sha256\",\"digest\":\"%s\"}],"
		   "\"content_type\":\"mine\",\"content\":{}}\n",
		   hex);
	assert_int_equal(leads(&b, 7, zero, to, "an unknown kind"), 0);
	buf_clear(&b);
	buf_puts(&b, "\x1e{\"pcr\":7,\"digests\":[{\"hashAlg\":\"sha1\",\"digest\":\"aa\"}],"
		     "\"content_type\":\"systemd\",\"content\":{\"string\":\"os-separator\","
		     "\"eventType\":\"os-separator\"}}\n");
	assert_int_equal(leads(&b, 7, zero, to, "no digest of SHA-256"), 0);
	buf_done(&b);
}

static void bytes_that_are_no_log_lead_nowhere(void **state)
{
	static const struct {
		const char *bytes, *why;
	} rows[] = {
		{"x\n", "record 1 at byte 0 does not begin with 1e"},
		{"\x1e{}", "record 1 at byte 0 has no end"},
		{"\x1e{}\n", "record 1 at byte 0: \"digests\""},
		{"\x1e[]\n", "record 1 at byte 0: JSON"},
		{"\x1e{\"pcr\":24,\"digests\":[],\"content_type\":\"systemd\",\"content\":{}}\n",
		 "\"pcr\""},
		{"\x1e{\"pcr\":-1,\"digests\":[],\"content_type\":\"systemd\",\"content\":{}}\n",
		 "\"pcr\""},
		{"\x1e{\"digests\":[1],\"content_type\":\"systemd\",\"content\":{}}\n",
		 "\"digests\"[0]"},
		{"\x1e{\"digests\":[],\"content_type\":\"systemd\"}\n", "\"content\""},
		{"\x1e{\"digests\":[],\"content_type\":\"systemd\",\"content\":{\"string\":1}}\n",
		 "\"string\""},
		{"\x1e{\"digests\":[],\"content_type\":\"systemd\",\"content\":{\"eventType\":1}}"
		 "\n",
		 "\"eventType\""},
	};
	struct digest zero = {{0}}, one = {{1}};
	struct buf b = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_clear(&b);
		buf_puts(&b, rows[i].bytes);
		assert_int_equal(leads(&b, 15, zero, one, rows[i].why), 0);
	}
	/* One that is being written: what is whole counts. */
	buf_clear(&b);
	put(&b, 11, "phase", "enter-initrd");
	buf_puts(&b, "\x1e{\"pcr\":11,");
	assert_int_equal(leads(&b, 11, zero, fold(zero, "enter-initrd"), NULL), 1);
	assert_int_equal(leads(&b, 11, zero, one, "record 2 at byte"), 0);
	/* Two digests of one bank: which one was extended? */
	buf_clear(&b);
	buf_puts(&b, "\x1e{\"digests\":[{\"hashAlg\":\"sha256\",\"digest\":"
		     "\"ff5b9d73dad709633ae76adf444012b57e913a12ed7403c3931145862f35f841\"},"
		     "{\"hashAlg\":\"sha256\",\"digest\":"
		     "\"ff5b9d73dad709633ae76adf444012b57e913a12ed7403c3931145862f35f841\"}],"
		     "\"content_type\":\"systemd\",\"content\":{}}\n");
	assert_int_equal(leads(&b, 11, zero, one, "two digests"), 0);
	buf_clear(&b);
	for (size_t i = 0; i <= MEASURELOG_MAX; i++)
		buf_put_u8(&b, '\n');
	assert_int_equal(leads(&b, 11, zero, one, "262145 bytes, at most 262144"), 0);
	buf_clear(&b);
	buf_puts(&b, "\x1e{\"a\":\"");
	while (b.size < MEASURELOG_MAX_RECORD + 10)
		buf_put_u8(&b, 'a');
	buf_puts(&b, "\"}\n");
	assert_int_equal(leads(&b, 11, zero, one, "at most 16384"), 0);
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_real_register_is_reached),
		cmocka_unit_test(records_of_a_register_go_in_their_order),
		cmocka_unit_test(what_cannot_be_made_anew_leads_nowhere),
		cmocka_unit_test(a_digest_of_something_else_leads_nowhere),
		cmocka_unit_test(bytes_that_are_no_log_lead_nowhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
