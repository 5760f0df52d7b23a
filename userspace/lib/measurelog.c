/* SPDX-License-Identifier: Apache-2.0 */
#include "measurelog.h"

#include <errno.h>
#include <string.h>

#include "cleanup.h"
#include "jsonl.h"

#define SEPARATOR 0x1e
#define MAX_DIGESTS 8
#define MACHINE_ID 32

/* What systemd calls it, what its text begins with, and whether anything follows; the registers that systemd measures it into. */
static const struct kind {
	const char *name, *begin;
	bool more;
	uint32_t pcrs;
} kinds[] = {
	[MEASURELOG_PHASE] = {"phase", "", true, 1u << 11},
	[MEASURELOG_FILESYSTEM] = {"filesystem", "file-system:", true, 1u << 15},
	[MEASURELOG_MACHINE_ID] = {"machine-id", "machine-id:", true, 1u << 15},
	[MEASURELOG_NVPCR_INIT] = {"nvpcr-init", "nvpcr-init:", true, 1u << 9},
	[MEASURELOG_NVPCR_SEPARATOR] = {"nvpcr-separator", "nvpcr-separator", false, 1u << 9},
	[MEASURELOG_OS_SEPARATOR] = {"os-separator", "os-separator", false, 0xffff & ~(1u << 10)},
	[MEASURELOG_VOLUME_KEY] = {"volume-key", "cryptsetup:", true, 1u << 15},
};

int measurelog_open(const void *data, size_t size, struct measurelog *ret, struct why *ret_why)
{
	if (size > MEASURELOG_MAX)
		return why_set(ret_why, -E2BIG, "measurement log: %zu bytes, at most %u", size,
			       MEASURELOG_MAX);
	*ret = (struct measurelog){.r = buf_reader_of(data, size)};
	return 0;
}

static enum measurelog_kind kind_of(const char *name)
{
	for (size_t i = MEASURELOG_PHASE; i < ARRAY_SIZE(kinds); i++)
		if (strcmp(kinds[i].name, name) == 0)
			return (enum measurelog_kind)i;
	return MEASURELOG_OTHER;
}

/* A phase is a word or several with colons between: no text of another kind, and no checkpoint, for those have line feeds. */
static bool is_word(const char *text)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-_:");

	return n > 0 && text[n] == 0;
}

static bool is_hex(const char *text, size_t size)
{
	return strlen(text) == size && strspn(text, "0123456789abcdef") == size;
}

static bool is_plain(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	return true;
}

static bool text_fits(const struct measurelog_record *m)
{
	const struct kind *k = &kinds[m->kind];
	size_t n = strlen(k->begin);

	if (strncmp(m->text, k->begin, n) != 0 || (m->text[n] != 0) != k->more ||
	    !is_plain(m->text))
		return false;
	if (m->kind == MEASURELOG_PHASE)
		return is_word(m->text);
	return m->kind != MEASURELOG_MACHINE_ID || is_hex(m->text + n, MACHINE_ID);
}

static int make_anew(struct measurelog_record *m)
{
	struct digest d;
	int r;

	if (m->kind == MEASURELOG_OTHER || m->kind == MEASURELOG_VOLUME_KEY || !m->has_pcr ||
	    !m->has_digest || !(kinds[m->kind].pcrs & 1u << m->pcr) || !text_fits(m))
		return 0;
	r = digest_sha256(m->text, strlen(m->text), &d);
	m->is_made = r >= 0 && digest_equal(&d, &m->digest);
	return r;
}

/* Of the banks SHA-256 alone; one that names it twice is believed in neither. */
static int get_digests(const json_t *o, struct measurelog_record *m, struct why *ret_why)
{
	json_t *list, *item;
	const char *alg;
	size_t i;
	int r = jsonl_get_array(o, "digests", MAX_DIGESTS, &list, ret_why);

	if (r < 0)
		return r;
	json_array_foreach (list, i, item) {
		if (!json_is_object(item))
			return why_set(ret_why, -EBADMSG, "\"digests\"[%zu] is no object", i);
		r = jsonl_get_str(item, "hashAlg", 32, &alg, ret_why);
		if (r < 0)
			return r;
		if (strcmp(alg, "sha256") != 0)
			continue;
		if (m->has_digest)
			return why_set(ret_why, -EBADMSG, "two digests of SHA-256");
		r = jsonl_get_hex(item, "digest", m->digest.bytes, DIGEST_SIZE, ret_why);
		if (r < 0)
			return r;
		m->has_digest = true;
	}
	return 0;
}

