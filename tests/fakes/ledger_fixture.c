/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger_fixture.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "ima_maker.h"
#include "jsonl.h"
#include "ledger_ima.h"
#include "ledger_zst.h"
#include "line.h"
#include "quote.h"

#define BOOT_ID "5eb63bbb-e01e-4ed0-93cb-22bb8f5acdc3"
#define START_NS 1795462800000000000ull
#define NEXT_BOOT_ID "7d793037-a076-4186-874b-0282b2f8143e"
#define PCRS (1u << 0 | 1u << 15)

static void must(int r, const char *what)
{
	if (r >= 0)
		return;
	fprintf(stderr, "ledger_fixture: %s: %s\n", what, strerror(-r));
	abort();
}

/* TPM2B_PUBLIC of a P-256 key that signs; restricted: as an AK, else as an event key. */
static void put_public(const struct sign_key *k, bool restricted, struct buf *ret)
{
	CLEANUP(buf_done) struct buf spki = {0}, area = {0};

	must(sign_key_spki(k, &spki), "public key");
	buf_put_u16be(&area, 0x0023); /* ECC */
	buf_put_u16be(&area, 0x000b); /* SHA-256 */
	buf_put_u32be(&area, 0x00040472u | (restricted ? 0x10000u : 0));
	buf_put_u16be(&area, 0); /* no policy */
	buf_put_u16be(&area, 0x0010); /* no symmetric */
	buf_put_u16be(&area, 0x0018); /* ECDSA */
	buf_put_u16be(&area, 0x000b);
	buf_put_u16be(&area, 0x0003); /* P-256 */
	buf_put_u16be(&area, 0x0010); /* no KDF */
	buf_put_u16be(&area, 32);
	buf_put(&area, spki.data + spki.size - 64, 32);
	buf_put_u16be(&area, 32);
	buf_put(&area, spki.data + spki.size - 32, 32);
	buf_put_u16be(ret, (uint16_t)area.size);
	buf_put(ret, area.data, area.size);
}

static void put_tpm2b(struct buf *b, const void *data, size_t size)
{
	buf_put_u16be(b, (uint16_t)size);
	buf_put(b, data, size);
}

/* The name of a TPM2B_PUBLIC: algorithm and digest of its area, as a TPM2B. */
static void put_name(struct buf *b, const struct buf *public)
{
	struct digest d;

	must(digest_sha256(public->data + 2, public->size - 2, &d), "name");
	buf_put_u16be(b, 2 + DIGEST_SIZE);
	buf_put_u16be(b, 0x000b);
	buf_put(b, d.bytes, DIGEST_SIZE);
}

static void begin_attest(const struct ledger_fixture *f, uint16_t type,
			 const struct digest *qualifying, struct buf *b)
{
	buf_put_u32be(b, 0xff544347);
	buf_put_u16be(b, type);
	put_name(b, &f->record.ak_public);
	put_tpm2b(b, qualifying->bytes, DIGEST_SIZE);
	buf_put_u64be(b, (f->now_ns - START_NS) / 1000000);
	buf_put_u32be(b, f->reset_count);
	buf_put_u32be(b, f->restart_count);
	buf_put_u8(b, 1);
	buf_put_u64be(b, 0x20191023);
}

/* TPMT_SIGNATURE by the AK. */
static void sign_attest(const struct ledger_fixture *f, const struct buf *attest, struct buf *ret)
{
	CLEANUP(buf_done) struct buf der = {0};
	uint8_t rs[64];

	must(sign_make(f->ak, attest->data, attest->size, &der), "signature");
	must(sign_p256_from_der(der.data, der.size, rs), "signature");
	buf_put_u16be(ret, 0x0018);
	buf_put_u16be(ret, 0x000b);
	put_tpm2b(ret, rs, 32);
	put_tpm2b(ret, rs + 32, 32);
}

static void make_record(struct ledger_fixture *f)
{
	struct record *r = &f->record;
	struct buf_view ak, event;
	struct digest d;

	put_public(f->ak, true, &r->ak_public);
	put_public(f->event, false, &r->event_public);
	buf_puts(&r->ek_public, "no EK in this example");
	must(digest_sha256(r->ek_public.data, r->ek_public.size, &d), "node");
	digest_hex(&d, r->node);
	r->incarnation = 1;
	r->pcr_index = 15;
	r->enrolled_ns = START_NS;
	snprintf(r->label, sizeof(r->label), "worker-7");
	snprintf(r->origin, sizeof(r->origin), "%s/node/%s/1", LEDGER_FIXTURE_ORIGIN_LOG, r->node);
	snprintf(r->witness_name, sizeof(r->witness_name), "%s/witness", LEDGER_FIXTURE_ORIGIN_LOG);
	must(sign_key_spki(f->witness, &r->witness_key), "witness key");
	must(sign_key_spki(f->order, &r->order_key), "order key");
	ak = (struct buf_view){r->ak_public.data, r->ak_public.size};
	event = (struct buf_view){r->event_public.data, r->event_public.size};
	must(record_certify_data(&ak, &event, &d), "certify");
	begin_attest(f, 0x8017, &d, &r->event_attest);
	put_name(&r->event_attest, &r->event_public);
	put_name(&r->event_attest, &r->event_public); /* in place of the qualified name */
	sign_attest(f, &r->event_attest, &r->event_sig);
}

