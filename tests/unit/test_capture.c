/* SPDX-License-Identifier: Apache-2.0 */
/* What is captured from a small tree is what an agent would find there; the same tree gives the same bytes, on any number of threads. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "baseline.h"
#include "capture.h"
#include "capture_mounts.h"
#include "capture_root.h"
#include "capture_sign.h"
#include "cleanup.h"
#include "scratch.h"

#define NOT "8d74beec1be996322ad76813bafb92d40839895d6dd7ee808b17ca201eac98be"
#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

struct bench {
	char top[64], out[96], etc[96], bin[96];
};

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	strcpy(b->top, "/tmp/plumb-test-capture-XXXXXX");
	assert_non_null(mkdtemp(b->top));
	snprintf(b->out, sizeof(b->out), "%s/base.jsonl", b->top);
	snprintf(b->etc, sizeof(b->etc), "%s/etc", b->top);
	snprintf(b->bin, sizeof(b->bin), "%s/bin", b->top);
	scratch_run(
		"/",
		"cd %s && umask 022 && mkdir -p etc/deep/er bin proc/sys/kernel sys/module/ext4 && "
		": >etc/empty && chmod 600 etc/empty && echo x >etc/deep/er/x && "
		"ln -s ../gone etc/link && mkfifo etc/pipe && : >\"etc/caf$(printf '\\351')\" && "
		"echo a >bin/b && cp bin/b bin/a && echo c >bin/c && chmod 755 bin/* && "
		"echo d >bin/not && chmod 644 bin/not && ln -s a bin/l && ln -s bin sbin && "
		"printf 'ro  quiet\\n' >proc/cmdline && echo 6.1 >proc/sys/kernel/osrelease && "
		"echo 'ext4 1 0 - Live 0x0' >proc/modules && echo ABC >sys/module/ext4/srcversion "
		"&& echo live >sys/module/ext4/initstate && "
		"echo 2 >proc/sys/kernel/kptr_restrict && "
		"echo /sbin/poweroff >proc/sys/kernel/poweroff_cmd && mkdir proc/sys/user && "
		"echo 31337 >proc/sys/user/max_user_namespaces && mkdir proc/self && "
		"echo '20 1 8:1 / / rw - ext4 /dev/sda1 rw' >proc/self/mountinfo",
		b->top);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	scratch_run(".", "rm -rf %s", b->top);
	free(b);
	return 0;
}

static int make(const struct bench *b, struct capture_options *o, uint64_t *ret_count,
		struct why *why)
{
	o->name = "test";
	o->version = 5;
	return capture_make(fsio_system(), o, b->out, ret_count, why);
}

static struct baseline *made(const struct bench *b, struct capture_options *o)
{
	struct baseline *base = NULL;
	struct why why = {""};
	uint64_t count = 0;

	if (make(b, o, &count, &why) < 0 ||
	    baseline_open(fsio_system(), b->out, NULL, 0, 5, &base, &why) < 0)
		fail_msg("%s", why.text);
	assert_int_equal(baseline_info(base)->count, count);
	return base;
}

static const char *expected(const struct baseline *b, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static const char *expected(const struct baseline *b, const char *format, ...)
{
	const char *found;
	char key[256];
	va_list ap;

	va_start(ap, format);
	vsnprintf(key, sizeof(key), format, ap);
	va_end(ap);
	found = baseline_expected(b, "host", key);
	return found ? found : "(none)";
}

static const char *two_is_better(void *ctx, const char *key, const char *found)
{
	(void)ctx;
	(void)found;
	return strcmp(key, "sysctl:kernel.kptr_restrict") == 0 ? "1" : NULL;
}

static int tier_is_full(void *ctx, int (*put)(void *put_ctx, const char *key, const char *value),
			void *put_ctx)
{
	(void)ctx;
	return put(put_ctx, "sensor:tier", "full");
}

/* What is expected is listed as it should be; without --claims nothing else is. */
static void test_expected(void **state)
{
	const struct bench *b = *state;
	char proc[128], sys[128];
	struct capture_options o = {
		.expect = two_is_better, .claims = true, .proc = proc, .sys = sys};
	struct baseline *base;

	snprintf(proc, sizeof(proc), "%s/proc", b->top);
	snprintf(sys, sizeof(sys), "%s/sys", b->top);
	base = made(b, &o);
	assert_string_equal(expected(base, "sysctl:kernel.kptr_restrict"), "1");
	assert_string_equal(expected(base, "boot:cmdline"), "ro quiet");
	baseline_free(base);
	o.claims = false;
	base = made(b, &o);
	assert_string_equal(expected(base, "sysctl:kernel.kptr_restrict"), "1");
	assert_int_equal(baseline_info(base)->count, 1);
	baseline_free(base);
	o.expect_told = tier_is_full;
	base = made(b, &o);
	assert_string_equal(expected(base, "sensor:tier"), "full");
	assert_int_equal(baseline_info(base)->count, 2);
	baseline_free(base);
}

