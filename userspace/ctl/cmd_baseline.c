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
#include "cleanup.h"
#include "print.h"

#define MAX_PATHS 64
#define MAX_DOCUMENT (512u * 1024 * 1024)

struct arguments {
	const char *name, *output, *key;
	uint64_t version;
	const char *exec[MAX_PATHS], *files[MAX_PATHS];
	uint32_t n_exec, n_files;
};

static void help(FILE *f)
{
	fprintf(f,
		"Usage: plumbctl baseline capture --name=NAME [--version=N] [--exec=DIR…] "
		"[--file=PATH…] -o FILE\n"
		"       plumbctl baseline sign --key=PRIVATE.pem FILE\n"
		"       plumbctl baseline verify --key=PUBLIC.pem FILE\n"
		"       plumbctl baseline show FILE\n"
		"       plumbctl baseline diff OLD NEW\n\n"
		"  capture  the executables below --exec, and the files below --file, as they are "
		"now\n"
		"  sign     signs the header in place; the entries are covered by the SHA-256 in "
		"it\n"
		"  verify   signature, count, SHA-256 and order\n"
		"  diff     entries that only one has (- +) or that differ (~)\n\n"
		"Exit codes: 0 good, 1 not good or different, 2 could not tell, 64 wrong usage.\n");
}

static void progress(void *ctx, uint64_t n)
{
	(void)ctx;
	if (print_is_terminal(stderr))
		fprintf(stderr, "\r  %" PRIu64 " entries ", n);
}

static int capture(const struct arguments *a)
{
	CLEANUP(buf_done) struct buf document = {.max = MAX_DOCUMENT};
	const struct capture_options o = {
		.name = a->name,
		.version = a->version,
		.exec = a->exec,
		.n_exec = a->n_exec,
		.files = a->files,
		.n_files = a->n_files,
		.progress = progress,
	};
	struct why why = {""};
	uint64_t count;
	int r;

	if (!a->name || !a->output || a->n_exec + a->n_files == 0)
		return print_error(PRINT_USAGE,
				   "capture wants --name, -o, and at least one --exec or --file");
	r = capture_make(&o, &document, &count, &why);
	if (print_is_terminal(stderr))
		fputs("\r\033[K", stderr);
	if (r >= 0)
		r = fsio_replace_file(fsio_system(), a->output, document.data, document.size, 0644);
	if (r < 0)
		return print_error(PRINT_UNKNOWN, "%s", why.text[0] ? why.text : strerror(-r));
	printf("%s: %" PRIu64 " entries, not signed yet; plumbctl baseline sign --key=KEY %s\n",
	       a->output, count, a->output);
	return PRINT_GOOD;
}

static int sign(const struct arguments *a, const char *path)
{
	CLEANUP(buf_done)
	struct buf document = {.max = MAX_DOCUMENT}, key = {0}, out = {.max = MAX_DOCUMENT};
	struct why why = {""};
	int r;

	if (!a->key)
		return print_error(PRINT_USAGE, "sign wants --key");
	r = fsio_read_file(fsio_system(), a->key, 65536, &key);
	if (r < 0)
		return print_error(PRINT_UNKNOWN, "%s: %s", a->key, strerror(-r));
	r = fsio_read_file(fsio_system(), path, MAX_DOCUMENT, &document);
	if (r >= 0)
		r = capture_sign(document.data, document.size, (char *)key.data, key.size, &out,
				 &why);
	OPENSSL_cleanse(key.data, key.size);
	if (r >= 0)
		r = fsio_replace_file(fsio_system(), path, out.data, out.size, 0644);
	if (r < 0)
		return print_error(PRINT_UNKNOWN, "%s: %s", path,
				   why.text[0] ? why.text : strerror(-r));
	printf("%s: signed\n", path);
	return PRINT_GOOD;
}

static void tell(const struct baseline *b, const char *path)
{
	const struct baseline_info *i = baseline_info(b);

	printf("%s: ", path);
	print_safe(stdout, i->name, strlen(i->name));
	printf(" version %" PRIu64 ", %" PRIu64 " entries, %s%s\n", i->version, i->count,
	       i->signer[0] ? "signed by " : "signature not checked", i->signer);
}

