/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel is told that may run: the host's digests of the baseline, the agent itself, files by their version where no digest is taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "digest.h"
#include "image_fixture.h"
#include "isolate_exec.h"
#include "log.h"
#include "scratch.h"

/* What is on one of the lists, and of which round. */
struct entry {
	uint8_t key[DIGEST_SIZE];
	uint32_t round;
};

struct list {
	struct entry all[16];
	uint32_t n, max, fewest; /* since it was looked at */
};

struct world {
	struct event_base *base;
	struct hash_cache *hashes;
	struct baseline *baseline, *before;
	struct isolate_exec *e;
	struct loader_program programs[4];
	struct isolate_state *s;
	char dir[SCRATCH_SIZE];
	struct list digests, files;
	struct plumb_isolate_version last;
	bool on, was_off;
};

static int put(struct list *l, const void *key, size_t size, uint32_t round)
{
	uint32_t i = 0;

	while (i < l->n && memcmp(l->all[i].key, key, size) != 0)
		i++;
	if (i == l->max)
		return -E2BIG;
	l->n += i == l->n;
	memcpy(l->all[i].key, key, size);
	l->all[i].round = round;
	return 0;
}

static int prune(struct list *l, uint32_t round)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < l->n; i++)
		if (l->all[i].round == round)
			l->all[n++] = l->all[i];
	l->n = n;
	l->fewest = n < l->fewest ? n : l->fewest;
	return 0;
}

static int on_change(void *ctx, const struct loader_isolate_change *c)
{
	struct world *w = ctx;

	switch (c->what) {
	case LOADER_ISOLATE_ON:
	case LOADER_ISOLATE_OFF:
		w->on = c->what == LOADER_ISOLATE_ON;
		w->was_off |= !w->on;
		if (!w->on)
			w->digests.n = w->files.n = w->digests.fewest = w->files.fewest = 0;
		return 0;
	case LOADER_ISOLATE_DIGEST:
		return put(&w->digests, c->digest, DIGEST_SIZE, c->round);
	case LOADER_ISOLATE_FILE:
		w->last = c->version;
		return put(&w->files, &c->file, sizeof(c->file), c->round);
	case LOADER_ISOLATE_PRUNE_DIGESTS:
		return prune(&w->digests, c->round);
	case LOADER_ISOLATE_PRUNE_FILES:
		return prune(&w->files, c->round);
	}
	return -EINVAL;
}

static const struct loader_program *on_program(void *ctx, uint32_t i)
{
	return i < 4 ? &((struct world *)ctx)->programs[i] : NULL;
}

static const struct baseline *on_baseline(void *ctx)
{
	return ((struct world *)ctx)->baseline;
}

static void open_exec(struct world *w)
{
	const struct isolate_exec_options o = {.hashes = w->hashes,
					       .baseline = on_baseline,
					       .change = on_change,
					       .program = on_program,
					       .ctx = w};

	assert_int_equal(isolate_exec_open(w->base, &o, &w->e), 0);
}

static int make(void **state)
{
	static const char *const names[] = {"plumb_bprm_check", "plumb_kernel_read",
					    "plumb_kernel_load", "plumb_bpf"};
	struct world *w = calloc(1, sizeof(*w));

	scratch_open(w->dir, "exec");
	w->base = event_base_new();
	w->s = calloc(1, sizeof(*w->s));
	w->digests.max = w->files.max = ARRAY_SIZE(w->digests.all);
	for (int i = 0; i < 4; i++) {
		snprintf(w->programs[i].name, sizeof(w->programs[i].name), "%s", names[i]);
		w->programs[i].attached = w->programs[i].lsm = true;
	}
	assert_int_equal(hash_cache_open(0, 0, &w->hashes), 0);
	open_exec(w);
	*state = w;
	return 0;
}

static int end(void **state)
{
	struct world *w = *state;

	isolate_exec_free(w->e);
	baseline_free(w->baseline);
	baseline_free(w->before);
	hash_cache_free(w->hashes);
	event_base_free(w->base);
	scratch_done(w->dir);
	free(w->s);
	free(w);
	return 0;
}

