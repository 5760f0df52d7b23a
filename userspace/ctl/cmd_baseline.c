/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_baseline.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "baseline.h"
#include "capture.h"
#include "capture_boot.h"
#include "capture_sign.h"
#include "cleanup.h"
#include "clock.h"
#include "expected.h"
#include "image_source.h"
#include "jsonl.h"
#include "print.h"
#include "remote_baseline.h"

#define MAX_PATHS 64
#define BAR 40 /* characters */

struct arguments {
	const char *name, *output, *key, *image, *root, *digest, *add, *expect, *boot_log;
	uint64_t version;
	const char *exec[MAX_PATHS], *load[MAX_PATHS], *code[MAX_PATHS], *files[MAX_PATHS];
	uint32_t n_exec, n_load, n_code, n_files;
	bool claims, modules, bpf, surface, json;
};

static void help(FILE *f)
{
	fprintf(f,
		"Usage: plumbctl baseline capture --name=NAME [--version=N] [--exec=DIR…] "
		"[--file=PATH…]\n"
		"                        [--code=DIR…] [--load=DIR…] [--claims] [--expect=FILE] "
		"[--modules] "
		"[--bpf] "
		"[--surface] [--boot-log[=FILE]] [--add=FILE] -o FILE\n"
		"       plumbctl baseline capture --image=DIR|TAR [--digest=sha256:HEX] "
		"[--exec=DIR…]\n"
		"                        [--code=DIR…] [--file=PATH…] [--name=NAME] [--version=N] "
		"[--add=FILE] "
		"-o FILE\n"
		"       plumbctl baseline sign --key=PRIVATE.pem FILE\n"
		"       plumbctl baseline verify --key=PUBLIC.pem [--json] FILE\n"
		"       plumbctl baseline show [--json] FILE\n"
		"       plumbctl baseline diff [--json] OLD NEW\n\n"
		"  capture  what is on this machine now:\n"
		"           --exec     executables below it, by their content; others may not run\n"
		"           --code     files below it that may be mapped executable, or given to "
		"interpreters; no others may\n"
		"           --load     modules and firmware below it, by their content; the kernel "
		"may take no others\n"
		"           --file     the file, or all below it; others may not appear there\n"
		"           --claims   boot, Secure Boot, firmware, CPU flags and mitigations, "
		"sysctls, "
		"tracing,\n"
		"                      versions of runtimes; all but what cannot be read\n"
		"           --expect   claims as FILE says that they should be, and not as they "
		"are here\n"
		"           --modules  kernel modules that are loaded; others may not be\n"
		"           --bpf      BPF programs and links that are loaded; others may not be\n"
		"           --surface  nothing: who then reaches for the kernel, memory or disks "
		"directly is drift\n"
		"           --boot-log what the firmware's log tells of this boot: Secure Boot, "
		"loaders, "
		"kernel, command line\n"
		"           --image    of an image instead: OCI layout or docker save, as a "
		"directory or tar, or a\n"
		"                      root file system; paths are those in it, programs all that "
		"it has\n"
		"                      unless --exec says which. Also a digest, with the root "
		"file system in --root\n"
		"           --digest   of the image, as the runtime names it, where it has none "
		"itself\n"
		"           --add      with the scopes of FILE, which may be what -o names; both "
		"with --exec and\n"
		"                      --code, or neither\n"
		"  sign     signs the header in place; the entries are covered by the SHA-256 in "
		"it\n"
		"  verify   signature, count, SHA-256 and order\n"
		"  diff     entries that only one has (- +) or that differ (~)\n\n"
		"Exit codes: 0 good, 1 not good or different, 2 could not tell, 64 wrong usage.\n");
	fputs("\nWith a verifier:\n\n", f);
	remote_baseline_help(f);
}

static void progress(void *ctx, uint64_t n_done, uint64_t n)
{
	unsigned int *last = ctx, done = n ? (unsigned int)(n_done * 1000 / n) : 1000;

	if (done == *last || !print_is_terminal(stderr))
		return;
	*last = done;
	fprintf(stderr, "\r  [%-*.*s] %3u %%  %" PRIu64 " of %" PRIu64 " ", BAR,
		(int)(done * BAR / 1000), "########################################", done / 10,
		n_done, n);
}