static int put_line(struct ledger_fixture *f, struct line *l)
{
	CLEANUP(buf_done) struct buf b = {0};
	int r;

	f->now_ns += 1000000000;
	l->seq = ledger_next_seq(f->ledger);
	l->utc_ns = f->now_ns;
	l->boot_ns = f->now_ns - START_NS;
	l->boot = f->boot;
	r = line_write(l, &b);
	return r < 0 ? r : ledger_append(f->ledger, b.data, b.size);
}

int ledger_fixture_record(struct ledger_fixture *f, enum plumb_type type, const char *members)
{
	struct line l = {.type = type, .src = "agent", .body = members};

	return put_line(f, &l);
}

int ledger_fixture_exec(struct ledger_fixture *f, const char *path, bool drift)
{
	char key[256], found[80] = "sha256:";
	struct digest d;
	struct line l = {.type = PLUMB_TYPE_EXEC,
			 .src = "bpf",
			 .has_kernel = true,
			 .ksess = 0x0123456789abcdefull,
			 .kseq = ledger_next_seq(f->ledger),
			 .scope = "host",
			 .key = key,
			 .found = found,
			 .hash_src = "user",
			 .judgement = drift ? PLUMB_JUDGE_DRIFT : PLUMB_JUDGE_OK,
			 .expected = "absent",
			 .judge_version = 1,
			 .baseline_version = 1,
			 .has_actor = true,
			 .actor = {.known = true,
				   .pid = 4711,
				   .start_ns = 1000000,
				   .ppid = 1,
				   .comm = "sh",
				   .exe = "/usr/bin/dash",
				   .cgroup = "/"}};
	int r = digest_sha256(path, strlen(path), &d);

	if (r < 0)
		return r;
	snprintf(key, sizeof(key), "exec:%s", path);
	digest_hex(&d, found + strlen(found));
	return put_line(f, &l);
}

static int anchor_epoch(struct ledger_fixture *f)
{
	char hex[DIGEST_HEX_SIZE], members[256];
	struct ledger_anchor a = {.kind = LEDGER_ANCHOR_EPOCH,
				  .epoch = {.boot_id = {0x5e, 0xb6, 0x3b, 0xbb},
					    .reset_count = f->reset_count,
					    .restart_count = f->restart_count,
					    .pcr_index = 15,
					    .base = LEDGER_BASE_ZERO}};
	int r = ledger_anchor(f->ledger, &a);

	memset(&f->pcr, 0, sizeof(f->pcr));
	digest_hex(&f->pcr, hex);
	snprintf(members, sizeof(members),
		 "\"reset\":%u,\"restart\":%u,\"pcr_index\":15,\"pcr\":\"%s\",\"base\":\"zero\"",
		 f->reset_count, f->restart_count, hex);
	return r < 0 ? r : ledger_fixture_record(f, PLUMB_TYPE_EPOCH, members);
}

void ledger_fixture_open(struct ledger_fixture *f, const struct fsio *io, const char *dir,
			 uint64_t segment_size)
{
	CLEANUP(buf_done) struct buf text = {0};
	struct ledger_options o = {.io = io ? io : fsio_system(),
				   .dir = dir,
				   .segment_size = segment_size,
				   .create = true};
	char path[512];
	struct why why = {""};

	*f = (struct ledger_fixture){.io = o.io,
				     .reset_count = 7,
				     .restart_count = 2,
				     .now_ns = START_NS,
				     .boot = BOOT_ID};
	must(sign_key_generate(SIGN_P256, &f->ak), "key");
	must(sign_key_generate(SIGN_P256, &f->event), "key");
	must(sign_key_generate(SIGN_P256, &f->order), "key");
	must(sign_key_generate(SIGN_ED25519, &f->witness), "key");
	make_record(f);
	must(fsio_mkdir_all(fsio_system(), dir, 0700), dir);
	must(record_write(&f->record, &text), "record");
	snprintf(path, sizeof(path), "%s/record.json", dir);
	must(fsio_replace_file(fsio_system(), path, text.data, text.size, 0600), path);
	o.origin = f->record.origin;
	must(ledger_open(&o, &f->ledger, &f->found, &why), why.text);
	must(ledger_fixture_record(f, PLUMB_TYPE_LOG,
				   "\"predecessor\":null,\"agent\":\"0.1.0\",\"jv\":1"),
	     "log");
	must(anchor_epoch(f), "epoch");
}

