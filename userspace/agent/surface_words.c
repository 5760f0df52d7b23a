/* SPDX-License-Identifier: Apache-2.0 */
#include "surface_words.h"

#include <ctype.h>
#include <fnmatch.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "claims.h"
#include "cleanup.h"

#define MAGIC_PROC 0x9fa0
#define MAGIC_SYSFS 0x62656572
#define MAGIC_TRACEFS 0x74726163
#define MAGIC_DEBUGFS 0x64626720
#define MAGIC_SECURITYFS 0x73636673
#define MAGIC_SELINUXFS 0xf97cff8c
#define MAGIC_EFIVARFS 0xde5e81e4
#define MAGIC_CGROUP 0x0027e0eb

#define SHUTDOWN 0x8004587d /* FS_IOC_SHUTDOWN, which XFS began */

/* A file system of the kernel's own: which of its files are told, by patterns of fnmatch(3) where * is also "/". */
struct place {
	uint32_t magic;
	const char *what, *pattern;
	bool told;
	enum surface_claims claims;
};

/*
 * The first that holds. Patterns that are not told: what services, runtimes and monitors write every day. One without a * is told by its name
 * however many others there are.
 */
static const struct place places[] = {
	{MAGIC_TRACEFS, "tracefs", "*trace_marker*", false, SURFACE_CLAIMS_NONE},
	{MAGIC_TRACEFS, "tracefs", "*", true, SURFACE_CLAIMS_TRACING},
	{MAGIC_DEBUGFS, "debugfs", "kprobes/*", true, SURFACE_CLAIMS_TRACING},
	{MAGIC_DEBUGFS, "debugfs", "*", true, SURFACE_CLAIMS_NONE},
	{MAGIC_SECURITYFS, "securityfs", "lockdown", true, SURFACE_CLAIMS_SECURITY},
	{MAGIC_SECURITYFS, "securityfs", "*", true, SURFACE_CLAIMS_SECURITY},
	{MAGIC_EFIVARFS, "efivars", "*", true, SURFACE_CLAIMS_NONE},
	{MAGIC_CGROUP, "cgroup", "release_agent", true, SURFACE_CLAIMS_NONE},
	{MAGIC_CGROUP, "cgroup", "*/release_agent", true, SURFACE_CLAIMS_NONE},
	{MAGIC_SELINUXFS, "selinux", "enforce", true, SURFACE_CLAIMS_NONE},
	{MAGIC_SELINUXFS, "selinux", "disable", true, SURFACE_CLAIMS_NONE},
	{MAGIC_SELINUXFS, "selinux", "load", true, SURFACE_CLAIMS_NONE},
	{MAGIC_SELINUXFS, "selinux", "checkreqprot", true, SURFACE_CLAIMS_NONE},
	{MAGIC_SELINUXFS, "selinux", "booleans/*", true, SURFACE_CLAIMS_NONE},
	{MAGIC_SELINUXFS, "selinux", "commit_pending_bools", true, SURFACE_CLAIMS_NONE},
	{MAGIC_SYSFS, "sysfs", "kernel/uevent_helper", true, SURFACE_CLAIMS_NONE},
	{MAGIC_SYSFS, "sysfs", "kernel/livepatch/*", true, SURFACE_CLAIMS_LIVEPATCH},
	{MAGIC_SYSFS, "sysfs", "kernel/kexec*", true, SURFACE_CLAIMS_NONE},
	{MAGIC_SYSFS, "sysfs", "module/*/parameters/*", true, SURFACE_CLAIMS_NONE},
	{MAGIC_SYSFS, "sysfs", "devices/system/cpu/microcode/reload", true, SURFACE_CLAIMS_NONE},
	{MAGIC_SYSFS, "sysfs", "devices/system/cpu/smt/control", true, SURFACE_CLAIMS_NONE},
	{MAGIC_SYSFS, "sysfs", "firmware/*", true, SURFACE_CLAIMS_NONE},
	{MAGIC_PROC, "proc", "irq/*", false, SURFACE_CLAIMS_NONE},
	{MAGIC_PROC, "proc", "pressure/*", false, SURFACE_CLAIMS_NONE},
	{MAGIC_PROC, "proc", "sysrq-trigger", true, SURFACE_CLAIMS_NONE},
	{MAGIC_PROC, "proc", "*", true, SURFACE_CLAIMS_NONE},
};

/* "a/b/c", from the root of its file system; what lies deeper than a record tells begins with "...". */
static void join(const struct plumb_event_surface *e, char *ret, size_t room)
{
	size_t n = 0;

	ret[0] = '\0';
	if (e->names[PLUMB_SURFACE_NAMES - 1][0])
		n += (size_t)snprintf(ret, room, ".../");
	for (int i = PLUMB_SURFACE_NAMES - 1; i >= 0; i--)
		if (e->names[i][0] && n < room)
			n += (size_t)snprintf(ret + n, room - n, "%s%s", e->names[i], i ? "/" : "");
}

