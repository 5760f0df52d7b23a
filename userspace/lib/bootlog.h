/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bootlog.h: reads the firmware's log of what was measured at boot (TCG PC Client Platform Firmware Profile, 10; binary_bios_measurements,
 * little-endian), one event after the other. In: foreign bytes. Out: events, borrowed from them. Strict: sizes, header and digests of each
 * event must be so to the byte; an error says which event and at which byte. What an event means is not looked at. Pure.
 */
#ifndef PLUMB_BOOTLOG_H
#define PLUMB_BOOTLOG_H

#include <stdbool.h>
#include <stdint.h>
#include "buf.h"
#include "why.h"

#define BOOTLOG_MAX (4u << 20)		/* bytes of a log */
#define BOOTLOG_MAX_EVENTS 16384u
#define BOOTLOG_MAX_DATA (1u << 20)	/* of one event */
#define BOOTLOG_MAX_BANKS 8u
#define BOOTLOG_MAX_DIGEST 64u
#define BOOTLOG_N_PCRS 24u

/* Event types (same, 10.4.1). */
enum bootlog_type {
	BOOTLOG_POST_CODE = 1, BOOTLOG_NO_ACTION = 3, BOOTLOG_SEPARATOR = 4, BOOTLOG_ACTION = 5, BOOTLOG_EVENT_TAG = 6,
	BOOTLOG_CRTM_CONTENTS = 7, BOOTLOG_CRTM_VERSION = 8, BOOTLOG_IPL = 0xd, BOOTLOG_OMIT_BOOT_DEVICE = 0x12, BOOTLOG_POST_CODE2 = 0x13,
	BOOTLOG_EFI_VARIABLE = 0x80000001, BOOTLOG_EFI_BOOT = 0x80000002, BOOTLOG_EFI_APP = 0x80000003, BOOTLOG_EFI_DRIVER = 0x80000004,
	BOOTLOG_EFI_GPT = 0x80000006, BOOTLOG_EFI_ACTION = 0x80000007, BOOTLOG_EFI_BOOT2 = 0x8000000c, BOOTLOG_EFI_GPT2 = 0x8000000d,
	BOOTLOG_EFI_HCRTM = 0x80000010, BOOTLOG_EFI_AUTHORITY = 0x800000e0, BOOTLOG_EFI_SPDM_POLICY = 0x800000e3,
};

/* TPM_ALG_ID */
enum { BOOTLOG_SHA1 = 4, BOOTLOG_SHA256 = 0xb, BOOTLOG_SHA384 = 0xc, BOOTLOG_SHA512 = 0xd };

enum {					/* what a caller lets pass */
	BOOTLOG_PADDING = 1u << 0,	/* nothing but 00 or ff after the last event */
};

struct bootlog_bank { uint16_t alg, size; };

struct bootlog {			/* plain; a place in the log */
	struct buf_reader r;
	unsigned int flags;
	bool agile;			/* false: the old form, without header and with SHA-1 alone */
	uint32_t n_banks, n;		/* n: number of the next event; the header is 0 */
	struct bootlog_bank banks[BOOTLOG_MAX_BANKS];
};

struct bootlog_event {			/* borrowed from the log */
	uint32_t number;		/* counted from 1, as tpm2_eventlog does */
	size_t at;			/* its first byte in the log */
	uint32_t pcr, type;		/* pcr: below BOOTLOG_N_PCRS, or 0xffffffff, of no register, of an EV_NO_ACTION alone */
	const uint8_t *digests[BOOTLOG_MAX_BANKS];	/* in the order of bootlog.banks */
	struct buf_view data;
};

/* 0, or -EBADMSG, -E2BIG with why. The header is read. */
int bootlog_open(const void *data, size_t size, unsigned int flags, struct bootlog *ret, struct why *ret_why);
/* 1: an event; 0: the end; -EBADMSG: it is none, with why. */
int bootlog_next(struct bootlog *b, struct bootlog_event *ret, struct why *ret_why);
int bootlog_bank(const struct bootlog *b, uint16_t alg);	/* index; -ENOENT */
/* -EBADMSG with "boot log: event N at byte M: …". */
int bootlog_fault(const struct bootlog_event *e, struct why *ret_why, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
