/* SPDX-License-Identifier: Apache-2.0 */
#include "bootlog_secure.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bootlog_efi.h"
#include "bootlog_text.h"
#include "cleanup.h"
#include "digest.h"

#define MAX_AUTHORITIES 64u

enum key { SECURE_BOOT, PK, KEK, DB, DBX, N_KEYS };

struct key_variable {
	bool there;
	struct buf_view data;
	const uint8_t *digest; /* as measured */
	uint32_t n; /* entries */
	bool malformed;
};

struct authority {
	char name[BOOTLOG_EFI_MAX_NAME];
	bool security; /* of the firmware's own db */
	struct buf_view data;
};

struct bootlog_secure {
	struct key_variable keys[N_KEYS];
	struct authority authorities[MAX_AUTHORITIES];
	uint32_t n;
	bool too_many;
};

typedef int (*put_fn)(void *ctx, const char *key, const char *value);

int bootlog_secure_open(struct bootlog_secure **ret)
{
	struct bootlog_secure *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	*ret = s;
	return 0;
}

struct bootlog_secure *bootlog_secure_free(struct bootlog_secure *s)
{
	free(s);
	return NULL;
}

static void take_key(struct bootlog_secure *s, const struct bootlog_efi_variable *v,
		     const uint8_t *digest)
{
	static const struct {
		const uint8_t *guid;
		const char *name;
	} names[N_KEYS] = {{bootlog_efi_global, "SecureBoot"},
			   {bootlog_efi_global, "PK"},
			   {bootlog_efi_global, "KEK"},
			   {bootlog_efi_security, "db"},
			   {bootlog_efi_security, "dbx"}};

	for (size_t i = 0; i < N_KEYS; i++) {
		struct key_variable *k = &s->keys[i];

		/* A second one is odd, and then nothing of PCR 7 counts. */
		if (k->there || !bootlog_efi_is(v, names[i].guid, names[i].name))
			continue;
		*k = (struct key_variable){.there = true, .data = v->data, .digest = digest};
		if (i != SECURE_BOOT)
			k->malformed = bootlog_efi_entries(&v->data, &k->n) < 0;
	}
}

static void take_authority(struct bootlog_secure *s, const struct bootlog_efi_variable *v)
{
	struct authority *a = &s->authorities[s->n];

	/* Each program that the same key vouches for says it again. */
	for (uint32_t i = 0; i < s->n; i++)
		if (strcmp(s->authorities[i].name, v->name) == 0 &&
		    s->authorities[i].data.size == v->data.size &&
		    memcmp(s->authorities[i].data.data, v->data.data, v->data.size) == 0)
			return;
	if (s->n == MAX_AUTHORITIES) {
		s->too_many = true;
		return;
	}
	memcpy(a->name, v->name, sizeof(a->name));
	a->security = bootlog_efi_is(v, bootlog_efi_security, "db");
	a->data = v->data;
	s->n++;
}

void bootlog_secure_event(struct bootlog_secure *s, const struct bootlog_event *e, uint32_t bank,
			  const struct bootlog_covered *covered)
{
	struct bootlog_efi_variable v;

	if (e->pcr != 7 || covered->cover != BOOTLOG_COVERED ||
	    (e->type != BOOTLOG_EFI_VARIABLE && e->type != BOOTLOG_EFI_AUTHORITY) ||
	    bootlog_efi_variable(&covered->bytes, &v) < 0)
		return;
	if (e->type == BOOTLOG_EFI_VARIABLE)
		take_key(s, &v, e->digests[bank]);
	else
		take_authority(s, &v);
}

/* What could not be looked for counts as found in dbx, and not in db. */
static const char *standing(const struct bootlog_secure *s, const struct authority *a)
{
	if (a->security && bootlog_efi_find(&s->keys[DBX].data, &a->data) != BOOTLOG_EFI_NOT)
		return "in dbx";
	if (!a->security)
		return "by shim";
	return bootlog_efi_find(&s->keys[DB].data, &a->data) > BOOTLOG_EFI_NOT ? "in db"
									       : "not in db";
}

