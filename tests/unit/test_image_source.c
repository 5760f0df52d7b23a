/* SPDX-License-Identifier: Apache-2.0 */
/* Images in every form in which they are kept; what their layers leave of one another; and archives that lie, lead out or are cut short. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "baseline.h"
#include "buf.h"
#include "capture.h"
#include "cleanup.h"
#include "fsio.h"
#include "image_source.h"
#include "scratch.h"

static char dir[SCRATCH_SIZE];

/* oci DIR LAYER…: an OCI layout of tars; docker DIR LAYER…: what docker save makes of them. config: {"sha256":…} of the last one made. */
static const char tools[] =
	"sha() { sha256sum <$1 | cut -c1-64; }\n"
	"blob() { d=$(sha $1); cp $1 $o/blobs/sha256/$d; }\n"
	"config() { x=; for l; do x=\"$x,\\\"sha256:$(sha $l)\\\"\"; done\n"
	"  printf '{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\","
	"\"diff_ids\":[%s]}}' ${x#,} >config; sha config >config.sha; }\n"
	"oci() { o=$1; shift; mkdir -p $o/blobs/sha256; printf '{}' >$o/oci-layout; config $@; x=\n"
	"  for l; do $pack <$l >packed; blob packed; x=\"$x,{\\\"digest\\\":\\\"sha256:$d\\\"}\"; "
	"done\n"
	"  blob config; printf '{\"config\":{\"digest\":\"sha256:%s\"},\"layers\":[%s]}' $d "
	"${x#,} >m; blob m; sha m >manifest.sha\n"
	"  printf '{\"manifests\":[{\"digest\":\"sha256:%s\"}]}' $d >$o/index.json; }\n"
	"docker() { o=$1; shift; mkdir -p $o; config $@; cp config $o/c.json; x=\n"
	"  for l; do mkdir $o/$l.d; cp $l $o/$l.d/layer.tar; x=\"$x,\\\"$l.d/layer.tar\\\"\"; "
	"done\n"
	"  printf '[{\"Config\":\"c.json\",\"Layers\":[%s]}]' ${x#,} >$o/manifest.json; }\n"
	"pack='gzip -n'; t() { tar --sort=name --numeric-owner --owner=0 --group=0 \"$@\"; }\n";

__attribute__((format(printf, 1, 2))) static void sh(const char *format, ...)
{
	char script[8192];
	va_list ap;
	int n = snprintf(script, sizeof(script), "cd %s && set -e\n", dir);

	n += snprintf(script + n, sizeof(script) - (size_t)n, "%s", tools);

	va_start(ap, format);
	vsnprintf(script + n, sizeof(script) - (size_t)n, format, ap);
	va_end(ap);
	if (system(script) != 0)
		fail_msg("%s", script + n);
}

static int setup(void **state)
{
	(void)state;
	scratch_open(dir, "image-source");
	/* Three layers: a base; one that changes, adds and hides; one that hides a whole directory and brings it back. */
	sh("mkdir -p a/bin a/usr/lib a/opt/old a/etc b/bin b/etc b/opt c/opt\n"
	   "echo one >a/bin/one; echo two >a/bin/two; echo gone >a/bin/gone; chmod 755 a/bin/*\n"
	   "ln a/bin/one a/bin/also; ln -s one a/bin/link; ln -s usr/lib a/lib; ln -s /usr/lib "
	   "a/abs; "
	   "ln -s ../../../../usr a/up; ln -s loop a/loop\n"
	   "echo so >a/usr/lib/so; chmod 755 a/usr/lib/so; echo old >a/opt/old/x; chmod 755 "
	   "a/opt/old/x\n"
	   "echo conf >a/etc/conf; echo plain >a/bin/plain; mkfifo a/etc/pipe\n"
	   "t -C a -cf a.tar .\n"
	   "echo TWO >b/bin/two; chmod 700 b/bin/two; touch b/bin/.wh.gone; touch b/opt/.wh.old\n"
	   "mkdir -p b/lib; echo new >b/lib/new; chmod 755 b/lib/new\n"
	   "t -C b -cf b.tar bin etc opt lib/new\n"
	   "touch c/opt/.wh..wh..opq; mkdir c/opt/old; echo back >c/opt/old/y; chmod 755 "
	   "c/opt/old/y\n"
	   "t -C c -cf c.tar opt\n");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	scratch_done(dir);
	return 0;
}

static int try(const char *name, struct image_tree **t, struct image_source_info *info,
	       struct why *why)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return image_source_open(path, t, info, why);
}

static struct image_tree *opened(const char *name, struct image_source_info *info)
{
	struct image_tree *t = NULL;
	struct why why = {""};

