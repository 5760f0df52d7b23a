/* SPDX-License-Identifier: Apache-2.0 */
/* test_bootlog_secure.c: Secure Boot by logs that are made here, each with one thing that is not as it should be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../../userspace/lib/bootlog_efi.h"
#include "../../userspace/lib/bootlog_reading.h"
#include "../../userspace/lib/cleanup.h"
#include "../../userspace/lib/digest.h"

static const uint8_t x509[16] = {0xa1, 0x59, 0xc0, 0xa5, 0xe4, 0x94, 0xa7, 0x4a,
				 0x87, 0xb5, 0xab, 0x15, 0x5c, 0x2b, 0xf0, 0x72};
/* A certificate is SEQUENCE { SEQUENCE { number }, NULL } here. */
#define OWNER "sixteen bytes of"
#define CERT(n) "\x30\x07\x30\x03\x02\x01" n "\x05\x00"
#define CERT_SIZE 9

enum fault {
	NONE,
	OFF,
	ZERO_LENGTH,
	TWO_BYTES,
	THREE,
	NO_VARIABLE,
	NO_PK,
	OTHER_AUTHORITY,
	NO_AUTHORITY,
	REVOKED,
	ORDER,
	TWICE,
	LATE,
	EARLY_AUTHORITY,
	LYING_DB,
	BROKEN_DBX,
	NO_SEPARATOR,
	TWO_SEPARATORS,
	ERROR_SEPARATOR,
	ONES,
	DEBUG_MODE,
	MOK_STATE,
	MOK_RENAMED,
	AUTHORITY_ELSEWHERE
};

static void put_le(struct buf *b, uint64_t v, int n)
{
	for (int i = 0; i < n; i++)
		buf_put_u8(b, (uint8_t)(v >> 8 * i));
}

static void put_event(struct buf *b, uint32_t pcr, uint32_t type, const void *data, size_t size,
		      const char *measured)
{
	struct digest d;

	put_le(b, pcr, 4);
	put_le(b, type, 4);
	put_le(b, 1, 4);
	put_le(b, BOOTLOG_SHA256, 2);
	assert_int_equal(measured ? digest_sha256(measured, strlen(measured), &d)
				  : digest_sha256(data, size, &d),
			 0);
	buf_put(b, d.bytes, DIGEST_SIZE);
	put_le(b, size, 4);
	buf_put(b, data, size);
}

static void put_variable(struct buf *b, uint32_t type, const uint8_t *guid, const char *name,
			 const void *data, size_t size, const char *measured)
{
	CLEANUP(buf_done) struct buf v = {0};

	buf_put(&v, guid, 16);
	put_le(&v, strlen(name), 8);
	put_le(&v, size, 8);
	for (const char *p = name; *p; p++)
		put_le(&v, (uint8_t)*p, 2);
	buf_put(&v, data, size);
	put_event(b, 7, type, v.data, v.size, measured);
}

/* One list with one certificate; "" for no list. */
static void put_keys(struct buf *b, const uint8_t *guid, const char *name, const char *cert,
		     const char *measured)
{
	CLEANUP(buf_done) struct buf l = {0};

	if (cert[0]) {
		buf_put(&l, x509, 16);
		put_le(&l, 28 + 16 + CERT_SIZE, 4);
		put_le(&l, 0, 4);
		put_le(&l, 16 + CERT_SIZE, 4);
		buf_put(&l, OWNER, 16);
		buf_put(&l, cert, CERT_SIZE);
	}
	put_variable(b, BOOTLOG_EFI_VARIABLE, guid, name, l.data, l.size, measured);
}

static void put_secure_boot(struct buf *b, enum fault f)
{
	const char *value = f == OFF ? "\0" : f == TWO_BYTES ? "\1\1" : f == THREE ? "\3" : "\1";
	size_t size = f == ZERO_LENGTH ? 0 : f == TWO_BYTES ? 2 : 1;

	if (f != NO_VARIABLE)
		put_variable(b, BOOTLOG_EFI_VARIABLE, bootlog_efi_global, "SecureBoot", value, size,
			     NULL);
}

