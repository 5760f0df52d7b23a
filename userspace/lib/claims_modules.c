/* SPDX-License-Identifier: Apache-2.0 */
#include "claims_modules.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

#define NAME_MAX_MODULE 64
#define LIST_MAX (16u << 20)
#define KALLSYMS_MAX (256ull << 20) /* bytes: some forty times what a distribution's kernel has */
#define PIECE 65536

struct claims_modules {
	struct claims_source s;
	struct claims_names proc, sys,
		symbols; /* of this look; what was there at its begin or at its end */
	struct claims_names before; /* found by the first look */
	struct claims_modules_rest rest;
	uint64_t n_read;
	int fd; /* kallsyms; -1: not open */
	int blind; /* -errno: a list could not be read */
	uint32_t look; /* 0, 1 */
	char piece[PIECE];
};

static bool is_name(const char *name, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (!isalnum((unsigned char)name[i]) && name[i] != '_' && name[i] != '-' &&
		    name[i] != '.')
			return false;
	return size > 0 && size < NAME_MAX_MODULE;
}

/* "ffffffffc0a0 t func\t[nf_tables]": what the kernel itself made stands there in brackets as well. */
static int take_line(const char *line, size_t size, struct claims_names *ret)
{
	const char *open;
	size_t n;

	if (size < 3 || line[size - 1] != ']')
		return 0;
	open = memrchr(line, '[', size);
	if (!open || open == line || open[-1] != '\t')
		return 0;
	open++;
	n = (size_t)(line + size - 1 - open);
	if (!is_name(open, n))
		return -EBADMSG;
	if ((n == 3 && memcmp(open, "bpf", 3) == 0) ||
	    (n > 10 && memcmp(open, "__builtin_", 10) == 0))
		return 0;
	/* Symbols of one module follow each other. */
	if (ret->n > 0 && strlen(ret->names[ret->n - 1]) == n &&
	    memcmp(ret->names[ret->n - 1], open, n) == 0)
		return 0;
	return claims_names_add(ret, open, n);
}

int claims_modules_symbols(struct claims_modules_rest *rest, const char *text, size_t size,
			   struct claims_names *ret)
{
	const char *at = text, *end = text + size;
	int r = 0;

	while (at < end && r == 0) {
		const char *lf = memchr(at, '\n', (size_t)(end - at));
		size_t n = (size_t)((lf ? lf : end) - at);

		if (rest->n + n > sizeof(rest->line))
			return -EBADMSG;
		if (lf && rest->n == 0) {
			r = take_line(at, n, ret);
		} else {
			memcpy(rest->line + rest->n, at, n);
			rest->n += n;
			if (lf) {
				r = take_line(rest->line, rest->n, ret);
				rest->n = 0;
			}
		}
		at += n;
		at += lf != NULL;
	}
	return r;
}

static int take_proc(struct claims_modules *m)
{
	CLEANUP(buf_done) struct buf text = {0};
	int r = claims_source_read(&m->s, CLAIMS_PROC, "modules", LIST_MAX, &text);
	const char *at = (const char *)text.data, *end = at ? at + text.size : NULL;

	/* As in claims_host: a kernel that has no modules. */
	if (r == -ENOENT && !claims_source_has(&m->s, CLAIMS_PROC, "sys/kernel/modules_disabled"))
		return 0;
	while (at && at < end && r >= 0) {
		const char *lf = memchr(at, '\n', (size_t)(end - at));
		size_t n = 0, size = (size_t)((lf ? lf : end) - at);

		while (n < size && at[n] != ' ')
			n++;
		r = is_name(at, n) ? claims_names_add(&m->proc, at, n) : -EBADMSG;
		at = lf ? lf + 1 : end;
	}
	return r;
}

/* Those that were loaded have a state; what is built in has none. */
static int take_sys(struct claims_modules *m)
{
	char path[PATH_MAX], name[NAME_MAX_MODULE + 32];
	struct dirent *e;
	int r = claims_source_path(&m->s, CLAIMS_SYS, "module", path, sizeof(path));
	DIR *d = r < 0 ? NULL : opendir(path);

	if (r < 0)
		return r;
	if (!d)
		return errno == ENOENT && m->proc.n == 0 ? 0 : -errno;
	for (e = readdir(d); e && r >= 0; e = readdir(d)) {
		size_t n = strlen(e->d_name);

		if (!is_name(e->d_name, n) || e->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "module/%.63s/initstate", e->d_name);
		if (claims_source_has(&m->s, CLAIMS_SYS, name))
			r = claims_names_add(&m->sys, e->d_name, n);
	}
	closedir(d);
	return r;
}

static void take_lists(struct claims_modules *m)
{
	int r = take_proc(m);

	if (r >= 0)
		r = take_sys(m);
	if (r < 0 && m->blind == 0)
		m->blind = r;
	claims_names_sort(&m->proc);
	claims_names_sort(&m->sys);
}

