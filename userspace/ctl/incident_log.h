/* SPDX-License-Identifier: Apache-2.0 */
/*
 * incident_log.h: lines of the verifier's own log with what proves that they are in it: a signed checkpoint, and the path of hashes from each line
 * to its root. In: foreign bytes, keys. Out: how many lines hold, or what does not. Pure.
 */
#ifndef PLUMB_INCIDENT_LOG_H
#define PLUMB_INCIDENT_LOG_H

#include <stdint.h>
#include "buf.h"
#include "checkpoint.h"
#include "sign.h"
#include "why.h"

#define INCIDENT_LOG_MAX (512u << 20)	/* bytes of lines, and of proofs */

/*
 * A signed note (text, empty line, signature lines) that one of these Ed25519 keys signed under its origin's name. -EKEYREJECTED: none did;
 * -EBADMSG: it is none, or a signature by one of them is false.
 */
int incident_log_note(const char *note, size_t size, const struct sign_key *const *keys, uint32_t n_keys, struct checkpoint *ret,
		      struct why *ret_why);
/* lines: each with LF, in order; proofs: {"line":n,"hashes":[b64…]} each with LF, one a line. Each line is in the tree of head. */
int incident_log_check(const struct checkpoint *head, const struct buf_view *lines, const struct buf_view *proofs, uint64_t *ret_n,
		       struct why *ret_why);

#endif