void ledger_fixture_done(struct ledger_fixture *f)
{
	ledger_free(f->ledger);
	sign_key_free(f->ak);
	sign_key_free(f->event);
	sign_key_free(f->witness);
	sign_key_free(f->order);
	record_done(&f->record);
}

int ledger_fixture_commit(struct ledger_fixture *f)
{
	struct ledger_anchor a = {.kind = LEDGER_ANCHOR_EXTEND};
	struct checkpoint c;
	struct digest d;
	int r = ledger_sync(f->ledger);

	if (r >= 0)
		r = ledger_head(f->ledger, &c);
	if (r < 0)
		return r;
	a.extend.size = c.size;
	a.extend.root = c.root;
	r = ledger_anchor(f->ledger, &a);
	if (r >= 0)
		r = checkpoint_digest(&c, &d);
	if (r >= 0)
		r = checkpoint_fold(&f->pcr, &d);
	if (r < 0)
		return r;
	a = (struct ledger_anchor){.kind = LEDGER_ANCHOR_DONE, .done.pcr = f->pcr};
	return ledger_anchor(f->ledger, &a);
}

int ledger_fixture_notes(struct ledger_fixture *f)
{
	CLEANUP(buf_done) struct buf event = {0}, witness = {0};
	struct checkpoint c;
	int r = ledger_head(f->ledger, &c);

	if (r >= 0)
		r = checkpoint_sign(&c, CHECKPOINT_SIG_P256, f->record.origin, f->event, 0, &event);
	if (r >= 0)
		r = checkpoint_sign(&c, CHECKPOINT_SIG_COSIGN, f->record.witness_name, f->witness,
				    f->now_ns / 1000000000, &witness);
	if (r >= 0)
		r = ledger_note(f->ledger, c.size, &c.root, (char *)event.data, event.size);
	if (r >= 0)
		r = ledger_note(f->ledger, c.size, &c.root, (char *)witness.data, witness.size);
	return r;
}

static void attest_quote(const struct ledger_fixture *f, const struct digest *qualifying,
			 const struct quote_pcrs *pcrs, struct buf *ret)
{
	struct buf_view parts[QUOTE_N_PCRS];
	struct digest d;
	size_t n = 0;

	for (uint32_t i = 0; i < QUOTE_N_PCRS; i++)
		if (pcrs->mask & 1u << i)
			parts[n++] = (struct buf_view){pcrs->values[i].bytes, DIGEST_SIZE};

	begin_attest(f, 0x8018, qualifying, ret);
	buf_put_u32be(ret, 1);
	buf_put_u16be(ret, 0x000b);
	buf_put_u8(ret, 3);
	buf_put_u8(ret, pcrs->mask & 0xff);
	buf_put_u8(ret, pcrs->mask >> 8 & 0xff);
	buf_put_u8(ret, (uint8_t)(pcrs->mask >> 16));
	must(digest_sha256_parts(parts, n, &d), "PCR digest");
	put_tpm2b(ret, d.bytes, DIGEST_SIZE);
}

/* The fields of quote_qualifying_data(), made here once more. */
static void qualify(const struct ledger_fixture *f, const char *nonce, const char *checkpoint,
		    struct digest *ret)
{
	CLEANUP(buf_done) struct buf b = {0}, n = {0};
	const uint64_t numbers[] = {f->ima_cursor, 1, 0}; /* IMA cursor, baseline, order */
	static const struct digest zero;

	buf_puts(&b, "plumb-quote-v1");
	buf_put_sized(&b, nonce, 32);
	buf_put_sized(&b, f->record.node, strlen(f->record.node));
	buf_put_u64be(&n, f->record.incarnation);
	buf_put_sized(&b, n.data, n.size);
	buf_put_sized(&b, checkpoint, strlen(checkpoint));
	buf_put_sized(&b, f->boot_log.bytes, DIGEST_SIZE);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		buf_clear(&n);
		buf_put_u64be(&n, numbers[i]);
		buf_put_sized(&b, n.data, n.size);
	}
	buf_put_sized(&b, zero.bytes, DIGEST_SIZE);
	must(digest_sha256(b.data, b.size, ret), "qualifying data");
}

