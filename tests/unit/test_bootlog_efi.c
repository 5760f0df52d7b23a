/* SPDX-License-Identifier: Apache-2.0 */
/* test_bootlog_efi.c: UEFI's variables and signature lists, and what is in them by which bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "../../userspace/lib/bootlog.h"
#include "../../userspace/lib/bootlog_cover.h"
#include "../../userspace/lib/bootlog_efi.h"
#include "../../userspace/lib/bootlog_text.h"
#include "../../userspace/lib/cleanup.h"
#include "../../userspace/lib/digest_bank.h"

static const uint8_t x509[16] = {0xa1, 0x59, 0xc0, 0xa5, 0xe4, 0x94, 0xa7, 0x4a,
				 0x87, 0xb5, 0xab, 0x15, 0x5c, 0x2b, 0xf0, 0x72};
static const uint8_t sha256[16] = {0x26, 0x16, 0xc4, 0xc1, 0x4c, 0x50, 0x92, 0x40,
				   0xac, 0xa9, 0x41, 0xf9, 0x36, 0x93, 0x43, 0x28};
static const uint8_t tbs256[16] = {0x92, 0xa4, 0xd2, 0x3b, 0xc0, 0x96, 0x79, 0x40,
				   0xb4, 0x20, 0xfc, 0xf9, 0x8e, 0xf1, 0x03, 0xed};
/* SEQUENCE { SEQUENCE { 1 }, NULL }: as much of a certificate as is looked at. */
static const uint8_t cert[] = {0x30, 0x07, 0x30, 0x03, 0x02, 0x01, 0x01, 0x05, 0x00};
static const uint8_t owner[16] = {7};

static void put_u32le(struct buf *b, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		buf_put_u8(b, (uint8_t)(v >> 8 * i));
}

/* One list of one entry, and `more` bytes behind the entry's own. */
static void put_list(struct buf *b, const uint8_t *type, const void *entry, size_t size,
		     size_t more)
{
	buf_put(b, type, 16);
	put_u32le(b, (uint32_t)(28 + 16 + size + more));
	put_u32le(b, 0);
	put_u32le(b, (uint32_t)(16 + size + more));
	buf_put(b, owner, 16);
	buf_put(b, entry, size);
	while (more-- > 0)
		buf_put_u8(b, 0);
}

static struct buf_view view(const struct buf *b)
{
	return (struct buf_view){b->data, b->size};
}

static void lists_are_strict(void **state)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct buf_view v = {NULL, 0};
	uint32_t n = 9;

	(void)state;
	assert_int_equal(bootlog_efi_entries(&v, &n), 0);
	assert_int_equal(n, 0);
	put_list(&b, x509, cert, sizeof(cert), 0);
	put_list(&b, sha256, owner, 16, 16);
	v = view(&b);
	assert_int_equal(bootlog_efi_entries(&v, &n), 0);
	assert_int_equal(n, 2);
	for (v.size = 1; v.size < b.size; v.size++)
		assert_int_equal(bootlog_efi_entries(&v, &n),
				 v.size == 28 + 16 + sizeof(cert) ? 0 : -EBADMSG);
	/* Sizes: of the list, of its header, of an entry. */
	for (size_t at = 16; at < 28; at += 4) {
		uint8_t old = b.data[at];

		b.data[at] = (uint8_t)(old + 3);
		assert_int_equal(bootlog_efi_entries(&v, &n), -EBADMSG);
		b.data[at + 3] = 0x80;
		assert_int_equal(bootlog_efi_entries(&v, &n), -EBADMSG);
		b.data[at + 3] = 0;
		b.data[at] = old;
	}
	/* An entry that is an owner and nothing else. */
	buf_clear(&b);
	put_list(&b, x509, NULL, 0, 0);
	v = view(&b);
	assert_int_equal(bootlog_efi_entries(&v, &n), -EBADMSG);
}

