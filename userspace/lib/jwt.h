/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jwt.h: compact JWS with ES256 (RFC 7515, RFC 7518 3.4) and JWK sets. In: a claims object as JSON, a P-256 key. Out: text.
 */
#ifndef PLUMB_JWT_H
#define PLUMB_JWT_H

#include "buf.h"
#include "sign.h"
#include "why.h"

int jwt_sign(const char *claims, size_t size, const struct sign_key *key, struct buf *ret);	/* header: alg ES256, typ JWT, kid = key id hex */
int jwt_open(const char *jwt, size_t size, const struct sign_key *key, struct buf *ret_claims, struct why *ret_why);
/* By whichever key of a JWK set (foreign; P-256 for ES256 alone counts) it is signed with. -EKEYREJECTED: by none of them. */
int jwt_open_by_set(const char *jwt, size_t size, const char *set, size_t set_size, struct buf *ret_claims, struct why *ret_why);
int jwt_jwks(const struct sign_key *const *keys, uint32_t n_keys, struct buf *ret);

#endif
