/* SPDX-License-Identifier: Apache-2.0 */
#include "claims_runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

#define DATABASE_MAX (128ull << 20) /* bytes; a large Debian has 10 MiB */
#define PIECE 65536
#define N_NAMES 4

/* Packages by the names that distributions and makers give them, and programs where those put them. */
static const struct component {
	const char *name;
	const char *packages[N_NAMES], *programs[N_NAMES];
} components[] = {
	{"containerd",
	 {"containerd.io", "containerd"},
	 {"usr/bin/containerd", "usr/local/bin/containerd"}},
	{"crio", {"cri-o", "cri-o-runc"}, {"usr/bin/crio", "usr/local/bin/crio"}},
	{"docker",
	 {"docker-ce", "docker.io", "moby-engine", "docker"},
	 {"usr/bin/dockerd", "usr/sbin/dockerd", "usr/local/bin/dockerd"}},
	{"k3s", {"k3s"}, {"usr/local/bin/k3s", "usr/bin/k3s"}},
	{"kubelet", {"kubelet"}, {"usr/bin/kubelet", "usr/local/bin/kubelet"}},
	{"podman", {"podman"}, {"usr/bin/podman", "usr/local/bin/podman"}},
	/* Docker's containerd brings its own. */
	{"runc",
	 {"runc", "containerd.io"},
	 {"usr/bin/runc", "usr/sbin/runc", "usr/local/sbin/runc", "usr/local/bin/runc"}},
};

static const char *const files[] = {
	"/etc/containerd",
	"/etc/crio",
	"/etc/docker/daemon.json",
	"/etc/containers",
	"/etc/cni/net.d",
	"/etc/kubernetes",
	"/etc/default/kubelet",
	"/etc/sysconfig/kubelet",
	"/etc/systemd/system/kubelet.service",
	"/etc/systemd/system/kubelet.service.d",
	"/usr/lib/systemd/system/kubelet.service",
	"/usr/lib/systemd/system/kubelet.service.d",
	"/etc/systemd/system/containerd.service.d",
	"/etc/systemd/system/docker.service.d",
	"/etc/systemd/system/crio.service.d",
	"/etc/rancher/k3s",
	"/etc/rancher/rke2",
	"/var/lib/kubelet/config.yaml",
	"/var/lib/kubelet/kubeadm-flags.env",
	"/var/lib/rancher/k3s/agent/etc/containerd",
	"/var/lib/rancher/k3s/agent/pod-manifests",
	"/var/lib/rancher/rke2/agent/etc/containerd",
	"/var/lib/rancher/rke2/agent/pod-manifests",
};
_Static_assert(ARRAY_SIZE(files) <= CLAIMS_RUNTIME_MAX_FILES, "the header says how many");

struct claims_runtime {
	struct claims_source s;
	struct claims_runtime_packages packages;
	int fd, error; /* of the database; error -ENOENT: there is none */
	uint64_t n_read;
	char piece[PIECE];
};

static bool is_wanted(const char *package)
{
	for (size_t i = 0; i < ARRAY_SIZE(components); i++)
		for (size_t k = 0; k < N_NAMES && components[i].packages[k]; k++)
			if (strcmp(components[i].packages[k], package) == 0)
				return true;
	return false;
}

static int end_record(struct claims_runtime_packages *p)
{
	char text[sizeof(p->name) + sizeof(p->version) + 2];
	int r = 0;

	if (p->name[0] && p->installed && is_wanted(p->name)) {
		snprintf(text, sizeof(text), "%s %s", p->name, p->version[0] ? p->version : "?");
		r = claims_names_add(&p->found, text, strlen(text));
	}
	p->name[0] = p->version[0] = '\0';
	p->installed = p->apk; /* apk lists no others */
	return r;
}

static bool take_field(const char *line, const char *name, char *ret, size_t room)
{
	size_t n = strlen(name);

	if (strncmp(line, name, n) != 0)
		return false;
	snprintf(ret, room, "%s", line + n);
	return true;
}

static int take_line(struct claims_runtime_packages *p)
{
	char status[64];

	p->line[p->n < sizeof(p->line) ? p->n : sizeof(p->line) - 1] = '\0';
	if (p->n == 0)
		return end_record(p);
	if (p->apk) {
		if (!take_field(p->line, "P:", p->name, sizeof(p->name)))
			take_field(p->line, "V:", p->version, sizeof(p->version));
		p->installed = true;
		return 0;
	}
	if (take_field(p->line, "Status: ", status, sizeof(status)))
		/* What is half installed or waits for a trigger is there as well; "config-files" is not. */
		p->installed =
			!strstr(status, " not-installed") && !strstr(status, " config-files");
	else if (!take_field(p->line, "Package: ", p->name, sizeof(p->name)))
		take_field(p->line, "Version: ", p->version, sizeof(p->version));
	return 0;
}

int claims_runtime_parse_end(struct claims_runtime_packages *p)
{
	int r = p->n > 0 ? take_line(p) : 0;

	p->n = 0;
	return r < 0 ? r : end_record(p);
}