/* With the owner before it or without; by its bytes, or by the digest of what its issuer signed. */
static void what_vouches_is_found(void **state)
{
	CLEANUP(buf_done) struct buf db = {0}, hashes = {0}, dbx = {0}, owned = {0};
	struct buf_view bare = {cert, sizeof(cert)}, tbs = {cert + 2, 5}, v, a;
	struct digest_bank *d = NULL;
	uint8_t digest[32];

	(void)state;
	assert_int_equal(digest_bank_open(BOOTLOG_SHA256, &d), 0);
	assert_int_equal(digest_bank_parts(d, &tbs, 1, digest), 0);
	digest_bank_free(d);
	assert_int_equal(digest_bank_open(0x27, &d), -EOPNOTSUPP);
	put_list(&hashes, sha256, digest, 32, 0);
	put_list(&db, sha256, owner, 16, 16);
	put_list(&db, x509, cert, sizeof(cert), 0);
	put_list(&dbx, tbs256, digest, 32, 16);
	buf_put(&owned, "sixteen bytes of", 16);
	buf_put(&owned, cert, sizeof(cert));
	a = view(&owned);
	v = view(&db);
	assert_int_equal(bootlog_efi_find(&v, &bare), BOOTLOG_EFI_CERTIFICATE);
	assert_int_equal(bootlog_efi_find(&v, &a), BOOTLOG_EFI_CERTIFICATE);
	a.size--;
	assert_int_equal(bootlog_efi_find(&v, &a), BOOTLOG_EFI_NOT);
	a.size++;
	v = view(&dbx);
	assert_int_equal(bootlog_efi_find(&v, &bare), BOOTLOG_EFI_OF_CERTIFICATE);
	assert_int_equal(bootlog_efi_find(&v, &a), BOOTLOG_EFI_OF_CERTIFICATE);
	v = view(&hashes);
	assert_int_equal(bootlog_efi_find(&v, &bare), BOOTLOG_EFI_NOT);
	bare = (struct buf_view){digest, 32};
	assert_int_equal(bootlog_efi_find(&v, &bare), BOOTLOG_EFI_HASH);
	v = view(&dbx);
	assert_int_equal(bootlog_efi_find(&v, &bare), BOOTLOG_EFI_NOT);
}

static void put_variable(struct buf *b, const uint8_t *guid, const char *name, const void *data,
			 size_t size)
{
	buf_put(b, guid, 16);
	put_u32le(b, (uint32_t)strlen(name));
	put_u32le(b, 0);
	put_u32le(b, (uint32_t)size);
	put_u32le(b, 0);
	for (; *name; name++) {
		buf_put_u8(b, (uint8_t)*name);
		buf_put_u8(b, 0);
	}
	buf_put(b, data, size);
}

static void variables_are_strict(void **state)
{
	CLEANUP(buf_done) struct buf b = {0}, other = {0};
	struct bootlog_efi_variable v;
	struct buf_view e;

	(void)state;
	put_variable(&b, bootlog_efi_global, "SecureBoot", "\1", 1);
	e = view(&b);
	assert_int_equal(bootlog_efi_variable(&e, &v), 0);
	assert_true(bootlog_efi_is(&v, bootlog_efi_global, "SecureBoot"));
	assert_false(bootlog_efi_is(&v, bootlog_efi_security, "SecureBoot"));
	assert_false(bootlog_efi_is(&v, bootlog_efi_global, "SecureBoo"));
	assert_int_equal(v.data.size, 1);
	for (e.size = 0; e.size < b.size; e.size++)
		assert_int_equal(bootlog_efi_variable(&e, &v), -EBADMSG);
	/* A name that is longer than any, and one that cannot be printed. */
	b.data[16]++;
	e = view(&b);
	assert_int_equal(bootlog_efi_variable(&e, &v), -EBADMSG);
	b.data[16]--;
	b.data[33] = 1;
	assert_int_equal(bootlog_efi_variable(&e, &v), -EBADMSG);
	put_variable(&other, bootlog_efi_global,
		     "a name of sixty-four characters, which is one more than is allowed", "", 0);
	e = view(&other);
	assert_int_equal(bootlog_efi_variable(&e, &v), -EBADMSG);
}

/* An event whose digest is of `over`. */
static enum bootlog_cover cover(uint32_t type, const char *data, size_t size, const char *over,
				size_t over_size, struct bootlog_covered *ret)
{
	uint8_t digest[32];
	struct buf_view part = {(const uint8_t *)over, over_size};
	struct bootlog_event e = {
		.pcr = 1, .type = type, .digests = {digest}, .data = {(const uint8_t *)data, size}};
	struct digest_bank *d = NULL;

	assert_int_equal(digest_bank_open(BOOTLOG_SHA256, &d), 0);
	assert_int_equal(digest_bank_parts(d, &part, 1, digest), 0);
	digest_bank_free(d);
	assert_int_equal(bootlog_cover(&e, 0, ret), 0);
	return ret->cover;
}
#define COVER(type, data, over) cover(type, data, sizeof(data) - 1, over, sizeof(over) - 1, &c)

