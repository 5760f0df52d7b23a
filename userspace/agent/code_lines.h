/* SPDX-License-Identifier: Apache-2.0 */
/*
 * code_lines.h: code that runs without an exec, as lines: files that are mapped executable, memory, scripts, interpreters that run what nothing
 * names, and who changes binfmt_misc. In: code records that were checked. Out: lines of type code to the sink, on the loop's thread.
 *
 *   code:<path>                  found as of an exec; op map, script
 *   memory:anonymous:<program>   found "executable"; memory:written:<program>: pages of a file that were written to since they were mapped
 *   unnamed:arguments:<program>  found "run": a text among its arguments (sh -c); unnamed:stdin:<program>; op: what standard input is
 *   What ld.so runs in its own process is told as if it had been executed, by ld.so's path.
 *   binfmt:<file of binfmt_misc> found "opened for writing"
 */
#ifndef PLUMB_CODE_LINES_H
#define PLUMB_CODE_LINES_H

#include "measure.h"
#include "record_line.h"

struct code_lines;

struct code_lines_options {
	struct record_line_tables tables;
	const char *const *interpreters;	/* names up to their first digit, of what ld.so runs; borrowed */
	uint32_t n_interpreters;
	void (*binfmt)(void *ctx);	/* binfmt_misc is about to be changed; may be NULL */
	void *ctx;
};

int code_lines_open(const struct code_lines_options *o, const struct measure_sink *sink, struct code_lines **ret);	/* copied */
struct code_lines *code_lines_free(struct code_lines *c);
void code_lines_look_for_scripts(struct code_lines *c);	/* no kernel program sees what an interpreter opens: each is looked for by its name */
void code_lines_take(struct code_lines *c, const struct plumb_event_code *e);

#endif
