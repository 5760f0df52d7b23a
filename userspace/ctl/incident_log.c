/* SPDX-License-Identifier: Apache-2.0 */
#include "incident_log.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "cleanup.h"
#include "jsonl.h"
#include "merkle.h"
#include "plumb/wire.h"

#define MAX_PROOF 16384

/* The size of the note's text: three lines, before an empty one. */
static int text_size(const char *note, size_t size, size_t *ret)
{
	const char *at = note, *end = note + size;

	for (int i = 0; i < 3; i++) {
		at = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
		if (!at)
			return -EBADMSG;
		at++;
	}
	*ret = (size_t)(at - note);
	return at < end && *at == '\n' ? 0 : -EBADMSG;
}

static int check_signature(const struct checkpoint *c, const char *line, size_t size,
			   const struct sign_key *const *keys, uint32_t n_keys, struct why *ret_why)
{
	for (uint32_t i = 0; i < n_keys; i++) {
		int r = sign_key_kind(keys[i]) != SIGN_ED25519
				? -ENOENT
				: checkpoint_check(c, CHECKPOINT_SIG_ED25519, c->origin, keys[i],
						   line, size, NULL, ret_why);

		if (r != -ENOENT)
			return r;
	}
	return -ENOENT;
}

int incident_log_note(const char *note, size_t size, const struct sign_key *const *keys,
		      uint32_t n_keys, struct checkpoint *ret, struct why *ret_why)
{
	const char *at, *end = note + size, *lf;
	bool holds = false;
	size_t text = 0;
	int r = text_size(note, size, &text);

	if (r < 0)
		return why_set(ret_why, r, "the head of the verifier's log is no signed note");
	r = checkpoint_parse(note, text, ret, ret_why);
	for (at = note + text + 1; r >= 0 && at < end; at = lf + 1) {
		lf = memchr(at, '\n', (size_t)(end - at));
		if (!lf)
			return why_set(ret_why, -EBADMSG, "a signature of the note has no end");
		r = check_signature(ret, at, (size_t)(lf - at), keys, n_keys, ret_why);
		holds |= r == 0;
		r = r == -ENOENT ? 0 : r;
	}
	if (r < 0)
		return r == -ENOMEM ? r : -EBADMSG;
	return holds ? 0
		     : why_set(ret_why, -EKEYREJECTED,
			       "none of the keys signed the head of the verifier's log");
}

static int next_line(struct buf_view *rest, struct buf_view *ret)
{
	const uint8_t *lf = rest->size ? memchr(rest->data, '\n', rest->size) : NULL;

	if (!lf)
		return -EBADMSG;
	*ret = (struct buf_view){rest->data, (size_t)(lf - rest->data)};
	rest->size -= ret->size + 1;
	rest->data = lf + 1;
	return 0;
}

static int read_proof(const struct buf_view *line, uint64_t *ret_seq,
		      struct digest ret[MERKLE_MAX_LEVELS], uint32_t *ret_n, struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	json_t *hashes = NULL, *hash;
	size_t i;
	int r = jsonl_parse(line->data, line->size, MAX_PROOF, &o, ret_why);

	if (r >= 0)
		r = jsonl_get_uint(o, "line", INT64_MAX, ret_seq, ret_why);
	if (r >= 0)
		r = jsonl_get_array(o, "hashes", MERKLE_MAX_LEVELS, &hashes, ret_why);
	if (r < 0)
		return r == -ENOMEM ? r : -EBADMSG;
	json_array_foreach (hashes, i, hash) {
		CLEANUP(buf_done) struct buf b = {0};
		const char *text = json_string_value(hash);

		if (!text || digest_from_base64(text, strlen(text), &b) < 0 ||
		    b.size != DIGEST_SIZE)
			return why_set(ret_why, -EBADMSG, "\"hashes\" has what is no hash");
		memcpy(ret[i].bytes, b.data, DIGEST_SIZE);
	}
	*ret_n = (uint32_t)json_array_size(hashes);
	return 0;
}

static int read_seq(const struct buf_view *line, uint64_t *ret, struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	int r = jsonl_parse(line->data, line->size, WIRE_MAX_LINE, &o, ret_why);

	if (r >= 0)
		r = jsonl_get_uint(o, "seq", INT64_MAX, ret, ret_why);
	return r == -ENOENT ? -EBADMSG : r;
}

static int check_one(const struct checkpoint *head, const struct buf_view *line,
		     const struct buf_view *proof, uint64_t least, uint64_t *ret_seq,
		     struct why *ret_why)
{
	struct digest hashes[MERKLE_MAX_LEVELS], leaf;
	uint64_t seq = 0, proven = 0;
	uint32_t n = 0;
	int r = read_seq(line, &seq, ret_why);

	if (r >= 0)
		r = read_proof(proof, &proven, hashes, &n, ret_why);
	if (r < 0)
		return r;
	if (seq < least || proven != seq)
		return why_set(ret_why, -EBADMSG,
			       "log: line %" PRIu64
			       " is not in its order, or its proof is of %" PRIu64,
			       seq, proven);
	r = merkle_leaf(line->data, line->size, &leaf);
	if (r >= 0)
		r = seq >= head->size ? -EBADMSG
				      : merkle_check_inclusion(seq, head->size, &leaf, hashes, n,
							       &head->root);
	*ret_seq = seq;
	return r == -EBADMSG
		       ? why_set(ret_why, r,
				 "log: line %" PRIu64 " is not what is in the log that was signed",
				 seq)
		       : r;
}

int incident_log_check(const struct checkpoint *head, const struct buf_view *lines,
		       const struct buf_view *proofs, uint64_t *ret_n, struct why *ret_why)
{
	struct buf_view l = *lines, p = *proofs, line, proof;
	uint64_t n = 0, least = 0, seq = 0;

	for (; l.size > 0; n++, least = seq + 1) {
		int r = next_line(&l, &line);

		if (r >= 0)
			r = next_line(&p, &proof);
		if (r < 0)
			return why_set(ret_why, r,
				       "log: line or proof %" PRIu64 " is missing or cut short", n);
		r = check_one(head, &line, &proof, least, &seq, ret_why);
		if (r < 0)
			return r;
	}
	if (p.size > 0)
		return why_set(ret_why, -EBADMSG, "log: there are more proofs than lines");
	*ret_n = n;
	return 0;
}
