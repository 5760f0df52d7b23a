/* SPDX-License-Identifier: Apache-2.0 */
#include "redact.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cleanup.h"
#include "jsonl.h"
#include "pattern.h"

#define SECRET                                                                                \
	"(pass(word|wd|phrase)?|pwd|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|" \
	"credentials?|passcode)"
#define REST "([^\n]+)" /* to the end of the argument: a secret may have blanks in it */

/* Patterns see the arguments with a LF between any two; a LF in an argument is a blank to them. */
static const char *const built_in[] = {
	/* --password=X, MYSQL_PWD=X, X-Auth-Token: X, "secret": "X" */
	SECRET "[-_a-z0-9]*[\"']?[[:blank:]]*[=:]+[[:blank:]]*" REST,
	/* --password X, --db-password X, -token X */
	"(^|[[:space:]])-[-_a-z0-9]*" SECRET "[-_a-z0-9]*[[:space:]]+" REST,
	/* Authorization: Basic X; Cookie: X */
	"(authorization|cookie|x-[-a-z]*key)[\"']?[[:blank:]]*[=:][[:blank:]]*" REST,
	"(bearer|basic)[[:blank:]]+([-_.~+/a-z0-9=]{8,})",
	/* https://user:X@host */
	"[a-z][-+.a-z0-9]*://[^/@[:space:]]*:([^@\n]*)@",
	/* mysql -pX; sshpass -p X; curl -u user:X */
	"(mysql|mysqldump|mysqladmin|mariadb|mariadb-dump|mariadb-admin)\n([^\n]+\n)*-p" REST,
	"sshpass\n-p[[:space:]]*" REST,
	"(^|\n)(-u|--user|--proxy-user|-U)[=[:space:]]?[^:\n]*:" REST,
	/* A private key; a JWT; tokens of GitHub, GitLab, Slack, AWS */
	"-----BEGIN [ A-Z]*PRIVATE KEY-----(.+)",
	"eyJ[-_a-z0-9]{8,}\\.[-_.a-z0-9]+",
	"gh[pousr]_[a-z0-9]{12,}|github_pat_[_a-z0-9]{12,}|glpat-[-_a-z0-9]{12,}|xox[abprs]-[-a-z0-"
	"9]{8,}|A[KS]IA[a-z0-9]{12,}",
};

struct redact {
	struct pattern **patterns;
	uint32_t n;
	uint64_t second, used_ns; /* of that second's budget */
};

int redact_open(const char *const *patterns, uint32_t n_patterns, struct redact **ret,
		struct why *ret_why)
{
	struct redact *r = calloc(1, sizeof(*r));
	uint32_t total = ARRAY_SIZE(built_in) + n_patterns;
	int e = 0;

	if (!r)
		return -ENOMEM;
	r->patterns = calloc(total, sizeof(struct pattern *));
	if (!r->patterns)
		e = -ENOMEM;
	for (uint32_t i = 0; e >= 0 && i < total; i++) {
		e = pattern_open(i < ARRAY_SIZE(built_in) ? built_in[i]
							  : patterns[i - ARRAY_SIZE(built_in)],
				 &r->patterns[i], ret_why);
		r->n += e >= 0;
	}
	if (e < 0) {
		redact_free(r);
		return e;
	}
	*ret = r;
	return 0;
}

struct redact *redact_free(struct redact *r)
{
	if (!r)
		return NULL;
	for (uint32_t i = 0; i < r->n; i++)
		pattern_free(r->patterns[i]);
	free(r->patterns);
	free(r);
	return NULL;
}

static void put_arg(struct jsonl *j, const char *text, const bool *hidden, size_t size,
		    uint32_t *ret_hidden)
{
	char told[PLUMB_ARGS_MAX * sizeof(REDACT_HIDDEN)];
	size_t n = 0;

	for (size_t i = 0; i < size; i++) {
		if (!hidden[i]) {
			told[n++] = text[i];
			continue;
		}
		if (i == 0 || !hidden[i - 1]) {
			for (const char *c = REDACT_HIDDEN; *c; c++)
				told[n++] = *c;
			++*ret_hidden;
		}
	}
	jsonl_strn(j, NULL, told, n);
}

static int no_args(struct jsonl *j, const char *why)
{
	jsonl_null(j, "args");
	jsonl_str(j, "args_why", why);
	return buf_status(j->buf);
}

static uint64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Whoever starts many programs with arguments that are hard to look through loses their arguments, and nobody's lines wait for it. */
static bool has_budget(struct redact *r)
{
	uint64_t second = now_ns(CLOCK_MONOTONIC) / 1000000000;

	if (r->second != second) {
		r->second = second;
		r->used_ns = 0;
	}
	return r->used_ns < REDACT_BUDGET_NS;
}

static void mark_all(struct redact *r, const struct plumb_args *args, bool *ret_hidden)
{
	uint64_t start = now_ns(CLOCK_THREAD_CPUTIME_ID);
	char seen[PLUMB_ARGS_MAX + 1];

	memcpy(seen, args->text, args->kept);
	seen[args->kept] = '\0';
	for (size_t i = 0; i < args->kept; i++)
		seen[i] = seen[i] == '\n' ? ' ' : seen[i] == '\0' ? '\n' : seen[i];
	for (uint32_t i = 0; i < r->n; i++)
		pattern_mark(r->patterns[i], seen, ret_hidden);
	r->used_ns += now_ns(CLOCK_THREAD_CPUTIME_ID) - start;
}

int redact_args(struct redact *r, const struct plumb_args *args, struct buf *ret)
{
	bool hidden[PLUMB_ARGS_MAX + 1] = {false};
	struct jsonl j = {.buf = ret};
	uint32_t n_args = 0, n_hidden = 0;
	size_t at = 0;

	if (!args)
		return no_args(&j, "the kernel does not let programs read them");
	if (args->error < 0)
		return no_args(&j, strerrorname_np(-args->error));
	if (!has_budget(r))
		return no_args(&j, "too many are hard to look through");
	mark_all(r, args, hidden);
	jsonl_array(&j, "args");
	for (; at < args->kept && n_args < REDACT_MAX_ARGS; n_args++) {
		size_t size = strnlen(args->text + at, args->kept - at);

		put_arg(&j, args->text + at, hidden + at, size, &n_hidden);
		at += size + 1;
	}
	jsonl_close(&j);
	if (at < args->size)
		jsonl_uint(&j, "args_size", args->size);
	if (n_hidden > 0)
		jsonl_uint(&j, "args_hidden", n_hidden);
	return buf_status(ret);
}

void redact_line(const struct redact *r, const char *line, size_t size, struct buf *ret)
{
	size_t seen = size < REDACT_MAX_LINE ? size : REDACT_MAX_LINE;
	bool hidden[REDACT_MAX_LINE + 1] = {false};
	char text[REDACT_MAX_LINE + 1];

	memcpy(text, line, seen);
	text[seen] = '\0';
	for (uint32_t i = 0; i < r->n; i++)
		pattern_mark(r->patterns[i], text, hidden);
	for (size_t i = 0; i < seen; i++) {
		if (!hidden[i])
			buf_put(ret, line + i, 1);
		else if (i == 0 || !hidden[i - 1])
			buf_puts(ret, REDACT_HIDDEN);
	}
	if (seen < size)
		buf_puts(ret, REDACT_HIDDEN);
}