static int get_register(const json_t *o, struct measurelog_record *m, struct why *ret_why)
{
	uint64_t pcr;
	int r;

	if (!json_object_get(o, "pcr")) {
		m->has_pcr = false;
		return 0;
	}
	r = jsonl_get_uint(o, "pcr", MEASURELOG_N_PCRS - 1, &pcr, ret_why);
	if (r < 0)
		return r;
	m->has_pcr = true;
	m->pcr = (uint32_t)pcr;
	return 0;
}

/* Who else writes such a log writes contents of his own; they are read over. */
static int get_content(const json_t *o, struct measurelog_record *m, struct why *ret_why)
{
	const char *type, *kind;
	json_t *content;
	int r = jsonl_get_str(o, "content_type", 64, &type, ret_why);

	if (r < 0 || strcmp(type, "systemd") != 0)
		return r;
	r = jsonl_get_object(o, "content", &content, ret_why);
	if (r < 0)
		return r;
	if (json_object_get(content, "string"))
		r = jsonl_get_text(content, "string", m->text, sizeof(m->text), ret_why);
	if (r >= 0 && json_object_get(content, "eventType")) {
		r = jsonl_get_str(content, "eventType", 64, &kind, ret_why);
		if (r >= 0)
			m->kind = kind_of(kind);
	}
	return r;
}

static int read_record(const void *data, size_t size, struct measurelog_record *m,
		       struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	int r = jsonl_parse(data, size, MEASURELOG_MAX_RECORD, &o, ret_why);

	if (r >= 0)
		r = get_register(o, m, ret_why);
	if (r >= 0)
		r = get_digests(o, m, ret_why);
	if (r >= 0)
		r = get_content(o, m, ret_why);
	return r;
}

int measurelog_next(struct measurelog *m, struct measurelog_record *ret, struct why *ret_why)
{
	struct buf_reader *b = &m->r;
	const uint8_t *at = b->data + b->at, *end;
	size_t begin = b->at;
	struct why why = {""};
	int r;

	if (buf_left(b) == 0)
		return 0;
	ret->number = ++m->n;
	ret->has_digest = ret->is_made = false;
	ret->kind = MEASURELOG_OTHER;
	ret->text[0] = 0;
	end = memchr(at, '\n', buf_left(b));
	if (*at != SEPARATOR || !end)
		return why_set(ret_why, -EBADMSG, "measurement log: record %u at byte %zu %s",
			       ret->number, begin, end ? "does not begin with 1e" : "has no end");
	b->at += (size_t)(end - at) + 1;
	r = read_record(at + 1, (size_t)(end - at) - 1, ret, &why);
	if (r < 0)
		return r == -ENOMEM ? r
				    : why_set(ret_why, -EBADMSG,
					      "measurement log: record %u at byte %zu: %s",
					      ret->number, begin, why.text);
	r = make_anew(ret);
	return r < 0 ? r : 1;
}

static int in_the_way(const struct measurelog_record *m, struct why *ret_why)
{
	const char *kind = m->kind ? kinds[m->kind].name : "an unknown kind";

	if (!m->has_digest)
		return why_set(ret_why, 0, "record %u of PCR %u has no digest of SHA-256",
			       m->number, m->pcr);
	if (m->kind == MEASURELOG_VOLUME_KEY)
		return why_set(ret_why, 0,
			       "record %u of PCR %u is of a volume's key, and no digest of that "
			       "can be made anew",
			       m->number, m->pcr);
	return why_set(ret_why, 0,
		       "record %u of PCR %u (%s) has a digest that is not of a text which belongs "
		       "there",
		       m->number, m->pcr, kind);
}

/* PCR := H(PCR ‖ digest). */
static int extend(struct digest *value, const struct digest *d)
{
	const struct buf_view parts[] = {{value->bytes, DIGEST_SIZE}, {d->bytes, DIGEST_SIZE}};

	return digest_sha256_parts(parts, 2, value);
}

int measurelog_leads(const void *data, size_t size, uint32_t pcr, const struct digest *from,
		     const struct digest *to, struct why *ret_why)
{
	struct digest value = *from;
	struct measurelog_record record;
	struct measurelog m;
	uint32_t n = 0;
	int r = measurelog_open(data, size, &m, ret_why);

	while (r >= 0 && !digest_equal(&value, to)) {
		r = measurelog_next(&m, &record, ret_why);
		if (r == 0)
			return why_set(ret_why, 0,
				       "the measurement log has %u records of PCR %u, and they do "
				       "not come to its value",
				       n, pcr);
		if (r < 0 || !record.has_pcr || record.pcr != pcr)
			continue;
		if (!record.is_made)
			return in_the_way(&record, ret_why);
		n++;
		r = extend(&value, &record.digest);
	}
	/* Bytes that are no such log lead nowhere. */
	if (r == -EBADMSG || r == -E2BIG)
		return 0;
	return r < 0 ? r : 1;
}
