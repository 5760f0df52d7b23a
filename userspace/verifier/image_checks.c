/* SPDX-License-Identifier: Apache-2.0 */
#include "image_checks.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "jsonl.h"

#define VERSION 1u
#define MAX_SIZE (4u << 20)

struct image_checks {
	const struct sign_key *const *keys;
	uint32_t n_keys;
	pthread_mutex_t lock;
	struct image_check known[IMAGE_CHECKS_MAX];
	uint64_t marks
		[IMAGE_CHECKS_MAX]; /* of each: the first digits, so that looking through all is quick */
	uint32_t n;
	char wishes[IMAGE_CHECKS_MAX_WISHES][IMAGE_CHECKS_MAX_NAME]; /* oldest first */
	uint32_t n_wishes;
	uint64_t lost;
	void (*on_wish)(void *ctx);
	void *ctx;
};

int image_checks_open(const struct sign_key *const *keys, uint32_t n_keys,
		      struct image_checks **ret)
{
	struct image_checks *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->keys = keys;
	c->n_keys = n_keys;
	pthread_mutex_init(&c->lock, NULL);
	*ret = c;
	return 0;
}

struct image_checks *image_checks_free(struct image_checks *c)
{
	if (!c)
		return NULL;
	pthread_mutex_destroy(&c->lock);
	free(c);
	return NULL;
}

bool image_checks_has_keys(const struct image_checks *c)
{
	return c->n_keys > 0;
}

const struct sign_key *const *image_checks_keys(const struct image_checks *c, uint32_t *ret_n)
{
	*ret_n = c->n_keys;
	return c->keys;
}

const char *image_check_name(enum image_check_state s)
{
	static const char *const names[] = {"unknown", "signed", "unsigned", "failed"};

	return names[s];
}

static uint64_t mark_of(const char *image)
{
	uint64_t mark;

	memcpy(&mark, image + strlen("sha256:"), sizeof(mark));
	return mark;
}

static struct image_check *find(struct image_checks *c, const char *image)
{
	uint64_t mark;

	if (!image_layout_is_digest(image))
		return NULL;
	mark = mark_of(image);
	for (uint32_t i = 0; i < c->n; i++)
		if (c->marks[i] == mark && strcmp(c->known[i].image, image) == 0)
			return &c->known[i];
	return NULL;
}

int image_checks_find(struct image_checks *c, const char *image, struct image_check *ret)
{
	struct image_check *k;

	pthread_mutex_lock(&c->lock);
	k = find(c, image);
	if (k)
		*ret = *k;
	pthread_mutex_unlock(&c->lock);
	return k ? 0 : -ENOENT;
}

/* Where the next one goes: the oldest, when there is no room; of those that are not signed, while there are such. */
static struct image_check *room(struct image_checks *c)
{
	struct image_check *old = &c->known[0];

	if (c->n < IMAGE_CHECKS_MAX)
		return &c->known[c->n++];
	for (uint32_t i = 1; i < c->n; i++) {
		struct image_check *k = &c->known[i];
		bool is = k->state == IMAGE_CHECK_SIGNED, was = old->state == IMAGE_CHECK_SIGNED;

		if (is == was ? k->at_ns < old->at_ns : was)
			old = k;
	}
	return old;
}

int image_checks_put(struct image_checks *c, const struct image_check *k)
{
	struct image_check *to;

	if (!image_layout_is_digest(k->image))
		return -EINVAL;
	pthread_mutex_lock(&c->lock);
	to = find(c, k->image);
	if (!to)
		to = room(c);
	if (to->state != IMAGE_CHECK_SIGNED || k->state == IMAGE_CHECK_SIGNED ||
	    strcmp(to->image, k->image) != 0)
		*to = *k;
	c->marks[to - c->known] = mark_of(k->image);
	pthread_mutex_unlock(&c->lock);
	return 0;
}

static int wish(struct image_checks *c, const char *reference)
{
	for (uint32_t i = 0; i < c->n_wishes; i++)
		if (strcmp(c->wishes[i], reference) == 0)
			return 0;
	if (c->n_wishes == IMAGE_CHECKS_MAX_WISHES) {
		c->lost++;
		return -ENOSPC;
	}
	snprintf(c->wishes[c->n_wishes++], IMAGE_CHECKS_MAX_NAME, "%s", reference);
	return 1;
}