int ledger_fixture_attest(struct ledger_fixture *f, const struct checkpoint *c)
{
	CLEANUP(buf_done) struct buf attest = {0}, sig = {0}, body = {0};
	static const char nonce[] = "a nonce of 32 bytes, used once..";
	static const struct digest zero;
	struct quote_pcrs pcrs = f->firmware;
	struct jsonl j = {.buf = &body};
	char text[CHECKPOINT_MAX_TEXT], name[16];
	struct digest qualifying;
	size_t size;
	int r = checkpoint_text(c, text, &size);

	if (r < 0)
		return r;
	pcrs.mask |= PCRS;
	pcrs.values[15] = f->pcr;
	if (f->pcr10) {
		pcrs.mask |= 1u << 10;
		pcrs.values[10] = *f->pcr10;
	}
	qualify(f, nonce, text, &qualifying);
	attest_quote(f, &qualifying, &pcrs, &attest);
	sign_attest(f, &attest, &sig);
	jsonl_base64(&j, "nonce", nonce, 32);
	jsonl_str(&j, "checkpoint", text);
	jsonl_uint(&j, "size", c->size);
	jsonl_base64(&j, "attest", attest.data, attest.size);
	jsonl_base64(&j, "sig", sig.data, sig.size);
	jsonl_uint(&j, "pcr_index", 15);
	jsonl_object(&j, "pcrs");
	for (uint32_t i = 0; i < QUOTE_N_PCRS; i++) {
		snprintf(name, sizeof(name), "%u", i);
		if (pcrs.mask & 1u << i)
			jsonl_hex(&j, name, pcrs.values[i].bytes, DIGEST_SIZE);
	}
	jsonl_close(&j);
	jsonl_hex(&j, "boot_log", f->boot_log.bytes, DIGEST_SIZE);
	jsonl_uint(&j, "ima_cursor", f->ima_cursor);
	jsonl_uint(&j, "baseline", 1);
	jsonl_uint(&j, "order", 0);
	jsonl_hex(&j, "client_key", zero.bytes, DIGEST_SIZE);
	r = buf_status(&body);
	if (r >= 0)
		r = ledger_fixture_record(f, PLUMB_TYPE_QUOTE, (char *)body.data);
	return r < 0 ? r : ledger_sync(f->ledger);
}

int ledger_fixture_quote(struct ledger_fixture *f)
{
	struct checkpoint c;
	int r = ledger_fixture_commit(f);

	if (r >= 0)
		r = ledger_head(f->ledger, &c);
	return r < 0 ? r : ledger_fixture_attest(f, &c);
}

int ledger_fixture_reboot(struct ledger_fixture *f)
{
	int r;

	f->reset_count++;
	f->restart_count = 0;
	r = anchor_epoch(f);
	if (r >= 0)
		r = ledger_fixture_record(f, PLUMB_TYPE_GAP, "\"after\":0,\"stopped\":false");
	return r < 0 ? r : ledger_fixture_commit(f);
}

int ledger_fixture_prune(struct ledger_fixture *f, const char *dir, uint64_t safe)
{
	CLEANUP(buf_done) struct buf body = {0};
	const struct ledger_prune_limits limits = {.safe = safe, .keep_size = 1};
	struct ledger_prune_claim c;
	struct why why;
	int r = ledger_prune_plan(f->io, dir, &limits, &c, &why);

	if (r <= 0)
		return r;
	r = ledger_prune_write(&c, &body);
	if (r >= 0)
		r = ledger_fixture_record(f, PLUMB_TYPE_PRUNED, (char *)body.data);
	if (r >= 0)
		r = ledger_sync(f->ledger);
	return r < 0 ? r : ledger_drop(f->ledger, c.first);
}

static void tell_story(struct ledger_fixture *f)
{
	static const char *const programs[] = {"/usr/bin/true", "/usr/sbin/sshd", "/usr/bin/dpkg"};

	must(ledger_fixture_record(f, PLUMB_TYPE_START, "\"agent\":\"0.1.0\""), "start");
	for (int boot = 0; boot < 2; boot++) {
		if (boot)
			must(ledger_fixture_reboot(f), "reboot");
		for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
			must(ledger_fixture_exec(f, programs[i], false), "exec");
		must(ledger_fixture_commit(f), "commit");
		must(ledger_fixture_exec(f, boot ? "/tmp/x" : "/usr/bin/id", boot), "exec");
		must(ledger_fixture_commit(f), "commit");
		must(ledger_fixture_notes(f), "notes");
		must(ledger_fixture_quote(f), "quote");
	}
}

