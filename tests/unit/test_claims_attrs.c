/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes in words, and broken twins; then real ones of a real file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "claims_attrs.h"

#define ACL                                                                                        \
	"\2\0\0\0\1\0\6\0\377\377\377\377\2\0\4\0\350\3\0\0\4\0\4\0\377\377\377\377\x10\0\4\0\377" \
	"\377\377\377\x20\0\0\0\377\377\377\377"
#define CAPS "\1\0\0\2\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define CAPS_NS "\0\0\0\3\0\x20\0\0\1\0\0\0\0\0\0\0\0\0\0\0\xe8\3\0\0"

static void test_words(void **state)
{
	static const struct {
		const char *name, *value;
		size_t size;
		const char *want;
	} rows[] = {
		{"system.posix_acl_access", ACL, 44, "acl=u::rw-,u:1000:r--,g::r--,m::r--,o::---"},
		{"system.posix_acl_default", ACL, 12, "default_acl=u::rw-"},
		{"security.capability", CAPS, 20, "capability=0000000000002000,effective"},
		{"security.capability", CAPS_NS, 24,
		 "capability=0000000000002000,inheritable:0000000000000001,root:1000"},
		{"security.selinux", "system_u:object_r:etc_t:s0\0", 27,
		 "selinux=system_u:object_r:etc_t:s0"},
		{"security.selinux", "a b", 3,
		 "selinux=sha256:c8687a08aa5d6ed2044328fa6a697ab8e96dc34291e8c2034ae8c38e6fcc6d65"},
		{"security.ima", "abc", 3,
		 "ima=sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
		{"user.note", "x", 1, ""},
	};
	static const struct {
		const char *name, *value;
		size_t size;
	} bad[] = {
		{"system.posix_acl_access", ACL, 3},
		{"system.posix_acl_access", ACL, 43},
		{"system.posix_acl_access", "\3\0\0\0", 4},
		{"system.posix_acl_access", "\2\0\0\0\3\0\6\0\0\0\0\0", 12},
		{"system.posix_acl_access", "\2\0\0\0\1\0\x8\0\0\0\0\0", 12},
		{"security.capability", CAPS, 19},
		{"security.capability", CAPS_NS, 23},
		{"security.capability", "\1\0\0\2\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 21},
		{"security.capability", "\1\0\0\1\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20},
		{"security.capability", "", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf out = {0};

		assert_int_equal(claims_attrs_one(rows[i].name, rows[i].value, rows[i].size, &out),
				 0);
		assert_string_equal(out.data ? (char *)out.data : "", rows[i].want);
		buf_done(&out);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct buf out = {0};

		buf_puts(&out, "x");
		assert_int_equal(claims_attrs_one(bad[i].name, bad[i].value, bad[i].size, &out),
				 -EBADMSG);
		assert_int_equal(out.size, 1);
		buf_done(&out);
	}
}

/* Of a file by path and by descriptor alike; a link has its own. */
static void test_file(void **state)
{
	char path[] = "/tmp/plumb-test-attrs-XXXXXX", link[64];
	int fd = mkstemp(path);
	struct buf out = {0};

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(claims_attrs(fd, path, &out), 0);
	assert_int_equal(out.size, 0);
	(void)setxattr(path, "user.note", "x", 1, 0);
	if (setxattr(path, "security.capability", CAPS, 20, 0) < 0) {
		print_message("no security attributes can be set here\n");
	} else {
		(void)setxattr(path, "security.zz", "x", 1, 0);
		assert_int_equal(claims_attrs(fd, path, &out), 0);
		assert_non_null(strstr((char *)out.data,
				       "capability=0000000000002000,effective zz=sha256:2d711642"));
		buf_clear(&out);
		assert_int_equal(claims_attrs(-1, path, &out), 0);
		assert_non_null(strstr((char *)out.data, "capability=0000000000002000,effective"));
		assert_null(strstr((char *)out.data, "note"));
	}
	snprintf(link, sizeof(link), "%s-link", path);
	assert_int_equal(symlink(path, link), 0);
	buf_clear(&out);
	assert_int_equal(claims_attrs(-1, link, &out), 0);
	assert_int_equal(out.size, 0);
	unlink(link);
	unlink(path);
	close(fd);
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
