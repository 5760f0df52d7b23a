/* SPDX-License-Identifier: Apache-2.0 */
/* Lies about lines and checkpoints: of the whole ledger sent again, of new lines, of those that are stored. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "forge.h"

#define MAX_LINES 4096

struct lines {
	struct buf_view at[MAX_LINES]; /* each with its LF */
	uint32_t n;
};

static void split(const uint8_t *data, size_t size, struct lines *ret)
{
	const uint8_t *end = data + size;

	ret->n = 0;
	while (data < end && ret->n < MAX_LINES) {
		const uint8_t *lf = memchr(data, '\n', (size_t)(end - data));

		ret->at[ret->n++] = (struct buf_view){data, (size_t)(lf - data) + 1};
		data = lf + 1;
	}
}

static struct buf sent; /* the lines that go instead; lives until the next lie */

static void send_lines(struct forge_at *at, const struct lines *l)
{
	buf_clear(&sent);
	for (uint32_t i = 0; i < l->n; i++)
		buf_put(&sent, l->at[i].data, l->at[i].size);
	at->e->lines = (struct buf_view){sent.data, sent.size};
}

/* The whole ledger goes, as to a verifier that has nothing. */
static struct lines *all(struct forge_at *at)
{
	static struct lines l;

	at->e->from = 0;
	at->e->n_lines = at->n->tree.size;
	split(at->n->lines.data, at->n->lines.size, &l);
	return &l;
}

/* Only what is new. */
static struct lines *newer(struct forge_at *at)
{
	static struct lines l;

	split(at->e->lines.data, at->e->lines.size, &l);
	return &l;
}

static void drop(struct lines *l, uint32_t i)
{
	memmove(&l->at[i], &l->at[i + 1], (l->n - i - 1) * sizeof(l->at[0]));
	l->n--;
}

static void dropped(struct forge_at *at)
{
	struct lines *l = all(at);

	drop(l, 2);
	send_lines(at, l);
}

static void dropped_and_counted(struct forge_at *at)
{
	struct lines *l = all(at);

	drop(l, 2);
	send_lines(at, l);
	at->e->n_lines--;
}

static void dropped_and_filled(struct forge_at *at)
{
	struct lines *l = all(at);

	l->at[2] = l->at[1];
	send_lines(at, l);
}

static char changed_line[8192];

static void change(struct lines *l, uint32_t i)
{
	memcpy(changed_line, l->at[i].data, l->at[i].size);
	changed_line[l->at[i].size] = 0;
	/* A digit of the time. */
	changed_line[strcspn(changed_line, "2")] = '1';
	l->at[i].data = (uint8_t *)changed_line;
}

static void changed(struct forge_at *at)
{
	struct lines *l = all(at);

	change(l, 1);
	send_lines(at, l);
}

static void swapped(struct forge_at *at)
{
	struct lines *l = all(at);
	struct buf_view first = l->at[1];

	l->at[1] = l->at[2];
	l->at[2] = first;
	send_lines(at, l);
}

/* The same with those that the verifier does not have yet. */
static void new_filled(struct forge_at *at)
{
	struct lines *l = all(at);

	l->at[l->n - 1] = l->at[l->n - 2];
	send_lines(at, l);
}

static void new_changed(struct forge_at *at)
{
	struct lines *l = all(at);

	change(l, l->n - 1);
	send_lines(at, l);
}

static void new_swapped(struct forge_at *at)
{
	struct lines *l = all(at);
	struct buf_view last = l->at[l->n - 1];

	l->at[l->n - 1] = l->at[l->n - 2];
	l->at[l->n - 2] = last;
	send_lines(at, l);
}

static void inserted(struct forge_at *at)
{
	struct lines *l = all(at);

	memmove(&l->at[3], &l->at[2], (l->n - 2) * sizeof(l->at[0]));
	l->n++;
	send_lines(at, l);
}

static void cut_in_line(struct forge_at *at)
{
	struct lines *l = all(at);

	l->at[l->n - 1].size -= 5;
	send_lines(at, l);
}

static void cut_off(struct forge_at *at)
{
	struct lines *l = all(at);

	l->n--;
	send_lines(at, l);
}

static void long_line(struct forge_at *at)
{
	static char line[WIRE_MAX_LINE + 3];
	struct lines *l = all(at);

	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	l->at[2] = (struct buf_view){(uint8_t *)line, sizeof(line)};
	send_lines(at, l);
}

