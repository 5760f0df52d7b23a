/* SPDX-License-Identifier: Apache-2.0 */
#include "claims.h"

#include <errno.h>
#include <string.h>

#include "line.h"

int claims_file_value(const struct stat *st, const struct digest *digest, const char *target,
		      struct buf *ret)
{
	char hex[DIGEST_HEX_SIZE];
	unsigned int mode = st->st_mode & 07777;

	if (S_ISREG(st->st_mode) && !digest) {
		buf_puts(ret, "unreadable EIO");
	} else if (S_ISREG(st->st_mode)) {
		digest_hex(digest, hex);
		buf_printf(ret, "reg %04o %u:%u %llu sha256:%s", mode, st->st_uid, st->st_gid,
			   (unsigned long long)st->st_size, hex);
	} else if (S_ISDIR(st->st_mode)) {
		buf_printf(ret, "dir %04o %u:%u", mode, st->st_uid, st->st_gid);
	} else if (S_ISLNK(st->st_mode)) {
		buf_printf(ret, "link %u:%u -> %s", st->st_uid, st->st_gid, target ? target : "?");
	} else {
		buf_printf(ret, "other %06o %u:%u", st->st_mode, st->st_uid, st->st_gid);
	}
	return buf_status(ret);
}

int claims_absent(struct buf *ret)
{
	buf_puts(ret, "absent");
	return buf_status(ret);
}

int claims_unreadable(int error, struct buf *ret)
{
	const char *name = strerrorname_np(error);

	buf_printf(ret, "unreadable %s", name ? name : "EIO");
	return buf_status(ret);
}

int claims_unknown(const char *why, struct buf *ret)
{
	buf_printf(ret, "unknown %s", why);
	return buf_status(ret);
}

int claims_exec_value(const struct digest *digest, struct buf *ret)
{
	static const char kind[] = "sha256:";
	const size_t size = sizeof(kind) - 1;
	uint8_t *to = buf_room(ret, size + DIGEST_HEX_SIZE - 1);

	if (to) {
		memcpy(to, kind, size);
		digest_hex(digest, (char *)to + size);
		buf_grew(ret, size + DIGEST_HEX_SIZE - 1);
	}
	return buf_status(ret);
}

static int is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == 0;
}

int claims_text_value(const char *text, size_t size, struct buf *ret)
{
	size_t start = ret->size;
	struct digest d;
	char hex[DIGEST_HEX_SIZE];
	int r;

	for (size_t i = 0; i < size; i++) {
		if (!is_blank(text[i]))
			buf_put(ret, text + i, 1);
		else if (ret->size > start && i + 1 < size && !is_blank(text[i + 1]))
			buf_put(ret, " ", 1);
	}
	if (buf_status(ret) < 0 || ret->size - start < LINE_MAX_VALUE)
		return buf_status(ret);
	r = digest_sha256(text, size, &d);
	if (r < 0)
		return r;
	digest_hex(&d, hex);
	ret->size = start;
	buf_printf(ret, "sha256:%s %zu", hex, size);
	return buf_status(ret);
}