/* What is mounted on, below and above a watched path is to stay as it is; what comes below it is drift, and elsewhere nothing is said. */
static void test_mounts(void **state)
{
	const struct bench *b = *state;
	char proc[128], deep[128], file[256];
	const char *const files[] = {deep, file}, *const all[] = {"/"};
	struct capture_options o = {.files = files, .n_files = 2, .proc = proc};
	struct capture_set *set;
	struct baseline *base;
	struct why why;

	snprintf(proc, sizeof(proc), "%s/proc", b->top);
	snprintf(deep, sizeof(deep), "%s/deep", b->etc);
	snprintf(file, sizeof(file), "%s/empty", b->etc);
	scratch_run(".",
		    "printf '20 1 8:1 / / rw - ext4 /dev/sda1 rw\\n"
		    "21 20 0:9 / %s rw - autofs auto rw\\n22 21 8:2 / %s rw - ext4 /dev/sda2 rw\\n"
		    "23 20 8:1 /x %s/e\\\\040r rw - ext4 /dev/sda1 rw\\n"
		    "24 20 0:8 / %s rw - tmpfs t rw\\n' >%s/self/mountinfo",
		    deep, deep, deep, b->top, proc);
	base = made(b, &o);
	assert_string_equal(expected(base, "mount:%s", deep), "ext4 /dev/sda2 /");
	assert_string_equal(expected(base, "mount:%s/e r", deep), "ext4 /dev/sda1 /x");
	assert_string_equal(expected(base, "mount:%s", file), "absent");
	assert_string_equal(expected(base, "mount:%s", b->etc), "absent");
	assert_string_equal(expected(base, "mount:%s", b->top), "(none)");
	assert_string_equal(expected(base, "mount:/tmp"), "absent");
	assert_string_equal(expected(base, "mount:/"), "(none)");
	assert_false(baseline_is_closed(base, "mount:/run/user/1000"));
	snprintf(file, sizeof(file), "mount:%s/new", deep);
	assert_true(baseline_is_closed(base, file));
	snprintf(file, sizeof(file), "mount:%s/new", b->etc);
	assert_false(baseline_is_closed(base, file));
	baseline_free(base);
	assert_int_equal(capture_set_open(CAPTURE_ROOT_HOST, &set), 0);
	assert_int_equal(capture_mounts(set, proc, all, 1, &why), 0);
	assert_int_equal(capture_set_n(set), 0);
	capture_set_free(set);
}

/* A table that cannot be read, or a line of it, is not one without mounts. */
static void test_mounts_unread(void **state)
{
	const struct bench *b = *state;
	const char *const files[] = {b->etc};
	char proc[128];
	struct capture_options o = {.files = files, .n_files = 1, .proc = proc};
	struct why why = {""};
	uint64_t count;

	snprintf(proc, sizeof(proc), "%s/proc", b->top);
	scratch_run(".", "echo x >%s/self/mountinfo", proc);
	assert_int_equal(make(b, &o, &count, &why), -EBADMSG);
	scratch_run(".", "rm %s/self/mountinfo", proc);
	assert_int_equal(make(b, &o, &count, &why), -ENOENT);
	assert_non_null(strstr(why.text, "mountinfo"));
}