static void tell_json(const struct baseline *b, struct buf *ret)
{
	const struct baseline_info *i = baseline_info(b);
	char created[CLOCK_TEXT_SIZE];
	struct jsonl j;

	clock_text(i->created_ns, created);
	jsonl_begin(&j, ret);
	jsonl_str(&j, "name", i->name);
	jsonl_uint(&j, "version", i->version);
	jsonl_str(&j, "created", created);
	jsonl_uint(&j, "count", i->count);
	jsonl_hex(&j, "digest", i->document.bytes, DIGEST_SIZE);
	if (i->signer[0])
		jsonl_str(&j, "signer", i->signer);
	else
		jsonl_null(&j, "signer");
	jsonl_end(&j);
}

static void tell(const struct arguments *a, const struct baseline *b, const char *path)
{
	CLEANUP(buf_done) struct buf text = {0};
	const struct baseline_info *i = baseline_info(b);

	if (a->json) {
		tell_json(b, &text);
		if (buf_status(&text) == 0)
			puts((char *)text.data);
		return;
	}
	printf("%s: ", path);
	print_safe(stdout, i->name, strlen(i->name));
	printf(" version %" PRIu64 ", %" PRIu64 " entries, %s%s\n", i->version, i->count,
	       i->signer[0] ? "signed by " : "signature not checked", i->signer);
}

/* NULL: it can be captured. */
static const char *missing(const struct arguments *a)
{
	if (!a->output || (!a->name && !a->add))
		return "capture wants -o, and --name or --add";
	if (a->name && strlen(a->name) >= sizeof(((struct baseline_info *)0)->name))
		return "--name is too long";
	if (a->root && (!a->image || !image_layout_is_digest(a->image) || a->digest))
		return "--root goes with --image=sha256: and 64 digits, as the runtime names it";
	if (a->image && !a->root && strncmp(a->image, "sha256:", 7) == 0)
		return "--image=sha256:… wants --root, and 64 digits";
	if (a->digest && (!a->image || !image_layout_is_digest(a->digest)))
		return "--digest wants --image, and sha256: and 64 digits";
	if (a->image && a->n_load)
		return "there is one kernel: what it may take is not an image's";
	if (a->image &&
	    (a->claims || a->expect || a->modules || a->bpf || a->surface || a->boot_log))
		return "an image has no claims, modules and BPF programs of its own";
	if (!a->image && !a->n_exec && !a->n_load && !a->n_code && !a->n_files && !a->claims &&
	    !a->expect && !a->modules && !a->bpf && !a->surface && !a->boot_log)
		return "capture wants at least one of --exec, --code, --load, --file, --claims, "
		       "--expect, "
		       "--modules, --bpf, --surface, --boot-log, --image";
	return NULL;
}

/* What the image is called: by what is in it, or by --digest, which must be one of its own if it has any. */
static const char *digest_of(const struct arguments *a, const struct image_source_info *i,
			     struct why *ret_why)
{
	if (a->root)
		return a->image;
	if (!a->digest && !i->config[0])
		why_set(ret_why, -EINVAL,
			"%.150s: a root file system has no digest of its own: --digest says how "
			"the runtime names the image",
			a->image);
	else if (a->digest && i->config[0] && strcmp(a->digest, i->config) != 0 &&
		 strcmp(a->digest, i->manifest) != 0 && strcmp(a->digest, i->index) != 0)
		why_set(ret_why, -EINVAL, "%.100s: is the image %s, not that of --digest", a->image,
			i->config);
	else
		return a->digest ? a->digest : i->config;
	return NULL;
}

static int make(const struct arguments *a, struct capture_options *o, uint64_t *ret_count,
		struct why *ret_why)
{
	struct image_source_info info = {.config = ""};
	struct image_tree *tree = NULL;
	int r = a->image && !a->root ? image_source_open(a->image, &tree, &info, ret_why) : 0;

	if (r >= 0 && a->image) {
		o->image = digest_of(a, &info, ret_why);
		o->tree = tree;
		o->root = a->root ? a->root : a->image;
		r = o->image ? 0 : -EINVAL;
	}
	if (r >= 0)
		r = capture_make(fsio_system(), o, a->output, ret_count, ret_why);
	if (r >= 0 && a->image && !a->json)
		printf("image:%s\n", o->image);
	image_tree_free(tree);
	return r;
}

