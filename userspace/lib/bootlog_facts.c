/* SPDX-License-Identifier: Apache-2.0 */
#include "bootlog_facts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bootlog_text.h"
#include "cleanup.h"
#include "digest.h"

#define MAX_APPS 32u
#define MAX_FILES 512u
#define MAX_LINES 16u /* command lines, and what GRUB was told to load */
#define MAX_MOK 16u
#define MAX_TAGS 8u
#define GUID_SIZE 16u
#define TAG_INITRD 0x8f3b22ecu /* of Linux' EFI stub */
#define TAG_OPTIONS 0x8f3b22edu

/* Something whose digest counts, and what the log calls it. */
struct named {
	const uint8_t *digest;
	struct buf_view name;
};

struct lines {
	struct buf_view at[MAX_LINES];
	uint32_t n;
};

/* What the kernel's stub measured of one kind: one as a rule, and the later ones may be somebody else's. */
struct tags {
	const uint8_t *at[MAX_TAGS];
	uint32_t n;
};

struct bootlog_facts {
	bool separated; /* PCR 4 */
	bool too_many;
	struct buf_view version;
	bool has_version;
	struct named apps[MAX_APPS], files[MAX_FILES], mok[MAX_MOK];
	uint32_t n_apps, n_files, n_mok;
	struct buf all_files; /* what was measured into PCR 9, in order */
	struct tags options, stub_initrds; /* as the kernel's stub measured them */
	struct lines cmdlines, linuxes, initrds;
	struct lines wides; /* command lines in UTF-16 */
};

typedef int (*put_fn)(void *ctx, const char *key, const char *value);

/* What did not fit may be what counts. */
static const char too_many[] = "unknown there are more events than are told";

int bootlog_facts_open(struct bootlog_facts **ret)
{
	struct bootlog_facts *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	*ret = f;
	return 0;
}

struct bootlog_facts *bootlog_facts_free(struct bootlog_facts *f)
{
	if (f)
		buf_done(&f->all_files);
	free(f);
	return NULL;
}

static void add(struct bootlog_facts *f, struct named *list, uint32_t *n, uint32_t max,
		const struct bootlog_event *e, uint32_t bank)
{
	struct buf_view name = e->data;

	if (*n == max) {
		f->too_many = true;
		return;
	}
	if (name.size > 0 && name.data[name.size - 1] == 0)
		name.size--;
	list[(*n)++] = (struct named){e->digests[bank], name};
}

static bool same(const struct buf_view *a, const struct buf_view *b)
{
	return a->size == b->size && memcmp(a->data, b->data, a->size) == 0;
}

/* One that is said again goes to the end, for the last counts; and takes no room, which somebody could fill. */
static void add_line(struct bootlog_facts *f, struct lines *l, const uint8_t *p, size_t size)
{
	const struct buf_view line = {p, size};
	uint32_t i = 0;

	while (i < l->n && !same(&l->at[i], &line))
		i++;
	if (i < l->n)
		memmove(&l->at[i], &l->at[i + 1], (--l->n - i) * sizeof(l->at[0]));
	if (l->n == MAX_LINES)
		f->too_many = true;
	else
		l->at[l->n++] = line;
}

/* The words after a command of GRUB; false: it is another one. */
static bool is_command(const struct buf_view *text, const char *const *names, struct buf_view *ret)
{
	for (; *names; names++) {
		size_t n = strlen(*names);

		if (text->size <= n || memcmp(text->data, *names, n) != 0 || text->data[n] != ' ')
			continue;
		*ret = (struct buf_view){text->data + n + 1, text->size - n - 1};
		return true;
	}
	return false;
}

/* What the log calls a command may be the command line, and the other way round: by the words as well. */
static void take_text(struct bootlog_facts *f, const struct bootlog_event *e,
		      const struct bootlog_covered *c)
{
	static const char *const linuxes[] = {"linux", "linuxefi", "linux16", NULL};
	static const char *const initrds[] = {"initrd", "initrdefi", "initrd16", NULL};
	struct buf_view rest;

	if (c->cover != BOOTLOG_COVERED)
		return;
	if (c->prefix == 0 && c->bytes.size >= 2 && c->bytes.data[1] == 0) {
		add_line(f, &f->wides, c->bytes.data, c->bytes.size);
		return;
	}
	/* kernel_cmdline and grub_kernel_cmdline; there may be no byte of data where there is no prefix. */
	if (c->prefix && (e->data.data[0] == 'k' || e->data.data[5] == 'k'))
		add_line(f, &f->cmdlines, c->bytes.data, c->bytes.size);
	if (is_command(&c->bytes, linuxes, &rest))
		add_line(f, &f->linuxes, rest.data, rest.size);
	if (is_command(&c->bytes, initrds, &rest))
		add_line(f, &f->initrds, rest.data, rest.size);
}