static void test_files(void **state)
{
	const struct bench *b = *state;
	const char *const files[] = {b->etc, "/nonexistent/there"};
	char text[256], proc[128];
	struct capture_options o = {.files = files, .n_files = 2, .proc = proc};
	struct baseline *base;

	snprintf(proc, sizeof(proc), "%s/proc", b->top);
	base = made(b, &o);
	/* And that nothing is mounted on any of five directories. */
	assert_int_equal(baseline_info(base)->count, 10 + 5);
	snprintf(text, sizeof(text), "reg 0600 %u:%u 0 sha256:" EMPTY, getuid(), getgid());
	assert_string_equal(expected(base, "file:%s/empty", b->etc), text);
	assert_non_null(strstr(expected(base, "file:%s/caf\xe9", b->etc), EMPTY));
	snprintf(text, sizeof(text), "link %u:%u -> ../gone", getuid(), getgid());
	assert_string_equal(expected(base, "file:%s/link", b->etc), text);
	snprintf(text, sizeof(text), "dir 0755 %u:%u", getuid(), getgid());
	assert_string_equal(expected(base, "file:%s", b->etc), text);
	assert_string_equal(expected(base, "file:%s/deep/er", b->etc), text);
	assert_non_null(strstr(expected(base, "file:%s/pipe", b->etc), "other"));
	assert_string_equal(expected(base, "file:/nonexistent/there"), "absent");
	snprintf(text, sizeof(text), "file:%s/new", b->etc);
	assert_true(baseline_is_closed(base, text));
	assert_false(baseline_is_closed(base, "file:/nonexistent/there/x"));
	assert_false(baseline_is_closed(base, "exec:x"));
	baseline_free(base);
}

/* What a file has beside: those below the named path that have any; there it is closed, and of the named one it is said in any case. */
static void test_attributes(void **state)
{
	static const unsigned char raw_net[] = {1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0,
						0, 0, 0, 0, 0, 0,    0, 0, 0, 0};
	const struct bench *b = *state;
	char empty[128], link[128];
	const char *const files[] = {b->etc, link};
	struct capture_options o = {.files = files, .n_files = 2};
	struct baseline *base;

	snprintf(empty, sizeof(empty), "%s/empty", b->etc);
	snprintf(link, sizeof(link), "%s/l", b->bin);
	if (setxattr(empty, "security.capability", raw_net, sizeof(raw_net), 0) < 0)
		skip(); /* it takes root, and a file system that has them */
	base = made(b, &o);
	assert_string_equal(expected(base, "attr:%s", empty),
			    "capability=0000000000002000,effective");
	assert_string_equal(expected(base, "attr:%s", b->etc), "absent");
	assert_string_equal(expected(base, "attr:%s", link), "absent");
	assert_string_equal(expected(base, "attr:%s/deep/er/x", b->etc), "(none)");
	snprintf(empty, sizeof(empty), "attr:%s/deep/er/x", b->etc);
	assert_true(baseline_is_closed(base, empty));
	snprintf(empty, sizeof(empty), "attr:%s/l", b->bin);
	assert_false(baseline_is_closed(base, empty));
	baseline_free(base);
}

static void test_exec(void **state)
{
	const struct bench *b = *state;
	char by_link[96];
	const char *const exec[] = {b->bin, by_link};
	struct capture_options o = {.exec = exec, .n_exec = 2};
	struct baseline *base;
	char path[128];

	snprintf(by_link, sizeof(by_link), "%s/sbin", b->top);
	base = made(b, &o);
	/* a and b are the same bytes: one digest, under the first name; what is not executable is not in it. */
	assert_int_equal(baseline_info(base)->count, 2);
	snprintf(path, sizeof(path), "%s/a", b->bin);
	assert_string_equal(
		expected(base, "exec:sha256:"
			       "87428fc522803d31065e7bce3cf03fe475096631e5e07bbd7a0fde60c4cf25c7"),
		path);
	assert_true(baseline_is_closed(base, "exec:x"));
	baseline_free(base);
}

/* Whether it may run does not matter; and what may be loaded may not therefore run. */
static void test_load(void **state)
{
	const struct bench *b = *state;
	const char *const load[] = {b->etc}, *const none[] = {"/nonexistent"};
	struct capture_options o = {.load = load, .n_load = 1};
	struct baseline *base = made(b, &o);
	struct why why = {""};
	uint64_t count;

	assert_non_null(expected(base, "load:sha256:" EMPTY));
	assert_null(baseline_expected(base, "host", "exec:sha256:" EMPTY));
	assert_true(baseline_is_closed(base, "load:"));
	assert_false(baseline_is_closed(base, "exec:"));
	baseline_free(base);
	o.name = "x";
	o.load = none;
	assert_int_equal(capture_make(fsio_system(), &o, b->top, &count, &why), -ENOENT);
	assert_non_null(strstr(why.text, "/nonexistent"));
}

