/* SPDX-License-Identifier: Apache-2.0 */
#include "images.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "containerd_state.h"
#include "jsonl.h"
#include "owned_file.h"

#define ID_SIZE 64
#define SETS 512 /* containers remembered: in each set so many, then the oldest goes */
#define WAYS 4u
#define MAX_FILE (4u << 20)
#define RETRY_NS 10000000000ull /* a runtime may write its file a little later */
#define MAX_TEXT 4096

struct slot {
	char id[ID_SIZE + 1];
	char digest[IMAGES_DIGEST_SIZE]; /* "": not known */
	uint64_t until_ns; /* boot time, when it is asked for again */
};

struct images {
	char *root;
	uint32_t host_mnt_ns;
	const struct clock *clock;
	struct slot slots[SETS][WAYS];
	uint8_t next[SETS]; /* in the set: to be used again, once all are */
};

/*
 * Where the runtimes say it. Docker and containers/storage (CRI-O, Podman) name the image's own id. containerd is asked by its metadata
 * first; the name that a container was asked for by says it when it has a digest in it.
 */
static const struct {
	enum images_kind kind;
	const char *before, *after; /* the id; after NULL: without it */
} files[] = {
	{IMAGES_DOCKER, "var/lib/docker/containers/", "/config.v2.json"},
	{IMAGES_OCI, "run/containers/storage/overlay-containers/", "/userdata/config.json"},
	{IMAGES_OCI, "var/lib/containers/storage/overlay-containers/", "/userdata/config.json"},
	{IMAGES_STORAGE, "var/lib/containers/storage/overlay-containers/containers.json", NULL},
	{IMAGES_STORAGE, "var/lib/containers/storage/overlay-containers/volatile-containers.json",
	 NULL},
	{IMAGES_OCI, "run/containerd/io.containerd.runtime.v2.task/k8s.io/", "/config.json"},
	{IMAGES_OCI, "run/k3s/containerd/io.containerd.runtime.v2.task/k8s.io/", "/config.json"},
};

static bool is_hex(const char *text)
{
	return strspn(text, "0123456789abcdef") == ID_SIZE && text[ID_SIZE] == 0;
}

/* "sha256:<hex>", "<hex>", or a name with "@sha256:<hex>" at its end. */
static int take_digest(const char *text, char ret[IMAGES_DIGEST_SIZE])
{
	const char *at = strrchr(text, '@');

	at = at ? at + 1 : text;
	if (strncmp(at, "sha256:", 7) == 0)
		at += 7;
	else if (at != text)
		return -ENOENT;
	if (!is_hex(at))
		return -ENOENT;
	snprintf(ret, IMAGES_DIGEST_SIZE, "sha256:%s", at);
	return 0;
}

static int from_docker(const json_t *o, const char *id, char ret[IMAGES_DIGEST_SIZE])
{
	const char *text;
	struct why why;
	int r = jsonl_get_str(o, "ID", ID_SIZE, &text, &why);

	if (r < 0 || strcmp(text, id) != 0)
		return -EBADMSG;
	r = jsonl_get_str(o, "Image", MAX_TEXT, &text, &why);
	return r < 0 ? -ENOENT : take_digest(text, ret);
}

static int from_oci(const json_t *o, char ret[IMAGES_DIGEST_SIZE])
{
	static const char *const keys[] = {"io.kubernetes.cri-o.ImageRef",
					   "io.kubernetes.cri.image-name"};
	json_t *annotations;
	const char *text;
	struct why why;

	if (jsonl_get_object(o, "annotations", &annotations, &why) < 0)
		return -ENOENT;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (jsonl_get_str(annotations, keys[i], MAX_TEXT, &text, &why) >= 0)
			return take_digest(text, ret);
	return -ENOENT;
}

static int from_storage(const json_t *o, const char *id, char ret[IMAGES_DIGEST_SIZE])
{
	json_t *list, *item;
	const char *text;
	struct why why;
	size_t i;

	if (jsonl_get_array(o, "a", 65536, &list, &why) < 0)
		return -EBADMSG;
	json_array_foreach (list, i, item)
		if (json_is_object(item) && jsonl_get_str(item, "id", ID_SIZE, &text, &why) >= 0 &&
		    strcmp(text, id) == 0)
			return jsonl_get_str(item, "image", MAX_TEXT, &text, &why) < 0
				       ? -ENOENT
				       : take_digest(text, ret);
	return -ENOENT;
}

int images_parse(enum images_kind kind, const char *id, const void *data, size_t size,
		 char ret[IMAGES_DIGEST_SIZE])
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	CLEANUP(buf_done) struct buf b = {0};
	struct why why;

	if (size > MAX_FILE)
		return -EFBIG;
	/* The reader takes objects; this file is a list. */
	if (kind == IMAGES_STORAGE) {
		buf_puts(&b, "{\"a\":");
		buf_put(&b, data, size);
		buf_puts(&b, "}");
		if (buf_status(&b) < 0)
			return buf_status(&b);
		data = b.data;
		size = b.size;
	}
	if (jsonl_parse(data, size, MAX_FILE + 16, &o, &why) < 0)
		return -EBADMSG;
	return kind == IMAGES_DOCKER ? from_docker(o, id, ret)
	       : kind == IMAGES_OCI  ? from_oci(o, ret)
				     : from_storage(o, id, ret);
}

