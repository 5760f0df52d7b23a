/* SPDX-License-Identifier: Apache-2.0 */
/* Lies about how it booted and what the kernel measured: the quote holds, the log beside it is another one. A case says what is wrong. */
#include <stdlib.h>
#include <string.h>

#include "bootlog_reading.h"
#include "forge.h"
#include "fsio.h"
#include "ima_maker.h"

#define LOG "tests/data/bootlog/tpm2-tools_event-moklisttrusted.bin"
#define OTHER_LOG "tests/data/bootlog/keylime_binary_bios_measurements-secureboot"
#define MASK (FORGE_MASK | 1u << 8 | 1u << 9 | 1u << 14)

static void read_log(const char *path, struct buf *ret)
{
	if (fsio_read_file(fsio_system(), path, 1 << 22, ret) < 0)
		abort();
}

/* The machine booted as the good log says. */
static void booted(struct forge_at *at)
{
	struct bootlog_reading *g = NULL;
	struct buf log = {0};

	read_log(LOG, &log);
	if (bootlog_reading_open(log.data, log.size, &g, NULL) < 0)
		abort();
	for (size_t i = 0; i < 15; i++)
		memcpy(fake_tpm_pcrs(at->n->m.tpm)->values[i].bytes,
		       bootlog_reading_pcrs(g)->values[i], DIGEST_SIZE);
	memset(fake_tpm_pcrs(at->n->m.tpm)->values[10].bytes, 0, DIGEST_SIZE);
	bootlog_reading_free(g);
	buf_done(&log);
}

static void send_log(struct forge_at *at, struct buf *log)
{
	buf_done(&at->e->boot_log_data);
	at->e->boot_log_data = *log;
	if (digest_sha256(log->data, log->size, &at->e->boot_log) < 0)
		abort();
}

/* Where event i of the log begins, and its end. */
static void event(const struct buf *log, uint32_t i, size_t *ret_from, size_t *ret_to)
{
	struct bootlog_event e = {.number = 0};
	struct bootlog b;

	if (bootlog_open(log->data, log->size, 0, &b, NULL) < 0)
		abort();
	for (uint32_t k = 0; k < i; k++)
		if (bootlog_next(&b, &e, NULL) != 1)
			abort();
	*ret_from = e.at;
	*ret_to = b.r.at;
}

static void log_as_it_is(struct forge_at *at)
{
	struct buf log = {0};

	read_log(LOG, &log);
	send_log(at, &log);
}

static void log_of_other(struct forge_at *at)
{
	struct buf log = {0};

	read_log(OTHER_LOG, &log);
	send_log(at, &log);
}

static void log_cut(struct forge_at *at)
{
	struct buf log = {0};

	read_log(LOG, &log);
	buf_cut(&log, log.size - 7);
	send_log(at, &log);
}

static void log_without_last(struct forge_at *at)
{
	struct buf log = {0};
	size_t from, to;

	read_log(LOG, &log);
	event(&log, 20, &from, &to);
	buf_cut(&log, to);
	send_log(at, &log);
}

static void event_dropped(struct forge_at *at)
{
	struct buf log = {0};
	size_t from, to;

	read_log(LOG, &log);
	event(&log, 9, &from, &to);
	memmove(log.data + from, log.data + to, log.size - to);
	buf_cut(&log, log.size - (to - from));
	send_log(at, &log);
}

static void events_swapped(struct forge_at *at)
{
	struct buf log = {0}, with = {0};
	size_t from, middle, to;

	read_log(LOG, &log);
	event(&log, 5, &from, &middle);
	event(&log, 6, &middle, &to);
	buf_put(&with, log.data, from);
	buf_put(&with, log.data + middle, to - middle);
	buf_put(&with, log.data + from, middle - from);
	buf_put(&with, log.data + to, log.size - to);
	buf_done(&log);
	send_log(at, &with);
}

/* What an event says, and not its digest: the registers still come out right. */
static void event_retold(struct forge_at *at)
{
	struct bootlog_event e = {.number = 0};
	struct buf log = {0};
	struct bootlog b;

	read_log(LOG, &log);
	if (bootlog_open(log.data, log.size, 0, &b, NULL) < 0)
		abort();
	while (bootlog_next(&b, &e, NULL) == 1 && e.type != BOOTLOG_EFI_VARIABLE)
		;
	log.data[(size_t)(e.data.data - log.data) + e.data.size - 1] ^= 1;
	send_log(at, &log);
}

