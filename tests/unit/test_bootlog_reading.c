/* SPDX-License-Identifier: Apache-2.0 */
/* test_bootlog_reading.c: what boot logs of real machines tell as claims; and logs whose registers still fit, and which lie beside them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../userspace/lib/bootlog_reading.h"
#include "../../userspace/lib/cleanup.h"
#include "../../userspace/lib/digest.h"
#include "../../userspace/lib/fsio.h"

#define KEYLIME "keylime_binary_bios_measurements-secureboot"
#define MICROSOFT "48e99b991f57fc52f76149599bff0a58c47154229b9f8d603ac40d3500248507"
#define KERNEL "sha256:3d04fdbb39eb812b739c18f1b66a8837987d6264082643ba3dd8a2bed835ddc7"

struct told {
	char odd[256];
	struct buf claims; /* key=value, LF */
	struct bootlog_pcrs pcrs;
};

static void done(struct told *t)
{
	buf_done(&t->claims);
}

static int put(void *ctx, const char *key, const char *value)
{
	struct told *t = ctx;
	char line[160];

	snprintf(line, sizeof(line), "\n%s=", key);
	/* One claim has one value. */
	assert_true(!t->claims.data || !strstr((char *)t->claims.data, line));
	buf_printf(&t->claims, "\n%s=%s", key, value);
	return 0;
}

static void load(const char *name, struct buf *ret)
{
	char path[128];

	snprintf(path, sizeof(path), "tests/data/bootlog/%s", name);
	assert_int_equal(fsio_read_file(fsio_system(), path, BOOTLOG_MAX, ret), 0);
}

static void tell(const struct buf *b, struct told *ret)
{
	struct bootlog_reading *g = NULL;
	struct why why = {""};

	memset(ret, 0, sizeof(*ret));
	if (bootlog_reading_open(b->data, b->size, &g, &why) < 0)
		fail_msg("%s", why.text);
	snprintf(ret->odd, sizeof(ret->odd), "%s", bootlog_reading_odd(g));
	ret->pcrs = *bootlog_reading_pcrs(g);
	assert_int_equal(bootlog_reading_claims(g, put, ret), 0);
	buf_puts(&ret->claims, "\n");
	assert_int_equal(buf_status(&ret->claims), 0);
	bootlog_reading_free(g);
}

/* claim: "key=the value's beginning". */
static void expect(const struct told *t, const char *claim)
{
	char line[512];

	snprintf(line, sizeof(line), "\n%s", claim);
	if (!strstr((char *)t->claims.data, line))
		fail_msg("%s: not in:%s", claim, (char *)t->claims.data);
}

