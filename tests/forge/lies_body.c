/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies that are not what docs/wire.md says. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "forge.h"

static void twice_a_key(struct forge_at *at)
{
	forge_replace(at->body, "\"order\":", "\"order\":1,\"order\":");
}

static void nested(struct forge_at *at)
{
	char deep[256];
	struct buf b = {0};

	memset(deep, '[', 100);
	memset(deep + 100, ']', 100);
	deep[200] = 0;
	buf_printf(&b, "\"x\":%s,\"order\":", deep);
	forge_replace(at->body, "\"order\":", (char *)b.data);
	buf_done(&b);
}

static void nested_without_end(struct forge_at *at)
{
	static char deep[200000];

	memset(deep, '[', sizeof(deep) - 1);
	buf_clear(at->body);
	buf_puts(at->body, "{\"x\":");
	buf_puts(at->body, deep);
	buf_puts(at->body, "\n");
}

static void fraction(struct forge_at *at)
{
	forge_replace(at->body, "\"order\":", "\"order\":1.5,\"was\":");
}

static void exponent(struct forge_at *at)
{
	forge_replace(at->body, "\"order\":", "\"order\":1e400,\"was\":");
}

static void negative(struct forge_at *at)
{
	forge_replace(at->body, "\"order\":", "\"order\":-1,\"was\":");
}

static void beyond_64_bits(struct forge_at *at)
{
	forge_replace(at->body, "\"order\":", "\"order\":99999999999999999999,\"was\":");
}

static void nul_in_text(struct forge_at *at)
{
	forge_replace(at->body, "\"agent\":\"", "\"agent\":\"0\\u0000");
}

static void nul_byte(struct forge_at *at)
{
	at->body->data[20] = 0;
}

static void not_utf8(struct forge_at *at)
{
	forge_replace(at->body, "\"agent\":\"", "\"agent\":\"\xff");
}

static void more_after(struct forge_at *at)
{
	uint8_t *lf = memchr(at->body->data, '\n', at->body->size);
	struct buf b = {0};

	buf_put(&b, at->body->data, (size_t)(lf - at->body->data));
	buf_puts(&b, "{}");
	buf_put(&b, lf, at->body->size - (size_t)(lf - at->body->data));
	buf_done(at->body);
	*at->body = b;
}

static void no_end(struct forge_at *at)
{
	uint8_t *lf = memchr(at->body->data, '\n', at->body->size);

	buf_cut(at->body, (size_t)(lf - at->body->data));
}

static void nothing(struct forge_at *at)
{
	buf_clear(at->body);
}

static void other_version(struct forge_at *at)
{
	forge_replace(at->body, "\"v\":1", "\"v\":2");
}

static void other_kind(struct forge_at *at)
{
	forge_replace(at->body, "\"kind\":\"evidence\"", "\"kind\":\"opinion\"");
}

static void node_no_hex(struct forge_at *at)
{
	forge_replace(at->body, "\"node\":\"", "\"node\":\"../");
}

static void no_order(struct forge_at *at)
{
	forge_replace(at->body, "\"order\":", "\"was\":");
}

static void text_for_number(struct forge_at *at)
{
	forge_replace(at->body, "\"order\":", "\"order\":\"7\",\"was\":");
}

static void sent_no_time(struct forge_at *at)
{
	forge_replace(at->body, "\"sent\":\"", "\"sent\":\"now, ");
}

static void pcr_24(struct forge_at *at)
{
	forge_replace(at->body, "\"pcrs\":{", "\"pcrs\":{\"24\":\"00\",");
}

static void pcr_spelt_twice(struct forge_at *at)
{
	forge_replace(at->body, "\"pcrs\":{", "\"pcrs\":{\"00\":\"00\",");
}

static void base64_broken(struct forge_at *at)
{
	forge_replace(at->body, "\"sig\":\"", "\"sig\":\"*");
}

