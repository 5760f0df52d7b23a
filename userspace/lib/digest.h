/* SPDX-License-Identifier: Apache-2.0 */
/*
 * digest.h: SHA-256 (OpenSSL), hex and base64.
 * In: bytes. Out: digests and text. Errors: -EIO when OpenSSL fails, -EBADMSG for text that is not strict hex or base64.
 */
#ifndef PLUMB_DIGEST_H
#define PLUMB_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "buf.h"

#define DIGEST_SIZE 32
#define DIGEST_HEX_SIZE 65	/* with NUL */
#define DIGEST_BASE64_SIZE 45	/* of 32 bytes, with NUL */

struct digest {
	uint8_t bytes[DIGEST_SIZE];
};

int digest_sha256(const void *data, size_t size, struct digest *ret);
int digest_sha256_parts(const struct buf_view *parts, size_t n_parts, struct digest *ret);

struct digest_stream;	/* an incremental SHA-256 */
int digest_stream_open(struct digest_stream **ret);
int digest_stream_add(struct digest_stream *s, const void *data, size_t size);
int digest_stream_end(struct digest_stream *s, struct digest *ret);	/* s can be fed anew afterwards */
struct digest_stream *digest_stream_free(struct digest_stream *s);

/* Reads fd from its start to its end with pread; max_size 0: no bound, else -EFBIG beyond it. ret_size may be NULL. */
int digest_fd(int fd, uint64_t max_size, struct digest *ret, uint64_t *ret_size);

bool digest_equal(const struct digest *a, const struct digest *b);	/* constant time */
void digest_hex(const struct digest *d, char ret[DIGEST_HEX_SIZE]);	/* lower case */
int digest_from_hex(const char *hex, struct digest *ret);		/* exactly 64 lower-case digits */

void digest_bytes_hex(const void *data, size_t size, char *ret);	/* ret: 2 × size + 1 */
int digest_bytes_from_hex(const char *hex, size_t hex_size, uint8_t *ret, size_t ret_size);	/* sizes must agree exactly */

/* Standard base64 with padding; _url: the URL alphabet without padding. Decoding is strict: no spaces, canonical tail bits. */
void digest_base64(struct buf *b, const void *data, size_t size);	/* appends */
void digest_base64_url(struct buf *b, const void *data, size_t size);
int digest_from_base64(const char *text, size_t size, struct buf *b);	/* appends; -EBADMSG */
int digest_from_base64_url(const char *text, size_t size, struct buf *b);

#endif
