/* SPDX-License-Identifier: Apache-2.0 */
#include "cosign.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "dsse.h"
#include "jsonl.h"

#define SIMPLE_TYPE "application/vnd.dev.cosign.simplesigning.v1+json"
#define SIMPLE_KIND "cosign container image signature"
#define SIGNATURE "dev.cosignproject.cosign/signature"
#define PREDICATE "dev.sigstore.bundle.predicateType"
#define STATEMENT_TYPE "application/vnd.in-toto+json"
/* Not each statement about an image is an approval of it: a list of what is in it is signed just so, by the same key. */
#define SIGN_PREDICATE "https://sigstore.dev/cosign/sign/v1"
#define MAX_TEXT 1024u
#define MAX_LIST 512u

static int bad(int r)
{
	return r == -ENOENT || r == -E2BIG || r == -EFBIG ? -EBADMSG : r;
}

int cosign_tag(const char *image, const char *suffix, char ret[COSIGN_TAG_SIZE])
{
	if (!image_layout_is_digest(image) || strlen(suffix) > COSIGN_TAG_SIZE - 72)
		return -EINVAL;
	snprintf(ret, COSIGN_TAG_SIZE, "sha256-%s%s", image + 7, suffix);
	return 0;
}

/* "" where there is none, or none that we could mean. */
static const char *text_of(const json_t *o, const char *key)
{
	const char *text;
	struct why why;

	return json_is_object(o) && jsonl_get_str(o, key, MAX_TEXT, &text, &why) >= 0 ? text : "";
}

static int add(const json_t *descriptor, struct cosign_list *l, struct cosign_item **ret,
	       struct why *ret_why)
{
	const char *digest = text_of(descriptor, "digest");

	if (!image_layout_is_digest(digest))
		return why_set(ret_why, -EBADMSG, "\"digest\" is not sha256: and 64 digits");
	if (l->n == COSIGN_MAX_ITEMS)
		return why_set(ret_why, -E2BIG, "the image has more than %u signatures",
			       COSIGN_MAX_ITEMS);
	*ret = &l->items[l->n++];
	memset(*ret, 0, sizeof(**ret));
	snprintf((*ret)->digest, sizeof((*ret)->digest), "%s", digest);
	return 0;
}

static int get_list(const void *data, size_t size, const char *name, json_t **ret_tree,
		    json_t **ret, struct why *ret_why)
{
	json_t *item;
	size_t i;
	int r = jsonl_parse(data, size, IMAGE_LAYOUT_MAX_SIZE, ret_tree, ret_why);

	if (r >= 0)
		r = jsonl_get_array(*ret_tree, name, MAX_LIST, ret, ret_why);
	if (r < 0)
		return bad(r);
	json_array_foreach (*ret, i, item)
		if (!json_is_object(item))
			return why_set(ret_why, -EBADMSG, "\"%s\"[%zu] is not an object", name, i);
	return 0;
}

static int add_simple(const json_t *layer, struct cosign_list *l, struct why *ret_why)
{
	const char *text = text_of(json_object_get(layer, "annotations"), SIGNATURE);
	CLEANUP(buf_done) struct buf sig = {0};
	struct cosign_item *item;
	int r = digest_from_base64(text, strlen(text), &sig);

	if (r == -ENOMEM)
		return r;
	if (r < 0 || sig.size == 0 || sig.size > COSIGN_MAX_SIGNATURE)
		return why_set(ret_why, -EBADMSG, "\"" SIGNATURE "\" is no signature in base64");
	r = add(layer, l, &item, ret_why);
	if (r < 0)
		return r;
	memcpy(item->sig, sig.data, sig.size);
	item->sig_size = (uint32_t)sig.size;
	return 0;
}

