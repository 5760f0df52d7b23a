/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence_head.h"

#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "clock.h"
#include "plain.h"

#define HEX_SIZE (2 * DIGEST_SIZE)
#define DASH "\xe2\x80\x94 " /* begins a signature line */
#define LF "\\u000a" /* as it is written in JSON */

/* Neither an escape nor part of a longer character; that no quote is in it, plain_text() has seen to. */
static bool is_plain(char c)
{
	return (uint8_t)c >= ' ' && (uint8_t)c < 0x7f && c != '\\';
}

/* Behind its first quote. Of each member the decoder says whether its characters are the right ones; of the text that has none, this. */
static const char *scan_ascii(struct plain *s, size_t max)
{
	const char *text = plain_text(s, max);

	for (const char *p = text; *p; p++)
		if (!is_plain(*p))
			s->failed = true;
	return text;
}

static void scan_hex(struct plain *s, uint8_t *ret, size_t size)
{
	const char *text = plain_text(s, 2 * size);

	if (s->failed || digest_bytes_from_hex(text, (size_t)(s->at - 1 - text), ret, size) < 0)
		s->failed = true;
}

static void scan_base64(struct plain *s, size_t max, struct buf *ret)
{
	const char *text = plain_text(s, (max + 2) / 3 * 4);

	if (s->failed || digest_from_base64(text, (size_t)(s->at - 1 - text), ret) < 0 ||
	    ret->size > max)
		s->failed = true;
}

/* Three lines, whose ends are the only characters in it that do not stand for themselves. */
static void scan_checkpoint(struct plain *s, struct checkpoint *ret)
{
	char text[CHECKPOINT_MAX_TEXT];
	const char *p = plain_text(s, CHECKPOINT_MAX_TEXT + 3 * sizeof(LF));
	size_t n = 0;

	while (!s->failed && *p && n < sizeof(text)) {
		if (strncmp(p, LF, sizeof(LF) - 1) == 0) {
			text[n++] = '\n';
			p += sizeof(LF) - 1;
			continue;
		}
		s->failed |= !is_plain(*p);
		text[n++] = *p++;
	}
	if (s->failed || *p || checkpoint_parse(text, n, ret, NULL) < 0)
		s->failed = true;
}

static void scan_notes(struct plain *s, struct evidence *e)
{
	PLAIN_EXPECT(s, ",\"notes\":[");
	if (PLAIN_NEXT(s, "]"))
		return;
	do {
		const char *text;
		char *note;

		if (e->n_notes == EVIDENCE_MAX_NOTES) {
			s->failed = true;
			return;
		}
		note = e->notes[e->n_notes];
		PLAIN_EXPECT(s, "\"" DASH);
		text = scan_ascii(s, CHECKPOINT_MAX_NOTE_LINE - sizeof(DASH));
		memcpy(note, DASH, sizeof(DASH) - 1);
		memcpy(note + sizeof(DASH) - 1, text, strlen(text) + 1);
		e->n_notes++;
	} while (PLAIN_NEXT(s, ","));
	PLAIN_EXPECT(s, "]");
}

static void scan_heading(struct plain *s, struct evidence *e)
{
	struct digest node = {{0}};

	PLAIN_EXPECT(s, "{\"v\":1,\"kind\":\"");
	e->provisional = PLAIN_NEXT(s, "provisional\"");
	if (!e->provisional)
		PLAIN_EXPECT(s, "evidence\"");
	PLAIN_EXPECT(s, ",\"node\":\"");
	scan_hex(s, node.bytes, DIGEST_SIZE);
	digest_hex(&node, e->node);
	PLAIN_EXPECT(s, ",\"incarnation\":");
	e->incarnation = plain_number(s, INT64_MAX);
	PLAIN_EXPECT(s, ",\"checkpoint\":\"");
	scan_checkpoint(s, &e->checkpoint);
	PLAIN_EXPECT(s, ",\"from\":");
	e->from = plain_number(s, INT64_MAX);
	PLAIN_EXPECT(s, ",\"n\":");
	e->n_lines = plain_number(s, WIRE_MAX_EVIDENCE_LINES);
	scan_notes(s, e);
}

/* In rising order, so that none comes twice. */
static void scan_pcrs(struct plain *s, struct quote_pcrs *ret)
{
	PLAIN_EXPECT(s, ",\"pcrs\":{");
	if (PLAIN_NEXT(s, "}"))
		return;
	do {
		uint64_t i;

		PLAIN_EXPECT(s, "\"");
		i = plain_number(s, QUOTE_N_PCRS - 1);
		PLAIN_EXPECT(s, "\":\"");
		if (s->failed || ret->mask >> i) {
			s->failed = true;
			return;
		}
		scan_hex(s, ret->values[i].bytes, DIGEST_SIZE);
		ret->mask |= 1u << i;
	} while (PLAIN_NEXT(s, ","));
	PLAIN_EXPECT(s, "}");
}