static void real_logs_tell(void **state)
{
	static const struct {
		const char *name, *odd, *claims[6];
	} logs[] = {
		{KEYLIME,
		 "",
		 {"secure_boot=on\n", "authority:db:" MICROSOFT "=in db\n",
		  "sbat=sbat,1,2023012900 shim,2 grub,3 grub.debian,4\n",
		  "firmware_version=edk2-20240524-7.el9\n", "kernel=" KERNEL "\n",
		  "oddities=none\n"}},
		{KEYLIME,
		 "",
		 {"cmdline=(hd0,gpt2)/vmlinuz-5.14.0-503.11.1.el9_5.x86_64 "
		  "root=/dev/mapper/rhel_rhel--9-root ro crash",
		  "initrd=sha256:"
		  "2142e3702f4aa7a2a3b218e1d924a66686895bb0b501cca8ce79ef21ab1db0e6\n",
		  "loader=sha256:"
		  "27b12463e599b3147635f272e3722960e443def60fef088eba600697017529f2\n",
		  "app:3=sha256:219b8b53c54951cd07a580622e384391bbd9e113448a12ad319903fcafb81e79\n",
		  "mok_state=validating\n",
		  "dbx=sha256:bcc3309a60c8fab0ed90e1c15deec7a18de9f65d318af79c0f3f7bb7701cc3ad 371 "
		  "entries\n"}},
		{"tpm2-tools_event-moklisttrusted.bin",
		 "",
		 {"secure_boot=on\n", "mok_state=validating\n",
		  "mok=MokList=sha256:69bbddbe5a4480b7", "sbat=sbat,1,2021030218\n",
		  "firmware_version=empty\n", "app:4=sha256:"}},
		{"ibmtss_hp1.log",
		 "",
		 {"secure_boot=on\n", "sbat=absent\n", "initrd=unknown ", "cmdline=unknown ",
		  "kernel=unknown ", "mok_state=none\n"}},
		{"go-tpm-tools_eventlogwithsp800155.bin",
		 "",
		 {"secure_boot=on\n", "oddities=none\n"}},
		{"go-eventlog_arch-linux-workstation.bin",
		 "event 24 at byte 15142: PCR 8, type 0xd: what was measured is not in the log",
		 {"secure_boot=off\n", "cmdline=unknown it was not measured\n",
		  "oddities=PCR 8, type 0xd: what was measured is not in the log, "
		  "sha256:362d5603"}},
		{"go-tpm-tools_ubuntu-2404-amd-sevsnp.bin", "", {"secure_boot=off\n"}},
		{"go-eventlog_ubuntu-2104-no-dbx.bin",
		 "",
		 {"secure_boot=off\n",
		  "dbx=sha256:9f75b6823bff6af1024a4e2036719cdd548d3cbc2bf1de8e7ef4d0ed01f94bf9 0 "
		  "entries\n"}},
		{"tpm2-tools_event-bootorder.bin",
		 "",
		 {"secure_boot=off\n", "pk=sha256:", "mok=none\n", "mok_state=none\n"}},
		{"go-eventlog_cos-93-amd-sev.bin",
		 "event 24 at byte 14219: PCR 7, type 0x800000e0: one byte more than was measured",
		 {"secure_boot=unknown PCR 7 is not in order\n"}},
		{"go-eventlog_sb_cert_eventlog",
		 "a program before the separator",
		 {"secure_boot=unknown PCR 7 is not in order\n"}},
		{"ibmtss_deb1.log",
		 "event 15 at byte 3810: PCR 0, type 0x40e: an unknown type",
		 {"secure_boot=unknown PCR 7 is not in order\n", "mok_state=none\n"}},
		{"tpm2-tools_event.bin",
		 "PCR 0 has no separator",
		 {"secure_boot=unknown ", "firmware_version=absent\n", "sbat=absent\n"}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(logs); i++) {
		CLEANUP(buf_done) struct buf b = {0};
		CLEANUP(done) struct told t;

		load(logs[i].name, &b);
		tell(&b, &t);
		if (logs[i].odd[0] ? !strstr(t.odd, logs[i].odd) : t.odd[0])
			fail_msg("%s: %s", logs[i].name, t.odd);
		for (size_t k = 0; k < ARRAY_SIZE(logs[i].claims) && logs[i].claims[k]; k++) {
			char claim[256];

			snprintf(claim, sizeof(claim), "measured:%s", logs[i].claims[k]);
			expect(&t, claim);
		}
	}
}

static void sha1_alone_is_worth_nothing(void **state)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct bootlog_reading *g = NULL;
	struct why why = {""};

	(void)state;
	load("go-eventlog_debian-10.bin", &b);
	assert_int_equal(bootlog_reading_open(b.data, b.size, &g, &why), -EOPNOTSUPP);
	assert_non_null(strstr(why.text, "no digests of SHA-256"));
}

/* A log of one bank, and where its events lie. */
struct log {
	struct buf b;
	uint32_t n;
	size_t at[128];
	struct told good;
};

static void open_log(struct log *l)
{
	struct bootlog_event e;
	struct bootlog b;

	memset(l, 0, sizeof(*l));
	load(KEYLIME, &l->b);
	tell(&l->b, &l->good);
	assert_int_equal(bootlog_open(l->b.data, l->b.size, 0, &b, NULL), 0);
	while (bootlog_next(&b, &e, NULL) > 0)
		l->at[e.number] = e.at;
	l->n = b.n - 1;
	l->at[l->n + 1] = l->b.size;
}