/* What follows is in the tree, extended and quoted: the node itself lies. */
static void raw(struct forge_at *at, const char *line)
{
	forge_node_raw(at->n, line, strlen(line));
}

/* The number of the new line goes into it. */
#define LINE_OF(at, format)                                                                   \
	do {                                                                                  \
		char line[1024];                                                              \
		snprintf(line, sizeof(line), format, (unsigned long long)(at)->n->tree.size); \
		raw(at, line);                                                                \
	} while (0)

#define HEAD "{\"v\":1,\"seq\":%llu,\"t\":\"2026-11-24T00:00:00.000000000Z\",\"bt\":1,"
#define BOOT "\"boot\":\"5eb63bbb-e01e-4ed0-93cb-22bb8f5acdc3\","

static void not_utf8(struct forge_at *at)
{
	LINE_OF(at, HEAD BOOT "\"src\":\"agent\",\"type\":\"start\",\"x\":\"\xff\xfe\"}");
}

static void wrong_number(struct forge_at *at)
{
	raw(at, "{\"v\":1,\"seq\":1,\"t\":\"2026-11-24T00:00:00.000000000Z\",\"bt\":1," BOOT
		"\"src\":\"agent\",\"type\":\"start\"}");
}

static void no_boot(struct forge_at *at)
{
	LINE_OF(at, HEAD "\"src\":\"agent\",\"type\":\"start\"}");
}

static void no_json(struct forge_at *at)
{
	raw(at, "all is well");
}

static void empty(struct forge_at *at)
{
	raw(at, "");
}

static void twice_a_key(struct forge_at *at)
{
	LINE_OF(at, HEAD BOOT "\"src\":\"agent\",\"type\":\"stop\",\"type\":\"start\"}");
}

static void fraction(struct forge_at *at)
{
	LINE_OF(at, HEAD BOOT "\"src\":\"agent\",\"type\":\"lost\",\"n\":1.5}");
}

static void nul_in_text(struct forge_at *at)
{
	LINE_OF(at, HEAD BOOT "\"src\":\"agent\",\"type\":\"start\",\"x\":\"a\\u0000b\"}");
}

static void next_version(struct forge_at *at)
{
	LINE_OF(at, "{\"v\":2,\"seq\":%llu,\"t\":\"2026-11-24T00:00:00.000000000Z\",\"bt\":1," BOOT
		    "\"src\":\"agent\",\"type\":\"start\"}");
}

static void no_time(struct forge_at *at)
{
	LINE_OF(at, "{\"v\":1,\"seq\":%llu,\"t\":\"yesterday\",\"bt\":1," BOOT
		    "\"src\":\"agent\",\"type\":\"start\"}");
}

static void huge_number(struct forge_at *at)
{
	LINE_OF(at, HEAD BOOT "\"src\":\"agent\",\"type\":\"lost\",\"n\":18446744073709551616}");
}

/* Checkpoints. */
static void origin_of_two(struct forge_at *at)
{
	memcpy(at->e->checkpoint.origin, at->f->two.origin, sizeof(at->e->checkpoint.origin));
}

static void origin_of_next(struct forge_at *at)
{
	char *c = at->e->checkpoint.origin;

	c[strlen(c) - 1]++;
}

static void root_changed(struct forge_at *at)
{
	at->e->checkpoint.root.bytes[0] ^= 1;
}

static void size_raised(struct forge_at *at)
{
	at->e->checkpoint.size++;
}

/* The header's own word, as text: 2^64. */
static void size_overflows(struct forge_at *at)
{
	char old[64], with[64];

	snprintf(old, sizeof(old), "\\u000a%llu\\u000a",
		 (unsigned long long)at->e->checkpoint.size);
	snprintf(with, sizeof(with), "\\u000a18446744073709551616\\u000a");
	forge_replace(at->body, old, with);
}

static void size_with_zero(struct forge_at *at)
{
	char old[64], with[64];

	snprintf(old, sizeof(old), "\\u000a%llu\\u000a",
		 (unsigned long long)at->e->checkpoint.size);
	snprintf(with, sizeof(with), "\\u000a0%llu\\u000a",
		 (unsigned long long)at->e->checkpoint.size);
	forge_replace(at->body, old, with);
}

static void four_lines(struct forge_at *at)
{
	forge_replace(at->body, "\"checkpoint\":\"", "\"checkpoint\":\"more\\u000a");
}