static int verify(const struct arguments *a, const char *path)
{
	CLEANUP(buf_done) struct buf pem = {0};
	struct baseline *b = NULL;
	struct sign_key *key = NULL;
	struct why why = {""};
	int r;

	if (!a->key)
		return print_error(PRINT_USAGE, "verify wants --key");
	r = fsio_read_file(fsio_system(), a->key, 65536, &pem);
	if (r >= 0)
		r = sign_key_from_pem((char *)pem.data, pem.size, &key, &why);
	if (r < 0)
		return print_error(PRINT_UNKNOWN, "%s: %s", a->key,
				   why.text[0] ? why.text : strerror(-r));
	r = baseline_open(fsio_system(), path, (const struct sign_key *const *)&key, 1, 0, &b,
			  &why);
	sign_key_free(key);
	if (r < 0)
		return print_error(r == -EBADMSG || r == -EKEYREJECTED ? PRINT_NOT_GOOD
								       : PRINT_UNKNOWN,
				   "%s", why.text);
	tell(b, path);
	baseline_free(b);
	return PRINT_GOOD;
}

static int open_plain(const char *path, struct baseline **ret)
{
	struct why why = {""};
	int r = baseline_open(fsio_system(), path, NULL, 0, 0, ret, &why);

	return r < 0 ? print_error(PRINT_UNKNOWN, "%s", why.text) : 0;
}

static void entry(const char *mark, const char *scope, const char *key, const char *value)
{
	printf("%s%s  ", mark, scope);
	print_safe(stdout, key, strlen(key));
	fputs("  ", stdout);
	print_safe(stdout, value, strlen(value));
	fputc('\n', stdout);
}

static int show_entry(void *ctx, const char *scope, const char *key, const char *expected)
{
	(void)ctx;
	entry("  ", scope, key, expected);
	return 0;
}

static int show(const char *path)
{
	struct baseline *b = NULL;
	int r = open_plain(path, &b);

	if (r != 0)
		return r;
	tell(b, path);
	baseline_each(b, show_entry, NULL);
	baseline_free(b);
	return PRINT_GOOD;
}

struct diff {
	const struct baseline *other;
	const char *mark;
	bool changed; /* tell entries that differ, too */
	uint64_t n;
};

static int diff_entry(void *ctx, const char *scope, const char *key, const char *expected)
{
	struct diff *d = ctx;
	const char *other = baseline_expected(d->other, scope, key);

	if (!other) {
		entry(d->mark, scope, key, expected);
		d->n++;
	} else if (d->changed && strcmp(other, expected) != 0) {
		entry("~ ", scope, key, expected);
		entry("    now ", scope, key, other);
		d->n++;
	}
	return 0;
}

static int diff(const char *old_path, const char *new_path)
{
	struct baseline *old = NULL, *new = NULL;
	struct diff gone = {.mark = "- ", .changed = true}, come = {.mark = "+ "};
	int r = open_plain(old_path, &old);

	if (r == 0)
		r = open_plain(new_path, &new);
	if (r == 0) {
		gone.other = new;
		come.other = old;
		baseline_each(old, diff_entry, &gone);
		baseline_each(new, diff_entry, &come);
		r = gone.n + come.n ? PRINT_NOT_GOOD : PRINT_GOOD;
	}
	baseline_free(old);
	baseline_free(new);
	return r;
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
	else if (o == 'f' && a->n_files < MAX_PATHS)
		a->files[a->n_files++] = optarg;
	else if (o == 'v') {
		a->version = strtoull(optarg, &end, 10);
		return *end || !a->version ? -EINVAL : 0;
	} else
		return -EINVAL;
	return 0;
}

int cmd_baseline(int argc, char **argv)
{
	static const struct option options[] = {
		{"name", required_argument, NULL, 'n'}, {"version", required_argument, NULL, 'v'},
		{"exec", required_argument, NULL, 'e'}, {"file", required_argument, NULL, 'f'},
		{"key", required_argument, NULL, 'k'},	{"output", required_argument, NULL, 'o'},
		{"help", no_argument, NULL, 'h'},	{NULL, 0, NULL, 0},
	};
	struct arguments a = {.version = 1};
	const char *what;
	int o, n;

	while ((o = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
		if (o == 'h') {
			help(stdout);
			return PRINT_GOOD;
		}
		if (o == '?' || take(&a, o) < 0)
			return print_error(PRINT_USAGE,
					   "plumbctl baseline --help tells the options");
	}
	n = argc - optind;
	what = n > 0 ? argv[optind] : "";
	if (strcmp(what, "capture") == 0 && n == 1)
		return capture(&a);
	if (strcmp(what, "sign") == 0 && n == 2)
		return sign(&a, argv[optind + 1]);
	if (strcmp(what, "verify") == 0 && n == 2)
		return verify(&a, argv[optind + 1]);
	if (strcmp(what, "show") == 0 && n == 2)
		return show(argv[optind + 1]);
	if (strcmp(what, "diff") == 0 && n == 3)
		return diff(argv[optind + 1], argv[optind + 2]);
	help(stderr);
	return PRINT_USAGE;
}
