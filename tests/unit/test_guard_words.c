/* SPDX-License-Identifier: Apache-2.0 */
/* What each guard record is called in the ledger: these are keys that baselines and policies are written against. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "guard_words.h"

static const char *key(const struct plumb_event_guard *e, const char *path)
{
	static char text[256];

	guard_words_key(e, path, text, sizeof(text));
	return text;
}

static void keys_of_deeds(void **state)
{
	static const struct {
		uint16_t op;
		uint64_t object;
		const char *name, *key;
	} rows[] = {
		{PLUMB_GUARD_KILL, 9, "", "kill:KILL"},
		{PLUMB_GUARD_KILL, 19, "", "kill:STOP"},
		{PLUMB_GUARD_KILL, 40, "", "kill:40"},
		{PLUMB_GUARD_KILL, 1ull << 40, "", "kill:1099511627776"},
		{PLUMB_GUARD_PTRACE, 18, "", "ptrace"},
		{PLUMB_GUARD_SCHEDULER, 0, "", "scheduler"},
		{PLUMB_GUARD_NICE, 19, "", "nice"},
		{PLUMB_GUARD_IOPRIO, 3, "", "ioprio"},
		{PLUMB_GUARD_RLIMIT, 7, "", "rlimit:nofile"},
		{PLUMB_GUARD_RLIMIT, 16, "", "rlimit:16"},
		{PLUMB_GUARD_MAP, 5, "ring", "map:ring"},
		{PLUMB_GUARD_MAP, 5, "", "map:unknown"},
		{PLUMB_GUARD_PROG, 5, "", "program"},
		{PLUMB_GUARD_LINK, 5, "", "link"},
		{PLUMB_GUARD_MOVED, 5, "", "moved"},
		{PLUMB_GUARD_FROZEN, 5, "", "frozen"},
		{PLUMB_GUARD_MOUNT, 5, "", "mount"},
		{PLUMB_GUARD_EXEC, 0, "intruder", "isolation:exec:intruder"},
		{PLUMB_GUARD_EXEC, 0, "", "isolation:exec:unknown"},
		{PLUMB_GUARD_LOAD, PLUMB_LOAD_MODULE_COMPRESSED, "", "isolation:load:module"},
		{PLUMB_GUARD_LOAD, PLUMB_LOAD_KEXEC_IMAGE, "", "isolation:load:kexec"},
		{PLUMB_GUARD_BPF, 5, "", "isolation:bpf:load"},
		{PLUMB_GUARD_BPF, 28, "", "isolation:bpf:attach"},
		{99, 5, "", "unknown"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct plumb_event_guard e = {.op = rows[i].op, .object = rows[i].object};

		strcpy(e.name, rows[i].name);
		assert_string_equal(key(&e, NULL), rows[i].key);
		assert_null(guard_words_file_op(&e));
	}
}

static void keys_of_files(void **state)
{
	struct plumb_event_guard e = {.op = PLUMB_GUARD_FILE,
				      .file_op = PLUMB_FILE_OPEN_WRITE,
				      .mark = PLUMB_MARK_GUARD,
				      .name = "anchors"};

	(void)state;
	assert_string_equal(key(&e, "/var/lib/plumbline/ledger/anchors"),
			    "file:/var/lib/plumbline/ledger/anchors");
	assert_string_equal(key(&e, NULL), "file:anchors");
	e.name[0] = '\0';
	assert_string_equal(key(&e, NULL), "file:unknown");
	/* Which of the cgroups above it is does not matter: the same file of each does the same. */
	strcpy(e.name, "cgroup.freeze");
	e.mark = PLUMB_MARK_GUARD_CGROUP;
	assert_string_equal(key(&e, "/sys/fs/cgroup/a/cgroup.freeze"), "cgroup:cgroup.freeze");
	e.mark = PLUMB_MARK_GUARD_LIMIT;
	strcpy(e.name, "cpu.max");
	assert_string_equal(key(&e, NULL), "cgroup:cpu.max");
}

static void outcomes_and_operations(void **state)
{
	static const struct {
		uint16_t file_op;
		const char *text;
	} rows[] = {{PLUMB_FILE_OPEN_WRITE, "write"}, {PLUMB_FILE_IOCTL, "write"},
		    {PLUMB_FILE_UNLINK, "delete"},    {PLUMB_FILE_RENAME, "moved_to"},
		    {PLUMB_FILE_SETATTR, "attr"},     {PLUMB_FILE_XATTR, "attr"},
		    {PLUMB_FILE_CREATE, "create"},    {PLUMB_FILE_LINK, "create"}};
	struct plumb_event_guard e = {.op = PLUMB_GUARD_FILE};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		e.file_op = rows[i].file_op;
		assert_string_equal(guard_words_file_op(&e), rows[i].text);
	}
	e.outcome = PLUMB_GUARD_SEEN;
	assert_string_equal(guard_words_outcome(&e), "seen");
	e.outcome = PLUMB_GUARD_DENIED;
	assert_string_equal(guard_words_outcome(&e), "denied");
	e.outcome = PLUMB_GUARD_ALLOWED;
	assert_string_equal(guard_words_outcome(&e), "allowed");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_of_deeds),
		cmocka_unit_test(keys_of_files),
		cmocka_unit_test(outcomes_and_operations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