static void put_authority(struct buf *b, const char *cert)
{
	char data[16 + CERT_SIZE];

	memcpy(data, OWNER, 16);
	memcpy(data + 16, cert, CERT_SIZE);
	put_variable(b, BOOTLOG_EFI_AUTHORITY, bootlog_efi_security, "db", data, sizeof(data),
		     NULL);
}

static void put_variables(struct buf *b, enum fault f)
{
	put_secure_boot(b, f);
	put_keys(b, bootlog_efi_global, "PK", f == NO_PK ? "" : CERT("\1"), NULL);
	if (f != ORDER)
		put_keys(b, bootlog_efi_global, "KEK", CERT("\2"), NULL);
	put_keys(b, bootlog_efi_security, "db", CERT("\3"), f == LYING_DB ? "another one" : NULL);
	if (f == ORDER)
		put_keys(b, bootlog_efi_global, "KEK", CERT("\2"), NULL);
	if (f == BROKEN_DBX)
		put_variable(b, BOOTLOG_EFI_VARIABLE, bootlog_efi_security, "dbx", "no list", 7,
			     NULL);
	else
		put_keys(b, bootlog_efi_security, "dbx", f == REVOKED ? CERT("\3") : CERT("\4"),
			 NULL);
	if (f == TWICE) {
		put_keys(b, bootlog_efi_security, "dbt", "", NULL);
		put_keys(b, bootlog_efi_security, "dbt", "", NULL);
	}
	if (f == DEBUG_MODE)
		put_event(b, 7, BOOTLOG_EFI_ACTION, "UEFI Debug Mode", 15, NULL);
}

static void put_separators(struct buf *b, enum fault f)
{
	for (uint32_t i = 0; i < 8; i++) {
		const char *value = i == 7 && f == ERROR_SEPARATOR ? "\1\0\0\0"
				    : i == 7 && f == ONES	   ? "\xff\xff\xff\xff"
								   : "\0\0\0\0";

		if (i == 7 && f == NO_SEPARATOR)
			continue;
		put_event(b, i, BOOTLOG_SEPARATOR, value, 4, NULL);
		if (i == 7 && f == TWO_SEPARATORS)
			put_event(b, i, BOOTLOG_SEPARATOR, value, 4, NULL);
	}
}

static void put_mok(struct buf *b, enum fault f)
{
	put_event(b, 14, BOOTLOG_IPL, "MokList", 8, "a list");
	put_event(b, 14, BOOTLOG_IPL, "MokListTrusted", 15, "\1");
	if (f == MOK_STATE || f == MOK_RENAMED)
		put_event(b, 14, BOOTLOG_IPL, f == MOK_STATE ? "MokSBState" : "MokNothing", 11,
			  "\1");
}

static void make(enum fault f, struct buf *b)
{
	static const char head[] = "Spec ID Event03\0\0\0\0\0\0\2\0\2\1\0\0\0\x0b\0\x20\0";

	put_le(b, 0, 4);
	put_le(b, BOOTLOG_NO_ACTION, 4);
	for (int i = 0; i < 20; i++)
		buf_put_u8(b, 0);
	put_le(b, sizeof(head), 4);
	buf_put(b, head, sizeof(head));
	put_variables(b, f);
	if (f == EARLY_AUTHORITY)
		put_authority(b, CERT("\3"));
	put_separators(b, f);
	if (f == LATE)
		put_keys(b, bootlog_efi_security, "dbr", "", NULL);
	if (f == AUTHORITY_ELSEWHERE)
		put_event(b, 5, BOOTLOG_EFI_AUTHORITY, "x", 1, NULL);
	else if (f != NO_AUTHORITY && f != EARLY_AUTHORITY)
		put_authority(b, f == OTHER_AUTHORITY ? CERT("\5") : CERT("\3"));
	put_mok(b, f);
	assert_int_equal(buf_status(b), 0);
}

static int put_line(void *ctx, const char *key, const char *value)
{
	buf_printf(ctx, "\n%s=%s", key, value);
	return 0;
}