/* A baseline without a signature, of these lines. */
static void judge_by(struct world *w, const char *lines)
{
	char path[128], head[512];
	struct digest d;
	struct why why = {""};
	struct buf b = {0}, payload = {0};
	char hex[DIGEST_HEX_SIZE];
	unsigned int n = 0;

	for (const char *at = lines; (at = strchr(at, '\n')); at++)
		n++;
	assert_int_equal(digest_sha256(lines, strlen(lines), &d), 0);
	digest_hex(&d, hex);
	snprintf(head, sizeof(head),
		 "{\"v\":1,\"name\":\"t\",\"version\":1,\"created\":\"2023-11-14T22:13:20."
		 "000000000Z\",\"count\":%u,\"sha256\":\"%s\",\"scopes\":[\"host\",\"image:x\"],"
		 "\"closed\":[]}",
		 n, hex);
	digest_base64(&payload, head, strlen(head));
	buf_printf(&b,
		   "{\"payload\":\"%s\",\"payloadType\":\"application/vnd.plumb.baseline+json\","
		   "\"signatures\":[]}\n%s",
		   (char *)payload.data, lines);
	snprintf(path, sizeof(path), "%s/baseline", w->dir);
	assert_int_equal(fsio_replace_file(fsio_system(), path, b.data, b.size, 0600), 0);
	/* The agent, too, opens the new one before it lets go of the old one. */
	baseline_free(w->before);
	w->before = w->baseline;
	if (baseline_open(fsio_system(), path, NULL, 0, 0, &w->baseline, &why) < 0)
		fail_msg("%s", why.text);
	buf_done(&b);
	buf_done(&payload);
}

static void turn(struct world *w)
{
	const struct timeval tick = {0, 100000};

	event_base_loopexit(w->base, &tick);
	event_base_dispatch(w->base);
}

#define ONES "1111111111111111111111111111111111111111111111111111111111111111"
#define TWOS "2222222222222222222222222222222222222222222222222222222222222222"

static int begin(struct world *w, struct why *why)
{
	why->text[0] = '\0';
	return isolate_exec_begin(w->e, w->s, why);
}

static void test_digests(void **state)
{
	struct world *w = *state;
	struct why why;

	assert_int_equal(begin(w, &why), -ENOENT);
	assert_false(w->on);
	judge_by(w, "{\"s\":\"host\",\"k\":\"file:/etc/a\",\"x\":\"reg\"}\n");
	assert_int_equal(begin(w, &why), -ENOENT);
	assert_false(w->on);
	judge_by(w, "{\"s\":\"host\",\"k\":\"exec:sha256:" ONES "\",\"x\":\"/bin/one\"}\n"
		    "{\"s\":\"host\",\"k\":\"exec:sha256:" TWOS "\",\"x\":\"/bin/two\"}\n"
		    "{\"s\":\"host\",\"k\":\"file:/etc/a\",\"x\":\"reg\"}\n"
		    "{\"s\":\"image:x\",\"k\":\"exec:sha256:" ONES "\",\"x\":\"/bin/three\"}\n");
	assert_int_equal(begin(w, &why), 0);
	assert_true(w->on);
	assert_int_equal(w->digests.n, 2);
	assert_int_equal(w->files.n, 1); /* the agent */
	turn(w);
	assert_int_equal(w->files.n, 1);
	/* Another baseline judges. */
	judge_by(w, "{\"s\":\"host\",\"k\":\"exec:sha256:" ONES "\",\"x\":\"/bin/one\"}\n");
	isolate_exec_again(w->e);
	assert_true(w->on);
	assert_int_equal(w->digests.n, 1);
	assert_int_equal(isolate_exec_end(w->e, w->s, &why), 0);
	assert_false(w->on);
	assert_int_equal(w->digests.n, 0);
	isolate_exec_again(w->e);
	assert_false(w->on);
}

