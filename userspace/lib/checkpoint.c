/* SPDX-License-Identifier: Apache-2.0 */
#include "checkpoint.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"

#define DASH "\xe2\x80\x94 " /* U+2014 and a space start a signature line */
#define COSIGN_MAX 800

static int origin_fits(const char *origin, size_t size)
{
	if (size == 0 || size >= CHECKPOINT_MAX_ORIGIN)
		return 0;
	for (size_t i = 0; i < size; i++)
		if ((unsigned char)origin[i] <= 0x20 || origin[i] == 0x7f || origin[i] == '+')
			return 0;
	return 1;
}

int checkpoint_text(const struct checkpoint *c, char ret[CHECKPOINT_MAX_TEXT], size_t *ret_size)
{
	CLEANUP(buf_done) struct buf root = {0};
	int n;

	if (!origin_fits(c->origin, strnlen(c->origin, sizeof(c->origin))))
		return -EINVAL;
	digest_base64(&root, c->root.bytes, DIGEST_SIZE);
	if (buf_status(&root) < 0)
		return buf_status(&root);
	n = snprintf(ret, CHECKPOINT_MAX_TEXT, "%s\n%" PRIu64 "\n%s\n", c->origin, c->size,
		     (char *)root.data);
	*ret_size = (size_t)n;
	return 0;
}

static int parse_size(const char *text, size_t size, uint64_t *ret)
{
	uint64_t v = 0;

	if (size == 0 || size > 19 || (size > 1 && text[0] == '0'))
		return -EBADMSG;
	for (size_t i = 0; i < size; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EBADMSG;
		v = v * 10 + (uint64_t)(text[i] - '0');
	}
	if (v > (uint64_t)INT64_MAX)
		return -EBADMSG;
	*ret = v;
	return 0;
}

int checkpoint_parse(const char *text, size_t size, struct checkpoint *ret, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf root = {0};
	const char *a = memchr(text, '\n', size), *b, *c;
	struct checkpoint found = {.size = 0};

	b = a ? memchr(a + 1, '\n', size - (size_t)(a + 1 - text)) : NULL;
	c = b ? memchr(b + 1, '\n', size - (size_t)(b + 1 - text)) : NULL;
	if (!c || c + 1 != text + size)
		return why_set(ret_why, -EBADMSG, "checkpoint has not exactly three lines");
	if (!origin_fits(text, (size_t)(a - text)))
		return why_set(ret_why, -EBADMSG,
			       "checkpoint line 1: origin is empty, too long or has blanks");
	memcpy(found.origin, text, (size_t)(a - text));
	if (parse_size(a + 1, (size_t)(b - a - 1), &found.size) < 0)
		return why_set(ret_why, -EBADMSG, "checkpoint line 2: size is no decimal number");
	if (digest_from_base64(b + 1, (size_t)(c - b - 1), &root) < 0 || root.size != DIGEST_SIZE)
		return why_set(ret_why, -EBADMSG,
			       "checkpoint line 3: root is not 32 bytes in base64");
	memcpy(found.root.bytes, root.data, DIGEST_SIZE);
	*ret = found;
	return 0;
}

int checkpoint_digest(const struct checkpoint *c, struct digest *ret)
{
	char text[CHECKPOINT_MAX_TEXT];
	size_t size;
	int r = checkpoint_text(c, text, &size);

	return r < 0 ? r : digest_sha256(text, size, ret);
}

int checkpoint_fold(struct digest *pcr, const struct digest *digest)
{
	const struct buf_view parts[] = {{pcr->bytes, DIGEST_SIZE}, {digest->bytes, DIGEST_SIZE}};

	return digest_sha256_parts(parts, 2, pcr);
}

int checkpoint_key_id(enum checkpoint_sig type, const char *name, const struct sign_key *key,
		      uint8_t ret[4])
{
	const uint8_t mark[] = {'\n', (uint8_t)type};
	uint8_t raw[32];
	struct digest d;
	int r;

	if (sign_key_kind(key) != (type == CHECKPOINT_SIG_P256 ? SIGN_P256 : SIGN_ED25519))
		return -EKEYREJECTED;
	/* C2SP signed-note: ECDSA keys are named by their SPKI alone. */
	if (type == CHECKPOINT_SIG_P256) {
		r = sign_key_id(key, &d);
	} else {
		struct buf_view parts[] = {
			{(const uint8_t *)name, strlen(name)}, {mark, 2}, {raw, 32}};

		r = sign_key_raw_public(key, raw);
		if (r >= 0)
			r = digest_sha256_parts(parts, 3, &d);
	}
	if (r < 0)
		return r;
	memcpy(ret, d.bytes, 4);
	return 0;
}

