/* SPDX-License-Identifier: Apache-2.0 */
#include "documents.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "baseline_index.h"
#include "cleanup.h"
#include "dsse.h"
#include "jsonl.h"
#include "log.h"
#include "plumb/wire.h"

#define MAX_APPROVERS 512
#define MAX_MAPPED 16
#define MAX_KNOWN 4096
#define MAX_INDEX (4u << 20)
#define MAX_BUNDLE (1u << 20)
#define ARMED "armed"
#define HIGHEST \
	"policy:" /* and a name: the highest version of it that was ever in force, and its digest */

struct mapped {
	struct digest document;
	struct baseline *baseline;
	uint64_t used;
};

struct documents {
	const struct verifier *v;
	struct policy *policy;
	struct digest policy_digest;
	struct buf envelope; /* of the policy in force */
	char *armed; /* ",id,!id,": armed here, or disarmed though the bundle says armed; the rest is as the bundle has it */
	struct mapped mapped[MAX_MAPPED];
	uint64_t uses;
};

struct approvers {
	struct sign_key *keys[MAX_APPROVERS];
	uint32_t n;
	bool others; /* revoked ones too: for what was believed before */
};

static int add_approver(void *ctx, const struct store_operator *o)
{
	struct approvers *a = ctx;
	struct why why;

	if (o->role != PLUMB_ROLE_APPROVER || (o->revoked && !a->others) || a->n == MAX_APPROVERS)
		return 0;
	if (sign_key_from_spki(o->spki.data, o->spki.size, &a->keys[a->n], &why) >= 0)
		a->n++;
	return 0;
}

static void approvers_done(struct approvers *a)
{
	for (uint32_t i = 0; i < a->n; i++)
		sign_key_free(a->keys[i]);
}

static int approvers_read(const struct documents *d, struct approvers *a)
{
	return d->v->store->ops->operator_each(d->v->store->ctx, add_approver, a);
}

/* mark: "" or "!". */
static bool is_listed(const char *armed, const char *mark, const char *id)
{
	char item[POLICY_MAX_ID + 4];

	snprintf(item, sizeof(item), ",%s%s,", mark, id);
	return armed && strstr(armed, item) != NULL;
}

/* The bundle with the modes that people chose here: `all` makes every rule armed. */
static int with_modes(const struct buf *bundle, const char *armed, bool all, struct policy **ret,
		      struct why *ret_why)
{
	CLEANUP(jsonl_decref_p) json_t *o = NULL;
	CLEANUP_FREE char *text = NULL;
	json_t *rules, *rule;
	size_t i;
	int r = jsonl_parse(bundle->data, bundle->size, MAX_BUNDLE, &o, ret_why);

	if (r >= 0)
		r = jsonl_get_array(o, "rules", POLICY_MAX_RULES, &rules, ret_why);
	if (r < 0)
		return r;
	json_array_foreach (rules, i, rule) {
		const char *id = json_string_value(json_object_get(rule, "id"));

		if (id && (all || is_listed(armed, "", id)))
			json_object_set_new(rule, "mode", json_string("armed"));
		else if (id && is_listed(armed, "!", id))
			json_object_set_new(rule, "mode", json_string("report"));
	}
	text = json_dumps(o, JSON_COMPACT);
	return text ? policy_open(text, strlen(text), ret, ret_why) : -ENOMEM;
}

/* A signature counts when an approver made it who was one when it came in; at the start also one who was revoked since. */
static int open_policy(const struct documents *d, const void *envelope, size_t size, bool again,
		       struct buf *ret_bundle, struct why *ret_why)
{
	CLEANUP(approvers_done) struct approvers a = {.others = again};
	int r = approvers_read(d, &a);

	if (r < 0)
		return why_set(ret_why, r, "operators cannot be read: %s", strerror(-r));
	if (a.n == 0)
		return why_set(ret_why, -EKEYREJECTED, "there is no approver");
	r = dsse_open(envelope, size, MAX_BUNDLE, WIRE_DSSE_POLICY,
		      (const struct sign_key *const *)a.keys, a.n, ret_bundle, NULL, ret_why);
	return r == -EKEYREJECTED ? why_set(ret_why, r, "the policy is not signed by an approver")
				  : r;
}

static int take_policy(struct documents *d, const struct buf *bundle, struct why *ret_why)
{
	struct policy *p = NULL;
	struct digest digest;
	int r = digest_sha256(bundle->data, bundle->size, &digest);

	if (r >= 0)
		r = with_modes(bundle, d->armed, false, &p, ret_why);
	if (r < 0)
		return r;
	policy_free(d->policy);
	d->policy = p;
	d->policy_digest = digest;
	return 0;
}

