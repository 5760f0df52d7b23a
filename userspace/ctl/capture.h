/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capture.h: makes a baseline of what is on this machine now. In: directories of executables, watched files. Out: an unsigned
 * baseline document (docs/baseline.md). Files that cannot be read are refused by name, never left out.
 */
#ifndef PLUMB_CAPTURE_H
#define PLUMB_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>
#include "buf.h"
#include "why.h"

#define CAPTURE_MAX_ENTRIES 4000000u

struct capture_options {
	const char *name;
	uint64_t version;
	const char *const *exec;	/* directories and files; regular files with an x bit are taken */
	uint32_t n_exec;
	const char *const *files;	/* directories and files, as file claims; their prefixes are closed */
	uint32_t n_files;
	void (*progress)(void *ctx, uint64_t n);	/* now and then; may be NULL */
	void *ctx;
};

int capture_make(const struct capture_options *o, struct buf *ret, uint64_t *ret_count, struct why *ret_why);
/* The same document with its header signed by key (PEM). */
int capture_sign(const void *document, size_t size, const char *key_pem, size_t key_size, struct buf *ret, struct why *ret_why);

#endif
