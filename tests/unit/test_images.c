/* SPDX-License-Identifier: Apache-2.0 */
/* What each runtime keeps tells the image; what does not tell it for sure leaves the container what it is. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fsio.h"
#include "images.h"

#define HOST 4026531841u
#define OTHER 4026532000u
#define ID "1111111111111111111111111111111111111111111111111111111111111111"
#define ID2 "2222222222222222222222222222222222222222222222222222222222222222"
#define DIGEST "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"

static const char docker[] =
	"{\"StreamConfig\":{},\"State\":{\"Running\":true,\"Pid\":77},\"ID\":\"" ID
	"\",\"Image\":\"sha256:" DIGEST "\",\"Config\":{\"Image\":\"nginx\"}}";
static const char crio[] =
	"{\"ociVersion\":\"1.0.2\",\"annotations\":{\"io.kubernetes.cri-o.ImageRef\":\"" DIGEST
	"\",\"io.kubernetes.cri-o.ImageName\":\"docker.io/library/nginx:1\"}}";
static const char containerd[] =
	"{\"ociVersion\":\"1.1.0\",\"annotations\":{\"io.kubernetes.cri.container-type\":"
	"\"container\","
	"\"io.kubernetes.cri.image-name\":\"docker.io/library/nginx@sha256:" DIGEST "\"}}";
static const char tagged[] =
	"{\"annotations\":{\"io.kubernetes.cri.image-name\":\"docker.io/library/nginx:latest\"}}";
static const char storage[] =
	"[{\"id\":\"" ID2 "\",\"names\":[\"a\"],\"image\":\"00\"},{\"id\":\"" ID
	"\",\"names\":[\"b\"],\"image\":\"" DIGEST "\",\"layer\":\"x\"}]";

static char root[64];
static uint64_t boot_ns;

static uint64_t now(void *ctx)
{
	(void)ctx;
	return boot_ns;
}

static const struct clock clock_here = {now, now, NULL};

static int setup(void **state)
{
	const struct images_options o = {.root = root, .host_mnt_ns = HOST, .clock = &clock_here};

	strcpy(root, "/tmp/plumb-test-images-XXXXXX");
	boot_ns = 1000;
	return mkdtemp(root) ? images_open(&o, (struct images **)state) : -1;
}

static int teardown(void **state)
{
	char command[128];

	images_free(*state);
	snprintf(command, sizeof(command), "rm -rf %s", root);
	return system(command);
}

static void put(const char *name, const char *text)
{
	char path[512], dir[512];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	snprintf(dir, sizeof(dir), "%s", path);
	*strrchr(dir, '/') = 0;
	assert_int_equal(fsio_mkdir_all(fsio_system(), dir, 0700), 0);
	assert_int_equal(fsio_replace_file(fsio_system(), path, text, strlen(text), 0600), 0);
}

static const char *scope_of(struct images *m, uint32_t mnt_ns, const char *before)
{
	static char scope[CGROUPS_SCOPE_SIZE];

	snprintf(scope, sizeof(scope), "%s", before);
	images_scope(m, mnt_ns, scope);
	return scope;
}

static void test_runtimes(void **state)
{
	static const struct {
		const char *path, *text;
	} rows[] = {
		{"var/lib/docker/containers/" ID "/config.v2.json", docker},
		{"run/containers/storage/overlay-containers/" ID "/userdata/config.json", crio},
		{"var/lib/containers/storage/overlay-containers/" ID "/userdata/config.json", crio},
		{"var/lib/containers/storage/overlay-containers/containers.json", storage},
		{"var/lib/containers/storage/overlay-containers/volatile-containers.json", storage},
		{"run/containerd/io.containerd.runtime.v2.task/k8s.io/" ID "/config.json",
		 containerd},
		{"run/k3s/containerd/io.containerd.runtime.v2.task/k8s.io/" ID "/config.json",
		 containerd},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		put(rows[i].path, rows[i].text);
		assert_string_equal(scope_of(*state, OTHER, "container:" ID),
				    "image:sha256:" DIGEST);
		teardown(state);
		setup(state);
	}
}

static void test_not_for_sure(void **state)
{
	put("var/lib/docker/containers/" ID "/config.v2.json", docker);
	/* The host's own programs, run by a runtime in the container's cgroup; and who cannot be told from them. */
	assert_string_equal(scope_of(*state, HOST, "container:" ID), "container:" ID);
	assert_string_equal(scope_of(*state, 0, "container:" ID), "container:" ID);
	assert_string_equal(scope_of(*state, OTHER, "host"), "host");
	assert_string_equal(scope_of(*state, OTHER, "container:" ID2), "container:" ID2);
	assert_string_equal(scope_of(*state, OTHER, "container:../../etc/passwd"),
			    "container:../../etc/passwd");
	assert_string_equal(scope_of(*state, OTHER, "container:" ID), "image:sha256:" DIGEST);
	/* Another container's file. */
	put("var/lib/docker/containers/" ID2 "/config.v2.json", docker);
	boot_ns += 10000000000ull;
	assert_string_equal(scope_of(*state, OTHER, "container:" ID2), "container:" ID2);
}

static void test_tag_is_no_digest(void **state)
{
	put("run/containerd/io.containerd.runtime.v2.task/k8s.io/" ID "/config.json", tagged);
	assert_string_equal(scope_of(*state, OTHER, "container:" ID), "container:" ID);
}

