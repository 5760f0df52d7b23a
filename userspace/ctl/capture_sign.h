/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capture_sign.h: signs a baseline in place. In: a document that was captured or written, a private key. Out: the same document with
 * this key's signature in line 1, or the old one untouched.
 */
#ifndef PLUMB_CAPTURE_SIGN_H
#define PLUMB_CAPTURE_SIGN_H

#include "fsio.h"
#include "sign.h"
#include "why.h"

/* Checked before: count, SHA-256, order (-EBADMSG). */
int capture_sign(const struct fsio *io, const char *path, const struct sign_key *key, struct why *ret_why);

#endif
