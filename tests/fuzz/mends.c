/* SPDX-License-Identifier: Apache-2.0 */
#include "mends.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint.h"
#include "digest.h"
#include "ledger_dir.h"
#include "mutate.h"

#define LF "\\u000a"
#define CHECK_SIZE 4u /* at a record's end */

/* Where the value of a member of the header begins; 0: it has none. */
static size_t find(const struct mutate *m, const char *name)
{
	const uint8_t *lf = memchr(m->data, '\n', m->size);
	size_t head = lf ? (size_t)(lf - m->data) : m->size;
	const uint8_t *at = memmem(m->data, head, name, strlen(name));

	return at ? (size_t)(at - m->data) + strlen(name) : 0;
}

static size_t n_digits(const struct mutate *m, size_t at)
{
	size_t n = 0;

	while (at + n < m->size && n < 20 && m->data[at + n] >= '0' && m->data[at + n] <= '9')
		n++;
	return n;
}

static void put_number(struct mutate *m, size_t at, uint64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, v);
	mutate_replace(m, at, n_digits(m, at), text, strlen(text));
}

static uint64_t count_lines(const struct mutate *m)
{
	uint64_t n = 0;

	for (size_t i = 0; i < m->size; i++)
		n += m->data[i] == '\n';
	return n ? n - 1 : 0;
}

static void mend_boot_log(struct mutate *m)
{
	size_t at = find(m, "\"boot_log_data\":\""), to = find(m, "\"boot_log\":\"");
	const uint8_t *end = at ? memchr(m->data + at, '"', m->size - at) : NULL;
	struct buf log = {0};
	char hex[DIGEST_HEX_SIZE];
	struct digest d;

	if (end && to && to + 64 < at &&
	    digest_from_base64((char *)m->data + at, (size_t)(end - m->data) - at, &log) >= 0 &&
	    digest_sha256(log.data, log.size, &d) >= 0) {
		digest_hex(&d, hex);
		memcpy(m->data + to, hex, 64);
	}
	buf_done(&log);
}

size_t mend_evidence(uint8_t *data, size_t size, size_t max)
{
	struct mutate m = {.data = data, .size = size, .max = max};
	size_t from = find(&m, "\"from\":"), n = find(&m, ",\"n\":"), at;
	const uint8_t *lf;
	char text[24];

	if (!from || !n || n_digits(&m, from) == 0 || n_digits(&m, from) > 18 ||
	    n_digits(&m, n) == 0)
		return size;
	/* The last line ends, too. */
	if (data[m.size - 1] != '\n' && m.size < max)
		data[m.size++] = '\n';
	put_number(&m, n, count_lines(&m));
	memcpy(text, data + from, n_digits(&m, from));
	text[n_digits(&m, from)] = 0;
	at = find(&m, "\"checkpoint\":\"");
	lf = at ? memmem(data + at, m.size - at, LF, strlen(LF)) : NULL;
	if (lf)
		put_number(&m, (size_t)(lf - data) + strlen(LF),
			   strtoull(text, NULL, 10) + count_lines(&m));
	mend_boot_log(&m);
	return m.size;
}

struct chain {
	struct digest pcr;
	struct checkpoint c;
};

/* What the register holds after it, as far as the records themselves say. */
static void follow(struct chain *s, uint16_t kind, uint8_t *body, size_t size)
{
	struct digest d;

	if (kind == LEDGER_ANCHOR_EPOCH && size == 58 && body[25] != LEDGER_BASE_CONTINUES) {
		memcpy(s->pcr.bytes, body + 26, DIGEST_SIZE);
	} else if (kind == LEDGER_ANCHOR_EXTEND && size == 8 + DIGEST_SIZE) {
		s->c.size = 0;
		for (int i = 0; i < 8; i++)
			s->c.size = s->c.size << 8 | body[i];
		memcpy(s->c.root.bytes, body + 8, DIGEST_SIZE);
	} else if (kind == LEDGER_ANCHOR_DONE && size == DIGEST_SIZE) {
		if (checkpoint_digest(&s->c, &d) >= 0 && checkpoint_fold(&s->pcr, &d) >= 0)
			memcpy(body, s->pcr.bytes, DIGEST_SIZE);
	} else if (kind == LEDGER_ANCHOR_FOREIGN && size == 2 * DIGEST_SIZE) {
		memcpy(body, s->pcr.bytes, DIGEST_SIZE);
		memcpy(s->pcr.bytes, body + DIGEST_SIZE, DIGEST_SIZE);
	}
}

size_t mend_anchors(uint8_t *data, size_t size, const char *origin)
{
	const size_t magic = strlen(LEDGER_ANCHORS_MAGIC);
	size_t at = size >= magic && memcmp(data, LEDGER_ANCHORS_MAGIC, magic) == 0 ? magic : 0;
	struct chain s = {.c = {.size = 0}};
	struct digest check;

	if (origin)
		snprintf(s.c.origin, sizeof(s.c.origin), "%s", origin);
	while (size - at >= 4) {
		uint8_t *p = data + at + 4;
		size_t n = (size_t)data[at] << 24 | (size_t)data[at + 1] << 16 |
			   (size_t)data[at + 2] << 8 | data[at + 3];

		if (n < 2 + CHECK_SIZE || n > size - at - 4)
			break;
		if (origin)
			follow(&s, (uint16_t)(p[0] << 8 | p[1]), p + 2, n - 2 - CHECK_SIZE);
		if (digest_sha256(p, n - CHECK_SIZE, &check) < 0)
			break;
		memcpy(p + n - CHECK_SIZE, check.bytes, CHECK_SIZE);
		at += 4 + n;
	}
	return size;
}
