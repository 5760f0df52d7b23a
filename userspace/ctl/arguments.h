/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arguments.h: options of a command whose options are texts and switches, taken from its words. In: the words, a table. Out: the values, where
 * they belong; how many words are left, in front of which optind stands.
 */
#ifndef PLUMB_ARGUMENTS_H
#define PLUMB_ARGUMENTS_H

#include <stdbool.h>
#include <stdio.h>

#define ARGUMENTS_MAX 16

struct arguments_option {
	const char *name;	/* without its dashes */
	const char **text;	/* where its value goes, borrowed; NULL: it has none */
	bool *given;		/* a switch */
};

struct arguments_command {
	const char *name;	/* "node", as in plumbctl node --help */
	void (*help)(FILE *f);
	const struct arguments_option *options;
	unsigned int n_options;
};

/* > 0: so many words are left. Else it is over: *ret_exit, when help was asked for, or something is wrong or missing, which was said. */
int arguments_take(int argc, char **argv, const struct arguments_command *c, int *ret_exit);

#endif
