/* SPDX-License-Identifier: Apache-2.0 */
#include "bootlog_check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bootlog_efi.h"
#include "cleanup.h"
#include "digest.h"

#define FIRMWARE_PCRS 8u
#define MAX_VARIABLES 48u
#define BIT(pcr) (1u << (pcr))

/* What every firmware measures as it is: the digest tells it, whatever the type says. */
static const struct well_known {
	const char *bytes;
	size_t size;
	uint32_t type;
} well_known[] = {
#define ACTION(text)                                       \
	{                                                  \
		text, sizeof(text) - 1, BOOTLOG_EFI_ACTION \
	}
	{"\0\0\0\0", 4, BOOTLOG_SEPARATOR},
	{"\xff\xff\xff\xff", 4, BOOTLOG_SEPARATOR},
	ACTION("Calling EFI Application from Boot Option"),
	ACTION("Returning from EFI Application from Boot Option"),
	ACTION("Exit Boot Services Invocation"),
	ACTION("Exit Boot Services Returned with Success"),
	ACTION("Exit Boot Services Returned with Failure"),
#undef ACTION
};
#define N_WELL_KNOWN ARRAY_SIZE(well_known)

struct variable {
	const uint8_t *guid;
	char name[BOOTLOG_EFI_MAX_NAME];
};

struct bootlog_check {
	struct digest known[N_WELL_KNOWN];
	struct digest error; /* a separator that reports one; a boot order may look like it */
	uint32_t separated; /* registers that had their separator */
	int rank; /* of the last of PCR 7's five variables */
	struct variable variables[MAX_VARIABLES];
	uint32_t n_variables;
	uint32_t odd_pcrs;
	struct why first;
	struct buf all;
};

int bootlog_check_open(struct bootlog_check **ret)
{
	struct bootlog_check *c = calloc(1, sizeof(*c));
	int r = c ? 0 : -ENOMEM;

	for (size_t i = 0; i < N_WELL_KNOWN && r >= 0; i++)
		r = digest_sha256(well_known[i].bytes, well_known[i].size, &c->known[i]);
	if (r >= 0)
		r = digest_sha256("\1\0\0\0", 4, &c->error);
	if (r < 0)
		bootlog_check_free(c);
	else
		*ret = c;
	return r;
}

struct bootlog_check *bootlog_check_free(struct bootlog_check *c)
{
	if (c)
		buf_done(&c->all);
	free(c);
	return NULL;
}

/* In the list without the event's number, which an event more before it changes; with its digest, so that no other is meant. */
static void odd(struct bootlog_check *c, const struct bootlog_event *e, const uint8_t *digest,
		const char *format, ...) __attribute__((format(printf, 4, 5)));
static void odd(struct bootlog_check *c, const struct bootlog_event *e, const uint8_t *digest,
		const char *format, ...)
{
	char text[160], hex[DIGEST_HEX_SIZE];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	digest_bytes_hex(digest, DIGEST_SIZE, hex);
	if (!c->first.text[0])
		bootlog_fault(e, &c->first, "PCR %u, type %#x: %s", e->pcr, e->type, text);
	buf_printf(&c->all, "%sPCR %u, type %#x: %s, sha256:%s", c->all.size ? "; " : "", e->pcr,
		   e->type, text, hex);
	c->odd_pcrs |= BIT(e->pcr);
}

static bool is_known_type(uint32_t type)
{
	return type <= 0x13 || (type >= 0x80000001 && type <= 0x8000000d) ||
	       type == BOOTLOG_EFI_HCRTM || (type >= 0x800000e0 && type <= 0x800000e5);
}

static void check_well_known(struct bootlog_check *c, const struct bootlog_event *e,
			     const uint8_t *digest)
{
	for (size_t i = 0; i < N_WELL_KNOWN; i++)
		if (memcmp(digest, c->known[i].bytes, DIGEST_SIZE) == 0 &&
		    e->type != well_known[i].type)
			odd(c, e, digest, "what was measured is %s",
			    well_known[i].type == BOOTLOG_SEPARATOR ? "a separator"
								    : well_known[i].bytes);
}

static void check_separator(struct bootlog_check *c, const struct bootlog_event *e,
			    const uint8_t *digest)
{
	if (c->separated & BIT(e->pcr))
		odd(c, e, digest, "a second separator");
	c->separated |= BIT(e->pcr);
	if (memcmp(digest, c->known[1].bytes, DIGEST_SIZE) == 0)
		odd(c, e, digest, "a separator of ones: an error, or firmware of before UEFI");
	else if (memcmp(digest, c->error.bytes, DIGEST_SIZE) == 0)
		odd(c, e, digest, "the firmware reports an error");
	else if (memcmp(digest, c->known[0].bytes, DIGEST_SIZE) != 0)
		odd(c, e, digest, "not a separator's value");
}

/* 1 to 5 for those that have an order; 0: another. */
static int rank_of(const struct bootlog_efi_variable *v)
{
	if (bootlog_efi_is(v, bootlog_efi_global, "SecureBoot"))
		return 1;
	if (bootlog_efi_is(v, bootlog_efi_global, "PK"))
		return 2;
	if (bootlog_efi_is(v, bootlog_efi_global, "KEK"))
		return 3;
	if (bootlog_efi_is(v, bootlog_efi_security, "db"))
		return 4;
	return bootlog_efi_is(v, bootlog_efi_security, "dbx") ? 5 : 0;
}

