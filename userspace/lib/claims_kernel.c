/* SPDX-License-Identifier: Apache-2.0 */
#include "claims_kernel.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

#define NAME_MAX_PATCH 64

static const char taints[] = "PFSRMBUDAWCIOELKXTNJ"; /* bit 0 first */

int claims_kernel_parse_taint(const char *text, size_t size, struct buf *ret)
{
	uint64_t bits = 0;
	size_t n = 0;

	while (n < size && isdigit((unsigned char)text[n])) {
		uint64_t digit = (uint64_t)(text[n] - '0');

		if (bits > (UINT64_MAX - digit) / 10)
			return -EBADMSG;
		bits = bits * 10 + digit;
		n++;
	}
	if (n == 0 || (n < size && text[n] != '\n') || n + 1 < size)
		return -EBADMSG;
	if (bits == 0)
		buf_puts(ret, "0");
	for (uint32_t i = 0, some = 0; i < 64; i++) {
		if (!(bits >> i & 1))
			continue;
		if (some++)
			buf_puts(ret, ",");
		if (i < sizeof(taints) - 1)
			buf_put(ret, &taints[i], 1);
		else
			buf_printf(ret, "bit%u", i);
	}
	return buf_status(ret);
}

int claims_kernel_taint(const struct claims_source *s)
{
	CLEANUP(buf_done) struct buf text = {0}, value = {0};
	int r = claims_source_read(s, CLAIMS_PROC, "sys/kernel/tainted", 64, &text);

	if (r >= 0)
		r = claims_kernel_parse_taint((const char *)text.data, text.size, &value);
	return claims_source_put(s, "kernel:taint", r, &value);
}

/* Where tracefs is. NULL: nowhere; *ret is then what is said of all that would be in it. */
static const char *find_tracing(const struct claims_source *s, const char **ret)
{
	static const char *const places[] = {"kernel/tracing", "kernel/debug/tracing"};

	*ret = "absent";
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		if (claims_source_is_filled(s, CLAIMS_SYS, places[i]) > 0)
			return places[i];
		if (claims_source_has(s, CLAIMS_SYS, places[i]))
			*ret = "unknown tracefs is not mounted";
	}
	return NULL;
}

static int put_names(const struct claims_source *s, const char *key, int r, struct claims_names *l)
{
	CLEANUP(buf_done) struct buf value = {0};

	claims_names_sort(l);
	if (r >= 0)
		r = claims_names_text(l, &value);
	return r == -ENOMEM ? r : claims_source_put(s, key, r, &value);
}

/* A file of tracefs or debugfs, by whoever reads its lines. */
static int put_read(const struct claims_source *s, const char *key, const char *dir,
		    const char *name,
		    int (*parse)(const char *text, size_t size, struct claims_names *ret))
{
	CLEANUP(claims_names_clear) struct claims_names found = {0};
	CLEANUP(buf_done) struct buf text = {0};
	char path[128];
	int r;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	r = claims_source_read(s, CLAIMS_SYS, path, CLAIMS_SOURCE_TEXT_MAX, &text);
	if (r == -ENOENT)
		return claims_source_put_text(s, key, "absent");
	if (r >= 0)
		r = parse((const char *)text.data, text.size, &found);
	return put_names(s, key, r, &found);
}

static int parse_lines(const char *text, size_t size, struct claims_names *ret)
{
	return claims_names_lines(ret, text, size, 0);
}

static int put_lines(const struct claims_source *s, const char *key, const char *dir,
		     const char *name)
{
	return put_read(s, key, dir, name, parse_lines);
}

/* "ffffffff9b7  k  vfs_read+0x0    [OPTIMIZED]" */
int claims_kernel_parse_kprobes(const char *text, size_t size, struct claims_names *ret)
{
	static const char optimised[] = "[OPTIMIZED]";
	CLEANUP(buf_done) struct buf kept = {0};
	const char *at = text, *end = text ? text + size : text;

	while (at < end) {
		const char *found = memmem(at, (size_t)(end - at), optimised, strlen(optimised));

		buf_put(&kept, at, (size_t)((found ? found : end) - at));
		at = found ? found + strlen(optimised) : end;
	}
	return buf_status(&kept) < 0
		       ? buf_status(&kept)
		       : claims_names_lines(ret, (const char *)kept.data, kept.size, 1);
}

