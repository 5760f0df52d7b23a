/* SPDX-License-Identifier: Apache-2.0 */
#include "bootlog.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"

#define SIGNATURE "Spec ID Event03"
#define OLD_SIGNATURE "Spec ID Event00"
#define OLD_SIGNATURE_SIZE sizeof(OLD_SIGNATURE)
#define OLD_DIGEST 20
#define NO_PCR 0xffffffffu

int bootlog_fault(const struct bootlog_event *e, struct why *ret_why, const char *format, ...)
{
	char text[200];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	return why_set(ret_why, -EBADMSG, "boot log: event %u at byte %zu: %s", e->number, e->at,
		       text);
}

/* 0: an algorithm that nobody here knows, of any size. */
static uint16_t known_size(uint16_t alg)
{
	static const struct bootlog_bank known[] = {
		{BOOTLOG_SHA1, 20},   {BOOTLOG_SHA256, 32}, {BOOTLOG_SHA384, 48},
		{BOOTLOG_SHA512, 64}, {0x12, 32},	    {0x27, 32},
		{0x28, 48},	      {0x29, 64},
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (known[i].alg == alg)
			return known[i].size;
	return 0;
}

static int read_bank(struct buf_reader *r, struct bootlog *b, const struct bootlog_event *e,
		     struct why *ret_why)
{
	struct bootlog_bank *k = &b->banks[b->n_banks];

	if (buf_read_u16le(r, &k->alg) < 0 || buf_read_u16le(r, &k->size) < 0)
		return bootlog_fault(e, ret_why, "the header's list of algorithms is cut short");
	if (k->size == 0 || k->size > BOOTLOG_MAX_DIGEST ||
	    (known_size(k->alg) && known_size(k->alg) != k->size))
		return bootlog_fault(e, ret_why, "algorithm %#x has digests of %u bytes", k->alg,
				     k->size);
	if (bootlog_bank(b, k->alg) >= 0)
		return bootlog_fault(e, ret_why, "algorithm %#x twice in the header", k->alg);
	b->n_banks++;
	return 0;
}

/* TCG_EfiSpecIDEvent, to its last byte. */
static int read_spec_id(struct bootlog *b, const struct bootlog_event *e, struct why *ret_why)
{
	struct buf_reader r = buf_reader_of(e->data.data, e->data.size);
	struct buf_view skip;
	uint8_t minor, major, errata, uintn, vendor;
	uint32_t class, n;
	int result = 0;

	if (buf_read_bytes(&r, sizeof(SIGNATURE), &skip) < 0 || buf_read_u32le(&r, &class) < 0 ||
	    buf_read_u8(&r, &minor) < 0 || buf_read_u8(&r, &major) < 0 ||
	    buf_read_u8(&r, &errata) < 0 || buf_read_u8(&r, &uintn) < 0 ||
	    buf_read_u32le(&r, &n) < 0)
		return bootlog_fault(e, ret_why, "the header is cut short");
	if (major != 2 || uintn < 1 || uintn > 2)
		return bootlog_fault(e, ret_why, "version %u.%u with words of %u is not known",
				     major, minor, uintn);
	if (n == 0 || n > BOOTLOG_MAX_BANKS)
		return bootlog_fault(e, ret_why, "%u algorithms, at most %u are allowed", n,
				     BOOTLOG_MAX_BANKS);
	while (n-- > 0 && result >= 0)
		result = read_bank(&r, b, e, ret_why);
	if (result < 0)
		return result;
	if (buf_read_u8(&r, &vendor) < 0 || buf_left(&r) != vendor)
		return bootlog_fault(e, ret_why, "the vendor's part is not of the size it says");
	b->agile = true;
	return 0;
}

static int read_data(struct bootlog *b, struct bootlog_event *e, struct why *ret_why)
{
	uint32_t size;

	if (buf_read_u32le(&b->r, &size) < 0)
		return bootlog_fault(e, ret_why, "cut short before its size");
	if (size > BOOTLOG_MAX_DATA)
		return bootlog_fault(e, ret_why, "%u bytes of data, at most %u are allowed", size,
				     BOOTLOG_MAX_DATA);
	if (buf_read_bytes(&b->r, size, &e->data) < 0)
		return bootlog_fault(e, ret_why, "%u bytes of data, and the log has %zu left", size,
				     buf_left(&b->r));
	return 0;
}

/* The form of TPM 1.2, which is also that of the header. */
static int read_old(struct bootlog *b, struct bootlog_event *e, struct why *ret_why)
{
	struct buf_view digest;

	if (buf_read_bytes(&b->r, OLD_DIGEST, &digest) < 0)
		return bootlog_fault(e, ret_why, "cut short in its digest");
	e->digests[0] = digest.data;
	return read_data(b, e, ret_why);
}

static int read_digest(struct bootlog *b, struct bootlog_event *e, struct why *ret_why)
{
	struct buf_view digest;
	uint16_t alg;
	int i;

	if (buf_read_u16le(&b->r, &alg) < 0)
		return bootlog_fault(e, ret_why, "cut short in its digests");
	i = bootlog_bank(b, alg);
	if (i < 0)
		return bootlog_fault(e, ret_why,
				     "a digest of algorithm %#x, which the header lacks", alg);
	if (e->digests[i])
		return bootlog_fault(e, ret_why, "two digests of algorithm %#x", alg);
	if (buf_read_bytes(&b->r, b->banks[i].size, &digest) < 0)
		return bootlog_fault(e, ret_why, "cut short in its digests");
	e->digests[i] = digest.data;
	return 0;
}

static int read_agile(struct bootlog *b, struct bootlog_event *e, struct why *ret_why)
{
	uint32_t n;

	if (buf_read_u32le(&b->r, &n) < 0)
		return bootlog_fault(e, ret_why, "cut short before its digests");
	if (n != b->n_banks)
		return bootlog_fault(e, ret_why, "%u digests, and the header has %u algorithms", n,
				     b->n_banks);
	for (uint32_t i = 0; i < n; i++) {
		int r = read_digest(b, e, ret_why);

		if (r < 0)
			return r;
	}
	return read_data(b, e, ret_why);
}

static int read_event(struct bootlog *b, struct bootlog_event *e, struct why *ret_why)
{
	*e = (struct bootlog_event){.number = b->n, .at = b->r.at};
	if (b->n > BOOTLOG_MAX_EVENTS)
		return bootlog_fault(e, ret_why, "more than %u events", BOOTLOG_MAX_EVENTS);
	if (buf_read_u32le(&b->r, &e->pcr) < 0 || buf_read_u32le(&b->r, &e->type) < 0)
		return bootlog_fault(e, ret_why, "cut short before its type");
	/* Reference manifests and the like (TCG PC Client PFP, EV_NO_ACTION): they are of no register, and nothing rests on them. */
	if (e->pcr == NO_PCR && e->type == BOOTLOG_NO_ACTION)
		return 0;
	if (e->pcr >= BOOTLOG_N_PCRS)
		return bootlog_fault(e, ret_why, "PCR %u", e->pcr);
	return 0;
}

static bool is_padding(const struct bootlog *b)
{
	const uint8_t *p = b->r.data + b->r.at, fill = p[0];
	size_t left = buf_left(&b->r);

	return (fill == 0 || fill == 0xff) && (left == 1 || memcmp(p, p + 1, left - 1) == 0);
}

int bootlog_next(struct bootlog *b, struct bootlog_event *ret, struct why *ret_why)
{
	const size_t at = b->r.at;
	struct bootlog_event e;
	int r;

	if (buf_left(&b->r) == 0)
		return 0;
	if ((b->flags & BOOTLOG_PADDING) && is_padding(b)) {
		b->r.at = b->r.size;
		return 0;
	}
	r = read_event(b, &e, ret_why);
	if (r >= 0)
		r = b->agile ? read_agile(b, &e, ret_why) : read_old(b, &e, ret_why);
	if (r < 0) {
		b->r.at = at;
		return r;
	}
	b->n++;
	*ret = e;
	return 1;
}

static bool is_header(const struct bootlog_event *e)
{
	return e->type == BOOTLOG_NO_ACTION && e->data.size >= sizeof(SIGNATURE) &&
	       memcmp(e->data.data, SIGNATURE, sizeof(SIGNATURE)) == 0;
}

/* No header of the new form: the first event is a measurement, or the old form's own header. */
static int open_old(struct bootlog *b, const struct bootlog_event *first, struct why *ret_why)
{
	if (first->type == BOOTLOG_NO_ACTION &&
	    (first->data.size < OLD_SIGNATURE_SIZE ||
	     memcmp(first->data.data, OLD_SIGNATURE, OLD_SIGNATURE_SIZE) != 0))
		return bootlog_fault(first, ret_why, "it is neither a header nor a measurement");
	b->banks[0] = (struct bootlog_bank){BOOTLOG_SHA1, OLD_DIGEST};
	b->n_banks = 1;
	b->n = 1;
	b->r.at = 0;
	return 0;
}

int bootlog_open(const void *data, size_t size, unsigned int flags, struct bootlog *ret,
		 struct why *ret_why)
{
	struct bootlog b = {.r = buf_reader_of(data, size), .flags = flags};
	struct bootlog_event e;
	static const uint8_t zeros[OLD_DIGEST];
	int r;

	if (size > BOOTLOG_MAX)
		return why_set(ret_why, -E2BIG, "boot log: %zu bytes, at most %u are allowed", size,
			       BOOTLOG_MAX);
	if (size == 0)
		return why_set(ret_why, -EBADMSG, "boot log: it is empty");
	r = read_event(&b, &e, ret_why);
	if (r >= 0)
		r = read_old(&b, &e, ret_why);
	if (r < 0)
		return r;
	if (!is_header(&e)) {
		r = open_old(&b, &e, ret_why);
	} else {
		if (e.pcr != 0 || memcmp(e.digests[0], zeros, OLD_DIGEST) != 0)
			return bootlog_fault(&e, ret_why, "the header is of PCR %u or has a digest",
					     e.pcr);
		r = read_spec_id(&b, &e, ret_why);
		b.n = 1;
	}
	if (r >= 0)
		*ret = b;
	return r;
}

int bootlog_bank(const struct bootlog *b, uint16_t alg)
{
	for (uint32_t i = 0; i < b->n_banks; i++)
		if (b->banks[i].alg == alg)
			return (int)i;
	return -ENOENT;
}