int cosign_of_tag(const void *manifest, size_t size, struct cosign_list *ret, struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	json_t *layers, *layer;
	size_t i;
	int r = get_list(manifest, size, "layers", &o, &layers, ret_why);

	if (r < 0)
		return r;
	json_array_foreach (layers, i, layer) {
		if (strcmp(text_of(layer, "mediaType"), SIMPLE_TYPE) != 0)
			continue;
		r = add_simple(layer, ret, ret_why);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The annotation saves a request for what says of itself that it is something else; what is signed decides. */
static bool may_sign(const json_t *descriptor)
{
	const char *predicate = text_of(json_object_get(descriptor, "annotations"), PREDICATE);

	return !*predicate || strcmp(predicate, SIGN_PREDICATE) == 0;
}

static int bundles(const void *data, size_t size, const char *list, const char *type,
		   struct cosign_list *ret, struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	struct cosign_item *unused;
	json_t *items, *item;
	size_t i;
	int r = get_list(data, size, list, &o, &items, ret_why);

	if (r < 0)
		return r;
	json_array_foreach (items, i, item) {
		if (strcmp(text_of(item, type), COSIGN_BUNDLE_TYPE) != 0 || !may_sign(item))
			continue;
		r = add(item, ret, &unused, ret_why);
		if (r < 0)
			return r;
	}
	return 0;
}

int cosign_of_referrers(const void *index, size_t size, struct cosign_list *ret,
			struct why *ret_why)
{
	return bundles(index, size, "manifests", "artifactType", ret, ret_why);
}

int cosign_of_bundle_manifest(const void *manifest, size_t size, struct cosign_list *ret,
			      struct why *ret_why)
{
	return bundles(manifest, size, "layers", "mediaType", ret, ret_why);
}

/* What the signature covers; only read once it was verified. */
static int names_image(const json_t *o, const char *image, struct why *ret_why)
{
	const json_t *critical = json_object_get(o, "critical");
	const char *of = text_of(json_object_get(critical, "image"), "docker-manifest-digest");

	if (strcmp(text_of(critical, "type"), SIMPLE_KIND) != 0)
		return why_set(ret_why, -EKEYREJECTED,
			       "what was signed is no approval of an image");
	if (strcmp(of, image) != 0)
		return why_set(ret_why, -EKEYREJECTED, "what was signed is image %.80s", of);
	return 0;
}

int cosign_check_payload(const void *payload, size_t size, const struct cosign_item *item,
			 const char *image, const struct sign_key *const *keys, uint32_t n_keys,
			 uint32_t *ret_key, struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	uint32_t k = 0;
	int r;

	if (!image_layout_is_digest(image))
		return why_set(ret_why, -EINVAL, "image is not sha256: and 64 digits");
	if (size > COSIGN_MAX_PAYLOAD)
		return why_set(ret_why, -EBADMSG, "what was signed has more than %u bytes",
			       COSIGN_MAX_PAYLOAD);
	while (k < n_keys && sign_check(keys[k], payload, size, item->sig, item->sig_size) < 0)
		k++;
	if (k == n_keys)
		return why_set(ret_why, -EKEYREJECTED, "none of %u known keys signed it", n_keys);
	r = jsonl_parse(payload, size, COSIGN_MAX_PAYLOAD, &o, ret_why);
	if (r < 0)
		return bad(r);
	r = names_image(o, image, ret_why);
	if (r >= 0)
		*ret_key = k;
	return r;
}

static int states_image(const struct buf *statement, const char *image, struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	json_t *subjects, *subject;
	const char *type;
	size_t i;
	int r = jsonl_parse(statement->data, statement->size, COSIGN_MAX_PAYLOAD, &o, ret_why);

	if (r >= 0)
		r = jsonl_get_array(o, "subject", MAX_LIST, &subjects, ret_why);
	if (r < 0)
		return bad(r);
	type = text_of(o, "_type");
	if (strcmp(type, "https://in-toto.io/Statement/v1") != 0 &&
	    strcmp(type, "https://in-toto.io/Statement/v0.1") != 0)
		return why_set(ret_why, -EBADMSG, "\"_type\" is no in-toto statement's: %.80s",
			       type);
	if (strcmp(text_of(o, "predicateType"), SIGN_PREDICATE) != 0)
		return why_set(ret_why, -EKEYREJECTED, "what was signed is no approval but %.100s",
			       text_of(o, "predicateType"));
	json_array_foreach (subjects, i, subject)
		if (json_is_object(subject) &&
		    strcmp(text_of(json_object_get(subject, "digest"), "sha256"), image + 7) == 0)
			return 0;
	return why_set(ret_why, -EKEYREJECTED, "what was signed is another image");
}

int cosign_check_bundle(const void *bundle, size_t size, const char *image,
			const struct sign_key *const *keys, uint32_t n_keys, uint32_t *ret_key,
			struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	CLEANUP(buf_done) struct buf statement = {0};
	CLEANUP_FREE char *envelope = NULL;
	json_t *tree;
	uint32_t key = 0;
	int r;

	if (!image_layout_is_digest(image))
		return why_set(ret_why, -EINVAL, "image is not sha256: and 64 digits");
	r = jsonl_parse(bundle, size, COSIGN_MAX_BUNDLE, &o, ret_why);
	if (r < 0)
		return bad(r);
	if (strcmp(text_of(o, "mediaType"), COSIGN_BUNDLE_TYPE) != 0)
		return why_set(ret_why, -EBADMSG, "\"mediaType\" is not " COSIGN_BUNDLE_TYPE);
	/* Others sign a file's digest, and nothing says what it is. */
	r = jsonl_get_object(o, "dsseEnvelope", &tree, ret_why);
	if (r < 0)
		return bad(r);
	envelope = json_dumps(tree, JSON_COMPACT);
	if (!envelope)
		return -ENOMEM;
	r = dsse_open(envelope, strlen(envelope), COSIGN_MAX_PAYLOAD, STATEMENT_TYPE, keys, n_keys,
		      &statement, &key, ret_why);
	if (r >= 0)
		r = states_image(&statement, image, ret_why);
	if (r >= 0)
		*ret_key = key;
	return r;
}