static void lines_missing(struct forge_at *at)
{
	struct lines *l = newer(at);

	at->e->from++;
	at->e->n_lines--;
	drop(l, 0);
	send_lines(at, l);
}

/* Those below are lines that the verifier has: with its own node each. */
static void cut_tree(struct forge_at *at, uint64_t size)
{
	static struct lines l;
	struct forge_node *n = at->n;
	struct buf old = n->lines;

	split(old.data, old.size, &l);
	n->lines = (struct buf){0};
	merkle_init(&n->tree);
	for (uint64_t i = 0; i < size; i++)
		forge_node_raw(n, l.at[i].data, l.at[i].size - 1);
	buf_done(&old);
}

static void rolled_back(struct forge_at *at)
{
	cut_tree(at, 2);
	forge_node_work(at->n);
}

static void rewritten(struct forge_at *at)
{
	uint64_t size = at->n->tree.size;

	cut_tree(at, 3);
	while (at->n->tree.size < size)
		forge_node_work(at->n);
}

static void rewritten_longer(struct forge_at *at)
{
	rewritten(at);
	forge_node_work(at->n);
	forge_node_work(at->n);
}

static void new_line_changed(struct forge_at *at)
{
	struct lines *l = newer(at);

	change(l, 0);
	send_lines(at, l);
}

static void new_lines_swapped(struct forge_at *at)
{
	struct lines *l = newer(at);
	struct buf_view first = l->at[0];

	l->at[0] = l->at[1];
	l->at[1] = first;
	send_lines(at, l);
}

static void one_more_line(struct forge_at *at)
{
	forge_node_work(at->n);
}

/* Notes. */
static void five_notes(struct forge_at *at)
{
	forge_replace(at->body, "\"notes\":[", "\"notes\":[\"a\",\"b\",\"c\",\"d\",");
}

static void note_no_text(struct forge_at *at)
{
	forge_replace(at->body, "\"notes\":[", "\"notes\":[7,");
}

/* The event key signed another head. */
static void note_of_other(struct forge_at *at)
{
	struct checkpoint c = at->e->checkpoint;

	at->e->n_notes = 0;
	c.size++;
	forge_node_note(at->n, at->e, &c);
}

/* Another key under our name: its id is another one, too. */
static void note_by_stranger(struct forge_at *at)
{
	struct sign_key *key = NULL;
	struct buf line = {0};

	at->e->n_notes = 0;
	if (sign_key_generate(SIGN_P256, &key) < 0 ||
	    checkpoint_sign(&at->e->checkpoint, CHECKPOINT_SIG_P256, at->n->origin, key, 0, &line) <
		    0)
		abort();
	snprintf(at->e->notes[at->e->n_notes++], sizeof(at->e->notes[0]), "%s", (char *)line.data);
	sign_key_free(key);
	buf_done(&line);
}

#define NOT_CONFIRMED "is not the one that was confirmed"
#define NOT_ITS "is not of the lines that came with it"
#define TWO "are of two histories"

/* Its answer was lost: the node asks for another nonce, and has nothing new. */
static void same_head(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	struct evidence *e = calloc(1, sizeof(*e));
	char text[CHECKPOINT_MAX_TEXT];
	struct quote_binding b;
	struct buf body = {0};

	(void)f;
	if (e && forge_node_evidence(n, t) && forge_node_nonce(n, t)) {
		forge_node_fill(n, e);
		forge_node_binding(n, e, &b, text);
		forge_node_quote(n, e, &b, FORGE_MASK);
		if (e->n_lines == 0 && e->anchors.size == 0 && evidence_write(e, &body) == 0)
			forge_node_send(n, false, &body, t);
	}
	buf_done(&body);
	evidence_done(e);
	free(e);
}

static void other_first(struct forge_at *at)
{
	struct forge_node *n = at->n;

	buf_clear(&n->lines);
	merkle_init(&n->tree);
	forge_node_record(
		n, "log",
		"\"predecessor\":{\"origin\":\"plumbline.local/node/a/1\",\"size\":7,\"root\":"
		"\"00000000000000000000000000000000000000000000000000000000000000ff\"},"
		"\"agent\":\"0.1.0\",\"jv\":1");
	forge_node_record(n, "start", "\"agent\":\"0.1.0\"");
	forge_node_record(n, "epoch", "\"base\":\"zero\"");
	forge_node_work(n);
}

