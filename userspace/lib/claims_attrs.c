/* SPDX-License-Identifier: Apache-2.0 */
#include "claims_attrs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "cleanup.h"
#include "digest.h"

#define NAMES_SIZE 4096 /* bytes of all names of one file that are looked at */
#define NAMES_MAX 32
#define VALUE_SIZE 4096
#define ACL_ACCESS "system.posix_acl_access"
#define ACL_DEFAULT "system.posix_acl_default"
#define CAP_MAGIC_EFFECTIVE 1u
#define CAP_REVISION 0xff000000u

/* u32 version 2, then u16 tag, u16 rights, u32 id each; little-endian (linux/posix_acl_xattr.h). */
static int put_acl(struct buf_reader *r, struct buf *ret)
{
	static const struct {
		uint16_t tag;
		char letter;
		bool has_id;
	} tags[] = {{1, 'u', false}, {2, 'u', true},	 {4, 'g', false},
		    {8, 'g', true},  {0x10, 'm', false}, {0x20, 'o', false}};
	uint32_t version, id;
	uint16_t tag, rights;

	if (buf_read_u32le(r, &version) < 0 || version != 2)
		return -EBADMSG;
	for (bool first = true; buf_left(r) > 0; first = false) {
		size_t i = 0;

		if (buf_read_u16le(r, &tag) < 0 || buf_read_u16le(r, &rights) < 0 ||
		    buf_read_u32le(r, &id) < 0)
			return -EBADMSG;
		while (i < ARRAY_SIZE(tags) && tags[i].tag != tag)
			i++;
		if (i == ARRAY_SIZE(tags) || rights > 7)
			return -EBADMSG;
		buf_printf(ret, "%s%c:", first ? "" : ",", tags[i].letter);
		if (tags[i].has_id)
			buf_printf(ret, "%u", id);
		buf_printf(ret, ":%c%c%c", rights & 4 ? 'r' : '-', rights & 2 ? 'w' : '-',
			   rights & 1 ? 'x' : '-');
	}
	return 0;
}

/* u32 revision and flags, then permitted and inheritable, a u32 each, twice; revision 3: u32 the user that is root (linux/capability.h). */
static int put_capability(struct buf_reader *r, struct buf *ret)
{
	uint32_t magic, word[4], root = 0;

	if (buf_read_u32le(r, &magic) < 0)
		return -EBADMSG;
	for (size_t i = 0; i < ARRAY_SIZE(word); i++)
		if (buf_read_u32le(r, &word[i]) < 0)
			return -EBADMSG;
	if ((magic & CAP_REVISION) == 0x03000000u ? buf_read_u32le(r, &root) < 0
						  : (magic & CAP_REVISION) != 0x02000000u)
		return -EBADMSG;
	if (buf_left(r) > 0)
		return -EBADMSG;
	buf_printf(ret, "%08x%08x", word[2], word[0]);
	if (word[1] | word[3])
		buf_printf(ret, ",inheritable:%08x%08x", word[3], word[1]);
	if (magic & CAP_MAGIC_EFFECTIVE)
		buf_puts(ret, ",effective");
	if (root)
		buf_printf(ret, ",root:%u", root);
	return 0;
}

static int put_digest(const void *value, size_t size, struct buf *ret)
{
	char hex[DIGEST_HEX_SIZE];
	struct digest d;
	int r = digest_sha256(value, size, &d);

	if (r < 0)
		return r;
	digest_hex(&d, hex);
	buf_printf(ret, "sha256:%s", hex);
	return 0;
}

/* A label is a word; anything else is told by its digest. */
static int put_label(const char *value, size_t size, struct buf *ret)
{
	size_t n = size > 0 && value[size - 1] == '\0' ? size - 1 : size;

	for (size_t i = 0; i < n; i++)
		if (value[i] <= ' ' || value[i] > '~')
			return put_digest(value, size, ret);
	if (n == 0 || n > 255)
		return put_digest(value, size, ret);
	buf_put(ret, value, n);
	return 0;
}

