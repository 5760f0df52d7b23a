/* SPDX-License-Identifier: Apache-2.0 */
/*
 * imalog.h: reads the kernel's list of IMA measurements (binary_runtime_measurements, little-endian), one entry after the other.
 * In: foreign bytes. Out: entries, borrowed from them. Strict: what an entry says of its sizes must be so to the byte. Pure.
 *
 * Taken apart are the kernel's own templates and those whose name is a list of its fields (d-ng|n-ng|sig); of any other the bytes are handed
 * out whole, for whoever replays a PCR.
 */
#ifndef PLUMB_IMALOG_H
#define PLUMB_IMALOG_H

#include <stdbool.h>
#include <stdint.h>
#include "buf.h"
#include "why.h"

#define IMALOG_MAX_TEMPLATE 128u	/* bytes of a template's name, which may list its fields */
#define IMALOG_MAX_DATA (128u * 1024)	/* bytes of one entry's data: a signature, a key, a command line */
#define IMALOG_MAX_NAME 4096u		/* of a file, its NUL included */
#define IMALOG_MAX_DIGEST 64u
#define IMALOG_MAX_ALGORITHM 16u	/* with NUL */

enum imalog_template {
	IMALOG_OTHER = 0,		/* not known: nothing but its data is told */
	IMALOG_IMA = 1,
	IMALOG_NG = 2,
	IMALOG_SIG = 3,
	IMALOG_FIELDS = 4,		/* any other list of fields that are known */
};

struct imalog_digest {			/* empty: the template has none */
	char algorithm[IMALOG_MAX_ALGORITHM];	/* "sha256" */
	struct buf_view bytes;
};

struct imalog_entry {			/* borrowed from what was read */
	uint32_t pcr;
	enum imalog_template template;
	bool violation;			/* the template digest is zeros: the file was open for writing; nothing was measured */
	struct buf_view template_digest;
	struct buf_view template_name;
	struct buf_view data;		/* all that the template digest is over; for "ima" the name is padded to 256 bytes there */
	/* each only where the template has it */
	struct imalog_digest file;
	bool verity;			/* it is of the file's fs-verity root */
	bool misnamed;			/* no register has the template's name, and its data may be another one's: a digest or signature where it has none */
	const char *name;		/* its path; ends with NUL, but for "ima": name_size; NULL: the template has none */
	size_t name_size;		/* without NUL */
	struct buf_view signature;	/* the file's attribute security.ima, when it is a signature */
	struct buf_view buffer;		/* what was measured instead of a file: a key, a command line */
	struct imalog_digest unsigned_file;	/* without the signature that is appended to it */
	struct buf_view modsig;		/* that signature, PKCS #7 */
};

/* digest_size: of the template digests of this list: 20, or 32 in the list of the SHA-256 bank. 1: an entry; 0: the end; -EBADMSG: it is none, with why. */
int imalog_next(struct buf_reader *r, size_t digest_size, struct imalog_entry *ret, struct why *ret_why);
/* Bytes of the whole entries in front, at most max of them, and their number; what is cut short at the end is left out. -EBADMSG as above. */
int imalog_whole(const void *data, size_t size, size_t digest_size, size_t max, size_t *ret_size, uint64_t *ret_n, struct why *ret_why);
bool imalog_is_sha256(const struct imalog_entry *e);

#endif
