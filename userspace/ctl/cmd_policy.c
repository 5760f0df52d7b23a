/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd_policy.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <string.h>

#include "cleanup.h"
#include "dsse.h"
#include "fsio.h"
#include "jsonl.h"
#include "plumb/wire.h"
#include "policy_compile.h"
#include "policy_join.h"
#include "policy_test.h"
#include "print.h"
#include "remote_policy.h"

#define MAX_FILE POLICY_YAML_MAX_SIZE

struct arguments {
	const char *output, *key;
	bool json;
};

/* A policy as it was read: YAML with its tests, or a bundle that was compiled before. */
struct loaded {
	struct buf text, bundle;
	struct policy_yaml *yaml; /* NULL for a bundle */
	struct policy *policy;
};

static void help(FILE *f)
{
	fprintf(f, "Usage: plumbctl policy check [--json] POLICY.yaml\n"
		   "       plumbctl policy test [--json] POLICY.yaml\n"
		   "       plumbctl policy compile POLICY.yaml… [-o BUNDLE.json]\n"
		   "       plumbctl policy sign --key=PRIVATE.pem -o SIGNED.json "
		   "POLICY.yaml|BUNDLE.json…\n\n"
		   "  check    says file:line of what is wrong, else what the rules do\n"
		   "  test     runs the tests in the file, and names rules that no test reaches\n"
		   "  compile  writes the JSON bundle that is signed\n"
		   "  sign     compiles, runs the tests, and signs the bundle when all pass\n\n"
		   "Of several files one policy is made: all their rules, the first file's first; "
		   "each file's tests are held against it alone.\n\n"
		   "Exit codes: 0 good, 1 not good, 2 could not tell, 64 wrong usage.\n");
	fputs("\nWith a verifier:\n\n", f);
	remote_policy_help(f);
}

static void loaded_done(struct loaded *l)
{
	policy_free(l->policy);
	policy_yaml_free(l->yaml);
	buf_done(&l->text);
	buf_done(&l->bundle);
}

static int load(const char *path, struct loaded *l)
{
	struct why why = {""};
	int r = fsio_read_file(fsio_system(), path, MAX_FILE, &l->text);

	if (r < 0)
		return print_failure(PRINT_UNKNOWN, "%s: %s", path, strerror(-r));
	if (l->text.size > 0 && l->text.data[0] == '{') {
		buf_put(&l->bundle, l->text.data, l->text.size);
		r = policy_open(l->bundle.data, l->bundle.size, &l->policy, &why);
		if (r < 0)
			return print_failure(PRINT_NOT_GOOD, "%s: %s", path,
					     why.text[0] ? why.text : strerror(-r));
		return PRINT_GOOD;
	}
	r = policy_yaml_open(path, l->text.data, l->text.size, &l->yaml, &why);
	if (r >= 0)
		r = policy_compile(l->yaml, &l->bundle, &l->policy, &why);
	if (r < 0)
		return print_failure(r == -EBADMSG ? PRINT_NOT_GOOD : PRINT_UNKNOWN, "%s",
				     why.text[0] ? why.text : strerror(-r));
	return PRINT_GOOD;
}

static void check_text(const struct policy *p, const char *path)
{
	char hex[DIGEST_HEX_SIZE];
	size_t width = 0;

	for (uint32_t i = 0; i < policy_n_rules(p); i++)
		if (strlen(policy_rule(p, i)->id) > width)
			width = strlen(policy_rule(p, i)->id);

	digest_hex(policy_digest(p), hex);
	printf("%s: %s version %" PRIu64 ", %u rules, sha256:%s\n", path, policy_name(p),
	       policy_version(p), policy_n_rules(p), hex);
	for (uint32_t i = 0; i < policy_n_rules(p); i++) {
		const struct policy_rule *r = policy_rule(p, i);
		bool armed = r->mode == POLICY_MODE_ARMED;

		printf("  %-*s %s%-6s%s %-10s %-8s %4u  ", (int)width, r->id,
		       armed ? print_on(stdout, PRINT_RED) : "", policy_mode_name(r->mode),
		       armed ? print_off(stdout) : "", terms_action_name(r->action),
		       terms_severity_name(r->severity), r->score);
		print_safe(stdout, r->title, strlen(r->title));
		fputc('\n', stdout);
	}
}

static void check_json(const struct policy *p)
{
	CLEANUP(buf_done) struct buf b = {0};
	struct jsonl j;

	jsonl_begin(&j, &b);
	jsonl_bool(&j, "good", true);
	jsonl_str(&j, "name", policy_name(p));
	jsonl_uint(&j, "version", policy_version(p));
	jsonl_hex(&j, "digest", policy_digest(p)->bytes, DIGEST_SIZE);
	jsonl_array(&j, "rules");
	for (uint32_t i = 0; i < policy_n_rules(p); i++) {
		const struct policy_rule *r = policy_rule(p, i);

		jsonl_object(&j, NULL);
		jsonl_str(&j, "id", r->id);
		jsonl_str(&j, "title", r->title);
		jsonl_str(&j, "mode", policy_mode_name(r->mode));
		jsonl_str(&j, "action", terms_action_name(r->action));
		jsonl_str(&j, "severity", terms_severity_name(r->severity));
		jsonl_uint(&j, "score", r->score);
		jsonl_close(&j);
	}
	jsonl_close(&j);
	jsonl_end(&j);
	if (buf_status(&b) == 0)
		puts((char *)b.data);
}