/* "on" alone is good: the variable, keys that are there, and a program that was let in by one of them. */
static const char *state_of(const struct bootlog_secure *s, bool odd)
{
	const struct key_variable *on = &s->keys[SECURE_BOOT];
	bool vouched = false;

	if (odd)
		return "unknown PCR 7 is not in order";
	if (!on->there)
		return "unknown no SecureBoot variable was measured";
	if (on->data.size == 0 || (on->data.size == 1 && on->data.data[0] == 0))
		return "off";
	if (on->data.size != 1 || on->data.data[0] != 1)
		return "unknown the SecureBoot variable is neither on nor off";
	for (int i = PK; i < N_KEYS; i++)
		if (s->keys[i].malformed || (i != DBX && s->keys[i].n == 0))
			return "unknown its keys are not there";
	for (uint32_t i = 0; i < s->n; i++) {
		const char *where = standing(s, &s->authorities[i]);

		if (strcmp(where, "in dbx") == 0)
			return "unknown a program ran by a key that is revoked";
		vouched |= strcmp(where, "in db") == 0;
	}
	return vouched && !s->too_many ? "on" : "unknown no program was verified by a key in db";
}

static int put_key(const struct key_variable *k, const char *key, put_fn put, void *ctx)
{
	char hex[DIGEST_HEX_SIZE], value[128];

	if (!k->there)
		return put(ctx, key, "absent");
	digest_bytes_hex(k->digest, DIGEST_SIZE, hex);
	if (k->malformed)
		snprintf(value, sizeof(value), "unknown sha256:%s is no list", hex);
	else
		snprintf(value, sizeof(value), "sha256:%s %u entries", hex, k->n);
	return put(ctx, key, value);
}

/* By the certificate, whoever is said to own the entry. */
static int put_authority(const struct bootlog_secure *s, const struct authority *a, put_fn put,
			 void *ctx)
{
	char hex[DIGEST_HEX_SIZE], key[256];
	struct buf_view bytes = a->data;
	struct digest d;
	int r;

	if (bytes.size > BOOTLOG_EFI_GUID + 1 && bytes.data[0] != 0x30 &&
	    bytes.data[BOOTLOG_EFI_GUID] == 0x30) {
		bytes.data += BOOTLOG_EFI_GUID;
		bytes.size -= BOOTLOG_EFI_GUID;
	}
	r = digest_sha256(bytes.data, bytes.size, &d);
	if (r < 0)
		return r;
	digest_hex(&d, hex);
	snprintf(key, sizeof(key), "measured:authority:%s:%s", a->name, hex);
	return put(ctx, key, standing(s, a));
}

static int put_authorities(const struct bootlog_secure *s, put_fn put, void *ctx)
{
	CLEANUP(buf_done) struct buf sbat = {0}, bounded = {0};
	int r = 0;

	for (uint32_t i = 0; i < s->n && r >= 0; i++) {
		const struct authority *a = &s->authorities[i];

		if (a->security || strcmp(a->name, "SbatLevel") != 0) {
			r = put_authority(s, a, put, ctx);
			continue;
		}
		if (sbat.size)
			buf_puts(&sbat, " | ");
		r = bootlog_text(a->data.data, a->data.size, &sbat);
	}
	if (r >= 0 && s->too_many)
		r = put(ctx, "measured:authority", "unknown there are too many");
	if (r >= 0 && sbat.size > BOOTLOG_TEXT_MAX)
		r = bootlog_text(sbat.data, sbat.size, &bounded);
	if (r < 0)
		return r;
	return put(ctx, "measured:sbat",
		   bounded.size ? (char *)bounded.data
		   : sbat.size	? (char *)sbat.data
				: "absent");
}

int bootlog_secure_claims(const struct bootlog_secure *s, bool odd, put_fn put, void *ctx)
{
	static const char *const keys[] = {NULL, "measured:pk", "measured:kek", "measured:db",
					   "measured:dbx"};
	int r = put(ctx, "measured:secure_boot", state_of(s, odd));

	for (size_t i = PK; i < N_KEYS && r >= 0; i++)
		r = put_key(&s->keys[i], keys[i], put, ctx);
	return r < 0 ? r : put_authorities(s, put, ctx);
}