static int load_policy(struct documents *d, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf bundle = {0}, armed = {0};
	const struct store *s = d->v->store;
	int r = s->ops->setting_get(s->ctx, ARMED, &armed);

	if (r >= 0)
		d->armed = buf_take(&armed);
	if (r >= 0 || r == -ENOENT)
		r = s->ops->blob_get(s->ctx, "policy", "current", &d->envelope);
	if (r == -ENOENT)
		return 0;
	if (r >= 0)
		r = open_policy(d, d->envelope.data, d->envelope.size, true, &bundle, ret_why);
	return r < 0 ? r : take_policy(d, &bundle, ret_why);
}

int documents_open(const struct verifier *v, struct documents **ret, struct why *ret_why)
{
	struct documents *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return -ENOMEM;
	d->v = v;
	ret_why->text[0] = 0;
	r = fsio_mkdir_all(v->io, v->baseline_dir, 0700);
	if (r >= 0)
		r = load_policy(d, ret_why);
	if (r < 0) {
		documents_free(d);
		return ret_why->text[0] ? r : why_set(ret_why, r, "documents: %s", strerror(-r));
	}
	*ret = d;
	return 0;
}

int documents_reload(struct documents *d, struct why *ret_why)
{
	struct documents now = {.v = d->v};
	int r = load_policy(&now, ret_why);

	if (r < 0) {
		policy_free(now.policy);
		buf_done(&now.envelope);
		free(now.armed);
		return r;
	}
	policy_free(d->policy);
	buf_done(&d->envelope);
	free(d->armed);
	d->policy = now.policy;
	d->policy_digest = now.policy_digest;
	d->envelope = now.envelope;
	d->armed = now.armed;
	return 0;
}

struct documents *documents_free(struct documents *d)
{
	if (!d)
		return NULL;
	for (uint32_t i = 0; i < MAX_MAPPED; i++)
		baseline_free(d->mapped[i].baseline);
	policy_free(d->policy);
	buf_done(&d->envelope);
	free(d->armed);
	free(d);
	return NULL;
}

const struct policy *documents_policy(const struct documents *d)
{
	return d->policy;
}

const struct digest *documents_policy_digest(const struct documents *d)
{
	return &d->policy_digest;
}

/* Versions of a name only grow, also when another policy was in force meanwhile. */
static int check_version(const struct documents *d, const struct policy *p,
			 const struct digest *digest, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf was = {0};
	const struct store *s = d->v->store;
	char name[160], hex[DIGEST_HEX_SIZE];
	uint64_t version;
	char *rest;
	int r;

	snprintf(name, sizeof(name), HIGHEST "%s", policy_name(p));
	r = s->ops->setting_get(s->ctx, name, &was);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	digest_hex(digest, hex);
	version = strtoull((char *)was.data, &rest, 10);
	if (policy_version(p) > version ||
	    (policy_version(p) == version && *rest == ' ' && strcmp(rest + 1, hex) == 0))
		return 0;
	return why_set(ret_why, -ESTALE,
		       "policy %s version %" PRIu64 " was in force, and this is %s%" PRIu64
		       ": raise its version and sign it",
		       policy_name(p), version,
		       policy_version(p) == version ? "another of version " : "",
		       policy_version(p));
}

static int keep_version(const struct documents *d, const struct policy *p,
			const struct digest *digest)
{
	const struct store *s = d->v->store;
	char name[160], hex[DIGEST_HEX_SIZE], value[DIGEST_HEX_SIZE + 24];

	digest_hex(digest, hex);
	snprintf(name, sizeof(name), HIGHEST "%s", policy_name(p));
	snprintf(value, sizeof(value), "%" PRIu64 " %s", policy_version(p), hex);
	return s->ops->setting_put(s->ctx, name, value);
}

int documents_put_policy(struct documents *d, const void *envelope, size_t size,
			 struct why *ret_why)
{
	CLEANUP(buf_done) struct buf bundle = {0};
	const struct store *s = d->v->store;
	struct policy *p = NULL;
	struct digest digest;
	int r = open_policy(d, envelope, size, false, &bundle, ret_why);

	if (r >= 0)
		r = policy_open(bundle.data, bundle.size, &p, ret_why);
	if (r < 0)
		return r;
	r = digest_sha256(bundle.data, bundle.size, &digest);
	if (r >= 0)
		r = check_version(d, p, &digest, ret_why);
	if (r >= 0)
		r = keep_version(d, p, &digest);
	policy_free(p);
	if (r >= 0)
		r = s->ops->blob_put(s->ctx, "policy", "current", envelope, size);
	if (r >= 0)
		r = take_policy(d, &bundle, ret_why);
	if (r < 0)
		return r;
	buf_clear(&d->envelope);
	buf_put(&d->envelope, envelope, size);
	return buf_status(&d->envelope);
}

