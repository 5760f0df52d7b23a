/* SPDX-License-Identifier: Apache-2.0 */
#include "scan_claims.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "claims.h"
#include "cleanup.h"
#include "log.h"

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

struct claim {
	char *key, *value;
	bool seen; /* in this scan; only modules can go */
};

struct scan_claims {
	struct scan_claims_options o;
	struct measure_sink sink;
	char **sysctls;
	uint32_t n_sysctls;
	char *proc, *sys;
	struct event *timer;
	struct claim claims[SCAN_CLAIMS_MAX];
	uint32_t n;
};

static void tell(struct scan_claims *s, const char *key, const char *value)
{
	struct line l = {
		.utc_ns = clock_utc_ns(s->o.clock),
		.boot_ns = clock_boot_ns(s->o.clock),
		.src = "scan",
		.type = PLUMB_TYPE_CLAIM,
		.scope = "host",
		.key = key,
		.found = value,
	};

	s->sink.measurement(s->sink.ctx, &l);
}

int scan_claims_put(struct scan_claims *s, const char *key, const char *value)
{
	struct claim *c = NULL;
	char *copy;

	for (uint32_t i = 0; i < s->n && !c; i++) {
		if (strcmp(s->claims[i].key, key) == 0)
			c = &s->claims[i];
	}
	if (c) {
		c->seen = true;
		if (strcmp(c->value, value) == 0)
			return 0;
	} else if (s->n == SCAN_CLAIMS_MAX) {
		s->sink.lost(s->sink.ctx, "scan", 1, "a claim: too many of them");
		return -ENOSPC;
	}
	copy = strdup(value);
	if (!copy)
		return -ENOMEM;
	if (!c) {
		c = &s->claims[s->n];
		*c = (struct claim){.key = strdup(key), .seen = true};
		if (!c->key) {
			free(copy);
			return -ENOMEM;
		}
		s->n++;
	}
	free(c->value);
	c->value = copy;
	tell(s, key, value);
	return 1;
}

/* A value from text of the kernel, or "unknown <why>" when it could not be read: that is told as well. */
static int put_text(struct scan_claims *s, const char *key, int error, const struct buf *text)
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
	return r < 0 ? r : scan_claims_put(s, key, value.data ? (const char *)value.data : "");
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

static int put_file(struct scan_claims *s, const char *key, const char *top, const char *name)
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
static int put_lockdown(struct scan_claims *s)
{
	CLEANUP(buf_done) struct buf text = {0};
	char path[PATH_MAX], *open, *close;
	int r;

	snprintf(path, sizeof(path), "%s/kernel/security/lockdown", s->sys);
	r = read_text(path, TEXT_MAX, &text);
	if (r < 0)
		return put_text(s, "boot:lockdown", r, &text);
	open = text.data ? strchr((char *)text.data, '[') : NULL;
	close = open ? strchr(open, ']') : NULL;
	if (!close)
		return put_text(s, "boot:lockdown", -EBADMSG, &text);
	*close = '\0';
	return scan_claims_put(s, "boot:lockdown", open + 1);
}

static int put_sysctls(struct scan_claims *s)
{
	int told = 0;

	for (uint32_t i = 0; i < s->n_sysctls; i++) {
		char name[256], key[300];
		int r;

		snprintf(key, sizeof(key), "sysctl:%s", s->sysctls[i]);
		snprintf(name, sizeof(name), "sys/%s", s->sysctls[i]);
		for (char *at = name; *at; at++) {
			if (*at == '.')
				*at = '/';
		}
		r = put_file(s, key, s->proc, name);
		if (r < 0)
			return r;
		told += r;
	}
	return told;
}

static int put_module(struct scan_claims *s, const char *name)
{
	CLEANUP(buf_done) struct buf text = {0}, srcversion = {0};
	char path[PATH_MAX], key[NAME_MAX_MODULE + 16];

	snprintf(key, sizeof(key), "module:%s", name);
	snprintf(path, sizeof(path), "%s/module/%s/srcversion", s->sys, name);
	if (read_text(path, 256, &text) < 0 || text.size == 0 ||
	    claims_text_value((const char *)text.data, text.size, &srcversion) < 0 ||
	    buf_status(&srcversion) < 0 || srcversion.size == 0)
		return scan_claims_put(s, key, "loaded");
	buf_clear(&text);
	buf_printf(&text, "loaded srcversion=%s", (const char *)srcversion.data);
	return buf_status(&text) < 0 ? -ENOMEM : scan_claims_put(s, key, (const char *)text.data);
}

static int put_gone_modules(struct scan_claims *s)
{
	int told = 0;

	for (uint32_t i = 0; i < s->n; i++) {
		if (strncmp(s->claims[i].key, "module:", 7) == 0 && !s->claims[i].seen)
			told += scan_claims_put(s, s->claims[i].key, "absent") > 0;
	}
	return told;
}

static int put_modules(struct scan_claims *s)
{
	CLEANUP(buf_done) struct buf text = {0};
	char path[PATH_MAX];
	int r, told = 0;

	snprintf(path, sizeof(path), "%s/modules", s->proc);
	r = read_text(path, CPUINFO_MAX, &text);
	if (r == -ENOENT) /* a kernel without modules: there are none */
		return scan_claims_put(s, "boot:modules", "none");
	if (r < 0)
		return put_text(s, "boot:modules", r, &text);
	for (uint32_t i = 0; i < s->n; i++)
		s->claims[i].seen = false;
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
	return told + put_gone_modules(s);
}