/* In force it stays, and what both lists have runs on, whoever refills them and whatever comes of it. */
static void test_refilled(void **state)
{
	struct world *w = *state;
	struct why why;

	judge_by(w, "{\"s\":\"host\",\"k\":\"exec:sha256:" ONES "\",\"x\":\"/bin/one\"}\n"
		    "{\"s\":\"host\",\"k\":\"exec:sha256:" TWOS "\",\"x\":\"/bin/two\"}\n");
	assert_int_equal(begin(w, &why), 0);
	w->was_off = false;
	w->digests.fewest = w->files.fewest = UINT32_MAX;
	/* The same again, by another order. */
	assert_int_equal(begin(w, &why), 0);
	assert_int_equal(w->digests.fewest, 2);
	assert_int_equal(w->digests.n, 2);
	judge_by(w, "{\"s\":\"host\",\"k\":\"exec:sha256:" TWOS "\",\"x\":\"/bin/two\"}\n");
	isolate_exec_again(w->e);
	assert_int_equal(w->digests.fewest, 1);
	assert_int_equal(w->digests.n, 1);
	assert_int_equal(w->digests.all[0].key[0], 0x22);
	/* No room for the new beside the old: these go, and it is there. */
	w->digests.max = 1;
	judge_by(w, "{\"s\":\"host\",\"k\":\"exec:sha256:" ONES "\",\"x\":\"/bin/one\"}\n");
	isolate_exec_again(w->e);
	assert_int_equal(w->digests.n, 1);
	assert_int_equal(w->digests.all[0].key[0], 0x11);
	assert_int_equal(begin(w, &why), 0);
	/* One that lists nothing: nothing is what may run, but for the agent. */
	judge_by(w, "{\"s\":\"host\",\"k\":\"file:/etc/a\",\"x\":\"reg\"}\n");
	assert_int_equal(begin(w, &why), -ENOENT);
	isolate_exec_again(w->e);
	assert_int_equal(w->digests.n, 0);
	assert_int_equal(w->files.n, 1);
	assert_int_equal(w->files.fewest, 1);
	assert_true(w->on);
	assert_false(w->was_off);
	assert_int_equal(isolate_exec_end(w->e, w->s, &why), 0);
	assert_false(w->on);
}

static void test_no_room(void **state)
{
	struct world *w = *state;
	struct why why;

	w->digests.max = 1;
	judge_by(w, "{\"s\":\"host\",\"k\":\"exec:sha256:" ONES "\",\"x\":\"/bin/one\"}\n"
		    "{\"s\":\"host\",\"k\":\"exec:sha256:" TWOS "\",\"x\":\"/bin/two\"}\n");
	assert_int_equal(begin(w, &why), -E2BIG);
	assert_non_null(strstr(why.text, "not all"));
	assert_true(w->on);
}

static void test_programs(void **state)
{
	struct world *w = *state;
	struct why why;

	judge_by(w, "{\"s\":\"host\",\"k\":\"exec:sha256:" ONES "\",\"x\":\"/bin/one\"}\n");
	w->programs[3].attached = false;
	snprintf(w->programs[3].absent_why, sizeof(w->programs[3].absent_why), "no such hook");
	/* Programs are held all the same; and it says what is not. */
	assert_int_equal(begin(w, &why), -ENOTSUP);
	assert_string_equal(why.text, "plumb_bpf: no such hook");
	assert_true(w->on);
	assert_int_equal(isolate_exec_end(w->e, w->s, &why), 0);
	w->programs[0].attached = false;
	assert_int_equal(begin(w, &why), -ENOTSUP);
	assert_non_null(strstr(why.text, "plumb_bprm_check"));
	assert_false(w->on);
}

