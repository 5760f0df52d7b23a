/* SPDX-License-Identifier: Apache-2.0 */
#include "verdict_ear.h"

#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "jsonl.h"
#include "jwt.h"
#include "plumb/wire.h"

#define NS_PER_S 1000000000u

/* Which claims each part of the node speaks to. */
static const enum verdict_claim runtime[] = {VERDICT_INSTANCE_IDENTITY, VERDICT_EXECUTABLES,
					     VERDICT_HARDWARE,		VERDICT_RUNTIME_OPAQUE,
					     VERDICT_STORAGE_OPAQUE,	VERDICT_SOURCED_DATA};
static const enum verdict_claim config[] = {VERDICT_CONFIGURATION, VERDICT_FILE_SYSTEM};
static const enum verdict_claim images[] = {VERDICT_EXECUTABLES};
static const enum verdict_claim boot[] = {VERDICT_CONFIGURATION, VERDICT_EXECUTABLES,
					  VERDICT_HARDWARE};
/* AR4SI: an approved configuration; only approved programs while it booted; firmware that passed. */
static const int boot_proven[VERDICT_N_CLAIMS] = {
	[VERDICT_CONFIGURATION] = 2, [VERDICT_EXECUTABLES] = 3, [VERDICT_HARDWARE] = 2};

/* From best to worst. That nothing is claimed is no affirmation. */
enum status { AFFIRMING, NONE, WARNING, CONTRAINDICATED };

static const char *status_name(enum status s)
{
	static const char *const names[] = {"affirming", "none", "warning", "contraindicated"};

	return names[s];
}

static enum status status_of(int value)
{
	if (value >= 96)
		return CONTRAINDICATED;
	if (value >= 32)
		return WARNING;
	return value >= 2 ? AFFIRMING : NONE;
}

static enum status worst(const int *values, const enum verdict_claim *claims, size_t n)
{
	enum status s = AFFIRMING;
	bool any = false;

	for (size_t i = 0; i < n; i++) {
		if (values[claims[i]] == 0)
			continue;
		any = true;
		if (status_of(values[claims[i]]) > s)
			s = status_of(values[claims[i]]);
	}
	return any ? s : NONE;
}

/* What must be claimed for the part to be affirmed at all. */
static enum status part_status(const int *values, const enum verdict_claim *claims, size_t n,
			       enum verdict_claim needed)
{
	enum status s = worst(values, claims, n);

	return s == AFFIRMING && values[needed] == 0 ? NONE : s;
}

/* Where nothing was proven there is nothing to affirm, and what warns stands all the same. */
static void boot_values(const struct verdict_ear_in *in, int ret[VERDICT_N_CLAIMS])
{
	for (size_t i = 0; i < VERDICT_N_CLAIMS; i++) {
		ret[i] = in->boot.proven ? boot_proven[i] : 0;
		if (in->verdict->boot[i] > ret[i])
			ret[i] = in->verdict->boot[i];
	}
}

static void put_policy(struct jsonl *j, const struct verdict *v)
{
	char hex[DIGEST_HEX_SIZE], id[512];

	if (!v->policy)
		return;
	digest_hex(policy_digest(v->policy), hex);
	snprintf(id, sizeof(id), "plumb:policy/%.256s@sha256:%s", policy_name(v->policy), hex);
	jsonl_array(j, "ear_appraisal_policy_ids");
	jsonl_str(j, NULL, id);
	jsonl_close(j);
}

static void put_part(struct jsonl *j, const struct verdict *v, const char *name, const int *values,
		     const enum verdict_claim *claims, size_t n, enum status s)
{
	jsonl_object(j, name);
	jsonl_str(j, "ear_status", status_name(s));
	jsonl_object(j, "ear_trustworthiness_vector");
	for (size_t i = 0; i < n; i++)
		if (values[claims[i]] != 0)
			jsonl_int(j, verdict_claim_name(claims[i]), values[claims[i]]);
	jsonl_close(j);
	put_policy(j, v);
}

static void put_log(struct jsonl *j, const struct verdict_ear_in *in)
{
	const struct digest none = {{0}};
	const struct verdict *v = in->verdict;
	char text[DIGEST_HEX_SIZE + 8] = "sha256:";

	jsonl_object(j, "ear_verifier_claims");
	jsonl_str(j, "plumb_log_origin", in->origin);
	jsonl_uint(j, "plumb_log_size", in->size);
	jsonl_base64(j, "plumb_log_root", in->root.bytes, DIGEST_SIZE);
	if (!digest_equal(&in->baseline, &none)) {
		digest_hex(&in->baseline, text + 7);
		jsonl_str(j, "plumb_refset", text);
	}
	jsonl_uint(j, "plumb_open_cases", v->n_open);
	jsonl_uint(j, "plumb_score", v->score);
	jsonl_array(j, "plumb_finding_names");
	for (int f = 1; f < 32; f++)
		if (v->findings & 1u << f && terms_finding_name((enum plumb_finding)f))
			jsonl_str(j, NULL, terms_finding_name((enum plumb_finding)f));
	jsonl_close(j);
	jsonl_array(j, "plumb_findings");
	for (uint32_t i = 0; i < in->n_lines && i < VERDICT_EAR_MAX_LINES; i++)
		jsonl_uint(j, NULL, in->lines[i]);
	jsonl_close(j);
	jsonl_close(j);
}

