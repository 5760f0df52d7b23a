/* SPDX-License-Identifier: Apache-2.0 */
#include "imalog.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "cleanup.h"

#define OLD_DIGEST 20u /* of the file, in the template "ima" */
#define MAX_OLD_NAME 255u

static bool is_name(const struct buf_view *v, const char *name)
{
	return v->size == strlen(name) && memcmp(v->data, name, v->size) == 0;
}

/* -EAGAIN: it is cut short here, which only the end of what was read may be. */
static int take(struct buf_reader *r, size_t size, struct buf_view *ret)
{
	return buf_read_bytes(r, size, ret) < 0 ? -EAGAIN : 0;
}

static int take_u32(struct buf_reader *r, uint32_t *ret)
{
	return buf_read_u32le(r, ret) < 0 ? -EAGAIN : 0;
}

static int take_sized(struct buf_reader *r, uint32_t max, const char *what, struct buf_view *ret,
		      struct why *ret_why)
{
	uint32_t size;
	int r2 = take_u32(r, &size);

	if (r2 < 0)
		return r2;
	if (size > max)
		return why_set(ret_why, -EBADMSG, "IMA list: %s of %u bytes, at most %u", what,
			       size, max);
	return take(r, size, ret);
}

static bool is_zero(const struct buf_view *v)
{
	for (size_t i = 0; i < v->size; i++)
		if (v->data[i] != 0)
			return false;
	return true;
}

static size_t size_of(const char *algorithm)
{
	static const struct {
		const char *name;
		size_t size;
	} known[] = {{"sha256", 32}, {"sha1", 20},   {"sha224", 28}, {"rmd160", 20}, {"sm3", 32},
		     {"md5", 16},    {"sha384", 48}, {"sha512", 64}, {"sm3-256", 32}};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strcmp(known[i].name, algorithm) == 0)
			return known[i].size;
	return 0;
}

/* "sha256:", NUL, digest. Of an algorithm that is not known here any size is taken. */
static int split_digest(const struct buf_view *field, struct imalog_digest *ret,
			struct why *ret_why)
{
	const uint8_t *nul = memchr(field->data, '\0', field->size);
	size_t n = nul ? (size_t)(nul - field->data) : 0;

	if (n < 2 || n > sizeof(ret->algorithm) || field->data[n - 1] != ':')
		return why_set(ret_why, -EBADMSG, "IMA list: a digest without its algorithm");
	for (size_t i = 0; i + 1 < n; i++)
		if (!isalnum(field->data[i]) && field->data[i] != '-')
			return why_set(ret_why, -EBADMSG,
				       "IMA list: byte %zu of an algorithm is 0x%02x", i,
				       field->data[i]);
	memcpy(ret->algorithm, field->data, n - 1);
	ret->algorithm[n - 1] = '\0';
	ret->bytes = (struct buf_view){nul + 1, field->size - n - 1};
	if (ret->bytes.size == 0 ||
	    (size_of(ret->algorithm) && ret->bytes.size != size_of(ret->algorithm)))
		return why_set(ret_why, -EBADMSG, "IMA list: a %s digest of %zu bytes",
			       ret->algorithm, ret->bytes.size);
	return 0;
}

/* "ima:" or "verity:" and then as above: what the digest is of, the file or its fs-verity root. */
static int split_typed_digest(const struct buf_view *field, struct imalog_entry *e,
			      struct why *ret_why)
{
	static const char ima[] = "ima:", verity[] = "verity:";
	struct buf_view rest = *field;

	e->verity = field->size > sizeof(verity) - 1 &&
		    memcmp(field->data, verity, sizeof(verity) - 1) == 0;
	if (!e->verity &&
	    (field->size < sizeof(ima) - 1 || memcmp(field->data, ima, sizeof(ima) - 1) != 0))
		return why_set(ret_why, -EBADMSG, "IMA list: a digest of neither ima nor verity");
	rest.data += e->verity ? sizeof(verity) - 1 : sizeof(ima) - 1;
	rest.size -= e->verity ? sizeof(verity) - 1 : sizeof(ima) - 1;
	return split_digest(&rest, &e->file, ret_why);
}