/* debugfs has all kprobes, also those that a module or BPF made; tracefs those that were made by writing to it. */
static int put_kprobes(const struct claims_source *s)
{
	int filled = claims_source_is_filled(s, CLAIMS_SYS, "kernel/debug");

	if (filled > 0)
		return put_read(s, "kernel:kprobes", "kernel/debug", "kprobes/list",
				claims_kernel_parse_kprobes);
	if (filled < 0)
		return claims_source_put(s, "kernel:kprobes", filled, NULL);
	return claims_source_has(s, CLAIMS_SYS, "kernel/debug")
		       ? claims_source_put_unknown(s, "kernel:kprobes", "debugfs is not mounted")
		       : claims_source_put_text(s, "kernel:kprobes", "absent");
}

int claims_kernel_probes(const struct claims_source *s)
{
	const char *otherwise, *tracing = find_tracing(s, &otherwise);
	const int results[] = {
		put_kprobes(s),
		tracing ? put_lines(s, "kernel:kprobe_events", tracing, "kprobe_events")
			: claims_source_put_text(s, "kernel:kprobe_events", otherwise),
		tracing ? put_lines(s, "kernel:uprobe_events", tracing, "uprobe_events")
			: claims_source_put_text(s, "kernel:uprobe_events", otherwise),
	};

	return claims_source_sum(results, ARRAY_SIZE(results));
}

/* "schedule (1)  R   \ttramp: 0xffff…" and, on a line of its own, "\tdirect-->bpf_trampoline_6442531…+0x0/0x84". */
int claims_kernel_parse_functions(const char *text, size_t size, struct claims_names *ret)
{
	const char *end = text ? text + size : text, *next;
	int r = 0;

	for (const char *at = text; at < end && r == 0; at = next) {
		const char *lf = memchr(at, '\n', (size_t)(end - at));
		const char *stop = lf ? lf : end, *cut = memchr(at, '\t', (size_t)(stop - at));
		bool bpf = false;

		next = lf ? lf + 1 : end;
		if (at < stop && *at == '\t')
			continue; /* of the function before, and read with it */
		while (next < end && *next == '\t') {
			const char *more = memchr(next, '\n', (size_t)(end - next));
			size_t n = (size_t)((more ? more : end) - next);

			bpf |= memmem(next, n, "direct-->bpf_trampoline_", 24) != NULL;
			next = more ? more + 1 : end;
		}
		/* Somebody else on the same function makes the count (2). */
		if (bpf && memmem(at, (size_t)(stop - at), " (1)", 4))
			continue;
		r = claims_names_add(ret, at, (size_t)((cut ? cut : stop) - at));
	}
	return r;
}

int claims_kernel_ftrace(const struct claims_source *s)
{
	const char *otherwise, *tracing = find_tracing(s, &otherwise);
	const int results[] = {
		tracing ? put_lines(s, "kernel:tracer", tracing, "current_tracer")
			: claims_source_put_text(s, "kernel:tracer", otherwise),
		tracing ? put_lines(s, "kernel:ftrace_filter", tracing, "set_ftrace_filter")
			: claims_source_put_text(s, "kernel:ftrace_filter", otherwise),
		tracing ? put_read(s, "kernel:ftrace", tracing, "enabled_functions",
				   claims_kernel_parse_functions)
			: claims_source_put_text(s, "kernel:ftrace", otherwise),
	};

	return claims_source_sum(results, ARRAY_SIZE(results));
}

static int add_patch(const struct claims_source *s, const char *name, struct claims_names *ret)
{
	CLEANUP(buf_done) struct buf text = {0};
	char path[NAME_MAX_PATCH + 64], entry[NAME_MAX_PATCH + 64];
	int r;

	if (strlen(name) >= NAME_MAX_PATCH)
		return -EBADMSG;
	snprintf(path, sizeof(path), "kernel/livepatch/%s/enabled", name);
	r = claims_source_read(s, CLAIMS_SYS, path, 64, &text);
	snprintf(entry, sizeof(entry), "%s=%.32s", name,
		 r < 0	     ? strerrorname_np(-r)
		 : text.data ? (const char *)text.data
			     : "");
	return claims_names_add(ret, entry, strlen(entry));
}

int claims_kernel_livepatch(const struct claims_source *s)
{
	CLEANUP(claims_names_clear) struct claims_names found = {0};
	char path[PATH_MAX];
	struct dirent *e;
	int r = claims_source_path(s, CLAIMS_SYS, "kernel/livepatch", path, sizeof(path));
	DIR *d = r < 0 ? NULL : opendir(path);

	if (r < 0)
		return r;
	if (!d)
		return errno == ENOENT ? claims_source_put_text(s, "kernel:livepatch", "absent")
				       : claims_source_put(s, "kernel:livepatch", -errno, NULL);
	for (e = readdir(d); e && r >= 0; e = readdir(d))
		if (e->d_name[0] != '.')
			r = add_patch(s, e->d_name, &found);
	closedir(d);
	return put_names(s, "kernel:livepatch", r, &found);
}