	if (try(name, &t, info, &why) < 0)
		fail_msg("%s: %s", name, why.text);
	assert_non_null(t);
	return t;
}

static void refused(const char *name, const char *what)
{
	struct image_source_info info;
	struct image_tree *t = NULL;
	struct why why = {""};

	if (try(name, &t, &info, &why) >= 0)
		fail_msg("%s was taken", name);
	if (!strstr(why.text, what))
		fail_msg("%s: %s", name, why.text);
	assert_null(t);
}

struct list {
	char text[1024];
};

static int add_name(void *ctx, const char *path, const struct image_tree_file *f)
{
	struct list *l = ctx;
	size_t n = strlen(l->text);

	if (S_ISREG(f->mode) && (f->mode & 0111))
		snprintf(l->text + n, sizeof(l->text) - n, "%s ", path);
	return 0;
}

static void programs(struct image_tree *t, const char *path, const char *expected)
{
	struct list l = {""};

	assert_int_equal(image_tree_each(t, path, true, add_name, &l), 0);
	if (strcmp(l.text, expected) != 0)
		fail_msg("%s has %s", path, l.text);
}

static void is(struct image_tree *t, const char *path, mode_t type, uint64_t size)
{
	struct image_tree_file f;

	if (image_tree_find(t, path, true, &f) < 0)
		fail_msg("%s is not there", path);
	assert_int_equal(f.mode & S_IFMT, type);
	if (type == S_IFREG)
		assert_int_equal(f.size, size);
}

static void is_gone(struct image_tree *t, const char *path, int error)
{
	struct image_tree_file f;

	assert_int_equal(image_tree_find(t, path, true, &f), error);
}

static void hold_base(struct image_tree *t)
{
	programs(t, "/bin", "/bin/also /bin/gone /bin/one /bin/two ");
	is(t, "/bin/link", S_IFREG, 4);
	is(t, "/lib/so", S_IFREG, 3);
	is(t, "/abs/so", S_IFREG, 3);
	is(t, "/up/lib/so", S_IFREG, 3);
	is(t, "/up/../bin/one", S_IFREG, 4);
	is(t, "/etc/pipe", S_IFIFO, 0);
	is(t, "/", S_IFDIR, 0);
	is_gone(t, "/loop", -ELOOP);
	is_gone(t, "/bin/one/x", -ENOENT);
	is_gone(t, "/bin/.", -ENOENT + ENOENT);
}

static void hold_all(struct image_tree *t)
{
	struct image_tree_file f;

	is(t, "/bin/two", S_IFREG, 4);
	assert_int_equal(image_tree_find(t, "/bin/two", false, &f), 0);
	assert_int_equal(f.mode & 07777, 0700);
	is_gone(t, "/bin/gone", -ENOENT);
	is_gone(t, "/opt/old/x", -ENOENT);
	is(t, "/opt/old/y", S_IFREG, 5);
	is_gone(t, "/bin/.wh.gone", -ENOENT);
	is(t, "/bin/also", S_IFREG, 4);
	/* Written through the link that a layer below made. */
	is(t, "/usr/lib/new", S_IFREG, 4);
	is(t, "/etc/conf", S_IFREG, 5);
}

static void test_forms(void **state)
{
	static const char *const forms[] = {"oci",    "oci.tar", "oci.tgz",	  "zst",
					    "docker", "d.tar",	 "docker.tar.zst"};
	struct image_source_info info;

	(void)state;
	sh("oci oci a.tar b.tar c.tar; t -C oci -cf oci.tar .; gzip -nc oci.tar >oci.tgz\n"
	   "pack='zstd -q'; oci zst a.tar b.tar c.tar\n"
	   "docker docker a.tar b.tar c.tar; t -C docker -cf d.tar manifest.json c.json a.tar.d "
	   "b.tar.d c.tar.d; "
	   "zstd -q -o docker.tar.zst d.tar\n");
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		struct image_tree *t = opened(forms[i], &info);
		CLEANUP(buf_done) struct buf sha = {0};
		char path[256];

		hold_all(t);
		image_tree_free(t);
		/* The digest of the configuration's own bytes, whatever it is kept in. */
		snprintf(path, sizeof(path), "%s/config.sha", dir);
		assert_int_equal(fsio_read_file(fsio_system(), path, 100, &sha), 0);
		assert_memory_equal(info.config + 7, sha.data, 64);
		assert_int_equal(info.manifest[0] == 0, strchr(forms[i], 'd') != NULL);
		assert_string_equal(info.index, "");
	}
}

