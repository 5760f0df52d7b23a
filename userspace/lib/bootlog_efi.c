/* SPDX-License-Identifier: Apache-2.0 */
#include "bootlog_efi.h"

#include <errno.h>
#include <string.h>

#include "bootlog.h"
#include "digest_bank.h"

#define LIST_HEAD 28u /* type, and three sizes */
#define MAX_TBS_HASH 64u

const uint8_t bootlog_efi_global[] = {0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11,
				      0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c};
const uint8_t bootlog_efi_security[] = {0xcb, 0xb2, 0x19, 0xd7, 0x3a, 0x3d, 0x96, 0x45,
					0xa3, 0xbc, 0xda, 0xd0, 0x0e, 0x67, 0x65, 0x6f};
const uint8_t bootlog_efi_shim[] = {0x50, 0xab, 0x5d, 0x60, 0x46, 0xe0, 0x00, 0x43,
				    0xab, 0xb6, 0x3d, 0xd8, 0x10, 0xdd, 0x8b, 0x23};

/* EFI_CERT_*_GUID */
static const uint8_t of_x509[] = {0xa1, 0x59, 0xc0, 0xa5, 0xe4, 0x94, 0xa7, 0x4a,
				  0x87, 0xb5, 0xab, 0x15, 0x5c, 0x2b, 0xf0, 0x72};
static const uint8_t of_sha256[] = {0x26, 0x16, 0xc4, 0xc1, 0x4c, 0x50, 0x92, 0x40,
				    0xac, 0xa9, 0x41, 0xf9, 0x36, 0x93, 0x43, 0x28};
/* Lists that deny by the digest of what the issuer signed: of SHA-256, 384 and 512. */
#define N_TBS 3
static const struct {
	uint8_t type[BOOTLOG_EFI_GUID];
	uint16_t alg;
	size_t size;
} tbs_lists[N_TBS] = {
	{{0x92, 0xa4, 0xd2, 0x3b, 0xc0, 0x96, 0x79, 0x40, 0xb4, 0x20, 0xfc, 0xf9, 0x8e, 0xf1, 0x03,
	  0xed},
	 BOOTLOG_SHA256,
	 32},
	{{0x6e, 0x87, 0x76, 0x70, 0xc2, 0x80, 0xe6, 0x4e, 0xaa, 0xd2, 0x28, 0xb3, 0x49, 0xa6, 0x86,
	  0x5b},
	 BOOTLOG_SHA384,
	 48},
	{{0x63, 0xbf, 0x6d, 0x44, 0x02, 0x25, 0xda, 0x4c, 0xbc, 0xfa, 0x24, 0x65, 0xd2, 0xb0, 0xfe,
	  0x9d},
	 BOOTLOG_SHA512,
	 64},
};

struct list {
	const uint8_t *type;
	uint32_t entry; /* bytes of each, its owner included */
	struct buf_view entries;
};

int bootlog_efi_variable(const struct buf_view *event, struct bootlog_efi_variable *ret)
{
	struct buf_reader r = buf_reader_of(event->data, event->size);
	struct buf_view guid, name;
	uint64_t n_name, n_data;

	if (buf_read_bytes(&r, BOOTLOG_EFI_GUID, &guid) < 0 || buf_read_u64le(&r, &n_name) < 0 ||
	    buf_read_u64le(&r, &n_data) < 0 || n_name >= BOOTLOG_EFI_MAX_NAME ||
	    buf_read_bytes(&r, 2 * (size_t)n_name, &name) < 0 || n_data != buf_left(&r))
		return -EBADMSG;
	for (size_t i = 0; i < n_name; i++) {
		if (name.data[2 * i] < 0x21 || name.data[2 * i] > 0x7e || name.data[2 * i + 1])
			return -EBADMSG;
		ret->name[i] = (char)name.data[2 * i];
	}
	ret->name[n_name] = 0;
	ret->guid = guid.data;
	ret->data = (struct buf_view){r.data + r.at, buf_left(&r)};
	return 0;
}

bool bootlog_efi_is(const struct bootlog_efi_variable *v, const uint8_t *guid, const char *name)
{
	return memcmp(v->guid, guid, BOOTLOG_EFI_GUID) == 0 && strcmp(v->name, name) == 0;
}

/* 1, 0 at the end, -EBADMSG. */
static int next_list(struct buf_reader *r, struct list *ret)
{
	struct buf_view type, skip;
	uint32_t size, header, entry;

	if (buf_left(r) == 0)
		return 0;
	if (buf_read_bytes(r, BOOTLOG_EFI_GUID, &type) < 0 || buf_read_u32le(r, &size) < 0 ||
	    buf_read_u32le(r, &header) < 0 || buf_read_u32le(r, &entry) < 0 || size < LIST_HEAD ||
	    size - LIST_HEAD > buf_left(r) || header > size - LIST_HEAD ||
	    entry <= BOOTLOG_EFI_GUID || (size - LIST_HEAD - header) % entry != 0)
		return -EBADMSG;
	*ret = (struct list){.type = type.data, .entry = entry};
	return buf_read_bytes(r, header, &skip) < 0 ||
			       buf_read_bytes(r, size - LIST_HEAD - header, &ret->entries) < 0
		       ? -EBADMSG
		       : 1;
}