/* A library has no x bit, and a script that is given to an interpreter need not have one. "not" is 0644. */
static void test_code(void **state)
{
	const struct bench *b = *state;
	const char *const code[] = {b->bin};
	struct capture_options o = {.code = code, .n_code = 1};
	struct baseline *base = made(b, &o);
	char path[128];

	snprintf(path, sizeof(path), "%s/not", b->bin);
	assert_string_equal(expected(base, "code:sha256:" NOT), path);
	assert_int_equal(baseline_info(base)->count, 3);
	assert_true(baseline_is_closed(base, "code:"));
	assert_false(baseline_is_closed(base, "exec:"));
	baseline_free(base);
}

static void test_claims(void **state)
{
	const struct bench *b = *state;
	char proc[96], sys[96];
	struct capture_options o = {.claims = true, .modules = true, .proc = proc, .sys = sys};
	struct baseline *base;

	snprintf(proc, sizeof(proc), "%s/proc", b->top);
	snprintf(sys, sizeof(sys), "%s/sys", b->top);
	base = made(b, &o);
	assert_string_equal(expected(base, "boot:cmdline"), "ro quiet");
	assert_string_equal(expected(base, "boot:release"), "6.1");
	assert_string_equal(expected(base, "sysctl:kernel.kptr_restrict"), "2");
	assert_string_equal(expected(base, "module:ext4"), "loaded srcversion=ABC");
	/* What cannot be read is not expected to stay so, and a boot's id is another one each time. */
	assert_string_equal(expected(base, "boot:lockdown"), "(none)");
	assert_string_equal(expected(base, "cpu:microcode"), "(none)");
	assert_string_equal(expected(base, "boot:id"), "(none)");
	assert_string_equal(expected(base, "boot:secure_boot"), "none");
	assert_string_equal(expected(base, "firmware:bios_version"), "absent");
	assert_string_equal(expected(base, "kernel:taint"), "(none)");
	assert_string_equal(expected(base, "cpu:smt"), "absent");
	assert_string_equal(expected(base, "ima:policy"), "(none)");
	assert_string_equal(expected(base, "kernel:hidden_modules"), "none");
	assert_string_equal(expected(base, "sysctl:kernel.poweroff_cmd"), "/sbin/poweroff");
	assert_string_equal(expected(base, "sysctl:user.max_user_namespaces"), "(none)");
	assert_true(baseline_is_closed(base, "binfmt:new"));
	assert_true(baseline_is_closed(base, "mountns:/etc"));
	assert_true(baseline_is_closed(base, "guard:ring"));
	assert_false(baseline_is_closed(base, "bpf:prog:x"));
	assert_false(baseline_is_closed(base, "surface:block:sda under / by /usr/bin/dd"));
	assert_true(baseline_is_closed(base, "module:rootkit"));
	baseline_free(base);
	/* Where it was set to none it is to stay so. */
	scratch_run(".", "echo 0 >%s/sys/user/max_user_namespaces", proc);
	o.surface = true;
	base = made(b, &o);
	assert_string_equal(expected(base, "sysctl:user.max_user_namespaces"), "0");
	assert_true(baseline_is_closed(base, "surface:block:sda under / by /usr/bin/dd"));
	assert_true(baseline_is_closed(base, "surface:ptrace:/usr/sbin/sshd by /usr/bin/gdb"));
	assert_false(baseline_is_closed(base, "surface:userns:new by /usr/bin/podman"));
	assert_false(baseline_is_closed(base, "measured:app:9"));
	baseline_free(base);
	/* What a boot tells, and no more programs than that; what it does not tell is not expected. */
	o.boot_log = "tests/data/bootlog/ibmtss_hp1.log";
	base = made(b, &o);
	assert_string_equal(expected(base, "measured:secure_boot"), "on");
	assert_string_equal(expected(base, "measured:oddities"), "none");
	assert_string_equal(expected(base, "measured:cmdline"), "(none)");
	assert_true(baseline_is_closed(base, "measured:app:9"));
	assert_true(baseline_is_closed(base, "measured:authority:db:00"));
	assert_false(baseline_is_closed(base, "measured:cmdline"));
	baseline_free(base);
	o.boot_log = NULL;
	/* A kernel that has no modules at all is expected to stay so; a list that is hidden is no list. */
	scratch_run(".", "rm -r %s/modules %s/module", proc, sys);
	base = made(b, &o);
	assert_string_equal(expected(base, "boot:modules"), "none");
	assert_true(baseline_is_closed(base, "module:rootkit"));
	baseline_free(base);
	scratch_run(".", "echo 0 >%s/sys/kernel/modules_disabled", proc);
	{
		struct why why = {""};
		uint64_t count;

		assert_int_equal(make(b, &o, &count, &why), -ENOENT);
		assert_non_null(strstr(why.text, "modules"));
		/* What hides is not to be signed as good. */
		scratch_run(".", "echo 'evil 1 0 - Live 0x0' >%s/modules", proc);
		assert_int_equal(make(b, &o, &count, &why), -EUCLEAN);
		assert_non_null(strstr(why.text, "evil=+proc"));
	}
}