int checkpoint_note_line(enum checkpoint_sig type, const char *name, const struct sign_key *key,
			 const void *sig, size_t sig_size, struct buf *ret)
{
	CLEANUP(buf_done) struct buf body = {0};
	uint8_t id[4];
	int r = checkpoint_key_id(type, name, key, id);

	if (r < 0)
		return r;
	buf_put(&body, id, sizeof(id));
	buf_put(&body, sig, sig_size);
	if (buf_status(&body) < 0)
		return buf_status(&body);
	buf_printf(ret, DASH "%s ", name);
	digest_base64(ret, body.data, body.size);
	return buf_status(ret);
}

/* What a signature of this type is over. */
static int signed_text(const struct checkpoint *c, enum checkpoint_sig type, uint64_t time_s,
		       char ret[COSIGN_MAX], size_t *ret_size)
{
	size_t at = 0, size;
	int r;

	if (type == CHECKPOINT_SIG_COSIGN)
		at = (size_t)snprintf(ret, COSIGN_MAX, "cosignature/v1\ntime %" PRIu64 "\n",
				      time_s);
	r = checkpoint_text(c, ret + at, &size);
	if (r < 0)
		return r;
	*ret_size = at + size;
	return 0;
}

int checkpoint_sign(const struct checkpoint *c, enum checkpoint_sig type, const char *name,
		    const struct sign_key *key, uint64_t time_s, struct buf *ret)
{
	CLEANUP(buf_done) struct buf sig = {0};
	char text[COSIGN_MAX];
	size_t size;
	int r = signed_text(c, type, time_s, text, &size);

	if (r < 0)
		return r;
	if (type == CHECKPOINT_SIG_COSIGN)
		buf_put_u64be(&sig, time_s);
	r = sign_make(key, text, size, &sig);
	if (r < 0)
		return r;
	return checkpoint_note_line(type, name, key, sig.data, sig.size, ret);
}

int checkpoint_check(const struct checkpoint *c, enum checkpoint_sig type, const char *name,
		     const struct sign_key *key, const char *line, size_t line_size,
		     uint64_t *ret_time_s, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf body = {0};
	size_t dash = strlen(DASH), name_size = strlen(name), head = dash + name_size + 1, size;
	uint64_t time_s = 0;
	char text[COSIGN_MAX];
	struct buf_reader reader;
	struct buf_view sig;
	uint8_t id[4];
	int r;

	if (line_size > CHECKPOINT_MAX_NOTE_LINE || line_size < dash ||
	    memcmp(line, DASH, dash) != 0)
		return why_set(ret_why, -EBADMSG, "note: not a signature line");
	if (line_size <= head || memcmp(line + dash, name, name_size) != 0 || line[head - 1] != ' ')
		return why_set(ret_why, -ENOENT, "note: of another key name");
	if (digest_from_base64(line + head, line_size - head, &body) < 0 || body.size < 5)
		return why_set(ret_why, -EBADMSG, "note: signature is not base64");
	r = checkpoint_key_id(type, name, key, id);
	if (r < 0)
		return r;
	if (memcmp(body.data, id, 4) != 0)
		return why_set(ret_why, -ENOENT, "note: of another key");
	reader = buf_reader_of(body.data + 4, body.size - 4);
	if (type == CHECKPOINT_SIG_COSIGN && buf_read_u64be(&reader, &time_s) < 0)
		return why_set(ret_why, -EBADMSG, "note: cosignature is cut short");
	buf_read_bytes(&reader, buf_left(&reader), &sig);
	r = signed_text(c, type, time_s, text, &size);
	if (r < 0)
		return r;
	if (sign_check(key, text, size, sig.data, sig.size) < 0)
		return why_set(ret_why, -EBADMSG, "note: signature by %s is false", name);
	if (ret_time_s)
		*ret_time_s = time_s;
	return 0;
}