static void add_tag(struct bootlog_facts *f, struct tags *t, const uint8_t *digest)
{
	for (uint32_t i = 0; i < t->n; i++)
		if (memcmp(t->at[i], digest, DIGEST_SIZE) == 0)
			return;
	if (t->n == MAX_TAGS)
		f->too_many = true;
	else
		t->at[t->n++] = digest;
}

static void take_tag(struct bootlog_facts *f, const struct bootlog_event *e, uint32_t bank)
{
	struct buf_reader r = buf_reader_of(e->data.data, e->data.size);
	uint32_t tag;

	if (buf_read_u32le(&r, &tag) < 0)
		return;
	if (tag == TAG_OPTIONS)
		add_tag(f, &f->options, e->digests[bank]);
	else if (tag == TAG_INITRD)
		add_tag(f, &f->stub_initrds, e->digests[bank]);
}

/*
 * Of PCR 9 nothing but the digests is proven: whoever swapped the initrd may call it something else, and extend the register once more with what
 * is expected, under the right name. So all of it is told, in order. GRUB's environment changes with each boot that counts itself: its place is
 * kept and its digest is not; one event more under that name is another order.
 */
static void take_file(struct bootlog_facts *f, const struct bootlog_event *e, uint32_t bank)
{
	static const char environment[] = "/grubenv";
	static const uint8_t zeros[DIGEST_SIZE];
	struct buf_view name = e->data;

	if (name.size > 0 && name.data[name.size - 1] == 0)
		name.size--;
	buf_put(&f->all_files,
		e->type == BOOTLOG_IPL && name.size >= sizeof(environment) - 1 &&
				memcmp(name.data + name.size - (sizeof(environment) - 1),
				       environment, sizeof(environment) - 1) == 0
			? zeros
			: e->digests[bank],
		DIGEST_SIZE);
	if (e->type == BOOTLOG_EVENT_TAG)
		take_tag(f, e, bank);
	else
		add(f, f->files, &f->n_files, MAX_FILES, e, bank);
}

/* Of what is measured into PCR 4 after its separator, all that is no action is a program: also one that is called otherwise. */
static void take_boot(struct bootlog_facts *f, const struct bootlog_event *e, uint32_t bank,
		      const struct bootlog_covered *c)
{
	if (e->type == BOOTLOG_SEPARATOR)
		f->separated = true;
	else if (e->type == BOOTLOG_EFI_APP || (f->separated && c->cover != BOOTLOG_COVERED))
		add(f, f->apps, &f->n_apps, MAX_APPS, e, bank);
}

void bootlog_facts_event(struct bootlog_facts *f, const struct bootlog_event *e, uint32_t bank,
			 const struct bootlog_covered *c)
{
	if (e->type == BOOTLOG_NO_ACTION)
		return;
	switch (e->pcr) {
	case 0:
		if (e->type == BOOTLOG_CRTM_VERSION && c->cover == BOOTLOG_COVERED) {
			f->version = c->bytes;
			f->has_version = true;
		}
		break;
	case 4:
		take_boot(f, e, bank, c);
		break;
	case 8:
		take_text(f, e, c);
		break;
	case 9:
		take_file(f, e, bank);
		break;
	case 14:
		add(f, f->mok, &f->n_mok, MAX_MOK, e, bank);
		break;
	default:
		break;
	}
}

static void put_hex(struct buf *b, const uint8_t *digest)
{
	char hex[DIGEST_HEX_SIZE];

	digest_bytes_hex(digest, DIGEST_SIZE, hex);
	buf_printf(b, "%ssha256:%s", b->size && b->data[b->size - 1] != '=' ? " " : "", hex);
}

static void put_tags(struct buf *b, const struct tags *t)
{
	for (uint32_t i = 0; i < t->n; i++)
		put_hex(b, t->at[i]);
}

