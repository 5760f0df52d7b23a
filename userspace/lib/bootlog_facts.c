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

struct bootlog_facts {
	bool separated; /* PCR 4 */
	bool too_many;
	struct buf_view version;
	bool has_version;
	struct named apps[MAX_APPS], files[MAX_FILES], mok[MAX_MOK];
	uint32_t n_apps, n_files, n_mok;
	const uint8_t *options, *initrd; /* as the kernel's stub measured them */
	struct lines cmdlines, linuxes, initrds;
	struct buf_view wide; /* a command line in UTF-16 */
};

typedef int (*put_fn)(void *ctx, const char *key, const char *value);

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

static void add_line(struct bootlog_facts *f, struct lines *l, const uint8_t *p, size_t size)
{
	if (l->n == MAX_LINES)
		f->too_many = true;
	else
		l->at[l->n++] = (struct buf_view){p, size};
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
		f->wide = c->bytes;
		return;
	}
	if (e->data.data[0] == 'k' || (c->prefix && e->data.data[5] == 'k'))
		add_line(f, &f->cmdlines, c->bytes.data, c->bytes.size);
	if (is_command(&c->bytes, linuxes, &rest))
		add_line(f, &f->linuxes, rest.data, rest.size);
	if (is_command(&c->bytes, initrds, &rest))
		add_line(f, &f->initrds, rest.data, rest.size);
}

static void take_tag(struct bootlog_facts *f, const struct bootlog_event *e, uint32_t bank)
{
	struct buf_reader r = buf_reader_of(e->data.data, e->data.size);
	uint32_t tag;

	if (buf_read_u32le(&r, &tag) < 0)
		return;
	if (tag == TAG_OPTIONS)
		f->options = e->digests[bank];
	else if (tag == TAG_INITRD)
		f->initrd = e->digests[bank];
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
		if (e->type == BOOTLOG_EVENT_TAG)
			take_tag(f, e, bank);
		else
			add(f, f->files, &f->n_files, MAX_FILES, e, bank);
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

static int put_buf(put_fn put, void *ctx, const char *key, const struct buf *b, const char *none)
{
	if (buf_status(b) < 0)
		return buf_status(b);
	return put(ctx, key, b->size ? (const char *)b->data : none);
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

static bool same(const struct buf_view *a, const struct buf_view *b)
{
	return a->size == b->size && memcmp(a->data, b->data, a->size) == 0;
}

static bool is_among(const struct lines *l, const struct buf_view *what, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
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

	for (uint32_t i = 0; i < f->cmdlines.n && r >= 0; i++) {
		if (is_among(&f->cmdlines, &f->cmdlines.at[i], i))
			continue;
		buf_puts(&b, b.size ? " | " : "");
		r = bootlog_text(f->cmdlines.at[i].data, f->cmdlines.at[i].size, &b);
	}
	for (uint32_t i = 0; i < f->linuxes.n && r >= 0; i++) {
		if (is_among(&f->cmdlines, &f->linuxes.at[i], f->cmdlines.n))
			continue;
		buf_puts(&b, b.size ? " | linux " : "linux ");
		r = bootlog_text(f->linuxes.at[i].data, f->linuxes.at[i].size, &b);
	}
	if (r >= 0 && b.size == 0 && f->wide.size > 0)
		r = bootlog_text_utf16(f->wide.data, f->wide.size, &b);
	if (r >= 0 && b.size == 0 && f->options)
		put_hex(&b, f->options);
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

	if (f->initrds.n > 0) {
		const struct buf_view *words = &f->initrds.at[f->initrds.n - 1];

		for (size_t at = 0; at < words->size;) {
			struct buf_view name = first_word(words, at);
			const uint8_t *digest = name.size ? file_of(f, &name) : NULL;

			if (digest)
				put_hex(&b, digest);
			else if (name.size)
				return put(ctx, "measured:initrd",
					   "unknown no event tells it by its name");
			at += name.size + 1;
		}
	} else if (f->initrd) {
		put_hex(&b, f->initrd);
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
	if (r >= 0 && f->too_many)
		r = put(ctx, "measured:more", "unknown there are more events than are told");
	return r;
}