static void attest_large(struct forge_at *at)
{
	static char large[8192];
	struct buf b = {0};

	memset(large, 'A', sizeof(large) - 1);
	buf_printf(&b, "\"attest\":\"%s", large);
	forge_replace(at->body, "\"attest\":\"", (char *)b.data);
	buf_done(&b);
}

static void too_many_lines(struct forge_at *at)
{
	forge_replace(at->body, "\"n\":", "\"n\":50001,\"was\":");
}

static void log_not_its_digest(struct forge_at *at)
{
	forge_replace(at->body, "\"ima_cursor\":", "\"boot_log_data\":\"AAAA\",\"ima_cursor\":");
}

/* IMA's list. */
static void ima_junk(struct forge_at *at)
{
	at->e->ima_cursor = 5;
	buf_puts(&at->e->ima, "these are no entries of anything");
}

static void ima_beyond(struct forge_at *at)
{
	forge_replace(at->body,
		      "\"ima_cursor\":", "\"ima_from\":9,\"ima\":\"AAAA\",\"ima_cursor\":");
}

static void ima_large(struct forge_at *at)
{
	const size_t size = WIRE_MAX_IMA / 3 * 4 + 400;
	struct buf b = {0};
	char *text = malloc(size + 1);

	if (!text)
		abort();
	memset(text, 'A', size);
	text[size] = 0;
	buf_printf(&b, "\"ima_from\":0,\"ima\":\"%s\",\"ima_cursor\":", text);
	forge_replace(at->body, "\"ima_cursor\":", (char *)b.data);
	buf_done(&b);
	free(text);
}

static const struct forge_lie lies[] = {
	{"a key twice", "400", "duplicate object key", .body = twice_a_key},
	{"lists 100 deep", "400", "evidence", .body = nested},
	{"lists that never end", "400", "evidence", .body = nested_without_end},
	{"a fraction", "400", "evidence", .body = fraction},
	{"an exponent beyond all numbers", "400", "evidence", .body = exponent},
	{"a number below zero", "400", "\"order\"", .body = negative},
	{"a number beyond 64 bits", "400", "evidence", .body = beyond_64_bits},
	{"a NUL in a text", "400", "evidence", .body = nul_in_text},
	{"a NUL byte", "400", "evidence", .body = nul_byte},
	{"a header that is not UTF-8", "400", "evidence", .body = not_utf8},
	{"bytes after the header", "400", "evidence", .body = more_after},
	{"a header without an end", "400", "no header line", .body = no_end},
	{"no body", "400", "no header line", .body = nothing},
	{"the next version", "400", "\"v\" is not 1", .body = other_version},
	{"an unknown kind", "400", "\"kind\" is neither", .body = other_kind},
	{"a node that is no hex", "400", "\"node\"", .body = node_no_hex},
	{"a member that is missing", "400", "\"order\"", .body = no_order},
	{"a text for a number", "400", "\"order\"", .body = text_for_number},
	{"a time that is none", "400", "\"sent\"", .body = sent_no_time},
	{"PCR 24", "400", "\"24\" is no PCR", .body = pcr_24},
	{"a PCR in another spelling", "400", "\"00\" is no PCR", .body = pcr_spelt_twice},
	{"base64 that is none", "400", "\"sig\"", .body = base64_broken},
	{"an attest of 6 KiB", "400", "\"attest\"", .body = attest_large},
	{"50,001 lines", "400", "\"n\"", .body = too_many_lines},
	{"a boot log that is not the one quoted", "400", "\"boot_log_data\" is not what",
	 .body = log_not_its_digest},
	{"entries of IMA's list that are none", "refused", "IMA list", .evidence = ima_junk},
	{"entries beyond the cursor", "400", "\"ima_from\"", .body = ima_beyond},
	{"more of IMA's list than may come", "400", "\"ima\"", .body = ima_large},
};
FORGE_TABLE(lies_body, "body", lies);