int image_checks_wish(struct image_checks *c, const char *reference)
{
	int r;

	if (strlen(reference) >= IMAGE_CHECKS_MAX_NAME)
		return -ENAMETOOLONG;
	pthread_mutex_lock(&c->lock);
	r = wish(c, reference);
	if (r > 0 && c->on_wish)
		c->on_wish(c->ctx);
	pthread_mutex_unlock(&c->lock);
	return r < 0 ? r : 0;
}

int image_checks_take(struct image_checks *c, char ret[IMAGE_CHECKS_MAX_NAME])
{
	int r = -ENOENT;

	pthread_mutex_lock(&c->lock);
	if (c->n_wishes > 0) {
		memcpy(ret, c->wishes[0], IMAGE_CHECKS_MAX_NAME);
		memmove(c->wishes, c->wishes + 1, --c->n_wishes * sizeof(c->wishes[0]));
		r = 0;
	}
	pthread_mutex_unlock(&c->lock);
	return r;
}

uint64_t image_checks_lost(struct image_checks *c)
{
	uint64_t n;

	pthread_mutex_lock(&c->lock);
	n = c->lost;
	pthread_mutex_unlock(&c->lock);
	return n;
}

void image_checks_on_wish(struct image_checks *c, void (*fn)(void *ctx), void *ctx)
{
	pthread_mutex_lock(&c->lock);
	c->on_wish = fn;
	c->ctx = ctx;
	pthread_mutex_unlock(&c->lock);
}

int image_checks_write(struct image_checks *c, struct buf *ret)
{
	struct jsonl j;

	jsonl_begin(&j, ret);
	jsonl_uint(&j, "v", VERSION);
	jsonl_array(&j, "signed");
	pthread_mutex_lock(&c->lock);
	for (uint32_t i = 0; i < c->n; i++) {
		const struct image_check *k = &c->known[i];

		if (k->state != IMAGE_CHECK_SIGNED)
			continue;
		jsonl_object(&j, NULL);
		jsonl_str(&j, "image", k->image);
		jsonl_str(&j, "of", k->of);
		jsonl_str(&j, "key", k->key);
		jsonl_uint(&j, "at", k->at_ns);
		jsonl_close(&j);
	}
	pthread_mutex_unlock(&c->lock);
	jsonl_close(&j);
	jsonl_end(&j);
	return buf_status(ret);
}

static bool is_ours(const struct image_checks *c, const char *key)
{
	char hex[DIGEST_HEX_SIZE];
	struct digest id;

	for (uint32_t i = 0; i < c->n_keys; i++) {
		if (sign_key_id(c->keys[i], &id) < 0)
			continue;
		digest_hex(&id, hex);
		if (strcmp(hex, key) == 0)
			return true;
	}
	return false;
}

int image_checks_read(struct image_checks *c, const void *data, size_t size, struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	json_t *list = NULL, *item;
	size_t i;
	int r = jsonl_parse(data, size, MAX_SIZE, &o, ret_why);

	if (r >= 0)
		r = jsonl_get_version(o, VERSION, ret_why);
	if (r >= 0)
		r = jsonl_get_array(o, "signed", IMAGE_CHECKS_MAX, &list, ret_why);
	if (r < 0)
		return r == -ENOMEM ? r : -EBADMSG;
	json_array_foreach (list, i, item) {
		struct image_check k = {.state = IMAGE_CHECK_SIGNED};

		if (!json_is_object(item) ||
		    jsonl_get_text(item, "image", k.image, sizeof(k.image), ret_why) < 0 ||
		    jsonl_get_text(item, "of", k.of, sizeof(k.of), ret_why) < 0 ||
		    jsonl_get_text(item, "key", k.key, sizeof(k.key), ret_why) < 0 ||
		    jsonl_get_uint(item, "at", INT64_MAX, &k.at_ns, ret_why) < 0)
			return -EBADMSG;
		/* Whose key was taken away vouches for nothing any more. */
		if (!is_ours(c, k.key))
			continue;
		r = image_checks_put(c, &k);
		if (r < 0)
			return why_set(ret_why, -EBADMSG, "\"image\" is no digest");
	}
	return 0;
}
