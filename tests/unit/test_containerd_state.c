/* SPDX-License-Identifier: Apache-2.0 */
/* containerd's own files tell a container's image, and call it as plumbctl does that captures it; what does not agree tells nothing. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "bolt_maker.h"
#include "containerd_state.h"
#include "fsio.h"
#include "image_source.h"
#include "images.h"
#include "scratch.h"

#define ID "1111111111111111111111111111111111111111111111111111111111111111"
#define CONTENT "io.containerd.content.v1.content/blobs/sha256"

static char dir[SCRATCH_SIZE], root[96], config[80], manifest[80], index_[80], chain[80];

/* What a script left in a file, of one word. */
static void word(const char *name, char ret[80])
{
	struct buf b = {0};
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(fsio_read_file(fsio_system(), path, 79, &b), 0);
	snprintf(ret, 80, "%.*s", (int)strcspn((char *)b.data, "\n"), (char *)b.data);
	buf_done(&b);
}

/* An OCI layout of two layers, whose documents lie in containerd's content store, too. */
static int setup(void **state)
{
	(void)state;
	scratch_open(dir, "containerd");
	snprintf(root, sizeof(root), "%s/var/lib/containerd", dir);
	scratch_run(
		dir,
		"set -e; mkdir -p var/lib/containerd/" CONTENT
		" var/lib/containerd/io.containerd.metadata.v1.bolt oci/blobs/sha256 a b; "
		"sha() { sha256sum <$1 | cut -c1-64; }; "
		"blob() { cp $1 oci/blobs/sha256/$(sha $1); echo sha256:$(sha $1) >$1.sha; }; "
		"echo 1 >a/x; echo 2 >b/y; tar -C a -cf l1 x; tar -C b -cf l2 y; blob l1; blob l2; "
		"printf '{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"%%s\",\"%%s\"]}}' $(cat "
		"l1.sha) "
		"$(cat l2.sha) >config; blob config; "
		"printf "
		"'{\"config\":{\"digest\":\"%%s\"},\"layers\":[{\"digest\":\"%%s\"},{\"digest\":\"%"
		"%s\"}]}' "
		"$(cat config.sha) $(cat l1.sha) $(cat l2.sha) >manifest; blob manifest; "
		"printf '{\"manifests\":[{\"digest\":\"%%s\"}]}' $(cat manifest.sha) >index; blob "
		"index; "
		"printf '{\"manifests\":[{\"digest\":\"%%s\"}]}' $(cat index.sha) >oci/index.json; "
		"echo '{}' >oci/oci-layout; "
		"printf '%%s %%s' $(cat l1.sha) $(cat l2.sha) >chain; echo sha256:$(sha chain) "
		">chain.sha; "
		"for f in config manifest index; do cp $f var/lib/containerd/" CONTENT
		"/$(sha $f); done");
	word("config.sha", config);
	word("manifest.sha", manifest);
	word("index.sha", index_);
	word("chain.sha", chain);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	scratch_done(dir);
	return 0;
}

/* As containerd writes it: a container of the image "box", whose snapshot lies on parent. */
static void put_metadata(const char *space, const char *target, const char *parent)
{
	const struct bolt_maker_item digest[] = {{"digest", target, NULL, 0}};
	const struct bolt_maker_item box[] = {{"target", NULL, digest, 1}};
	const struct bolt_maker_item images[] = {{"box:1", NULL, box, 1}};
	const struct bolt_maker_item container[] = {{"image", "box:1", NULL, 0},
						    {"snapshotKey", "snap", NULL, 0},
						    {"snapshotter", "overlayfs", NULL, 0}};
	const struct bolt_maker_item containers[] = {{ID, NULL, container, 3}};
	const struct bolt_maker_item snap[] = {{"name", "1", NULL, 0}, {"parent", parent, NULL, 0}};
	const struct bolt_maker_item snaps[] = {{"snap", NULL, snap, 2}};
	const struct bolt_maker_item drivers[] = {{"overlayfs", NULL, snaps, 1}};
	const struct bolt_maker_item in_space[] = {{"containers", NULL, containers, 1},
						   {"images", NULL, images, 1},
						   {"snapshots", NULL, drivers, 1}};
	const struct bolt_maker_item v1[] = {{space, NULL, in_space, 3}};
	const struct bolt_maker_item top[] = {{"v1", NULL, v1, 1}};
	struct buf b = {0};
	char path[192];

	bolt_maker_file(top, 1, 1, &b);
	snprintf(path, sizeof(path), "%s/io.containerd.metadata.v1.bolt/meta.db", root);
	assert_int_equal(fsio_replace_file(fsio_system(), path, b.data, b.size, 0644), 0);
	buf_done(&b);
}