static void close_log(struct log *l)
{
	buf_done(&l->b);
	done(&l->good);
}

static void retype(const struct log *l, uint32_t event, uint32_t type)
{
	for (int i = 0; i < 4; i++)
		l->b.data[l->at[event] + 4 + (size_t)i] = (uint8_t)(type >> 8 * i);
}

/* The first text in an event's data, for another of the same size. */
static void rewrite(const struct log *l, uint32_t event, const char *from, const char *to)
{
	uint8_t *p = memmem(l->b.data + l->at[event], l->at[event + 1] - l->at[event], from,
			    strlen(from));

	assert_non_null(p);
	assert_int_equal(strlen(from), strlen(to));
	memcpy(p, to, strlen(to));
}

/* What a quote is held against is as it was: only the names of things are not. */
static void lie(struct log *l, struct told *ret)
{
	tell(&l->b, ret);
	assert_memory_equal(ret->pcrs.values, l->good.pcrs.values, sizeof(ret->pcrs.values));
}

#define LIE(edit, text, claim)                                            \
	do {                                                              \
		struct log l;                                             \
		struct told t;                                            \
		open_log(&l);                                             \
		edit;                                                     \
		lie(&l, &t);                                              \
		if (!strstr(t.odd, text) || ((text)[0] == 0 && t.odd[0])) \
			fail_msg("%s", t.odd);                            \
		expect(&t, claim);                                        \
		done(&t);                                                 \
		close_log(&l);                                            \
	} while (0)

static void retyped_events_are_told(void **state)
{
	(void)state;
	/* The list of what is revoked, under a type that nobody looks at. */
	LIE(retype(&l, 8, BOOTLOG_POST_CODE),
	    "event 8 at byte 11801: PCR 7, type 0x1: nothing of this type belongs there",
	    "measured:secure_boot=unknown PCR 7");
	LIE(retype(&l, 4, 0x800000e4), "nothing of this type belongs there",
	    "measured:secure_boot=unknown PCR 7");
	LIE(retype(&l, 9, BOOTLOG_POST_CODE), "what was measured is a separator",
	    "measured:secure_boot=unknown PCR 7");
	LIE(retype(&l, 19, BOOTLOG_POST_CODE),
	    "what was measured is Calling EFI Application from Boot Option",
	    "measured:secure_boot=on\n");
	LIE(retype(&l, 97, BOOTLOG_EVENT_TAG), "what was measured is Exit Boot Services Invocation",
	    "measured:secure_boot=on\n");
	LIE(retype(&l, 1, 0x99), "PCR 0, type 0x99: an unknown type",
	    "measured:firmware_version=absent\n");
	/* A loader that is called something else is a program all the same, in its place. */
	LIE(retype(&l, 35, BOOTLOG_POST_CODE), "", "measured:app:2=sha256:0abc88ee");
	LIE(retype(&l, 35, BOOTLOG_SEPARATOR), "its data is not what was measured",
	    "measured:app:2=sha256:219b8b53");
	LIE(retype(&l, 2, BOOTLOG_CRTM_VERSION), "event 2 at byte",
	    "measured:firmware_version=edk2");
}

static void changed_data_is_told(void **state)
{
	(void)state;
	LIE(rewrite(&l, 94, " ro ", " rw "),
	    "event 94 at byte 40651: PCR 8, type 0xd: its data is not what was measured",
	    "measured:cmdline=linux (hd0,gpt2)/vmlinuz");
	LIE(rewrite(&l, 91, " ro ", " rw "), "event 91", "measured:cmdline=(hd0,gpt2)/vmlinuz");
	LIE(rewrite(&l, 32, "shim,2", "shim,9"), "its data is not what was measured",
	    "measured:sbat=absent\n");
	/* No digest is over the name of a file: another name tells no kernel. */
	LIE(rewrite(&l, 92, "vmlinuz", "vmlinux"), "", "measured:kernel=unknown ");
	LIE(rewrite(&l, 96, "initramfs", "initrdmfs"), "", "measured:initrd=unknown ");
	LIE(rewrite(&l, 30, "MokList", "MokLost"), "", "measured:mok=MokLost=sha256:");
}

