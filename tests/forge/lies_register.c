/* SPDX-License-Identifier: Apache-2.0 */
/* Lies about what was extended into the register, and when. */
#include <stdlib.h>
#include <string.h>

#include "forge.h"
#include "ledger_dir.h"

#define MAX_RECORDS 64

/* Records since the last accepted quote. */
struct records {
	struct buf_view at[MAX_RECORDS];
	uint32_t n;
};

static struct records split(const struct buf *b)
{
	struct records r = {.n = 0};
	size_t at = 0;

	while (at + 4 <= b->size && r.n < MAX_RECORDS) {
		const uint8_t *p = b->data + at;
		size_t size =
			4 + ((size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3]);

		r.at[r.n++] = (struct buf_view){p, size};
		at += size;
	}
	return r;
}

/* The records in another order; an index of -1 leaves one out. */
static void arrange(struct forge_at *at, const int *order, uint32_t n)
{
	struct records r = split(&at->e->anchors);
	struct buf b = {0};

	for (uint32_t i = 0; i < n; i++)
		if (order[i] >= 0 && (uint32_t)order[i] < r.n)
			buf_put(&b, r.at[order[i]].data, r.at[order[i]].size);
	buf_done(&at->e->anchors);
	at->e->anchors = b;
}

#define ARRANGE(at, ...) \
	arrange(at, (const int[]){__VA_ARGS__}, sizeof((int[]){__VA_ARGS__}) / sizeof(int))

/* Three batches: records 0 to 5. */
static void three(struct forge_at *at)
{
	for (int i = 0; i < 2; i++) {
		forge_node_work(at->n);
		forge_node_extend(at->n);
		forge_node_work(at->n);
	}
}

static void pair_dropped(struct forge_at *at)
{
	ARRANGE(at, 0, 1, 4, 5);
}

static void done_dropped(struct forge_at *at)
{
	ARRANGE(at, 0, 1, 2, 4, 5);
}

static void last_done_dropped(struct forge_at *at)
{
	ARRANGE(at, 0, 1, 2, 3, 4);
}

static void extend_dropped(struct forge_at *at)
{
	ARRANGE(at, 0, 1, 3, 4, 5);
}

static void pairs_swapped(struct forge_at *at)
{
	ARRANGE(at, 2, 3, 0, 1, 4, 5);
}

static void pair_twice(struct forge_at *at)
{
	ARRANGE(at, 0, 1, 2, 3, 2, 3, 4, 5);
}

static void done_first(struct forge_at *at)
{
	ARRANGE(at, 1, 0, 2, 3, 4, 5);
}

static void all_dropped(struct forge_at *at)
{
	buf_clear(&at->e->anchors);
}

static void torn(struct forge_at *at)
{
	buf_cut(&at->e->anchors, at->e->anchors.size - 3);
}

static void check_bytes(struct forge_at *at)
{
	at->e->anchors.data[10] ^= 1;
}

static void put(struct buf *b, const struct ledger_anchor *a)
{
	if (ledger_dir_anchor_write(a, b) < 0)
		abort();
}

/* Its first record said anew, with a check that fits. */
static void extend_changed(struct forge_at *at)
{
	struct records r = split(&at->e->anchors);
	struct buf_reader in = buf_reader_of(r.at[0].data, r.at[0].size);
	struct ledger_anchor a;
	struct buf b = {0};

	if (ledger_dir_anchor_read(&in, &a, NULL) != 1)
		abort();
	a.extend.root.bytes[0] ^= 1;
	put(&b, &a);
	for (uint32_t i = 1; i < r.n; i++)
		buf_put(&b, r.at[i].data, r.at[i].size);
	buf_done(&at->e->anchors);
	at->e->anchors = b;
}

static void unknown_kind(struct forge_at *at)
{
	struct buf b = {0};
	struct digest d;
	const uint8_t body[] = {0, 9, 'x'};

	if (digest_sha256(body, sizeof(body), &d) < 0)
		abort();
	buf_put_u32be(&b, sizeof(body) + 4);
	buf_put(&b, body, sizeof(body));
	buf_put(&b, d.bytes, 4);
	buf_put(&at->e->anchors, b.data, b.size);
	buf_done(&b);
}

static void junk(struct forge_at *at)
{
	const struct digest d = {{0xee}};
	struct tpm *t = fake_tpm_door(at->n->m.tpm);

	if (t->ops->pcr_extend(t->ctx, FORGE_PCR, &d) < 0)
		abort();
}

/* Somebody else extends, and it says so before it goes on. */
static void junk_told(struct forge_at *at)
{
	junk(at);
	forge_node_anchor_foreign(at->n);
}

static void junk_last(struct forge_at *at)
{
	struct ledger_anchor a = {.kind = LEDGER_ANCHOR_FOREIGN};

	a.foreign.found = fake_tpm_pcrs(at->n->m.tpm)->values[FORGE_PCR];
	put(&at->e->anchors, &a);
}

