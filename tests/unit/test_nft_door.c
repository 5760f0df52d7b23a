/* SPDX-License-Identifier: Apache-2.0 */
/* The door to libnftables, in a network namespace of its own: what the kernel does not give is said, and ends nobody. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "nft_door.h"
#include "no_netfilter.h"

#define TABLE "{\"nftables\":[{\"add\":{\"table\":{\"family\":\"inet\",\"name\":\"plumb_test\"}}}]}"
#define NOT_HERE 9

/* In a child, which leaves by _exit(): AddressSanitizer looks for no leaks then. */
static void try_without(bool (*without)(int), int error, int want)
{
	struct buf b = {0};
	struct why run = {""}, list = {""};

	if (!without(error))
		_exit(NOT_HERE);
	_exit(nft_door_run(TABLE, &run) < 0 && strstr(run.text, strerror(error)) &&
			      nft_door_list("inet", "plumb_test", &b, &list) == want &&
			      strstr(list.text, strerror(error))
		      ? 0
		      : 1);
}

static void test_not_given(void **state)
{
	static const struct {
		bool (*without)(int);
		int error, want;
	} all[] = {
		{no_netfilter_socket, EPROTONOSUPPORT, -EOPNOTSUPP},
		{no_netfilter_socket, EAFNOSUPPORT, -EAFNOSUPPORT},
		{no_netfilter_socket, EMFILE, -EMFILE},
		{no_netfilter_answer, EINVAL, -EOPNOTSUPP},
		{no_netfilter_answer, EPERM, -EIO},
		{no_netfilter_answer, ENOBUFS, -EIO},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		pid_t pid = fork();
		int status = 0;

		if (pid == 0)
			try_without(all[i].without, all[i].error, all[i].want);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		if (WEXITSTATUS(status) == NOT_HERE)
			skip();
		if (WEXITSTATUS(status) != 0)
			fail_msg("%s: ended with %d", strerror(all[i].error), WEXITSTATUS(status));
	}
}

static void test_table(void **state)
{
	struct buf b = {0};
	struct why why = {""};

	(void)state;
	if (unshare(CLONE_NEWNET) < 0 ||
	    system("PATH=$PATH:/usr/sbin; nft list ruleset >/dev/null 2>&1") != 0) {
		print_message("# no network namespace with nftables here\n");
		skip();
	}
	assert_int_equal(nft_door_list("inet", "plumb_test", &b, &why), -ENOENT);
	assert_int_equal(nft_door_run(TABLE, &why), 0);
	assert_int_equal(nft_door_list("inet", "plumb_test", &b, &why), 0);
	assert_non_null(strstr((char *)b.data, "table inet plumb_test"));
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_not_given),
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
