/* SPDX-License-Identifier: Apache-2.0 */
/* An unpacked image is captured as it sees itself: no link leads out of it; its scope stands beside others, and judges its own alone. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "baseline.h"
#include "capture.h"
#include "capture_root.h"
#include "cleanup.h"
#include "judge.h"
#include "scratch.h"

#define IMAGE "sha256:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
#define IMAGE2 "sha256:bf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
/* SHA-256 of "a\n" and "c\n" */
#define A "sha256:87428fc522803d31065e7bce3cf03fe475096631e5e07bbd7a0fde60c4cf25c7"
#define C "sha256:a3a5e715f0cc574a73c3f9bebb6bc24f32ffd5b67b387244c2c909da779a1478"

static char top[64], root[96], out[96], base_path[96];

static int setup(void **state)
{
	(void)state;
	strcpy(top, "/tmp/plumb-test-image-XXXXXX");
	if (!mkdtemp(top))
		return -1;
	snprintf(root, sizeof(root), "%s/root", top);
	snprintf(out, sizeof(out), "%s/out.jsonl", top);
	snprintf(base_path, sizeof(base_path), "%s/base.jsonl", top);
	scratch_run(
		"/",
		"cd %s && umask 022 && mkdir -p root/usr/bin root/etc hostbin && cd root && "
		"echo a >usr/bin/app && chmod 755 usr/bin/app && ln -s usr/bin bin && ln -s "
		"/usr/bin "
		"sbin && "
		"ln -s ../../../../../../usr/bin up && ln -s %s/hostbin out && ln -s /etc/shadow "
		"etc/link && "
		"echo conf >etc/conf && echo out >../hostbin/outside && echo c >../hostbin/c && "
		"chmod 755 ../hostbin/*",
		top, top);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	scratch_run(".", "rm -rf %s", top);
	return 0;
}

static int make(struct capture_options *o, const char *path, struct why *why)
{
	uint64_t count;

	return capture_make(fsio_system(), o, path, &count, why);
}

static struct baseline *made(struct capture_options *o, const char *path)
{
	struct baseline *b = NULL;
	struct why why = {""};

	if (make(o, path, &why) < 0 || baseline_open(fsio_system(), path, NULL, 0, 0, &b, &why) < 0)
		fail_msg("%s", why.text);
	return b;
}

static struct capture_options image(const char *const *exec)
{
	return (struct capture_options){
		.name = "web", .image = IMAGE, .root = root, .exec = exec, .n_exec = 1};
}

static void test_whole(void **state)
{
	static const char *const all[] = {"/"};
	struct capture_options o = image(all);
	struct baseline *b = made(&o, out);

	(void)state;
	assert_int_equal(baseline_info(b)->count, 1);
	assert_int_equal(baseline_info(b)->version, 1);
	assert_string_equal(baseline_expected(b, "image:" IMAGE, "exec:" A), "/usr/bin/app");
	assert_null(baseline_expected(b, "host", "exec:" A));
	assert_string_equal(baseline_scope(b, 0), "image:" IMAGE);
	assert_null(baseline_scope(b, 1));
	baseline_free(b);
}

/* Every link is followed as it would be inside. */
static void test_links_stay_inside(void **state)
{
	static const char *const ways[] = {"/bin", "/sbin", "/up", "/up/../bin", "/usr/bin/app"};
	static const char *const leads_out[] = {"/out"};
	struct capture_options o;
	struct why why = {""};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		struct baseline *b;

		o = image(&ways[i]);
		b = made(&o, out);
		assert_int_equal(baseline_info(b)->count, 1);
		assert_string_equal(baseline_expected(b, "image:" IMAGE, "exec:" A),
				    "/usr/bin/app");
		baseline_free(b);
	}
	o = image(leads_out);
	assert_int_equal(make(&o, out, &why), -ENOENT);
	assert_non_null(strstr(why.text, "/out"));
}

