/* SPDX-License-Identifier: Apache-2.0 */
#include "claims_host.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "claims.h"
#include "cleanup.h"

#define CPUINFO_MAX (16u << 20) /* some 1.5 KiB a CPU */
#define NAME_MAX_MODULE 64

/* What an attacker would turn off first, and what decides who may look into the kernel. */
static const char *const default_sysctls[] = {
	"kernel.core_pattern",
	"kernel.dmesg_restrict",
	"kernel.hotplug",
	"kernel.io_uring_disabled",
	"kernel.kexec_load_disabled",
	"kernel.kptr_restrict",
	"kernel.modprobe",
	"kernel.modules_disabled",
	"kernel.perf_event_paranoid",
	"kernel.poweroff_cmd",
	"kernel.randomize_va_space",
	"kernel.sysrq",
	"kernel.unprivileged_bpf_disabled",
	"kernel.unprivileged_userns_clone",
	"kernel.usermodehelper.bset",
	"kernel.usermodehelper.inheritable",
	"kernel.yama.ptrace_scope",
	"dev.tty.ldisc_autoload",
	"fs.protected_fifos",
	"fs.protected_hardlinks",
	"fs.protected_regular",
	"fs.protected_symlinks",
	"fs.suid_dumpable",
	"net.core.bpf_jit_harden",
	"net.ipv4.conf.all.accept_redirects",
	"net.ipv4.conf.all.accept_source_route",
	"net.ipv4.conf.all.rp_filter",
	"net.ipv4.conf.all.send_redirects",
	"net.ipv4.ip_forward",
	"net.ipv4.tcp_syncookies",
	"net.ipv6.conf.all.accept_redirects",
	"user.max_user_namespaces",
	"vm.mmap_min_addr",
	"vm.unprivileged_userfaultfd",
};

/* "none [integrity] confidentiality" → "integrity" */
static int put_lockdown(const struct claims_source *s)
{
	CLEANUP(buf_done) struct buf text = {0};
	char *open, *close;
	int r = claims_source_read(s, CLAIMS_SYS, "kernel/security/lockdown",
				   CLAIMS_SOURCE_TEXT_MAX, &text);

	if (r < 0)
		return claims_source_put(s, "boot:lockdown", r, &text);
	open = text.data ? strchr((char *)text.data, '[') : NULL;
	close = open ? strchr(open, ']') : NULL;
	if (!close)
		return claims_source_put(s, "boot:lockdown", -EBADMSG, &text);
	*close = '\0';
	return s->put(s->ctx, "boot:lockdown", open + 1);
}

int claims_host_sysctl(const struct claims_source *s, const char *sysctl)
{
	char name[256], key[300];

	snprintf(key, sizeof(key), "sysctl:%s", sysctl);
	snprintf(name, sizeof(name), "sys/%s", sysctl);
	for (char *at = name; *at; at++) {
		if (*at == '.')
			*at = '/';
	}
	return claims_source_put_file(s, key, CLAIMS_PROC, name);
}

static const char *const *sysctls_of(const struct claims_source *s, uint32_t *ret_n)
{
	*ret_n = s->sysctls ? s->n_sysctls : ARRAY_SIZE(default_sysctls);
	return s->sysctls ? s->sysctls : default_sysctls;
}

int claims_host_sysctls(const struct claims_source *s)
{
	uint32_t n;
	const char *const *sysctls = sysctls_of(s, &n);
	int told = 0;

	for (uint32_t i = 0; i < n; i++) {
		int r = claims_host_sysctl(s, sysctls[i]);

		if (r < 0)
			return r;
		told += r;
	}
	return told;
}

bool claims_host_has_sysctl(const struct claims_source *s, const char *name)
{
	uint32_t n;
	const char *const *sysctls = sysctls_of(s, &n);

	for (uint32_t i = 0; i < n; i++)
		if (strcmp(sysctls[i], name) == 0)
			return true;
	return false;
}

static int put_module(const struct claims_source *s, const char *name)
{
	CLEANUP(buf_done) struct buf text = {0}, srcversion = {0};
	char path[NAME_MAX_MODULE + 32], key[NAME_MAX_MODULE + 16];

	snprintf(key, sizeof(key), "module:%s", name);
	snprintf(path, sizeof(path), "module/%s/srcversion", name);
	if (claims_source_read(s, CLAIMS_SYS, path, 256, &text) < 0 || text.size == 0 ||
	    claims_text_value((const char *)text.data, text.size, &srcversion) < 0 ||
	    buf_status(&srcversion) < 0 || srcversion.size == 0)
		return s->put(s->ctx, key, "loaded");
	buf_clear(&text);
	buf_printf(&text, "loaded srcversion=%s", (const char *)srcversion.data);
	return buf_status(&text) < 0 ? -ENOMEM : s->put(s->ctx, key, (const char *)text.data);
}

int claims_host_modules(const struct claims_source *s, bool *ret_whole)
{
	CLEANUP(buf_done) struct buf text = {0};
	int told = 0, r = claims_source_read(s, CLAIMS_PROC, "modules", CPUINFO_MAX, &text);

	/* A kernel without modules has neither the list nor the switch; with the switch alone the list is hidden. */
	if (r == -ENOENT && !claims_source_has(s, CLAIMS_PROC, "sys/kernel/modules_disabled")) {
		if (ret_whole)
			*ret_whole = true;
		return s->put(s->ctx, "boot:modules", "none");
	}
	if (r < 0)
		return claims_source_put(s, "boot:modules", r, &text);
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
int claims_host_microcode(const struct claims_source *s)
{
	CLEANUP(buf_done) struct buf text = {0}, value = {0};
	char *found[64];
	uint32_t n = 0;
	int r = claims_source_read(s, CLAIMS_PROC, "cpuinfo", CPUINFO_MAX, &text);

	if (r < 0)
		return claims_source_put(s, "cpu:microcode", r, &text);
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
		return claims_source_put(s, "cpu:microcode", -ENODATA, &text);
	qsort(found, n, sizeof(found[0]), compare_text);
	for (uint32_t i = 0; i < n; i++)
		buf_printf(&value, "%s%s", i ? "," : "", found[i]);
	return buf_status(&value) < 0 ? -ENOMEM
				      : s->put(s->ctx, "cpu:microcode", (const char *)value.data);
}

int claims_host_boot(const struct claims_source *s)
{
	const int results[] = {
		claims_source_put_file(s, "boot:cmdline", CLAIMS_PROC, "cmdline"),
		claims_source_put_file(s, "boot:release", CLAIMS_PROC, "sys/kernel/osrelease"),
		put_lockdown(s),
		claims_source_put_file(s, "boot:lsm", CLAIMS_SYS, "kernel/security/lsm"),
	};

	/* One that fails does not keep the others from being told. */
	return claims_source_sum(results, ARRAY_SIZE(results));
}

int claims_host_boot_id(const struct claims_source *s)
{
	return claims_source_put_file(s, "boot:id", CLAIMS_PROC, "sys/kernel/random/boot_id");
}

bool claims_host_is_sysctl(const char *name)
{
	for (const char *at = name; *at; at++) {
		if (!isalnum((unsigned char)*at) && !strchr("._-/", *at))
			return false;
	}
	return name[0] && name[0] != '/' && !strstr(name, "..") && strlen(name) < 200;
}
