/* SPDX-License-Identifier: Apache-2.0 */
/* Lies of the TPM's part: nonce, quote, registers' values, counts. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "forge.h"

/* Sent twice: good once. */
static void replayed(struct forge *f, struct forge_node *n, struct forge_told *t)
{
	struct evidence *e = calloc(1, sizeof(*e));
	char text[CHECKPOINT_MAX_TEXT];
	struct quote_binding b;
	struct buf body = {0};

	(void)f;
	forge_node_work(n);
	forge_node_extend(n);
	if (e && forge_node_nonce(n, t)) {
		forge_node_fill(n, e);
		forge_node_binding(n, e, &b, text);
		forge_node_quote(n, e, &b, FORGE_MASK);
		if (evidence_write(e, &body) == 0)
			forge_node_send(n, false, &body, t);
		if (strcmp(t->answer, "accepted") == 0)
			forge_node_send(n, false, &body, t);
	}
	if (e)
		evidence_done(e);
	free(e);
	buf_done(&body);
}

static void nonce_of_two(struct forge_at *at)
{
	struct forge_told t;

	if (forge_node_nonce(&at->f->two, &t))
		memcpy(at->e->nonce, at->f->two.nonce, WIRE_NONCE_SIZE);
}

static void nonce_of_nobody(struct forge_at *at)
{
	memset(at->e->nonce, 0, WIRE_NONCE_SIZE);
}

static void nonce_outlived(struct forge_at *at)
{
	struct forge_told t;

	forge_node_nonce(at->n, &t);
}

static void nonce_aged(struct forge_at *at)
{
	(void)at;
	usleep((WIRE_NONCE_LIFE_MS + 200) * 1000);
}

static void nonce_missing(struct forge_at *at)
{
	forge_replace(at->body, "\"nonce\":", "\"ecnon\":");
}

static void nonce_short(struct forge_at *at)
{
	forge_replace(at->body, "\"nonce\":\"", "\"nonce\":\"\",\"x\":\"");
}

/* The TPM signed it for another nonce. */
static void bound_nonce(struct forge_at *at)
{
	static const uint8_t old[WIRE_NONCE_SIZE] = {1};

	at->b->nonce.data = old;
}

static void bound_node(struct forge_at *at)
{
	at->b->node = at->f->two.m.id;
}

static void bound_incarnation(struct forge_at *at)
{
	at->b->incarnation++;
}

static void bound_checkpoint(struct forge_at *at)
{
	at->b->checkpoint = "another.example/node/0/1\n7\n"
			    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
}

static void bound_boot_log(struct forge_at *at)
{
	at->b->boot_log.bytes[0] ^= 1;
}

static void bound_ima(struct forge_at *at)
{
	at->b->ima_cursor++;
}

static void bound_baseline(struct forge_at *at)
{
	at->b->baseline_version++;
}

static void bound_order(struct forge_at *at)
{
	at->b->last_order++;
}

static void bound_client(struct forge_at *at)
{
	at->b->client_key = at->f->two.m.person.who.key_id;
}

static void quote_of_two(struct forge_at *at)
{
	struct forge_copy c;

	forge_node_copy(&at->f->two, &c);
	*fake_tpm_pcrs(at->f->two.m.tpm) = *fake_tpm_pcrs(at->n->m.tpm);
	forge_node_quote(&at->f->two, at->e, at->b, FORGE_MASK);
	forge_node_put_back(&at->f->two, &c);
}

static void signed_by_event_key(struct forge_at *at)
{
	struct tpm *t = fake_tpm_door(at->n->m.tpm);
	struct digest d;

	buf_clear(&at->e->sig);
	if (digest_sha256(at->e->attest.data, at->e->attest.size, &d) < 0 ||
	    t->ops->sign_event(t->ctx, &d, &at->e->sig) < 0)
		abort();
}

