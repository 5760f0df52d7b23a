/* SPDX-License-Identifier: Apache-2.0 */
#include "image_service.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

#define MAX_FILE (1u << 20)

struct image_service {
	struct verifier *v;
	struct sign_key *keys[IMAGE_SERVICE_MAX_KEYS];
	uint32_t n_keys;
	struct buf ca;
	struct image_fetch *fetch;
};

static int read_file(const struct image_service *s, const char *path, struct buf *ret,
		     struct why *ret_why)
{
	int r = fsio_read_file(s->v->io, path, MAX_FILE, ret);

	return r < 0 ? why_set(ret_why, r, "%.200s: %s", path, strerror(-r)) : 0;
}

static int read_keys(struct image_service *s, const struct image_service_options *o,
		     struct why *ret_why)
{
	if (o->n_keys > IMAGE_SERVICE_MAX_KEYS)
		return why_set(ret_why, -EINVAL, "image_keys: more than %u",
			       IMAGE_SERVICE_MAX_KEYS);
	for (uint32_t i = 0; i < o->n_keys; i++) {
		CLEANUP(buf_done) struct buf pem = {0};
		struct why why = {""};
		int r = read_file(s, o->keys[i], &pem, ret_why);

		if (r < 0)
			return r;
		r = sign_key_from_pem((char *)pem.data, pem.size, &s->keys[i], &why);
		if (r < 0)
			return why_set(ret_why, r, "%.150s: %.100s", o->keys[i],
				       why.text[0] ? why.text : strerror(-r));
		s->n_keys++;
	}
	return 0;
}

int image_service_open(struct verifier *v, const struct image_service_options *o,
		       struct image_service **ret, struct why *ret_why)
{
	struct image_service *s = calloc(1, sizeof(*s));
	struct image_fetch_options fetch = o->fetch;
	int r;

	if (!s)
		return -ENOMEM;
	s->v = v;
	r = read_keys(s, o, ret_why);
	if (r >= 0 && o->ca_file)
		r = read_file(s, o->ca_file, &s->ca, ret_why);
	fetch.registries.ca_pem = s->ca.size ? (char *)s->ca.data : NULL;
	if (r >= 0)
		r = image_checks_open((const struct sign_key *const *)s->keys, s->n_keys,
				      &v->images);
	if (r >= 0)
		r = image_fetch_open(v, &fetch, &s->fetch, ret_why);
	if (r < 0) {
		image_service_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

struct image_service *image_service_free(struct image_service *s)
{
	if (!s)
		return NULL;
	image_fetch_free(s->fetch);
	s->v->images = image_checks_free(s->v->images);
	for (uint32_t i = 0; i < s->n_keys; i++)
		sign_key_free(s->keys[i]);
	buf_done(&s->ca);
	free(s);
	return NULL;
}
