/* SPDX-License-Identifier: Apache-2.0 */
#include "view_boots.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "fsio.h"
#include "print.h"

static enum print_colour colour_of(enum ledger_boot_result r)
{
	static const enum print_colour colours[] = {PRINT_GREEN, PRINT_RED, PRINT_YELLOW,
						    PRINT_PLAIN};

	return colours[r];
}

/* Foreign text, where there is any. */
static void part(const char *name, const char *text)
{
	if (!text[0])
		return;
	printf("%s", name);
	print_safe(stdout, text, strlen(text));
}

static void head(const struct ledger_boots_one *o)
{
	enum print_colour colour = colour_of(o->result);
	char hex[DIGEST_HEX_SIZE];

	digest_hex(&o->log, hex);
	printf("  boot       %s%s%s  reset %u, quotes %" PRIu64 " in lines %" PRIu64 " to %" PRIu64,
	       print_on(stdout, colour), ledger_boot_result_name(o->result), print_off(stdout),
	       o->reset_count, o->n_quotes, o->first_line, o->last_line);
	if (o->result != LEDGER_BOOT_NOTHING)
		printf(", log %.12s", hex);
}

void view_boots_rows(const struct ledger_boots *b)
{
	for (uint32_t i = 0; i < b->n; i++) {
		const struct ledger_boots_one *o = &b->boots[i];

		head(o);
		part(": ", o->why);
		part(": Secure Boot ", o->secure_boot);
		part(", ", o->cmdline);
		fputc('\n', stdout);
	}
	if (b->more)
		printf("  boot       and %" PRIu64 " that are not told any more\n", b->more);
}

static void put_one(const struct ledger_boots_one *o, struct jsonl *j)
{
	jsonl_str(j, "result", ledger_boot_result_name(o->result));
	jsonl_str(j, "why", o->why);
	jsonl_uint(j, "reset", o->reset_count);
	jsonl_uint(j, "quotes", o->n_quotes);
	jsonl_uint(j, "first_line", o->first_line);
	jsonl_uint(j, "last_line", o->last_line);
	jsonl_hex(j, "log", o->log.bytes, DIGEST_SIZE);
	jsonl_str(j, "secure_boot", o->secure_boot);
	jsonl_str(j, "kernel", o->kernel);
	jsonl_str(j, "cmdline", o->cmdline);
}

void view_boots_members(const struct ledger_boots *b, struct jsonl *j)
{
	jsonl_array(j, "boots");
	for (uint32_t i = 0; i < b->n; i++) {
		jsonl_object(j, NULL);
		put_one(&b->boots[i], j);
		jsonl_close(j);
	}
	jsonl_close(j);
	jsonl_uint(j, "more_boots", b->more);
}

static int print_claim(void *ctx, const char *key, const char *value)
{
	(void)ctx;
	printf("      ");
	print_safe(stdout, key, strlen(key));
	printf(" = ");
	print_safe(stdout, value, strlen(value));
	fputc('\n', stdout);
	return 0;
}

static int put_claim(void *ctx, const char *key, const char *value)
{
	struct jsonl *j = ctx;

	jsonl_str(j, key, value);
	return buf_status(j->buf);
}

static int each(const struct ledger_boots *b, struct ledger_boot *files, struct jsonl *j)
{
	int r = 0;

	for (uint32_t i = 0; i < b->n && r >= 0; i++) {
		const struct ledger_boots_one *o = &b->boots[i];
		enum ledger_boot_result result;
		struct why why;

		if (j) {
			jsonl_object(j, NULL);
			put_one(o, j);
			jsonl_object(j, "claims");
		} else {
			head(o);
			part(": ", o->why);
			fputc('\n', stdout);
		}
		if (o->result == LEDGER_BOOT_GOOD)
			r = ledger_boot_check(files, &o->pcrs, &o->log, j ? put_claim : print_claim,
					      j, &result, &why);
		if (j) {
			jsonl_close(j);
			jsonl_close(j);
		}
	}
	return r;
}

static int worst(const struct ledger_boots *b)
{
	int code = b->n > 0 && b->more == 0 ? PRINT_GOOD : PRINT_UNKNOWN;

	for (uint32_t i = 0; i < b->n; i++) {
		if (b->boots[i].result == LEDGER_BOOT_BAD)
			return PRINT_NOT_GOOD;
		if (b->boots[i].result != LEDGER_BOOT_GOOD)
			code = PRINT_UNKNOWN;
	}
	return code;
}

int view_boots(const struct ledger_boots *b, const char *dir, bool json)
{
	CLEANUP(ledger_boot_done) struct ledger_boot files = {.io = fsio_system(), .dir = dir};
	CLEANUP(buf_done) struct buf text = {0};
	struct jsonl j;
	int r;

	if (!json) {
		r = each(b, &files, NULL);
		if (b->n == 0)
			printf("  no quote that holds: nothing tells what was booted\n");
		return r < 0 ? print_failure(PRINT_UNKNOWN, "%s: %s", dir, strerror(-r)) : worst(b);
	}
	jsonl_begin(&j, &text);
	jsonl_array(&j, "boots");
	r = each(b, &files, &j);
	jsonl_close(&j);
	jsonl_uint(&j, "more_boots", b->more);
	jsonl_end(&j);
	if (r >= 0)
		r = buf_status(&text);
	if (r < 0)
		return print_failure(PRINT_UNKNOWN, "%s: %s", dir, strerror(-r));
	puts((char *)text.data);
	return worst(b);
}