/* A kernel that takes no digests: the files, as they are, if they are what is listed. */
static void test_files(void **state)
{
	struct world *w = *state;
	char path[128], lines[1024], hex[DIGEST_HEX_SIZE];
	struct digest d;
	struct stat st;
	struct why why;

	w->programs[0].stands_in = true;
	scratch_run(w->dir, "printf abc >good; printf other >changed");
	assert_int_equal(digest_sha256("abc", 3, &d), 0);
	digest_hex(&d, hex);
	snprintf(path, sizeof(path), "%s/good", w->dir);
	assert_int_equal(stat(path, &st), 0);
	snprintf(lines, sizeof(lines),
		 "{\"s\":\"host\",\"k\":\"exec:sha256:" ONES "\",\"x\":\"%s/changed\"}\n"
		 "{\"s\":\"host\",\"k\":\"exec:sha256:" TWOS "\",\"x\":\"/nowhere\"}\n"
		 "{\"s\":\"host\",\"k\":\"exec:sha256:%s\",\"x\":\"%s\"}\n",
		 w->dir, hex, path);
	judge_by(w, lines);
	/* So long that no change of it could have the same time. */
	scratch_run(w->dir, "sleep 1.2");
	assert_int_equal(begin(w, &why), 0);
	assert_int_equal(w->digests.n, 0);
	turn(w);
	assert_int_equal(w->files.n, 2);
	assert_int_equal(w->last.file_size, 3);
	assert_int_equal(w->last.ctime_ns,
			 (uint64_t)st.st_ctim.tv_sec * 1000000000 + (uint64_t)st.st_ctim.tv_nsec);
	/* They may run until the new list is read, which then has none of them. */
	judge_by(w, "{\"s\":\"host\",\"k\":\"exec:sha256:" TWOS "\",\"x\":\"/nowhere\"}\n");
	isolate_exec_again(w->e);
	assert_int_equal(w->files.n, 2);
	turn(w);
	assert_int_equal(w->files.n, 1);
}

static void list_one(struct world *w, const char *name, const char *bytes)
{
	char lines[512], hex[DIGEST_HEX_SIZE];
	struct digest d;

	digest_sha256(bytes, strlen(bytes), &d);
	digest_hex(&d, hex);
	snprintf(lines, sizeof(lines),
		 "{\"s\":\"host\",\"k\":\"exec:sha256:" TWOS "\",\"x\":\"/nowhere\"}\n"
		 "{\"s\":\"host\",\"k\":\"exec:sha256:%s\",\"x\":\"%s/%s\"}\n",
		 hex, w->dir, name);
	judge_by(w, lines);
}

/* What was read of it before is not what it is, and its time does not tell. */
static void test_stored_into(void **state)
{
	struct world *w = *state;
	char path[128], *bytes;
	struct digest d;
	struct stat st;
	struct why why;
	int fd;

	w->programs[0].stands_in = true;
	snprintf(path, sizeof(path), "%s/good", w->dir);
	scratch_run(w->dir, "printf abc >good");
	fd = open(path, O_RDWR | O_CLOEXEC);
	bytes = mmap(NULL, 3, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(bytes, MAP_FAILED);
	bytes[0] = 'a';
	scratch_run(w->dir, "sleep 1.2");
	assert_int_equal(hash_cache_fd(w->hashes, fd, &d, &st), 0);
	bytes[0] = 'A';
	list_one(w, "good", "abc");
	assert_int_equal(begin(w, &why), 0);
	turn(w);
	munmap(bytes, 3);
	close(fd);
	assert_int_equal(w->files.n, 1);
}

/* Nothing of any file system can be remembered: neither inotify nor the root is to be had. */
static void forget_all(struct world *w)
{
	struct rlimit all, none = {0, 0};

	isolate_exec_free(w->e);
	hash_cache_free(w->hashes);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &all), 0);
	none.rlim_max = all.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(hash_cache_open(0, 0, &w->hashes), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &all), 0);
	open_exec(w);
}

/* What it said, from when its lists were begun. */
static void begin_told(struct world *w, char *ret, size_t size)
{
	char path[128];
	struct why why;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/log", w->dir);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	log_open("plumb", LOG_LEVEL_INFO, fd);
	assert_int_equal(begin(w, &why), 0);
	turn(w);
	log_open("plumb", LOG_LEVEL_INFO, STDERR_FILENO);
	n = pread(fd, ret, size - 1, 0);
	close(fd);
	assert_true(n >= 0);
	ret[n] = '\0';
}