/* What the AK signed when it certified the event key, as if it were a quote. */
static void certify_for_quote(struct forge_at *at)
{
	buf_clear(&at->e->attest);
	buf_clear(&at->e->sig);
	buf_put(&at->e->attest, at->n->m.attest.data, at->n->m.attest.size);
	buf_put(&at->e->sig, at->n->m.sig.data, at->n->m.sig.size);
}

/* TPMS_ATTEST: magic 4, type 2, signer 2 + 34, extra data 2 + 32, clock 8, reset 4, restart 4, safe 1. */
static void attest_byte(struct forge_at *at, size_t where)
{
	at->e->attest.data[where] ^= 1;
}

static void magic(struct forge_at *at)
{
	attest_byte(at, 0);
}

static void clock_byte(struct forge_at *at)
{
	attest_byte(at, 83);
}

static void reset_byte(struct forge_at *at)
{
	attest_byte(at, 87);
}

static void safe_byte(struct forge_at *at)
{
	attest_byte(at, 92);
}

static void selection_byte(struct forge_at *at)
{
	attest_byte(at, at->e->attest.size - 36);
}

static void signature_long(struct forge_at *at)
{
	buf_put(&at->e->sig, "x", 1);
}

static void signature_other_scheme(struct forge_at *at)
{
	at->e->sig.data[1] ^= 1;
}

static void attest_cut(struct forge_at *at)
{
	buf_cut(&at->e->attest, 5);
}

static void value_of_7(struct forge_at *at)
{
	at->e->pcrs.values[7].bytes[0] ^= 1;
}

static void value_of_15(struct forge_at *at)
{
	at->e->pcrs.values[15].bytes[0] ^= 1;
}

static void one_more(struct forge_at *at)
{
	at->e->pcrs.mask |= 1u << 9;
}

static void register_16(struct forge_at *at)
{
	at->e->pcr_index = 16;
}

static void register_23(struct forge_at *at)
{
	at->e->pcr_index = 23;
}

static void register_14(struct forge_at *at)
{
	at->e->pcr_index = 14;
}

static void reset_lowered(struct forge_at *at)
{
	fake_tpm_clock(at->n->m.tpm)->reset_count--;
}

static void restart_lowered(struct forge_at *at)
{
	fake_tpm_clock(at->n->m.tpm)->restart_count--;
}

static void clock_lowered(struct forge_at *at)
{
	fake_tpm_clock(at->n->m.tpm)->clock_ms = 1;
}

static void cursor_raised(struct forge_at *at)
{
	at->e->ima_cursor += 3;
}

static void order_raised(struct forge_at *at)
{
	at->e->last_order++;
}

static void baseline_raised(struct forge_at *at)
{
	at->e->baseline_version++;
}

static void boot_log_named(struct forge_at *at)
{
	at->e->boot_log.bytes[5] = 9;
}

static void node_is_two(struct forge_at *at)
{
	memcpy(at->e->node, at->f->two.m.id, sizeof(at->e->node));
}

static void next_incarnation(struct forge_at *at)
{
	at->e->incarnation++;
}

static void no_quote(struct forge_at *at)
{
	forge_replace(at->body, "\"attest\":\"", "\"attest\":\"\",\"was\":\"");
}

#define OTHER "attest: is bound to other qualifying data"
#define NOT_AK "attest: signature is not the AK's"
#define OLDER "older than the last that was accepted, by its "

