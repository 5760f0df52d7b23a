/* SPDX-License-Identifier: Apache-2.0 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "digest.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct digest_stream {
	EVP_MD_CTX *ctx;
};

int digest_stream_open(struct digest_stream **ret)
{
	struct digest_stream *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->ctx = EVP_MD_CTX_new();
	if (!s->ctx || EVP_DigestInit_ex(s->ctx, EVP_sha256(), NULL) != 1) {
		digest_stream_free(s);
		return -EIO;
	}
	*ret = s;
	return 0;
}

int digest_stream_add(struct digest_stream *s, const void *data, size_t size)
{
	return EVP_DigestUpdate(s->ctx, data, size) == 1 ? 0 : -EIO;
}

int digest_stream_end(struct digest_stream *s, struct digest *ret)
{
	struct digest d;

	if (EVP_DigestFinal_ex(s->ctx, d.bytes, NULL) != 1)
		return -EIO;
	if (EVP_DigestInit_ex(s->ctx, EVP_sha256(), NULL) != 1)
		return -EIO;
	*ret = d;
	return 0;
}

struct digest_stream *digest_stream_free(struct digest_stream *s)
{
	if (s)
		EVP_MD_CTX_free(s->ctx);
	free(s);
	return NULL;
}

/*
 * Most digests are of a line, or of a node in a tree. OpenSSL's EVP makes, or at best readies, a context for each, and that alone takes longer
 * than such a digest does; its own SHA-256 takes the same instructions without.
 */
int digest_sha256_parts(const struct buf_view *parts, size_t n_parts, struct digest *ret)
{
	SHA256_CTX ctx;
	struct digest d;

	if (SHA256_Init(&ctx) != 1)
		return -EIO;
	for (size_t i = 0; i < n_parts; i++)
		if (SHA256_Update(&ctx, parts[i].data, parts[i].size) != 1)
			return -EIO;
	if (SHA256_Final(d.bytes, &ctx) != 1)
		return -EIO;
	*ret = d;
	return 0;
}

int digest_sha256(const void *data, size_t size, struct digest *ret)
{
	struct buf_view part = {data, size};

	return digest_sha256_parts(&part, 1, ret);
}