static void test_rootfs(void **state)
{
	struct image_source_info info;
	struct image_tree *t;
	struct why why = {""};

	(void)state;
	t = opened("a.tar", &info);
	hold_base(t);
	assert_string_equal(info.config, "");
	image_tree_free(t);
	t = NULL;
	assert_int_equal(try("a", &t, &info, &why), 0); /* a directory: it is walked itself */
	assert_null(t);
}

/* Several machines' images: this one's, and the index is told, too. */
static void test_index(void **state)
{
	struct image_source_info info;
	struct image_tree *t;

	(void)state;
	sh("oci two a.tar; m=$(cat manifest.sha); case $(uname -m) in x86_64) a=amd64;; aarch64) "
	   "a=arm64;; *) "
	   "a=$(uname -m);; esac\n"
	   "printf "
	   "'{\"manifests\":[{\"digest\":\"sha256:%%s\",\"platform\":{\"architecture\":\"vax\","
	   "\"os\":"
	   "\"linux\"}},{\"digest\":\"sha256:%%s\",\"platform\":{\"architecture\":\"%%s\",\"os\":"
	   "\"linux\"}},"
	   "{\"digest\":\"sha256:%%s\",\"platform\":{\"architecture\":\"unknown\",\"os\":"
	   "\"unknown\"}}]}' $m $m "
	   "$a $m >i; o=two; blob i; printf '{\"manifests\":[{\"digest\":\"sha256:%%s\"}]}' $d "
	   ">two/index.json\n"
	   "cp -r two none; o=none; sed s/$a/pdp11/ i >j; blob j; printf "
	   "'{\"manifests\":[{\"digest\":\"sha256:%%s\"}]}' $d >none/index.json\n"
	   "cp -r two both; o=both; sed s/vax/$a/ i >j; blob j; printf "
	   "'{\"manifests\":[{\"digest\":\"sha256:%%s\"}]}' $d >both/index.json\n");
	t = opened("two", &info);
	hold_base(t);
	assert_true(image_layout_is_digest(info.index));
	assert_true(strcmp(info.index, info.manifest) != 0);
	image_tree_free(t);
	refused("none", "no image for linux/");
	refused("both", "one at a time");
}

/* Whoever changes a byte is told from whom the digest names. */
static void test_lies(void **state)
{
	(void)state;
	sh("oci good a.tar b.tar; m=$(cat manifest.sha); c=$(cat config.sha)\n"
	   "cp -r good content; for f in content/blobs/sha256/*; do gzip -t $f 2>/dev/null && gzip "
	   "-nc c.tar "
	   ">$f; done\n"
	   "cp -r good manifest; printf ' ' >>manifest/blobs/sha256/$m\n"
	   "cp -r good conf; printf ' ' >>conf/blobs/sha256/$c\n"
	   "cp -r good lacks; for f in lacks/blobs/sha256/*; do gzip -t $f 2>/dev/null && rm $f; "
	   "done\n"
	   "cp -r good up; printf "
	   "'{\"manifests\":[{\"digest\":\"sha256:../../../../etc/passwd\"}]}' "
	   ">up/index.json\n"
	   "cp -r good circle; printf '{\"manifests\":[]}' >circle/index.json\n"
	   "docker dk a.tar; cp -r dk dk2; cp b.tar dk2/a.tar.d/layer.tar; cp -r dk out; "
	   "rm out/a.tar.d/layer.tar; ln -s /etc/passwd out/a.tar.d/layer.tar\n"
	   "cp -r dk more; sed 's/]}]/,\"x\"]}]/' dk/manifest.json >more/manifest.json\n"
	   "cp -r dk twice; printf '[{\"Config\":\"c.json\",\"Layers\":[]},{\"Config\":\"c.json\","
	   "\"Layers\":[]}]' >twice/manifest.json\n"
	   "cp -r dk names; sed 's/c.json/..\\/..\\/..\\/etc\\/passwd/' dk/manifest.json "
	   ">names/manifest.json\n"
	   "t -cf names.tar -C names .\n"
	   "ln -s x self; t -cf self.tar self\n");
	refused("content", "not what the image's configuration says");
	refused("manifest", "not what its name says");
	refused("conf", "not what its name says");
	refused("lacks", "No such file");
	refused("up", "64 digits");
	refused("circle", "no image for");
	refused("dk2", "not what the image's configuration says");
	refused("out", "layer");
	refused("more", "not that of its layers");
	refused("twice", "one at a time");
	refused("names", "passwd");
	refused("names.tar", "passwd");
	refused("nothing", "No such file");
	refused("config", "archive");
}