static void put_le(struct buf *b, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		buf_put_u8(b, (uint8_t)(v >> 8 * i));
}

/* What the machine was booted with, by its own word: an event that fits its digest, and no register that is quoted has it. */
static void command_line_made_up(struct forge_at *at)
{
	static const char text[] = "kernel_cmdline: /vmlinuz root=/dev/sda1 ro lockdown=integrity";
	struct buf log = {0};
	struct digest d;

	read_log(LOG, &log);
	if (digest_sha256(text + 16, sizeof(text) - 17, &d) < 0)
		abort();
	put_le(&log, 8);
	put_le(&log, BOOTLOG_IPL);
	put_le(&log, 2);
	buf_put_u8(&log, BOOTLOG_SHA1);
	buf_put_u8(&log, 0);
	buf_put(&log, d.bytes, 20); /* nobody looks */
	buf_put_u8(&log, BOOTLOG_SHA256);
	buf_put_u8(&log, 0);
	buf_put(&log, d.bytes, DIGEST_SIZE);
	put_le(&log, sizeof(text));
	buf_put(&log, text, sizeof(text));
	send_log(at, &log);
}

static void log_of_text(struct forge_at *at)
{
	struct buf log = {0};

	buf_puts(&log, "booted well");
	send_log(at, &log);
}

static void log_not_sent(struct forge_at *at)
{
	log_as_it_is(at);
	buf_clear(&at->e->boot_log_data);
}

/* IMA's list: boot_aggregate and five files, and PCR 10 has them all. */
static struct ima_maker *list(void)
{
	/* The firmware of these machines measured nothing. */
	static const struct quote_pcrs empty = {.mask = 0x3ff};
	static struct ima_maker *m;

	if (m)
		return m;
	m = calloc(1, sizeof(*m));
	if (!m)
		abort();
	ima_maker_open(m);
	ima_maker_aggregate(m, &empty);
	ima_maker_file(m, "/usr/bin/b", 2, NULL);
	ima_maker_file(m, "/usr/bin/c", 3, NULL);
	ima_maker_file(m, "/usr/bin/d", 4, NULL);
	ima_maker_file(m, "/usr/bin/e", 5, NULL);
	ima_maker_file(m, "/usr/bin/f", 6, NULL);
	return m;
}

static void measured(struct forge_at *at)
{
	fake_tpm_pcrs(at->n->m.tpm)->values[10] = list()->pcr[6];
}

static void put(struct forge_at *at, uint32_t from, uint32_t to)
{
	struct buf_view v = ima_maker_from(list(), from, to);

	buf_put(&at->e->ima, v.data, v.size);
}

static void said(struct forge_at *at, uint32_t from, uint32_t end)
{
	at->e->ima_from = from;
	at->e->has_ima_end = true;
	at->e->ima_cursor = at->e->ima_end = end;
}

static void list_as_it_is(struct forge_at *at)
{
	put(at, 0, 6);
	said(at, 0, 6);
}

static void entry_dropped(struct forge_at *at)
{
	put(at, 0, 2);
	put(at, 3, 6);
	said(at, 0, 5);
}

static void last_dropped(struct forge_at *at)
{
	put(at, 0, 5);
	said(at, 0, 5);
}

static void entries_swapped(struct forge_at *at)
{
	put(at, 0, 2);
	put(at, 3, 4);
	put(at, 2, 3);
	put(at, 4, 6);
	said(at, 0, 6);
}

static void entry_twice(struct forge_at *at)
{
	put(at, 0, 3);
	put(at, 2, 6);
	said(at, 0, 7);
}

static void entry_changed(struct forge_at *at)
{
	list_as_it_is(at);
	*(uint8_t *)memmem(at->e->ima.data, at->e->ima.size, "/usr/bin/c", 10) = '.';
}

/* Its data are what they were, and no register has the template's name. */
static void entry_renamed(struct forge_at *at)
{
	static const char from[] = "\6\0\0\0ima-ng", to[] = "\13\0\0\0evmsig|n-ng";
	struct buf *ima = &at->e->ima, with = {0};
	uint8_t *name;
	size_t before;

	list_as_it_is(at);
	name = memmem(ima->data + 60, ima->size - 60, from, sizeof(from) - 1);
	if (!name)
		abort();
	before = (size_t)(name - ima->data);
	buf_put(&with, ima->data, before);
	buf_put(&with, to, sizeof(to) - 1);
	buf_put(&with, name + sizeof(from) - 1, ima->size - before - (sizeof(from) - 1));
	buf_done(ima);
	*ima = with;
}

