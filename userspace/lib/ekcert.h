/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ekcert.h: is this EK certificate one of a TPM whose maker we know (TCG EK Credential Profile)? In: DER (may be followed by
 * padding), the EK's TPM2B_PUBLIC, anchors. Out: what the certificate says, or the reason for refusal. Pure.
 */
#ifndef PLUMB_EKCERT_H
#define PLUMB_EKCERT_H

#include <stdbool.h>
#include <stdint.h>
#include "buf.h"
#include "digest.h"
#include "fsio.h"
#include "why.h"

struct ekcert_anchors;

/*
 * PEM bundles, or directories whose *.pem are such: roots and intermediates of vendors; emulated: a separate file for software TPMs, NULL:
 * none accepted.
 */
int ekcert_anchors_open(const struct fsio *io, const char *const *vendor_files, uint32_t n_files, const char *emulated_file,
			struct ekcert_anchors **ret, struct why *ret_why);
struct ekcert_anchors *ekcert_anchors_free(struct ekcert_anchors *a);

/* A chip outlives its certificate: one whose time is over is taken if its chain was good on the day that it was issued. */
void ekcert_anchors_allow_expired(struct ekcert_anchors *a, bool allow);

struct ekcert_info {
	char manufacturer[64], model[64], version[64];	/* from the SAN */
	struct digest fingerprint;			/* of the DER */
	bool emulated;					/* its anchor came from the emulated file */
	bool expired;					/* its time, or its maker's, is over, and that is allowed */
};

/* The acceptance list of docs/design.md; -EKEYREJECTED with the reason. */
int ekcert_check(const struct ekcert_anchors *a, const void *der, size_t size, const void *ek_public, size_t ek_size,
		 uint64_t now_s, struct ekcert_info *ret, struct why *ret_why);

#endif