int bootlog_efi_entries(const struct buf_view *lists, uint32_t *ret)
{
	struct buf_reader r = buf_reader_of(lists->data, lists->size);
	struct list l;
	uint32_t n = 0;
	int more;

	while ((more = next_list(&r, &l)) > 0)
		n += (uint32_t)(l.entries.size / l.entry);
	if (more == 0)
		*ret = n;
	return more;
}

/* The DER value at p: bytes of its head and of all of it. */
static int der(const uint8_t *p, size_t size, size_t *ret_head, size_t *ret_all)
{
	size_t length, n;

	if (size < 2 || p[0] != 0x30)
		return -EBADMSG;
	length = p[1];
	*ret_head = 2;
	if (length & 0x80) {
		n = length & 0x7f;
		if (n < 1 || n > 3 || size < 2 + n)
			return -EBADMSG;
		*ret_head += n;
		length = 0;
		for (size_t i = 0; i < n; i++)
			length = length << 8 | p[2 + i];
	}
	if (length > size - *ret_head)
		return -EBADMSG;
	*ret_all = *ret_head + length;
	return 0;
}

/* What the issuer signed of a certificate. */
static int tbs_of(const struct buf_view *cert, struct buf_view *ret)
{
	size_t head, all, inner;

	if (der(cert->data, cert->size, &head, &all) < 0 || all != cert->size ||
	    der(cert->data + head, all - head, &inner, &all) < 0)
		return -EBADMSG;
	*ret = (struct buf_view){cert->data + head, all};
	return 0;
}

static bool has(const struct list *l, const struct buf_view *what)
{
	const uint8_t *end = l->entries.data + l->entries.size;

	if (l->entry != what->size + BOOTLOG_EFI_GUID)
		return false;
	for (const uint8_t *p = l->entries.data; p < end; p += l->entry)
		if (memcmp(p + BOOTLOG_EFI_GUID, what->data, what->size) == 0)
			return true;
	return false;
}

/* What is looked for, and the digests of what its issuer signed, each made once: the lists may be many. */
struct sought {
	struct buf_view bytes, tbs; /* tbs: empty when it is no certificate */
	bool made[N_TBS];
	uint8_t hash[N_TBS][MAX_TBS_HASH];
};

static struct sought sought_of(const uint8_t *data, size_t size)
{
	struct sought s = {.bytes = {data, size}};

	(void)tbs_of(&s.bytes, &s.tbs);
	return s;
}

static int make_hash(struct sought *s, int i)
{
	struct digest_bank *d = NULL;
	int r = s->made[i] ? 0 : digest_bank_open(tbs_lists[i].alg, &d);

	if (r >= 0 && !s->made[i])
		r = digest_bank_parts(d, &s->tbs, 1, s->hash[i]);
	digest_bank_free(d);
	s->made[i] = r >= 0;
	return r;
}

/* Entries of such a list have the digest, and the time from which it counts. */
static enum bootlog_efi_match find_tbs(const struct list *l, int i, struct sought *s)
{
	const uint8_t *end = l->entries.data + l->entries.size;

	if (l->entry < tbs_lists[i].size + BOOTLOG_EFI_GUID || s->tbs.size == 0)
		return BOOTLOG_EFI_NOT;
	if (make_hash(s, i) < 0)
		return BOOTLOG_EFI_UNCHECKED;
	for (const uint8_t *p = l->entries.data; p < end; p += l->entry)
		if (memcmp(p + BOOTLOG_EFI_GUID, s->hash[i], tbs_lists[i].size) == 0)
			return BOOTLOG_EFI_OF_CERTIFICATE;
	return BOOTLOG_EFI_NOT;
}

static enum bootlog_efi_match find_in(const struct list *l, struct sought *s)
{
	if (memcmp(l->type, of_x509, BOOTLOG_EFI_GUID) == 0)
		return has(l, &s->bytes) ? BOOTLOG_EFI_CERTIFICATE : BOOTLOG_EFI_NOT;
	if (memcmp(l->type, of_sha256, BOOTLOG_EFI_GUID) == 0)
		return has(l, &s->bytes) ? BOOTLOG_EFI_HASH : BOOTLOG_EFI_NOT;
	for (int i = 0; i < N_TBS; i++)
		if (memcmp(l->type, tbs_lists[i].type, BOOTLOG_EFI_GUID) == 0)
			return find_tbs(l, i, s);
	return BOOTLOG_EFI_NOT;
}

enum bootlog_efi_match bootlog_efi_find(const struct buf_view *lists,
					const struct buf_view *authority)
{
	bool owned = authority->size > BOOTLOG_EFI_GUID;
	struct sought whole = sought_of(authority->data, authority->size);
	struct sought bare = owned ? sought_of(authority->data + BOOTLOG_EFI_GUID,
					       authority->size - BOOTLOG_EFI_GUID)
				   : whole;
	struct buf_reader r = buf_reader_of(lists->data, lists->size);
	enum bootlog_efi_match met = BOOTLOG_EFI_NOT;
	struct list l;

	while (met == BOOTLOG_EFI_NOT && next_list(&r, &l) > 0) {
		met = find_in(&l, &whole);
		if (met == BOOTLOG_EFI_NOT && owned)
			met = find_in(&l, &bare);
	}
	return met;
}