static int split_name(const struct buf_view *field, struct imalog_entry *e, struct why *ret_why)
{
	if (field->size == 0 ||
	    memchr(field->data, '\0', field->size) != field->data + field->size - 1)
		return why_set(ret_why, -EBADMSG, "IMA list: a name that no NUL ends");
	e->name = (const char *)field->data;
	e->name_size = field->size - 1;
	return 0;
}

enum field {
	FIELD_D,
	FIELD_D_NG,
	FIELD_D_NGV2,
	FIELD_N,
	FIELD_SIG,
	FIELD_BUF,
	FIELD_D_MODSIG,
	FIELD_MODSIG,
	FIELD_OTHER, /* known, and of no use here */
};

/* The kernel's security/integrity/ima/ima_template.c has these; max: what one may reasonably have. */
static const struct {
	const char *name;
	enum field field;
	uint32_t max;
} fields[] = {
	{"d-ng", FIELD_D_NG, IMALOG_MAX_ALGORITHM + 1 + IMALOG_MAX_DIGEST},
	{"n-ng", FIELD_N, IMALOG_MAX_NAME},
	{"sig", FIELD_SIG, IMALOG_MAX_DATA},
	{"d", FIELD_D, OLD_DIGEST},
	{"n", FIELD_N, MAX_OLD_NAME + 1},
	{"d-ngv2", FIELD_D_NGV2, IMALOG_MAX_ALGORITHM + 9 + IMALOG_MAX_DIGEST},
	{"buf", FIELD_BUF, IMALOG_MAX_DATA},
	{"d-modsig", FIELD_D_MODSIG, IMALOG_MAX_ALGORITHM + 1 + IMALOG_MAX_DIGEST},
	{"modsig", FIELD_MODSIG, IMALOG_MAX_DATA},
	{"evmsig", FIELD_OTHER, IMALOG_MAX_DATA},
	{"xattrnames", FIELD_OTHER, IMALOG_MAX_DATA},
	{"xattrlengths", FIELD_OTHER, IMALOG_MAX_DATA},
	{"xattrvalues", FIELD_OTHER, IMALOG_MAX_DATA},
	{"iuid", FIELD_OTHER, 4},
	{"igid", FIELD_OTHER, 4},
	{"imode", FIELD_OTHER, 2},
};

/* The kernel's header of a signature, as long as it says: of a file (3) or its fs-verity root (6), version 2 or 3. */
static bool is_signature(const struct buf_view *v)
{
	return v->size > 9 && (v->data[0] == 3 || v->data[0] == 6) &&
	       (v->data[1] == 2 || v->data[1] == 3) &&
	       (size_t)(v->data[7] << 8 | v->data[8]) == v->size - 9;
}

static bool is_digest(const struct buf_view *v)
{
	struct imalog_entry e = {.pcr = 0};

	return split_digest(v, &e.file, NULL) >= 0 || split_typed_digest(v, &e, NULL) >= 0;
}

/*
 * No register has the template's name: whoever gives an entry the name of another hides what it holds. Where a field is what its template says,
 * it looks like nothing else; the attributes beside EVM's own signature may well be IMA's.
 */
static bool is_hidden(size_t which, const struct buf_view *v, bool *evm)
{
	switch (fields[which].field) {
	case FIELD_OTHER:
		*evm |= strcmp(fields[which].name, "evmsig") == 0 && v->size > 0 && v->data[0] == 5;
		return (is_signature(v) && !*evm) || is_digest(v);
	case FIELD_SIG:
	case FIELD_MODSIG:
		return is_digest(v);
	default:
		return false;
	}
}