int claims_runtime_parse(struct claims_runtime_packages *p, const char *text, size_t size)
{
	int r = 0;

	for (const char *at = text, *end = text + size; at < end && r >= 0;) {
		const char *lf = memchr(at, '\n', (size_t)(end - at));
		size_t n = (size_t)((lf ? lf : end) - at);
		size_t room = sizeof(p->line) - p->n;

		memcpy(p->line + p->n, at, n < room ? n : room);
		p->n += n < room ? n : room;
		at += n;
		if (lf) {
			r = take_line(p);
			p->n = 0;
			at++;
		}
	}
	return r;
}

static int open_database(struct claims_runtime *c)
{
	static const char *const names[] = {"var/lib/dpkg/status", "lib/apk/db/installed"};
	char path[PATH_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		int r = claims_source_path(&c->s, CLAIMS_ROOT, names[i], path, sizeof(path));

		if (r < 0)
			return r;
		c->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		c->packages.apk = c->packages.installed = i == 1;
		if (c->fd >= 0 || errno != ENOENT)
			return c->fd < 0 ? -errno : 0;
	}
	return -ENOENT;
}

int claims_runtime_open(const struct claims_source *s, struct claims_runtime **ret)
{
	struct claims_runtime *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->s = *s;
	c->fd = -1;
	c->error = open_database(c);
	*ret = c;
	return 0;
}

struct claims_runtime *claims_runtime_free(struct claims_runtime *c)
{
	if (!c)
		return NULL;
	if (c->fd >= 0)
		close(c->fd);
	claims_names_clear(&c->packages.found);
	free(c);
	return NULL;
}

/* Packages in the order of the table: the first that is installed is whose program it is. */
static int add_versions(const struct claims_runtime *c, const struct component *k,
			struct claims_names *ret)
{
	int r = 0;

	for (size_t i = 0; i < N_NAMES && k->packages[i] && ret->n == 0; i++)
		for (uint32_t n = 0; n < c->packages.found.n && r >= 0; n++) {
			const char *found = c->packages.found.names[n];
			size_t size = strlen(k->packages[i]);

			if (strncmp(found, k->packages[i], size) == 0 && found[size] == ' ')
				r = claims_names_add(ret, found, strlen(found));
		}
	return r;
}

static int put_version(const struct claims_runtime *c, const struct component *k)
{
	CLEANUP(claims_names_clear) struct claims_names versions = {0};
	CLEANUP(buf_done) struct buf value = {0};
	char key[64];
	bool there = false;
	int r = add_versions(c, k, &versions);

	snprintf(key, sizeof(key), "runtime:%s.version", k->name);
	for (size_t i = 0; i < N_NAMES && k->programs[i]; i++)
		there |= claims_source_has(&c->s, CLAIMS_ROOT, k->programs[i]);
	if (r < 0)
		return r;
	if (versions.n > 0) {
		r = claims_names_text(&versions, &value);
		return r < 0 ? r : claims_source_put(&c->s, key, 0, &value);
	}
	/* Where the database cannot be read, a package may be there as well. */
	if (c->error < 0 && c->error != -ENOENT)
		return claims_source_put(&c->s, key, c->error, NULL);
	return there ? claims_source_put_unknown(
			       &c->s, key, c->error ? "no package database" : "no package has it")
		     : claims_source_put_text(&c->s, key, "absent");
}

int claims_runtime_step(struct claims_runtime *c, int *ret_put)
{
	ssize_t n = c->fd < 0 ? 0 : read(c->fd, c->piece, sizeof(c->piece));
	int results[ARRAY_SIZE(components)], r = 0;

	if (n < 0 && errno == EINTR)
		return 1;
	c->n_read += n > 0 ? (uint64_t)n : 0;
	if (n < 0 || c->n_read > DATABASE_MAX)
		c->error = n < 0 ? -errno : -EFBIG;
	else if (n > 0)
		r = claims_runtime_parse(&c->packages, c->piece, (size_t)n);
	if (r < 0)
		return r;
	if (n > 0 && c->error == 0)
		return 1;
	r = claims_runtime_parse_end(&c->packages);
	if (r < 0)
		return r;
	claims_names_sort(&c->packages.found);
	for (size_t i = 0; i < ARRAY_SIZE(components); i++)
		results[i] = put_version(c, &components[i]);
	*ret_put = claims_source_sum(results, ARRAY_SIZE(results));
	return 0;
}

int claims_runtime_all(const struct claims_source *s)
{
	struct claims_runtime *c = NULL;
	int put = 0, r = claims_runtime_open(s, &c);

	for (int more = r >= 0; more > 0;) {
		more = claims_runtime_step(c, &put);
		r = more;
	}
	claims_runtime_free(c);
	return r < 0 ? r : put;
}

uint32_t claims_runtime_files(const struct claims_source *s,
			      const char *ret[CLAIMS_RUNTIME_MAX_FILES])
{
	uint32_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (claims_source_has(s, CLAIMS_ROOT, files[i] + 1))
			ret[n++] = files[i];
	return n;
}