/* One that is longer than any that is expected is told by its digest, as texts are. */
static int put_buf(put_fn put, void *ctx, const char *key, const struct buf *b, const char *none)
{
	CLEANUP(buf_done) struct buf bounded = {0};
	int r = buf_status(b);

	if (r < 0)
		return r;
	if (b->size <= BOOTLOG_TEXT_MAX)
		return put(ctx, key, b->size ? (const char *)b->data : none);
	r = bootlog_text(b->data, b->size, &bounded);
	return r < 0 ? r : put(ctx, key, (const char *)bounded.data);
}

/* A text, or a GUID that stands for it. */
static int put_version(const struct bootlog_facts *f, put_fn put, void *ctx)
{
	CLEANUP(buf_done) struct buf b = {0};
	char hex[2 * GUID_SIZE + 1];
	int r = 0;

	if (f->has_version && f->version.size == GUID_SIZE && f->version.data[1]) {
		digest_bytes_hex(f->version.data, GUID_SIZE, hex);
		buf_puts(&b, hex);
	} else if (f->has_version) {
		r = bootlog_text_utf16(f->version.data, f->version.size, &b);
	}
	return r < 0 ? r
		     : put_buf(put, ctx, "measured:firmware_version", &b,
			       f->has_version ? "empty" : "absent");
}

static int put_apps(const struct bootlog_facts *f, put_fn put, void *ctx)
{
	int r = 0;

	for (uint32_t i = 0; i < f->n_apps && r >= 0; i++) {
		CLEANUP(buf_done) struct buf b = {0};
		char key[32];

		snprintf(key, sizeof(key), "measured:app:%u", i + 1);
		put_hex(&b, f->apps[i].digest);
		if (i == 0)
			r = put_buf(put, ctx, "measured:loader", &b, "");
		if (r >= 0)
			r = put_buf(put, ctx, key, &b, "");
	}
	return r;
}

static bool is_among(const struct lines *l, const struct buf_view *what)
{
	for (uint32_t i = 0; i < l->n; i++)
		if (same(&l->at[i], what))
			return true;
	return false;
}

/* One as a rule. What GRUB was told to load with other words stands beside it. */
static int put_cmdline(const struct bootlog_facts *f, put_fn put, void *ctx)
{
	static const char key[] = "measured:cmdline";
	CLEANUP(buf_done) struct buf b = {0};
	int r = 0;

	if (f->too_many)
		return put(ctx, key, too_many);
	for (uint32_t i = 0; i < f->cmdlines.n && r >= 0; i++) {
		buf_puts(&b, b.size ? " | " : "");
		r = bootlog_text(f->cmdlines.at[i].data, f->cmdlines.at[i].size, &b);
	}
	for (uint32_t i = 0; i < f->linuxes.n && r >= 0; i++) {
		if (is_among(&f->cmdlines, &f->linuxes.at[i]))
			continue;
		buf_puts(&b, b.size ? " | linux " : "linux ");
		r = bootlog_text(f->linuxes.at[i].data, f->linuxes.at[i].size, &b);
	}
	for (uint32_t i = 0; i < f->wides.n && r >= 0; i++) {
		buf_puts(&b, b.size ? " | " : "");
		r = bootlog_text_utf16(f->wides.at[i].data, f->wides.at[i].size, &b);
	}
	if (r >= 0 && b.size == 0)
		put_tags(&b, &f->options);
	return r < 0 ? r : put_buf(put, ctx, key, &b, "unknown it was not measured");
}

static struct buf_view first_word(const struct buf_view *text, size_t at)
{
	struct buf_view w = {text->data + at, 0};

	while (at + w.size < text->size && w.data[w.size] != ' ')
		w.size++;
	return w;
}

/* The last file of that name; NULL. */
static const uint8_t *file_of(const struct bootlog_facts *f, const struct buf_view *name)
{
	for (uint32_t i = f->n_files; i > 0; i--)
		if (same(&f->files[i - 1].name, name))
			return f->files[i - 1].digest;
	return NULL;
}

static int put_kernel(const struct bootlog_facts *f, put_fn put, void *ctx)
{
	CLEANUP(buf_done) struct buf b = {0};
	const uint8_t *digest = NULL;

	if (f->too_many)
		return put(ctx, "measured:kernel", too_many);
	if (f->cmdlines.n > 0) {
		struct buf_view name = first_word(&f->cmdlines.at[f->cmdlines.n - 1], 0);

		digest = file_of(f, &name);
	} else if (f->n_apps > 1 && f->n_files == 0) {
		digest = f->apps[f->n_apps - 1].digest;
	}
	if (digest)
		put_hex(&b, digest);
	return put_buf(put, ctx, "measured:kernel", &b, "unknown no event tells it by its name");
}

