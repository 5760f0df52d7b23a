/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkpoint.h: C2SP tlog-checkpoint text and signed-note lines (signed-note, tlog-cosignature).
 * In: origin, size, root; notes. Out: text, the PCR's digest, signature lines. Pure.
 */
#ifndef PLUMB_CHECKPOINT_H
#define PLUMB_CHECKPOINT_H

#include <stdint.h>
#include "buf.h"
#include "digest.h"
#include "sign.h"
#include "why.h"

#define CHECKPOINT_MAX_ORIGIN 512	/* bytes with NUL */
#define CHECKPOINT_MAX_TEXT 640
#define CHECKPOINT_MAX_NOTE_LINE 1024

struct checkpoint {
	char origin[CHECKPOINT_MAX_ORIGIN];	/* <log name>/node/<node id>/<incarnation>.<drawn at enrolment> */
	uint64_t size;
	struct digest root;
};

int checkpoint_text(const struct checkpoint *c, char ret[CHECKPOINT_MAX_TEXT], size_t *ret_size);	/* three lines, LF at each end */
int checkpoint_parse(const char *text, size_t size, struct checkpoint *ret, struct why *ret_why);	/* exactly three lines */
int checkpoint_digest(const struct checkpoint *c, struct digest *ret);	/* SHA-256 of the text: what is extended */
/* PCR' = SHA-256(PCR ‖ digest). */
int checkpoint_fold(struct digest *pcr, const struct digest *digest);

/* One signature line, "— <name> <base64(key id ‖ signature)>" without LF. */
enum checkpoint_sig { CHECKPOINT_SIG_ED25519 = 1, CHECKPOINT_SIG_P256 = 2, CHECKPOINT_SIG_COSIGN = 4 };

int checkpoint_key_id(enum checkpoint_sig type, const char *name, const struct sign_key *key, uint8_t ret[4]);
int checkpoint_note_line(enum checkpoint_sig type, const char *name, const struct sign_key *key, const void *sig,
			 size_t sig_size, struct buf *ret);		/* from a raw signature, e.g. the TPM's DER */
int checkpoint_sign(const struct checkpoint *c, enum checkpoint_sig type, const char *name, const struct sign_key *key,
		    uint64_t time_s, struct buf *ret);			/* time_s: cosignatures only */
/* 0: the line is this key's valid signature. -ENOENT: of another key. -EBADMSG: malformed or false. ret_time_s may be NULL. */
int checkpoint_check(const struct checkpoint *c, enum checkpoint_sig type, const char *name, const struct sign_key *key,
		     const char *line, size_t line_size, uint64_t *ret_time_s, struct why *ret_why);

#endif