int documents_try_policy(struct documents *d, const void *envelope, size_t size,
			 struct policy **ret, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf bundle = {0};
	int r;

	if (size == 0 && d->envelope.size == 0)
		return why_set(ret_why, -ENOENT, "there is no policy yet");
	r = size == 0 ? open_policy(d, d->envelope.data, d->envelope.size, true, &bundle, ret_why)
		      : open_policy(d, envelope, size, false, &bundle, ret_why);
	return r < 0 ? r : with_modes(&bundle, NULL, true, ret, ret_why);
}

static bool has_rule(const struct policy *p, const char *id)
{
	for (uint32_t i = 0; i < policy_n_rules(p); i++)
		if (strcmp(policy_rule(p, i)->id, id) == 0)
			return true;
	return false;
}

static bool names(const char *rules, const char *id)
{
	size_t size = strlen(id);

	for (const char *at = rules; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
		if (strncmp(at, id, size) == 0 && (at[size] == ',' || at[size] == 0))
			return true;
	return false;
}

static int check_ids(const struct policy *p, const char *rules, struct why *ret_why)
{
	char id[POLICY_MAX_ID + 1];

	if (!*rules)
		return why_set(ret_why, -EINVAL, "rules: ids with commas between, or all");
	for (const char *at = rules; *at;) {
		size_t size = strcspn(at, ",");

		if (size == 0 || size > POLICY_MAX_ID)
			return why_set(ret_why, -EINVAL, "rules: ids with commas between, or all");
		memcpy(id, at, size);
		id[size] = 0;
		if (!has_rule(p, id))
			return why_set(ret_why, -ENOENT, "policy %s has no rule %s", policy_name(p),
				       id);
		at += size + (at[size] == ',');
	}
	return 0;
}

int documents_arm(struct documents *d, const char *rules, bool arm, struct why *ret_why)
{
	CLEANUP(buf_done) struct buf list = {0}, bundle = {0};
	const struct store *s = d->v->store;
	bool all = strcmp(rules, "all") == 0;
	char *before = d->armed;
	int r;

	if (!d->policy)
		return why_set(ret_why, -ENOENT, "there is no policy yet; plumbctl policy push");
	r = all ? 0 : check_ids(d->policy, rules, ret_why);
	if (r < 0)
		return r;
	buf_puts(&list, ",");
	for (uint32_t i = 0; i < policy_n_rules(d->policy); i++) {
		const char *id = policy_rule(d->policy, i)->id;
		bool named = all || names(rules, id);

		if (named ? arm : is_listed(d->armed, "", id))
			buf_printf(&list, "%s,", id);
		else if (named || is_listed(d->armed, "!", id))
			buf_printf(&list, "!%s,", id);
	}
	r = buf_status(&list);
	if (r >= 0)
		r = s->ops->setting_put(s->ctx, ARMED, (char *)list.data);
	if (r >= 0)
		r = open_policy(d, d->envelope.data, d->envelope.size, true, &bundle, ret_why);
	if (r < 0)
		return r;
	d->armed = buf_take(&list);
	r = take_policy(d, &bundle, ret_why);
	if (r < 0) {
		free(d->armed);
		d->armed = before;
		return r;
	}
	free(before);
	return 0;
}

/* Baselines: files, and an index of them in the store. */
static int path_of(const struct documents *d, const char *name, char ret[PATH_MAX])
{
	return snprintf(ret, PATH_MAX, "%s/%s", d->v->baseline_dir, name) < PATH_MAX
		       ? 0
		       : -ENAMETOOLONG;
}

int documents_each_baseline(struct documents *d,
			    int (*fn)(void *ctx, const struct baseline_info *i), void *ctx)
{
	return baseline_index_each(d->v, fn, ctx);
}

struct search {
	const struct digest *document;
	const char *name;
	struct baseline_info found, newest;
	bool has_found, has_newest;
};

static int on_search(void *ctx, const struct baseline_info *i)
{
	struct search *s = ctx;

	if (s->document && digest_equal(&i->document, s->document)) {
		s->found = *i;
		s->has_found = true;
	}
	if (s->name && strcmp(i->name, s->name) == 0 &&
	    (!s->has_newest || i->version > s->newest.version)) {
		s->newest = *i;
		s->has_newest = true;
	}
	return 0;
}

/* Opened under a name of its own first: what no approver signed never gets the name that nodes ask for. */
static int check_file(struct documents *d, const void *data, size_t size, const char *path,
		      struct baseline_info *ret, struct why *ret_why)
{
	CLEANUP(approvers_done) struct approvers a = {.n = 0};
	struct baseline *b = NULL;
	int r = approvers_read(d, &a);

	if (r >= 0 && a.n == 0)
		r = why_set(ret_why, -EKEYREJECTED, "there is no approver");
	if (r >= 0)
		r = fsio_replace_file(d->v->io, path, data, size, 0600);
	if (r >= 0)
		r = baseline_open(d->v->io, path, (const struct sign_key *const *)a.keys, a.n, 0,
				  &b, ret_why);
	if (r < 0)
		return r;
	*ret = *baseline_info(b);
	baseline_free(b);
	return 0;
}

int documents_put_baseline(struct documents *d, const void *data, size_t size,
			   struct baseline_info *ret, struct why *ret_why)
{
	char incoming[PATH_MAX], hex[DIGEST_HEX_SIZE], path[PATH_MAX];
	struct baseline_info info = {.version = 0};
	struct search s = {.document = &info.document, .name = info.name};
	int r = path_of(d, "incoming", incoming);

	ret_why->text[0] = 0;
	if (r >= 0)
		r = check_file(d, data, size, incoming, &info, ret_why);
	if (r >= 0)
		r = documents_each_baseline(d, on_search, &s);
	if (r >= 0 && s.has_newest &&
	    (s.newest.version > info.version ||
	     (s.newest.version == info.version &&
	      !digest_equal(&s.newest.document, &info.document))))
		r = why_set(ret_why, -ESTALE,
			    "baseline %s version %" PRIu64 " is there, this is %" PRIu64
			    ": raise its version and sign it",
			    info.name, s.newest.version, info.version);
	digest_hex(&info.document, hex);
	if (r >= 0)
		r = path_of(d, hex, path);
	if (r >= 0)
		r = fsio_replace_file(d->v->io, path, data, size, 0600);
	if (r >= 0 && !s.has_found)
		r = baseline_index_add(d->v, &info);
	fsio_unlink(d->v->io, incoming);
	if (r < 0)
		return ret_why->text[0] ? r : why_set(ret_why, r, "baseline: %s", strerror(-r));
	*ret = info;
	return 0;
}

int documents_read_baseline(struct documents *d, const struct digest *document, struct buf *ret)
{
	char hex[DIGEST_HEX_SIZE], path[PATH_MAX];
	int r;

	digest_hex(document, hex);
	r = path_of(d, hex, path);
	return r < 0 ? r : fsio_read_file(d->v->io, path, WIRE_MAX_BASELINE_BODY, ret);
}

int documents_baseline(struct documents *d, const struct digest *document,
		       const struct baseline **ret, struct why *ret_why)
{
	CLEANUP(approvers_done) struct approvers a = {.others = true};
	struct mapped *oldest = &d->mapped[0];
	char hex[DIGEST_HEX_SIZE], path[PATH_MAX];
	struct baseline *b = NULL;
	int r;

	for (struct mapped *m = d->mapped; m < d->mapped + MAX_MAPPED; m++) {
		if (m->baseline && digest_equal(&m->document, document)) {
			m->used = ++d->uses;
			*ret = m->baseline;
			return 0;
		}
		if (m->used < oldest->used)
			oldest = m;
	}
	digest_hex(document, hex);
	r = path_of(d, hex, path);
	if (r >= 0)
		r = approvers_read(d, &a);
	if (r >= 0)
		r = baseline_open(d->v->io, path, (const struct sign_key *const *)a.keys, a.n, 0,
				  &b, ret_why);
	if (r >= 0 && !digest_equal(&baseline_info(b)->document, document))
		r = why_set(ret_why, -EBADMSG, "%.150s is another document", path);
	if (r < 0) {
		baseline_free(b);
		return r;
	}
	baseline_free(oldest->baseline);
	*oldest = (struct mapped){*document, b, ++d->uses};
	*ret = b;
	return 0;
}

#define DEFAULT_BASELINE "default_baseline"

int documents_set_default(struct documents *d, const struct digest *document)
{
	char hex[DIGEST_HEX_SIZE];

	digest_hex(document, hex);
	return d->v->store->ops->setting_put(d->v->store->ctx, DEFAULT_BASELINE, hex);
}

int documents_default_baseline(void *documents, struct digest *ret_document, uint64_t *ret_version)
{
	CLEANUP(buf_done) struct buf hex = {0};
	struct documents *d = documents;
	struct digest document;
	struct search s = {.document = &document};
	int r = d->v->store->ops->setting_get(d->v->store->ctx, DEFAULT_BASELINE, &hex);

	if (r >= 0)
		r = digest_from_hex((char *)hex.data, &document);
	if (r >= 0)
		r = documents_each_baseline(d, on_search, &s);
	if (r >= 0 && !s.has_found)
		r = -ENOENT;
	if (r < 0)
		return r;
	*ret_document = document;
	*ret_version = s.found.version;
	return 0;
}