static void test_root(void **state)
{
	int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char path[PATH_MAX], name[PATH_MAX];

	(void)state;
	assert_true(fd >= 0);
	snprintf(path, sizeof(path), "%s/hostbin/outside", top);
	assert_int_equal(capture_root_at(fd, path, O_RDONLY), -ENOENT);
	assert_int_equal(capture_root_at(fd, "/../hostbin/outside", O_RDONLY), -ENOENT);
	assert_int_equal(capture_root_at(fd, "/out/outside", O_RDONLY), -ENOENT);
	assert_int_equal(capture_root_real(fd, "/out", name), -ENOENT);
	assert_int_equal(capture_root_real(fd, "/..", name), 0);
	assert_string_equal(name, "/");
	assert_int_equal(capture_root_real(fd, "/sbin/app", name), 0);
	assert_string_equal(name, "/usr/bin/app");
	close(fd);
	assert_int_equal(capture_root_real(CAPTURE_ROOT_HOST, path, name), 0);
	assert_string_equal(name, path);
}

static void test_files(void **state)
{
	static const char *const files[] = {"/etc", "/gone"};
	struct capture_options o = {
		.name = "web", .image = IMAGE, .root = root, .files = files, .n_files = 2};
	struct baseline *b = made(&o, out);
	const char *link = baseline_expected(b, "image:" IMAGE, "file:/etc/link");

	(void)state;
	assert_non_null(link);
	assert_non_null(strstr(link, "-> /etc/shadow"));
	assert_non_null(baseline_expected(b, "image:" IMAGE, "file:/etc/conf"));
	assert_string_equal(baseline_expected(b, "image:" IMAGE, "file:/gone"), "absent");
	/* Whose files are judged is the host, which lists none of these. */
	assert_false(baseline_is_closed(b, "file:/etc/x"));
	assert_int_equal(baseline_info(b)->count, 4);
	baseline_free(b);
}

static enum plumb_judgement judged(const struct baseline *b, const char *scope, const char *found)
{
	struct judge_result r;

	assert_int_equal(
		judge_measurement(b, PLUMB_TYPE_EXEC, scope, "exec:/usr/bin/app", found, &r), 0);
	return r.judgement;
}

/* Host first, then two images, and the other way round: the same entries. */
static void test_added(void **state)
{
	static const char *const all[] = {"/"};
	char dir[128];
	const char *const hostbin[] = {dir};
	struct capture_options host = {.name = "node", .version = 3, .exec = hostbin, .n_exec = 1};
	struct capture_options one = image(all), two = image(all);
	struct baseline *b, *c;

	(void)state;
	snprintf(dir, sizeof(dir), "%s/hostbin", top);
	one.name = two.name = NULL;
	one.add = two.add = base_path;
	two.image = IMAGE2;
	baseline_free(made(&host, base_path));
	baseline_free(made(&one, base_path));
	b = made(&two, base_path);
	assert_string_equal(baseline_info(b)->name, "node");
	assert_int_equal(baseline_info(b)->version, 3);
	assert_int_equal(baseline_info(b)->count, 4);
	assert_int_equal(judged(b, "image:" IMAGE, A), PLUMB_JUDGE_OK);
	assert_int_equal(judged(b, "image:" IMAGE, C), PLUMB_JUDGE_DRIFT);
	assert_int_equal(judged(b, "image:" IMAGE2, A), PLUMB_JUDGE_OK);
	assert_int_equal(judged(b, "image:sha256:00", A), PLUMB_JUDGE_UNJUDGED);
	assert_int_equal(judged(b, "container:00", C), PLUMB_JUDGE_UNJUDGED);
	assert_int_equal(judged(b, "host", C), PLUMB_JUDGE_OK);
	assert_int_equal(judged(b, "host", A), PLUMB_JUDGE_DRIFT);
	one.name = "node";
	one.add = NULL;
	two.add = host.add = out;
	host.version = 3;
	baseline_free(made(&one, out));
	baseline_free(made(&two, out));
	c = made(&host, out);
	assert_int_equal(baseline_info(c)->count, 4);
	assert_int_equal(judged(c, "image:" IMAGE2, A), PLUMB_JUDGE_OK);
	assert_int_equal(judged(c, "host", A), PLUMB_JUDGE_DRIFT);
	baseline_free(b);
	baseline_free(c);
	scratch_run(".", "cd %s && tail -n +2 base.jsonl >x && tail -n +2 out.jsonl | cmp - x",
		    top);
}