static int check(const struct arguments *a, char **paths, uint32_t n)
{
	const char *path = paths[n - 1]; /* the only one */
	CLEANUP(loaded_done) struct loaded l = {.yaml = NULL};
	int r = load(path, &l);

	if (r == PRINT_GOOD && a->json)
		check_json(l.policy);
	else if (r == PRINT_GOOD)
		check_text(l.policy, path);
	return r;
}

struct telling {
	const char *path;
	bool quiet; /* only what is wrong */
	struct jsonl *j;
};

static void tell_test(void *ctx, const struct policy_test_result *t)
{
	const struct telling *tell = ctx;

	if (tell->j) {
		jsonl_object(tell->j, NULL);
		jsonl_str(tell->j, "name", t->name);
		jsonl_uint(tell->j, "line", t->line);
		jsonl_str(tell->j, "expected", t->expected);
		jsonl_str(tell->j, "found", t->found);
		jsonl_bool(tell->j, "good", t->good);
		jsonl_close(tell->j);
		return;
	}
	if (tell->quiet && t->good)
		return;
	printf("%s%-4s%s %s:%u: ", print_on(stdout, t->good ? PRINT_GREEN : PRINT_RED),
	       t->good ? "ok" : "bad", print_off(stdout), tell->path, t->line);
	print_safe(stdout, t->name, strlen(t->name));
	printf(t->good ? ": %s\n" : ": %s answers, ", t->found);
	if (!t->good)
		printf("expected %s\n", t->expected);
}

static void tell_unreached(void *ctx, const struct policy_rule *rule)
{
	const struct telling *tell = ctx;

	if (!tell->j && !tell->quiet)
		printf("%s    %s no test reaches rule %s\n", print_on(stdout, PRINT_YELLOW),
		       print_off(stdout), rule->id);
}

static int run_tests(const struct loaded *l, struct telling *tell, struct policy_test_report *ret)
{
	const struct policy_test_calls calls = {
		.tested = tell_test, .unreached = tell_unreached, .ctx = tell};
	struct why why = {""};
	int r;

	if (!l->yaml)
		return print_failure(PRINT_UNKNOWN, "%s: is a bundle; tests stand in the YAML file",
				     tell->path);
	r = policy_test(l->yaml, l->policy, &calls, ret, &why);
	if (r < 0)
		return print_failure(PRINT_NOT_GOOD, "%s", why.text);
	if (ret->n_tests == 0)
		return print_failure(PRINT_UNKNOWN, "%s: has no tests", tell->path);
	return ret->n_failed ? PRINT_NOT_GOOD : PRINT_GOOD;
}

static int test(const struct arguments *a, char **paths, uint32_t n)
{
	const char *path = paths[n - 1]; /* the only one */
	CLEANUP(loaded_done) struct loaded l = {.yaml = NULL};
	CLEANUP(buf_done) struct buf b = {0};
	struct policy_test_report report = {0};
	struct telling tell = {.path = path};
	int r = load(path, &l);
	struct jsonl j;

	if (r != PRINT_GOOD)
		return r;
	if (a->json) {
		jsonl_begin(&j, &b);
		jsonl_array(&j, "tests");
		tell.j = &j;
	}
	r = run_tests(&l, &tell, &report);
	if (a->json && report.n_tests > 0) {
		jsonl_close(&j);
		jsonl_uint(&j, "failed", report.n_failed);
		jsonl_uint(&j, "unreached", report.n_unreached);
		jsonl_bool(&j, "good", r == PRINT_GOOD);
		jsonl_end(&j);
		if (buf_status(&b) == 0)
			puts((char *)b.data);
	} else if (report.n_tests > 0) {
		printf("%u passed, %u failed, %u of %u rules reached\n",
		       report.n_tests - report.n_failed, report.n_failed,
		       policy_n_rules(l.policy) - report.n_unreached, policy_n_rules(l.policy));
	}
	return r;
}

static int write_out(const struct arguments *a, const struct buf *b)
{
	int r;

	if (!a->output || strcmp(a->output, "-") == 0) {
		fwrite(b->data, 1, b->size, stdout);
		return fflush(stdout) == 0 ? PRINT_GOOD
					   : print_failure(PRINT_UNKNOWN, "cannot write");
	}
	r = fsio_replace_file(fsio_system(), a->output, b->data, b->size, 0644);
	return r < 0 ? print_failure(PRINT_UNKNOWN, "%s: %s", a->output, strerror(-r)) : PRINT_GOOD;
}