/* As the claims of sysctls are written. Longer than there is room for: the digest, as there, or cut. */
static void as_value(const char *text, char ret[SURFACE_WORDS_VALUE])
{
	CLEANUP(buf_done) struct buf value = {0};

	ret[0] = '\0';
	if (claims_text_value(text, strlen(text), &value) >= 0 && buf_status(&value) == 0 &&
	    value.data)
		snprintf(ret, SURFACE_WORDS_VALUE, "%.159s", (const char *)value.data);
}

static bool begins(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool ends(const char *text, const char *suffix)
{
	size_t n = strlen(text), m = strlen(suffix);

	return n >= m && strcmp(text + n - m, suffix) == 0;
}

/* Whose value is the writer's namespace's and not the node's. */
static bool is_elsewhere(const struct plumb_event_surface *e, const struct surface_facts *f,
			 const char *name)
{
	if (begins(name, "net/"))
		return e->net_ns != f->net_ns;
	if (strcmp(name, "kernel/hostname") == 0 || strcmp(name, "kernel/domainname") == 0)
		return e->uts_ns != f->uts_ns;
	if (begins(name, "kernel/shm") || begins(name, "kernel/msg") ||
	    begins(name, "kernel/sem") || begins(name, "fs/mqueue/"))
		return e->ipc_ns != f->ipc_ns;
	return false;
}

/* net/ipv4/conf/veth12ab/forwarding → net/ipv4/conf/ * /forwarding: interfaces come and go with pods. */
static void fold_interface(char *name, size_t room)
{
	static const char *const above[] = {"net/ipv4/conf/", "net/ipv6/conf/", "net/ipv4/neigh/",
					    "net/ipv6/neigh/", "net/mpls/conf/"};
	char rest[256];

	for (size_t i = 0; i < ARRAY_SIZE(above); i++) {
		size_t n = strlen(above[i]);
		char *end = begins(name, above[i]) ? strchr(name + n, '/') : NULL;

		if (!end || begins(name + n, "all/") || begins(name + n, "default/"))
			continue;
		snprintf(rest, sizeof(rest), "%.255s", end);
		snprintf(name + n, room - n, "*%s", rest);
	}
}

static void dots(char *name)
{
	for (; *name; name++)
		if (*name == '/')
			*name = '.';
}

static bool sysctl(const struct plumb_event_surface *e, const struct surface_facts *f,
		   const char *name, bool exact, struct surface_words *w)
{
	bool elsewhere = is_elsewhere(e, f, name);

	snprintf(w->what, sizeof(w->what), elsewhere ? "sysctl-elsewhere" : "sysctl");
	snprintf(w->object, sizeof(w->object), "%.255s", name);
	if (!elsewhere) {
		snprintf(w->sysctl, sizeof(w->sysctl), "%.255s", name);
		dots(w->sysctl);
		w->claims = SURFACE_CLAIMS_SYSCTL;
	}
	fold_interface(w->object, sizeof(w->object));
	dots(w->object);
	if (!exact) {
		snprintf(w->found, sizeof(w->found), "opened for writing");
		return true;
	}
	as_value(e->before, w->before);
	as_value(e->after, w->found);
	if (strcmp(w->before, w->found) == 0)
		return false;
	if (ends(name, "_key") || ends(name, "_secret")) {
		w->before[0] = '\0';
		snprintf(w->found, sizeof(w->found), "another");
	}
	return true;
}

/* /proc/PID/mem, /proc/PID/task/TID/mem. Its number is of the writer's own pid namespace, most of the time. */
static bool memory(const struct plumb_event_surface *e, const struct surface_facts *f,
		   const char *path, struct surface_words *w)
{
	snprintf(w->what, sizeof(w->what), "memory");
	snprintf(w->found, sizeof(w->found), "opened for writing");
	if (e->task.pid_ns == f->pid_ns)
		w->target_pid = (uint32_t)strtoul(path, NULL, 10);
	if (w->target_pid == 0)
		snprintf(w->object, sizeof(w->object), "a process of another namespace");
	return true;
}

static bool opened(const struct plumb_event_surface *e, const struct surface_facts *f,
		   struct surface_words *w)
{
	char path[PLUMB_SURFACE_NAMES * PLUMB_SURFACE_NAME + 8];

	join(e, path, sizeof(path));
	if (e->fs_magic == MAGIC_PROC && begins(path, "sys/"))
		return !f->sysctl_exact && sysctl(e, f, path + 4, false, w);
	if (e->fs_magic == MAGIC_PROC && isdigit((unsigned char)path[0]))
		return memory(e, f, path, w);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		const struct place *p = &places[i];

		if (p->magic != e->fs_magic || fnmatch(p->pattern, path, 0) != 0)
			continue;
		snprintf(w->what, sizeof(w->what), "%s", p->what);
		snprintf(w->object, sizeof(w->object), "%s", path[0] ? path : "?");
		snprintf(w->found, sizeof(w->found), "opened for writing");
		w->claims = p->claims;
		w->is_fixed = !strchr(p->pattern, '*');
		return p->told;
	}
	return false;
}