static int compare_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The different revisions of all CPUs, sorted: one late or unpatched core is seen. */
static int put_microcode(struct scan_claims *s)
{
	CLEANUP(buf_done) struct buf text = {0}, value = {0};
	char path[PATH_MAX], *found[64];
	uint32_t n = 0;
	int r;

	snprintf(path, sizeof(path), "%s/cpuinfo", s->proc);
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
	return buf_status(&value) < 0
		       ? -ENOMEM
		       : scan_claims_put(s, "cpu:microcode", (const char *)value.data);
}

int scan_claims_now(struct scan_claims *s)
{
	int told = 0, first = 0;
	const int results[] = {
		put_file(s, "boot:id", s->proc, "sys/kernel/random/boot_id"),
		put_file(s, "boot:cmdline", s->proc, "cmdline"),
		put_file(s, "boot:release", s->proc, "sys/kernel/osrelease"),
		put_lockdown(s),
		put_sysctls(s),
		put_modules(s),
		put_microcode(s),
	};

	/* One that fails does not keep the others from being told. */
	for (size_t i = 0; i < ARRAY_SIZE(results); i++) {
		if (results[i] < 0 && first == 0)
			first = results[i];
		told += results[i] > 0 ? results[i] : 0;
	}
	return first < 0 ? first : told;
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct scan_claims *s = ctx;
	int r = scan_claims_now(s);

	(void)fd;
	(void)what;
	if (r < 0) {
		log_error("scan=claims error=%s next=\"told as lost, tried again\"",
			  strerrorname_np(-r));
		s->sink.lost(s->sink.ctx, "scan", 1, "a scan of claims was not complete");
	}
}

static bool plain_name(const char *name)
{
	for (const char *at = name; *at; at++) {
		if (!isalnum((unsigned char)*at) && !strchr("._-/", *at))
			return false;
	}
	return name[0] && name[0] != '/' && !strstr(name, "..") && strlen(name) < 200;
}

static int take_options(struct scan_claims *s, const struct scan_claims_options *o,
			struct why *ret_why)
{
	const char *const *names = o->sysctls ? o->sysctls : default_sysctls;
	uint32_t n = o->sysctls ? o->n_sysctls : ARRAY_SIZE(default_sysctls);

	s->o = *o;
	s->proc = strdup(o->proc ? o->proc : "/proc");
	s->sys = strdup(o->sys ? o->sys : "/sys");
	s->sysctls = calloc(n + 1, sizeof(*s->sysctls));
	if (!s->proc || !s->sys || !s->sysctls)
		return -ENOMEM;
	for (; s->n_sysctls < n; s->n_sysctls++) {
		const char *name = names[s->n_sysctls];

		if (!plain_name(name))
			return why_set(ret_why, -EINVAL, "sysctl \"%s\": not a name", name);
		s->sysctls[s->n_sysctls] = strdup(name);
		if (!s->sysctls[s->n_sysctls])
			return -ENOMEM;
	}
	return 0;
}

int scan_claims_open(struct event_base *base, const struct scan_claims_options *o,
		     const struct measure_sink *sink, struct scan_claims **ret, struct why *ret_why)
{
	uint32_t every = o->interval_ms ? o->interval_ms : 60000;
	struct timeval tv = {.tv_sec = every / 1000, .tv_usec = every % 1000 * 1000};
	struct scan_claims *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->sink = *sink;
	r = take_options(s, o, ret_why);
	if (r < 0)
		goto fail;
	r = scan_claims_now(s);
	if (r < 0) {
		why_set(ret_why, r, "first scan of claims: %s", strerror(-r));
		goto fail;
	}
	s->timer = event_new(base, -1, EV_PERSIST, on_timer, s);
	if (!s->timer || event_add(s->timer, &tv) < 0) {
		r = -ENOMEM;
		goto fail;
	}
	*ret = s;
	return 0;
fail:
	scan_claims_free(s);
	return r;
}

struct scan_claims *scan_claims_free(struct scan_claims *s)
{
	if (!s)
		return NULL;
	if (s->timer)
		event_free(s->timer);
	for (uint32_t i = 0; i < s->n; i++) {
		free(s->claims[i].key);
		free(s->claims[i].value);
	}
	for (uint32_t i = 0; i < s->n_sysctls; i++)
		free(s->sysctls[i]);
	free(s->sysctls);
	free(s->proc);
	free(s->sys);
	free(s);
	return NULL;
}

int scan_claims_sensor(struct scan_claims *s, const char *name, bool attached,
		       const char *absent_why)
{
	char key[128], value[320];

	snprintf(key, sizeof(key), "sensor:%s", name);
	if (attached)
		snprintf(value, sizeof(value), "attached");
	else
		snprintf(value, sizeof(value), "absent %s", absent_why ? absent_why : "unknown");
	return scan_claims_put(s, key, value);
}

int scan_claims_bpf(struct scan_claims *s, const struct sensor_bpf *bpf, const char *absent_why)
{
	const struct loader *l = bpf ? sensor_bpf_loader(bpf) : NULL;
	int r;

	r = scan_claims_put(s, "sensor:tier", l ? loader_tier(l) : "none");
	if (r < 0 || !l)
		return r < 0 ? r : scan_claims_sensor(s, "bpf", false, absent_why);
	r = scan_claims_sensor(s, "bpf", true, NULL);
	for (uint32_t i = 0; r >= 0 && i < loader_n_programs(l); i++) {
		const struct loader_program *p = loader_program_at(l, i);

		r = scan_claims_sensor(s, p->name, p->attached, p->absent_why);
	}
	return r < 0 ? r : 1;
}