static int put_initrd(const struct bootlog_facts *f, put_fn put, void *ctx)
{
	CLEANUP(buf_done) struct buf b = {0};
	const char *none = "unknown it was not measured";

	if (f->too_many)
		return put(ctx, "measured:initrd", too_many);
	if (f->initrds.n > 0) {
		const struct buf_view *words = &f->initrds.at[f->initrds.n - 1];

		for (size_t at = 0; at < words->size;) {
			struct buf_view name = first_word(words, at);
			const uint8_t *digest = name.size ? file_of(f, &name) : NULL;

			/* Somebody who names one a hundred thousand times. */
			if (b.size > BOOTLOG_TEXT_MAX)
				return put(ctx, "measured:initrd", too_many);
			if (digest)
				put_hex(&b, digest);
			else if (name.size)
				return put(ctx, "measured:initrd",
					   "unknown no event tells it by its name");
			at += name.size + 1;
		}
	} else {
		put_tags(&b, &f->stub_initrds);
	}
	return put_buf(put, ctx, "measured:initrd", &b, none);
}

/* Names stand beside the digests for people: one that is false makes another text, never the expected one of another digest. */
static int put_mok(const struct bootlog_facts *f, put_fn put, void *ctx)
{
	static const uint8_t set[] = {0x4b, 0xf5, 0x12, 0x2f, 0x34, 0x45, 0x54, 0xc5,
				      0x3b, 0xde, 0x2e, 0xbb, 0x8c, 0xd2, 0xb7, 0xe3,
				      0xd1, 0x60, 0x0a, 0xd6, 0x31, 0xc3, 0x85, 0xa5,
				      0xd7, 0xcc, 0xe2, 0x3c, 0x77, 0x85, 0x45, 0x9a};
	static const struct buf_view state = {(const uint8_t *)"MokSBState", 10};
	bool shim = false;
	CLEANUP(buf_done) struct buf b = {0};
	uint32_t n_set = 0;
	bool named = false;
	int r = 0;

	if (f->too_many) {
		r = put(ctx, "measured:mok", too_many);
		return r < 0 ? r : put(ctx, "measured:mok_state", too_many);
	}
	for (uint32_t i = 0; i < f->n_mok && r >= 0; i++) {
		buf_puts(&b, b.size ? " " : "");
		r = bootlog_text(f->mok[i].name.data, f->mok[i].name.size, &b);
		buf_puts(&b, "=");
		put_hex(&b, f->mok[i].digest);
		named |= same(&f->mok[i].name, &state);
		shim |= f->mok[i].name.size >= 3 && memcmp(f->mok[i].name.data, "Mok", 3) == 0;
		/* One byte 01: that of MokListTrusted, and the second one that of MokSBState. */
		n_set += memcmp(f->mok[i].digest, set, sizeof(set)) == 0;
	}
	if (r >= 0)
		r = put_buf(put, ctx, "measured:mok", &b, "none");
	if (r >= 0)
		r = put(ctx, "measured:mok_state",
			named || n_set > 1 ? "not validating"
			: shim		   ? "validating"
					   : "none");
	return r;
}

static int put_files(const struct bootlog_facts *f, put_fn put, void *ctx)
{
	char hex[DIGEST_HEX_SIZE], value[96];
	struct digest d;
	int r = buf_status(&f->all_files);

	if (r >= 0 && f->all_files.size == 0)
		return put(ctx, "measured:files", "none");
	if (r >= 0)
		r = digest_sha256(f->all_files.data, f->all_files.size, &d);
	if (r < 0)
		return r;
	digest_hex(&d, hex);
	snprintf(value, sizeof(value), "sha256:%s %zu", hex, f->all_files.size / DIGEST_SIZE);
	return put(ctx, "measured:files", value);
}

int bootlog_facts_claims(const struct bootlog_facts *f, put_fn put, void *ctx)
{
	int r = put_version(f, put, ctx);

	if (r >= 0)
		r = put_apps(f, put, ctx);
	if (r >= 0)
		r = put_kernel(f, put, ctx);
	if (r >= 0)
		r = put_cmdline(f, put, ctx);
	if (r >= 0)
		r = put_initrd(f, put, ctx);
	if (r >= 0)
		r = put_mok(f, put, ctx);
	if (r >= 0)
		r = put_files(f, put, ctx);
	return r;
}