static void scan_nonce(struct plain *s, uint8_t ret[WIRE_NONCE_SIZE])
{
	CLEANUP(buf_done) struct buf b = {0};

	PLAIN_EXPECT(s, ",\"nonce\":\"");
	scan_base64(s, WIRE_NONCE_SIZE, &b);
	if (s->failed || b.size != WIRE_NONCE_SIZE) {
		s->failed = true;
		return;
	}
	memcpy(ret, b.data, WIRE_NONCE_SIZE);
}

static void scan_ima(struct plain *s, struct evidence *e)
{
	PLAIN_EXPECT(s, ",\"ima_cursor\":");
	e->ima_from = e->ima_end = e->ima_cursor = plain_number(s, INT64_MAX);
	e->has_ima_end = PLAIN_NEXT(s, ",\"ima_end\":");
	if (e->has_ima_end)
		e->ima_end = plain_number(s, INT64_MAX);
	if (!PLAIN_NEXT(s, ",\"ima_from\":"))
		return;
	e->ima_from = plain_number(s, INT64_MAX);
	PLAIN_EXPECT(s, ",\"ima\":\"");
	scan_base64(s, WIRE_MAX_IMA, &e->ima);
}

static void scan_quote(struct plain *s, struct evidence *e)
{
	scan_nonce(s, e->nonce);
	PLAIN_EXPECT(s, ",\"pcr_index\":");
	e->pcr_index = (uint8_t)plain_number(s, QUOTE_N_PCRS - 1);
	scan_pcrs(s, &e->pcrs);
	PLAIN_EXPECT(s, ",\"attest\":\"");
	scan_base64(s, QUOTE_MAX_BLOB, &e->attest);
	PLAIN_EXPECT(s, ",\"sig\":\"");
	scan_base64(s, QUOTE_MAX_BLOB, &e->sig);
	PLAIN_EXPECT(s, ",\"anchors\":\"");
	scan_base64(s, WIRE_MAX_ANCHORS, &e->anchors);
	PLAIN_EXPECT(s, ",\"boot_log\":\"");
	scan_hex(s, e->boot_log.bytes, DIGEST_SIZE);
	if (PLAIN_NEXT(s, ",\"boot_log_data\":\"")) {
		scan_base64(s, WIRE_MAX_BOOT_LOG, &e->boot_log_data);
		s->failed |= e->boot_log_data.size == 0;
	}
	if (PLAIN_NEXT(s, ",\"measure_log\":\""))
		scan_base64(s, WIRE_MAX_MEASURE_LOG, &e->measure_log);
	scan_ima(s, e);
}

static void scan_tail(struct plain *s, struct evidence *e)
{
	const char *agent, *sent;

	PLAIN_EXPECT(s, ",\"baseline\":");
	e->baseline_version = plain_number(s, INT64_MAX);
	PLAIN_EXPECT(s, ",\"order\":");
	e->last_order = plain_number(s, INT64_MAX);
	PLAIN_EXPECT(s, ",\"leaving\":");
	e->leaving = PLAIN_NEXT(s, "true");
	if (!e->leaving)
		PLAIN_EXPECT(s, "false");
	PLAIN_EXPECT(s, ",\"judge\":");
	e->judge_version = (uint32_t)plain_number(s, UINT32_MAX);
	PLAIN_EXPECT(s, ",\"agent\":\"");
	agent = scan_ascii(s, sizeof(e->agent_version) - 1);
	memcpy(e->agent_version, agent, strlen(agent) + 1);
	PLAIN_EXPECT(s, ",\"sent\":\"");
	sent = plain_text(s, CLOCK_TEXT_SIZE - 1);
	PLAIN_EXPECT(s, "}");
	if (!s->failed && clock_from_text(sent, &e->sent_ns) < 0)
		s->failed = true;
}

bool evidence_head_scan(const void *head, size_t size, struct evidence *e)
{
	CLEANUP_FREE char *text = malloc(size + 1 + PLAIN_BEYOND);
	struct plain s = {.at = text};

	if (!text)
		return false;
	memcpy(text, head, size);
	memset(text + size, 0, 1 + PLAIN_BEYOND);
	scan_heading(&s, e);
	if (!s.failed && !e->provisional)
		scan_quote(&s, e);
	if (!s.failed)
		scan_tail(&s, e);
	return !s.failed && s.at == text + size;
}
