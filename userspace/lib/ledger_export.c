/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger_export.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint.h"
#include "cleanup.h"
#include "clock.h"
#include "jsonl.h"
#include "ledger_dir.h"
#include "ledger_prune.h"
#include "ledger_read.h"
#include "ledger_replay.h"
#include "ledger_tiles.h"

#define MAX_FILE (256u * 1024 * 1024)
#define MAX_NOTES 4000000u

struct notes {
	struct buf text;
	struct ledger_note *list; /* by size, then root; in the order they came */
	uint32_t n;
};

static void notes_done(struct notes *n)
{
	buf_done(&n->text);
	free(n->list);
}

/* Lines lie in one buffer, so their addresses tell their order. */
static int compare(const void *a, const void *b)
{
	const struct ledger_note *x = a, *y = b;
	int order = memcmp(x->root.bytes, y->root.bytes, DIGEST_SIZE);

	if (x->size != y->size)
		return x->size < y->size ? -1 : 1;
	return order ? order : x->line < y->line ? -1 : x->line > y->line;
}

static int read_file(const struct fsio *io, const char *dir, const char *name, struct buf *ret,
		     struct why *ret_why)
{
	char path[PATH_MAX];
	int r = -ENAMETOOLONG;

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) < (int)sizeof(path))
		r = fsio_read_plain(io, path, MAX_FILE, ret);
	if (r == -EBADMSG)
		return why_set(ret_why, r, "%s/%s is no plain file", dir, name);
	return r < 0 && r != -ENOENT ? why_set(ret_why, r, "%s/%s: %s", dir, name, strerror(-r))
				     : r;
}

static int read_notes(const struct fsio *io, const char *dir, struct notes *ret,
		      struct why *ret_why)
{
	int r = read_file(io, dir, "notes", &ret->text, ret_why);
	const char *at = (const char *)ret->text.data, *stop = at + ret->text.size, *end;
	uint32_t n = 0;

	if (r < 0 || ret->text.size == 0)
		return r == -ENOENT ? 0 : r;
	for (const char *p = at; p < stop; p++)
		n += *p == '\n';
	if (n > MAX_NOTES)
		return why_set(ret_why, -E2BIG, "%s/notes: more than %u lines", dir, MAX_NOTES);
	ret->list = calloc(n + 1, sizeof(*ret->list));
	if (!ret->list)
		return why_set(ret_why, -ENOMEM, "no memory");
	/* A last line without its end is being written. */
	for (; ret->n < n; at = end + 1) {
		end = memchr(at, '\n', (size_t)(stop - at));
		r = ledger_dir_note_read(at, (size_t)(end - at), &ret->list[ret->n], ret_why);
		if (r < 0)
			return r;
		ret->n++;
	}
	qsort(ret->list, ret->n, sizeof(*ret->list), compare);
	return 0;
}

static bool same_checkpoint(const struct ledger_note *a, const struct ledger_note *b)
{
	return a->size == b->size && digest_equal(&a->root, &b->root);
}

/* The note that begins at list[i]; gives the index after it. A signature that came twice stands once. */
static int put_note(const struct notes *notes, uint32_t i, const char *origin, struct buf *b,
		    uint32_t *ret_next)
{
	struct checkpoint c = {.size = notes->list[i].size, .root = notes->list[i].root};
	char text[CHECKPOINT_MAX_TEXT];
	uint32_t first = i;
	size_t size;
	int r;

	snprintf(c.origin, sizeof(c.origin), "%s", origin);
	r = checkpoint_text(&c, text, &size);
	if (r < 0)
		return r;
	buf_put(b, text, size);
	buf_puts(b, "\n");
	for (; i < notes->n && same_checkpoint(&notes->list[first], &notes->list[i]); i++) {
		const struct ledger_note *n = &notes->list[i];
		bool again = false;

		for (uint32_t k = first; k < i && !again; k++)
			again = notes->list[k].line_size == n->line_size &&
				memcmp(notes->list[k].line, n->line, n->line_size) == 0;
		if (again)
			continue;
		buf_puts(b, "\xe2\x80\x94 ");
		buf_put(b, n->line, n->line_size);
		buf_puts(b, "\n");
	}
	*ret_next = i;
	return buf_status(b);
}