/* The entries' bytes do not hang on who hashed what first. */
static void test_threads(void **state)
{
	const struct bench *b = *state;
	const char *const files[] = {b->etc, b->bin}, *const exec[] = {"/usr/bin/env", b->bin};
	struct digest digests[4];

	scratch_run(".", "cd %s && for i in $(seq 500); do echo $i >deep/$i; done", b->etc);
	for (uint32_t i = 0; i < ARRAY_SIZE(digests); i++) {
		struct capture_options o = {
			.files = files, .n_files = 2, .exec = exec, .n_exec = 2, .n_threads = i};
		struct buf text = {0};
		const char *entries;

		baseline_free(made(b, &o));
		assert_int_equal(fsio_read_file(fsio_system(), b->out, 1 << 20, &text), 0);
		entries = strchr((char *)text.data, '\n');
		assert_int_equal(digest_sha256(entries, strlen(entries), &digests[i]), 0);
		assert_true(digest_equal(&digests[i], &digests[0]));
		buf_done(&text);
	}
}

static void count(void *ctx, uint64_t n_done, uint64_t n)
{
	uint64_t *last = ctx;

	assert_true(n_done > *last && n_done <= n);
	*last = n_done;
}

static void test_progress(void **state)
{
	const struct bench *b = *state;
	const char *const files[] = {b->etc};
	uint64_t last = 0;
	char proc[128];
	struct capture_options o = {.files = files,
				    .n_files = 1,
				    .n_threads = 1,
				    .proc = proc,
				    .progress = {count, &last}};

	snprintf(proc, sizeof(proc), "%s/proc", b->top);
	baseline_free(made(b, &o));
	assert_int_equal(last, 9 + 3); /* files, and what is mounted on three directories */
}

static void refused(const struct bench *b, struct capture_options *o, int error, const char *word)
{
	struct why why = {""};
	uint64_t n;
	int r = make(b, o, &n, &why);

	if (r != error || !strstr(why.text, word))
		fail_msg("%d \"%s\" instead of %d, %s", r, why.text, error, word);
	assert_true(access(b->out, F_OK) < 0);
}

static void test_refused(void **state)
{
	static const char *const plain[] = {"etc", "/etc/", "/etc/../x", "/etc//x", "/etc/./x"};
	const struct bench *b = *state;
	char not [128], none[96];
	const char *one[1] = {not };
	struct capture_options o = {.exec = one, .n_exec = 1};

	snprintf(not, sizeof(not ), "%s/not", b->bin);
	refused(b, &o, -EINVAL, "/not");
	one[0] = "/nonexistent";
	refused(b, &o, -ENOENT, "/nonexistent");
	snprintf(none, sizeof(none), "%s/none", b->top);
	assert_int_equal(mkdir(none, 0755), 0);
	one[0] = none;
	refused(b, &o, -ENOENT, "nothing");
	o = (struct capture_options){.files = one, .n_files = 1};
	for (size_t i = 0; i < ARRAY_SIZE(plain); i++) {
		one[0] = plain[i];
		refused(b, &o, -EINVAL, plain[i]);
	}
}

