/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry_challenge.h: what a registry says of where tokens are had (WWW-Authenticate: Bearer …), and a token's document. Pure. In: foreign
 * text. Out: the URL to ask for one that may read a repository; the token.
 */
#ifndef PLUMB_REGISTRY_CHALLENGE_H
#define PLUMB_REGISTRY_CHALLENGE_H

#include <stdbool.h>
#include <stddef.h>
#include "buf.h"
#include "why.h"

#define REGISTRY_CHALLENGE_MAX 1024u
#define REGISTRY_CHALLENGE_MAX_TOKEN 8192u	/* with NUL */
#define REGISTRY_CHALLENGE_MAX_DOCUMENT 32768u

/* plain: the registry is spoken to in the clear, so its tokens may be. Appends. -EACCES: another kind, or nowhere that we ask. */
int registry_challenge_url(const char *challenge, const char *repository, bool plain, struct buf *ret);
/* -EBADMSG: no token in it, or one that is no header's value. */
int registry_challenge_token(const void *document, size_t size, char ret[REGISTRY_CHALLENGE_MAX_TOKEN], struct why *ret_why);

#endif