static void first_left_out(struct forge_at *at)
{
	put(at, 2, 6);
	said(at, 2, 6);
}

static void counted_too_many(struct forge_at *at)
{
	put(at, 0, 6);
	said(at, 0, 9);
}

static void entry_cut(struct forge_at *at)
{
	list_as_it_is(at);
	buf_cut(&at->e->ima, at->e->ima.size - 4);
}

static void no_list(struct forge_at *at)
{
	(void)at;
}

#define MISMATCH .opens = "finding:boot_mismatch", .fresh = true, .mask = MASK, .lines = booted
#define UNREAD .opens = "finding:boot_log", .fresh = true, .mask = MASK, .lines = booted
#define LIST .opens = "finding:ima_list", .fresh = true, .mask = MASK, .lines = measured
#define LEADS "leads to the PCR 10 that was quoted"

static const struct forge_lie lies[] = {
	{"the boot log as it is", "accepted", "", .fresh = true, .mask = MASK, .lines = booted,
	 .evidence = log_as_it_is},
	{"another machine's boot log", "accepted", "", MISMATCH, .says = "PCR 0",
	 .evidence = log_of_other},
	{"a boot log cut off after an event", "accepted", "", MISMATCH, .says = "PCR",
	 .evidence = log_without_last},
	{"an event dropped from the boot log", "accepted", "", MISMATCH, .says = "PCR",
	 .evidence = event_dropped},
	{"events of the boot log swapped", "accepted", "", MISMATCH, .says = "PCR",
	 .evidence = events_swapped},
	{"an event of the boot log that says something else", "accepted", "",
	 .opens = "finding:boot_event", .fresh = true, .mask = MASK, .lines = booted,
	 .says = "event", .evidence = event_retold},
	{"a boot log, and a quote without shim's register", "accepted", "",
	 .opens = "finding:boot_mismatch", .fresh = true, .mask = MASK & ~(1u << 14),
	 .lines = booted, .says = "PCR 14 are not quoted", .evidence = log_as_it_is},
	{"another command line in the boot log, and a quote without its register", "accepted", "",
	 .opens = "finding:boot_mismatch", .fresh = true, .mask = MASK & ~(1u << 8 | 1u << 9),
	 .lines = booted, .says = "PCR 8, 9 are not quoted", .evidence = command_line_made_up},
	{"a boot log cut within an event", "accepted", "", UNREAD, .says = "event",
	 .evidence = log_cut},
	{"a text for a boot log", "accepted", "", UNREAD, .says = "boot log",
	 .evidence = log_of_text},
	{"a boot log that is named and does not come", "accepted", "", UNREAD,
	 .says = "was not sent", .evidence = log_not_sent},
	{"no boot log, though the firmware measured", "accepted", "", UNREAD, .says = "PCR"},
	{"IMA's list as it is", "accepted", "", .fresh = true, .mask = MASK, .lines = measured,
	 .evidence = list_as_it_is},
	{"an entry of IMA's list dropped", "accepted", "", LIST, .says = LEADS,
	 .evidence = entry_dropped},
	{"the last entry of IMA's list dropped", "accepted", "", LIST, .says = LEADS,
	 .evidence = last_dropped},
	{"entries of IMA's list swapped", "accepted", "", LIST, .says = LEADS,
	 .evidence = entries_swapped},
	{"an entry of IMA's list told twice", "accepted", "", LIST, .says = LEADS,
	 .evidence = entry_twice},
	{"an entry of IMA's list changed", "accepted", "", LIST, .says = LEADS,
	 .evidence = entry_changed},
	{"an entry of IMA's list under another template's name", "accepted", "", LIST,
	 .says = "bear the name of a template", .evidence = entry_renamed},
	{"the first entries of IMA's list left out", "accepted", "", LIST,
	 .says = "were never sent", .evidence = first_left_out},
	{"no list, though IMA measured", "accepted", "", LIST, .says = "no list of IMA's came",
	 .evidence = no_list},
	{"more entries of IMA's list said than sent", "refused", "not the entries from 0 to 9",
	 .lines = measured, .evidence = counted_too_many},
	{"an entry of IMA's list cut short", "refused", "IMA list", .lines = measured,
	 .evidence = entry_cut},
};
FORGE_TABLE(lies_boot, "boot and IMA", lies);
