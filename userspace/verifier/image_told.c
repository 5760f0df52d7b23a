/* SPDX-License-Identifier: Apache-2.0 */
#include "image_told.h"

#include <string.h>

#include "clock.h"

static enum image_told_sum judge(const struct image_told *t, uint32_t i)
{
	if (!t->by_signature)
		return t->seen.images[i].listed ? IMAGE_TOLD_GOOD : IMAGE_TOLD_UNSURE;
	switch (t->of[i].check.state) {
	case IMAGE_CHECK_SIGNED:
		return IMAGE_TOLD_GOOD;
	case IMAGE_CHECK_UNSIGNED:
		return IMAGE_TOLD_BAD;
	default:
		return IMAGE_TOLD_UNSURE;
	}
}

int image_told_make(const struct image_seen *s, struct image_checks *checks, struct image_told *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->seen = *s;
	ret->by_signature = checks && image_checks_has_keys(checks);
	for (uint32_t i = 0; i < s->n; i++) {
		if (checks)
			(void)image_checks_find(checks, s->images[i].digest, &ret->of[i].check);
		ret->of[i].sum = judge(ret, i);
		ret->n_good += ret->of[i].sum == IMAGE_TOLD_GOOD;
		ret->n_bad += ret->of[i].sum == IMAGE_TOLD_BAD;
		ret->upper += s->images[i].upper;
		ret->unsure += s->images[i].unsure;
	}
	return s->n > 0 || s->unnamed > 0 || s->beyond > 0;
}

enum image_told_sum image_told_sum(const struct image_told *t)
{
	if (t->n_bad > 0)
		return IMAGE_TOLD_BAD;
	if (t->n_good != t->seen.n || t->seen.n == 0 || t->seen.unnamed > 0 || t->seen.beyond > 0 ||
	    t->upper > 0 || t->unsure > 0)
		return IMAGE_TOLD_UNSURE;
	return IMAGE_TOLD_GOOD;
}

static void put_one(const struct image_told *t, uint32_t i, struct jsonl *j)
{
	const struct image_seen_one *s = &t->seen.images[i];
	const struct image_check *k = &t->of[i].check;
	char last[CLOCK_TEXT_SIZE];

	clock_text(s->last_ns, last);
	jsonl_object(j, NULL);
	jsonl_str(j, "image", s->digest);
	jsonl_str(j, "last", last);
	jsonl_uint(j, "execs", s->execs);
	jsonl_uint(j, "upper", s->upper);
	jsonl_bool(j, "baseline", s->listed);
	jsonl_str(j, "signature", image_check_name(k->state));
	jsonl_str(j, "key", k->key);
	jsonl_close(j);
}

void image_told_put(const struct image_told *t, struct jsonl *j)
{
	uint32_t n = 0;

	jsonl_str(j, "plumb_images_need", t->by_signature ? "signature" : "baseline");
	jsonl_uint(j, "plumb_images_seen", t->seen.n);
	jsonl_uint(j, "plumb_images_good", t->n_good);
	jsonl_uint(j, "plumb_images_bad", t->n_bad);
	jsonl_uint(j, "plumb_images_beyond", t->seen.beyond);
	jsonl_uint(j, "plumb_execs_unnamed", t->seen.unnamed);
	jsonl_uint(j, "plumb_execs_upper", t->upper);
	jsonl_uint(j, "plumb_execs_unsure", t->unsure);
	jsonl_array(j, "plumb_images");
	for (int sum = IMAGE_TOLD_BAD; sum >= IMAGE_TOLD_GOOD; sum--)
		for (uint32_t i = 0; i < t->seen.n && n < IMAGE_TOLD_MAX_LIST; i++) {
			if (t->of[i].sum != (enum image_told_sum)sum)
				continue;
			put_one(t, i, j);
			n++;
		}
	jsonl_close(j);
}