int digest_fd(int fd, uint64_t max_size, struct digest *ret, uint64_t *ret_size)
{
	struct digest_stream *s = NULL;
	const size_t chunk = 256 * 1024;
	uint8_t *data = malloc(chunk);
	uint64_t at = 0;
	int r = data ? digest_stream_open(&s) : -ENOMEM;

	while (r >= 0) {
		ssize_t n = pread(fd, data, chunk, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			r = -errno;
		if (n <= 0)
			break;
		at += (uint64_t)n;
		r = max_size && at > max_size ? -EFBIG : digest_stream_add(s, data, (size_t)n);
	}
	if (r >= 0)
		r = digest_stream_end(s, ret);
	if (r >= 0 && ret_size)
		*ret_size = at;
	digest_stream_free(s);
	free(data);
	return r;
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
	return CRYPTO_memcmp(a->bytes, b->bytes, DIGEST_SIZE) == 0;
}

/* Sixteen bytes beside one another: every line has a digest or two. */
typedef uint8_t bytes_16 __attribute__((vector_size(16)));

static inline bytes_16 digits_of(bytes_16 nibbles)
{
	return nibbles + '0' + ((bytes_16)(nibbles > 9) & ('a' - '0' - 10));
}

static size_t hex_by_16(const uint8_t *p, size_t size, char *ret)
{
	size_t i;

	for (i = 0; size - i >= sizeof(bytes_16); i += sizeof(bytes_16)) {
		bytes_16 v, high_digits, low_digits, halves[2];

		memcpy(&v, p + i, sizeof(v));
		high_digits = digits_of(v >> 4);
		low_digits = digits_of(v & 15);
		halves[0] = __builtin_shufflevector(high_digits, low_digits, 0, 16, 1, 17, 2, 18, 3,
						    19, 4, 20, 5, 21, 6, 22, 7, 23);
		halves[1] = __builtin_shufflevector(high_digits, low_digits, 8, 24, 9, 25, 10, 26,
						    11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
		memcpy(ret + 2 * i, halves, sizeof(halves));
	}
	return i;
}

void digest_bytes_hex(const void *data, size_t size, char *ret)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *p = data;

	for (size_t i = hex_by_16(p, size, ret); i < size; i++) {
		ret[2 * i] = digits[p[i] >> 4];
		ret[2 * i + 1] = digits[p[i] & 15];
	}
	ret[2 * size] = 0;
}

void digest_hex(const struct digest *d, char ret[DIGEST_HEX_SIZE])
{
	digest_bytes_hex(d->bytes, DIGEST_SIZE, ret);
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -EBADMSG;
}

int digest_bytes_from_hex(const char *hex, size_t hex_size, uint8_t *ret, size_t ret_size)
{
	if (hex_size != 2 * ret_size)
		return -EBADMSG;
	for (size_t i = 0; i < hex_size; i++)
		if (nibble(hex[i]) < 0)
			return -EBADMSG;
	for (size_t i = 0; i < ret_size; i++)
		ret[i] = (uint8_t)(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
	return 0;
}

int digest_from_hex(const char *hex, struct digest *ret)
{
	return digest_bytes_from_hex(hex, strlen(hex), ret->bytes, DIGEST_SIZE);
}

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void encode(struct buf *b, const uint8_t *p, size_t size, const char *alphabet, bool pad)
{
	size_t n = 0;
	uint8_t *to;

	if (size > SIZE_MAX / 2) {
		b->error = b->error ? b->error : -E2BIG;
		return;
	}
	to = buf_room(b, pad ? (size + 2) / 3 * 4 : size / 3 * 4 + (size % 3 ? size % 3 + 1 : 0));
	if (!to)
		return;
	for (size_t i = 0; i < size; i += 3) {
		size_t left = size - i;
		uint32_t v = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) |
			     (left > 2 ? p[i + 2] : 0);

		to[n++] = (uint8_t)alphabet[v >> 18];
		to[n++] = (uint8_t)alphabet[v >> 12 & 63];
		if (left > 1 || pad)
			to[n++] = (uint8_t)(left > 1 ? alphabet[v >> 6 & 63] : '=');
		if (left > 2 || pad)
			to[n++] = (uint8_t)(left > 2 ? alphabet[v & 63] : '=');
	}
	buf_grew(b, n);
}

void digest_base64(struct buf *b, const void *data, size_t size)
{
	encode(b, data, size, standard, true);
}

void digest_base64_url(struct buf *b, const void *data, size_t size)
{
	encode(b, data, size, url, false);
}

/* What a character stands for, and one more; 0: none. From '+' to 'z'. */
#define FIRST '+'
#define N_VALUES 80u
#define SAME                                                                                       \
	['0' - FIRST] = 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, ['A' - FIRST] = 1, 2, 3, 4, 5, 6,  \
	       7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26,        \
	       ['a' - FIRST] = 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, \
	       44, 45, 46, 47, 48, 49, 50, 51, 52
static const uint8_t standard_values[N_VALUES] = {SAME, ['+' - FIRST] = 63, ['/' - FIRST] = 64};
static const uint8_t url_values[N_VALUES] = {SAME, ['-' - FIRST] = 63, ['_' - FIRST] = 64};

static inline uint32_t value_of(char c, const uint8_t *values)
{
	unsigned int at = (uint8_t)c - (unsigned int)FIRST;

	return at < N_VALUES ? values[at] : 0;
}

/* What was written behind its end is none of it. */
static int none_of_it(struct buf *b)
{
	buf_grew(b, 0);
	return -EBADMSG;
}

/* Of the last, which may be short. Bits that no byte holds must be zero: one text for one value. */
static bool decode_last(const char *text, size_t size, const uint8_t *values, uint8_t *to)
{
	uint32_t v = 0;

	for (size_t k = 0; k < 4; k++) {
		uint32_t value = k < size ? value_of(text[k], values) : 1;

		if (value == 0)
			return false;
		v = v << 6 | (value - 1);
	}
	if ((size == 2 && (v & 0xffff)) || (size == 3 && (v & 0xff)))
		return false;
	for (size_t k = 1; k < size; k++)
		*to++ = (uint8_t)(v >> (24 - 8 * k));
	return true;
}

static int decode(const char *text, size_t size, const uint8_t *values, struct buf *b)
{
	size_t tail = size % 4, whole = size - tail, n = whole / 4 * 3 + (tail ? tail - 1 : 0);
	uint8_t *to;

	if (tail == 1)
		return -EBADMSG;
	to = buf_room(b, n);
	if (!to)
		return buf_status(b);
	for (size_t i = 0; i < whole; i += 4) {
		uint32_t one = value_of(text[i], values), two = value_of(text[i + 1], values),
			 three = value_of(text[i + 2], values),
			 four = value_of(text[i + 3], values), v;

		if (!one || !two || !three || !four)
			return none_of_it(b);
		v = (one - 1) << 18 | (two - 1) << 12 | (three - 1) << 6 | (four - 1);
		*to++ = (uint8_t)(v >> 16);
		*to++ = (uint8_t)(v >> 8);
		*to++ = (uint8_t)v;
	}
	if (tail && !decode_last(text + whole, tail, values, to))
		return none_of_it(b);
	buf_grew(b, n);
	return 0;
}

int digest_from_base64(const char *text, size_t size, struct buf *b)
{
	size_t pad = 0;

	if (size % 4)
		return -EBADMSG;
	while (pad < 2 && pad < size && text[size - 1 - pad] == '=')
		pad++;
	return decode(text, size - pad, standard_values, b);
}

int digest_from_base64_url(const char *text, size_t size, struct buf *b)
{
	return decode(text, size, url_values, b);
}
