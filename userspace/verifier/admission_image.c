/* SPDX-License-Identifier: Apache-2.0 */
#include "admission_image.h"

#include <errno.h>
#include <string.h>

#include "cleanup.h"
#include "image_checks.h"
#include "image_ref.h"

static const char *const lists[] = {"initContainers", "containers", "ephemeralContainers"};

static const json_t *spec_of(const json_t *request, const char *which)
{
	return json_object_get(json_object_get(request, which), "spec");
}

static const char *image_of(const json_t *container)
{
	const char *text = json_string_value(json_object_get(container, "image"));

	return text ? text : "";
}

/* A volume's image is mounted, and what is in it can be run as well. */
static const char *volume_of(const json_t *volume)
{
	return json_string_value(json_object_get(json_object_get(volume, "image"), "reference"));
}

/* By its very text: a name that means the same is looked at anew. */
static bool has(const json_t *spec, const char *image)
{
	const json_t *item;
	size_t i;

	for (size_t k = 0; k < ARRAY_SIZE(lists); k++)
		json_array_foreach (json_object_get(spec, lists[k]), i, item)
			if (strcmp(image_of(item), image) == 0)
				return true;
	json_array_foreach (json_object_get(spec, "volumes"), i, item)
		if (volume_of(item) && strcmp(volume_of(item), image) == 0)
			return true;
	return false;
}

static int check(const struct admission_rules *rules, const char *image,
		 const struct image_ref *ref, struct why *ret_why)
{
	struct image_check k = {.state = IMAGE_CHECK_UNKNOWN};
	int r = image_checks_find(rules->images, ref->digest, &k);

	if (r >= 0 && k.state == IMAGE_CHECK_SIGNED)
		return 0;
	/* A signature may have come since; and a registry that was away may be back. */
	r = image_checks_wish(rules->images, image);
	if (k.state == IMAGE_CHECK_UNSIGNED)
		return why_set(ret_why, -EPERM, "image %.120s is not signed by a known key", image);
	if (rules->allow_unchecked)
		return 0;
	if (r < 0)
		return why_set(ret_why, -EPERM,
			       "image %.120s is not checked yet, and too many wait for that",
			       image);
	if (k.state == IMAGE_CHECK_FAILED)
		return why_set(ret_why, -EPERM,
			       "image %.100s could not be checked, try again: %.100s", image,
			       k.why);
	return why_set(ret_why, -EPERM, "image %.120s is not checked yet, try again", image);
}

static int judge(const json_t *before, const char *image, const struct admission_rules *rules,
		 struct why *ret_why)
{
	struct image_ref ref;
	int r;

	if (before && has(before, image))
		return 0;
	r = image_ref_parse(image, &ref, ret_why);
	if (r < 0)
		return -EPERM;
	if (!ref.digest[0])
		return why_set(ret_why, -EPERM,
			       "image %.120s is named without a digest (@sha256:…): a tag may mean "
			       "another one tomorrow",
			       image);
	return rules->images ? check(rules, image, &ref, ret_why) : 0;
}

int admission_image(const json_t *request, const struct admission_rules *rules, struct why *ret_why)
{
	const json_t *spec = spec_of(request, "object"), *before = spec_of(request, "oldObject"),
		     *item;
	size_t i;
	int r = 0;

	/* A signature is of a digest: who requires one requires the other. */
	if (!rules->image_digests && !rules->images)
		return 0;
	if (admission_pod_is_exempt(request, rules))
		return 0;
	for (size_t k = 0; r >= 0 && k < ARRAY_SIZE(lists); k++)
		json_array_foreach (json_object_get(spec, lists[k]), i, item) {
			r = judge(before, image_of(item), rules, ret_why);
			if (r < 0)
				break;
		}
	if (r < 0)
		return r;
	json_array_foreach (json_object_get(spec, "volumes"), i, item) {
		r = volume_of(item) ? judge(before, volume_of(item), rules, ret_why) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}