static void what_a_digest_is_over(void **state)
{
	static const uint32_t must[] = {
		BOOTLOG_CRTM_VERSION,	  BOOTLOG_SEPARATOR,	 BOOTLOG_ACTION,
		BOOTLOG_OMIT_BOOT_DEVICE, BOOTLOG_EFI_ACTION,	 BOOTLOG_EFI_VARIABLE,
		BOOTLOG_EFI_GPT,	  BOOTLOG_EFI_GPT2,	 BOOTLOG_EFI_BOOT,
		BOOTLOG_EFI_BOOT2,	  BOOTLOG_EFI_AUTHORITY, BOOTLOG_EFI_SPDM_POLICY};
	static const uint32_t need_not[] = {BOOTLOG_EVENT_TAG, BOOTLOG_IPL};
	static const uint32_t other[] = {BOOTLOG_POST_CODE, BOOTLOG_CRTM_CONTENTS,
					 BOOTLOG_EFI_APP,   BOOTLOG_EFI_DRIVER,
					 0x80000008,	    0x99};
	struct bootlog_covered c;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(must); i++) {
		assert_int_equal(COVER(must[i], "text", "text"), BOOTLOG_COVERED);
		assert_int_equal(COVER(must[i], "text", "another"), BOOTLOG_LIE);
		assert_int_equal(COVER(must[i], "", "another"), BOOTLOG_LIE);
	}
	for (size_t i = 0; i < ARRAY_SIZE(need_not); i++) {
		assert_int_equal(COVER(need_not[i], "text", "text"), BOOTLOG_COVERED);
		assert_int_equal(COVER(need_not[i], "text", "another"), BOOTLOG_OF_ELSE);
	}
	for (size_t i = 0; i < ARRAY_SIZE(other); i++)
		assert_int_equal(COVER(other[i], "text", "text"), BOOTLOG_OF_ELSE);
	assert_int_equal(COVER(BOOTLOG_IPL, "grub_cmd: ls\0", "ls"), BOOTLOG_COVERED);
	assert_int_equal(c.bytes.size, 2);
	assert_int_equal(c.prefix, 10);
	assert_int_equal(COVER(BOOTLOG_IPL, "kernel_cmdline: ro\0", "rw"), BOOTLOG_LIE);
	assert_int_equal(COVER(BOOTLOG_IPL, "kernel_cmdline: ", ""), BOOTLOG_COVERED);
	assert_int_equal(COVER(BOOTLOG_EFI_AUTHORITY, "text\1", "text"), BOOTLOG_COVERED);
	assert_true(c.extra);
	assert_int_equal(COVER(BOOTLOG_EFI_VARIABLE, "text\1", "text"), BOOTLOG_LIE);
}

static void expect_text(const char *bytes, size_t size, bool wide, const char *want)
{
	CLEANUP(buf_done) struct buf b = {0};

	assert_int_equal(wide ? bootlog_text_utf16(bytes, size, &b) : bootlog_text(bytes, size, &b),
			 0);
	if (strncmp(b.data ? (char *)b.data : "", want, strlen(want)) != 0 ||
	    (want[0] != 's' && b.size != strlen(want)))
		fail_msg("%s", (char *)b.data);
}
#define TEXT(bytes, wide, want) expect_text(bytes, sizeof(bytes) - 1, wide, want)

static void what_cannot_be_printed_is_a_digest(void **state)
{
	static char most[BOOTLOG_TEXT_MAX + 1];

	(void)state;
	TEXT(" ro  quiet\n\tx ", false, "ro quiet x");
	TEXT("ro\0quiet", false, "sha256:");
	TEXT("ro\x80", false, "sha256:");
	TEXT("ro\x1b[0m", false, "sha256:");
	TEXT("r\0o\0", true, "ro");
	TEXT("r\0o\0\0\0", true, "ro");
	TEXT("r\0o\1", true, "sha256:");
	TEXT("r\0o", true, "sha256:");
	memset(most, 'x', sizeof(most));
	expect_text(most, sizeof(most), false, "sha256:");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_are_strict),
		cmocka_unit_test(what_vouches_is_found),
		cmocka_unit_test(variables_are_strict),
		cmocka_unit_test(what_a_digest_is_over),
		cmocka_unit_test(what_cannot_be_printed_is_a_digest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