static int open_expected(const char *path, struct expected **ret)
{
	CLEANUP(buf_done) struct buf text = {0};
	struct why why = {""};
	int r = path ? fsio_read_file(fsio_system(), path, EXPECTED_MAX_SIZE, &text) : 0;

	if (r < 0)
		return print_failure(PRINT_UNKNOWN, "%s: %s", path, strerror(-r));
	if (path)
		r = expected_open(path, text.data, text.size, ret, &why);
	return r < 0 ? print_failure(PRINT_UNKNOWN, "%s", why.text[0] ? why.text : strerror(-r))
		     : PRINT_GOOD;
}

/* To stderr: who signs the baseline is to know which claims are drift from the first scan on, and which nothing is said of. */
static void tell_expected(void *ctx, const char *key, const char *found, const char *value)
{
	(void)ctx;
	if (found && strcmp(found, value) == 0)
		return;
	print_safe(stderr, key, strlen(key));
	if (!found) {
		fputs(": cannot be read here; left out\n", stderr);
		return;
	}
	fputs(" is \"", stderr);
	print_safe(stderr, found, strlen(found));
	fputs("\" here, and \"", stderr);
	print_safe(stderr, value, strlen(value));
	fputs("\" is expected: drift, until it is set\n", stderr);
}

static int capture(const struct arguments *a, char **paths)
{
	static const char *const all[] = {"/"};
	bool whole = a->image && a->n_exec == 0;
	unsigned int last = 1001;
	struct capture_options o = {
		.name = a->name,
		.version = a->version,
		.add = a->add,
		.exec = whole ? all : a->exec,
		.n_exec = whole ? 1 : a->n_exec,
		.load = a->load,
		.n_load = a->n_load,
		.code = a->code,
		.n_code = a->n_code,
		.files = a->files,
		.n_files = a->n_files,
		.claims = a->claims,
		.modules = a->modules,
		.bpf = a->bpf,
		.surface = a->surface,
		.boot_log = a->boot_log,
		.progress = {progress, &last},
	};
	struct expected *e = NULL;
	struct why why = {""};
	uint64_t count;
	int r;

	(void)paths;
	if (missing(a))
		return print_failure(PRINT_USAGE, "%s", missing(a));
	r = open_expected(a->expect, &e);
	if (r != PRINT_GOOD)
		return r;
	o.expect = e ? expected_value : NULL;
	o.expect_told = e ? expected_told : NULL;
	o.expect_ctx = e;
	r = make(a, &o, &count, &why);
	if (print_is_terminal(stderr))
		fputs("\r\033[K", stderr);
	if (r >= 0 && e)
		expected_each(e, tell_expected, NULL);
	expected_free(e);
	if (r < 0)
		return print_failure(PRINT_UNKNOWN, "%s", why.text[0] ? why.text : strerror(-r));
	if (a->json)
		printf("{\"count\":%" PRIu64 "}\n", count);
	else
		printf("%s: %" PRIu64
		       " entries, not signed yet; plumbctl baseline sign --key=KEY %s\n",
		       a->output, count, a->output);
	return PRINT_GOOD;
}

static int read_key(const char *path, struct sign_key **ret)
{
	CLEANUP(buf_done) struct buf pem = {0};
	struct why why = {""};
	int r = fsio_read_file(fsio_system(), path, 65536, &pem);

	if (r >= 0)
		r = sign_key_from_pem((char *)pem.data, pem.size, ret, &why);
	if (pem.data)
		OPENSSL_cleanse(pem.data, pem.size);
	return r < 0 ? print_failure(PRINT_UNKNOWN, "%s: %s", path,
				     why.text[0] ? why.text : strerror(-r))
		     : PRINT_GOOD;
}

/* Broken or not signed by that key is "not good"; anything else could not be told. */
static int exit_of(int r)
{
	return r == -EBADMSG || r == -EKEYREJECTED || r == -ESTALE ? PRINT_NOT_GOOD : PRINT_UNKNOWN;
}