static void put_boot(struct jsonl *j, const struct verdict_ear_boot *b)
{
	const struct digest none = {{0}};
	char text[DIGEST_HEX_SIZE + 8] = "sha256:";

	jsonl_object(j, "ear_verifier_claims");
	if (!digest_equal(&b->log, &none)) {
		digest_hex(&b->log, text + 7);
		jsonl_str(j, "plumb_boot_log", text);
	}
	jsonl_bool(j, "plumb_boot_proven", b->proven);
	jsonl_str(j, "plumb_boot_finding", b->finding ? b->finding : "");
	jsonl_str(j, "plumb_boot_found", b->found ? b->found : "");
	jsonl_str(j, "plumb_secure_boot", b->secure_boot ? b->secure_boot : "");
	jsonl_close(j);
}

/* AR4SI: only approved executables; or some that nobody approved. What could not be told is no claim. */
static enum status image_values(const struct image_told *t, int ret[VERDICT_N_CLAIMS])
{
	static const int values[] = {
		[IMAGE_TOLD_GOOD] = 2, [IMAGE_TOLD_UNSURE] = 0, [IMAGE_TOLD_BAD] = 33};

	memset(ret, 0, sizeof(*ret) * VERDICT_N_CLAIMS);
	ret[VERDICT_EXECUTABLES] = values[image_told_sum(t)];
	return part_status(ret, images, ARRAY_SIZE(images), VERDICT_EXECUTABLES);
}

static void put_images(struct jsonl *j, const struct verdict *v, const struct image_told *t,
		       const int *values, enum status s)
{
	put_part(j, v, "images", values, images, ARRAY_SIZE(images), s);
	jsonl_object(j, "ear_verifier_claims");
	image_told_put(t, j);
	jsonl_close(j);
	jsonl_close(j);
}

static void put_top(struct jsonl *j, const struct verdict_ear_in *in, enum status s, struct buf *b)
{
	uint64_t now_s = in->verdict->now_ns / NS_PER_S;

	jsonl_begin(j, b);
	jsonl_str(j, "eat_profile", VERDICT_EAR_PROFILE);
	jsonl_uint(j, "iat", now_s);
	jsonl_uint(j, "exp", now_s + in->life_s);
	jsonl_object(j, "ear_verifier_id");
	jsonl_str(j, "developer", in->developer);
	jsonl_str(j, "build", "plumb-verifier " PLUMB_VERSION);
	jsonl_close(j);
	jsonl_str(j, "ear_status", status_name(s));
}

int verdict_ear_claims(const struct verdict_ear_in *in, struct buf *ret)
{
	CLEANUP(buf_done) struct buf nonce = {0};
	const struct verdict *v = in->verdict;
	int values[VERDICT_N_CLAIMS], image[VERDICT_N_CLAIMS];
	enum status r = part_status(v->claims, runtime, ARRAY_SIZE(runtime), VERDICT_EXECUTABLES);
	enum status c = part_status(v->claims, config, ARRAY_SIZE(config), VERDICT_CONFIGURATION);
	enum status b, i = in->images ? image_values(in->images, image) : AFFIRMING,
		       top = r > c ? r : c;
	struct jsonl j;

	boot_values(in, values);
	/* Many machines measure nothing: that says nothing of what runs now, and what it is worth more the policy says. */
	b = part_status(values, boot, ARRAY_SIZE(boot), VERDICT_EXECUTABLES);

	digest_base64_url(&nonce, in->nonce, WIRE_NONCE_SIZE);
	if (buf_status(&nonce) < 0)
		return buf_status(&nonce);
	top = b > NONE && b > top ? b : top;
	put_top(&j, in, i > NONE && i > top ? i : top, ret);
	jsonl_strn(&j, "eat_nonce", (char *)nonce.data, nonce.size);
	jsonl_str(&j, "sub", in->node);
	jsonl_str(&j, "plumb_label", in->label);
	jsonl_object(&j, "submods");
	put_part(&j, v, "boot", values, boot, ARRAY_SIZE(boot), b);
	put_boot(&j, &in->boot);
	jsonl_close(&j);
	put_part(&j, v, "runtime", v->claims, runtime, ARRAY_SIZE(runtime), r);
	put_log(&j, in);
	jsonl_close(&j);
	put_part(&j, v, "config", v->claims, config, ARRAY_SIZE(config), c);
	jsonl_close(&j);
	if (in->images)
		put_images(&j, v, in->images, image, i);
	jsonl_close(&j);
	jsonl_end(&j);
	return buf_status(ret);
}

int verdict_ear_sign(const struct verdict_ear_in *in, const struct sign_key *key,
		     struct buf *ret_jwt)
{
	CLEANUP(buf_done) struct buf claims = {0};
	int r = verdict_ear_claims(in, &claims);

	return r < 0 ? r : jwt_sign((char *)claims.data, claims.size, key, ret_jwt);
}
