/* SPDX-License-Identifier: Apache-2.0 */
/* A certificate that comes with evidence: only ours, only later, kept before it is used, and none on a full disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "agent_fixture.h"
#include "cert.h"
#include "fault_fsio.h"
#include "renewal.h"

#define NODE "5e930b1b2b6c65de46679df72b3a7316a54a84f4b0d1e2159f483657fba3be43"
#define OTHER "6e930b1b2b6c65de46679df72b3a7316a54a84f4b0d1e2159f483657fba3be43"

struct world {
	struct agent_fixture f;
	struct renewal n;
	char path[128];
};

static int make(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	agent_fixture_init(&w->f);
	snprintf(w->path, sizeof(w->path), "%s/client.crt", w->f.dir);
	assert_int_equal(fsio_replace_file(fsio_system(), w->path, "old", 3, 0600), 0);
	w->n = (struct renewal){.io = fsio_system(),
				.path = w->path,
				.node = NODE,
				.client_key = w->f.client_id,
				.transport = w->f.transport,
				.not_after_s = (uint64_t)time(NULL) + 1000};
	*state = w;
	return 0;
}

static int end(void **state)
{
	struct world *w = *state;

	agent_fixture_done(&w->f);
	free(w);
	return 0;
}

static void expect_file(const struct world *w, const char *text)
{
	struct buf b = {0};
	struct stat st;

	assert_int_equal(fsio_read_file(fsio_system(), w->path, 65536, &b), 0);
	assert_string_equal((char *)b.data, text);
	assert_int_equal(stat(w->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	buf_done(&b);
}

static void refused(struct world *w, const char *node, const struct sign_key *key, uint64_t life_s,
		    const char *text)
{
	struct buf pem = {0};
	struct why why = {""};
	uint64_t before = w->n.not_after_s;

	fake_verifier_issue(&w->f.verifier, node, key, life_s, &pem);
	assert_int_equal(renewal_take(&w->n, &pem, &why), -EKEYREJECTED);
	assert_non_null(strstr(why.text, text));
	assert_int_equal(w->n.not_after_s, before);
	expect_file(w, "old");
	buf_done(&pem);
}

static void test_refused(void **state)
{
	struct world *w = *state;
	struct buf pem = {0};
	struct why why = {""};

	refused(w, OTHER, w->f.client_key, 5000, "not for this node's key");
	refused(w, NODE, w->f.verifier.order_key, 5000, "not for this node's key");
	refused(w, NODE, w->f.client_key, 1000, "no later");
	buf_puts(&pem, "-----BEGIN CERTIFICATE-----\njunk\n-----END CERTIFICATE-----\n");
	assert_int_equal(renewal_take(&w->n, &pem, &why), -EKEYREJECTED);
	/* A CA's is no client's. */
	assert_int_equal(renewal_take(&w->n, &w->f.verifier.ca, &why), -EKEYREJECTED);
	expect_file(w, "old");
	buf_done(&pem);
}

static void test_taken(void **state)
{
	struct world *w = *state;
	struct buf pem = {0};
	struct why why = {""};

	fake_verifier_issue(&w->f.verifier, NODE, w->f.client_key, 5000, &pem);
	assert_int_equal(renewal_take(&w->n, &pem, &why), 0);
	expect_file(w, (char *)pem.data);
	/* Replayed it changes nothing. */
	assert_int_equal(renewal_take(&w->n, &pem, &why), -EKEYREJECTED);
	expect_file(w, (char *)pem.data);
	buf_done(&pem);
}

static void test_full_disk(void **state)
{
	struct world *w = *state;
	struct fault_fsio fault;
	struct buf pem = {0};
	struct why why;

	fake_verifier_issue(&w->f.verifier, NODE, w->f.client_key, 5000, &pem);
	for (long left = 0; left < 3; left++) {
		fault_fsio_init(&fault, left, true, -ENOSPC);
		w->n.io = &fault.io;
		why.text[0] = 0;
		assert_true(renewal_take(&w->n, &pem, &why) < 0);
		expect_file(w, "old");
	}
	w->n.io = fsio_system();
	why.text[0] = 0;
	assert_int_equal(renewal_take(&w->n, &pem, &why), 0);
	buf_done(&pem);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, make, end)
	const struct CMUnitTest tests[] = {T(test_refused), T(test_taken), T(test_full_disk)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