static int sign(const struct arguments *a, char **paths)
{
	struct sign_key *key = NULL;
	struct why why = {""};
	int r;

	if (!a->key)
		return print_failure(PRINT_USAGE, "sign wants --key");
	r = read_key(a->key, &key);
	if (r != PRINT_GOOD)
		return r;
	if (!sign_key_is_private(key))
		r = print_failure(PRINT_UNKNOWN, "%s: has no private part", a->key);
	else
		r = capture_sign(fsio_system(), paths[0], key, &why);
	sign_key_free(key);
	if (r < 0)
		return print_failure(exit_of(r), "%s", why.text[0] ? why.text : strerror(-r));
	if (r == PRINT_GOOD && !a->json)
		printf("%s: signed\n", paths[0]);
	return r;
}

static int verify(const struct arguments *a, char **paths)
{
	struct baseline *b = NULL;
	struct sign_key *key = NULL;
	struct why why = {""};
	int r;

	if (!a->key)
		return print_failure(PRINT_USAGE, "verify wants --key");
	r = read_key(a->key, &key);
	if (r != PRINT_GOOD)
		return r;
	r = baseline_open(fsio_system(), paths[0], (const struct sign_key *const *)&key, 1, 0, &b,
			  &why);
	sign_key_free(key);
	if (r < 0)
		return print_failure(exit_of(r), "%s", why.text);
	tell(a, b, paths[0]);
	baseline_free(b);
	return PRINT_GOOD;
}

static int open_plain(const char *path, struct baseline **ret)
{
	struct why why = {""};
	int r = baseline_open(fsio_system(), path, NULL, 0, 0, ret, &why);

	return r < 0 ? print_failure(exit_of(r), "%s", why.text) : 0;
}

/* One entry; in JSON a line as in the baseline itself, with what became of it in a difference. */
struct row {
	const char *mark; /* "-", "+", "~"; NULL outside of a difference */
	const char *scope, *key, *value, *now;
};

static void print_row(const struct arguments *a, const struct row *e)
{
	CLEANUP(buf_done) struct buf text = {0};
	struct jsonl j;

	if (a->json) {
		jsonl_begin(&j, &text);
		if (e->mark)
			jsonl_str(&j, "mark", e->mark);
		jsonl_str(&j, "s", e->scope);
		jsonl_path(&j, "k", e->key);
		jsonl_path(&j, "x", e->value);
		if (e->now)
			jsonl_path(&j, "now", e->now);
		jsonl_end(&j);
		if (buf_status(&text) == 0)
			puts((char *)text.data);
		return;
	}
	printf("%s ", e->mark ? e->mark : " ");
	print_value(stdout, e->scope, 0, PRINT_CUT_END);
	fputs("  ", stdout);
	print_value(stdout, e->key, 0, PRINT_CUT_END);
	fputs("  ", stdout);
	print_value(stdout, e->value, 0, PRINT_CUT_END);
	if (e->now) {
		fputs("\n    now  ", stdout);
		print_value(stdout, e->now, 0, PRINT_CUT_END);
	}
	fputc('\n', stdout);
}

static int show_entry(void *ctx, const char *scope, const char *key, const char *expected)
{
	const struct row e = {.scope = scope, .key = key, .value = expected};

	print_row(ctx, &e);
	return 0;
}

static int show(const struct arguments *a, char **paths)
{
	struct baseline *b = NULL;
	int r = open_plain(paths[0], &b);

	if (r != 0)
		return r;
	tell(a, b, paths[0]);
	baseline_each(b, show_entry, (void *)a);
	baseline_free(b);
	return PRINT_GOOD;
}

struct diff {
	const struct arguments *a;
	const struct baseline *other;
	const char *mark;
	bool changed; /* tell entries that differ, too */
	uint64_t n;
};

static int diff_entry(void *ctx, const char *scope, const char *key, const char *expected)
{
	struct diff *d = ctx;
	const char *other = baseline_expected(d->other, scope, key);
	struct row e = {.mark = d->mark, .scope = scope, .key = key, .value = expected};

	if (other && d->changed && strcmp(other, expected) != 0) {
		e.mark = "~";
		e.now = other;
	} else if (other) {
		return 0;
	}
	print_row(d->a, &e);
	d->n++;
	return 0;
}

