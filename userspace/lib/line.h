/* SPDX-License-Identifier: Apache-2.0 */
/*
 * line.h: the envelope of a ledger line and the measurement in it (BORDER; docs/ledger.md, tests/data/line).
 * In: struct line, or a foreign line. Out: one JSON line without LF, keys in fixed order, or struct line. Same code on both sides.
 */
#ifndef PLUMB_LINE_H
#define PLUMB_LINE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "plumb/terms.h"
#include "buf.h"
#include "jsonl.h"
#include "why.h"

#define LINE_MAX_SIZE 65535
#define LINE_MAX_KEY 4352	/* "file:" and a path */
#define LINE_MAX_VALUE 4096
#define LINE_MAX_ANCESTORS 8
#define LINE_MAX_LEFT_OUT 32

/* Who. All strings borrowed; NULL where unknown. */
struct line_actor {
	bool known;		/* false: written as "actor":"unknown" */
	uint32_t pid, ppid, uid, gid;
	uint64_t start_ns;	/* boot time at which the process started */
	const char *comm;
	const char *exe;	/* path of its executable */
	const char *cgroup;	/* path below the cgroup v2 mount, or of the v1 hierarchy that names a container */
	const char *container;	/* 64 hex digits */
	const char *pod;	/* uid of its pod */
	uint32_t n_ancestors;	/* nearest first */
	struct line_ancestor {
		uint32_t pid;
		const char *comm;
		const char *exe;
	} ancestors[LINE_MAX_ANCESTORS];
	const char *ancestors_text;	/* the same as line_ancestors() wrote them; NULL: they are written anew */
	size_t ancestors_size;
};

/* Bits of left_out, in the order in which they go. */
enum line_part {
	LINE_PART_ANCESTORS = 1 << 0,
	LINE_PART_DIFF = 1 << 1,
	LINE_PART_ARGS = 1 << 2,
	LINE_PART_NAME = 1 << 3,
	LINE_PART_BEFORE = 1 << 4,
	LINE_PART_OTHER = 1 << 5,
	LINE_PART_CGROUP = 1 << 6,
	LINE_PART_EXE = 1 << 7,
	LINE_PART_JUDGE = 1 << 8,
};

/*
 * A line. Measurements: everything is derived from (type, scope, key, found), see judge.h. Records (log, gap, quote …)
 * carry their own fields as `body`: JSON members without braces ("\"a\":1,\"b\":2"), written verbatim after the envelope.
 */
struct line {
	/* envelope */
	uint64_t seq;		/* leaf index */
	uint64_t utc_ns;	/* "t" */
	uint64_t boot_ns;	/* "bt" */
	const char *boot;	/* boot id, 36 characters */
	const char *src;	/* bpf, fanotify, mountinfo, proc_connector, uevent, rtnetlink, nftables, audit, scan, agent, tpm, order */
	bool has_kernel;	/* ksess, cpu, kseq are there */
	uint64_t ksess;		/* as 16 hex digits */
	uint32_t cpu;
	uint64_t kseq;
	enum plumb_type type;
	const char *type_name;	/* as found in the line, also of unknown types */
	/* measurement */
	const char *scope;	/* "host", "image:<digest>", "container:<id>" */
	const char *key;	/* "exec:/usr/bin/true", "file:/etc/passwd", … */
	const char *found;	/* canonical value (claims.h) */
	const char *op;		/* file: write create delete moved_from moved_to attr rescan; mount: mount umount; module: load unload; else NULL */
	const char *other;	/* moves: the other path; NULL */
	const char *before;	/* file: value before, when known; NULL */
	const char *diff;	/* file: lines that are other than before, or "none: <why>"; NULL: not wanted */
	const char *hash_src;	/* ima verity user none; NULL where nothing is hashed */
	const char *name;	/* exec: what execve was given, when other than the path; NULL */
	const char *layer;	/* of a file on an overlay: image, upper (written since), unknown; else NULL */
	uint32_t times;		/* surface: so often since the last such line, this time included; not written up to 1 */
	enum plumb_judgement judgement;	/* 0: none in the line */
	const char *expected;	/* only with drift */
	uint32_t judge_version;
	uint64_t baseline_version;
	bool has_actor;
	struct line_actor actor;
	uint32_t left_out;	/* enum line_part: what there was and had no room */
	const void *args;	/* exec: struct plumb_args as the kernel gave them; never written as they are. NULL: see args_missing */
	bool args_missing;	/* they were wanted and are not there */
	/* record; or more members of a measurement */
	const char *body;
};

/* The list in a line's actor, with its brackets: for who writes many lines of processes that have the same parent. Appends. */
int line_ancestors(const struct line_ancestor *list, uint32_t n, struct buf *ret);
/* Appends the line. -EMSGSIZE: over LINE_MAX_SIZE; -EINVAL: a field that must be there is not. */
int line_write(const struct line *l, struct buf *ret);
/*
 * The same, but a measurement whose names leave no room for all of it goes without what no judgement asks for, and its left_out says so:
 * who runs a program chooses its name and that of its ancestors, and must not be able to choose that there is no line.
 */
int line_write_fitting(const struct line *l, struct buf *ret);

/*
 * Parses a foreign line. Strings in *ret are borrowed from *ret_json, which the caller frees (json_decref). Unknown types are
 * accepted (type UNKNOWN, type_name says which), unknown keys are ignored; a broken envelope is refused.
 */
int line_parse(const void *data, size_t size, json_t **ret_json, struct line *ret, struct why *ret_why);

#endif