/* That nobody would say of an unmount is no reason: it cannot be unmounted. That it changed just now is one, and is told. */
static void test_unremembered(void **state)
{
	struct world *w = *state;
	char told[1024], path[128];

	w->programs[0].stands_in = true;
	forget_all(w);
	scratch_run(w->dir, "printf abc >good");
	list_one(w, "good", "abc");
	scratch_run(w->dir, "sleep 1.2");
	begin_told(w, told, sizeof(told));
	assert_int_equal(hash_cache_n(w->hashes), 0);
	assert_int_equal(w->files.n, 2);
	assert_non_null(strstr(told, "exec=listed files=1\n"));
	assert_null(strstr(told, "unlisted"));
	scratch_run(w->dir, "printf xyz >young");
	list_one(w, "young", "xyz");
	snprintf(path, sizeof(path), "%s/young", w->dir);
	assert_int_equal(chmod(path, 0700), 0);
	begin_told(w, told, sizeof(told));
	assert_int_equal(w->files.n, 1);
	assert_non_null(strstr(told, "exec=unlisted path="));
	assert_non_null(strstr(told, "exec=listed files=0\n"));
}

/* It is listed, and will be refused: whoever isolated the node reads why. One that is gone is nobody's loss. */
static void test_unread(void **state)
{
	struct world *w = *state;
	char told[1024];

	w->programs[0].stands_in = true;
	list_one(w, "good", "abc");
	scratch_run(w->dir, "rm -f good; mkdir good");
	begin_told(w, told, sizeof(told));
	assert_non_null(strstr(told, "exec=unlisted path="));
	assert_non_null(strstr(told, "/good why=\"not a regular file\"\n"));
	scratch_run(w->dir, "rmdir good");
	begin_told(w, told, sizeof(told));
	assert_null(strstr(told, "unlisted"));
}

/* Where it lies is not mounted anew as long as its version counts. */
static void test_file_systems(void **state)
{
	struct world *w = *state;
	char lines[1024], hex[DIGEST_HEX_SIZE], point[SCRATCH_SIZE + 8];
	struct image_fixture i;
	uint32_t n_files;
	struct digest d;
	struct why why;
	int listed, again, dropped, ended;
	const char *no = image_fixture_open(&i);

	if (no) {
		print_message("# %s\n", no);
		skip();
	}
	snprintf(point, sizeof(point), "%s/m", i.top);
	w->programs[0].stands_in = true;
	digest_sha256(IMAGE_FIXTURE_BYTES, strlen(IMAGE_FIXTURE_BYTES), &d);
	digest_hex(&d, hex);
	snprintf(lines, sizeof(lines), "{\"s\":\"host\",\"k\":\"exec:sha256:%s\",\"x\":\"%s\"}\n",
		 hex, i.program);
	judge_by(w, lines);
	(void)begin(w, &why);
	turn(w);
	n_files = w->files.n;
	listed = umount2(point, 0) < 0 ? -errno : 0;
	/* Another order: the versions stay, and so does what they lie on. */
	(void)begin(w, &why);
	turn(w);
	again = umount2(point, 0) < 0 ? -errno : 0;
	/* Nothing there is listed any more: it is not busy. */
	judge_by(w, "{\"s\":\"host\",\"k\":\"exec:sha256:" TWOS "\",\"x\":\"/nowhere\"}\n");
	isolate_exec_again(w->e);
	turn(w);
	dropped = umount2(point, MNT_EXPIRE) < 0 ? -errno : 0;
	judge_by(w, lines);
	isolate_exec_again(w->e);
	turn(w);
	(void)isolate_exec_end(w->e, w->s, &why);
	ended = umount2(point, 0) < 0 ? -errno : 0;
	image_fixture_close(&i);
	assert_int_equal(n_files, 2);
	assert_int_equal(listed, -EBUSY);
	assert_int_equal(again, -EBUSY);
	assert_int_equal(dropped, -EAGAIN);
	assert_int_equal(ended, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, make, end)
	const struct CMUnitTest tests[] = {
		T(test_digests),      T(test_no_room),	    T(test_refilled),
		T(test_programs),     T(test_files),	    T(test_stored_into),
		T(test_file_systems), T(test_unremembered), T(test_unread)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
