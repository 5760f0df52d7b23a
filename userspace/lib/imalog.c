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
	} known[] = {{"md5", 16},    {"sha1", 20},   {"sha224", 28}, {"rmd160", 20}, {"sm3", 32},
		     {"sha256", 32}, {"sha384", 48}, {"sha512", 64}, {"sm3-256", 32}};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strcmp(known[i].name, algorithm) == 0)
			return known[i].size;
	return 0;
}

/* "sha256:", NUL, digest. Of an algorithm that is not known here any size is taken. */
static int split_digest(const struct buf_view *field, struct imalog_entry *e, struct why *ret_why)
{
	const uint8_t *nul = memchr(field->data, '\0', field->size);
	size_t n = nul ? (size_t)(nul - field->data) : 0;

	if (n < 2 || n > sizeof(e->algorithm) || field->data[n - 1] != ':')
		return why_set(ret_why, -EBADMSG, "IMA list: a digest without its algorithm");
	for (size_t i = 0; i + 1 < n; i++)
		if (!isalnum(field->data[i]) && field->data[i] != '-')
			return why_set(ret_why, -EBADMSG,
				       "IMA list: byte %zu of an algorithm is 0x%02x", i,
				       field->data[i]);
	memcpy(e->algorithm, field->data, n - 1);
	e->algorithm[n - 1] = '\0';
	e->digest = (struct buf_view){nul + 1, field->size - n - 1};
	if (e->digest.size == 0 ||
	    (size_of(e->algorithm) && e->digest.size != size_of(e->algorithm)))
		return why_set(ret_why, -EBADMSG, "IMA list: a %s digest of %zu bytes",
			       e->algorithm, e->digest.size);
	return 0;
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

/* d-ng, n-ng and, with ima-sig, sig: each after its size, and nothing else. */
static int split_ng(struct imalog_entry *e, struct why *ret_why)
{
	struct buf_reader r = buf_reader_of(e->data.data, e->data.size);
	struct buf_view digest, name;
	int n = take_sized(&r, IMALOG_MAX_ALGORITHM + 1 + IMALOG_MAX_DIGEST, "a digest", &digest,
			   ret_why);

	if (n >= 0)
		n = take_sized(&r, IMALOG_MAX_NAME, "a name", &name, ret_why);
	if (n >= 0 && e->template == IMALOG_SIG)
		n = take_sized(&r, IMALOG_MAX_DATA, "a signature", &e->signature, ret_why);
	if (n == -EAGAIN || (n >= 0 && buf_left(&r) > 0))
		return why_set(ret_why, -EBADMSG,
			       "IMA list: the parts of an entry are not as long as it says");
	if (n >= 0)
		n = split_digest(&digest, e, ret_why);
	return n < 0 ? n : split_name(&name, e, ret_why);
}

/* The oldest has no size of the whole: 20 bytes and a name without NUL. */
static int take_old(struct buf_reader *r, struct imalog_entry *e, struct why *ret_why)
{
	size_t from = r->at;
	struct buf_view name;
	int n = take(r, OLD_DIGEST, &e->digest);

	if (n >= 0)
		n = take_sized(r, MAX_OLD_NAME, "a name", &name, ret_why);
	if (n < 0)
		return n;
	if (memchr(name.data, '\0', name.size))
		return why_set(ret_why, -EBADMSG, "IMA list: a name with a NUL in it");
	memcpy(e->algorithm, "sha1", sizeof("sha1"));
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
	if (is_name(&e->template_name, "ima-ng"))
		e->template = IMALOG_NG;
	else if (is_name(&e->template_name, "ima-sig"))
		e->template = IMALOG_SIG;
	return n < 0 || e->template == IMALOG_OTHER ? n : split_ng(e, ret_why);
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
	return strcmp(e->algorithm, "sha256") == 0 && e->digest.size == 32;
}