void ledger_fixture_story(const char *dir)
{
	struct ledger_fixture f;

	ledger_fixture_open(&f, NULL, dir, 2200);
	tell_story(&f);
	ledger_fixture_done(&f);
}

static void keep_list(struct ledger_fixture *f, const char *dir, const struct ima_maker *ima,
		      struct ledger_ima_seal *s)
{
	char path[PATH_MAX], folder[PATH_MAX];
	uint8_t id[16];
	char hex[33];
	size_t n = 0;

	for (const char *at = f->boot; *at; at++)
		if (*at != '-')
			hex[n++] = *at;
	must(digest_bytes_from_hex(hex, n, id, sizeof(id)), "boot id");
	must(ledger_ima_name(ledger_next_seq(f->ledger), id, s->list), "list");
	must(ledger_ima_path(dir, "", folder), "list");
	must(fsio_mkdir_all(f->io, folder, 0700), folder);
	must(ledger_ima_path(dir, s->list, path), "list");
	must(fsio_replace_file(f->io, path, ima->list.data, ima->list.size, 0600), path);
	s->entries = ima->n;
	s->bytes = ima->list.size;
	must(digest_sha256(ima->list.data, ima->list.size, &s->sha256), "list");
}

void ledger_fixture_list(struct ledger_fixture *f, const char *dir, const struct ima_maker *ima,
			 char list[LEDGER_IMA_NAME_SIZE])
{
	CLEANUP(buf_done) struct buf members = {0};
	struct ledger_ima_seal s = {.full = false};

	keep_list(f, dir, ima, &s);
	must(ledger_fixture_quote(f), "quote");
	must(ledger_ima_seal_write(&s, &members), "seal");
	must(ledger_fixture_record(f, PLUMB_TYPE_IMA, (char *)members.data), "ima");
	must(ledger_fixture_commit(f), "commit");
	memcpy(list, s.list, sizeof(s.list));
}

static void pack_list(const struct ledger_fixture *f, const char *dir, const char *list)
{
	char path[PATH_MAX], folder[PATH_MAX];
	struct ledger_zst_job *j = NULL;

	must(ledger_ima_path(dir, "", folder), "list");
	must(ledger_ima_path(dir, list, path), "list");
	must(ledger_zst_begin(f->io, folder, path, &j), path);
	must(ledger_zst_step(j, SIZE_MAX), path);
	ledger_zst_free(j);
}

void ledger_fixture_ima(const char *dir)
{
	struct ima_maker *ima = calloc(1, sizeof(*ima));
	struct quote_pcrs firmware = {.mask = 0x3ff};
	struct ledger_fixture f;

	must(ima ? 0 : -1, "memory");
	ledger_fixture_open(&f, NULL, dir, 0);
	for (int boot = 0; boot < 2; boot++) {
		char list[LEDGER_IMA_NAME_SIZE];

		f.boot = boot ? NEXT_BOOT_ID : BOOT_ID;
		if (boot)
			must(ledger_fixture_reboot(&f), "reboot");
		must(ledger_fixture_record(&f, PLUMB_TYPE_START, "\"agent\":\"0.1.0\""), "start");
		ima_maker_open(ima);
		ima_maker_aggregate(ima, &firmware);
		ima_maker_file(ima, "/usr/bin/true", 1, NULL);
		ima_maker_violation(ima, "/var/log/journal");
		ima_maker_file(ima, "/usr/sbin/sshd", (uint8_t)(2 + boot), NULL);
		/* One more is in the list, and not in the register yet. */
		f.pcr10 = &ima->pcr[4];
		f.ima_cursor = 4;
		ima_maker_file(ima, "/usr/bin/id", 3, NULL);
		ledger_fixture_list(&f, dir, ima, list);
		if (boot == 0)
			pack_list(&f, dir, list);
		ima_maker_done(ima);
	}
	must(ledger_fixture_notes(&f), "notes");
	ledger_fixture_done(&f);
	free(ima);
}

void ledger_fixture_pruned(const char *dir)
{
	struct ledger_fixture f;
	struct checkpoint head;

	ledger_fixture_open(&f, NULL, dir, 2200);
	tell_story(&f);
	for (int i = 0; i < 2; i++) {
		must(ledger_head(f.ledger, &head), "head");
		must(ledger_fixture_prune(&f, dir, i ? head.size : 10), "prune");
		for (int k = 0; k < 4; k++)
			must(ledger_fixture_exec(&f, "/usr/bin/id", false), "exec");
		must(ledger_fixture_quote(&f), "quote");
		must(ledger_fixture_notes(&f), "notes");
	}
	ledger_fixture_done(&f);
}
