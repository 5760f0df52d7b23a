/* SPDX-License-Identifier: Apache-2.0 */
#include "containerd_state.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "bolt.h"
#include "cleanup.h"
#include "digest.h"
#include "owned_file.h"

#define MAX_STEPS 4 /* index, index, manifest, configuration */
#define MAX_TEXT 1024u

static void text_of(const struct digest *d, char ret[IMAGE_LAYOUT_DIGEST_SIZE])
{
	char hex[DIGEST_HEX_SIZE];

	digest_hex(d, hex);
	snprintf(ret, IMAGE_LAYOUT_DIGEST_SIZE, "sha256:%s", hex);
}

/* A document, when its bytes are those that its name says. */
static int read_blob(const char *dir, const char *digest, struct image_layout *ret)
{
	CLEANUP(buf_done) struct buf b = {0};
	char path[PATH_MAX], found[IMAGE_LAYOUT_DIGEST_SIZE];
	struct digest d;
	struct why why;
	int r;

	if (snprintf(path, sizeof(path), "%s/io.containerd.content.v1.content/blobs/sha256/%s", dir,
		     digest + strlen("sha256:")) >= (int)sizeof(path))
		return -ENOENT;
	r = owned_file_read(path, IMAGE_LAYOUT_MAX_SIZE, &b);
	if (r >= 0)
		r = b.size > 0 ? digest_sha256(b.data, b.size, &d) : -EBADMSG;
	if (r < 0)
		return r;
	text_of(&d, found);
	if (strcmp(found, digest) != 0)
		return -EBADMSG;
	return image_layout_parse(b.data, b.size, NULL, ret, &why);
}

/* Down to the configuration, whose layers are then the caller's to end. */
static int follow(const char *dir, const char *digest, char ret[IMAGE_LAYOUT_DIGEST_SIZE],
		  struct image_layout *ret_config)
{
	char at[IMAGE_LAYOUT_DIGEST_SIZE];

	if (!image_layout_is_digest(digest))
		return -EBADMSG;
	snprintf(at, sizeof(at), "%s", digest);
	for (int i = 0; i < MAX_STEPS; i++) {
		struct image_layout l;
		int r = read_blob(dir, at, &l);

		if (r < 0)
			return r;
		if (l.kind == IMAGE_LAYOUT_CONFIG) {
			memcpy(ret, at, sizeof(at));
			*ret_config = l;
			return 0;
		}
		buf_done(&l.layers);
		if (l.kind == IMAGE_LAYOUT_DOCKER)
			return -EBADMSG;
		snprintf(at, sizeof(at), "%.71s", l.next);
	}
	return -EBADMSG;
}

int containerd_state_config(const char *dir, const char *digest, char ret[IMAGE_LAYOUT_DIGEST_SIZE])
{
	struct image_layout config;
	int r = follow(dir, digest, ret, &config);

	if (r >= 0)
		buf_done(&config.layers);
	return r;
}

/* The name of a snapshot of all the layers (OCI image-spec, ChainID): each is the digest of the one below and its own layer's. */
static int chain_of(const struct image_layout *config, char ret[IMAGE_LAYOUT_DIGEST_SIZE])
{
	ret[0] = 0;
	for (uint32_t i = 0; i < config->n_layers; i++) {
		const char *layer = image_layout_layer(config, i);
		char text[2 * IMAGE_LAYOUT_DIGEST_SIZE];
		struct digest d;
		int r;

		if (i == 0) {
			snprintf(ret, IMAGE_LAYOUT_DIGEST_SIZE, "%s", layer);
			continue;
		}
		snprintf(text, sizeof(text), "%s %s", ret, layer);
		r = digest_sha256(text, strlen(text), &d);
		if (r < 0)
			return r;
		text_of(&d, ret);
	}
	return 0;
}

/* A text below v1 and a namespace. */
static int get_text(struct bolt *b, const char *const *keys, uint32_t n, char ret[MAX_TEXT])
{
	CLEANUP(buf_done) struct buf v = {0};
	int r = bolt_get(b, keys, n, &v);

	if (r < 0)
		return r;
	if (v.size == 0 || v.size >= MAX_TEXT || memchr(v.data, 0, v.size))
		return -EBADMSG;
	memcpy(ret, v.data, v.size);
	ret[v.size] = 0;
	return 0;
}

static int image_in(struct bolt *b, const char *dir, const char *space, const char *id,
		    char ret[IMAGE_LAYOUT_DIGEST_SIZE])
{
	char name[MAX_TEXT], key[MAX_TEXT], driver[MAX_TEXT], parent[MAX_TEXT], target[MAX_TEXT];
	char config[IMAGE_LAYOUT_DIGEST_SIZE], chain[IMAGE_LAYOUT_DIGEST_SIZE];
	const char *const image[] = {"v1", space, "containers", id, "image"};
	const char *const snapshot[] = {"v1", space, "containers", id, "snapshotKey"};
	const char *const snapshotter[] = {"v1", space, "containers", id, "snapshotter"};
	const char *const below[] = {"v1", space, "snapshots", driver, key, "parent"};
	const char *const digest[] = {"v1", space, "images", name, "target", "digest"};
	struct image_layout l;
	int r = get_text(b, image, ARRAY_SIZE(image), name);

	if (r >= 0)
		r = get_text(b, snapshot, ARRAY_SIZE(snapshot), key);
	if (r >= 0)
		r = get_text(b, snapshotter, ARRAY_SIZE(snapshotter), driver);
	if (r >= 0)
		r = get_text(b, below, ARRAY_SIZE(below), parent);
	if (r >= 0)
		r = get_text(b, digest, ARRAY_SIZE(digest), target);
	if (r >= 0)
		r = follow(dir, target, config, &l);
	if (r < 0)
		return r;
	r = chain_of(&l, chain);
	buf_done(&l.layers);
	if (r >= 0 && strcmp(chain, parent) != 0)
		r = -ESTALE;
	if (r >= 0)
		memcpy(ret, config, sizeof(config));
	return r;
}

int containerd_state_image(const char *dir, const char *id, char ret[IMAGE_LAYOUT_DIGEST_SIZE])
{
	static const char *const spaces[] = {"k8s.io", "moby", "default"};
	CLEANUP_CLOSE int fd = -1;
	struct bolt *b = NULL;
	char path[PATH_MAX];
	int r;

	if (snprintf(path, sizeof(path), "%s/io.containerd.metadata.v1.bolt/meta.db", dir) >=
	    (int)sizeof(path))
		return -ENOENT;
	fd = owned_file_open(path);
	if (fd < 0)
		return fd;
	r = bolt_open(fd, &b);
	if (r < 0)
		return r;
	r = -ENOENT;
	for (size_t i = 0; i < ARRAY_SIZE(spaces) && r == -ENOENT; i++)
		r = image_in(b, dir, spaces[i], id, ret);
	bolt_free(b);
	return r;
}