int claims_attrs_one(const char *name, const void *value, size_t size, struct buf *ret)
{
	struct buf_reader r = buf_reader_of(value, size);
	size_t start = ret->size;
	int bad;

	if (strcmp(name, ACL_ACCESS) == 0 || strcmp(name, ACL_DEFAULT) == 0) {
		buf_puts(ret, strcmp(name, ACL_ACCESS) == 0 ? "acl=" : "default_acl=");
		bad = put_acl(&r, ret);
	} else if (strcmp(name, "security.capability") == 0) {
		buf_puts(ret, "capability=");
		bad = put_capability(&r, ret);
	} else if (strcmp(name, "security.selinux") == 0 ||
		   strncmp(name, "security.SMACK64", 16) == 0) {
		buf_printf(ret, "%s=", name + 9);
		bad = put_label(value, size, ret);
	} else if (strncmp(name, "security.", 9) == 0) {
		buf_printf(ret, "%s=", name + 9);
		bad = put_digest(value, size, ret);
	} else {
		return 0;
	}
	if (bad < 0)
		buf_cut(ret, start);
	return bad < 0 ? bad : buf_status(ret);
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int put_one(int fd, const char *path, const char *name, struct buf *ret)
{
	char value[VALUE_SIZE];
	ssize_t n = fd >= 0 ? fgetxattr(fd, name, value, sizeof(value))
			    : lgetxattr(path, name, value, sizeof(value));
	size_t start = ret->size, before;
	int r;

	if (n < 0)
		return errno == ENODATA ? 0 : -errno;
	if (start > 0)
		buf_puts(ret, " ");
	before = ret->size;
	r = claims_attrs_one(name, value, (size_t)n, ret);
	if (r == -EBADMSG) { /* of a form that is not known here: it is told apart all the same */
		buf_printf(ret, "%s=", name);
		r = put_digest(value, (size_t)n, ret);
	}
	if (ret->size == before)
		buf_cut(ret, start);
	return r;
}

static int put_xattrs(int fd, const char *path, struct buf *ret)
{
	char list[NAMES_SIZE], *names[NAMES_MAX];
	ssize_t size =
		fd >= 0 ? flistxattr(fd, list, sizeof(list)) : llistxattr(path, list, sizeof(list));
	size_t n = 0;
	int r = 0;

	if (size < 0)
		return errno == EOPNOTSUPP || errno == ENOENT ? 0 : -errno;
	for (ssize_t at = 0; at < size; at += (ssize_t)strlen(list + at) + 1) {
		if (strncmp(list + at, "security.", 9) != 0 &&
		    strncmp(list + at, "system.posix_acl_", 17) != 0)
			continue;
		if (n == NAMES_MAX)
			return -E2BIG;
		names[n++] = list + at;
	}
	if (n > 1)
		qsort(names, n, sizeof(names[0]), compare);
	for (size_t i = 0; i < n && r >= 0; i++)
		r = put_one(fd, path, names[i], ret);
	return r;
}

static void put_flags(int fd, const char *path, struct buf *ret)
{
	static const struct {
		uint64_t flag;
		const char *name;
	} flags[] = {{STATX_ATTR_APPEND, "append"},
		     {STATX_ATTR_IMMUTABLE, "immutable"},
		     {STATX_ATTR_VERITY, "verity"}};
	struct statx st;
	bool any = false;

	if (statx(fd >= 0 ? fd : AT_FDCWD, fd >= 0 ? "" : path,
		  AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (fd >= 0 ? AT_EMPTY_PATH : 0), 0,
		  &st) < 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		if (!(st.stx_attributes & flags[i].flag))
			continue;
		buf_printf(ret, "%s%s",
			   any		   ? ","
			   : ret->size > 0 ? " flags="
					   : "flags=",
			   flags[i].name);
		any = true;
	}
}

int claims_attrs(int fd, const char *path, struct buf *ret)
{
	int r = put_xattrs(fd, path, ret);

	if (r < 0)
		return r;
	put_flags(fd, path, ret);
	return buf_status(ret);
}