/* The measured words are told under whatever name the log gives them. */
static void a_command_line_is_told_by_its_words(void **state)
{
	(void)state;
	LIE(rewrite(&l, 94, "kernel_cmdline: ", "kernel_cmdlinf: "),
	    "PCR 8, type 0xd: what was measured is not in the log",
	    "measured:cmdline=linux (hd0,gpt2)/vmlinuz");
	LIE(rewrite(&l, 94, "kernel_cmdline: ", "module_cmdline: "), "",
	    "measured:cmdline=linux (hd0,gpt2)/vmlinuz");
}

static void put_le(struct buf *b, uint64_t v, int size)
{
	for (int i = 0; i < size; i++)
		buf_put_u8(b, (uint8_t)(v >> 8 * i));
}

/* One event more, as whoever may extend registers writes it. */
static void append(struct log *l, uint32_t pcr, uint32_t type, const void *digest, const void *data,
		   size_t size)
{
	put_le(&l->b, pcr, 4);
	put_le(&l->b, type, 4);
	put_le(&l->b, 1, 4);
	put_le(&l->b, BOOTLOG_SHA256, 2);
	buf_put(&l->b, digest, DIGEST_SIZE);
	put_le(&l->b, size, 4);
	buf_put(&l->b, data, size);
}

/* prefix: of the data, and not measured. */
static void append_text(struct log *l, const char *prefix, const char *text)
{
	CLEANUP(buf_done) struct buf data = {0};
	struct digest d;

	assert_int_equal(digest_sha256(text, strlen(text), &d), 0);
	buf_puts(&data, prefix);
	buf_puts(&data, text);
	buf_put_u8(&data, 0);
	append(l, 8, BOOTLOG_IPL, d.bytes, data.data, data.size);
}

/* All that is after key=, to its end. */
static void value_of(const struct told *t, const char *key, char ret[512])
{
	char line[128];
	const char *at;

	snprintf(line, sizeof(line), "\nmeasured:%s=", key);
	at = strstr((char *)t->claims.data, line);
	if (!at)
		fail_msg("%s: not in:%s", key, (char *)t->claims.data);
	at += strlen(line);
	snprintf(ret, 512, "%.*s", (int)strcspn(at, "\n"), at);
}

static void same_value(const struct log *l, const struct told *t, const char *key, bool same)
{
	char was[512], is[512];

	value_of(&l->good, key, was);
	value_of(t, key, is);
	if ((strcmp(was, is) == 0) != same)
		fail_msg("%s: %s, and it was %s", key, is, was);
}

/* A text of no bytes, with nothing behind it in memory. */
static void an_empty_text_is_read_to_its_end(void **state)
{
	struct bootlog_reading *g = NULL;
	struct why why = {""};
	struct log l;
	struct digest d;
	uint8_t *exact;

	(void)state;
	open_log(&l);
	assert_int_equal(digest_sha256("", 0, &d), 0);
	append(&l, 8, BOOTLOG_IPL, d.bytes, "", 0);
	exact = malloc(l.b.size);
	assert_non_null(exact);
	memcpy(exact, l.b.data, l.b.size);
	assert_int_equal(bootlog_reading_open(exact, l.b.size, &g, &why), 0);
	bootlog_reading_free(g);
	free(exact);
	close_log(&l);
}

#define INITRD 96 /* event of the file */
#define DIGEST_AT 14 /* in an event of one bank */

