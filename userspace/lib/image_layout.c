/* SPDX-License-Identifier: Apache-2.0 */
#include "image_layout.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "cleanup.h"
#include "jsonl.h"

#define MAX_MANIFESTS 256u

int image_layout_is_digest(const char *text)
{
	return strncmp(text, "sha256:", 7) == 0 && strlen(text) == IMAGE_LAYOUT_DIGEST_SIZE - 1 &&
	       strspn(text + 7, "0123456789abcdef") == 64;
}

static int get_digest(const json_t *o, const char *key, const char **ret, struct why *ret_why)
{
	int r = jsonl_get_str(o, key, IMAGE_LAYOUT_MAX_NAME, ret, ret_why);

	if (r < 0)
		return -EBADMSG;
	return image_layout_is_digest(*ret)
		       ? 0
		       : why_set(ret_why, -EBADMSG, "\"%s\" is not sha256: and 64 digits", key);
}

static int add_layer(struct image_layout *l, const char *text)
{
	l->n_layers++;
	buf_put(&l->layers, text, strlen(text) + 1);
	return buf_status(&l->layers);
}

/* As Go, and so all who make images, call it. */
static void this_machine(char *ret, size_t size)
{
	static const char *const names[][2] = {{"x86_64", "amd64"}, {"aarch64", "arm64"},
					       {"armv7l", "arm"},   {"armv6l", "arm"},
					       {"i686", "386"},	    {"loongarch64", "loong64"}};
	struct utsname u;

	if (uname(&u) < 0)
		u.machine[0] = 0;
	snprintf(ret, size, "%s", u.machine);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(u.machine, names[i][0]) == 0)
			snprintf(ret, size, "%s", names[i][1]);
}

/* 1: an image for that machine, or one that says nothing of machines; 0: another; signatures and attestations say "unknown". */
static int fits(const json_t *manifest, const char *architecture)
{
	const char *machine, *os;
	json_t *platform;
	struct why why;

	if (jsonl_get_object(manifest, "platform", &platform, &why) < 0)
		return 1;
	if (jsonl_get_str(platform, "architecture", 64, &machine, &why) < 0 ||
	    jsonl_get_str(platform, "os", 64, &os, &why) < 0)
		return 0;
	return strcmp(machine, architecture) == 0 && strcmp(os, "linux") == 0;
}

static int read_index(const json_t *o, const char *architecture, struct image_layout *l,
		      struct why *ret_why)
{
	char machine[80];
	json_t *list, *item;
	const char *digest;
	uint32_t n = 0;
	size_t i;
	int r = jsonl_get_array(o, "manifests", MAX_MANIFESTS, &list, ret_why);

	if (r < 0)
		return -EBADMSG;
	this_machine(machine, sizeof(machine));
	architecture = architecture ? architecture : machine;
	json_array_foreach (list, i, item) {
		if (!json_is_object(item))
			return why_set(ret_why, -EBADMSG, "\"manifests\" has what is no object");
		r = get_digest(item, "digest", &digest, ret_why);
		if (r < 0)
			return r;
		/* Alone it is meant, whatever machine it is for. */
		if (json_array_size(list) != 1 && !fits(item, architecture))
			continue;
		n++;
		snprintf(l->next, sizeof(l->next), "%s", digest);
	}
	if (n == 0)
		return why_set(ret_why, -ENOENT, "the index has no image for linux/%s",
			       architecture);
	return n == 1 ? 0
		      : why_set(ret_why, -EBADMSG,
				"the index has %u images for linux/%s: save one at a time", n,
				architecture);
}