/* A runtime may be late; one that is known stays so when its file goes. */
static void test_remembered(void **state)
{
	char path[256];

	assert_string_equal(scope_of(*state, OTHER, "container:" ID), "container:" ID);
	put("var/lib/docker/containers/" ID "/config.v2.json", docker);
	assert_string_equal(scope_of(*state, OTHER, "container:" ID), "container:" ID);
	boot_ns += 10000000000ull;
	assert_string_equal(scope_of(*state, OTHER, "container:" ID), "image:sha256:" DIGEST);
	snprintf(path, sizeof(path), "%s/var/lib/docker/containers/" ID "/config.v2.json", root);
	assert_int_equal(unlink(path), 0);
	boot_ns += 100000000000ull;
	assert_string_equal(scope_of(*state, OTHER, "container:" ID), "image:sha256:" DIGEST);
}

/* As many as a node has, at once: each is asked for once. */
static void test_many(void **state)
{
	char before[CGROUPS_SCOPE_SIZE], path[256], text[512];

	for (int round = 0; round < 2; round++) {
		for (unsigned int i = 0; i < 250; i++) {
			snprintf(before, sizeof(before), "container:%064x", i * 2654435761u);
			snprintf(path, sizeof(path), "var/lib/docker/containers/%s/config.v2.json",
				 before + 10);
			snprintf(text, sizeof(text),
				 "{\"ID\":\"%s\",\"Image\":\"sha256:" DIGEST "\"}", before + 10);
			if (round == 0)
				put(path, text);
			assert_string_equal(scope_of(*state, OTHER, before),
					    "image:sha256:" DIGEST);
			snprintf(text, sizeof(text), "%s/%s", root, path);
			if (round == 0)
				assert_int_equal(unlink(text), 0);
		}
	}
}

static void test_no_plain_file(void **state)
{
	char command[512];

	put("elsewhere", docker);
	snprintf(command, sizeof(command),
		 "cd %s && mkdir -p var/lib/docker/containers/" ID
		 " && cd var/lib/docker/containers/" ID
		 " && ln -s ../../../../../elsewhere config.v2.json",
		 root);
	assert_int_equal(system(command), 0);
	assert_string_equal(scope_of(*state, OTHER, "container:" ID), "container:" ID);
	snprintf(command, sizeof(command),
		 "cd %s/var/lib/docker/containers/" ID
		 " && rm config.v2.json && cp ../../../../../elsewhere config.v2.json && chmod 666 "
		 "config.v2.json",
		 root);
	assert_int_equal(system(command), 0);
	boot_ns += 10000000000ull;
	assert_string_equal(scope_of(*state, OTHER, "container:" ID), "container:" ID);
	snprintf(command, sizeof(command),
		 "cd %s/var/lib/docker/containers/" ID
		 " && rm config.v2.json && mkfifo config.v2.json",
		 root);
	assert_int_equal(system(command), 0);
	boot_ns += 10000000000ull;
	assert_string_equal(scope_of(*state, OTHER, "container:" ID), "container:" ID);
}

static void never(enum images_kind kind, const char *text)
{
	char digest[IMAGES_DIGEST_SIZE] = "";

	assert_true(images_parse(kind, ID, text, strlen(text), digest) < 0);
	assert_string_equal(digest, "");
}

static void test_twins(void **state)
{
	static const char *const good[] = {docker, crio, storage};
	char digest[IMAGES_DIGEST_SIZE];
	char bad[512];

	(void)state;
	for (int kind = 0; kind < 3; kind++) {
		size_t n = strlen(good[kind]);

		assert_int_equal(images_parse((enum images_kind)kind, ID, good[kind], n, digest),
				 0);
		assert_string_equal(digest, "sha256:" DIGEST);
		for (size_t cut = 0; cut < n; cut++) {
			memcpy(bad, good[kind], cut);
			bad[cut] = 0;
			never((enum images_kind)kind, bad);
		}
		/* One digit less, one more, and one that is none. */
		memcpy(bad, good[kind], n + 1);
		*strstr(bad, DIGEST) = 'g';
		never((enum images_kind)kind, bad);
	}
	never(IMAGES_DOCKER, "{\"ID\":\"" ID "\",\"Image\":\"sha256:" DIGEST "0\"}");
	never(IMAGES_DOCKER, "{\"ID\":\"" ID "\",\"Image\":\"md5:" DIGEST "\"}");
	never(IMAGES_DOCKER, "{\"ID\":\"" ID "\",\"Image\":7}");
	never(IMAGES_DOCKER, "{\"ID\":\"" ID2 "\",\"Image\":\"sha256:" DIGEST "\"}");
	never(IMAGES_DOCKER, "[]");
	never(IMAGES_OCI, tagged);
	never(IMAGES_OCI, "{\"annotations\":[]}");
	never(IMAGES_OCI,
	      "{\"annotations\":{\"io.kubernetes.cri.image-name\":\"nginx@" DIGEST "\"}}");
	never(IMAGES_STORAGE, "{}");
	never(IMAGES_STORAGE, "[1,\"" ID "\",{\"id\":7}]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_runtimes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_for_sure, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tag_is_no_digest, setup, teardown),
		cmocka_unit_test_setup_teardown(test_remembered, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_plain_file, setup, teardown),
		cmocka_unit_test(test_twins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
