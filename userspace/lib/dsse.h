/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dsse.h: Dead Simple Signing Envelope v1. In: payload bytes and keys, or a foreign envelope. Out: JSON, or the payload that was verified.
 */
#ifndef PLUMB_DSSE_H
#define PLUMB_DSSE_H

#include <stdint.h>
#include "buf.h"
#include "sign.h"
#include "why.h"

#define DSSE_MAX_SIGNATURES 8

/* One line of JSON: {"payload":b64,"payloadType":type,"signatures":[{"keyid":hex,"sig":b64},…]}. Appends. */
int dsse_sign(const char *type, const void *payload, size_t size, const struct sign_key *const *keys, uint32_t n_keys, struct buf *ret);
/*
 * Appends the payload to ret only after one of the given keys verified it and the type agreed. ret_key: index of that key; may be NULL.
 * -EBADMSG malformed, -EKEYREJECTED no given key signed it.
 */
int dsse_open(const void *envelope, size_t size, size_t max_payload, const char *type, const struct sign_key *const *keys,
	      uint32_t n_keys, struct buf *ret, uint32_t *ret_key, struct why *ret_why);
/* Without any verification, to show people an unsigned or unknown document. */
int dsse_peek(const void *envelope, size_t size, size_t max_payload, struct buf *ret_payload, struct buf *ret_type, struct why *ret_why);
/* The pre-authentication encoding, for signatures made elsewhere. Appends. */
int dsse_pae(const char *type, const void *payload, size_t size, struct buf *ret);

#endif