int ledger_export_notes(const struct fsio *io, const char *dir, struct buf *ret,
			struct why *ret_why)
{
	CLEANUP(notes_done) struct notes notes = {.n = 0};
	char origin[CHECKPOINT_MAX_ORIGIN];
	uint32_t i = 0;
	int r = ledger_read_origin(io, dir, origin, ret_why);

	if (r >= 0)
		r = read_notes(io, dir, &notes, ret_why);
	if (r >= 0 && notes.n == 0)
		r = why_set(ret_why, -ENOENT, "%s: there are no notes: nobody signed it yet", dir);
	while (r >= 0 && i < notes.n) {
		r = put_note(&notes, i, origin, ret, &i);
		buf_puts(ret, "\n");
	}
	return r < 0 ? r : buf_status(ret);
}

struct leaf {
	uint64_t seq;
	struct digest hash;
	bool found;
};

static int take_leaf(void *ctx, const struct ledger_read_segment *s, uint64_t seq, const char *line,
		     size_t size)
{
	struct leaf *l = ctx;
	int r;

	(void)s;
	if (seq != l->seq)
		return 0;
	r = merkle_leaf(line, size, &l->hash);
	l->found = r >= 0;
	return r < 0 ? r : 1;
}

static int nothing_torn(void *ctx, const struct ledger_read_segment *s, uint64_t at, size_t size)
{
	(void)ctx;
	(void)s;
	(void)at;
	(void)size;
	return 0;
}

static int not_there(const struct fsio *io, const char *dir, uint64_t seq, struct why *ret_why)
{
	struct ledger_prune_claim c;
	char t[CLOCK_TEXT_SIZE];

	if (ledger_prune_newest(io, dir, &c, ret_why) < 0 || seq >= c.first)
		return why_set(ret_why, -ENOENT, "%s: line %llu is not there", dir,
			       (unsigned long long)seq);
	clock_text(c.utc_ns, t);
	return why_set(ret_why, -ENOENT, "%s: line %llu was pruned on %.10s, as line %llu says",
		       dir, (unsigned long long)seq, t, (unsigned long long)c.seq);
}

/* From tiles, and held against the line itself and the root that was signed. */
static int prove(const struct fsio *io, const char *dir, uint64_t seq, const struct ledger_note *n,
		 struct digest *ret_proof, uint32_t *ret_n, struct why *ret_why)
{
	struct leaf leaf = {.seq = seq};
	const struct ledger_read_calls calls = {&leaf, NULL, take_leaf, nothing_torn, NULL};
	struct ledger_tiles *tiles = NULL;
	int r = ledger_read_all(io, dir, seq, &calls, ret_why);

	if (r < 0)
		return r;
	if (!leaf.found)
		return not_there(io, dir, seq, ret_why);
	r = ledger_tiles_open(io, dir, 0, &tiles);
	if (r >= 0)
		r = merkle_prove_inclusion(seq, n->size, ledger_tiles_get, tiles, ret_proof, ret_n);
	ledger_tiles_free(tiles);
	if (r < 0)
		return why_set(ret_why, r,
			       "%s: its tiles are missing or short; the agent makes "
			       "them anew when it starts",
			       dir);
	if (merkle_check_inclusion(seq, n->size, &leaf.hash, ret_proof, *ret_n, &n->root) < 0)
		return why_set(ret_why, -EBADMSG,
			       "%s: line %llu is not in the checkpoint of %llu that was signed; "
			       "plumbctl ledger verify tells more",
			       dir, (unsigned long long)seq, (unsigned long long)n->size);
	return 0;
}

int ledger_export_proof(const struct fsio *io, const char *dir, uint64_t seq, struct buf *ret,
			struct why *ret_why)
{
	CLEANUP(notes_done) struct notes notes = {.n = 0};
	struct digest proof[MERKLE_MAX_LEVELS];
	char origin[CHECKPOINT_MAX_ORIGIN];
	uint32_t n_proof, newest, next;
	int r = ledger_read_origin(io, dir, origin, ret_why);

	if (r >= 0)
		r = read_notes(io, dir, &notes, ret_why);
	if (r < 0)
		return r;
	if (notes.n == 0 || notes.list[notes.n - 1].size <= seq)
		return why_set(ret_why, -ENOENT, "%s: no signed checkpoint covers line %llu yet",
			       dir, (unsigned long long)seq);
	newest = notes.n - 1;
	while (newest > 0 && same_checkpoint(&notes.list[newest - 1], &notes.list[newest]))
		newest--;
	r = prove(io, dir, seq, &notes.list[newest], proof, &n_proof, ret_why);
	if (r < 0)
		return r;
	buf_printf(ret, "c2sp.org/tlog-proof@v1\nindex %llu\n", (unsigned long long)seq);
	for (uint32_t i = 0; i < n_proof; i++) {
		digest_base64(ret, proof[i].bytes, DIGEST_SIZE);
		buf_puts(ret, "\n");
	}
	buf_puts(ret, "\n");
	return put_note(&notes, newest, origin, ret, &next);
}