static void expect(enum fault f, const char *odd, const char *claim)
{
	CLEANUP(buf_done) struct buf b = {0}, claims = {0};
	struct bootlog_reading *g = NULL;
	struct why why = {""};
	char line[200];

	make(f, &b);
	if (bootlog_reading_open(b.data, b.size, &g, &why) < 0)
		fail_msg("%d: %s", f, why.text);
	assert_int_equal(bootlog_reading_claims(g, put_line, &claims), 0);
	buf_puts(&claims, "\n");
	if (odd[0] ? !strstr(bootlog_reading_odd(g), odd) : bootlog_reading_odd(g)[0])
		fail_msg("%d: odd is \"%s\"", f, bootlog_reading_odd(g));
	bootlog_reading_free(g);
	snprintf(line, sizeof(line), "\nmeasured:%s\n", claim);
	if (!strstr((char *)claims.data, line))
		fail_msg("%d: no %s in%s", f, claim, (char *)claims.data);
}

static void it_is_on_or_off_or_unknown(void **state)
{
	(void)state;
	expect(NONE, "", "secure_boot=on");
	expect(OFF, "", "secure_boot=off");
	expect(ZERO_LENGTH, "", "secure_boot=off");
	expect(TWO_BYTES, "", "secure_boot=unknown the SecureBoot variable is neither on nor off");
	expect(THREE, "", "secure_boot=unknown the SecureBoot variable is neither on nor off");
	expect(NO_VARIABLE, "", "secure_boot=unknown no SecureBoot variable was measured");
	expect(NO_PK, "", "secure_boot=unknown its keys are not there");
	expect(BROKEN_DBX, "", "secure_boot=unknown its keys are not there");
	expect(NO_AUTHORITY, "", "secure_boot=unknown no program was verified by a key in db");
	expect(OTHER_AUTHORITY, "", "secure_boot=unknown no program was verified by a key in db");
	expect(REVOKED, "", "secure_boot=unknown a program ran by a key that is revoked");
}

static void what_is_out_of_order_is_unknown(void **state)
{
	static const struct {
		enum fault fault;
		const char *odd;
	} faults[] = {
		{ORDER, "variable KEK out of order"},
		{TWICE, "variable dbt twice"},
		{LATE, "variable dbr after the separator"},
		{EARLY_AUTHORITY, "an authority before the separator"},
		{LYING_DB, "its data is not what was measured"},
		{NO_SEPARATOR, "an authority before the separator"},
		{TWO_SEPARATORS, "a second separator"},
		{ERROR_SEPARATOR, "the firmware reports an error"},
		{ONES, "a separator of ones"},
		{DEBUG_MODE, "UEFI Debug Mode"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
		expect(faults[i].fault, faults[i].odd, "secure_boot=unknown PCR 7 is not in order");
	expect(AUTHORITY_ELSEWHERE, "an authority outside PCR 7",
	       "secure_boot=unknown no program was verified by a key in db");
	/* What was not measured is not told either. */
	expect(LYING_DB, "its data is not what was measured", "db=absent");
}

static void keys_are_told(void **state)
{
	(void)state;
	expect(NONE, "",
	       "authority:db:6c4c744a349306a4ca9e888cc8f9545080d8e14c756762180add64ced1f096a4=in "
	       "db");
	expect(OTHER_AUTHORITY, "",
	       "authority:db:2250644594dc43a7baa7d68c01a7140391158bddd0c931434e763d3de87b3d15=not "
	       "in db");
	expect(REVOKED, "",
	       "authority:db:6c4c744a349306a4ca9e888cc8f9545080d8e14c756762180add64ced1f096a4=in "
	       "dbx");
}

static void shims_switch_is_told(void **state)
{
	(void)state;
	expect(NONE, "", "mok_state=validating");
	expect(MOK_STATE, "", "mok_state=not validating");
	expect(MOK_RENAMED, "", "mok_state=not validating");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_on_or_off_or_unknown),
		cmocka_unit_test(what_is_out_of_order_is_unknown),
		cmocka_unit_test(keys_are_told),
		cmocka_unit_test(shims_switch_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
