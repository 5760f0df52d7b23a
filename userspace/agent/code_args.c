/* SPDX-License-Identifier: Apache-2.0 */
#include "code_args.h"

#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"

/* By which options a text is given, and which take the next argument for something else; for those that are not listed as for a shell. */
struct grammar {
	const char *name;
	const char *text, *takes; /* letters */
};

static const struct grammar grammars[] = {
	{"python", "cm", "WX"}, /* a module's name is no file's */
	{"perl", "eE", "Ii"},	{"ruby", "e", "Ir"},  {"node", "ep", "r"}, {"php", "rBRE", "cdz"},
	{"lua", "e", "l"},	{"Rscript", "e", ""}, {"tclsh", "", ""},
};

static const struct grammar shell = {"", "c", "oO"};

static const struct grammar *grammar_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(grammars); i++)
		if (strcmp(grammars[i].name, name) == 0)
			return &grammars[i];
	return &shell;
}

struct word {
	const char *text;
	size_t size;
};

static bool next(const char **args, size_t *size, struct word *ret)
{
	const char *end = *size ? memchr(*args, '\0', *size) : NULL;

	if (*size == 0)
		return false;
	ret->text = *args;
	ret->size = end ? (size_t)(end - *args) : *size;
	*args += ret->size + (end != NULL);
	*size -= ret->size + (end != NULL);
	return true;
}

static bool is(const struct word *w, const char *text)
{
	return w->size == strlen(text) && memcmp(w->text, text, w->size) == 0;
}

static bool starts(const struct word *w, const char *text)
{
	return w->size >= strlen(text) && memcmp(w->text, text, strlen(text)) == 0;
}

static bool is_name(const struct word *w, const char *name)
{
	size_t n = strlen(name);

	return w->size >= n && memcmp(w->text + w->size - n, name, n) == 0 &&
	       (w->size == n || w->text[w->size - n - 1] == '/');
}

static bool has(const char *letters, char c)
{
	return c && strchr(letters, c);
}

/* A shell at a terminal runs what a person types, each program of which is an exec; /dev/null gives it nothing. */
static enum code_args_what of_input(uint32_t mode)
{
	return S_ISCHR(mode) ? CODE_ARGS_NOTHING : CODE_ARGS_STDIN;
}

enum option { NONE, TEXT, TAKES, ENDS, INPUT, ONLY_SAYS };

static enum option option_of(const struct grammar *g, const struct word *w)
{
	if (is(w, "--version") || is(w, "--help") || is(w, "-V") || is(w, "-h"))
		return ONLY_SAYS;
	if (is(w, "--"))
		return ENDS;
	if (is(w, "-") || is(w, "-s"))
		return INPUT;
	if (starts(w, "--eval") || starts(w, "--print") || starts(w, "--run") ||
	    starts(w, "--source"))
		return TEXT;
	if (starts(w, "--"))
		return is(w, "--rcfile") || is(w, "--init-file") || is(w, "--require") ? TAKES
										       : NONE;
	for (size_t i = 1; i < w->size; i++) {
		if (has(g->text, w->text[i]))
			return TEXT;
		/* -Wignore has its value, -W takes the next word for it. */
		if (has(g->takes, w->text[i]))
			return i + 1 == w->size ? TAKES : NONE;
	}
	return NONE;
}

/* glibc's (ld-linux-x86-64.so.2, ld-2.31.so) and musl's. */
bool code_args_is_loader(const char *name)
{
	return strncmp(name, "ld-linux", 8) == 0 || strncmp(name, "ld-musl", 7) == 0 ||
	       strcmp(name, "ld-") == 0;
}

static bool loader_takes(const struct word *w)
{
	static const char *const takes[] = {
		"--library-path",
		"--preload",
		"--audit",
		"--argv0",
		"--inhibit-rpath",
		"--glibc-hwcaps-mask",
		"--glibc-hwcaps-prepend",
	};

	for (size_t i = 0; i < ARRAY_SIZE(takes); i++)
		if (is(w, takes[i]))
			return true;
	return false;
}

/* One program that is many. By another name (--argv0) it is what that says, and has its own options next. */
static bool is_no_shell(const struct word *program, const char *args, size_t size)
{
	struct word w;

	return is_name(program, "busybox") && next(&args, &size, &w) && !is(&w, "sh") &&
	       !is(&w, "ash") && !starts(&w, "-");
}

bool code_args_loaded(const char **args, size_t *size, const char **ret_program, size_t *ret_size)
{
	const char *at = *args;
	size_t left = *size;
	struct word w;

	(void)next(&at, &left, &w);
	for (bool ended = false; next(&at, &left, &w);) {
		if (ended || !starts(&w, "--")) {
			*size -= (size_t)(w.text - *args);
			*args = *ret_program = w.text;
			*ret_size = w.size;
			return !is_no_shell(&w, at, left);
		}
		if (is(&w, "--list") || is(&w, "--verify"))
			return false;
		if (loader_takes(&w))
			(void)next(&at, &left, &w);
		ended = is(&w, "--");
	}
	return false;
}

enum code_args_what code_args_read(const char *name, const char *args, size_t size,
				   uint32_t stdin_mode, const char **ret_file, size_t *ret_size)
{
	const struct grammar *g = grammar_of(name);
	struct word w;

	/* Its own name; and what busybox is to be, when it is not called by that. */
	if (next(&args, &size, &w) && is_name(&w, "busybox") && strcmp(name, "busybox") == 0)
		(void)next(&args, &size, &w);
	for (bool ended = false; next(&args, &size, &w);) {
		enum option o;

		if (w.size == 0)
			continue;
		if (ended || (w.text[0] != '-' && w.text[0] != '+')) {
			*ret_file = w.text;
			*ret_size = w.size;
			return CODE_ARGS_FILE;
		}
		o = option_of(g, &w);
		if (o == TEXT)
			return CODE_ARGS_TEXT;
		if (o == INPUT)
			return of_input(stdin_mode);
		if (o == ONLY_SAYS)
			return CODE_ARGS_NOTHING;
		ended = o == ENDS;
		if (o == TAKES)
			(void)next(&args, &size, &w);
	}
	return of_input(stdin_mode);
}
