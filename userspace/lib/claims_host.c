/* SPDX-License-Identifier: Apache-2.0 */
#include "claims_host.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "claims.h"
#include "cleanup.h"

#define TEXT_MAX (1u << 20) /* bytes of one file in /proc or /sys */
#define CPUINFO_MAX (16u << 20) /* some 1.5 KiB a CPU */
#define NAME_MAX_MODULE 64

/* What an attacker would turn off first, and what decides who may look into the kernel. */
static const char *const default_sysctls[] = {
	"kernel.core_pattern",
	"kernel.dmesg_restrict",
	"kernel.io_uring_disabled",
	"kernel.kexec_load_disabled",
	"kernel.kptr_restrict",
	"kernel.modprobe",
	"kernel.modules_disabled",
	"kernel.perf_event_paranoid",
	"kernel.randomize_va_space",
	"kernel.sysrq",
	"kernel.unprivileged_bpf_disabled",
	"kernel.yama.ptrace_scope",
	"fs.protected_hardlinks",
	"fs.protected_symlinks",
	"fs.suid_dumpable",
	"net.core.bpf_jit_harden",
	"net.ipv4.ip_forward",
	"vm.mmap_min_addr",
};

static const char *proc_of(const struct claims_host *s)
{
	return s->proc ? s->proc : "/proc";
}

static const char *sys_of(const struct claims_host *s)
{
	return s->sys ? s->sys : "/sys";
}

/* A value from text of the kernel, or "unknown <why>" when it could not be read: that is told as well. */
static int put_text(const struct claims_host *s, const char *key, int error, const struct buf *text)
{
	CLEANUP(buf_done) struct buf value = {0};
	int r;

	if (error < 0)
		r = claims_unknown(strerrorname_np(-error), &value);
	else
		r = claims_text_value(text->data ? (const char *)text->data : "", text->size,
				      &value);
	if (r == 0)
		r = buf_status(&value);
	return r < 0 ? r : s->put(s->ctx, key, value.data ? (const char *)value.data : "");
}

static int read_text(const char *path, size_t max, struct buf *ret)
{
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	uint8_t chunk[8192];
	ssize_t n;

	if (fd < 0)
		return -errno;
	do {
		n = read(fd, chunk, sizeof(chunk));
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			buf_put(ret, chunk, (size_t)n);
	} while (n != 0 && ret->size <= max && buf_status(ret) == 0);
	if (ret->size > max)
		return -EFBIG;
	return buf_status(ret);
}