static void test_container(void **state)
{
	static const char *const spaces[] = {"k8s.io", "moby", "default"};
	char found[IMAGE_LAYOUT_DIGEST_SIZE] = "";

	(void)state;
	assert_true(containerd_state_image(root, ID, found) < 0);
	for (size_t i = 0; i < 3; i++) {
		const char *const targets[] = {index_, manifest, config};

		for (size_t k = 0; k < 3; k++) {
			found[0] = 0;
			put_metadata(spaces[i], targets[k], chain);
			assert_int_equal(containerd_state_image(root, ID, found), 0);
			assert_string_equal(found, config);
		}
	}
	put_metadata("elsewhere", index_, chain);
	assert_int_equal(containerd_state_image(root, ID, found), -ENOENT);
}

/* A tag that means another image by now, a document that is not what its name says, one that is gone, a file that anybody may write. */
static void test_not_for_sure(void **state)
{
	char found[IMAGE_LAYOUT_DIGEST_SIZE] = "", path[256];

	(void)state;
	put_metadata("k8s.io", manifest, config);
	assert_int_equal(containerd_state_image(root, ID, found), -ESTALE);
	put_metadata("k8s.io", "sha256:../../../../etc/passwd", chain);
	assert_int_equal(containerd_state_image(root, ID, found), -EBADMSG);
	put_metadata("k8s.io", manifest, chain);
	snprintf(path, sizeof(path), "%s/io.containerd.metadata.v1.bolt/meta.db", root);
	assert_int_equal(chmod(path, 0666), 0);
	assert_int_equal(containerd_state_image(root, ID, found), -EACCES);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(containerd_state_image(root, ID, found), 0);
	found[0] = 0;
	snprintf(path, sizeof(path), "%s/" CONTENT "/%s", root, config + 7);
	assert_int_equal(fsio_replace_file(fsio_system(), path, "{}", 2, 0644), 0);
	assert_int_equal(containerd_state_image(root, ID, found), -EBADMSG);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(containerd_state_image(root, ID, found), -ENOENT);
	assert_string_equal(found, "");
}

/* Both sides call one image by one name, whichever of its digests a runtime has. */
static void test_capture_agrees(void **state)
{
	const char *const names[] = {index_, manifest, config};
	const struct images_options o = {.root = dir, .host_mnt_ns = 1, .clock = clock_system()};
	struct image_source_info info;
	struct image_tree *t = NULL;
	struct why why = {""};
	char path[160], expected[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/oci", dir);
	if (image_source_open(path, &t, &info, &why) < 0)
		fail_msg("%s", why.text);
	image_tree_free(t);
	assert_string_equal(info.config, config);
	assert_string_equal(info.manifest, manifest);
	assert_string_equal(info.index, index_);
	snprintf(expected, sizeof(expected), "image:%s", info.config);
	for (size_t i = 0; i < 3; i++) {
		char scope[CGROUPS_SCOPE_SIZE] = "container:" ID, found[IMAGE_LAYOUT_DIGEST_SIZE];
		struct images *m = NULL;

		assert_int_equal(containerd_state_config(root, names[i], found), 0);
		assert_string_equal(found, config);
		/* Docker with containerd's store, and CRI by digest. */
		scratch_run(dir,
			    "mkdir -p var/lib/docker/containers/" ID " && printf '{\"ID\":\"" ID
			    "\",\"Image\":\"%s\"}' >var/lib/docker/containers/" ID
			    "/config.v2.json && chmod 600 var/lib/docker/containers/" ID
			    "/config.v2.json",
			    names[i]);
		assert_int_equal(images_open(&o, &m), 0);
		images_scope(m, 2, scope);
		assert_string_equal(scope, expected);
		images_free(m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_container, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_for_sure, setup, teardown),
		cmocka_unit_test_setup_teardown(test_capture_agrees, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