/* All files, and the one policy that they make. */
struct set {
	struct loaded each[POLICY_JOIN_MAX];
	struct buf bundle;
	struct policy *policy;
};

static void set_done(struct set *s)
{
	for (uint32_t i = 0; i < POLICY_JOIN_MAX; i++)
		loaded_done(&s->each[i]);
	buf_done(&s->bundle);
	policy_free(s->policy);
}

static int load_all(char **paths, uint32_t n, struct set *s)
{
	struct policy_join_part parts[POLICY_JOIN_MAX];
	struct why why = {""};
	int r = PRINT_GOOD;

	for (uint32_t i = 0; i < n && r == PRINT_GOOD; i++) {
		r = load(paths[i], &s->each[i]);
		parts[i] = (struct policy_join_part){&s->each[i].bundle, s->each[i].policy};
	}
	if (r != PRINT_GOOD)
		return r;
	r = policy_join(parts, n, &s->bundle, &s->policy, &why);
	return r < 0 ? print_failure(r == -EBADMSG ? PRINT_NOT_GOOD : PRINT_UNKNOWN, "%s",
				     why.text[0] ? why.text : strerror(-r))
		     : PRINT_GOOD;
}

static int compile(const struct arguments *a, char **paths, uint32_t n)
{
	CLEANUP(set_done) struct set s = {.policy = NULL};
	int r = load_all(paths, n, &s);

	return r == PRINT_GOOD ? write_out(a, &s.bundle) : r;
}

static int sign_bundle(const struct arguments *a, const struct buf *bundle)
{
	CLEANUP(buf_done) struct buf pem = {0}, out = {0};
	struct sign_key *key = NULL;
	struct why why = {""};
	int r = fsio_read_file(fsio_system(), a->key, 65536, &pem);

	if (r >= 0)
		r = sign_key_from_pem((char *)pem.data, pem.size, &key, &why);
	if (pem.data)
		OPENSSL_cleanse(pem.data, pem.size);
	if (r >= 0 && !sign_key_is_private(key))
		r = why_set(&why, -EKEYREJECTED, "has no private part");
	if (r >= 0)
		r = dsse_sign(WIRE_DSSE_POLICY, bundle->data, bundle->size,
			      (const struct sign_key *const *)&key, 1, &out);
	sign_key_free(key);
	if (r < 0)
		return print_failure(PRINT_UNKNOWN, "%s: %s", a->key,
				     why.text[0] ? why.text : strerror(-r));
	if (out.data[out.size - 1] != '\n')
		buf_puts(&out, "\n");
	return buf_status(&out) < 0 ? print_failure(PRINT_UNKNOWN, "no memory")
				    : write_out(a, &out);
}

static int sign(const struct arguments *a, char **paths, uint32_t n)
{
	CLEANUP(set_done) struct set s = {.policy = NULL};
	struct policy_test_report report = {0};
	int r;

	if (!a->key || !a->output)
		return print_failure(PRINT_USAGE, "sign wants --key and -o");
	r = load_all(paths, n, &s);
	for (uint32_t i = 0; i < n && r == PRINT_GOOD; i++) {
		struct telling tell = {.path = paths[i], .quiet = true};

		if (s.each[i].yaml)
			r = run_tests(&s.each[i], &tell, &report);
	}
	if (r == PRINT_GOOD)
		r = sign_bundle(a, &s.bundle);
	if (r == PRINT_GOOD)
		printf("%s: %s version %" PRIu64 ", signed\n", a->output, policy_name(s.policy),
		       policy_version(s.policy));
	return r;
}

int cmd_policy(int argc, char **argv)
{
	static const struct option options[] = {
		{"key", required_argument, NULL, 'k'},
		{"output", required_argument, NULL, 'o'},
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	static const struct {
		const char *name;
		uint32_t max;
		int (*run)(const struct arguments *a, char **paths, uint32_t n);
	} kinds[] = {{"check", 1, check},
		     {"test", 1, test},
		     {"compile", POLICY_JOIN_MAX, compile},
		     {"sign", POLICY_JOIN_MAX, sign}};
	struct arguments a = {.json = false};
	int o;

	if (argc > 1 && remote_policy_is(argv[1]))
		return remote_policy(argc, argv);
	while ((o = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
		if (o == 'h') {
			help(stdout);
			return PRINT_GOOD;
		}
		if (o == '?')
			return print_failure(PRINT_USAGE,
					     "plumbctl policy --help tells the options");
		a.json |= o == 'j';
		a.key = o == 'k' ? optarg : a.key;
		a.output = o == 'o' ? optarg : a.output;
	}
	for (size_t i = 0; argc - optind >= 2 && i < ARRAY_SIZE(kinds); i++)
		if (strcmp(argv[optind], kinds[i].name) == 0 &&
		    argc - optind - 1 <= (int)kinds[i].max)
			return kinds[i].run(&a, argv + optind + 1, (uint32_t)(argc - optind - 1));
	help(stderr);
	return PRINT_USAGE;
}