static bool is_again(struct bootlog_check *c, const struct bootlog_efi_variable *v)
{
	for (uint32_t i = 0; i < c->n_variables; i++)
		if (bootlog_efi_is(v, c->variables[i].guid, c->variables[i].name))
			return true;
	/* Where there are too many, each is taken for one that was there. */
	if (c->n_variables == MAX_VARIABLES)
		return true;
	c->variables[c->n_variables].guid = v->guid;
	memcpy(c->variables[c->n_variables++].name, v->name, sizeof(v->name));
	return false;
}

static void check_variable(struct bootlog_check *c, const struct bootlog_event *e,
			   const uint8_t *digest)
{
	struct bootlog_efi_variable v;
	int rank;

	if (bootlog_efi_variable(&e->data, &v) < 0) {
		odd(c, e, digest, "it holds no variable");
		return;
	}
	rank = rank_of(&v);
	if (c->separated & BIT(7))
		odd(c, e, digest, "variable %s after the separator", v.name);
	else if (is_again(c, &v))
		odd(c, e, digest, "variable %s twice", v.name);
	else if (rank && rank <= c->rank)
		odd(c, e, digest, "variable %s out of order", v.name);
	if (rank)
		c->rank = rank;
}

/* "UEFI Debug Mode", "DMA Protection Disabled". The digest stands beside it. */
static void printable(const struct buf_view *data, char *ret, size_t size)
{
	size_t n = data->size < size - 1 ? data->size : size - 1;

	for (size_t i = 0; i < n; i++)
		ret[i] = data->data[i] < 0x20 || data->data[i] > 0x7e ? '?' : (char)data->data[i];
	ret[n] = 0;
}

static void check_secure(struct bootlog_check *c, const struct bootlog_event *e,
			 const uint8_t *digest, const struct bootlog_covered *covered)
{
	struct bootlog_efi_variable v;
	char text[64];

	switch (e->type) {
	case BOOTLOG_EFI_VARIABLE:
		check_variable(c, e, digest);
		break;
	case BOOTLOG_SEPARATOR:
		break;
	case BOOTLOG_EFI_AUTHORITY:
		if (!(c->separated & BIT(7)))
			odd(c, e, digest, "an authority before the separator");
		else if (bootlog_efi_variable(covered->extra ? &covered->bytes : &e->data, &v) < 0)
			odd(c, e, digest, "it holds no variable");
		break;
	case BOOTLOG_EFI_ACTION:
		printable(&e->data, text, sizeof(text));
		odd(c, e, digest, "%s", text);
		break;
	default:
		odd(c, e, digest, "nothing of this type belongs there");
	}
}

static void check_firmware(struct bootlog_check *c, const struct bootlog_event *e,
			   const uint8_t *digest, const struct bootlog_covered *covered)
{
	if (!is_known_type(e->type))
		odd(c, e, digest, "an unknown type");
	check_well_known(c, e, digest);
	if (e->pcr == 4 && e->type == BOOTLOG_EFI_APP && !(c->separated & BIT(4)))
		odd(c, e, digest, "a program before the separator");
	if (e->pcr == 7)
		check_secure(c, e, digest, covered);
	else if (e->type == BOOTLOG_EFI_AUTHORITY)
		odd(c, e, digest, "an authority outside PCR 7");
	if (e->type == BOOTLOG_SEPARATOR)
		check_separator(c, e, digest);
}

int bootlog_check_event(struct bootlog_check *c, const struct bootlog_event *e, uint32_t bank,
			const struct bootlog_covered *covered)
{
	const uint8_t *digest = e->digests[bank];

	if (e->type == BOOTLOG_NO_ACTION)
		return 0;
	if (covered->cover == BOOTLOG_LIE)
		odd(c, e, digest, "its data is not what was measured");
	else if (covered->extra)
		odd(c, e, digest, "one byte more than was measured");
	else if (e->pcr == 8 && covered->cover != BOOTLOG_COVERED)
		odd(c, e, digest, "what was measured is not in the log");
	if (e->pcr < FIRMWARE_PCRS)
		check_firmware(c, e, digest, covered);
	return buf_status(&c->all);
}

int bootlog_check_end(struct bootlog_check *c)
{
	for (uint32_t i = 0; i < FIRMWARE_PCRS; i++) {
		if (c->separated & BIT(i))
			continue;
		if (!c->first.text[0])
			why_set(&c->first, 0, "boot log: PCR %u has no separator", i);
		buf_printf(&c->all, "%sPCR %u: no separator", c->all.size ? "; " : "", i);
		c->odd_pcrs |= BIT(i);
	}
	return buf_status(&c->all);
}

uint32_t bootlog_check_pcrs(const struct bootlog_check *c)
{
	return c->odd_pcrs;
}

const char *bootlog_check_first(const struct bootlog_check *c)
{
	return c->first.text;
}

struct buf_view bootlog_check_all(const struct bootlog_check *c)
{
	return (struct buf_view){c->all.data, c->all.size};
}