static bool lockdown(const struct plumb_event_surface *e, struct surface_words *w)
{
	static const char *const names[] = {
		[PLUMB_REASON_DEV_MEM] = "dev-mem",
		[PLUMB_REASON_KCORE] = "kcore",
		[PLUMB_REASON_IOPORT] = "ioport",
		[PLUMB_REASON_MSR] = "msr",
		[PLUMB_REASON_KPROBES] = "kprobes",
		[PLUMB_REASON_PCI] = "pci",
		[PLUMB_REASON_ACPI_TABLES] = "acpi-tables",
		[PLUMB_REASON_MODULE_SIGNATURE] = "unsigned-module",
		[PLUMB_REASON_MODULE_PARAMETERS] = "module-parameters",
		[PLUMB_REASON_KEXEC] = "kexec",
		[PLUMB_REASON_MMIOTRACE] = "mmiotrace",
		[PLUMB_REASON_BPF_WRITE_USER] = "bpf-write-user",
		[PLUMB_REASON_EFI_TEST] = "efi-test",
	};

	snprintf(w->what, sizeof(w->what), "lockdown");
	w->is_fixed = e->number > 0 && e->number < ARRAY_SIZE(names);
	if (w->is_fixed)
		snprintf(w->object, sizeof(w->object), "%s", names[e->number]);
	else
		snprintf(w->object, sizeof(w->object), "reason-%llu", (unsigned long long)e->other);
	snprintf(w->found, sizeof(w->found), "asked for");
	if (e->number == PLUMB_REASON_KPROBES)
		w->claims = SURFACE_CLAIMS_TRACING;
	return true;
}

static bool perf(const struct plumb_event_surface *e, const struct surface_facts *f,
		 struct surface_words *w)
{
	bool kprobe = f->kprobe_type && e->number == f->kprobe_type;

	if (!kprobe && (!f->uprobe_type || e->number != f->uprobe_type))
		return false;
	snprintf(w->what, sizeof(w->what), "perf");
	snprintf(w->object, sizeof(w->object), "%s:%.300s", kprobe ? "kprobe" : "uprobe",
		 e->text[0] ? e->text : "?");
	snprintf(w->found, sizeof(w->found), "opened");
	w->claims = SURFACE_CLAIMS_TRACING;
	return true;
}

static bool plain(struct surface_words *w, const char *what, const char *object, const char *found)
{
	snprintf(w->what, sizeof(w->what), "%s", what);
	snprintf(w->object, sizeof(w->object), "%.300s", object);
	snprintf(w->found, sizeof(w->found), "%s", found);
	return true;
}

static bool command(const struct plumb_event_surface *e, struct surface_words *w)
{
	switch (e->other) {
	case FIFREEZE:
		return plain(w, "filesystem", "", "frozen");
	case FITHAW:
		return plain(w, "filesystem", "", "thawed");
	case SHUTDOWN:
		return plain(w, "filesystem", "", "shut down");
	default:
		return plain(w, "block", "", "commands of its own");
	}
}

bool surface_words(const struct plumb_event_surface *e, const struct surface_facts *f,
		   struct surface_words *ret)
{
	*ret = (struct surface_words){.what = ""};
	switch (e->what) {
	case PLUMB_SURFACE_LOCKDOWN:
		return lockdown(e, ret);
	case PLUMB_SURFACE_OPEN:
		return opened(e, f, ret);
	case PLUMB_SURFACE_BLOCK:
		return plain(ret, "block", "", "opened for writing");
	case PLUMB_SURFACE_COMMAND:
		return command(e, ret);
	case PLUMB_SURFACE_SYSCTL:
		return sysctl(e, f, e->text[0] ? e->text : "?", true, ret);
	case PLUMB_SURFACE_PERF:
		return perf(e, f, ret);
	case PLUMB_SURFACE_REQUEST:
		return plain(ret, "module-request", e->text[0] ? e->text : "?", "asked for");
	case PLUMB_SURFACE_USERNS:
		return plain(ret, "userns", "new", "made");
	case PLUMB_SURFACE_PTRACE:
		ret->target_pid = e->target_pid;
		return plain(ret, "ptrace", "", "may be attached");
	case PLUMB_SURFACE_TRACEME:
		return plain(ret, "ptrace", "a child", "traced from its start");
	case PLUMB_SURFACE_CLOCK:
		return plain(ret, "clock", "set", "set");
	default:
		return false;
	}
}
