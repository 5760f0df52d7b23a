/* SPDX-License-Identifier: Apache-2.0 */
#include "code_lines.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "code_args.h"
#include "code_link.h"

#define KEY_SIZE (PLUMB_PATH_MAX + 64)

struct code_lines {
	struct code_lines_options o;
	struct measure_sink sink;
	bool looks_for_scripts;
};

static void lost(struct code_lines *c)
{
	c->sink.lost(c->sink.ctx, "bpf", 1, "a digest could not be put into words: out of memory");
}

static void tell(struct code_lines *c, const struct plumb_event_code *e, const char *op,
		 const char *key, const char *found, const char *hash_src)
{
	char scope[CGROUPS_SCOPE_SIZE];
	struct line l;

	record_line_begin(&c->o.tables, &e->event, &e->task, scope, &l);
	l.type = PLUMB_TYPE_CODE;
	l.op = op;
	l.key = key;
	l.found = found;
	l.hash_src = hash_src;
	c->sink.measurement(c->sink.ctx, &l);
}

/* A file that is none (a device that is mapped) has no digest, whatever reading it would give. */
static int take_digest(struct code_lines *c, const struct plumb_event_code *e, bool cut,
		       struct record_line_digest *ret)
{
	if (S_ISREG(e->file.mode))
		return record_line_digest(&c->o.tables, &e->task, cut ? NULL : e->path, &e->file,
					  &e->hash, ret);
	record_line_unmeasured(ret, "no regular file");
	return buf_status(&ret->found);
}

static void tell_file(struct code_lines *c, const struct plumb_event_code *e, const char *op)
{
	bool cut = e->event.flags & PLUMB_EVENT_PATH_CUT;
	CLEANUP(record_line_digest_done) struct record_line_digest digest = {0};
	char key[KEY_SIZE];

	if (take_digest(c, e, cut, &digest) < 0) {
		lost(c);
		return;
	}
	snprintf(key, sizeof(key), "code:%s%s", cut ? "..." : "", e->path);
	tell(c, e, op, key, (const char *)digest.found.data, digest.src);
}

/* Where the kernel gives no path of the process's own program, the table has it from the exec. */
static void tell_program(struct code_lines *c, const struct plumb_event_code *e, const char *kind,
			 const char *op, const char *found)
{
	bool cut = e->event.flags & PLUMB_EVENT_PATH_CUT;
	char key[KEY_SIZE];
	struct line_actor actor;
	const char *path = e->path;

	if (cut && proctab_actor(c->o.tables.proctab, e->task.pid, e->task.start_ns, &actor) >= 0 &&
	    actor.exe)
		path = actor.exe;
	snprintf(key, sizeof(key), "%s%s", kind, path[0] ? path : "unknown");
	tell(c, e, op, key, found, NULL);
}

static const char *input_name(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return "file";
	case S_IFIFO:
		return "pipe";
	case S_IFSOCK:
		return "socket";
	}
	return "unknown";
}

/* "python3.11" is python, as the kernel programs compare it. */
static void base_name(const char *path, char ret[PLUMB_CODE_NAME])
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

	snprintf(ret, PLUMB_CODE_NAME, "%.*s", (int)strcspn(name, "0123456789"), name);
}

/*
 * The kernel programs know a script by the name in its arguments; one that is reached by a symbolic link has another, and is looked for here,
 * as any is where they see no opens.
 */
static void tell_looked_for(struct code_lines *c, const struct plumb_event_code *e,
			    const char *file, size_t size)
{
	CLEANUP(code_link_done) struct code_link l = {0};
	char key[KEY_SIZE];
	int r = code_link_read(c->o.tables.hash_cache, e->task.pid, file, size,
			       c->looks_for_scripts, &l);

	if (r == -ENOMEM)
		lost(c);
	if (r != 1)
		return;
	snprintf(key, sizeof(key), "code:%s%s", l.cut ? ".../" : "", l.path);
	tell(c, e, "script", key, (const char *)l.found.data,
	     strncmp((const char *)l.found.data, "unmeasured", 10) == 0 ? "none" : "user");
}

static bool is_interpreter(const struct code_lines *c, const char *name)
{
	for (uint32_t i = 0; i < c->o.n_interpreters; i++)
		if (strcmp(c->o.interpreters[i], name) == 0)
			return true;
	return false;
}

/* Whose rules its arguments follow, and where they begin: ld.so's own come before what it runs. false: that is no interpreter. */
static bool whose_args(const struct code_lines *c, const struct plumb_event_code *e,
		       char ret_name[PLUMB_CODE_NAME], const char **ret_args, size_t *ret_size)
{
	char path[PLUMB_CODE_ARGS + 1];
	const char *program;
	size_t size;

	*ret_args = e->args;
	*ret_size = e->args_size;
	base_name(e->path, ret_name);
	if (!code_args_is_loader(ret_name))
		return true;
	if (!code_args_loaded(ret_args, ret_size, &program, &size))
		return false;
	snprintf(path, sizeof(path), "%.*s", (int)size, program);
	base_name(path, ret_name);
	return is_interpreter(c, ret_name);
}

static void take_interpreter(struct code_lines *c, const struct plumb_event_code *e)
{
	char name[PLUMB_CODE_NAME];
	const char *file = NULL, *args;
	size_t size = 0, args_size;

	if (!whose_args(c, e, name, &args, &args_size))
		return;
	switch (code_args_read(name, args, args_size, e->stdin_mode, &file, &size)) {
	case CODE_ARGS_NOTHING:
		break;
	case CODE_ARGS_FILE:
		tell_looked_for(c, e, file, size);
		break;
	case CODE_ARGS_TEXT:
		tell_program(c, e, "unnamed:arguments:", "text", "run");
		break;
	case CODE_ARGS_STDIN:
		tell_program(c, e, "unnamed:stdin:", input_name(e->stdin_mode), "run");
		break;
	}
}

static void take_binfmt(struct code_lines *c, const struct plumb_event_code *e)
{
	const char *slash = strrchr(e->path, '/');
	char key[KEY_SIZE];

	snprintf(key, sizeof(key), "binfmt:%s", slash ? slash + 1 : e->path);
	tell(c, e, "write", key, "opened for writing", NULL);
	if (c->o.binfmt)
		c->o.binfmt(c->o.ctx);
}

void code_lines_look_for_scripts(struct code_lines *c)
{
	c->looks_for_scripts = true;
}

void code_lines_take(struct code_lines *c, const struct plumb_event_code *e)
{
	switch (e->what) {
	case PLUMB_CODE_MAP:
		tell_file(c, e, "map");
		break;
	case PLUMB_CODE_SCRIPT:
		tell_file(c, e, "script");
		break;
	case PLUMB_CODE_ANONYMOUS:
		tell_program(c, e, "memory:anonymous:", "map", "executable");
		break;
	case PLUMB_CODE_WRITTEN:
		tell_program(c, e, "memory:written:", "map", "executable");
		break;
	case PLUMB_CODE_INTERPRETER:
		take_interpreter(c, e);
		break;
	case PLUMB_CODE_BINFMT:
		take_binfmt(c, e);
		break;
	}
}

int code_lines_open(const struct code_lines_options *o, const struct measure_sink *sink,
		    struct code_lines **ret)
{
	struct code_lines *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->o = *o;
	c->sink = *sink;
	*ret = c;
	return 0;
}

struct code_lines *code_lines_free(struct code_lines *c)
{
	free(c);
	return NULL;
}