static int diff(const struct arguments *a, char **paths)
{
	struct baseline *old = NULL, *new = NULL;
	struct diff gone = {.a = a, .mark = "-", .changed = true}, come = {.a = a, .mark = "+"};
	int r = open_plain(paths[0], &old);

	if (r == 0)
		r = open_plain(paths[1], &new);
	if (r != 0) {
		baseline_free(old);
		return PRINT_UNKNOWN;
	}
	gone.other = new;
	come.other = old;
	baseline_each(old, diff_entry, &gone);
	baseline_each(new, diff_entry, &come);
	baseline_free(old);
	baseline_free(new);
	return gone.n + come.n ? PRINT_NOT_GOOD : PRINT_GOOD;
}

static int take(struct arguments *a, int o)
{
	char *end;

	if (o == 'n')
		a->name = optarg;
	else if (o == 'o')
		a->output = optarg;
	else if (o == 'k')
		a->key = optarg;
	else if (o == 'e' && a->n_exec < MAX_PATHS)
		a->exec[a->n_exec++] = optarg;
	else if (o == 'l' && a->n_load < MAX_PATHS)
		a->load[a->n_load++] = optarg;
	else if (o == 'C' && a->n_code < MAX_PATHS)
		a->code[a->n_code++] = optarg;
	else if (o == 'f' && a->n_files < MAX_PATHS)
		a->files[a->n_files++] = optarg;
	else if (o == 'i')
		a->image = optarg;
	else if (o == 'd')
		a->digest = optarg;
	else if (o == 'r')
		a->root = optarg;
	else if (o == 'a')
		a->add = optarg;
	else if (o == 'x')
		a->expect = optarg;
	else if (o == 'c')
		a->claims = true;
	else if (o == 'm')
		a->modules = true;
	else if (o == 'b')
		a->bpf = true;
	else if (o == 's')
		a->surface = true;
	else if (o == 'B')
		a->boot_log = optarg ? optarg : CAPTURE_BOOT_LOG;
	else if (o == 'j')
		a->json = true;
	else if (o == 'v') {
		errno = 0;
		a->version = strtoull(optarg, &end, 10);
		return *end || errno || !a->version || a->version > INT64_MAX || *optarg == '-'
			       ? -EINVAL
			       : 0;
	} else
		return -EINVAL;
	return 0;
}

int cmd_baseline(int argc, char **argv)
{
	static const struct option options[] = {
		{"name", required_argument, NULL, 'n'},
		{"version", required_argument, NULL, 'v'},
		{"exec", required_argument, NULL, 'e'},
		{"load", required_argument, NULL, 'l'},
		{"file", required_argument, NULL, 'f'},
		{"image", required_argument, NULL, 'i'},
		{"root", required_argument, NULL, 'r'},
		{"digest", required_argument, NULL, 'd'},
		{"add", required_argument, NULL, 'a'},
		{"key", required_argument, NULL, 'k'},
		{"output", required_argument, NULL, 'o'},
		{"claims", no_argument, NULL, 'c'},
		{"modules", no_argument, NULL, 'm'},
		{"expect", required_argument, NULL, 'x'},
		{"code", required_argument, NULL, 'C'},
		{"bpf", no_argument, NULL, 'b'},
		{"json", no_argument, NULL, 'j'},
		{"surface", no_argument, NULL, 's'},
		{"boot-log", optional_argument, NULL, 'B'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	static const struct {
		const char *name;
		int n_paths;
		int (*run)(const struct arguments *a, char **paths);
	} kinds[] = {{"capture", 0, capture},
		     {"sign", 1, sign},
		     {"verify", 1, verify},
		     {"show", 1, show},
		     {"diff", 2, diff}};
	struct arguments a = {.version = 0};
	int o;

	if (argc > 1 && remote_baseline_is(argv[1]))
		return remote_baseline(argc, argv);
	while ((o = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
		if (o == 'h') {
			help(stdout);
			return PRINT_GOOD;
		}
		if (o == '?' || take(&a, o) < 0)
			return print_failure(PRINT_USAGE,
					     "plumbctl baseline --help tells the options");
	}
	for (size_t i = 0; optind < argc && i < ARRAY_SIZE(kinds); i++)
		if (strcmp(argv[optind], kinds[i].name) == 0 &&
		    argc - optind - 1 == kinds[i].n_paths)
			return kinds[i].run(&a, argv + optind + 1);
	help(stderr);
	return PRINT_USAGE;
}