static int put_file(const struct claims_host *s, const char *key, const char *top, const char *name)
{
	CLEANUP(buf_done) struct buf text = {0};
	char path[PATH_MAX];
	int r;

	if (snprintf(path, sizeof(path), "%s/%s", top, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	r = read_text(path, TEXT_MAX, &text);
	return put_text(s, key, r, &text);
}

/* "none [integrity] confidentiality" → "integrity" */
static int put_lockdown(const struct claims_host *s)
{
	CLEANUP(buf_done) struct buf text = {0};
	char path[PATH_MAX], *open, *close;
	int r;

	snprintf(path, sizeof(path), "%s/kernel/security/lockdown", sys_of(s));
	r = read_text(path, TEXT_MAX, &text);
	if (r < 0)
		return put_text(s, "boot:lockdown", r, &text);
	open = text.data ? strchr((char *)text.data, '[') : NULL;
	close = open ? strchr(open, ']') : NULL;
	if (!close)
		return put_text(s, "boot:lockdown", -EBADMSG, &text);
	*close = '\0';
	return s->put(s->ctx, "boot:lockdown", open + 1);
}

int claims_host_sysctls(const struct claims_host *s)
{
	const char *const *sysctls = s->sysctls ? s->sysctls : default_sysctls;
	uint32_t n_sysctls = s->sysctls ? s->n_sysctls : ARRAY_SIZE(default_sysctls);
	int told = 0;

	for (uint32_t i = 0; i < n_sysctls; i++) {
		char name[256], key[300];
		int r;

		snprintf(key, sizeof(key), "sysctl:%s", sysctls[i]);
		snprintf(name, sizeof(name), "sys/%s", sysctls[i]);
		for (char *at = name; *at; at++) {
			if (*at == '.')
				*at = '/';
		}
		r = put_file(s, key, proc_of(s), name);
		if (r < 0)
			return r;
		told += r;
	}
	return told;
}

static int put_module(const struct claims_host *s, const char *name)
{
	CLEANUP(buf_done) struct buf text = {0}, srcversion = {0};
	char path[PATH_MAX], key[NAME_MAX_MODULE + 16];

	snprintf(key, sizeof(key), "module:%s", name);
	snprintf(path, sizeof(path), "%s/module/%s/srcversion", sys_of(s), name);
	if (read_text(path, 256, &text) < 0 || text.size == 0 ||
	    claims_text_value((const char *)text.data, text.size, &srcversion) < 0 ||
	    buf_status(&srcversion) < 0 || srcversion.size == 0)
		return s->put(s->ctx, key, "loaded");
	buf_clear(&text);
	buf_printf(&text, "loaded srcversion=%s", (const char *)srcversion.data);
	return buf_status(&text) < 0 ? -ENOMEM : s->put(s->ctx, key, (const char *)text.data);
}

int claims_host_modules(const struct claims_host *s, bool *ret_whole)
{
	CLEANUP(buf_done) struct buf text = {0};
	char path[PATH_MAX];
	int r, told = 0;

	snprintf(path, sizeof(path), "%s/modules", proc_of(s));
	r = read_text(path, CPUINFO_MAX, &text);
	/* A kernel without modules has neither the list nor the switch; with the switch alone the list is hidden. */
	snprintf(path, sizeof(path), "%s/sys/kernel/modules_disabled", proc_of(s));
	if (r == -ENOENT && access(path, F_OK) < 0 && errno == ENOENT) {
		if (ret_whole)
			*ret_whole = true;
		return s->put(s->ctx, "boot:modules", "none");
	}
	if (r < 0)
		return put_text(s, "boot:modules", r, &text);
	for (char *line = (char *)text.data, *next; line && *line; line = next) {
		size_t n = strcspn(line, " \n"), end = strcspn(line, "\n");

		next = line + end + (line[end] == '\n');
		line[n] = '\0';
		if (n == 0 || n >= NAME_MAX_MODULE)
			return -EBADMSG;
		r = put_module(s, line);
		if (r < 0)
			return r;
		told += r;
	}
	if (ret_whole)
		*ret_whole = true;
	return told;
}

static int compare_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The different revisions of all CPUs, sorted: one late or unpatched core is seen. */
int claims_host_microcode(const struct claims_host *s)
{
	CLEANUP(buf_done) struct buf text = {0}, value = {0};
	char path[PATH_MAX], *found[64];
	uint32_t n = 0;
	int r;

	snprintf(path, sizeof(path), "%s/cpuinfo", proc_of(s));
	r = read_text(path, CPUINFO_MAX, &text);
	if (r < 0)
		return put_text(s, "cpu:microcode", r, &text);
	for (char *at = text.data ? strstr((char *)text.data, "microcode") : NULL; at;
	     at = strstr(at + 1, "microcode")) {
		char *revision = strstr(at, "0x");
		uint32_t i = 0;

		if (!revision || revision - at > 32)
			continue;
		revision[strcspn(revision, " \n")] = '\0';
		at = revision + strlen(revision);
		while (i < n && strcmp(found[i], revision) != 0)
			i++;
		if (i == n && n < ARRAY_SIZE(found))
			found[n++] = revision;
	}
	if (n == 0)
		return put_text(s, "cpu:microcode", -ENODATA, &text);
	qsort(found, n, sizeof(found[0]), compare_text);
	for (uint32_t i = 0; i < n; i++)
		buf_printf(&value, "%s%s", i ? "," : "", found[i]);
	return buf_status(&value) < 0 ? -ENOMEM
				      : s->put(s->ctx, "cpu:microcode", (const char *)value.data);
}

int claims_host_boot(const struct claims_host *s)
{
	int told = 0;
	const int results[] = {
		put_file(s, "boot:cmdline", proc_of(s), "cmdline"),
		put_file(s, "boot:release", proc_of(s), "sys/kernel/osrelease"),
		put_lockdown(s),
	};

	/* One that fails does not keep the others from being told. */
	for (size_t i = 0; i < ARRAY_SIZE(results); i++) {
		if (results[i] < 0)
			return results[i];
		told += results[i];
	}
	return told;
}

int claims_host_boot_id(const struct claims_host *s)
{
	return put_file(s, "boot:id", proc_of(s), "sys/kernel/random/boot_id");
}

bool claims_host_is_sysctl(const char *name)
{
	for (const char *at = name; *at; at++) {
		if (!isalnum((unsigned char)*at) && !strchr("._-/", *at))
			return false;
	}
	return name[0] && name[0] != '/' && !strstr(name, "..") && strlen(name) < 200;
}
