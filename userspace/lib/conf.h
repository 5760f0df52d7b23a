/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf.h: one table of options a program: flat `key: value` YAML file, and --key=value on the command line over it.
 * In: table, argv. Out: values in the caller's struct; text for --help. A mistake is refused with file:line (or the argument).
 * Unknown keys are errors. YAML is read with libyaml (libcyaml's base), strictly: one mapping of scalars and lists of scalars.
 */
#ifndef PLUMB_CONF_H
#define PLUMB_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "buf.h"
#include "why.h"

enum conf_type { CONF_STR = 1, CONF_UINT, CONF_BOOL, CONF_LIST, CONF_DURATION_MS, CONF_SIZE, CONF_PATTERNS };

#define CONF_MAX_LIST 64
struct conf_list {
	char *items[CONF_MAX_LIST];
	uint32_t n_items;
};

struct conf_option {
	const char *name;	/* YAML key; --name with _ as - */
	/* CONF_STR: char *, CONF_UINT/CONF_DURATION_MS/CONF_SIZE: uint64_t, CONF_BOOL: bool, CONF_LIST: struct conf_list, CONF_PATTERNS: the same, each
	 * of pattern.h; of one that cannot be read file:line:column is told */
	enum conf_type type;
	size_t offset;		/* in the target struct */
	const char *initial;	/* as text, NULL: none */
	uint64_t min, max;	/* numbers; 0,0: any */
	const char *help;
};

struct conf_table {
	const char *program;	/* "plumbd" */
	const char *summary;	/* one line */
	const char *usage;	/* after the program's name */
	const char *file;	/* default configuration file */
	const struct conf_option *options;
	uint32_t n_options;
};

/*
 * Fills target: initial values, then the file (--config=FILE or the default one when it exists), then arguments. --help and
 * --version print and return 1: the caller exits 0. *ret_rest: index of the first argument that is no option (argc when none).
 * A list option that is given replaces the list before it; given twice on one level it grows.
 */
int conf_load(const struct conf_table *t, int argc, char **argv, void *target, int *ret_rest, struct why *ret_why);
/* The file that conf_load() reads, in either form of --config; borrowed. The default one is read only if it is there. */
const char *conf_file(const struct conf_table *t, int argc, char **argv);
/* The file's text alone, over what target holds; name stands in errors. conf_load() calls it; so does the fuzzer. */
int conf_read(const struct conf_table *t, const char *name, const void *data, size_t size, void *target, struct why *ret_why);
void conf_done(const struct conf_table *t, void *target);	/* frees strings and lists */
void conf_help(const struct conf_table *t, struct buf *ret);

#endif
