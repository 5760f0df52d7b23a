/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capture.h: makes a baseline of what is on this machine now. In: directories of executables, watched files, /proc and /sys. Out: a
 * baseline document that nobody has signed yet (docs/baseline.md). Files that cannot be read are refused by name, never left out.
 */
#ifndef PLUMB_CAPTURE_H
#define PLUMB_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>
#include "capture_set.h"
#include "fsio.h"
#include "image_tree.h"
#include "why.h"

struct capture_options {
	const char *name;		/* NULL: as in add */
	uint64_t version;		/* 0: as in add, or 1 */
	const char *image;		/* "sha256:<hex>": the scope is image:…, and all paths are those in it; NULL: host */
	const char *root;		/* directory of the unpacked image, when tree is NULL */
	struct image_tree *tree;	/* borrowed */
	const char *add;		/* document whose scopes stand in the new one, too; NULL: none */
	const char *const *exec;	/* directories and files; regular files with an x bit are taken */
	uint32_t n_exec;
	const char *const *load;	/* directories and files whose content the kernel may take: modules, firmware; not for an image */
	uint32_t n_load;
	const char *const *code;	/* directories and files that may be mapped executable or given to interpreters: all regular files */
	uint32_t n_code;
	const char *const *files;	/* as the agent watches them: absolute and plain; directories are closed (not an image's), one that is absent must stay so */
	uint32_t n_files;		/* and what is mounted on, above and below them: capture_mounts.h */
	bool claims;			/* what claims_boot, _cpu, _host, _kernel, _modules and _runtime find; no other mounts over watched paths */
	bool modules;			/* those that are loaded, and no others */
	bool bpf;			/* programs and links that are loaded, and no others */
	const char *boot_log;		/* what this log of the firmware's tells of the boot, and no more programs and authorities; NULL: nothing of it */
	bool surface;			/* nobody reaches for the kernel, another's memory or a disk that is in use */
	/* What is to be listed for a claim instead of what was found; NULL: as found with `claims`, else not at all. Is NULL: as found. */
	const char *(*expect)(void *ctx, const char *key, const char *found);
	/* Puts what is to be listed and nothing here can find: claims that only an agent tells. May be NULL. */
	int (*expect_told)(void *ctx, int (*put)(void *put_ctx, const char *key, const char *value), void *put_ctx);
	void *expect_ctx;		/* of both */
	const char *proc, *sys;		/* NULL: /proc, /sys */
	uint32_t n_threads;		/* 0: one a CPU */
	struct capture_set_progress progress;
};

/*
 * Writes the document to path (which may be o->add). -ENOENT: nothing was found. -EEXIST: the scope is in o->add already. -EINVAL: one lists what runs (exec,
 * code) and the other does not.
 */
int capture_make(const struct fsio *io, const struct capture_options *o, const char *path, uint64_t *ret_count, struct why *ret_why);

#endif
