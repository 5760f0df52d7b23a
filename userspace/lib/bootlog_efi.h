/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bootlog_efi.h: what UEFI puts into events: a variable with its name, and lists of signatures (UEFI 32.4.1).
 * In: foreign bytes. Out: views of them, names as text. Strict: sizes must be so to the byte. Pure.
 */
#ifndef PLUMB_BOOTLOG_EFI_H
#define PLUMB_BOOTLOG_EFI_H

#include <stdbool.h>
#include "buf.h"
#include "digest.h"

#define BOOTLOG_EFI_MAX_NAME 64		/* with NUL; longer ones are no variable that counts */
#define BOOTLOG_EFI_GUID 16

/* As they lie in memory. */
extern const uint8_t bootlog_efi_global[BOOTLOG_EFI_GUID];	/* SecureBoot, PK, KEK */
extern const uint8_t bootlog_efi_security[BOOTLOG_EFI_GUID];	/* db, dbx */
extern const uint8_t bootlog_efi_shim[BOOTLOG_EFI_GUID];

struct bootlog_efi_variable {		/* UEFI_VARIABLE_DATA */
	const uint8_t *guid;
	char name[BOOTLOG_EFI_MAX_NAME];	/* printable ASCII; anything else is refused */
	struct buf_view data;
};
int bootlog_efi_variable(const struct buf_view *event, struct bootlog_efi_variable *ret);	/* -EBADMSG */
bool bootlog_efi_is(const struct bootlog_efi_variable *v, const uint8_t *guid, const char *name);

/* A variable's EFI_SIGNATURE_LISTs: how many entries they have; -EBADMSG: they are none. No bytes: no lists. */
int bootlog_efi_entries(const struct buf_view *lists, uint32_t *ret);
enum bootlog_efi_match { BOOTLOG_EFI_UNCHECKED = -1, /* a digest could not be made */ BOOTLOG_EFI_NOT = 0, BOOTLOG_EFI_CERTIFICATE, BOOTLOG_EFI_HASH, BOOTLOG_EFI_OF_CERTIFICATE };
/*
 * Is what an image was verified by (a certificate, or an image's digest; with the owner's GUID before it, or without) in the lists? By
 * its bytes, or, in a list that denies by it, by the digest of the part that its issuer signed. lists were found good.
 */
enum bootlog_efi_match bootlog_efi_find(const struct buf_view *lists, const struct buf_view *authority);

#endif
