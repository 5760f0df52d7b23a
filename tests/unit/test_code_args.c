/* SPDX-License-Identifier: Apache-2.0 */
/* What an interpreter was told to run: a file, a text, its input, or nothing; also of arguments that are cut, empty or not ended. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "code_args.h"

#define ARGS(text) text, sizeof(text)

static const struct row {
	const char *name, *args;
	size_t size;
	uint32_t in;
	enum code_args_what what;
	const char *file;
} rows[] = {
	{"sh", ARGS("sh\0p.sh"), S_IFCHR, CODE_ARGS_FILE, "p.sh"},
	{"sh", ARGS("sh\0-e\0/x/p.sh\0-c"), S_IFCHR, CODE_ARGS_FILE, "/x/p.sh"},
	{"busybox", ARGS("/bin/busybox\0sh\0p.sh"), S_IFCHR, CODE_ARGS_FILE, "p.sh"},
	{"busybox", ARGS("sh\0p.sh"), S_IFCHR, CODE_ARGS_FILE, "p.sh"},
	{"sh", ARGS("sh\0-c\0exit 0"), S_IFCHR, CODE_ARGS_TEXT, NULL},
	{"bash", ARGS("bash\0-lc\0exit 0"), S_IFCHR, CODE_ARGS_TEXT, NULL},
	{"bash", ARGS("bash\0--norc\0p.sh"), S_IFREG, CODE_ARGS_FILE, "p.sh"},
	{"bash", ARGS("bash\0--rcfile\0rc\0p.sh"), S_IFREG, CODE_ARGS_FILE, "p.sh"},
	{"bash", ARGS("bash\0-o\0pipefail\0p.sh"), S_IFREG, CODE_ARGS_FILE, "p.sh"},
	{"bash", ARGS("bash\0+x\0p.sh"), S_IFREG, CODE_ARGS_FILE, "p.sh"},
	{"sh", ARGS("sh\0--\0-c"), S_IFREG, CODE_ARGS_FILE, "-c"},
	{"sh", ARGS("sh"), S_IFREG, CODE_ARGS_STDIN, NULL},
	{"sh", ARGS("sh\0-s\0a"), S_IFIFO, CODE_ARGS_STDIN, NULL},
	{"sh", ARGS("sh\0-e"), S_IFSOCK, CODE_ARGS_STDIN, NULL},
	{"sh", ARGS("sh"), 0, CODE_ARGS_STDIN, NULL},
	/* A terminal, or /dev/null. */
	{"sh", ARGS("-sh"), S_IFCHR, CODE_ARGS_NOTHING, NULL},
	{"python", ARGS("python3\0-u\0p.py\0-c"), S_IFREG, CODE_ARGS_FILE, "p.py"},
	{"python", ARGS("python3\0-c\0pass"), S_IFREG, CODE_ARGS_TEXT, NULL},
	{"python", ARGS("python3\0-Ic\0pass"), S_IFREG, CODE_ARGS_TEXT, NULL},
	{"python", ARGS("python3\0-m\0http.server"), S_IFREG, CODE_ARGS_TEXT, NULL},
	{"python", ARGS("python3\0-W\0ignore\0p.py"), S_IFREG, CODE_ARGS_FILE, "p.py"},
	{"python", ARGS("python3\0-Wignore\0p.py"), S_IFREG, CODE_ARGS_FILE, "p.py"},
	{"python", ARGS("python3\0-"), S_IFIFO, CODE_ARGS_STDIN, NULL},
	{"python", ARGS("python3\0--version"), S_IFIFO, CODE_ARGS_NOTHING, NULL},
	{"perl", ARGS("perl\0-ne\0print"), S_IFREG, CODE_ARGS_TEXT, NULL},
	/* perl -c only checks: for a shell it would be a text. */
	{"perl", ARGS("perl\0-c\0p.pl"), S_IFREG, CODE_ARGS_FILE, "p.pl"},
	{"node", ARGS("node\0--eval=1"), S_IFREG, CODE_ARGS_TEXT, NULL},
	{"php", ARGS("php\0-r\0echo 1;"), S_IFREG, CODE_ARGS_TEXT, NULL},
	/* Cut within the name of the file; nothing at all; empty ones. */
	{"sh", "sh\0/long/na", 11, S_IFREG, CODE_ARGS_FILE, "/long/na"},
	{"sh", "", 0, S_IFREG, CODE_ARGS_STDIN, NULL},
	{"sh", ARGS("\0\0\0"), S_IFCHR, CODE_ARGS_NOTHING, NULL},
	{"sh", ARGS("sh\0-o"), S_IFCHR, CODE_ARGS_NOTHING, NULL},
};

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];
		/* Of its own size, so that reading past the end is seen. */
		char *args = malloc(row->size + !row->size);
		const char *file = NULL;
		size_t size = 0;
		enum code_args_what what;

		memcpy(args, row->args, row->size);
		what = code_args_read(row->name, args, row->size, row->in, &file, &size);
		if (what != row->what)
			fail_msg("row %zu: %d, expected %d", i, what, row->what);
		if (what == CODE_ARGS_FILE) {
			assert_int_equal(size, strlen(row->file));
			assert_memory_equal(file, row->file, size);
		}
		free(args);
	}
}

/* What ld.so runs, and with which arguments. */
static void loads(const char *args, size_t size, const char *program, size_t rest)
{
	char *own = malloc(size + !size);
	const char *at = own, *found = NULL;
	size_t left = size, n = 0;

	memcpy(own, args, size);
	assert_int_equal(code_args_loaded(&at, &left, &found, &n), program != NULL);
	if (program) {
		assert_int_equal(n, strlen(program));
		assert_memory_equal(found, program, n);
		assert_int_equal(left, rest);
		assert_ptr_equal(at + left, own + size);
	}
	free(own);
}

static void test_loader(void **state)
{
	(void)state;
	assert_true(code_args_is_loader("ld-linux-x"));
	assert_true(code_args_is_loader("ld-musl-x"));
	assert_true(code_args_is_loader("ld-"));
	assert_false(code_args_is_loader("ld"));
	loads(ARGS("ld.so\0/bin/bash\0-c\0:"), "/bin/bash", 15);
	loads(ARGS("ld.so\0--library-path\0/x\0--preload\0y\0sh"), "sh", 3);
	loads(ARGS("ld.so\0--inhibit-cache\0--\0sh"), "sh", 3);
	loads(ARGS("ld.so\0/bin/busybox\0sh\0p"), "/bin/busybox", 18);
	loads(ARGS("ld.so\0--argv0\0sh\0/bin/busybox\0-c"), "/bin/busybox", 16);
	loads(ARGS("ld.so\0/bin/busybox\0cp\0-c"), NULL, 0);
	loads(ARGS("ld.so\0--list\0/bin/bash"), NULL, 0);
	loads(ARGS("ld.so\0--audit\0x"), NULL, 0);
	loads(ARGS("ld.so"), NULL, 0);
	loads("ld.so\0/bin/ba", 13, "/bin/ba", 7);
	loads("", 0, NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_table),
					   cmocka_unit_test(test_loader)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