/* A file that went between the walk and its turn is not there; one that became something else is not guessed at. */
static void test_races(void **state)
{
	const struct bench *b = *state;
	struct capture_set *set = NULL;
	struct why why = {""};
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s/empty", b->etc);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(capture_set_open(CAPTURE_ROOT_HOST, &set), 0);
	assert_int_equal(capture_set_add_path(set, CAPTURE_SET_FILE, "/nonexistent", &st, NULL), 0);
	assert_int_equal(capture_set_hash(set, 0, NULL, &why), 0);
	assert_int_equal(capture_set_each(set, NULL, NULL), 0); /* it is never called */
	snprintf(path, sizeof(path), "%s/pipe", b->etc);
	assert_int_equal(capture_set_add_path(set, CAPTURE_SET_FILE, path, &st, NULL), 0);
	assert_int_equal(capture_set_hash(set, 0, NULL, &why), -ESTALE);
	assert_non_null(strstr(why.text, path));
	capture_set_free(set);
}

static void test_sign(void **state)
{
	const struct bench *b = *state;
	const char *const files[] = {b->etc};
	struct capture_options o = {.files = files, .n_files = 1};
	struct sign_key *keys[2] = {NULL, NULL};
	struct baseline *base = NULL;
	struct why why = {""};

	baseline_free(made(b, &o));
	assert_int_equal(sign_key_generate(SIGN_ED25519, &keys[0]), 0);
	assert_int_equal(sign_key_generate(SIGN_P256, &keys[1]), 0);
	for (int i = 0; i < 2; i++) { /* the second takes the place of the first */
		assert_int_equal(capture_sign(fsio_system(), b->out, keys[i], &why), 0);
		for (int k = 0; k < 2; k++) {
			int r = baseline_open(fsio_system(), b->out,
					      (const struct sign_key *const *)&keys[k], 1, 5, &base,
					      &why);

			assert_int_equal(r, k == i ? 0 : -EKEYREJECTED);
			base = r < 0 ? NULL : baseline_free(base);
		}
	}
	/* Nobody signs what no agent would take. */
	scratch_run(".", "sed -i '2{h;d};3{G}' %s", b->out);
	assert_int_equal(capture_sign(fsio_system(), b->out, keys[0], &why), -EBADMSG);
	sign_key_free(keys[0]);
	sign_key_free(keys[1]);
}

/* The example, signed by us, is the example that OpenSSL's own tool signed. */
static void test_sign_example(void **state)
{
	const struct bench *b = *state;
	struct buf pem = {0}, ours = {0}, theirs = {0};
	struct sign_key *key = NULL;
	struct why why = {""};

	scratch_run(".", "cp tests/data/baseline/unsigned.jsonl %s", b->out);
	assert_int_equal(
		fsio_read_file(fsio_system(), "tests/data/baseline/private.pem", 4096, &pem), 0);
	assert_int_equal(sign_key_from_pem((char *)pem.data, pem.size, &key, &why), 0);
	assert_int_equal(capture_sign(fsio_system(), b->out, key, &why), 0);
	assert_int_equal(fsio_read_file(fsio_system(), b->out, 1 << 20, &ours), 0);
	assert_int_equal(fsio_read_file(fsio_system(), "tests/data/baseline/baseline.jsonl",
					1 << 20, &theirs),
			 0);
	assert_int_equal(ours.size, theirs.size);
	assert_memory_equal(ours.data, theirs.data, ours.size);
	sign_key_free(key);
	buf_done(&pem);
	buf_done(&ours);
	buf_done(&theirs);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_expected),   TEST(test_mounts),	TEST(test_mounts_unread),
		TEST(test_attributes), TEST(test_files),	TEST(test_exec),
		TEST(test_load),       TEST(test_claims),	TEST(test_threads),
		TEST(test_code),       TEST(test_claims),	TEST(test_threads),
		TEST(test_progress),   TEST(test_refused),	TEST(test_races),
		TEST(test_sign),       TEST(test_sign_example),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
