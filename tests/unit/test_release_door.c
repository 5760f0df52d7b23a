/* SPDX-License-Identifier: Apache-2.0 */
/* The directory that a release comes through: taken once, answered, and gone; what lay there before the agent began as well. */
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

#include "fsio.h"
#include "release_door.h"
#include "release_order.h"
#include "scratch.h"

struct world {
	char dir[SCRATCH_SIZE], door[96];
	struct event_base *base;
	unsigned int n_taken;
	size_t size;
};

static void on_take(void *ctx, const void *data, size_t size, char ret_answer[RELEASE_DOOR_ANSWER])
{
	struct world *w = ctx;

	w->n_taken++;
	w->size = size;
	snprintf(ret_answer, RELEASE_DOOR_ANSWER, "done: %.*s", (int)size, (const char *)data);
}

static int make(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	scratch_open(w->dir, "door");
	snprintf(w->door, sizeof(w->door), "%s/a/b", w->dir);
	w->base = event_base_new();
	*state = w;
	return 0;
}

static int end(void **state)
{
	struct world *w = *state;

	event_base_free(w->base);
	scratch_done(w->dir);
	free(w);
	return 0;
}

static struct release_door *open_door(struct world *w)
{
	const struct release_door_options o = {w->door, on_take, w};
	struct release_door *d = NULL;
	struct why why = {""};

	if (release_door_open(w->base, &o, &d, &why) < 0)
		fail_msg("%s", why.text);
	return d;
}

static void turn(struct world *w)
{
	const struct timeval tick = {0, 50000};

	event_base_loopexit(w->base, &tick);
	event_base_dispatch(w->base);
}

static void test_taken(void **state)
{
	struct world *w = *state;
	struct release_door *d;

	scratch_run(w->dir, "mkdir -p a/b && printf early >a/b/one.dsse && printf no >a/b/x");
	d = open_door(w);
	turn(w);
	assert_int_equal(w->n_taken, 1);
	scratch_run(w->dir, "test ! -e a/b/one.dsse && test -e a/b/x && "
			    "test \"$(cat a/b/one.answer)\" = 'done: early'");
	scratch_run(w->dir, "printf late >a/b/.new && mv a/b/.new a/b/two.dsse");
	turn(w);
	turn(w);
	assert_int_equal(w->n_taken, 2);
	assert_int_equal(w->size, 4);
	/* Many at once, and one that is too big, which nobody is shown. */
	scratch_run(w->dir, "for i in $(seq 40); do printf x >a/b/$i.dsse; done; "
			    "head -c 20000 /dev/zero >a/b/big.dsse");
	for (int i = 0; i < 5; i++)
		turn(w);
	assert_int_equal(w->n_taken, 42);
	scratch_run(w->dir, "grep -q ^refused a/b/big.answer && test ! -e a/b/big.dsse");
	release_door_free(d);
}

/* What cannot be taken away is answered, and is no news each time that it was; what comes beside it is taken. */
static void test_stays(void **state)
{
	struct world *w = *state;
	struct release_door *d;

	scratch_run(w->dir, "for i in $(seq 40); do mkdir -p a/b/$i.dsse; done");
	d = open_door(w);
	turn(w);
	scratch_run(w->dir, "grep -q ^refused a/b/7.answer && test $(ls a/b/*.answer | wc -l) = 40"
			    " && ls -i a/b >was");
	for (int i = 0; i < 3; i++)
		turn(w);
	scratch_run(w->dir, "ls -i a/b | cmp - was");
	scratch_run(w->dir, "printf x >a/b/one.dsse");
	turn(w);
	assert_int_equal(w->n_taken, 1);
	scratch_run(w->dir, "test ! -e a/b/one.dsse && test -e a/b/one.answer");
	release_door_free(d);
}

/* As plumbd --release does it, from another process. */
static void test_handed(void **state)
{
	struct world *w = *state;
	struct release_door *d = open_door(w);
	char path[96], answer[RELEASE_DOOR_ANSWER];
	struct why why;
	int status = -1;
	pid_t pid;

	scratch_run(w->dir, "printf word >word");
	snprintf(path, sizeof(path), "%s/word", w->dir);
	pid = fork();
	if (pid == 0)
		_exit(release_door_hand(w->door, path, 5000, answer, &why) == 0 &&
				      strcmp(answer, "done: word") == 0
			      ? 0
			      : 1);
	while (waitpid(pid, &status, WNOHANG) == 0)
		turn(w);
	assert_int_equal(status, 0);
	assert_int_equal(w->n_taken, 1);
	release_door_free(d);
	/* Nobody is there: it does not lie there for later. */
	assert_int_equal(release_door_hand(w->door, path, 100, answer, &why), -ETIMEDOUT);
	scratch_run(w->dir, "test -z \"$(ls a/b)\"");
	assert_int_equal(release_door_hand(w->door, "/nowhere", 100, answer, &why), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_taken, make, end),
		cmocka_unit_test_setup_teardown(test_handed, make, end),
		cmocka_unit_test_setup_teardown(test_stays, make, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