static int read_manifest(const json_t *o, struct image_layout *l, struct why *ret_why)
{
	json_t *config, *list, *item;
	const char *digest;
	size_t i;

	if (jsonl_get_object(o, "config", &config, ret_why) < 0 ||
	    get_digest(config, "digest", &digest, ret_why) < 0 ||
	    jsonl_get_array(o, "layers", IMAGE_LAYOUT_MAX_LAYERS, &list, ret_why) < 0)
		return -EBADMSG;
	snprintf(l->next, sizeof(l->next), "%s", digest);
	json_array_foreach (list, i, item) {
		int r = json_is_object(item) ? get_digest(item, "digest", &digest, ret_why)
					     : -EBADMSG;

		if (r >= 0)
			r = add_layer(l, digest);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_config(const json_t *o, struct image_layout *l, struct why *ret_why)
{
	json_t *rootfs, *list, *item;
	size_t i;

	if (jsonl_get_object(o, "rootfs", &rootfs, ret_why) < 0)
		return -EBADMSG;
	/* An image without any layer may have null here. */
	if (json_is_null(json_object_get(rootfs, "diff_ids")))
		return 0;
	if (jsonl_get_array(rootfs, "diff_ids", IMAGE_LAYOUT_MAX_LAYERS, &list, ret_why) < 0)
		return -EBADMSG;
	json_array_foreach (list, i, item) {
		const char *text = json_string_value(item);

		if (!text || !image_layout_is_digest(text))
			return why_set(ret_why, -EBADMSG,
				       "\"diff_ids\" has what is not sha256: and 64 digits");
		if (add_layer(l, text) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int read_docker(const json_t *o, struct image_layout *l, struct why *ret_why)
{
	json_t *images, *layers, *item;
	const char *text;
	size_t i;

	if (jsonl_get_array(o, "a", MAX_MANIFESTS, &images, ret_why) < 0)
		return -EBADMSG;
	if (json_array_size(images) != 1)
		return why_set(ret_why, -EBADMSG, "has %zu images: save one at a time",
			       json_array_size(images));
	item = json_array_get(images, 0);
	if (!json_is_object(item))
		return why_set(ret_why, -EBADMSG, "its list has what is no object");
	if (jsonl_get_str(item, "Config", IMAGE_LAYOUT_MAX_NAME - 1, &text, ret_why) < 0 ||
	    jsonl_get_array(item, "Layers", IMAGE_LAYOUT_MAX_LAYERS, &layers, ret_why) < 0)
		return -EBADMSG;
	snprintf(l->next, sizeof(l->next), "%s", text);
	json_array_foreach (layers, i, item) {
		text = json_string_value(item);
		if (!text || !*text || strlen(text) >= IMAGE_LAYOUT_MAX_NAME)
			return why_set(ret_why, -EBADMSG, "\"Layers\" has what is no name");
		if (add_layer(l, text) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int read_any(const json_t *o, const char *architecture, struct image_layout *l,
		    struct why *ret_why)
{
	if (json_object_get(o, "manifests")) {
		l->kind = IMAGE_LAYOUT_INDEX;
		return read_index(o, architecture, l, ret_why);
	}
	if (json_object_get(o, "config") && json_object_get(o, "layers")) {
		l->kind = IMAGE_LAYOUT_MANIFEST;
		return read_manifest(o, l, ret_why);
	}
	if (json_object_get(o, "rootfs")) {
		l->kind = IMAGE_LAYOUT_CONFIG;
		return read_config(o, l, ret_why);
	}
	return why_set(ret_why, -EBADMSG,
		       "is neither an index, a manifest nor a configuration of an image");
}

int image_layout_parse(const void *data, size_t size, const char *architecture,
		       struct image_layout *ret, struct why *ret_why)
{
	const char *text = data;
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	CLEANUP(buf_done) struct buf b = {0};
	struct image_layout l = {.kind = 0};
	size_t at = 0;
	bool list;
	int r;

	if (size > IMAGE_LAYOUT_MAX_SIZE)
		return why_set(ret_why, -EFBIG, "has more than %u bytes", IMAGE_LAYOUT_MAX_SIZE);
	while (at < size && strchr(" \t\r\n", text[at]) && text[at])
		at++;
	/* The reader takes objects; Docker's is a list. */
	list = at < size && text[at] == '[';
	if (list)
		buf_puts(&b, "{\"a\":");
	buf_put(&b, data, size);
	if (list)
		buf_puts(&b, "}");
	if (buf_status(&b) < 0)
		return buf_status(&b);
	r = jsonl_parse(b.data, b.size, IMAGE_LAYOUT_MAX_SIZE + 16, &o, ret_why);
	if (r < 0)
		return r;
	if (list)
		l.kind = IMAGE_LAYOUT_DOCKER;
	r = list ? read_docker(o, &l, ret_why) : read_any(o, architecture, &l, ret_why);
	if (r < 0)
		buf_done(&l.layers);
	else
		*ret = l;
	return r;
}

int image_layout_manifests(const void *data, size_t size, struct buf *ret, uint32_t *ret_n,
			   struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	json_t *list, *item;
	const char *digest;
	size_t i;
	int r = jsonl_parse(data, size, IMAGE_LAYOUT_MAX_SIZE, &o, ret_why);

	if (r >= 0)
		r = jsonl_get_array(o, "manifests", MAX_MANIFESTS, &list, ret_why);
	if (r < 0)
		return r == -ENOMEM ? r : -EBADMSG;
	json_array_foreach (list, i, item) {
		if (!json_is_object(item))
			return why_set(ret_why, -EBADMSG, "\"manifests\" has what is no object");
		r = get_digest(item, "digest", &digest, ret_why);
		if (r < 0)
			return r;
		buf_put(ret, digest, strlen(digest) + 1);
	}
	*ret_n = (uint32_t)json_array_size(list);
	return buf_status(ret);
}

const char *image_layout_layer(const struct image_layout *l, uint32_t i)
{
	const char *at = (const char *)l->layers.data;

	if (i >= l->n_layers)
		return NULL;
	while (i-- > 0)
		at += strlen(at) + 1;
	return at;
}