static void from_zero(struct forge_at *at)
{
	at->e->from = 0;
	at->e->n_lines = at->n->tree.size;
	at->e->lines = (struct buf_view){at->n->lines.data, at->n->lines.size};
}

static const struct forge_lie lies[] = {
	{"a first line that names another history", "refused", "line 0 does not name",
	 .fresh = true, .lines = other_first, .evidence = from_zero},
	{"the very head that was confirmed, under another nonce", "accepted", "", .fresh = true,
	 .tell = same_head},
	{"a line dropped", "400", "lines, but the header says", .quoted = dropped},
	{"a line dropped, and the count lowered", "400",
	 "\"from\" + \"n\" is not the checkpoint's size", .quoted = dropped_and_counted},
	{"a line dropped, another told twice", "refused", NOT_CONFIRMED,
	 .quoted = dropped_and_filled},
	{"a line changed", "refused", NOT_CONFIRMED, .quoted = changed},
	{"two lines swapped", "refused", NOT_CONFIRMED, .quoted = swapped},
	{"a new line dropped, another told twice, in the whole ledger", "refused", NOT_ITS,
	 .quoted = new_filled},
	{"a new line changed, in the whole ledger", "refused", NOT_ITS, .quoted = new_changed},
	{"new lines swapped, in the whole ledger", "refused", NOT_ITS, .lines = one_more_line,
	 .quoted = new_swapped},
	{"a line inserted", "400", "lines, but the header says", .quoted = inserted},
	{"the last line cut short", "400", "is cut short", .quoted = cut_in_line},
	{"the last line cut off", "400", "lines, but the header says", .quoted = cut_off},
	{"a line of more than 65,535 bytes", "400", "line 2 has more than 65535 bytes",
	 .quoted = long_line},
	{"a new line that is not UTF-8", "refused", "line ", .lines = not_utf8},
	{"a new line with another one's number", "refused", "says that it is 1",
	 .lines = wrong_number},
	{"a new line without a boot id", "refused", "\"boot\" is missing", .lines = no_boot},
	{"a new line that is no JSON", "refused", "line ", .lines = no_json},
	{"an empty line", "refused", "line ", .lines = empty},
	{"a key twice in a line", "refused", "line ", .lines = twice_a_key},
	{"a fraction in a line", "refused", "line ", .lines = fraction},
	{"a NUL in a line's text", "refused", "line ", .lines = nul_in_text},
	{"a line of the next version", "refused", "line ", .lines = next_version},
	{"a line whose time is none", "refused", "line ", .lines = no_time},
	{"a number beyond 64 bits in a line", "refused", "line ", .lines = huge_number},
	{"checkpoint of another node's ledger", "refused", "checkpoint is of ",
	 .evidence = origin_of_two},
	{"checkpoint of another incarnation's ledger", "refused", "checkpoint is of ",
	 .evidence = origin_of_next},
	{"checkpoint with another root", "refused", "the last checkpoint extended is not the head",
	 .evidence = root_changed},
	{"checkpoint with another size", "400", "\"from\" + \"n\" is not the checkpoint's size",
	 .evidence = size_raised},
	{"checkpoint of 2^64 lines", "400", "checkpoint", .body = size_overflows},
	{"checkpoint's size with a zero before it", "400", "checkpoint", .body = size_with_zero},
	{"checkpoint of four lines", "400", "checkpoint", .body = four_lines},
	{"lines that come later than what is stored", "send_again", "are missing",
	 .lines = one_more_line, .quoted = lines_missing},
	{"ledger rolled back", "send_again", "are fewer than the", .lines = rolled_back,
	 .fresh = true},
	{"stored lines written anew", "forked", TWO, .lines = rewritten, .fresh = true},
	{"stored lines written anew, and more of them", "forked", TWO, .lines = rewritten_longer,
	 .fresh = true},
	{"a new line changed after the quote", "forked", TWO, .quoted = new_line_changed,
	 .fresh = true},
	{"new lines swapped after the quote", "forked", TWO, .lines = one_more_line,
	 .quoted = new_lines_swapped, .fresh = true},
	{"five notes", "400", "\"notes\"", .body = five_notes},
	{"a note that is a number", "400", "\"notes\"[0]", .body = note_no_text},
	{"event key's note of another head", "refused", "note", .quoted = note_of_other},
	{"a stranger's note under the node's name", "refused", "note", .quoted = note_by_stranger},
};
FORGE_TABLE(lies_ledger, "ledger", lies);