/* The signed note of an extend, or its bare text. */
static int put_content(const struct notes *notes, const struct checkpoint *c, struct jsonl *j)
{
	CLEANUP(buf_done) struct buf note = {0};
	char text[CHECKPOINT_MAX_TEXT];
	uint32_t low = 0, high = notes->n, next;
	size_t size;
	int r = checkpoint_text(c, text, &size);

	if (r < 0)
		return r;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		const struct ledger_note *n = &notes->list[mid];

		if (n->size < c->size ||
		    (n->size == c->size && memcmp(n->root.bytes, c->root.bytes, DIGEST_SIZE) < 0))
			low = mid + 1;
		else
			high = mid;
	}
	if (low < notes->n && notes->list[low].size == c->size &&
	    digest_equal(&notes->list[low].root, &c->root))
		r = put_note(notes, low, c->origin, &note, &next);
	else
		buf_put(&note, text, size);
	if (r < 0 || buf_status(&note) < 0)
		return r < 0 ? r : buf_status(&note);
	jsonl_object(j, "content");
	jsonl_strn(j, "note", (const char *)note.data, note.size);
	jsonl_close(j);
	return 0;
}

static int put_record(const struct notes *notes, const struct ledger_replay_extend *e,
		      const char *origin, uint64_t number, struct buf *b)
{
	struct checkpoint c = {.size = e->size, .root = e->root};
	struct jsonl j;
	struct digest d;
	int r;

	snprintf(c.origin, sizeof(c.origin), "%s", origin);
	r = checkpoint_digest(&c, &d);
	if (r < 0)
		return r;
	jsonl_begin(&j, b);
	jsonl_uint(&j, "recnum", number);
	jsonl_uint(&j, "pcr", e->pcr_index);
	jsonl_array(&j, "digests");
	jsonl_object(&j, NULL);
	jsonl_str(&j, "hashAlg", "sha256");
	jsonl_hex(&j, "digest", d.bytes, DIGEST_SIZE);
	jsonl_close(&j);
	jsonl_close(&j);
	jsonl_str(&j, "content_type", "plumb.checkpoint");
	r = put_content(notes, &c, &j);
	jsonl_end(&j);
	return r;
}

static void on_replay(void *ctx, bool bad, const char *text)
{
	struct why *why = ctx;

	if (bad && !why->text[0])
		why_set(why, 0, "%s", text);
}

int ledger_export_cel(const struct fsio *io, const char *dir, struct buf *ret, struct why *ret_why)
{
	CLEANUP(ledger_replay_done) struct ledger_replay replay = {.n_extends = 0};
	CLEANUP(notes_done) struct notes notes = {.n = 0};
	CLEANUP(buf_done) struct buf anchors = {0};
	char origin[CHECKPOINT_MAX_ORIGIN];
	struct why bad = {""};
	uint64_t number = 0;
	int r = ledger_read_origin(io, dir, origin, ret_why);

	if (r >= 0)
		r = read_file(io, dir, "anchors", &anchors, ret_why);
	if (r == -ENOENT)
		return why_set(ret_why, r, "%s: there are no anchors", dir);
	if (r >= 0)
		r = read_notes(io, dir, &notes, ret_why);
	if (r >= 0)
		r = ledger_replay(anchors.data, anchors.size, origin, on_replay, NULL, &bad,
				  &replay);
	if (r >= 0 && bad.text[0])
		r = why_set(ret_why, -EBADMSG, "%s", bad.text);
	if (r < 0)
		return r;
	buf_puts(ret, "[");
	for (uint32_t i = 0; i < replay.n_extends && r >= 0; i++) {
		if (!replay.extends[i].done)
			continue;
		buf_puts(ret, number ? ",\n" : "\n");
		r = put_record(&notes, &replay.extends[i], origin, number++, ret);
	}
	buf_puts(ret, "\n]\n");
	return r < 0 ? r : buf_status(ret);
}