/* Root extends PCR 9 once more with the initrd that is expected, and calls the one that ran something else. */
static void a_swapped_initrd_cannot_be_called_something_else(void **state)
{
	static const uint32_t types[] = {BOOTLOG_IPL, BOOTLOG_EVENT_TAG};
	uint8_t good[DIGEST_SIZE], evil[DIGEST_SIZE];

	(void)state;
	memset(evil, 0xee, sizeof(evil));
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		struct log l;
		struct told t;
		uint8_t *event;
		size_t size;

		open_log(&l);
		event = l.b.data + l.at[INITRD];
		size = l.at[INITRD + 1] - l.at[INITRD] - DIGEST_AT - DIGEST_SIZE - 4;
		memcpy(good, event + DIGEST_AT, DIGEST_SIZE);
		{
			CLEANUP(buf_done) struct buf name = {0};

			buf_put(&name, event + DIGEST_AT + DIGEST_SIZE + 4, size);
			memcpy(event + DIGEST_AT, evil, DIGEST_SIZE);
			memset(event + DIGEST_AT + DIGEST_SIZE + 4, 'x', size - 1);
			retype(&l, INITRD, types[i]);
			append(&l, 9, BOOTLOG_IPL, good, name.data, name.size);
		}
		tell(&l.b, &t);
		/* By its name it is as it was: that is why it does not count alone. */
		same_value(&l, &t, "initrd", true);
		same_value(&l, &t, "files", false);
		done(&t);
		close_log(&l);
	}
}

static void files_of(struct log *l, char ret[512])
{
	struct told t;

	tell(&l->b, &t);
	value_of(&t, "files", ret);
	done(&t);
}

/* What GRUB keeps between boots is another one each time, and where it was read is the same: one more is not. */
static void grub_environment_has_a_place_and_no_digest(void **state)
{
	static const char name[] = "(hd0,gpt2)/grub2/grubenv";
	char first[512], second[512], other[512], twice[512];
	uint8_t digest[DIGEST_SIZE] = {1};
	struct log l;
	size_t end;

	(void)state;
	open_log(&l);
	end = l.b.size;
	append(&l, 9, BOOTLOG_IPL, digest, name, sizeof(name));
	files_of(&l, first);
	append(&l, 9, BOOTLOG_IPL, digest, name, sizeof(name));
	files_of(&l, twice);
	buf_cut(&l.b, end);
	digest[0] = 2;
	append(&l, 9, BOOTLOG_IPL, digest, name, sizeof(name));
	files_of(&l, second);
	buf_cut(&l.b, end);
	append(&l, 9, BOOTLOG_EVENT_TAG, digest, name, sizeof(name));
	files_of(&l, other);
	assert_string_equal(first, second);
	assert_string_not_equal(first, twice);
	assert_string_not_equal(first, other);
	close_log(&l);
}

/* Of what the stub measured all is told, and not the last: that may be root's. */
static void one_tag_more_is_told(void **state)
{
	static const uint8_t initrd[] = {0xec, 0x22, 0x3b, 0x8f, 0, 0, 0, 0};
	static const uint8_t options[] = {0xed, 0x22, 0x3b, 0x8f, 0, 0, 0, 0};
	CLEANUP(buf_done) struct buf b = {0};
	struct log l = {.n = 0};
	uint8_t digest[DIGEST_SIZE] = {0};
	char value[512];
	struct told t;

	(void)state;
	load("ibmtss_hp1.log", &b); /* of one bank, and nothing in PCR 8 and 9 */
	buf_put(&l.b, b.data, b.size);
	for (uint8_t i = 1; i <= 2; i++) {
		digest[0] = i;
		append(&l, 9, BOOTLOG_EVENT_TAG, digest, initrd, sizeof(initrd));
		append(&l, 9, BOOTLOG_EVENT_TAG, digest, options, sizeof(options));
	}
	tell(&l.b, &t);
	value_of(&t, "initrd", value);
	assert_true(strncmp(value, "sha256:01", 9) == 0 && strstr(value, " sha256:02"));
	value_of(&t, "cmdline", value);
	assert_true(strncmp(value, "sha256:01", 9) == 0 && strstr(value, " sha256:02"));
	done(&t);
	buf_done(&l.b);
}