/* The register was not empty, and the TPM's counts say that nothing emptied it. */
static void epoch_of_zero(struct forge_at *at)
{
	struct ledger_anchor a = {.kind = LEDGER_ANCHOR_EPOCH};
	struct buf b = {0};

	a.epoch.reset_count = 7;
	a.epoch.pcr_index = FORGE_PCR;
	a.epoch.base = LEDGER_BASE_ZERO;
	put(&b, &a);
	buf_put(&b, at->e->anchors.data, at->e->anchors.size);
	buf_done(&at->e->anchors);
	at->e->anchors = b;
	memset(at->e->pcrs.values[FORGE_PCR].bytes, 0, DIGEST_SIZE);
}

/* Emptied, as no TPM lets anybody, and filled again with the newest head alone. */
static void emptied(struct forge_at *at)
{
	struct ledger_anchor a = {.kind = LEDGER_ANCHOR_EPOCH};

	memset(fake_tpm_pcrs(at->n->m.tpm)->values[FORGE_PCR].bytes, 0, DIGEST_SIZE);
	a.epoch.reset_count = 7;
	a.epoch.restart_count = 1;
	a.epoch.pcr_index = FORGE_PCR;
	a.epoch.base = LEDGER_BASE_ZERO;
	put(&at->n->anchors, &a);
}

static void epoch_of_16(struct forge_at *at)
{
	struct ledger_anchor a = {.kind = LEDGER_ANCHOR_EPOCH};

	a.epoch.pcr_index = 16;
	a.epoch.base = LEDGER_BASE_CONTINUES;
	put(&at->n->anchors, &a);
}

/* A head that the ledger never had goes into the register before the true one. */
static void forged_head(struct forge_at *at)
{
	struct forge_node *n = at->n;
	struct merkle tree = n->tree;
	size_t size = n->lines.size;

	forge_node_record(n, "start", "\"forged\":true");
	forge_node_extend(n);
	n->tree = tree;
	buf_cut(&n->lines, size);
	forge_node_work(n);
}

static void too_many(struct forge_at *at)
{
	const size_t size = WIRE_MAX_ANCHORS / 3 * 4 + 400;
	struct buf b = {0};
	char *text = malloc(size + 1);

	if (!text)
		abort();
	memset(text, 'A', size);
	text[size] = 0;
	buf_puts(&b, "\"anchors\":\"");
	buf_puts(&b, text);
	buf_puts(&b, "\",\"was\":\"");
	forge_replace(at->body, "\"anchors\":\"", (char *)b.data);
	buf_done(&b);
	free(text);
}

#define NO_REPLAY "do not replay to the quoted value of PCR 15"

static const struct forge_lie lies[] = {
	{"a head and its record dropped", "refused", NO_REPLAY, .lines = three,
	 .quoted = pair_dropped},
	{"a done record dropped", "refused", NO_REPLAY, .lines = three, .quoted = done_dropped},
	{"the last done record dropped", "refused", NO_REPLAY, .lines = three,
	 .quoted = last_done_dropped},
	{"an extend record dropped", "refused", "a done record without an extend", .lines = three,
	 .quoted = extend_dropped},
	{"records in another order", "refused", NO_REPLAY, .lines = three, .quoted = pairs_swapped},
	{"a head told twice", "refused", NO_REPLAY, .lines = three, .quoted = pair_twice},
	{"done before its extend", "refused", "a done record without an extend", .lines = three,
	 .quoted = done_first},
	{"an extend record changed", "refused", NO_REPLAY, .lines = three,
	 .quoted = extend_changed},
	{"no records", "refused", NO_REPLAY, .quoted = all_dropped},
	{"records cut short", "refused", "anchors", .quoted = torn},
	{"a byte of a record turned", "refused", "anchors", .quoted = check_bytes},
	{"a record of a kind that there is not", "refused", "anchors", .quoted = unknown_kind},
	{"who else extended is hidden", "refused", NO_REPLAY, .lines = junk},
	{"who else extended is told", "accepted", "", .lines = junk_told,
	 .opens = "finding:foreign"},
	{"nothing of its own after who else extended", "refused",
	 "nothing was extended after what is foreign", .quoted = junk_last},
	{"register said to be empty at the start", "refused", "PCR values are not those quoted",
	 .quoted = epoch_of_zero},
	{"register emptied in the same boot", "refused", NO_REPLAY, .lines = emptied},
	{"an epoch of register 16", "refused", "an epoch of PCR 16, not of 15",
	 .lines = epoch_of_16},
	{"head that was not extended", "refused", "the last checkpoint extended is not the head",
	 .unextended = true},
	{"a head extended that is not of this ledger", "refused",
	 "was extended and is not of the ledger", .lines = forged_head},
	{"more records than there may be", "400", "\"anchors\"", .body = too_many},
};
FORGE_TABLE(lies_register, "register", lies);