static void begin(struct claims_modules *m)
{
	char path[PATH_MAX];

	claims_names_clear(&m->proc);
	claims_names_clear(&m->sys);
	claims_names_clear(&m->symbols);
	m->rest.n = 0;
	m->n_read = 0;
	m->blind = 0;
	take_lists(m);
	m->fd = claims_source_path(&m->s, CLAIMS_PROC, "kallsyms", path, sizeof(path)) < 0
			? -1
			: open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	/* A kernel without symbols has two lists. */
	if (m->fd < 0 && errno != ENOENT && m->blind == 0)
		m->blind = -errno;
}

/* 1: there is more. */
static int read_piece(struct claims_modules *m)
{
	ssize_t n = m->fd < 0 ? 0 : read(m->fd, m->piece, sizeof(m->piece));
	int r = n < 0 ? -errno : 0;

	if (r == -EINTR)
		return 1;
	m->n_read += n > 0 ? (uint64_t)n : 0;
	if (m->n_read > KALLSYMS_MAX)
		r = -EFBIG;
	if (n > 0 && r >= 0)
		r = claims_modules_symbols(&m->rest, m->piece, (size_t)n, &m->symbols);
	if (r == -ENOMEM)
		return r;
	if (r < 0 && m->blind == 0)
		m->blind = r;
	return n > 0 && r >= 0;
}

/*
 * A module without symbols is none of kallsyms' business. name=where it is seen; nothing that was there at the begin or at the end of a look
 * counts as hidden in it.
 */
static int add_hidden(const struct claims_modules *m, const struct claims_names *of,
		      struct claims_names *ret)
{
	int r = 0;

	for (uint32_t i = 0; i < of->n && r >= 0; i++) {
		const char *name = of->names[i];
		bool proc = claims_names_has(&m->proc, name), sys = claims_names_has(&m->sys, name);
		char text[NAME_MAX_MODULE + 40];

		if (proc && sys)
			continue;
		snprintf(text, sizeof(text), "%s=%s%s%s", name, proc ? "+proc" : "",
			 sys ? "+sys" : "", claims_names_has(&m->symbols, name) ? "+kallsyms" : "");
		r = claims_names_add(ret, text, strlen(text));
	}
	claims_names_sort(ret);
	return r;
}

static int find_hidden(struct claims_modules *m, struct claims_names *ret)
{
	CLEANUP(claims_names_clear) struct claims_names all = {0};
	const struct claims_names *const lists[] = {&m->proc, &m->sys, &m->symbols};
	int r = 0;

	take_lists(m);
	claims_names_sort(&m->symbols);
	for (size_t k = 0; k < ARRAY_SIZE(lists); k++)
		for (uint32_t i = 0; i < lists[k]->n && r >= 0; i++)
			r = claims_names_add(&all, lists[k]->names[i], strlen(lists[k]->names[i]));
	claims_names_sort(&all);
	return r < 0 ? r : add_hidden(m, &all, ret);
}

static int put_found(const struct claims_modules *m, const struct claims_names *found)
{
	CLEANUP(buf_done) struct buf value = {0};
	int r = m->blind;

	/* What was seen is seen, also by somebody who is blind on one eye. */
	if (r == 0 || found->n > 0)
		r = claims_names_text(found, &value);
	return claims_source_put(&m->s, "kernel:hidden_modules", r, &value);
}

static int end(struct claims_modules *m, int *ret_put)
{
	CLEANUP(claims_names_clear) struct claims_names found = {0}, both = {0};
	int r = find_hidden(m, &found);

	if (m->fd >= 0)
		close(m->fd);
	m->fd = -1;
	if (r < 0)
		return r;
	if (m->look == 0 && found.n > 0) {
		m->before = found;
		found = (struct claims_names){.n = 0};
		m->look = 1;
		begin(m);
		return 1;
	}
	for (uint32_t i = 0; i < found.n && r >= 0; i++)
		if (claims_names_has(&m->before, found.names[i]))
			r = claims_names_add(&both, found.names[i], strlen(found.names[i]));
	if (r < 0)
		return r;
	*ret_put = put_found(m, &both);
	return 0;
}

int claims_modules_step(struct claims_modules *m, int *ret_put)
{
	int r = read_piece(m);

	return r != 0 ? r : end(m, ret_put);
}

int claims_modules_open(const struct claims_source *s, struct claims_modules **ret)
{
	struct claims_modules *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->s = *s;
	begin(m);
	*ret = m;
	return 0;
}

struct claims_modules *claims_modules_free(struct claims_modules *m)
{
	if (!m)
		return NULL;
	if (m->fd >= 0)
		close(m->fd);
	claims_names_clear(&m->proc);
	claims_names_clear(&m->sys);
	claims_names_clear(&m->symbols);
	claims_names_clear(&m->before);
	free(m);
	return NULL;
}

int claims_modules_all(const struct claims_source *s)
{
	struct claims_modules *m = NULL;
	int put = 0, r = claims_modules_open(s, &m);

	for (int more = r >= 0; more > 0;) {
		more = claims_modules_step(m, &put);
		r = more;
	}
	claims_modules_free(m);
	return r < 0 ? r : put;
}