/* A command line of systemd-stub's stands beside what GRUB is said to have measured, and beside another of its own. */
static void command_lines_of_both_kinds_are_told(void **state)
{
	static const uint8_t wide[] = {'e', 0, 'v', 0, 'i', 0, 'l', 0}, more[] = {'x', 0, 'y', 0};
	struct log l;
	struct told t;
	struct digest d;
	char value[512];

	(void)state;
	open_log(&l);
	assert_int_equal(digest_sha256(wide, sizeof(wide), &d), 0);
	append(&l, 8, BOOTLOG_IPL, d.bytes, wide, sizeof(wide));
	assert_int_equal(digest_sha256(more, sizeof(more), &d), 0);
	append(&l, 8, BOOTLOG_IPL, d.bytes, more, sizeof(more));
	tell(&l.b, &t);
	value_of(&t, "cmdline", value);
	assert_non_null(strstr(value, "vmlinuz"));
	assert_non_null(strstr(value, " | evil | xy"));
	done(&t);
	close_log(&l);
}

/* Commands that fill all the room, and then the one that counts: what does not fit is not taken for what was expected. */
static void what_does_not_fit_is_not_good(void **state)
{
	static const char *const keys[] = {"cmdline", "kernel", "initrd", "mok", "mok_state"};
	char text[64], value[512];
	struct log l;
	struct told t;

	(void)state;
	open_log(&l);
	value_of(&l.good, "cmdline", value);
	/* The same words take no room. */
	for (int i = 0; i < 40; i++)
		append_text(&l, "kernel_cmdline: ", value);
	tell(&l.b, &t);
	same_value(&l, &t, "cmdline", true);
	same_value(&l, &t, "kernel", true);
	done(&t);
	for (int i = 0; i < 40; i++) {
		snprintf(text, sizeof(text), "linux /vmlinuz%d", i);
		append_text(&l, "grub_cmd: ", text);
	}
	tell(&l.b, &t);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		value_of(&t, keys[i], value);
		assert_string_equal(value, "unknown there are more events than are told");
	}
	done(&t);
	close_log(&l);
}

/* What a claim holds is bounded, whatever a log repeats. */
static void values_are_bounded(void **state)
{
	CLEANUP(buf_done) struct buf b = {0};
	char value[512];
	struct log l;
	struct told t;

	(void)state;
	open_log(&l);
	for (int i = 0; i < 9; i++) {
		buf_clear(&b);
		for (int k = 0; k < 100; k++)
			buf_printf(&b, "word%d.%d ", i, k);
		append_text(&l, "kernel_cmdline: ", (char *)b.data);
	}
	buf_clear(&b);
	buf_puts(&b, "initrd");
	for (int i = 0; i < 10000; i++)
		buf_puts(&b, " (hd0,gpt2)/initramfs-5.14.0-503.11.1.el9_5.x86_64.img");
	append_text(&l, "grub_cmd: ", (char *)b.data);
	tell(&l.b, &t);
	value_of(&t, "cmdline", value);
	assert_int_equal(strncmp(value, "sha256:", 7), 0);
	value_of(&t, "initrd", value);
	assert_string_equal(value, "unknown there are more events than are told");
	assert_true(t.claims.size < 8192);
	done(&t);
	close_log(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_logs_tell),
		cmocka_unit_test(sha1_alone_is_worth_nothing),
		cmocka_unit_test(retyped_events_are_told),
		cmocka_unit_test(changed_data_is_told),
		cmocka_unit_test(a_command_line_is_told_by_its_words),
		cmocka_unit_test(an_empty_text_is_read_to_its_end),
		cmocka_unit_test(a_swapped_initrd_cannot_be_called_something_else),
		cmocka_unit_test(grub_environment_has_a_place_and_no_digest),
		cmocka_unit_test(one_tag_more_is_told),
		cmocka_unit_test(command_lines_of_both_kinds_are_told),
		cmocka_unit_test(what_does_not_fit_is_not_good),
		cmocka_unit_test(values_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