static const struct forge_lie lies[] = {
	{"evidence sent twice", "409", "nonce is not the one", .tell = replayed, .fresh = true},
	{"nonce of another node", "409", "nonce is not the one", .evidence = nonce_of_two},
	{"nonce that nobody gave", "409", "nonce is not the one", .evidence = nonce_of_nobody},
	{"nonce after which another was given", "409", "nonce is not the one",
	 .evidence = nonce_outlived},
	{"nonce kept for more than ten seconds", "409", "nonce is too old", .quoted = nonce_aged,
	 .slow = true},
	{"no nonce", "400", "\"nonce\"", .body = nonce_missing},
	{"nonce of no bytes", "400", "\"nonce\" has 0 bytes", .body = nonce_short},
	{"old quote under a new nonce", "refused", OTHER, .binding = bound_nonce},
	{"quote for another node", "refused", OTHER, .binding = bound_node},
	{"quote for another incarnation", "refused", OTHER, .binding = bound_incarnation},
	{"quote for another checkpoint", "refused", OTHER, .binding = bound_checkpoint},
	{"quote for another boot log", "refused", OTHER, .binding = bound_boot_log},
	{"quote for another place in IMA's list", "refused", OTHER, .binding = bound_ima},
	{"quote for another baseline", "refused", OTHER, .binding = bound_baseline},
	{"quote for another order", "refused", OTHER, .binding = bound_order},
	{"quote for another client key", "refused", OTHER, .binding = bound_client},
	{"IMA's cursor changed after the quote", "refused", OTHER, .quoted = cursor_raised},
	{"order number changed after the quote", "refused", OTHER, .quoted = order_raised},
	{"baseline changed after the quote", "refused", OTHER, .quoted = baseline_raised},
	{"boot log named after the quote", "refused", OTHER, .quoted = boot_log_named},
	{"quote by another TPM's AK", "refused", NOT_AK, .quoted = quote_of_two},
	{"quote signed by the event key", "refused", NOT_AK, .quoted = signed_by_event_key},
	{"certification for a quote", "refused", "attest: type 0x8017",
	 .quoted = certify_for_quote},
	{"attest that no TPM made", "refused", "attest: magic", .quoted = magic},
	{"clock changed in the attest", "refused", NOT_AK, .quoted = clock_byte},
	{"reset count changed in the attest", "refused", NOT_AK, .quoted = reset_byte},
	{"safe flag changed in the attest", "refused", NOT_AK, .quoted = safe_byte},
	{"selection changed in the attest", "refused", NOT_AK, .quoted = selection_byte},
	{"attest cut short", "refused", "attest: cut short", .quoted = attest_cut},
	{"byte after the signature", "refused", "TPM signature: 1 bytes too many",
	 .quoted = signature_long},
	{"signature of another scheme", "refused", "TPM signature",
	 .quoted = signature_other_scheme},
	{"no quote", "refused", "attest: cut short", .body = no_quote},
	{"quote without PCR 10", "refused", "PCRs 0x400 are missing",
	 .mask = FORGE_MASK & ~(1u << 10)},
	{"quote without PCR 0", "refused", "PCRs 0x1 are missing", .mask = FORGE_MASK & ~1u},
	{"quote without the register", "400", "\"pcrs\" lacks PCR 15", .mask = 0xffu | 1u << 10},
	{"value of PCR 7 changed", "refused", "PCR values are not those quoted",
	 .quoted = value_of_7},
	{"value of PCR 15 changed", "refused", "PCR values are not those quoted",
	 .quoted = value_of_15},
	{"value of a PCR that was not quoted", "refused", "quote: covers PCRs", .quoted = one_more},
	{"register 16, which root may reset", "refused", "runtime PCR is 15, not 16",
	 .evidence = register_16, .mask = FORGE_MASK | 1u << 16},
	{"register 23, which root may reset", "refused", "runtime PCR is 15, not 23",
	 .evidence = register_23, .mask = FORGE_MASK | 1u << 23},
	{"register 14", "refused", "runtime PCR is 15, not 14", .evidence = register_14,
	 .mask = FORGE_MASK | 1u << 14},
	{"reset count of an earlier boot", "send_again", OLDER "reset count",
	 .lines = reset_lowered},
	{"restart count of before", "send_again", OLDER "restart count", .lines = restart_lowered},
	{"clock of before", "send_again", OLDER "clock", .lines = clock_lowered},
	{"another node's evidence", "403", "it is another node's", .evidence = node_is_two},
	{"evidence of the next incarnation", "409", "incarnation 2, and the node has 1",
	 .evidence = next_incarnation},
};
FORGE_TABLE(lies_quote, "quote", lies);
