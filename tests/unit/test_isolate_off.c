/* SPDX-License-Identifier: Apache-2.0 */
/* A release where the kernel gives no packet filter: what it cannot have is done, what nobody can look at is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "isolate_cut.h"
#include "no_netfilter.h"

#define NOT_HERE 9

/* 0: it is told as released. In a child, which leaves by _exit(): AddressSanitizer looks for no leaks then. */
static void release(bool (*without)(int), int error, enum isolate_table mark)
{
	const struct isolate_cut_options o = {.verifier = NULL};
	struct isolate_state *s = calloc(1, sizeof(*s));
	struct isolate_cut *c = NULL;
	struct why why = {""};
	int r;

	if (!s || isolate_cut_open(&o, &c, &why) < 0 || !without(error))
		_exit(NOT_HERE);
	s->inet = s->bridge = mark;
	r = isolate_cut_off(c, s, &why);
	if (r >= 0)
		_exit(s->inet == ISOLATE_TABLE_NONE && s->bridge == ISOLATE_TABLE_NONE ? 0 : 3);
	_exit(s->inet == mark && s->bridge == mark && strstr(why.text, strerror(error)) ? 1 : 3);
}

static void test_off(void **state)
{
	static const struct {
		bool (*without)(int);
		int error, if_ours;
	} all[] = {
		{no_netfilter_socket, EPROTONOSUPPORT, 0}, {no_netfilter_answer, EINVAL, 0},
		{no_netfilter_socket, EAFNOSUPPORT, 1},	   {no_netfilter_socket, EMFILE, 1},
		{no_netfilter_answer, EPERM, 1},	   {no_netfilter_answer, ENOBUFS, 1},
	};
	static const enum isolate_table marks[] = {ISOLATE_TABLE_NONE, ISOLATE_TABLE_OURS,
						   ISOLATE_TABLE_UNKNOWN};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(all) * ARRAY_SIZE(marks); i++) {
		enum isolate_table mark = marks[i % ARRAY_SIZE(marks)];
		size_t n = i / ARRAY_SIZE(marks);
		pid_t pid = fork();
		int status = 0;

		if (pid == 0)
			release(all[n].without, all[n].error, mark);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		if (WEXITSTATUS(status) == NOT_HERE)
			skip();
		if (WEXITSTATUS(status) != (mark == ISOLATE_TABLE_NONE ? 0 : all[n].if_ours))
			fail_msg("%s, mark %d: ended with %d", strerror(all[n].error), (int)mark,
				 WEXITSTATUS(status));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
