/* SPDX-License-Identifier: Apache-2.0 */
/* watch_lsm_fixture.h: marks of a directory of the test's own, without a kernel program: the test hands in the records, and sees the lines. */
#ifndef PLUMB_WATCH_LSM_FIXTURE_H
#define PLUMB_WATCH_LSM_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "../../userspace/agent/watch_lsm.h"

#define LSM_BENCH_LINES 16
#define LSM_BENCH_PID 4242
#define LSM_BENCH_START_NS 777000

struct lsm_told {
	enum plumb_type type;
	char key[256], op[16], src[16], other[256], found[128];
	uint32_t pid;
	uint64_t start_ns;
};

struct lsm_bench {
	char top[64], dir[96];
	struct event_base *base;
	struct hash_cache *cache;
	struct proctab *proctab;
	struct file_set *files;
	struct changes *changes;
	struct watch_lsm *watch;
	struct lsm_told lines[LSM_BENCH_LINES];
	uint32_t n, n_scans, n_late, n_noted;
	char noted_key[256], noted_value[128]; /* for whoever scans */
	int mark_says;
	uint64_t lost, failed, dropped, canary_ino;
	uint32_t n_wanted;
	bool deaf; /* no record comes */
};

int lsm_bench_open(void **state);	/* for cmocka: a setup and a teardown */
int lsm_bench_done(void **state);
int lsm_bench_try(struct lsm_bench *b);	/* opens what is tested: what it returns */
void lsm_bench_copy(char *ret, size_t size, const char *text);
void lsm_bench_write(const char *path, const char *text);
const char *lsm_bench_in_dir(struct lsm_bench *b, const char *name);	/* good for three more calls */
uint32_t lsm_bench_dev(const struct stat *st);	/* as the kernel has it */

#endif
