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
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "nft_door.h"

#define TABLE "{\"nftables\":[{\"add\":{\"table\":{\"family\":\"inet\",\"name\":\"plumb_test\"}}}]}"

/* As a kernel does that has no netlink for packet filters; for this process, from here on. */
static void refuse_socket(int error)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 5),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_NETLINK, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NETLINK_NETFILTER, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog p = {ARRAY_SIZE(f), f};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p) < 0)
		_exit(9);
}

/* Under AddressSanitizer a child that leaves by _exit() looks for no leaks. */
static void try_without_socket(int error)
{
	struct buf b = {0};
	struct why run = {""}, list = {""};

	refuse_socket(error);
	_exit(nft_door_run(TABLE, &run) == -error && strstr(run.text, strerror(error)) &&
			      nft_door_list("inet", "plumb_test", &b, &list) == -error &&
			      strstr(list.text, strerror(error))
		      ? 0
		      : 1);
}

static void test_no_socket(void **state)
{
	static const int errors[] = {EPROTONOSUPPORT, EAFNOSUPPORT, EMFILE};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		pid_t pid = fork();
		int status = 0;

		if (pid == 0)
			try_without_socket(errors[i]);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status) && WEXITSTATUS(status) == 9)
			skip();
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
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
		cmocka_unit_test(test_no_socket),
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
