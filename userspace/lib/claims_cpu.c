/* SPDX-License-Identifier: Apache-2.0 */
#include "claims_cpu.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "digest.h"

#define CPUINFO_MAX (16u << 20) /* some 1.5 KiB a CPU */
#define FLAGS_MAX 4096 /* of one CPU */
#define VULNERABILITIES "devices/system/cpu/vulnerabilities"
#define VULNERABILITIES_MAX 256

/* What x86 and arm64 call them. */
static bool is_flags_line(const char *line, size_t size)
{
	return (size > 5 && strncmp(line, "flags", 5) == 0 &&
		(line[5] == '\t' || line[5] == ' ' || line[5] == ':')) ||
	       (size > 8 && strncmp(line, "Features", 8) == 0 &&
		(line[8] == '\t' || line[8] == ' ' || line[8] == ':'));
}

static int add_flags(const char *at, const char *end, struct claims_names *ret)
{
	CLEANUP(claims_names_clear) struct claims_names flags = {0};
	CLEANUP(buf_done) struct buf text = {0};
	char hex[DIGEST_HEX_SIZE], value[DIGEST_HEX_SIZE + 32];
	struct digest d;
	int r = 0;

	while (at < end && r == 0) {
		size_t n = 0;

		while (at + n < end && at[n] != ' ' && at[n] != '\t')
			n++;
		if (flags.n == FLAGS_MAX)
			return -EBADMSG;
		r = claims_names_add(&flags, at, n);
		at += n;
		at += at < end;
	}
	claims_names_sort(&flags);
	if (r == 0)
		r = claims_names_text(&flags, &text);
	if (r == 0)
		r = digest_sha256(text.data, text.size, &d);
	if (r < 0)
		return r;
	digest_hex(&d, hex);
	snprintf(value, sizeof(value), "sha256:%s %u", hex, flags.n);
	return claims_names_add(ret, value, strlen(value));
}

int claims_cpu_parse_flags(const char *text, size_t size, struct claims_names *ret)
{
	const char *at = text, *end = text ? text + size : text, *last = NULL;
	size_t last_size = 0;
	int r = 0;

	for (const char *next; at < end && r == 0; at = next) {
		const char *lf = memchr(at, '\n', (size_t)(end - at));
		const char *stop = lf ? lf : end, *colon;

		next = lf ? lf + 1 : end;
		if (!is_flags_line(at, (size_t)(stop - at)))
			continue;
		colon = memchr(at, ':', (size_t)(stop - at));
		if (!colon)
			return -EBADMSG;
		/* Hundreds of CPUs say the same, one after the other. */
		if (last && last_size == (size_t)(stop - at) && memcmp(last, at, last_size) == 0)
			continue;
		last = at;
		last_size = (size_t)(stop - at);
		r = add_flags(colon + 1, stop, ret);
	}
	claims_names_sort(ret);
	return r;
}

int claims_cpu_flags(const struct claims_source *s)
{
	CLEANUP(claims_names_clear) struct claims_names found = {0};
	CLEANUP(buf_done) struct buf text = {0}, value = {0};
	int r = claims_source_read(s, CLAIMS_PROC, "cpuinfo", CPUINFO_MAX, &text);

	if (r >= 0)
		r = claims_cpu_parse_flags((const char *)text.data, text.size, &found);
	if (r >= 0 && found.n == 0)
		r = -ENODATA;
	if (r >= 0)
		r = claims_names_text(&found, &value);
	return r == -ENOMEM ? r : claims_source_put(s, "cpu:flags", r, &value);
}

static bool is_name(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-");

	return n > 0 && n < 64 && name[n] == '\0';
}

static int put_vulnerabilities(const struct claims_source *s)
{
	char path[PATH_MAX], key[128], name[128];
	int told = 0, r = claims_source_path(s, CLAIMS_SYS, VULNERABILITIES, path, sizeof(path));
	uint32_t n = 0;
	struct dirent *e;
	DIR *d = r < 0 ? NULL : opendir(path);

	if (r < 0)
		return r;
	if (!d)
		return errno == ENOENT ? claims_source_put_text(s, "cpu:vulnerabilities", "absent")
				       : claims_source_put(s, "cpu:vulnerabilities", -errno, NULL);
	for (e = readdir(d); e && r >= 0; e = readdir(d)) {
		if (!is_name(e->d_name) || n++ == VULNERABILITIES_MAX)
			continue;
		snprintf(key, sizeof(key), "cpu:vulnerability:%.64s", e->d_name);
		snprintf(name, sizeof(name), VULNERABILITIES "/%.64s", e->d_name);
		r = claims_source_put_file(s, key, CLAIMS_SYS, name);
		told += r > 0 ? r : 0;
	}
	closedir(d);
	if (r >= 0)
		r = claims_source_put_text(s, "cpu:vulnerabilities", "listed");
	return r < 0 ? r : told + r;
}

static int put_smt(const struct claims_source *s)
{
	static const char name[] = "devices/system/cpu/smt/control";

	/* A kernel that could not turn it off does not have the switch. */
	return claims_source_has(s, CLAIMS_SYS, name)
		       ? claims_source_put_file(s, "cpu:smt", CLAIMS_SYS, name)
		       : claims_source_put_text(s, "cpu:smt", "absent");
}

int claims_cpu_mitigations(const struct claims_source *s)
{
	const int results[] = {put_vulnerabilities(s), put_smt(s)};

	return claims_source_sum(results, ARRAY_SIZE(results));
}