static void refused(struct capture_options *o, int error, const char *word)
{
	struct why why = {""};
	int r = make(o, out, &why);

	if (r != error || !strstr(why.text, word))
		fail_msg("%d \"%s\" instead of %d, %s", r, why.text, error, word);
	assert_true(access(out, F_OK) < 0);
}

static void test_refused(void **state)
{
	static const char *const all[] = {"/"}, *const etc[] = {"/etc"};
	struct capture_options open_host = {
		.name = "node", .files = etc, .n_files = 0, .claims = true};
	struct capture_options one = image(all);

	(void)state;
	baseline_free(made(&one, base_path));
	one.add = base_path;
	refused(&one, -EEXIST, "has the scope image:" IMAGE " already");
	baseline_free(made(&open_host, base_path));
	refused(&one, -EINVAL, "leaves exec: open");
	one.add = "/nonexistent";
	refused(&one, -ENOENT, "/nonexistent");
	one = image(all);
	one.root = "/nonexistent";
	refused(&one, -ENOENT, "/nonexistent");
	scratch_run(".", "cd %s && sed -i '$s/a/b/' base.jsonl", top);
	one = image(all);
	one.add = base_path;
	refused(&one, -EBADMSG, "base.jsonl");
}

/* What the other document closes is closed for the scope that is added, too: it is to list it. */
static void test_refused_unlisted(void **state)
{
	static const char *const all[] = {"/"}, *const bin[] = {"/bin/true"};
	struct capture_options host = {.name = "node",
				       .exec = bin,
				       .n_exec = 1,
				       .code = bin,
				       .n_code = 1,
				       .proc = top,
				       .sys = top};
	struct capture_options claims = {.add = base_path, .claims = true};
	struct capture_options one = image(all);
	struct baseline *b;

	(void)state;
	baseline_free(made(&host, base_path));
	one.add = base_path;
	refused(&one, -EINVAL,
		"closes code: in every scope, and this one would list nothing of "
		"it: give it --code");
	one.n_exec = 0;
	one.code = all;
	one.n_code = 1;
	refused(&one, -EINVAL, "give it --exec");
	one.n_exec = 1;
	b = made(&one, out);
	assert_int_equal(judged(b, "image:" IMAGE, A), PLUMB_JUDGE_OK);
	baseline_free(b);
	assert_int_equal(unlink(out), 0);

	one = image(all);
	baseline_free(made(&one, base_path));
	refused(&claims, -EINVAL, "give it --exec");
	host.add = base_path;
	refused(&host, -EINVAL, "leaves code: open");
	/* What only a host has is in no image's way. */
	host.n_code = 0;
	host.modules = true;
	baseline_free(made(&host, out));
	assert_int_equal(unlink(out), 0);

	one.code = all;
	one.n_code = 1;
	baseline_free(made(&one, base_path));
	refused(&host, -EINVAL, "give it --code");
}

/* Files that an image lists are not closed for the host that it stands beside. */
static void test_files_beside_host(void **state)
{
	static const char *const bin[] = {"/bin/true"}, *const etc[] = {"/etc"},
				 *const all[] = {"/"};
	struct capture_options host = {.name = "node", .exec = bin, .n_exec = 1};
	struct capture_options one = image(all);
	struct judge_result r;
	struct baseline *b;

	(void)state;
	baseline_free(made(&host, base_path));
	one.add = base_path;
	one.files = etc;
	one.n_files = 1;
	b = made(&one, out);
	assert_non_null(baseline_expected(b, "image:" IMAGE, "file:/etc/conf"));
	assert_int_equal(judge_measurement(b, PLUMB_TYPE_FILE, "host", "file:/etc/passwd", A, &r),
			 0);
	assert_int_equal(r.judgement, PLUMB_JUDGE_UNJUDGED);
	baseline_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(test_links_stay_inside, setup, teardown),
		cmocka_unit_test_setup_teardown(test_root, setup, teardown),
		cmocka_unit_test_setup_teardown(test_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_added, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused_unlisted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_files_beside_host, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
