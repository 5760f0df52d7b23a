/* SPDX-License-Identifier: Apache-2.0 */
/* test_ima_list.c: a list that grows, read on and handed over in pieces; and what a policy measures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../userspace/agent/ima_list.h"
#include "../fakes/scratch.h"

static void a_list_is_read_on(void **state)
{
	char dir[SCRATCH_SIZE];
	struct ima_list *l = NULL;
	struct why why = {""};
	struct buf_view v;
	uint64_t from, n, all = 0, count;

	(void)state;
	scratch_open(dir, "ima_list");
	assert_int_equal(ima_list_open(dir, IMA_LIST_UNKNOWN, &l, &why), -ENOENT);
	/* 1,000 bytes end within an entry. */
	scratch_run(dir, "head -c 1000 \"$OLDPWD\"/tests/data/ima/ibmtss_sha1.log "
			 ">binary_runtime_measurements");
	scratch_run(dir, "echo 362 >runtime_measurements_count");
	assert_int_equal(ima_list_open(dir, IMA_LIST_UNKNOWN, &l, &why), 0);
	assert_int_equal(ima_list_count(l, &count), 0);
	assert_int_equal(count, 362);
	assert_int_equal(ima_list_covers(l), IMA_LIST_UNKNOWN); /* there is no policy to read */
	assert_int_equal(ima_list_next(l, 1 << 20, &v, &from, &n, &why), 0);
	assert_int_equal(from, 0);
	assert_in_range(n, 3, 9);
	assert_in_range(v.size, 800, 1000);
	/* Not taken: given again, with what came. */
	scratch_run(dir, "tail -c +1001 \"$OLDPWD\"/tests/data/ima/ibmtss_sha1.log "
			 ">>binary_runtime_measurements");
	assert_int_equal(ima_list_next(l, 4096, &v, &from, &n, &why), 0);
	assert_int_equal(from, 0);
	assert_in_range(v.size, 3900, 4096);
	while (n > 0) {
		assert_int_equal(from, all);
		all += n;
		ima_list_taken(l, from + n);
		assert_int_equal(ima_list_next(l, 4096, &v, &from, &n, &why), 0);
	}
	assert_int_equal(all, 362);
	ima_list_taken(l, 400);
	assert_int_equal(ima_list_next(l, 4096, &v, &from, &n, &why), 0);
	assert_int_equal(from, 362);
	/* Anywhere else, back and forth; beyond its end it ends there. */
	for (uint64_t want = 361; want > 0; want /= 2) {
		assert_int_equal(ima_list_seek(l, want, &why), 0);
		assert_int_equal(ima_list_next(l, 4096, &v, &from, &n, &why), 0);
		assert_int_equal(from, want);
		assert_true(n > 0 && v.data[0] == 10);
		assert_int_equal(ima_list_seek(l, 362 - want, &why), 0);
		assert_int_equal(ima_list_next(l, 4096, &v, &from, &n, &why), 0);
		assert_int_equal(from, 362 - want);
	}
	assert_int_equal(ima_list_seek(l, 0, &why), 0);
	assert_int_equal(ima_list_next(l, 1 << 20, &v, &from, &n, &why), 0);
	assert_int_equal(from, 0);
	assert_int_equal(n, 362);
	assert_int_equal(ima_list_seek(l, 400, &why), 0);
	assert_int_equal(ima_list_next(l, 1 << 20, &v, &from, &n, &why), 0);
	assert_int_equal(from, 362);
	assert_int_equal(n, 0);
	scratch_run(dir, "printf '\\377\\377\\377\\377xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' "
			 ">>binary_runtime_measurements");
	assert_int_equal(ima_list_next(l, 4096, &v, &from, &n, &why), -EBADMSG);
	ima_list_free(l);
	scratch_done(dir);
}

static void policies(void **state)
{
	static const struct {
		const char *text;
		enum ima_list_covers covers;
	} all[] = {
		{"", IMA_LIST_UNKNOWN},
		{"dont_measure fsmagic=0x9fa0 \n", IMA_LIST_UNKNOWN},
		{"dont_measure fsmagic=0x9fa0 \nmeasure func=BPRM_CHECK mask=MAY_EXEC \n",
		 IMA_LIST_PROGRAMS},
		{"measure func=BPRM_CHECK\nmeasure func=MODULE_CHECK", IMA_LIST_PROGRAMS},
		{"measure func=BPRM_CHECK \nmeasure func=FILE_CHECK mask=^MAY_READ euid=0 \n",
		 IMA_LIST_OTHER},
		{"measure func=FILE_CHECK \nmeasure func=BPRM_CHECK \n", IMA_LIST_OTHER},
		{"measure func=MMAP_CHECK mask=MAY_EXEC \n", IMA_LIST_OTHER},
		{"measure func=BPRM_CHECKS \n", IMA_LIST_OTHER},
		{"measure uid=0 \n", IMA_LIST_OTHER},
		{"appraise func=FILE_CHECK \nmeasure func=BPRM_CHECK \n", IMA_LIST_PROGRAMS},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		assert_int_equal(ima_list_policy(all[i].text), all[i].covers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_is_read_on),
		cmocka_unit_test(policies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