static int split_field(size_t which, const struct buf_view *v, struct imalog_entry *e,
		       struct why *ret_why)
{
	switch (fields[which].field) {
	case FIELD_D:
		if (v->size != OLD_DIGEST)
			return why_set(ret_why, -EBADMSG, "IMA list: an old digest of %zu bytes",
				       v->size);
		memcpy(e->file.algorithm, "sha1", sizeof("sha1"));
		e->file.bytes = *v;
		return 0;
	case FIELD_D_NG:
		return split_digest(v, &e->file, ret_why);
	case FIELD_D_NGV2:
		return split_typed_digest(v, e, ret_why);
	case FIELD_N:
		return split_name(v, e, ret_why);
	case FIELD_SIG:
		e->signature = *v;
		return 0;
	case FIELD_BUF:
		e->buffer = *v;
		return 0;
	case FIELD_D_MODSIG: /* of a file without such a signature it is empty */
		return v->size ? split_digest(v, &e->unsigned_file, ret_why) : 0;
	case FIELD_MODSIG:
		e->modsig = *v;
		return 0;
	default:
		return 0;
	}
}

/* Which field the list of a template begins with; -ENOENT: one that is not known. */
static int first_field(const char *list, size_t size, size_t *ret_size)
{
	const char *bar = memchr(list, '|', size);
	size_t n = bar ? (size_t)(bar - list) : size;

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (strlen(fields[i].name) == n && memcmp(fields[i].name, list, n) == 0) {
			*ret_size = n;
			return (int)i;
		}
	return -ENOENT;
}

static bool is_list(const char *list, size_t size)
{
	size_t n = 0;

	while (first_field(list, size, &n) >= 0) {
		if (n == size)
			return true;
		list += n + 1;
		size -= n + 1;
	}
	return false;
}

static const struct {
	const char *name, *list;
	enum imalog_template template;
} templates[] = {
	{"ima-ng", "d-ng|n-ng", IMALOG_NG},
	{"ima-sig", "d-ng|n-ng|sig", IMALOG_SIG},
	{"ima-ngv2", "d-ngv2|n-ng", IMALOG_FIELDS},
	{"ima-sigv2", "d-ngv2|n-ng|sig", IMALOG_FIELDS},
	{"ima-buf", "d-ng|n-ng|buf", IMALOG_FIELDS},
	{"ima-modsig", "d-ng|n-ng|sig|d-modsig|modsig", IMALOG_FIELDS},
	{"evm-sig", "d-ng|n-ng|evmsig|xattrnames|xattrlengths|xattrvalues|iuid|igid|imode",
	 IMALOG_FIELDS},
};

/* Its fields; one that was made for this machine bears their list as its name. NULL: not known. */
static const char *list_of(struct imalog_entry *e, size_t *ret_size)
{
	const char *name = (const char *)e->template_name.data;

	for (size_t i = 0; i < ARRAY_SIZE(templates); i++)
		if (is_name(&e->template_name, templates[i].name)) {
			e->template = templates[i].template;
			*ret_size = strlen(templates[i].list);
			return templates[i].list;
		}
	if (!is_list(name, e->template_name.size))
		return NULL;
	e->template = IMALOG_FIELDS;
	*ret_size = e->template_name.size;
	return name;
}

/*
 * Does one of the fields hold what a file's digest or signature looks like? Of a template that is not known that is where a file was measured.
 * A kernel writes each field after its size, in all but the oldest template, so data of another form are nothing that was renamed.
 */
static bool holds_digest(const struct buf_view *data)
{
	struct buf_reader r = buf_reader_of(data->data, data->size);
	struct buf_view v;
	bool found = false;

	while (buf_left(&r) > 0) {
		if (take_sized(&r, IMALOG_MAX_DATA, "a field", &v, NULL) < 0)
			return false;
		found |= is_digest(&v) || is_signature(&v);
	}
	return found;
}