static void test_hostile(void **state)
{
	struct image_source_info info;
	struct image_tree *t;
	char name[64];

	(void)state;
	sh("mkdir h && cd h && echo x >x && chmod 755 x && echo y >y\n"
	   "t -P --transform 's,^x$,../../../x,' -cf ../up.tar x\n"
	   "t -P --transform 's,^x$,/bin/x,' -cf ../absolute.tar x\n"
	   "ln x z; t --transform 's,^x$,q,H' -cf ../hard.tar x z; rm z\n"
	   "ln -s / z; t -cf link.tar z; t -P --transform 's,^x$,z/tmp/x,' -cf through.tar x; "
	   "t -A -f link.tar through.tar; mv link.tar ../through.tar\n"
	   "n=$(printf 'n%%.0s' $(seq 300)); t -P --transform \"s,^x$,$n,\" -cf ../long.tar x\n"
	   "t -P --transform 's,^x$,.wh.,' -cf ../bare.tar x\n"
	   "n=$(printf 'caf\\351'); cp x $n; t -cf ../latin.tar $n\n"
	   "n=$(printf 'caf\\303\\251'); cp x $n; t --format=pax -cf ../utf8.tar $n; t "
	   "--format=pax "
	   "--pax-option=globexthdr.x:=y,comment:=z -cf ../pax.tar $n\n"
	   "head -c 300000 /dev/urandom >big; chmod 755 big; t -cf ../big.tar big; truncate -s 8E "
	   "huge 2>/dev/null "
	   "|| truncate -s 4T huge; t -S -cf ../huge.tar huge\n");
	refused("up.tar", "leads upwards");
	refused("hard.tar", "hard link");
	refused("huge.tar", "bytes");
	refused("long.tar", "nnnnn");
	t = opened("absolute.tar", &info);
	is(t, "/bin/x", S_IFREG, 2);
	image_tree_free(t);
	/* A link to / leads to the image's own. */
	t = opened("through.tar", &info);
	is(t, "/tmp/x", S_IFREG, 2);
	image_tree_free(t);
	t = opened("bare.tar", &info);
	image_tree_free(t);
	t = opened("latin.tar", &info);
	is(t, "/caf\xe9", S_IFREG, 2);
	image_tree_free(t);
	t = opened("utf8.tar", &info);
	is(t, "/caf\xc3\xa9", S_IFREG, 2);
	image_tree_free(t);
	t = opened("pax.tar", &info);
	is(t, "/caf\xc3\xa9", S_IFREG, 2);
	image_tree_free(t);
	/* Cut within a file. */
	for (int i = 1; i < 5; i++) {
		snprintf(name, sizeof(name), "cut%d.tar", i);
		sh("head -c %d big.tar >%s", i * 60000, name);
		refused(name, "archive");
	}
}

static void test_capture(void **state)
{
	static const char *const all[] = {"/"}, *const files[] = {"/etc", "/lib", "/nothing"},
				 *const through[] = {"/lib/so"};
	struct image_source_info info;
	struct capture_options o = {
		.name = "x", .exec = all, .n_exec = 1, .files = files, .n_files = 3};
	struct baseline *b = NULL;
	struct why why = {""};
	char out[256], scope[128];
	uint64_t count;

	(void)state;
	sh("oci cap a.tar b.tar c.tar\n");
	snprintf(out, sizeof(out), "%s/out.jsonl", dir);
	o.tree = opened("cap", &info);
	o.image = info.config;
	if (capture_make(fsio_system(), &o, out, &count, &why) < 0 ||
	    baseline_open(fsio_system(), out, NULL, 0, 0, &b, &why) < 0)
		fail_msg("%s", why.text);
	snprintf(scope, sizeof(scope), "image:%s", info.config);
	assert_true(baseline_has_scope(b, scope));
	/* SHA-256 of "one\n" and "gone\n" */
	assert_string_equal(
		baseline_expected(
			b, scope,
			"exec:sha256:"
			"2c8b08da5ce60398e1f19af0e5dccc744df274b826abe585eaba68c525434806"),
		"/bin/also");
	assert_null(baseline_expected(
		b, scope,
		"exec:sha256:"
		"4b9f2c32577beb1ebc8ab2a1e226faaa9176a81cd4eedbaa22f8a0db919972b5"));
	assert_string_equal(baseline_expected(b, scope, "file:/lib"), "link 0:0 -> usr/lib");
	assert_string_equal(baseline_expected(b, scope, "file:/nothing"), "absent");
	assert_non_null(baseline_expected(b, scope, "file:/etc/conf"));
	baseline_free(b);
	o.files = through;
	o.n_files = 1;
	assert_int_equal(capture_make(fsio_system(), &o, out, &count, &why), -EINVAL);
	assert_non_null(strstr(why.text, "/usr/lib/so"));
	image_tree_free(o.tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_forms, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rootfs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_index, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lies, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile, setup, teardown),
		cmocka_unit_test_setup_teardown(test_capture, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
