/* SPDX-License-Identifier: Apache-2.0 */
/*
 * code_args.h: what an interpreter was told to run: a file, a text among its arguments, or what comes in. Pure.
 * In: the first bytes of its arguments, foreign text, and the mode of its standard input. Out: which of them.
 * One set of rules for all interpreters: what any of them takes as a text (-c, -e, -r …) is called one, a cluster of letters too.
 */
#ifndef PLUMB_CODE_ARGS_H
#define PLUMB_CODE_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum code_args_what {
	CODE_ARGS_NOTHING = 0,		/* it runs nothing of its own: --version; or it stands at a terminal, or has no input */
	CODE_ARGS_FILE = 1,		/* a file is named */
	CODE_ARGS_TEXT = 2,		/* a text is given: sh -c, perl -e */
	CODE_ARGS_STDIN = 3,
};

/*
 * ld.so runs a program that is its argument: *args and *size begin with that one's own name afterwards, and *ret_program is it, in args too. false:
 * it runs none (--list, --verify), or it does not stand in what is there. name: as below.
 */
bool code_args_is_loader(const char *name);
bool code_args_loaded(const char **args, size_t *size, const char **ret_program, size_t *ret_size);
/* args: each ends with a NUL, but the last one that may be cut. name: of the interpreter up to its first digit. *ret_file: for FILE, in args; may be cut. */
enum code_args_what code_args_read(const char *name, const char *args, size_t size, uint32_t stdin_mode, const char **ret_file,
				   size_t *ret_size);

#endif
