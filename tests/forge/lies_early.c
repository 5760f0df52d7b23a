/* SPDX-License-Identifier: Apache-2.0 */
/* Provisionals: what somebody can do who has stolen a node's client key, and no TPM. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "forge.h"

/* A thief signs nothing. */
static void unsigned_(struct forge_at *at)
{
	at->e->n_notes = 0;
}

static void false_root(struct forge_at *at)
{
	at->e->n_notes = 0;
	at->e->checkpoint.root.bytes[3] ^= 1;
}

static void false_root_from_0(struct forge_at *at)
{
	false_root(at);
	at->e->from = 0;
	at->e->n_lines = at->n->tree.size;
	at->e->lines = (struct buf_view){at->n->lines.data, at->n->lines.size};
}

static void signed_by_own(struct forge_at *at)
{
	struct sign_key *key = NULL;
	struct buf line = {0};

	false_root(at);
	if (sign_key_generate(SIGN_P256, &key) < 0 ||
	    checkpoint_sign(&at->e->checkpoint, CHECKPOINT_SIG_P256, at->n->origin, key, 0, &line) <
		    0)
		abort();
	snprintf(at->e->notes[at->e->n_notes++], sizeof(at->e->notes[0]), "%s", (char *)line.data);
	sign_key_free(key);
	buf_done(&line);
}

/* A true note, of a head that it was really of. */
static void old_note(struct forge_at *at)
{
	struct checkpoint c = at->e->checkpoint;

	false_root(at);
	forge_node_note(at->n, at->e, &c);
}

static void evil(struct forge_at *at)
{
	forge_node_exec(at->n, PLUMB_JUDGE_DRIFT, PLUMB_JUDGE_VERSION);
}

static void no_line(struct forge_at *at)
{
	const uint8_t *line = at->n->lines.data;
	struct merkle tree;
	struct digest leaf;

	merkle_init(&tree);
	while (tree.size < at->n->stored) {
		const uint8_t *lf = (const uint8_t *)strchr((const char *)line, '\n');

		if (merkle_leaf(line, (size_t)(lf - line), &leaf) < 0 ||
		    merkle_add(&tree, &leaf) < 0)
			abort();
		line = lf + 1;
	}
	if (merkle_root(&tree, &at->e->checkpoint.root) < 0)
		abort();
	at->e->n_notes = 0;
	at->e->from = at->e->checkpoint.size = at->n->stored;
	at->e->n_lines = 0;
	at->e->lines = (struct buf_view){at->n->lines.data, 0};
}

static void origin_of_two(struct forge_at *at)
{
	at->e->n_notes = 0;
	memcpy(at->e->checkpoint.origin, at->f->two.origin, sizeof(at->e->checkpoint.origin));
}

static void broken_line(struct forge_at *at)
{
	forge_node_raw(at->n, "{\"v\":1}", 7);
}

static void with_nonce(struct forge_at *at)
{
	forge_replace(at->body, "\"baseline\":", "\"nonce\":\"AA==\",\"baseline\":");
}

/* Each kind on the other's route. */
static void wrong_route(struct forge *f, struct forge_node *n, struct forge_told *t,
			bool provisional)
{
	struct evidence *e = calloc(1, sizeof(*e));
	char text[CHECKPOINT_MAX_TEXT];
	struct quote_binding b;
	struct buf body = {0};

	(void)f;
	if (!e)
		abort();
	e->provisional = provisional;
	forge_node_work(n);
	if (!provisional)
		forge_node_extend(n);
	if (forge_node_nonce(n, t)) {
		forge_node_fill(n, e);
		forge_node_binding(n, e, &b, text);
		if (!provisional)
			forge_node_quote(n, e, &b, FORGE_MASK);
		if (evidence_write(e, &body) < 0)
			abort();
		forge_node_send(n, !provisional, &body, t);
	}
	evidence_done(e);
	free(e);
	buf_done(&body);
}

static void evidence_as_drift(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	wrong_route(f, n, t, false);
}

static void drift_as_evidence(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	wrong_route(f, n, t, true);
}

/* Unsigned drift without end: cases have a bound, and the next true lines close them. */
static void flood(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	struct evidence *e = calloc(1, sizeof(*e));
	struct buf body = {0};
	struct forge_copy c;
	int sent = 0;

	(void)f;
	if (!e || !forge_node_nonce(n, t))
		abort();
	forge_node_copy(n, &c);
	for (int i = 0; i < 50; i++) {
		for (int k = 0; k < 20; k++)
			forge_node_exec(n, PLUMB_JUDGE_DRIFT, PLUMB_JUDGE_VERSION);
		e->provisional = true;
		forge_node_fill(n, e);
		buf_clear(&body);
		if (evidence_write(e, &body) < 0)
			abort();
		forge_node_send(n, true, &body, t);
		sent += strcmp(t->answer, "stored") == 0;
		evidence_done(e);
	}
	snprintf(t->reason, sizeof(t->reason), "%d of 50 stored", sent);
	forge_node_put_back(n, &c);
	free(e);
	buf_done(&body);
}

static const struct forge_lie lies[] = {
	{"a thief's false head", "refused", "the event key did not sign it", .provisional = true,
	 .quoted = false_root},
	{"a thief's false head, with all lines", "refused", "is not of the lines that came with it",
	 .provisional = true, .quoted = false_root_from_0},
	{"a false head signed by a key of the thief's own", "refused", "note", .provisional = true,
	 .quoted = signed_by_own},
	{"a false head with the note of a true one", "refused", "note", .provisional = true,
	 .quoted = old_note},
	{"a thief's drift", "stored", "", .provisional = true, .lines = evil, .quoted = unsigned_,
	 .opens = "exec:/tmp/evil"},
	{"a thief's drift a thousand times", "stored", "50 of 50 stored", .tell = flood,
	 .opens = "exec:/tmp/evil"},
	{"a thief's broken line", "refused", "line ", .provisional = true, .lines = broken_line,
	 .quoted = unsigned_},
	{"nothing new", "send_again", "nothing is new in it", .provisional = true,
	 .quoted = no_line},
	{"a provisional of another node's ledger", "refused", "checkpoint is of ",
	 .provisional = true, .quoted = origin_of_two},
	{"a provisional with a nonce", "400", "a provisional has \"nonce\"", .provisional = true,
	 .body = with_nonce},
	{"evidence on the route of drift", "400", "kind is not this route's",
	 .tell = evidence_as_drift},
	{"a provisional on the route of evidence", "400", "kind is not this route's",
	 .tell = drift_as_evidence},
};
FORGE_TABLE(lies_early, "provisional", lies);