/* Each after its size, and nothing else. */
static int split_data(struct imalog_entry *e, struct why *ret_why)
{
	struct buf_reader r = buf_reader_of(e->data.data, e->data.size);
	size_t left = 0, n = 0;
	const char *list = list_of(e, &left);
	struct buf_view v;
	bool evm = false;
	int s = 0;

	if (!list) {
		e->misnamed = holds_digest(&e->data);
		return 0;
	}
	while (left > 0 && s >= 0) {
		int which = first_field(list, left, &n);

		if (which < 0)
			return -EBADMSG;
		s = take_sized(&r, fields[which].max, fields[which].name, &v, ret_why);
		if (s >= 0)
			s = split_field((size_t)which, &v, e, ret_why);
		if (s >= 0)
			e->misnamed |= is_hidden((size_t)which, &v, &evm);
		n = n < left ? n + 1 : n;
		list += n;
		left -= n;
	}
	/* A digest without the signature that is appended stands beside one with it. */
	e->misnamed |= e->file.bytes.size == 0 && e->unsigned_file.bytes.size > 0;
	if (s == -EAGAIN || (s >= 0 && buf_left(&r) > 0))
		return why_set(ret_why, -EBADMSG,
			       "IMA list: the parts of an entry are not as long as it says");
	return s;
}

/* The oldest has no size of the whole: 20 bytes and a name without NUL. */
static int take_old(struct buf_reader *r, struct imalog_entry *e, struct why *ret_why)
{
	size_t from = r->at;
	struct buf_view name;
	int n = take(r, OLD_DIGEST, &e->file.bytes);

	if (n >= 0)
		n = take_sized(r, MAX_OLD_NAME, "a name", &name, ret_why);
	if (n < 0)
		return n;
	if (memchr(name.data, '\0', name.size))
		return why_set(ret_why, -EBADMSG, "IMA list: a name with a NUL in it");
	memcpy(e->file.algorithm, "sha1", sizeof("sha1"));
	e->name = (const char *)name.data;
	e->name_size = name.size;
	e->data = (struct buf_view){r->data + from, r->at - from};
	return 0;
}

static int take_entry(struct buf_reader *r, size_t digest_size, struct imalog_entry *e,
		      struct why *ret_why)
{
	int n = take_u32(r, &e->pcr);

	if (n >= 0)
		n = take(r, digest_size, &e->template_digest);
	if (n >= 0)
		n = take_sized(r, IMALOG_MAX_TEMPLATE, "a template's name", &e->template_name,
			       ret_why);
	if (n < 0)
		return n;
	if (e->pcr > 23)
		return why_set(ret_why, -EBADMSG, "IMA list: PCR %u is none", e->pcr);
	e->violation = is_zero(&e->template_digest);
	if (is_name(&e->template_name, "ima")) {
		e->template = IMALOG_IMA;
		return take_old(r, e, ret_why);
	}
	n = take_sized(r, IMALOG_MAX_DATA, "data", &e->data, ret_why);
	return n < 0 ? n : split_data(e, ret_why);
}

/* 1, 0, -EAGAIN: cut short; nothing was taken then. */
static int next(struct buf_reader *r, size_t digest_size, struct imalog_entry *ret,
		struct why *ret_why)
{
	struct imalog_entry e = {.pcr = 0};
	struct buf_reader at = *r;
	int n;

	if (buf_left(r) == 0)
		return 0;
	n = take_entry(&at, digest_size, &e, ret_why);
	if (n < 0)
		return n;
	*r = at;
	*ret = e;
	return 1;
}

int imalog_next(struct buf_reader *r, size_t digest_size, struct imalog_entry *ret,
		struct why *ret_why)
{
	int n = next(r, digest_size, ret, ret_why);

	return n == -EAGAIN ? why_set(ret_why, -EBADMSG, "IMA list: cut short at byte %zu", r->at)
			    : n;
}

int imalog_whole(const void *data, size_t size, size_t digest_size, size_t max, size_t *ret_size,
		 uint64_t *ret_n, struct why *ret_why)
{
	struct buf_reader r = buf_reader_of(data, size);
	struct imalog_entry e;
	uint64_t n = 0;
	size_t end = 0;
	int more;

	do {
		more = next(&r, digest_size, &e, ret_why);
		if (more > 0 && r.at <= max) {
			end = r.at;
			n++;
		}
	} while (more > 0 && r.at <= max);
	if (more < 0 && more != -EAGAIN)
		return more;
	*ret_size = end;
	*ret_n = n;
	return 0;
}

bool imalog_is_sha256(const struct imalog_entry *e)
{
	return strcmp(e->file.algorithm, "sha256") == 0 && e->file.bytes.size == 32;
}
