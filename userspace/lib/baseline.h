/* SPDX-License-Identifier: Apache-2.0 */
/*
 * baseline.h: the signed reference set. In: a file (BORDER; docs/baseline.md): line 1 a DSSE envelope of the header, then JSON
 * lines sorted by (scope, key). Out: a packed, sorted table that is mapped and searched; no JSON tree of entries.
 *
 * Header payload: {"v":1,"name":text,"version":n,"created":t,"count":n,"sha256":hex of all bytes after line 1,
 *                  "scopes":["host",…],"closed":["exec:","module:","file:/etc/ssh/",…]}
 * Entry:          {"s":"host","k":"file:/etc/passwd","x":"reg 0644 0:0 1234 sha256:…"} ; for exec {"s":"host","k":"exec:sha256:<hex>","x":"<path>"}
 */
#ifndef PLUMB_BASELINE_H
#define PLUMB_BASELINE_H

#include <stdbool.h>
#include <stdint.h>
#include "buf.h"
#include "digest.h"
#include "fsio.h"
#include "sign.h"
#include "why.h"

#define BASELINE_MAX_ENTRIES 4000000u
#define BASELINE_MAX_CLOSED 256u
#define BASELINE_MAX_SCOPES 64u

struct baseline;	/* immutable once open */

struct baseline_info {
	char name[128];
	uint64_t version;
	uint64_t created_ns;
	uint64_t count;
	struct digest document;		/* SHA-256 of the whole file: its name on the wire */
	char signer[DIGEST_HEX_SIZE];	/* key id; "" when opened without keys */
};

/*
 * Opens and verifies: signature by one of keys (NULL: not verified, signer ""; a list without one: -EKEYREJECTED), count, SHA-256, order, no duplicates.
 * -EBADMSG broken, -EKEYREJECTED wrong or no key, -ESTALE version below min_version, -ENOENT.
 */
int baseline_open(const struct fsio *io, const char *path, const struct sign_key *const *keys, uint32_t n_keys,
		  uint64_t min_version, struct baseline **ret, struct why *ret_why);
struct baseline *baseline_free(struct baseline *b);
const struct baseline_info *baseline_info(const struct baseline *b);	/* borrowed */
bool baseline_has_scope(const struct baseline *b, const char *scope);
bool baseline_is_closed(const struct baseline *b, const char *key);	/* an unlisted key under a closed prefix is drift */
/* What the header lists, in its order; NULL beyond. Borrowed. */
const char *baseline_scope(const struct baseline *b, uint32_t i);
const char *baseline_closed(const struct baseline *b, uint32_t i);
/* Expected value of (scope, key), or NULL. Borrowed. */
const char *baseline_expected(const struct baseline *b, const char *scope, const char *key);
/* In order; each entry once. fn returns 0 to go on. */
int baseline_each(const struct baseline *b, int (*fn)(void *ctx, const char *scope, const char *key, const char *expected), void *ctx);

#endif