/* Where containerd keeps its state: its own, and those of Kubernetes distributions that bring one. */
static const char *const states[] = {
	"var/lib/containerd",
	"var/lib/rancher/k3s/agent/containerd",
	"var/lib/rancher/rke2/agent/containerd",
	"var/lib/k0s/containerd",
	"var/snap/microk8s/common/var/lib/containerd",
};

/* By what containerd knows of the container; for a digest, its image's configuration's. 0 or an error. */
static int ask_containerd(const struct images *m, const char *id, const char *digest, char *ret)
{
	int r = -ENOENT;

	for (size_t i = 0; i < ARRAY_SIZE(states) && r < 0; i++) {
		char dir[PATH_MAX];

		if (snprintf(dir, sizeof(dir), "%s/%s", m->root, states[i]) >= (int)sizeof(dir))
			continue;
		r = id ? containerd_state_image(dir, id, ret)
		       : containerd_state_config(dir, digest, ret);
	}
	return r;
}

static int ask_files(const struct images *m, const char *id, char ret[IMAGES_DIGEST_SIZE])
{
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		CLEANUP(buf_done) struct buf b = {0};
		char path[PATH_MAX];

		if (snprintf(path, sizeof(path), "%s/%s%s%s", m->root, files[i].before,
			     files[i].after ? id : "",
			     files[i].after ? files[i].after : "") >= (int)sizeof(path))
			continue;
		if (owned_file_read(path, MAX_FILE, &b) >= 0 &&
		    images_parse(files[i].kind, id, b.data, b.size, ret) >= 0)
			return 0;
	}
	return -ENOENT;
}

static void look_up(const struct images *m, struct slot *s)
{
	char digest[IMAGES_DIGEST_SIZE];

	if (ask_containerd(m, s->id, NULL, s->digest) >= 0)
		return;
	if (ask_files(m, s->id, digest) >= 0) {
		/* An image has several digests. Where its documents are here, it is called by that of its configuration, as capture does. */
		if (ask_containerd(m, NULL, digest, s->digest) < 0)
			memcpy(s->digest, digest, sizeof(digest));
		return;
	}
	s->digest[0] = 0;
	s->until_ns = clock_boot_ns(m->clock) + RETRY_NS;
}

/* Its own, else a free one or the oldest of the few that its id may be in: two containers must not push each other out all the time. */
static struct slot *slot_of(struct images *m, const char *id)
{
	uint64_t hash = 0xcbf29ce484222325ull;
	struct slot *set, *free_one = NULL;
	uint32_t n;

	for (const char *p = id; *p; p++)
		hash = (hash ^ (unsigned char)*p) * 0x100000001b3ull;
	n = (uint32_t)((hash ^ hash >> 32) % SETS);
	set = m->slots[n];
	for (uint32_t i = 0; i < WAYS; i++) {
		if (strcmp(set[i].id, id) == 0)
			return &set[i];
		if (!set[i].id[0] && !free_one)
			free_one = &set[i];
	}
	if (!free_one)
		free_one = &set[m->next[n]++ % WAYS];
	*free_one = (struct slot){.id = ""};
	snprintf(free_one->id, sizeof(free_one->id), "%s", id);
	return free_one;
}

void images_scope(struct images *m, uint32_t mnt_ns, char scope[CGROUPS_SCOPE_SIZE])
{
	const char *id = scope + strlen("container:");
	struct slot *s;

	if (strncmp(scope, "container:", strlen("container:")) != 0 || !is_hex(id) || mnt_ns == 0 ||
	    m->host_mnt_ns == 0 || mnt_ns == m->host_mnt_ns)
		return;
	s = slot_of(m, id);
	/* A container's image never changes; that it is not known may. */
	if (!s->digest[0] && clock_boot_ns(m->clock) >= s->until_ns)
		look_up(m, s);
	if (s->digest[0])
		snprintf(scope, CGROUPS_SCOPE_SIZE, "image:%s", s->digest);
}

int images_open(const struct images_options *o, struct images **ret)
{
	struct images *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->clock = o->clock;
	m->host_mnt_ns = o->host_mnt_ns ? o->host_mnt_ns : cgroups_host_mnt_ns();
	m->root = strdup(o->root && strcmp(o->root, "/") != 0 ? o->root : "");
	if (!m->root) {
		free(m);
		return -ENOMEM;
	}
	*ret = m;
	return 0;
}

struct images *images_free(struct images *m)
{
	if (!m)
		return NULL;
	free(m->root);
	free(m);
	return NULL;
}
